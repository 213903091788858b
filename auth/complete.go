package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
)

// Channels of proofs that the package and what is below it take (rule R11).
const (
	// ChannelPassword is the channel of a proof by password.
	ChannelPassword = "password"
	// ChannelMailbox is the channel of a proof by what was mailed.
	ChannelMailbox = "mailbox"
	// ChannelTOTP is the channel of a code from an authenticator app.
	ChannelTOTP = "totp"
	// ChannelRecovery is the channel of a recovery code.
	ChannelRecovery = "recovery"
	// ChannelImpersonation is no proof of the user's: a superuser acts as them.
	ChannelImpersonation = "impersonation"
)

// attemptLife is how long a proof may wait for its completion.
const attemptLife = 10 * time.Minute

// Attempt says that somebody proved to be a user. It is not a session, and no
// row, cookie or cache entry of one exists before [Service.Complete]. The zero
// Attempt completes to nothing.
type Attempt struct {
	user        User
	guess       GuessKey // charged for the proof, given back by the door
	channels    []string
	provenAt    time.Time
	met         bool // a challenge: the door does not ask for another one
	browserOnly bool
	bearer      bool
	callbackURL string
	trusted     string // the token of a trusted device, proves nothing
	trust       Trust  // what became of it
	client      Client

	organizationID string // becomes the active one
}

// UserID returns who is attempting to sign in.
func (a Attempt) UserID() string { return a.user.ID }

func (s *Service) attempt(user User, channel string, p SignInParams) Attempt {
	return Attempt{
		user: user, channels: []string{channel}, provenAt: s.now(),
		browserOnly: p.BrowserOnly, bearer: p.Bearer, callbackURL: p.CallbackURL, trusted: p.TrustedDevice, client: p.Client,
	}
}

// Outcome is what the door answers: a session, or the challenge of the second
// factor, and then nothing of a session exists.
type Outcome struct {
	Grant     Grant
	Challenge Challenged
	// CallbackURL is where the client wanted to go.
	CallbackURL string
}

// Challenged reports whether the sign-in waits for its second step.
func (o Outcome) Challenged() bool { return !o.Challenge.Token.IsZero() }

// Complete is the one door to a session. Every way in ends here.
//
// In one transaction, which joins that of ctx, it admits the user if the account
// is unchanged since the proof and not banned (rule R1), and gives the guess back that
// was charged for the proof (rule R8). A user who has turned a second factor on and
// has not proven it gets a challenge, unless the browser is a trusted device
// (rule R11). Everybody else gets a session: Hooks.BeforeSession is asked, the
// session starts, Hooks.SignedIn runs. It returns
// ErrNotAdmitted, and nothing is written, if the user may not come in or the
// proof is older than ten minutes.
func (s *Service) Complete(ctx context.Context, a Attempt) (Outcome, error) {
	if s.now().Sub(a.provenAt) > attemptLife {
		return Outcome{}, fmt.Errorf("auth: complete a sign-in: the attempt is too old: %w", ErrNotAdmitted)
	}
	outcome := Outcome{CallbackURL: a.callbackURL}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		strong := door.Assurance(a.channels) >= 2
		enrolled, err := s.store.Admit(ctx, Admission{
			UserID: a.user.ID, SecurityVersion: a.user.SecurityVersion, Guess: a.guess, Done: strong || a.met, At: s.now(),
		})
		if err != nil {
			return err
		}
		if !enrolled || strong {
			outcome.Grant, err = s.start(ctx, a)
			return err
		}
		return s.secondStep(ctx, a, &outcome)
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("auth: complete a sign-in: %w", err)
	}
	return outcome, nil
}

// secondStep decides about a user whose second factor is on and was not proven.
func (s *Service) secondStep(ctx context.Context, a Attempt, outcome *Outcome) error {
	factors, err := s.factors(ctx, a.user.ID)
	if err != nil {
		return err
	}
	methods, done := steps(a.channels, factors)
	switch {
	case done:
		outcome.Grant, err = s.start(ctx, a)
		return err
	case a.met:
		return ErrNotAdmitted
	case a.trusted == "" || a.bearer: // a bearer client would not get the token that follows
		outcome.Challenge, err = s.challenge(ctx, a, methods)
		return err
	}
	a.trust, err = s.cfg.SecondFactors.Trusts(ctx, TrustedAttempt{
		UserID: a.user.ID, SecurityVersion: a.user.SecurityVersion, Raw: a.trusted, Client: a.client,
	})
	if err != nil {
		return fmt.Errorf("ask for a trusted device: %w", err)
	}
	if a.trust.Token.IsZero() {
		outcome.Challenge, err = s.challenge(ctx, a, methods)
		return err
	}
	if _, err := s.store.Admit(ctx, Admission{
		UserID: a.user.ID, SecurityVersion: a.user.SecurityVersion, Done: true, At: s.now(),
	}); err != nil {
		return err
	}
	outcome.Grant, err = s.start(ctx, a)
	outcome.Grant.TrustedDevice = a.trust
	return err
}

// start makes the session of an attempt to which nothing is missing.
func (s *Service) start(ctx context.Context, a Attempt) (Grant, error) {
	event := BeforeSession{UserID: a.user.ID, Channels: a.channels, Client: a.client}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeSession, event); err != nil {
		return Grant{}, err
	}
	grant, err := s.cfg.Sessions.Start(ctx, a.pass())
	if err != nil {
		return Grant{}, err
	}
	grant.UserID, grant.SecurityVersion = a.user.ID, a.user.SecurityVersion
	return grant, hook.Call(ctx, s.cfg.Hooks.SignedIn, SignedIn{
		UserID: a.user.ID, SessionID: grant.SessionID, Channels: a.channels, Client: a.client,
	})
}

func (a Attempt) pass() door.Pass {
	return door.NewPass(door.Facts{
		UserID: a.user.ID, SecurityVersion: a.user.SecurityVersion,
		OrganizationID: a.organizationID,
		Channels:       a.channels, ProvenAt: a.provenAt, TrustedUntil: a.trust.Until,
		BrowserOnly: a.browserOnly, Bearer: a.bearer, IP: a.client.IP, UserAgent: a.client.UserAgent,
	})
}

// ImpersonateParams say who wants to act as whom.
type ImpersonateParams struct {
	UserID string
	// ActorID is the superuser, and ActorSessionID the session in which they ask.
	ActorID, ActorSessionID string
	Client                  Client
}

// Impersonate starts a session in which a superuser acts as the user: an attempt
// of a method of its own, with an actor (rules R2, R22). Whether the actor may is
// the caller's to judge. It lives an hour at most, is never fresh, and ends with
// the actor's own session, ban or role. Nobody acts as a superuser. It joins the
// transaction of ctx. Errors: ErrUserNotFound, ErrImpersonateSuperuser.
func (s *Service) Impersonate(ctx context.Context, p ImpersonateParams) (grant Grant, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.Hold(ctx, p.UserID); err != nil {
			return err
		}
		user, err := s.store.UserByID(ctx, p.UserID)
		switch {
		case err != nil:
			return err
		case user.Superuser:
			return ErrImpersonateSuperuser
		}
		grant, err = s.cfg.Sessions.Start(ctx, door.NewPass(door.Facts{
			UserID: user.ID, SecurityVersion: user.SecurityVersion, Channels: []string{ChannelImpersonation}, ProvenAt: s.now(),
			ActorID: p.ActorID, ActorSessionID: p.ActorSessionID, BrowserOnly: true,
			IP: p.Client.IP, UserAgent: p.Client.UserAgent,
		}))
		if err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.Impersonated, Impersonated{
			UserID: user.ID, ActorID: p.ActorID, SessionID: grant.SessionID, Client: p.Client,
		})
	})
	if err != nil {
		return Grant{}, fmt.Errorf("auth: impersonate: %w", err)
	}
	return grant, nil
}
