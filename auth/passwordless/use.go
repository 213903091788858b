package passwordless

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// CodeParams carry a code and the flow that asked for it.
type CodeParams struct {
	Email string
	Code  string
	// Flow is what SendCode returned.
	Flow   string
	Client auth.Client
}

// factorMailbox is what hooks hear of a wrong code.
const factorMailbox = "mailbox"

// guess checks a code that was asked for in a flow, and is for purpose.
func (s *Service) guess(ctx context.Context, purpose Purpose, p CodeParams) (Code, auth.GuessKey, error) {
	if s.store.InTransaction(ctx) {
		return Code{}, auth.GuessKey{}, auth.ErrInTransaction
	}
	address, err := auth.ParseAddress(p.Email)
	if err != nil {
		return Code{}, auth.GuessKey{}, err
	}
	flow, err := token.Parse(token.KindFlow, p.Flow)
	if err != nil || !s.offers(purpose) {
		return Code{}, auth.GuessKey{}, ErrInvalidCode
	}
	return s.guessIn(ctx, hashFlow(flow), purpose, address, p)
}

// guessIn checks a code of a flow. It charges the guess to the address and to the
// code before it compares, each by a statement that commits alone (rules R8, R10).
// What asks nothing of a code, because the flow never asked for one, costs nobody a
// guess.
func (s *Service) guessIn(ctx context.Context, flow []byte, purpose Purpose, address auth.Address, p CodeParams) (Code, auth.GuessKey, error) {
	none := func(err error) (Code, auth.GuessKey, error) { return Code{}, auth.GuessKey{}, err }
	typed, ok := cleanCode(p.Code)
	if !ok {
		return none(ErrInvalidCode)
	}
	c, err := s.store.FindCode(ctx, flow, purpose, address.Key)
	if errors.Is(err, token.ErrNotFound) || err == nil && s.now().Sub(c.AskedAt) >= flowLife {
		return none(ErrInvalidCode)
	}
	if err != nil {
		return none(fmt.Errorf("passwordless: find a code: %w", err))
	}
	key, err := s.charge(ctx, address)
	if err != nil {
		return none(err)
	}
	fits, err := s.compare(ctx, c, typed)
	if err == nil && !fits {
		err = s.failed(ctx, c, p.Client)
	}
	if err != nil {
		return none(err)
	}
	return c, key, nil
}

// failed leaves the trace of a wrong code and returns the one answer to it.
func (s *Service) failed(ctx context.Context, c Code, client auth.Client) error {
	failed := auth.SignInFailed{Factor: factorMailbox, Client: client}
	if c.SecurityVersion > 0 {
		failed.UserID = c.Subject
	}
	if err := s.cfg.Users.Failed(ctx, failed); err != nil {
		return err
	}
	return ErrInvalidCode
}

// charge counts a guess at the codes of an address.
func (s *Service) charge(ctx context.Context, address auth.Address) (auth.GuessKey, error) {
	key, err := s.cfg.Users.ChargeCode(ctx, address)
	if refused, ok := errors.AsType[*problem.Error](err); ok && errors.Is(err, auth.ErrTooManyAttempts) {
		return key, ErrTooManyCodes.WithRetryAfter(refused.RetryAfter)
	}
	return key, err
}

// compare spends one try of the code, and compares if there was one left.
func (s *Service) compare(ctx context.Context, c Code, typed string) (bool, error) {
	alive, err := s.store.TryCode(ctx, c.ID, maxTries, s.now())
	if err != nil {
		return false, fmt.Errorf("passwordless: try a code: %w", err)
	}
	fits, err := s.fits(ctx, c, typed)
	return fits && alive, err
}

// Check reports whether a code works, and leaves it. It is a guess like any other.
// It refuses to run inside a transaction. Errors: ErrInvalidCode, ErrTooManyCodes,
// ErrPurpose, auth.ErrInvalidEmail, auth.ErrInTransaction.
func (s *Service) Check(ctx context.Context, purpose Purpose, p CodeParams) error {
	if !s.offers(purpose) {
		return ErrPurpose
	}
	_, err := s.right(ctx, purpose, p)
	return err
}

// right is guess for what is not a sign-in, whose door gives the guess back.
func (s *Service) right(ctx context.Context, purpose Purpose, p CodeParams) (Code, error) {
	c, key, err := s.guess(ctx, purpose, p)
	if err != nil {
		return Code{}, err
	}
	return c, s.cfg.Users.GiveBack(ctx, key)
}

// consume returns what uses the code up, inside a transaction.
func (s *Service) consume(c Code) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		won, err := s.store.ConsumeCode(ctx, c.ID, s.now())
		if err == nil && !won {
			return ErrInvalidCode
		}
		return err
	}
}

// SignInParams carry a code that lets in.
type SignInParams struct {
	CodeParams
	// Name and Image describe the user, if the address was nobody's. Name defaults to
	// the local part of the address.
	Name, Image string
	// Attempt says what session is asked for. Its Client and Guess are set by SignIn.
	Attempt auth.AttemptParams
}

// SignIn uses a code up and lets in; a new user is made in the same transaction.
// It refuses to run inside one (rule R8). Errors: ErrInvalidCode, also where the
// user may not come in, ErrTooManyCodes, auth.ErrInvalidEmail, auth.ErrInvalidName,
// auth.ErrInvalidImage, auth.ErrInTransaction, what auth.Hooks.BeforeSignUp returns.
func (s *Service) SignIn(ctx context.Context, p SignInParams) (Result, error) {
	c, key, err := s.guess(ctx, PurposeSignIn, p.CodeParams)
	if err != nil {
		return Result{}, err
	}
	p.Attempt.Client, p.Attempt.Guess = p.Client, key
	result, err := s.enter(ctx, claim{
		userID: c.Subject, version: c.SecurityVersion, profile: auth.NewUser{Email: p.Email, Name: p.Name, Image: p.Image},
	}, p.Attempt, s.consume(c))
	if errors.Is(err, errGone) {
		return Result{}, ErrInvalidCode
	}
	return result, err
}

// VerifyEmailParams carry a code that proves an address.
type VerifyEmailParams struct {
	CodeParams
	// Browser is the token that sign-up left in the browser: only there a code keeps
	// what was typed (rule R5).
	Browser string
}

// VerifyEmail uses a code up that proves an address: of a sign-up, which becomes a
// user, or of a user, who loses what an unproven account had. It refuses to run
// inside a transaction (rule R8). It signs nobody in. Errors: ErrInvalidCode,
// ErrTooManyCodes, auth.ErrSignUpProofRequired, auth.ErrInvalidEmail,
// auth.ErrInTransaction.
func (s *Service) VerifyEmail(ctx context.Context, p VerifyEmailParams) (auth.User, error) {
	c, err := s.right(ctx, PurposeVerifyEmail, p.CodeParams)
	if err != nil {
		return auth.User{}, err
	}
	var user auth.User
	if c.SecurityVersion == 0 {
		user, err = s.cfg.Users.ProveSignUp(ctx, c.Subject, p.Browser, p.Client, s.consume(c))
	} else {
		user, err = s.confirm(ctx, c, p.Client)
	}
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, errGone) {
		return auth.User{}, ErrInvalidCode
	}
	return user, err
}

// confirm uses the code of a user up.
func (s *Service) confirm(ctx context.Context, c Code, client auth.Client) (user auth.User, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.Hold(ctx, c.Subject); err != nil {
			return err
		}
		if err := s.consume(c)(ctx); err != nil {
			return err
		}
		user, err = s.owner(ctx, claim{userID: c.Subject, version: c.SecurityVersion, profile: auth.NewUser{Client: client}})
		return err
	})
	if errors.Is(err, auth.ErrUserNotFound) || errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrAddressTaken) {
		return auth.User{}, errGone
	}
	if err != nil {
		return auth.User{}, fmt.Errorf("passwordless: prove an address: %w", err)
	}
	return user, nil
}

// ResetPassword uses a code up that sets a new password, where Policy.ResetByCode
// allows it, as recovery does with a link. It refuses to run inside a transaction
// (rule R8) and signs nobody in. A password that is refused costs a try and leaves
// the code. Errors: ErrInvalidCode, ErrTooManyCodes, those of
// auth.Service.NewPassword, auth.ErrInvalidEmail, auth.ErrInTransaction.
func (s *Service) ResetPassword(ctx context.Context, p CodeParams, newPassword string) error {
	c, err := s.right(ctx, PurposeReset, p)
	if err != nil {
		return err
	}
	err = s.cfg.Users.ResetPassword(ctx, auth.Reset{
		UserID: c.Subject, From: c.SecurityVersion, NewPassword: newPassword, Consume: s.consume(c), Client: p.Client,
	})
	if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrUserNotFound) {
		return ErrInvalidCode
	}
	return err
}
