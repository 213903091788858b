package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// ChannelMailbox is the channel of a proof by mailed code (rule R11).
const ChannelMailbox = "mailbox"

// StepUpParams prove who the caller is once more: by exactly one of them.
type StepUpParams struct {
	Password string
	// Code is a mailed code, for users who have no password (rule R12).
	Code string
	// TOTPCode is a code of the user's app, and BackupCode a recovery code.
	TOTPCode, BackupCode string
}

// StepUpResult is a session made fresh.
type StepUpResult struct {
	// Grant has the session's new token; the earlier one opens nothing.
	Grant auth.Grant
	// FreshUntil is when what is sensitive needs another proof.
	FreshUntil time.Time
}

// StepUp proves a factor again and makes the caller's session fresh, with a new
// token. Users with a second factor prove that: their password, or a mailed code, is
// refused (rule R12). The fifth wrong proof ends the session. It refuses to run
// inside a transaction.
//
// Errors: ErrProofMissing, ErrCodeUnavailable, principal.ErrSecondFactorRequired,
// auth.ErrInvalidPassword, what Codes and Factors return, ErrSessionEnded,
// auth.ErrTooManyAttempts, auth.ErrInTransaction, auth.ErrStale,
// password.ErrOverloaded.
func (s *Service) StepUp(ctx context.Context, c Caller, p StepUpParams) (StepUpResult, error) {
	userID, err := c.Person()
	if err != nil {
		return StepUpResult{}, err
	}
	if s.store.InTransaction(ctx) {
		return StepUpResult{}, auth.ErrInTransaction
	}
	proof, err := s.proveAgain(ctx, c, p)
	if err != nil {
		return StepUpResult{}, err
	}
	at := s.now()
	result := StepUpResult{FreshUntil: at.Add(s.cfg.FreshFor)}
	var wrong error
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if wrong = s.useFactor(ctx, c, proof); wrong != nil {
			return wrong
		}
		// The proof was given under the session's version, and counts for no other.
		proven := auth.User{ID: userID, SecurityVersion: c.SecurityVersion}
		if result.Grant, err = s.elevate(ctx, c, proven, proof.Channel, at); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Auth.Hooks().SteppedUp, auth.SteppedUp{
			UserID: userID, SessionID: c.Principal.SessionID, Channel: proof.Channel, Client: c.Client,
		})
	})
	if wrong != nil {
		return StepUpResult{}, s.refuseWrong(ctx, c, wrong)
	}
	if err != nil {
		return StepUpResult{}, fmt.Errorf("account: step up: %w", err)
	}
	return result, nil
}

// useFactor uses the code of a second factor up and gives its guess back. It takes
// the user first, as whatever changes the factors does.
func (s *Service) useFactor(ctx context.Context, c Caller, proof FactorProof) error {
	if proof.Use == nil {
		return nil
	}
	user, err := s.store.LockUser(ctx, c.Principal.UserID)
	if errors.Is(err, auth.ErrUserNotFound) || err == nil && user.SecurityVersion != c.SecurityVersion {
		return auth.ErrStale
	}
	if err != nil {
		return fmt.Errorf("account: step up: %w", err)
	}
	if err := proof.Use(ctx); err != nil {
		return err
	}
	return s.cfg.Auth.GiveBack(ctx, proof.Guess)
}

// proveAgain checks what was typed and returns what it proves.
func (s *Service) proveAgain(ctx context.Context, c Caller, p StepUpParams) (FactorProof, error) {
	given := 0
	for _, text := range []string{p.Password, p.Code, p.TOTPCode, p.BackupCode} {
		if text != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return FactorProof{}, ErrProofMissing
	case p.TOTPCode != "" || p.BackupCode != "":
		return s.proveFactor(ctx, c, p)
	case c.Principal.SecondFactor:
		return FactorProof{}, principal.ErrSecondFactorRequired
	case p.Password != "":
		return FactorProof{Channel: auth.ChannelPassword}, s.prove(ctx, c, p.Password)
	}
	return FactorProof{Channel: ChannelMailbox}, s.proveByCode(ctx, c, p.Code)
}

// proveFactor checks a code of a second factor.
func (s *Service) proveFactor(ctx context.Context, c Caller, p StepUpParams) (proof FactorProof, err error) {
	switch {
	case s.cfg.Factors == nil:
		return FactorProof{}, ErrCodeUnavailable
	case p.TOTPCode != "":
		proof, err = s.cfg.Factors.CheckTOTP(ctx, c.Principal.UserID, p.TOTPCode)
	default:
		proof, err = s.cfg.Factors.CheckRecovery(ctx, c.Principal.UserID, p.BackupCode)
	}
	return proof, s.refuseWrong(ctx, c, err)
}

// refuseWrong counts a proof that was wrong, and nothing else, against the session.
func (s *Service) refuseWrong(ctx context.Context, c Caller, err error) error {
	if kind := problem.KindOf(err); err != nil && (kind == problem.Invalid || kind == problem.Unauthenticated) {
		return s.refuse(ctx, c, err)
	}
	return err
}

// proveByCode takes a mailed code from users who have no password: for the others
// it would be a way around it.
func (s *Service) proveByCode(ctx context.Context, c Caller, code string) error {
	if s.cfg.Codes == nil {
		return ErrCodeUnavailable
	}
	at, err := s.store.PasswordSetAt(ctx, c.Principal.UserID)
	if err != nil {
		return fmt.Errorf("account: find the password: %w", err)
	}
	if !at.IsZero() {
		return ErrCodeUnavailable
	}
	return s.refuseWrong(ctx, c, s.cfg.Codes.CheckStepUpCode(ctx, c.Principal.UserID, c.Principal.SessionID, code))
}
