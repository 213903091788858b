package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/token"
)

// How long a challenge waits for its second factor, and how many codes may be tried
// at it.
const (
	challengeLife  = 5 * time.Minute
	challengeTries = 5
)

// Methods of a second step, as they are called on the wire.
const (
	MethodTOTP     = "totp"
	MethodMailCode = "otp"
	MethodRecovery = "backup_code"
	MethodPasskey  = "passkey"
)

// Factors are what a user can prove in the second step of a sign-in.
type Factors struct {
	// TOTP says that an authenticator app is enrolled and confirmed.
	TOTP bool
	// RecoveryCodes is how many are left.
	RecoveryCodes int
	// Passkeys is how many are registered.
	Passkeys int
	// MailCode says that a mailed code is the user's second step, which the host
	// allowed (rule R11).
	MailCode bool
}

// SecondFactors is asked by the door about users who turned a second factor on.
type SecondFactors interface {
	// Factors returns what the user has enrolled, in the transaction of ctx.
	Factors(ctx context.Context, userID string) (Factors, error)
	// Trusts reports whether the browser is a trusted device of the user: it returns
	// the token that replaces its own, and the zero Trust where it is none. It runs in
	// the transaction of ctx, which commits whatever the answer is: a token that was
	// used before ends the trust (rule R11).
	Trusts(ctx context.Context, t TrustedAttempt) (Trust, error)
	// Trust makes the browser of a user who has just proven two factors a trusted
	// device, in the transaction of ctx. The zero Trust says that there are none.
	Trust(ctx context.Context, user User, client Client) (Trust, error)
}

// Trust makes a browser skip the second step. It proves nothing (rule R11).
type Trust struct {
	// Token is for the browser's cookie.
	Token token.Secret
	// Until is when the trust ends: 30 days after the second factor was proven last,
	// however often it is used.
	Until time.Time
}

// TrustedAttempt asks whether a browser is a trusted device.
type TrustedAttempt struct {
	UserID          string
	SecurityVersion int64
	// Raw is the token that the browser has.
	Raw    string
	Client Client
}

// steps returns how an attempt by those channels can go on, and whether it need
// not: because it reached assurance 2, or because a mailed code is all that the
// user enrolled and the mailbox was the second of two channels (rule R11). A
// passkey is no second step after a passkey, and a mailed code none after the
// mailbox or beside what is stronger.
func steps(channels []string, f Factors) (methods []string, done bool) {
	mailOnly := f.MailCode && !f.TOTP && f.Passkeys == 0
	first := channels[0]
	mailboxLater := first != ChannelMailbox && slices.Contains(channels[1:], ChannelMailbox)
	if door.Assurance(channels) >= 2 || mailOnly && mailboxLater {
		return nil, true
	}
	byPasskey := door.IsSecondFactor(first) && first != ChannelTOTP && first != ChannelRecovery
	if f.TOTP {
		methods = append(methods, MethodTOTP)
	}
	if f.Passkeys > 0 && !byPasskey {
		methods = append(methods, MethodPasskey)
	}
	if mailOnly && first != ChannelMailbox {
		methods = append(methods, MethodMailCode)
	}
	if f.RecoveryCodes > 0 {
		methods = append(methods, MethodRecovery)
	}
	return methods, false
}

// Challenge is a sign-in that waits for its second step. It is not a session: it
// opens nothing but the routes that meet it. What it says was fixed by the request
// of the first factor (rule R16).
type Challenge struct {
	ID     string // UUIDv7
	UserID string
	// SecurityVersion is the user's when the first factor was proven; with another
	// one the challenge is dead (rule R1).
	SecurityVersion int64
	// Channels were proven until now.
	Channels    []string
	ProvenAt    time.Time
	BrowserOnly bool
	// Bearer says that the challenge's token is in the client's hands, and not in a
	// cookie.
	Bearer bool
	// CallbackURL is where the client wanted to go. It passed the list of redirect
	// targets.
	CallbackURL string
	// Selector finds the row; Verifier recognises the rest of the token.
	Selector  string
	Verifier  token.Verifier
	CreatedAt time.Time
	ExpiresAt time.Time
}

// binding ties the hash to what the challenge will be turned into.
func (c Challenge) binding() token.Binding {
	return token.Binding{Purpose: "challenge", Row: fmt.Sprintf("%s/%s/%d/%t", c.ID, c.UserID, c.SecurityVersion, c.Bearer)}
}

// Challenged is what a client gets in place of a session.
type Challenged struct {
	// Token continues the sign-in: in the cookie of the browser, or in the hands of
	// a bearer client.
	Token  token.Secret
	Bearer bool
	// Methods are the ways to go on: MethodTOTP, MethodPasskey, MethodMailCode,
	// MethodRecovery.
	Methods   []string
	ExpiresAt time.Time
}

// challenge writes the attempt down until its second step, in the transaction of
// ctx.
func (s *Service) challenge(ctx context.Context, a Attempt, methods []string) (Challenged, error) {
	id, err := s.newID()
	if err != nil {
		return Challenged{}, err
	}
	t, err := token.Generate(s.cfg.Rand, token.KindChallenge)
	if err != nil {
		return Challenged{}, fmt.Errorf("make a challenge token: %w", err)
	}
	now := s.now()
	c := Challenge{
		ID: id, UserID: a.user.ID, SecurityVersion: a.user.SecurityVersion, Channels: a.channels, ProvenAt: a.provenAt,
		BrowserOnly: a.browserOnly, Bearer: a.bearer, CallbackURL: a.callbackURL,
		Selector: t.Selector(), CreatedAt: now, ExpiresAt: now.Add(challengeLife),
	}
	if c.Verifier, err = s.tokens.Hash(ctx, t, c.binding()); err != nil {
		return Challenged{}, fmt.Errorf("hash a challenge token: %w", err)
	}
	if err := s.store.AddChallenge(ctx, c); err != nil {
		return Challenged{}, err
	}
	event := ChallengeStarted{UserID: a.user.ID, Channels: a.channels, Methods: methods, Client: a.client}
	if err := hook.Call(ctx, s.cfg.Hooks.ChallengeStarted, event); err != nil {
		return Challenged{}, err
	}
	return Challenged{Token: t.Secret(), Bearer: c.Bearer, Methods: methods, ExpiresAt: c.ExpiresAt}, nil
}

// FindChallenge returns the challenge that raw continues and the ways to meet it. bearer
// says where raw was: a token of one kind of client is nothing in the hands of
// another (rule R16). Whatever is wrong with it is one ErrNoChallenge. It consumes
// nothing.
func (s *Service) FindChallenge(ctx context.Context, raw string, bearer bool) (c Challenge, methods []string, err error) {
	t, err := token.Parse(token.KindChallenge, raw)
	if err != nil {
		return Challenge{}, nil, ErrNoChallenge
	}
	c, err = s.store.ChallengeBySelector(ctx, t.Selector(), challengeTries, s.now())
	if err == nil {
		err = s.tokens.Verify(ctx, t, c.binding(), c.Verifier)
	}
	switch {
	case errors.Is(err, token.ErrMismatch), err == nil && c.Bearer != bearer:
		return Challenge{}, nil, ErrNoChallenge
	case err != nil:
		return Challenge{}, nil, fmt.Errorf("auth: find a challenge: %w", err)
	}
	factors, err := s.factors(ctx, c.UserID)
	if err != nil {
		return Challenge{}, nil, fmt.Errorf("auth: find a challenge: %w", err)
	}
	methods, _ = steps(c.Channels, factors)
	return c, methods, nil
}

// TryChallenge counts one code that is tried at the challenge, by a statement that
// commits alone, before the code is checked (rule R8). After five it ends:
// ErrNoChallenge. Other errors: ErrInTransaction.
func (s *Service) TryChallenge(ctx context.Context, c Challenge) error {
	if s.store.InTransaction(ctx) {
		return ErrInTransaction
	}
	alive, err := s.store.TryChallenge(ctx, c.ID, challengeTries, s.now())
	if err != nil {
		return fmt.Errorf("auth: try a challenge: %w", err)
	}
	if !alive {
		return ErrNoChallenge
	}
	return nil
}

// MeetParams complete a challenge.
type MeetParams struct {
	// Guess is the guess that was charged for the proof, if there was one. The door
	// gives it back.
	Guess GuessKey
	// TrustDevice asks that the browser may skip this step from now on. It may where
	// two factors were proven, which a mailed code never comes to (rule R11), and never
	// in bearer mode.
	TrustDevice bool
	Client      Client
}

// MeetChallenge turns a challenge and the proof of a second factor into a session:
// of any number of concurrent calls for one challenge, one does. It joins the
// transaction of ctx, in which the caller uses the proof up. Errors: ErrNoChallenge
// for a challenge that was met, tried too often or overtaken; ErrNotAdmitted for a
// proof that is somebody else's, or none that completes the challenge.
func (s *Service) MeetChallenge(ctx context.Context, c Challenge, proof door.Proof, p MeetParams) (user User, outcome Outcome, err error) {
	proven, ok := proof.Facts()
	if !ok || proven.UserID != c.UserID || proven.SecurityVersion != c.SecurityVersion {
		return User{}, Outcome{}, ErrNotAdmitted
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// The user before the challenge: a deletion locks in that order (rule R3).
		if err := s.store.Hold(ctx, c.UserID); err != nil {
			return err
		}
		consumed, err := s.store.ConsumeChallenge(ctx, c.ID, s.now())
		if err != nil {
			return err
		}
		if !consumed {
			return ErrNoChallenge
		}
		if user, err = s.store.UserByID(ctx, c.UserID); err != nil {
			return err
		}
		if user.SecurityVersion != c.SecurityVersion {
			return ErrNoChallenge
		}
		outcome, err = s.Complete(ctx, Attempt{
			user: user, channels: append(slices.Clone(c.Channels), proven.Channel), provenAt: proven.At, met: true,
			browserOnly: c.BrowserOnly, bearer: c.Bearer, callbackURL: c.CallbackURL, client: p.Client, guess: p.Guess,
		})
		if err == nil && p.TrustDevice && !c.Bearer && door.Assurance(append(slices.Clone(c.Channels), proven.Channel)) >= 2 {
			outcome.Grant.TrustedDevice, err = s.cfg.SecondFactors.Trust(ctx, user, p.Client)
		}
		return err
	})
	if errors.Is(err, ErrUserNotFound) {
		err = ErrNoChallenge
	}
	if err != nil {
		return User{}, Outcome{}, fmt.Errorf("auth: meet a challenge: %w", err)
	}
	return user, outcome, nil
}

// factors asks what the user has enrolled. Without anybody to ask, users who have a
// second factor cannot come in at all.
func (s *Service) factors(ctx context.Context, userID string) (Factors, error) {
	if s.cfg.SecondFactors == nil {
		return Factors{}, errNoSecondFactors
	}
	factors, err := s.cfg.SecondFactors.Factors(ctx, userID)
	if err != nil {
		return Factors{}, fmt.Errorf("the factors of a user: %w", err)
	}
	return factors, nil
}

var errNoSecondFactors = errors.New("auth: the user has a second factor, and Config.SecondFactors is missing")
