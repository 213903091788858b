package passkey

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/hook"
)

// MailAdded is the kind of mail that tells an owner of a new passkey.
const MailAdded = "passkey-added"

// BeginRegistration returns the options by which the caller's browser makes a
// passkey. They work once, for five minutes, in the caller's session, while what
// protects the account does not change. attachment is platform, cross-platform or
// empty, and a hint. The caller must be fresh (rule R12). It joins the transaction
// of ctx. Errors: account.ErrNotFresh, ErrTooMany.
func (s *Service) BeginRegistration(ctx context.Context, c account.Caller, attachment string) (CreationOptions, error) {
	userID, err := c.FreshPerson()
	if err != nil {
		return CreationOptions{}, err
	}
	user, err := s.cfg.Users.UserByID(ctx, userID)
	if err != nil {
		return CreationOptions{}, fmt.Errorf("passkey: find the user: %w", err)
	}
	have, err := s.room(ctx, userID)
	if err != nil {
		return CreationOptions{}, err
	}
	fresh, err := s.random(handleLength)
	if err != nil {
		return CreationOptions{}, err
	}
	var handle []byte
	ceremony, err := s.begin(ctx, Ceremony{
		Kind: KindRegister, Owner: ownerSession(c.Principal.SessionID), UserID: userID,
		SecurityVersion: c.SecurityVersion, UserVerification: !s.cfg.AllowUnverified,
	}, func(ctx context.Context) error {
		handle, err = s.store.Handle(ctx, userID, fresh)
		return err
	})
	if err != nil {
		return CreationOptions{}, err
	}
	return s.rp.creationOptions(ceremony, user, handle, have, attachment), nil
}

// room returns the user's passkeys if there may be one more.
func (s *Service) room(ctx context.Context, userID string) ([]Passkey, error) {
	have, err := s.store.Passkeys(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("passkey: count passkeys: %w", err)
	}
	if len(have) >= s.cfg.MaxPerUser {
		return nil, ErrTooMany
	}
	return have, nil
}

// Register takes the answer to the options and keeps the passkey. Every other
// session of the user ends, and the owner is told by mail (rules R1, R12). name may
// be empty. The caller must be fresh, and the same session that asked for the
// options. It joins the transaction of ctx.
//
// Errors: account.ErrNotFresh, ErrCeremonyNotFound, ErrRegistrationFailed,
// ErrAlreadyRegistered, ErrTooMany, auth.ErrInvalidName, auth.ErrStale.
func (s *Service) Register(ctx context.Context, c account.Caller, response []byte, name string) (Passkey, error) {
	userID, err := c.FreshPerson()
	if err != nil {
		return Passkey{}, err
	}
	if name != "" {
		if name, err = auth.CleanName(name); err != nil {
			return Passkey{}, err
		}
	}
	p, err := s.made(ctx, c, userID, response)
	if err != nil {
		return Passkey{}, err
	}
	p.Name = cmp.Or(name, defaultName(p, c.Client))
	if p.ID, err = s.newID(); err != nil {
		return Passkey{}, err
	}
	change := auth.Change{UserID: userID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID, Notice: MailAdded}
	err = s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		if _, err := s.room(ctx, userID); err != nil {
			return err
		}
		if err := s.store.Add(ctx, p); err != nil {
			return err
		}
		if err := s.cfg.Strengthen(ctx, user); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.PasskeyAdded, Added{Passkey: p, Client: c.Client})
	})
	if err != nil {
		return Passkey{}, fmt.Errorf("passkey: register: %w", err)
	}
	return p, nil
}

// made verifies what an authenticator made for the caller.
func (s *Service) made(ctx context.Context, c account.Caller, userID string, response []byte) (Passkey, error) {
	answer, err := readCreated(response)
	if err != nil {
		return Passkey{}, ErrRegistrationFailed.With(err)
	}
	ceremony, err := s.claim(ctx, ownerSession(c.Principal.SessionID), answer.challenge(), KindRegister)
	if err != nil {
		return Passkey{}, err
	}
	if ceremony.UserID != userID || ceremony.SecurityVersion != c.SecurityVersion {
		return Passkey{}, ErrCeremonyNotFound
	}
	handle, err := s.store.Handle(ctx, userID, nil)
	if err != nil {
		return Passkey{}, fmt.Errorf("passkey: find the handle: %w", err)
	}
	p, err := s.rp.register(ceremony, handle, answer)
	if err != nil {
		return Passkey{}, ErrRegistrationFailed.With(err)
	}
	p.UserID, p.CreatedAt = userID, s.now()
	return p, nil
}
