package account

import (
	"context"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/token"
)

// Kinds of mail about the end of an account.
const (
	MailDeleteUser  = "delete-user"
	MailUserDeleted = "user-deleted"
)

// RequestDeletion mails the link that deletes the account, to its own address,
// within the budget of rule R6. The caller must be fresh. It joins the transaction
// of ctx. CallbackURL, which may be empty, must have passed the list of redirect
// targets. Errors: ErrNotFresh, auth.ErrStale.
func (s *Service) RequestDeletion(ctx context.Context, c Caller, callbackURL string) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	user, err := s.current(ctx, userID, c.SecurityVersion)
	if err != nil {
		return err
	}
	return s.mailOwner(ctx, MailDeleteUser, mailedLink{
		purpose: PurposeDeleteUser, path: pathDeleteUser, user: user, move: move{CallbackURL: callbackURL}, client: c.Client,
	})
}

// DeleteByPassword proves the caller's password and deletes the account with all
// that hangs on it. The caller must be fresh. It refuses to run inside a
// transaction. Errors: ErrNotFresh, those of [Service.VerifyPassword],
// auth.ErrStale, and those of the hooks.
func (s *Service) DeleteByPassword(ctx context.Context, c Caller, typed string) error {
	if _, err := c.FreshPerson(); err != nil {
		return err
	}
	if s.store.InTransaction(ctx) {
		return auth.ErrInTransaction
	}
	if err := s.prove(ctx, c, typed); err != nil {
		return err
	}
	return s.cfg.Auth.DeleteUser(ctx, deletion(c))
}

func deletion(c Caller) auth.Deletion {
	return auth.Deletion{
		UserID: c.Principal.UserID, ActorID: c.Principal.UserID, From: c.SecurityVersion,
		Notice: MailUserDeleted, Client: c.Client,
	}
}

// WaitingDeletion returns whose account the secret of a mailed link deletes. It
// consumes nothing. Errors: token.ErrInvalid, ErrSignInFirst if the caller is
// nobody or somebody else.
func (s *Service) WaitingDeletion(ctx context.Context, c Caller, raw string) (auth.User, error) {
	one, err := s.cfg.Tokens.Peek(ctx, PurposeDeleteUser, raw)
	if err != nil {
		return auth.User{}, err
	}
	return s.deleting(ctx, c, one)
}

// deleting returns the user of a token if the caller is that user.
func (s *Service) deleting(ctx context.Context, c Caller, one token.OneTime) (auth.User, error) {
	user, err := s.current(ctx, one.Subject, one.SecurityVersion)
	if err != nil {
		return auth.User{}, dead(err)
	}
	if id, err := c.Person(); err != nil || id != user.ID {
		return auth.User{}, ErrSignInFirst
	}
	return user, nil
}

// DeleteByLink consumes the mailed link and deletes the account with all that
// hangs on it, in one transaction that joins that of ctx. The link works in a
// session of the same user only, under the security version that it was asked for.
// Errors: token.ErrInvalid, ErrSignInFirst, and those of the hooks.
func (s *Service) DeleteByLink(ctx context.Context, c Caller, raw string) error {
	one, err := s.cfg.Tokens.Peek(ctx, PurposeDeleteUser, raw)
	if err != nil {
		return err
	}
	if _, err := s.deleting(ctx, c, one); err != nil {
		return err
	}
	d := deletion(c)
	d.From = one.SecurityVersion
	d.Permit = func(ctx context.Context) error {
		_, err := s.cfg.Tokens.Consume(ctx, PurposeDeleteUser, raw)
		return err
	}
	if err := dead(s.cfg.Auth.DeleteUser(ctx, d)); err != nil {
		return fmt.Errorf("account: delete by link: %w", err)
	}
	return nil
}
