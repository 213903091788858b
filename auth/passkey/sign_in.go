package passkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/token"
)

// factorPasskey names the factor in auth.SignInFailed.
const factorPasskey = "passkey"

// BeginSignIn returns the options by which a browser asks for any passkey of the
// site: who signs in, the passkey alone says, whoever is signed in already. browser
// is the token that the browser, or the bearer client, has from an earlier call, if
// it is one; what is returned is what it must come back with. The options work once,
// for five minutes. It joins the transaction of ctx.
func (s *Service) BeginSignIn(ctx context.Context, browser string, bearer bool) (RequestOptions, token.Secret, error) {
	holder, err := s.browser(browser)
	if err != nil {
		return RequestOptions{}, token.Secret{}, err
	}
	// A passkey that does not verify its user is a second factor (rule R11): alone it
	// would let in whoever found it.
	ceremony, err := s.begin(ctx, Ceremony{
		Kind: KindSignIn, Owner: ownerOf(holder.Secret().Reveal()), UserVerification: true, Bearer: bearer,
	}, nil)
	if err != nil {
		return RequestOptions{}, token.Secret{}, err
	}
	return s.rp.requestOptions(ceremony, nil), holder.Secret(), nil
}

// BeginSecondStep returns the options by which a browser, or a bearer client, asks
// for a passkey of the user whose sign-in waits for a second factor. The rest is as
// in BeginSignIn. Errors: ErrNoPasskey.
func (s *Service) BeginSecondStep(ctx context.Context, browser string, c auth.Challenge) (RequestOptions, token.Secret, error) {
	have, err := s.some(ctx, c.UserID)
	if err != nil {
		return RequestOptions{}, token.Secret{}, err
	}
	holder, err := s.browser(browser)
	if err != nil {
		return RequestOptions{}, token.Secret{}, err
	}
	ceremony, err := s.begin(ctx, Ceremony{
		Kind: KindSecondStep, Owner: ownerOf(holder.Secret().Reveal()), UserID: c.UserID, SecurityVersion: c.SecurityVersion,
		UserVerification: !s.cfg.AllowUnverified, Bearer: c.Bearer,
	}, nil)
	if err != nil {
		return RequestOptions{}, token.Secret{}, err
	}
	return s.rp.requestOptions(ceremony, have), holder.Secret(), nil
}

// Answer is what came back from an authenticator.
type Answer struct {
	// Browser is the token that the options were made for.
	Browser string
	// Response is the credential in the JSON form of WebAuthn §5.1.
	Response []byte
	// Attempt is what the client asked for. Its Bearer must be that of the options.
	Attempt auth.AttemptParams
	// Challenge is the sign-in that the client continues, or nil. It counts where the
	// options were those of a second step.
	Challenge *auth.Challenge
	// TrustDevice asks, in a second step, that the browser may skip it from now on.
	TrustDevice bool
}

// Proved is a passkey that was proven, and not yet let in.
type Proved struct {
	passkey   Passkey
	user      auth.User
	proof     door.Proof
	use       Use
	attempt   auth.AttemptParams
	challenge *auth.Challenge // to meet; nil for a first factor
	trust     bool            // the browser, from now on
}

// User returns whose passkey it is.
func (p Proved) User() auth.User { return p.user }

// Result is a sign-in.
type Result struct {
	User    auth.User
	Outcome auth.Outcome
}

// SignIn proves a passkey and completes the attempt. Of any number of calls with one
// answer, one succeeds. It refuses to run inside a transaction; to join one, call
// [Service.Prove] before it and [Service.Enter] in it. Errors: those of both.
func (s *Service) SignIn(ctx context.Context, a Answer) (Result, error) {
	proved, err := s.Prove(ctx, a)
	if err != nil {
		return Result{}, err
	}
	result, err := s.Enter(ctx, proved)
	if errors.Is(err, errCounter) {
		return Result{}, s.cloned(ctx, proved)
	}
	return result, err
}

// Prove uses the options up, whatever comes of it, and verifies the answer to them.
// An answer to the options of a second step is charged to the sign-in that waits for
// it, before it is checked (rule R8). It refuses to run inside a transaction: a refusal
// leaves a trace. Errors: ErrCeremonyNotFound, ErrAuthenticationFailed for whatever is
// wrong with the passkey, its counter included, auth.ErrNoChallenge,
// auth.ErrInTransaction.
func (s *Service) Prove(ctx context.Context, a Answer) (Proved, error) {
	if s.store.InTransaction(ctx) {
		return Proved{}, auth.ErrInTransaction
	}
	answer, err := readAsserted(a.Response)
	if err != nil {
		return Proved{}, ErrAuthenticationFailed.With(err)
	}
	ceremony, err := s.claim(ctx, ownerOf(a.Browser), answer.challenge(), KindSignIn, KindSecondStep)
	if err != nil {
		return Proved{}, err
	}
	if ceremony.Kind == KindSignIn {
		a.Challenge = nil
	}
	if err := s.continues(ctx, ceremony, a); err != nil {
		return Proved{}, err
	}
	proved, err := s.prove(ctx, ceremony, answer, a.Attempt.Client)
	proved.attempt, proved.challenge, proved.trust = a.Attempt, a.Challenge, a.TrustDevice
	return proved, err
}

// continues charges an answer to the sign-in that waits for it.
func (s *Service) continues(ctx context.Context, c Ceremony, a Answer) error {
	switch {
	case c.Kind == KindSignIn && c.Bearer == a.Attempt.Bearer:
		return nil
	case c.Kind == KindSignIn:
		return ErrCeremonyNotFound
	case a.Challenge == nil || a.Challenge.UserID != c.UserID || a.Challenge.SecurityVersion != c.SecurityVersion || a.Challenge.Bearer != c.Bearer:
		return auth.ErrNoChallenge
	}
	return s.cfg.Auth.TryChallenge(ctx, *a.Challenge)
}

// prove verifies an answer to a ceremony that was claimed.
func (s *Service) prove(ctx context.Context, c Ceremony, answer asserted, client auth.Client) (Proved, error) {
	p, handle, err := s.store.ByCredential(ctx, answer.credentialID())
	if errors.Is(err, ErrNotFound) || err == nil && c.UserID != "" && c.UserID != p.UserID {
		return Proved{}, s.refuse(ctx, "", client, errors.New("passkey: unknown, or somebody else's"))
	}
	if err != nil {
		return Proved{}, fmt.Errorf("passkey: find a passkey: %w", err)
	}
	// Before the proof is judged: what it is good for is decided by the version that
	// the account has now (rule R1).
	user, err := s.cfg.Users.UserByID(ctx, p.UserID)
	if err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return Proved{}, fmt.Errorf("passkey: find the user: %w", err)
	}
	if err != nil || !user.EmailVerified {
		return Proved{}, s.refuse(ctx, "", client, errors.New("passkey: its user may not sign in"))
	}
	if c.Kind == KindSignIn && !p.UserVerified {
		return Proved{}, s.refuse(ctx, p.UserID, client, errors.New("passkey: a second factor only"))
	}
	if err := s.rp.check(c, p, handle, answer); err != nil {
		return Proved{}, s.refuse(ctx, p.UserID, client, err)
	}
	// Whoever finds a key without a PIN can give it one: that a key verifies a user
	// counts only if it did so when it was registered (WebAuthn level 3, 7.2).
	verified := c.UserVerification && p.UserVerified && answer.userVerified()
	now := s.now()
	proved := Proved{
		passkey: p, user: user,
		use: Use{ID: p.ID, UserID: p.UserID, SignCount: answer.counter(), BackupState: answer.backupState(), At: now},
		proof: door.NewProof(door.Proven{
			UserID: user.ID, SecurityVersion: user.SecurityVersion,
			Channel: door.PasskeyChannel(p.ID, verified), At: now,
		}),
	}
	if !counts(p.SignCount, answer.counter()) {
		return Proved{}, s.cloned(ctx, Proved{passkey: p, use: proved.use, attempt: auth.AttemptParams{Client: client}})
	}
	return proved, nil
}

// counts reports whether an authenticator that counted to next can be the one that
// counted to last (WebAuthn §6.1.1).
func counts(last, next uint32) bool { return next > last || next == 0 && last == 0 }

// errCounter means that the counter was overtaken between proof and door, or that
// the passkey is gone.
var errCounter = errors.New("passkey: the counter is not above the stored one")

// Enter lets whoever proved a passkey in: it goes through the door and records the
// use, in one transaction, which joins that of ctx. Errors: ErrAuthenticationFailed
// if the account changed since, if the passkey was deleted, or if another sign-in
// counted as far; auth.ErrNoChallenge if the sign-in that it continues was overtaken.
func (s *Service) Enter(ctx context.Context, p Proved) (result Result, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if result, err = s.door(ctx, p); err != nil {
			return err
		}
		// The user before the passkey: a deletion of either locks in that order.
		return s.record(ctx, p.use)
	})
	if errors.Is(err, auth.ErrNotAdmitted) || errors.Is(err, errCounter) {
		return Result{}, ErrAuthenticationFailed.With(err)
	}
	if err != nil {
		return Result{}, fmt.Errorf("passkey: sign in: %w", err)
	}
	return result, nil
}

// door takes a proof to the door: as a first factor, or as the second one that a
// sign-in waits for.
func (s *Service) door(ctx context.Context, p Proved) (r Result, err error) {
	if p.challenge != nil {
		r.User, r.Outcome, err = s.cfg.Auth.MeetChallenge(ctx, *p.challenge, p.proof, auth.MeetParams{TrustDevice: p.trust, Client: p.attempt.Client})
		return r, err
	}
	attempt, err := s.cfg.Auth.Attempt(ctx, p.proof, p.attempt)
	if err != nil {
		return Result{}, err
	}
	r.User = attempt.User()
	r.Outcome, err = s.cfg.Auth.Complete(ctx, attempt)
	return r, err
}

// record remembers a use whose counter is above the stored one.
func (s *Service) record(ctx context.Context, u Use) error {
	used, err := s.store.Use(ctx, u)
	if err == nil && !used {
		err = errCounter
	}
	return err
}

// refuse leaves the trace of a failure and returns the one answer to it (rule R7).
func (s *Service) refuse(ctx context.Context, userID string, client auth.Client, cause error) error {
	if err := s.cfg.Auth.Failed(ctx, auth.SignInFailed{UserID: userID, Factor: factorPasskey, Client: client}); err != nil {
		return err
	}
	return ErrAuthenticationFailed.With(cause)
}

// cloned leaves the trace of a key that is in two authenticators, and refuses. What
// looked like one may have been a passkey that was deleted meanwhile.
func (s *Service) cloned(ctx context.Context, p Proved) error {
	stored, _, err := s.store.ByCredential(ctx, p.passkey.CredentialID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("passkey: find a passkey: %w", err)
	}
	if err == nil && stored.ID == p.passkey.ID && !counts(stored.SignCount, p.use.SignCount) {
		err = s.store.InTx(ctx, func(ctx context.Context) error {
			return hook.Call(ctx, s.cfg.Hooks.PasskeyCloned, Cloned{Passkey: stored, Counter: p.use.SignCount, Client: p.attempt.Client})
		})
		if err != nil {
			return fmt.Errorf("passkey: record a clone: %w", err)
		}
	}
	return s.refuse(ctx, p.passkey.UserID, p.attempt.Client, errCounter)
}
