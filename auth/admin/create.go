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
	// Password is typed by the superuser; see Config.TypedPasswords. Empty mails
	// the user a link to choose one.
	Password string
	ActorID  string
	Client   auth.Client
}

// Create makes a user whose address is not proven, and mails them a link with
// which they prove it and choose a password. It joins the transaction of ctx.
// Errors: ErrAddressInUse, ErrRoleUnknown, ErrTypedPassword, those of
// auth.Service.CreateUser and, with a password, of password.Policy.Check.
func (s *Service) Create(ctx context.Context, n NewUser) (Record, error) {
	switch {
	case n.Role != "" && n.Role != RoleUser && n.Role != RoleAdmin:
		return Record{}, ErrRoleUnknown
	case n.Password != "" && !s.cfg.TypedPasswords:
		return Record{}, ErrTypedPassword
	}
	var made auth.User
	err := s.store.InTx(ctx, func(ctx context.Context) (err error) {
		made, err = s.create(ctx, n)
		return err
	})
	if errors.Is(err, auth.ErrAddressTaken) {
		return Record{}, ErrAddressInUse
	}
	if err != nil {
		return Record{}, fmt.Errorf("admin: create a user: %w", err)
	}
	return s.Get(ctx, made.ID)
}

func (s *Service) create(ctx context.Context, n NewUser) (auth.User, error) {
	user, err := s.cfg.Accounts.CreateUser(ctx, auth.NewUser{Email: n.Email, Name: n.Name, Image: n.Image, Client: n.Client})
	if err != nil {
		return auth.User{}, err
	}
	if n.Role == RoleAdmin {
		if err := s.setSuperuser(ctx, user.ID, n.ActorID, true); err != nil {
			return auth.User{}, err
		}
	}
	if n.Password != "" {
		sealed, err := s.cfg.Accounts.NewPassword(ctx, user, n.Password)
		if err != nil {
			return auth.User{}, err
		}
		if err := s.cfg.Passwords.SetPassword(ctx, user.ID, sealed, s.now()); err != nil {
			return auth.User{}, err
		}
	}
	return user, s.cfg.SetPasswordLink(ctx, user)
}
