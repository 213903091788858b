package oauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/hook"
)

// Kinds of mail that tell an owner that an account at a provider can sign in from now on,
// or can no more. Extra.Provider is the provider's name.
const (
	MailLinked   = "account-linked"
	MailUnlinked = "account-unlinked"
)

// Accounts returns the user's accounts at providers, in the order in which they were
// linked, for the list of all ways in. Scopes are there while a grant is. It joins the
// transaction of ctx. Whether the caller may see them is the caller's to judge.
func (s *Service) Accounts(ctx context.Context, userID string) ([]account.Account, error) {
	links, err := s.store.Links(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("oauth: list the links: %w", err)
	}
	accounts := make([]account.Account, len(links))
	for i, l := range links {
		scopes, err := s.scopes(ctx, l)
		if err != nil {
			return nil, err
		}
		used := l.LastUsedAt
		if used.Before(l.CreatedAt) {
			used = l.CreatedAt
		}
		accounts[i] = account.Account{
			ID: l.ID, ProviderID: l.Provider, AccountID: l.Identity.Subject, UserID: l.UserID, Scopes: scopes,
			CreatedAt: l.CreatedAt, UpdatedAt: used,
		}
	}
	return accounts, nil
}

// scopes are those of the link's grant, if it has one that has not ended.
func (s *Service) scopes(ctx context.Context, l Link) ([]string, error) {
	g, err := s.store.FindGrant(ctx, l.UserID, l.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("oauth: find a grant: %w", err)
	case !g.EndedAt.IsZero():
		return nil, nil
	}
	return g.Scopes, nil
}

// Unlink takes one of the caller's accounts at a provider away, with its tokens. Every
// other session of the user and whatever is in flight ends, and the owner is told by mail
// (rules R1, R12). The caller must be fresh. It joins the transaction of ctx.
//
// The account stays that is the only way in: the user has no password, no other link of a
// configured provider, and nothing that Config.OtherWays knows of.
//
// Errors: account.ErrNotFresh, ErrNotFound, ErrLastWayIn, auth.ErrStale.
func (s *Service) Unlink(ctx context.Context, c account.Caller, id string) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	change := auth.Change{UserID: userID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID}
	err = s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		removed, err := s.store.RemoveLink(ctx, userID, id)
		if err != nil {
			return err
		}
		if err := s.mayGo(ctx, user); err != nil {
			return err
		}
		if err := s.tell(ctx, user, MailUnlinked, removed); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.AccountUnlinked, Unlinked{Link: removed, Client: c.Client})
	})
	if err != nil {
		return fmt.Errorf("oauth: unlink: %w", err)
	}
	return nil
}

// mayGo judges what is left of an account, whose user is locked, without a link that was
// just deleted.
func (s *Service) mayGo(ctx context.Context, user auth.User) error {
	at, err := s.cfg.Users.PasswordSetAt(ctx, user.ID)
	if err != nil || !at.IsZero() {
		return err
	}
	left, err := s.Ways(ctx, user.ID)
	if err != nil || left > 0 {
		return err
	}
	other, err := s.cfg.OtherWays(ctx, user)
	if err == nil && !other {
		err = ErrLastWayIn
	}
	return err
}

// tell mails the owner what happened to a link. No budget counts it: only who is signed
// in, or has proven the mailbox, causes one.
func (s *Service) tell(ctx context.Context, user auth.User, kind string, l Link) error {
	name := l.Provider
	if p, err := s.provider(l.Provider); err == nil {
		name = p.Name()
	}
	return s.cfg.Auth.Notify(ctx, user, kind, map[string]string{"Provider": name})
}
