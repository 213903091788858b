package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// UpdateProfile changes the caller's name or picture. It joins the transaction of
// ctx. Errors: ErrNothingToUpdate, auth.ErrInvalidName, auth.ErrInvalidImage.
func (s *Service) UpdateProfile(ctx context.Context, c Caller, p auth.Profile) (auth.User, error) {
	who := c.Principal
	if who == nil || who.UserID == "" {
		return auth.User{}, problem.ErrUnauthenticated
	}
	if who.SessionID == "" {
		return auth.User{}, problem.ErrForbidden
	}
	if p.Name == nil && p.Image == nil {
		return auth.User{}, ErrNothingToUpdate
	}
	actor := who.UserID
	if who.ImpersonatorID != "" {
		actor = who.ImpersonatorID
	}
	return s.cfg.Auth.UpdateProfile(ctx, actor, who.UserID, p)
}

// ProviderCredential is what the official client calls the provider of a password.
const ProviderCredential = "credential"

// Account is one way in which a user signs in.
type Account struct {
	// ID is the row's; the user's for the password, of which there is one.
	ID string
	// ProviderID is ProviderCredential for the password.
	ProviderID string
	// AccountID is who the user is at the provider; for the password the user's id.
	AccountID string
	UserID    string
	// Scopes are what the provider granted us. They are kept only together with its
	// tokens.
	Scopes []string
	// CreatedAt is when the account was linked, UpdatedAt when it was used last; for the
	// password when the user was made, and when it was set last.
	CreatedAt, UpdatedAt time.Time
}

// Accounts lists the ways in which the caller signs in: the password, if there is one,
// and the accounts at identity providers.
func (s *Service) Accounts(ctx context.Context, c Caller) ([]Account, error) {
	if c.Principal == nil || c.Principal.UserID == "" {
		return nil, problem.ErrUnauthenticated
	}
	user, err := s.store.UserByID(ctx, c.Principal.UserID)
	if err != nil {
		return nil, fmt.Errorf("account: find the user: %w", err)
	}
	at, err := s.store.PasswordSetAt(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("account: find the password: %w", err)
	}
	var accounts []Account
	if !at.IsZero() {
		accounts = append(accounts, Account{
			ID: user.ID, ProviderID: ProviderCredential, AccountID: user.ID, UserID: user.ID, CreatedAt: user.CreatedAt, UpdatedAt: at,
		})
	}
	if s.cfg.Links == nil {
		return accounts, nil
	}
	links, err := s.cfg.Links(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("account: find the links: %w", err)
	}
	return append(accounts, links...), nil
}

// User returns a user whom the caller may see: themselves, a member of an
// organization that both are in, and anybody for a superuser. Everybody else is
// ErrUserNotFound, as are ids that never existed, after the same statements
// (promise 7).
func (s *Service) User(ctx context.Context, c Caller, userID string) (auth.User, error) {
	if c.Principal == nil || c.Principal.UserID == "" {
		return auth.User{}, problem.ErrUnauthenticated
	}
	if uuid.Validate(userID) != nil {
		return auth.User{}, ErrUserNotFound
	}
	seen, err := s.maySee(ctx, c.Principal, userID)
	if err != nil {
		return auth.User{}, fmt.Errorf("account: who may see whom: %w", err)
	}
	if !seen {
		return auth.User{}, ErrUserNotFound
	}
	user, err := s.store.UserByID(ctx, userID)
	if errors.Is(err, auth.ErrUserNotFound) {
		return auth.User{}, ErrUserNotFound
	}
	if err != nil {
		return auth.User{}, fmt.Errorf("account: find a user: %w", err)
	}
	return user, nil
}

func (s *Service) maySee(ctx context.Context, p *principal.Principal, userID string) (bool, error) {
	switch {
	case userID == p.UserID:
		return true, nil
	case p.IsSuperuser():
		return true, nil
	case s.cfg.Neighbours == nil:
		return false, nil
	}
	return s.cfg.Neighbours.Share(ctx, p.UserID, userID)
}
