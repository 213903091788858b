package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/token"
)

// attach writes a sign-up down that waits for its address to be proven, with the account
// attached to it. It does the same for addresses that are taken (rules R4, R7).
func (s *Service) attach(ctx context.Context, a arrival) (Result, error) {
	signUp := a.signUp
	if a.attempt.Bearer {
		// Whose browser it is nobody knows: what is attached must not stay because a
		// link is opened in it (rule R5).
		signUp = ""
	}
	local, _, _ := strings.Cut(a.identity.Email, "@")
	made, err := s.cfg.Auth.SignUpWith(ctx, auth.SignUpParams{
		Name: cmp.Or(a.name(), local), Email: a.identity.Email, Image: a.image(),
		CallbackURL: a.signUpTarget(), Browser: signUp, Client: a.attempt.Client,
	}, func(ctx context.Context, signUp auth.SignUp) error {
		id, err := s.newID()
		if err != nil {
			return err
		}
		return s.store.AddAttachment(ctx, Attachment{
			SignUpID: signUp.ID, LinkID: id, Provider: a.from.ID(), Identity: a.id(), Email: a.identity.Email,
			CreatedAt: s.now(), ExpiresAt: signUp.ExpiresAt,
		})
	})
	if err != nil {
		return Result{}, err
	}
	if a.attempt.Bearer {
		made.Browser = token.Secret{}
	}
	return Result{SignUp: &made, Email: a.identity.Email}, nil
}

// signUpTarget is where the page of the mailed link leads.
func (a arrival) signUpTarget() string { return cmp.Or(a.newUserCallbackURL, a.attempt.CallbackURL) }

// SignUpProven links the account that was attached to a sign-up, in the transaction that
// proved its address, if whoever proved it is who signed up; otherwise it drops it (rule
// R5). It is for auth.Hooks.SignUpProven. An account that was linked to somebody else
// meanwhile stays theirs: the user is there all the same, and signs in by mail.
func (s *Service) SignUpProven(ctx context.Context, e auth.SignUpProven) error {
	a, err := s.store.ClaimAttachment(ctx, e.SignUpID, s.now())
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("oauth: claim an attachment: %w", err)
	case !e.Kept:
		return nil
	}
	link := Link{
		ID: a.LinkID, UserID: e.User.ID, Provider: a.Provider, Identity: a.Identity, Email: a.Email,
		CreatedAt: s.now(), LastUsedAt: s.now(),
	}
	err = s.store.AddLink(ctx, link)
	if errors.Is(err, ErrLinkedElsewhere) {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "oauth: attached account is linked elsewhere", slog.String("provider", a.Provider))
		return nil
	}
	if err != nil {
		return fmt.Errorf("oauth: link what was attached: %w", err)
	}
	return hook.Call(ctx, s.cfg.Hooks.AccountLinked, Linked{Link: link, Client: e.Client})
}
