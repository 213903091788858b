package passwordless

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/problem"
)

// Owner is a signed-in user who asks about the own account. Codes for them belong
// to the session.
type Owner struct {
	UserID, SessionID string
	// SecurityVersion is the session's: what changed the account since ends the
	// codes that were asked for in it (rule R1).
	SecurityVersion int64
	Client          auth.Client
}

// user returns the owner as the account is now, if it did not change.
func (s *Service) user(ctx context.Context, o Owner) (auth.User, error) {
	if o.UserID == "" || o.SessionID == "" || o.SecurityVersion <= 0 {
		return auth.User{}, problem.ErrUnauthenticated
	}
	user, err := s.store.UserByID(ctx, o.UserID)
	if errors.Is(err, auth.ErrUserNotFound) || err == nil && user.SecurityVersion != o.SecurityVersion {
		return auth.User{}, auth.ErrStale
	}
	if err != nil {
		return auth.User{}, fmt.Errorf("passwordless: find the user: %w", err)
	}
	return user, nil
}

// SendStepUp mails the owner a code that proves the mailbox again, in this session
// only. What it is good for is decided where it is used: it is nothing for users
// who have a password or a second factor (rule R12). It joins the transaction of
// ctx. Errors: auth.ErrStale, problem.ErrUnauthenticated, ErrPurpose.
func (s *Service) SendStepUp(ctx context.Context, o Owner) error {
	if s.cfg.Policy.NoCodes {
		return ErrPurpose
	}
	user, err := s.user(ctx, o)
	if err != nil {
		return err
	}
	to := found{address: auth.Address{Key: user.Email}, user: user}.mailbox()
	return s.sendToOwner(ctx, o, user, PurposeStepUp, confirmLetter(to, o.Client))
}

// confirmLetter is the mail with a code that proves a mailbox.
func confirmLetter(to auth.Address, client auth.Client) auth.Letter {
	return auth.Letter{To: to, Kind: MailConfirmCode, Every: mailEvery, Client: client}
}

// sendToOwner mails a code for the owner's session.
func (s *Service) sendToOwner(ctx context.Context, o Owner, user auth.User, purpose Purpose, letter auth.Letter) error {
	c := Code{
		Flow: sessionFlow(o.SessionID), Purpose: purpose, Email: letter.To.Key, Subject: user.ID, SecurityVersion: user.SecurityVersion,
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error { return s.postCode(ctx, c, letter, user.Name) })
	if err != nil {
		return fmt.Errorf("passwordless: send a code: %w", err)
	}
	return nil
}

// CheckStepUpCode uses the code up that SendStepUp mailed for the session. It
// refuses to run inside a transaction (rule R8). Errors: ErrInvalidCode,
// ErrTooManyCodes, auth.ErrInTransaction.
func (s *Service) CheckStepUpCode(ctx context.Context, userID, sessionID, code string) error {
	if s.store.InTransaction(ctx) {
		return auth.ErrInTransaction
	}
	user, err := s.store.UserByID(ctx, userID)
	if errors.Is(err, auth.ErrUserNotFound) {
		return ErrInvalidCode
	}
	if err != nil {
		return fmt.Errorf("passwordless: find the user: %w", err)
	}
	c, err := s.ownersCode(ctx, Owner{UserID: userID, SessionID: sessionID, SecurityVersion: user.SecurityVersion},
		PurposeStepUp, auth.Address{Key: user.Email}, code)
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, s.consume(c))
}

// stepOwner is who continues a sign-in: a code belongs to its challenge.
func stepOwner(c auth.Challenge, client auth.Client) Owner {
	return Owner{UserID: c.UserID, SessionID: "challenge " + c.ID, SecurityVersion: c.SecurityVersion, Client: client}
}

// SendSecondStep mails the user of a challenge a code that works for it alone, within
// the budget of rule R6. Whether a mailed code is enough is its caller's to judge
// (rule R11). It joins the transaction of ctx. Errors: auth.ErrStale.
func (s *Service) SendSecondStep(ctx context.Context, c auth.Challenge, client auth.Client) error {
	o := stepOwner(c, client)
	user, err := s.user(ctx, o)
	if err != nil {
		return err
	}
	to := found{address: auth.Address{Key: user.Email}, user: user}.mailbox()
	letter := auth.Letter{To: to, Kind: MailSecondStep, Every: mailEvery, Client: client}
	return s.sendToOwner(ctx, o, user, PurposeSecondStep, letter)
}

// CheckSecondStep checks a code of SendSecondStep: a guess like any other at the codes
// of the address (rule R10). use consumes it, in the transaction of what it permits.
// It refuses to run inside a transaction. Errors: ErrInvalidCode, ErrTooManyCodes,
// auth.ErrStale, auth.ErrInTransaction.
func (s *Service) CheckSecondStep(ctx context.Context, c auth.Challenge, code string, client auth.Client) (use func(ctx context.Context) error, err error) {
	if s.store.InTransaction(ctx) {
		return nil, auth.ErrInTransaction
	}
	o := stepOwner(c, client)
	user, err := s.user(ctx, o)
	if err != nil {
		return nil, err
	}
	mailed, err := s.ownersCode(ctx, o, PurposeSecondStep, auth.Address{Key: user.Email}, code)
	if err != nil {
		return nil, err
	}
	return s.consume(mailed), nil
}

// ownersCode checks a code that was asked for in the owner's session.
func (s *Service) ownersCode(ctx context.Context, o Owner, purpose Purpose, address auth.Address, code string) (Code, error) {
	c, key, err := s.guessIn(ctx, sessionFlow(o.SessionID), purpose, address, CodeParams{Code: code, Client: o.Client})
	if err != nil {
		return Code{}, err
	}
	if err := s.cfg.Users.GiveBack(ctx, key); err != nil {
		return Code{}, err
	}
	if c.Subject != o.UserID || c.SecurityVersion != o.SecurityVersion {
		return Code{}, ErrInvalidCode
	}
	return c, nil
}

// RequestEmailParams ask to move to another address.
type RequestEmailParams struct {
	Owner Owner
	// NewEmail is the address to move to.
	NewEmail string
	// Code was mailed to the present address, for PurposeVerifyEmail, and Flow is
	// what SendCode returned.
	Code, Flow string
}

// RequestEmail uses up the code of the present mailbox and mails one to the new
// address, for this session only: an address is changed by proof of both mailboxes
// (rule R10). The answer and the work are the same where the new address is a
// user's already, who gets no code but is told (rule R7). The caller answers for the owner being fresh (rule R12). It
// refuses to run inside a transaction (rule R8). Errors: ErrInvalidCode,
// ErrTooManyCodes, ErrSameEmail, auth.ErrInvalidEmail, auth.ErrStale,
// auth.ErrInTransaction.
func (s *Service) RequestEmail(ctx context.Context, p RequestEmailParams) error {
	to, err := auth.ParseAddress(p.NewEmail)
	if err != nil {
		return err
	}
	user, err := s.user(ctx, p.Owner)
	if err != nil {
		return err
	}
	if to.Key == user.Email {
		return ErrSameEmail
	}
	c, err := s.right(ctx, PurposeVerifyEmail, CodeParams{Email: user.Email, Code: p.Code, Flow: p.Flow, Client: p.Owner.Client})
	if err != nil {
		return err
	}
	if c.Subject != user.ID || c.SecurityVersion != user.SecurityVersion {
		return ErrInvalidCode
	}
	return s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.Hold(ctx, user.ID); errors.Is(err, auth.ErrUserNotFound) {
			return auth.ErrStale
		} else if err != nil {
			return err
		}
		if err := s.consume(c)(ctx); err != nil {
			return err
		}
		_, _, err := s.store.UserByEmail(ctx, to.Key)
		letter := confirmLetter(to, p.Owner.Client)
		if err == nil {
			letter = auth.EmailTaken(to, p.Owner.Client)
		} else if !errors.Is(err, auth.ErrUserNotFound) {
			return err
		}
		return s.sendToOwner(ctx, p.Owner, user, PurposeNewEmail, letter)
	})
}

// ChangeEmail uses up the code of the new mailbox and lets move give the account
// that address, in one transaction: move must run consume in it, raise the
// security version from that of the owner first, and end the other sessions (rule
// R1). It refuses to run inside a transaction (rule R8). Errors: ErrInvalidCode,
// ErrTooManyCodes, auth.ErrInvalidEmail, auth.ErrStale, auth.ErrInTransaction,
// those of move.
func (s *Service) ChangeEmail(ctx context.Context, o Owner, newEmail, code string,
	move func(ctx context.Context, to auth.Address, consume func(ctx context.Context) error) error,
) error {
	if s.store.InTransaction(ctx) {
		return auth.ErrInTransaction
	}
	to, err := auth.ParseAddress(newEmail)
	if err != nil {
		return err
	}
	if _, err := s.user(ctx, o); err != nil {
		return err
	}
	c, err := s.ownersCode(ctx, o, PurposeNewEmail, to, code)
	if err != nil {
		return err
	}
	err = move(ctx, to, s.consume(c))
	if errors.Is(err, auth.ErrAddressTaken) {
		return ErrInvalidCode // somebody else was faster; that they exist is not told
	}
	return err
}
