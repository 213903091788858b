package account

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/problem"
)

// ChannelMailbox is the channel of a proof by mailed code (rule R11).
const ChannelMailbox = "mailbox"

// StepUpParams prove who the caller is once more: by exactly one of them.
type StepUpParams struct {
	Password string
	// Code is a mailed code, for users who have no password (rule R12).
	Code string
}

// StepUpResult is a session made fresh.
type StepUpResult struct {
	// Grant has the session's new token; the earlier one opens nothing.
	Grant auth.Grant
	// FreshUntil is when what is sensitive needs another proof.
	FreshUntil time.Time
}

// StepUp proves a factor again and makes the caller's session fresh, with a new
// token. The fifth wrong proof ends the session (rule R12). It refuses to run
// inside a transaction.
//
// Errors: ErrProofMissing, ErrCodeUnavailable, auth.ErrInvalidPassword, what Codes
// returns, ErrSessionEnded, auth.ErrTooManyAttempts, auth.ErrInTransaction,
// auth.ErrStale, password.ErrOverloaded.
func (s *Service) StepUp(ctx context.Context, c Caller, p StepUpParams) (StepUpResult, error) {
	userID, err := c.person()
	if err != nil {
		return StepUpResult{}, err
	}
	if s.store.InTransaction(ctx) {
		return StepUpResult{}, auth.ErrInTransaction
	}
	channel, err := s.proveAgain(ctx, c, p)
	if err != nil {
		return StepUpResult{}, err
	}
	at := s.now()
	result := StepUpResult{FreshUntil: at.Add(s.cfg.FreshFor)}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// The proof was given under the session's version, and counts for no other.
		proven := auth.User{ID: userID, SecurityVersion: c.SecurityVersion}
		if result.Grant, err = s.elevate(ctx, c, proven, channel, at); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Auth.Hooks().SteppedUp, auth.SteppedUp{
			UserID: userID, SessionID: c.Principal.SessionID, Channel: channel, Client: c.Client,
		})
	})
	if err != nil {
		return StepUpResult{}, fmt.Errorf("account: step up: %w", err)
	}
	return result, nil
}

// proveAgain checks what was typed and returns the channel that it proves.
func (s *Service) proveAgain(ctx context.Context, c Caller, p StepUpParams) (string, error) {
	switch {
	case (p.Password == "") == (p.Code == ""):
		return "", ErrProofMissing
	case p.Password != "":
		return auth.ChannelPassword, s.prove(ctx, c, p.Password)
	}
	return ChannelMailbox, s.proveByCode(ctx, c, p.Code)
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
	err = s.cfg.Codes.CheckStepUpCode(ctx, c.Principal.UserID, c.Principal.SessionID, code)
	if kind := problem.KindOf(err); err != nil && (kind == problem.Invalid || kind == problem.Unauthenticated) {
		return s.refuse(ctx, c, err)
	}
	return err
}
