package recovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// RequestParams ask for a link.
type RequestParams struct {
	Email string
	// CallbackURL is the host's own page for the new password, where the link leads
	// with the secret; empty shows the built-in one. It must have passed the list
	// of redirect targets.
	CallbackURL string
	Client      auth.Client
}

// Request mails a link that sets a new password, or, to an address whose sign-up
// waits, a fresh link of the sign-up (rule R4), within the budget of rule R6. It
// does the same work and reports nothing whether the address is a user's, banned
// or not, waits, or is nobody's (rule R7). It joins the transaction of ctx.
// Errors: auth.ErrInvalidEmail.
func (s *Service) Request(ctx context.Context, p RequestParams) error {
	address, err := auth.ParseAddress(p.Email)
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		t, err := s.target(ctx, address)
		if err != nil {
			return err
		}
		return s.post(ctx, t, p)
	})
	if err != nil {
		return fmt.Errorf("recovery: request: %w", err)
	}
	return nil
}

// target is what a request comes to.
type target struct {
	letter auth.Letter
	token  token.IssueParams
	name   string
}

// target looks for a user and for a sign-up, whatever it finds first.
func (s *Service) target(ctx context.Context, address auth.Address) (target, error) {
	user, _, err := s.store.UserByEmail(ctx, address.Key)
	if err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return target{}, err
	}
	known := err == nil
	signUp, err := s.store.NewestSignUp(ctx, address.Key, s.cfg.Now())
	if err != nil && !errors.Is(err, auth.ErrSignUpNotFound) {
		return target{}, err
	}
	waits := err == nil
	reset := auth.Letter{To: address, Kind: MailResetPassword, Every: mailEvery}
	switch {
	case known:
		reset.To = mailboxOf(user.Display, user.Email, address)
		return target{letter: reset, name: user.Name, token: token.IssueParams{
			Purpose: PurposeReset, Subject: user.ID, SecurityVersion: user.SecurityVersion, TTL: s.cfg.LinkLife,
		}}, nil
	case waits:
		reset.To, reset.Kind = mailboxOf(signUp.Display, signUp.Email, address), auth.MailVerifyEmail
		return target{letter: reset, name: signUp.Name, token: token.IssueParams{
			Purpose: auth.PurposeVerifyEmail, Subject: signUp.ID, TTL: max(time.Second, signUp.ExpiresAt.Sub(s.cfg.Now())),
		}}, nil
	}
	nobody, err := uuid.NewV7()
	reset.Silent = true
	return target{letter: reset, token: token.IssueParams{Purpose: PurposeReset, Subject: nobody.String(), TTL: s.cfg.LinkLife}}, err
}

// mailboxOf is where mail goes: the address that was stored, not the one that was
// typed, which may be a mailbox of its own at a host that tells cases apart.
func mailboxOf(display, key string, typed auth.Address) auth.Address {
	for _, stored := range []string{display, key} {
		if address, err := auth.ParseAddress(stored); err == nil && address.Key == key {
			return address
		}
	}
	return typed
}

// post issues the token and mails it. What no mail goes for is undone.
func (s *Service) post(ctx context.Context, t target, p RequestParams) error {
	t.letter.Client = p.Client
	_, err := s.cfg.Users.Post(ctx, t.letter, func(ctx context.Context) (mail.Data, error) {
		_, secret, err := s.cfg.Tokens.Issue(ctx, t.token)
		if err != nil {
			return mail.Data{}, err
		}
		data := mail.Data{Name: t.name, Email: t.letter.To.Display, ExpiresIn: t.token.TTL}
		if data.Link = s.link(secret, p.CallbackURL); t.token.Purpose == auth.PurposeVerifyEmail {
			// The host's page for passwords is not where a sign-up goes on.
			data.Link = s.cfg.Users.Link("verify-email", secret, "")
		}
		return data, nil
	})
	return err
}

// link is the official client's: the secret in the path, the page in the query.
func (s *Service) link(secret token.Secret, callbackURL string) string {
	link := s.cfg.LinkBase + "/reset-password/" + secret.Reveal()
	if callbackURL != "" {
		link += "?" + url.Values{"callbackURL": {callbackURL}}.Encode()
	}
	return link
}
