package passkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/hook"
)

// BeginStepUp returns the options by which the caller's browser asks for one of
// their own passkeys. They work once, for five minutes, in the caller's session. It
// joins the transaction of ctx. Errors: ErrNoPasskey.
func (s *Service) BeginStepUp(ctx context.Context, c account.Caller) (RequestOptions, error) {
	userID, err := c.Person()
	if err != nil {
		return RequestOptions{}, err
	}
	have, err := s.some(ctx, userID)
	if err != nil {
		return RequestOptions{}, err
	}
	ceremony, err := s.begin(ctx, Ceremony{
		Kind: KindStepUp, Owner: ownerSession(c.Principal.SessionID), UserID: userID,
		SecurityVersion: c.SecurityVersion, UserVerification: !s.cfg.AllowUnverified,
	}, nil)
	if err != nil {
		return RequestOptions{}, err
	}
	return s.rp.requestOptions(ceremony, have), nil
}

// some returns the user's passkeys if there are any.
func (s *Service) some(ctx context.Context, userID string) ([]Passkey, error) {
	have, err := s.store.Passkeys(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("passkey: find passkeys: %w", err)
	}
	if len(have) == 0 {
		return nil, ErrNoPasskey
	}
	return have, nil
}

// StepUp takes the answer to the options and makes the caller's session fresh, with
// a new token. The fifth wrong answer ends the session (rule R12). It refuses to run
// inside a transaction. Errors: ErrCeremonyNotFound, ErrAuthenticationFailed,
// account.ErrSessionEnded, auth.ErrInTransaction.
func (s *Service) StepUp(ctx context.Context, c account.Caller, response []byte) (account.StepUpResult, error) {
	userID, err := c.Person()
	if err != nil {
		return account.StepUpResult{}, err
	}
	if s.store.InTransaction(ctx) {
		return account.StepUpResult{}, auth.ErrInTransaction
	}
	proved, err := s.proveAgain(ctx, c, userID, response)
	if errors.Is(err, ErrAuthenticationFailed) {
		return account.StepUpResult{}, s.fail(ctx, c, err)
	}
	if err != nil {
		return account.StepUpResult{}, err
	}
	result := account.StepUpResult{FreshUntil: proved.use.At.Add(s.cfg.FreshFor)}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// The passkey before the session: so does a deletion.
		if err := s.record(ctx, proved.use); err != nil {
			return err
		}
		if result.Grant, err = s.cfg.Sessions.Elevate(ctx, c.Principal, proved.proof); err != nil {
			return err
		}
		result.Grant.UserID, result.Grant.SecurityVersion = userID, c.SecurityVersion
		facts, _ := proved.proof.Facts()
		return hook.Call(ctx, s.cfg.Auth.Hooks().SteppedUp, auth.SteppedUp{
			UserID: userID, SessionID: c.Principal.SessionID, Channel: facts.Channel, Client: c.Client,
		})
	})
	if errors.Is(err, errCounter) {
		return account.StepUpResult{}, s.fail(ctx, c, s.cloned(ctx, proved))
	}
	if err != nil {
		return account.StepUpResult{}, fmt.Errorf("passkey: step up: %w", err)
	}
	return result, nil
}

// proveAgain verifies that one of the caller's own passkeys answered.
func (s *Service) proveAgain(ctx context.Context, c account.Caller, userID string, response []byte) (Proved, error) {
	answer, err := readAsserted(response)
	if err != nil {
		return Proved{}, ErrAuthenticationFailed.With(err)
	}
	ceremony, err := s.claim(ctx, ownerSession(c.Principal.SessionID), answer.challenge(), KindStepUp)
	if err != nil {
		return Proved{}, err
	}
	if ceremony.UserID != userID || ceremony.SecurityVersion != c.SecurityVersion {
		return Proved{}, ErrCeremonyNotFound
	}
	proved, err := s.prove(ctx, ceremony, answer, c.Client)
	proved.attempt.Client = c.Client
	return proved, err
}

// fail counts a wrong answer against the session and returns what to answer.
func (s *Service) fail(ctx context.Context, c account.Caller, answer error) error {
	ended, err := s.cfg.Sessions.RecordStepUpFailure(ctx, c.Principal)
	switch {
	case err != nil:
		return fmt.Errorf("passkey: record a wrong proof: %w", err)
	case ended:
		return account.ErrSessionEnded
	}
	return answer
}
