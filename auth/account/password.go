package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
)

// Kinds of mail that tell the owner what happened to the password.
const (
	MailPasswordChanged = "password-changed"
	MailPasswordSet     = "password-set"
)

// VerifyPassword proves the caller's password and changes nothing: it makes the
// session no fresher, [Service.StepUp] does. It refuses to run inside a
// transaction. Errors: auth.ErrInvalidPassword, ErrSessionEnded,
// auth.ErrTooManyAttempts, auth.ErrInTransaction, password.ErrOverloaded.
func (s *Service) VerifyPassword(ctx context.Context, c Caller, typed string) error {
	if _, err := c.Person(); err != nil {
		return err
	}
	return s.prove(ctx, c, typed)
}

// prove checks the caller's password. A wrong one counts against the session, too:
// whoever found it open must not guess in it.
func (s *Service) prove(ctx context.Context, c Caller, typed string) error {
	err := s.cfg.Auth.CheckPassword(ctx, c.Principal.UserID, typed)
	if !errors.Is(err, auth.ErrInvalidPassword) {
		return err
	}
	return s.refuse(ctx, c, err)
}

// refuse counts a wrong proof and returns its answer.
func (s *Service) refuse(ctx context.Context, c Caller, answer error) error {
	ended, err := s.cfg.Sessions.RecordStepUpFailure(ctx, c.Principal)
	switch {
	case err != nil:
		return fmt.Errorf("account: record a wrong proof: %w", err)
	case ended:
		return ErrSessionEnded
	}
	return answer
}

// PasswordParams change a password.
type PasswordParams struct {
	Current, New string
}

// ChangePassword sets another password after the current one was proven. Every
// other session ends, the caller's gets the new token that is returned, and the
// owner is told by mail. It refuses to run inside a transaction.
//
// Errors: those of [Service.VerifyPassword], auth.ErrStale if the account was
// changed since the caller's session was looked up, those of password.Policy.Check.
func (s *Service) ChangePassword(ctx context.Context, c Caller, p PasswordParams) (auth.User, auth.Grant, error) {
	userID, err := c.Person()
	if err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	if s.store.InTransaction(ctx) {
		return auth.User{}, auth.Grant{}, auth.ErrInTransaction
	}
	if err := s.prove(ctx, c, p.Current); err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	provenAt := s.now()
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return auth.User{}, auth.Grant{}, fmt.Errorf("account: find the user: %w", err)
	}
	sealed, err := s.cfg.Auth.NewPassword(ctx, user, p.New)
	if err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	var grant auth.Grant
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.secure(ctx, c, MailPasswordChanged, s.writePassword(&user, c, sealed)); err != nil {
			return err
		}
		grant, err = s.elevate(ctx, c, user, auth.ChannelPassword, provenAt)
		return err
	})
	if err != nil {
		return auth.User{}, auth.Grant{}, fmt.Errorf("account: change a password: %w", err)
	}
	return user, grant, nil
}

// secure makes a change under the version of the caller's session, which goes on.
func (s *Service) secure(ctx context.Context, c Caller, notice string, apply func(ctx context.Context, user auth.User) error) error {
	return s.cfg.Auth.Secure(ctx, auth.Change{
		UserID: c.Principal.UserID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID, Notice: notice,
	}, apply)
}

// writePassword is the change of a password, inside the transaction that secures
// it. It leaves the user as they then are in user.
func (s *Service) writePassword(user *auth.User, c Caller, sealed []byte) func(ctx context.Context, u auth.User) error {
	return func(ctx context.Context, u auth.User) error {
		*user = u
		if err := s.store.SetPassword(ctx, u.ID, sealed, s.now()); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Auth.Hooks().PasswordChanged, auth.PasswordChanged{UserID: u.ID, ActorID: u.ID, Client: c.Client})
	}
}

// elevate gives the caller's session a new token, under the user's version of now.
func (s *Service) elevate(ctx context.Context, c Caller, user auth.User, channel string, provenAt time.Time) (auth.Grant, error) {
	proof := door.NewProof(door.Proven{UserID: user.ID, SecurityVersion: user.SecurityVersion, Channel: channel, At: provenAt})
	grant, err := s.cfg.Sessions.Elevate(ctx, c.Principal, proof)
	grant.UserID, grant.SecurityVersion = user.ID, user.SecurityVersion
	return grant, err
}

// SetPassword gives an account its first password, such as one that was made by
// a mailed link. The other sessions end and the owner is told by mail. The caller
// must be fresh. It joins the transaction of ctx. Errors: ErrNotFresh,
// ErrPasswordAlreadySet, auth.ErrStale, those of password.Policy.Check,
// password.ErrOverloaded.
func (s *Service) SetPassword(ctx context.Context, c Caller, typed string) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return fmt.Errorf("account: find the user: %w", err)
	}
	// Before the hash, which takes long, and again under the lock.
	if err := s.withoutPassword(ctx, user); err != nil {
		return err
	}
	sealed, err := s.cfg.Auth.NewPassword(ctx, user, typed)
	if err != nil {
		return err
	}
	write := s.writePassword(&user, c, sealed)
	err = s.secure(ctx, c, MailPasswordSet, func(ctx context.Context, u auth.User) error {
		if err := s.withoutPassword(ctx, u); err != nil {
			return err
		}
		return write(ctx, u)
	})
	if err != nil {
		return fmt.Errorf("account: set a password: %w", err)
	}
	return nil
}

func (s *Service) withoutPassword(ctx context.Context, user auth.User) error {
	at, err := s.store.PasswordSetAt(ctx, user.ID)
	if err != nil {
		return err
	}
	if !at.IsZero() {
		return ErrPasswordAlreadySet
	}
	return nil
}
