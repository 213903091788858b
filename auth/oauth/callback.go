package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// CallbackParams are what a browser brought back from a provider, and what it has.
type CallbackParams struct {
	// Provider is the one that the browser says it comes from: that of the path.
	Provider string
	// State, Code, Error, Issuer and User are the parameters state, code, error, iss and
	// user.
	State       string
	Code        token.Secret
	Error       string
	Issuer      string
	User        string
	Browser     string // as in BeginParams
	SignUp      string // the token that an earlier sign-up left in the browser
	TrustDevice string // the cookie of a trusted device, see auth.Handler.TrustedDevice
	// Caller returns who is signed in, for flows that began in a session.
	Caller func() (account.Caller, error)
	Client auth.Client
}

// Result is what a flow came to. Exactly one of Outcome, Handoff, SignUp, Linked and StepUp
// is set.
type Result struct {
	// User is whose account it is.
	User auth.User
	// New says that the user was made by it.
	New bool
	// Outcome is the answer of the door.
	Outcome auth.Outcome
	// Handoff is the code for a bearer client, which goes to CallbackURL.
	Handoff     token.Secret
	CallbackURL string
	// SignUp waits for its address to be proven: the provider's word is no proof. It is
	// the same for addresses that are free and for those taken (rules R4, R7).
	SignUp *auth.SignUpResult
	// Linked says that the account is the caller's now.
	Linked bool
	// StepUp is the caller's session, made fresh, with a new token.
	StepUp account.StepUpResult
	// Email is where SignUp's mail goes, as the provider told it.
	Email string
	// ErrorCallbackURL is where a failure is told, if the flow named a place. It is set
	// beside an error, too.
	ErrorCallbackURL string
}

// arrival is somebody whom a provider vouches for.
type arrival struct {
	from     configured
	identity provider.Identity
	tokens   provider.Tokens // zero where an app brought an ID token
	scopes   []string        // that were asked for
	at       time.Time
	attempt  auth.AttemptParams
	signUp   string // the browser's token of sign-ups
	// challenge is that of a bearer flow through a browser, which ends in a code.
	challenge          string
	newUserCallbackURL string
	// use uses up what was brought, in the transaction that finishes. nil for flows,
	// whose state was used up before the provider was asked.
	use func(ctx context.Context) error
}

func (a arrival) id() Identity {
	return Identity{Issuer: a.identity.Issuer, Subject: a.identity.Subject}
}

// Callback judges what a browser brought back from a provider, and finishes what it went
// there for. What belongs to another browser, another provider's path or another session
// is refused and uses nothing up; everything else uses the state up before the provider is
// asked, which happens outside of transactions. One transaction finishes: see the package
// comment for whose account it is.
//
// It refuses to run inside a transaction. Whatever is not accepted is told to
// Hooks.SignInRefused. Errors: ErrState; those of provider.Client.Exchange and
// provider.Identity.Mailbox; for a sign-in ErrNotAdmitted, ErrLinkFirst,
// ErrSignUpDisabled, ErrTooMany, auth.ErrInvalidEmail, and those of hooks; for a link
// ErrSessionChanged, ErrLinkedElsewhere, ErrTooMany, principal.ErrSecondFactorRequired; for
// a step-up ErrSessionChanged, ErrNotReauthenticated, ErrOtherAccount, ErrNoStepUp,
// account.ErrSessionEnded; auth.ErrInTransaction.
func (s *Service) Callback(ctx context.Context, p CallbackParams) (Result, error) {
	if s.store.InTransaction(ctx) {
		return Result{}, auth.ErrInTransaction
	}
	refused := Refused{Provider: p.Provider, Client: p.Client}
	from, err := s.provider(p.Provider)
	if err != nil {
		return Result{}, err
	}
	if isHandoff(p.Code) {
		return Result{}, s.refuse(ctx, refused, ErrState.With(errors.New("the code is one of ours")))
	}
	f, err := s.findFlow(ctx, p.State, p.Provider, p.Browser)
	if err != nil {
		return Result{}, s.refuse(ctx, refused, err)
	}
	refused.Purpose, refused.UserID = string(f.Purpose), f.UserID
	result, err := s.comeBack(ctx, from, f, p)
	result.ErrorCallbackURL = f.ErrorCallbackURL
	if err != nil {
		return result, s.refuse(ctx, refused, err)
	}
	return result, nil
}

// comeBack asks the provider, and finishes.
func (s *Service) comeBack(ctx context.Context, from configured, f flow, p CallbackParams) (Result, error) {
	secrets, err := s.secretsOf(ctx, f, p.State)
	if err != nil {
		return Result{}, err
	}
	caller, err := s.permit(f, p)
	if err != nil {
		return Result{}, err
	}
	if err := s.useFlow(ctx, p.State); err != nil {
		return Result{}, err
	}
	proved, err := from.Exchange(ctx, provider.Callback{
		Code: p.Code, Error: p.Error, Issuer: p.Issuer, User: p.User,
		Verifier: secrets.verifier, Nonce: secrets.nonce, RedirectURI: f.RedirectURI,
	})
	if err != nil {
		return Result{}, s.unfinished(ctx, f, caller, fmt.Errorf("oauth: callback: %w", err))
	}
	result, err := s.finish(ctx, f, caller, arrival{
		from: from, identity: proved.Identity, tokens: proved.Tokens, scopes: f.Scopes, at: s.now(),
		attempt: auth.AttemptParams{
			Bearer: f.bearer(), CallbackURL: f.CallbackURL, TrustedDevice: p.TrustDevice, Client: p.Client,
		},
		signUp: p.SignUp, challenge: f.Challenge, newUserCallbackURL: f.NewUserCallbackURL,
	})
	return result, s.unfinished(ctx, f, caller, err)
}

// unfinished returns what to answer to a flow whose state was used up.
func (s *Service) unfinished(ctx context.Context, f flow, caller account.Caller, err error) error {
	if err != nil && f.Purpose == toStepUp {
		return s.notProven(ctx, caller, err)
	}
	return err
}

// permit judges, before anything is used up, whether the browser may finish the flow.
func (s *Service) permit(f flow, p CallbackParams) (account.Caller, error) {
	switch f.Purpose {
	case toSignIn:
		return account.Caller{}, nil
	case toLink, toStepUp:
		return s.sameSession(f, p.Caller)
	}
	return account.Caller{}, ErrState
}

// finish does what the flow was for.
func (s *Service) finish(ctx context.Context, f flow, caller account.Caller, a arrival) (result Result, err error) {
	result.CallbackURL = f.CallbackURL
	switch f.Purpose {
	case toSignIn:
		return s.enter(ctx, a)
	case toLink:
		result.Linked, err = true, s.connect(ctx, caller, a)
		return result, err
	case toStepUp:
		result.StepUp, err = s.stepUp(ctx, caller, f, a)
		return result, err
	}
	return Result{}, ErrState
}

// traceWithin bounds the record of what was not accepted. Whoever hangs up does not
// prevent it.
const traceWithin = 5 * time.Second

// refuse leaves the trace of what was not accepted, and returns why. An outage decides
// nothing and leaves none.
func (s *Service) refuse(ctx context.Context, r Refused, cause error) error {
	refusal, ok := errors.AsType[*problem.Error](cause)
	if !ok {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceWithin)
	defer cancel()
	r.Code, r.Reason = refusal.Code, cause.Error()
	s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "oauth: not accepted", slog.String("provider", r.Provider),
		slog.String("purpose", r.Purpose), slog.String("code", r.Code), slog.String("reason", r.Reason))
	if errors.Is(cause, problem.ErrUnavailable) {
		return cause
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		return hook.Call(ctx, s.cfg.Hooks.SignInRefused, r)
	})
	if err != nil {
		return fmt.Errorf("oauth: record a refusal: %w", err)
	}
	return cause
}
