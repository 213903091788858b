package auth

import (
	"context"
	"errors"
	"fmt"
)

// ResendParams ask for another mail with a link.
type ResendParams struct {
	Email       string
	CallbackURL string
	Client      Client
}

// ResendVerification mails a fresh link for the newest sign-up of the address,
// within the budget of rule R6; earlier links stay valid. It does the same work
// and reports nothing whether a sign-up waits, the address belongs to a user, or
// neither. It joins the transaction of ctx. Errors: ErrInvalidEmail.
func (s *Service) ResendVerification(ctx context.Context, p ResendParams) error {
	address, err := ParseAddress(p.Email)
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		signUp, err := s.store.NewestSignUp(ctx, address.Key, s.now())
		if errors.Is(err, ErrSignUpNotFound) {
			return s.mailNobody(ctx, address, p.Client)
		}
		if err != nil {
			return err
		}
		_, err = s.mailSignUp(ctx, letter{signUp: signUp, callbackURL: p.CallbackURL, client: p.Client})
		return err
	})
	if err != nil {
		return fmt.Errorf("auth: resend: %w", err)
	}
	return nil
}

// mailNobody does what mailSignUp does, for a sign-up that does not exist.
func (s *Service) mailNobody(ctx context.Context, address Address, client Client) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	nobody := SignUp{ID: id, Email: address.Key, Display: address.Display, ExpiresAt: s.now().Add(pendingLife)}
	_, err = s.mailSignUp(ctx, letter{signUp: nobody, client: client, mute: true})
	return err
}

// remind mails the link again to somebody who tried to sign in before the
// address was proven. The statements are the same where no mail goes, because the
// address belongs to a user or to nobody (rules R4, R7).
func (s *Service) remind(ctx context.Context, address Address, p SignInParams) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		signUp, err := s.store.NewestSignUp(ctx, address.Key, s.now())
		if errors.Is(err, ErrSignUpNotFound) {
			return s.mailNobody(ctx, address, p.Client)
		}
		if err != nil {
			return err
		}
		_, err = s.mailSignUp(ctx, letter{signUp: signUp, callbackURL: p.CallbackURL, client: p.Client})
		return err
	})
}
