package twofactor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/problem"
)

// Guesses at codes of apps: twenty a day each. Whoever knows the password comes as far
// as the second step, so that guesses there, in known devices and in sessions are
// counted apart: strangers use up nobody's but their own (rule R9).
const (
	factorTOTP    = "totp"
	factorPending = "totp-pending"
	ofDevice      = "-device"
	ofSession     = "-session"
)

func codePace() auth.Pace { return auth.Pace{Cap: 20, Window: 24 * time.Hour} }

// guesser is who guesses at somebody's factors.
type guesser struct {
	of            string // ofDevice, ofSession, or empty for strangers
	app, recovery string // whose guesses at each factor are counted together
}

func inSession(userID string) guesser { return guesser{ofSession, userID, userID} }

// guesser returns who guesses in a second step.
func (s *Service) guesser(ctx context.Context, c auth.Challenge, device string) (guesser, error) {
	known, err := s.cfg.Auth.KnownDevice(ctx, device)
	switch {
	case err == nil && known.UserID == c.UserID:
		account := c.UserID + "\x00" + known.ID
		return guesser{ofDevice, account, account}, nil
	case err != nil && !errors.Is(err, auth.ErrDeviceNotFound):
		return guesser{}, err
	}
	// Recovery codes are not guessed at with success, only kept from their owner: with
	// another password, which strangers do not know, they are free again.
	return guesser{"", c.UserID, c.UserID + "\x00" + strconv.FormatInt(c.SecurityVersion, 10)}, nil
}

func (s *Service) charge(ctx context.Context, factor, account string) (auth.GuessKey, error) {
	key, err := s.cfg.Auth.Charge(ctx, factor, account, codePace())
	if refused, ok := errors.AsType[*problem.Error](err); ok && errors.Is(err, auth.ErrTooManyAttempts) {
		return auth.GuessKey{}, ErrFactorLocked.WithRetryAfter(refused.RetryAfter)
	}
	return key, err
}

// CheckTOTP implements account.SecondFactors: it charges a guess and checks a code of
// the user's app. What it returns uses the step up, in the transaction of what the
// code permits. Errors: ErrNotEnrolled, ErrInvalidCode, ErrFactorLocked,
// auth.ErrInTransaction, totp.ErrFIPS.
func (s *Service) CheckTOTP(ctx context.Context, userID, code string) (account.FactorProof, error) {
	return s.checkTOTP(ctx, inSession(userID), userID, code)
}

func (s *Service) checkTOTP(ctx context.Context, g guesser, userID, code string) (account.FactorProof, error) {
	e, err := s.store.EnrolmentOf(ctx, userID, true)
	if err != nil {
		return account.FactorProof{}, fmt.Errorf("twofactor: find the app: %w", err)
	}
	guess, err := s.charge(ctx, factorTOTP+g.of, g.app)
	if err != nil {
		return account.FactorProof{}, err
	}
	step, err := s.match(ctx, e, code)
	if err != nil {
		return account.FactorProof{}, err
	}
	return account.FactorProof{Channel: auth.ChannelTOTP, Guess: guess, Use: func(ctx context.Context) error {
		accepted, err := s.store.AcceptStep(ctx, userID, e.ID, step)
		if err != nil {
			return fmt.Errorf("twofactor: accept a step: %w", err)
		}
		if !accepted {
			return ErrInvalidCode
		}
		return nil
	}}, nil
}

// match returns the step of a code.
func (s *Service) match(ctx context.Context, e Enrolment, code string) (int64, error) {
	scheme, secret, err := s.open(ctx, e)
	if err != nil {
		return 0, err
	}
	step, ok := scheme.Match(secret, code, s.now())
	if !ok {
		return 0, ErrInvalidCode
	}
	return step, nil
}

// MeetParams are the second step of a sign-in.
type MeetParams struct {
	// Method is auth.MethodTOTP, auth.MethodRecovery or auth.MethodMailCode.
	Method string
	Code   string
	// TrustDevice asks that the browser may skip this step from now on.
	TrustDevice bool
	// Device is the cookie of a known device, if the browser has one: see
	// auth.Handler.Device.
	Device string
	Client auth.Client
}

// Met is a sign-in that is complete.
type Met struct {
	User    auth.User
	Outcome auth.Outcome
}

// Meet completes a sign-in by a code. The code is counted against the challenge and
// the factor before it is looked at (rule R8); the code, the challenge and the door
// are one transaction. It refuses to run inside one.
//
// Errors: auth.ErrNoChallenge, also once five codes were wrong, ErrInvalidCode,
// ErrInvalidRecoveryCode, ErrNotEnrolled, ErrNoRecoveryCodes, ErrMailCodeNotOffered,
// ErrFactorLocked, auth.ErrTooManyAttempts, auth.ErrNotAdmitted,
// auth.ErrInTransaction.
func (s *Service) Meet(ctx context.Context, c auth.Challenge, p MeetParams) (Met, error) {
	if err := s.cfg.Auth.TryChallenge(ctx, c); err != nil {
		return Met{}, err
	}
	proof, err := s.check(ctx, c, p)
	if err != nil {
		return Met{}, s.failed(ctx, c, p, err)
	}
	at := s.now()
	var met Met
	var wrong error
	err = s.store.InTx(ctx, func(ctx context.Context) (err error) {
		// The user first, as every change does that could wait for this one.
		if err := s.lock(ctx, c.UserID, c.SecurityVersion); err != nil {
			return err
		}
		if wrong = proof.Use(ctx); wrong != nil {
			return wrong
		}
		met.User, met.Outcome, err = s.cfg.Auth.MeetChallenge(ctx, c, door.NewProof(door.Proven{
			UserID: c.UserID, SecurityVersion: c.SecurityVersion, Channel: proof.Channel, At: at,
		}), auth.MeetParams{Guess: proof.Guess, TrustDevice: p.TrustDevice, Client: p.Client})
		return err
	})
	if wrong != nil {
		return Met{}, s.failed(ctx, c, p, wrong)
	}
	if errors.Is(err, auth.ErrStale) {
		return Met{}, auth.ErrNoChallenge
	}
	if err != nil {
		return Met{}, fmt.Errorf("twofactor: meet a challenge: %w", err)
	}
	return met, nil
}

// check charges and checks the code of a second step.
func (s *Service) check(ctx context.Context, c auth.Challenge, p MeetParams) (account.FactorProof, error) {
	if p.Method == auth.MethodTOTP || p.Method == auth.MethodRecovery {
		g, err := s.guesser(ctx, c, p.Device)
		switch {
		case err != nil:
			return account.FactorProof{}, err
		case p.Method == auth.MethodTOTP:
			return s.checkTOTP(ctx, g, c.UserID, p.Code)
		}
		return s.checkRecovery(ctx, g, c.UserID, p.Code)
	}
	if err := s.offersMail(ctx, c); err != nil {
		return account.FactorProof{}, err
	}
	use, err := s.cfg.Codes.CheckSecondStep(ctx, c, p.Code, p.Client)
	return account.FactorProof{Channel: auth.ChannelMailbox, Use: use}, err
}

// failed leaves the trace of a wrong code and returns its answer.
func (s *Service) failed(ctx context.Context, c auth.Challenge, p MeetParams, answer error) error {
	kind := problem.KindOf(answer)
	if kind != problem.Unauthenticated && kind != problem.Invalid || p.Method == auth.MethodMailCode { // whose own package leaves it
		return answer
	}
	err := s.cfg.Auth.Failed(ctx, auth.SignInFailed{UserID: c.UserID, Factor: p.Method, Client: p.Client})
	if err != nil {
		return err
	}
	return answer
}

// SendCode mails a code that continues the sign-in, within the budgets of rule R6,
// where that is offered. It joins the transaction of ctx. Errors: ErrMailCodesOff,
// ErrMailCodeNotOffered.
func (s *Service) SendCode(ctx context.Context, c auth.Challenge, client auth.Client) error {
	if err := s.offersMail(ctx, c); err != nil {
		return err
	}
	return s.cfg.Codes.SendSecondStep(ctx, c, client)
}

// offersMail reports whether a mailed code is one of the ways to go on.
func (s *Service) offersMail(ctx context.Context, c auth.Challenge) error {
	if !s.cfg.Policy.MailCodes {
		return ErrMailCodesOff
	}
	factors, err := s.Factors(ctx, c.UserID)
	if err != nil {
		return err
	}
	if !factors.MailCode || slices.Contains(c.Channels, auth.ChannelMailbox) {
		return ErrMailCodeNotOffered
	}
	return nil
}

// VerifyInSession takes a code of an app from a signed-in user: the first one of the
// enrolment that this session waits for, which turns the factor on, or one that makes
// the session fresh (rule R12). The session has a new token then. It refuses to run
// inside a transaction. Errors: ErrNotEnrolled, ErrInvalidCode, ErrFactorLocked,
// account.ErrSessionEnded, auth.ErrStale, auth.ErrInTransaction.
func (s *Service) VerifyInSession(ctx context.Context, c account.Caller, code string) (auth.User, auth.Grant, error) {
	if _, err := c.Person(); err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	if s.store.InTransaction(ctx) {
		return auth.User{}, auth.Grant{}, auth.ErrInTransaction
	}
	e, err := s.pending(ctx, c)
	if errors.Is(err, ErrNotEnrolled) {
		return s.stepUp(ctx, c, account.StepUpParams{TOTPCode: code})
	}
	if err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	guess, err := s.charge(ctx, factorPending, c.Principal.UserID)
	if err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	step, err := s.match(ctx, e, code)
	if errors.Is(err, ErrInvalidCode) && c.Principal.SecondFactor {
		return s.stepUp(ctx, c, account.StepUpParams{TOTPCode: code}) // of the app that is being replaced
	}
	if err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	return s.confirm(ctx, c, e, step, guess)
}

// RecoverInSession makes a session fresh by a recovery code, as VerifyInSession does
// by a code of an app.
func (s *Service) RecoverInSession(ctx context.Context, c account.Caller, code string) (auth.User, auth.Grant, error) {
	if c.Principal != nil && !c.Principal.SecondFactor {
		return auth.User{}, auth.Grant{}, ErrNoRecoveryCodes
	}
	return s.stepUp(ctx, c, account.StepUpParams{BackupCode: code})
}

func (s *Service) stepUp(ctx context.Context, c account.Caller, p account.StepUpParams) (auth.User, auth.Grant, error) {
	if c.Principal != nil && !c.Principal.SecondFactor {
		return auth.User{}, auth.Grant{}, ErrNotEnrolled
	}
	result, err := s.cfg.Account.StepUp(ctx, c, p)
	if err != nil {
		return auth.User{}, auth.Grant{}, err
	}
	user, err := s.store.UserByID(ctx, c.Principal.UserID)
	if err != nil {
		return auth.User{}, auth.Grant{}, fmt.Errorf("twofactor: find the user: %w", err)
	}
	return user, result.Grant, nil
}
