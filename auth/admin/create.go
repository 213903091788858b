package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
)

// NewUser describes a user that a superuser makes.
type NewUser struct {
	Email, Name, Image string
	// Role is "user" or "admin". Defaults to "user".
	Role string
	// EmailVerified is the superuser's word that the address is the user's; see
	// Config.TypedPasswords. Without it the user proves it by the mailed link.
	EmailVerified bool
	// Password is typed by the superuser; see Config.TypedPasswords. It needs
	// EmailVerified: with an address that is not proven nobody signs in, and its
	// proof takes away what was there before (rule R4).
	Password string
	ActorID  string
	Client   auth.Client
}

// Create makes a user, and mails them a link with which they choose a password of
// their own and prove the address, unless the superuser vouches for it. It joins the
// transaction of ctx; it hashes before it opens one, so call it outside of one
// where a password is typed. Errors: ErrAddressInUse, ErrRoleUnknown,
// ErrTypedPassword, ErrVouchedAddress, ErrUnprovenPassword, those of
// auth.Service.CreateUser and, with a password, of password.Policy.Check.
func (s *Service) Create(ctx context.Context, n NewUser) (Record, error) {
	if err := s.judge(n); err != nil {
		return Record{}, err
	}
	made, err := s.cfg.Accounts.CreateUser(ctx, auth.NewUser{
		Email: n.Email, Name: n.Name, Image: n.Image, EmailVerified: n.EmailVerified, Password: n.Password, Client: n.Client,
		Then: func(ctx context.Context, user auth.User) error {
			if n.Role == RoleAdmin {
				if err := s.setSuperuser(ctx, user.ID, n.ActorID, true); err != nil {
					return err
				}
			}
			return s.cfg.SetPasswordLink(ctx, user)
		},
	})
	if errors.Is(err, auth.ErrAddressTaken) {
		return Record{}, ErrAddressInUse
	}
	if err != nil {
		return Record{}, fmt.Errorf("admin: create a user: %w", err)
	}
	return s.Get(ctx, made.ID)
}

// judge refuses what superusers may not say about other people here.
func (s *Service) judge(n NewUser) error {
	switch {
	case n.Role != "" && n.Role != RoleUser && n.Role != RoleAdmin:
		return ErrRoleUnknown
	case n.Password != "" && !s.cfg.TypedPasswords:
		return ErrTypedPassword
	case n.EmailVerified && !s.cfg.TypedPasswords:
		return ErrVouchedAddress
	case n.Password != "" && !n.EmailVerified:
		return ErrUnprovenPassword
	}
	return nil
}
