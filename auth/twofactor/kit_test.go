package twofactor_test

import (
	"context"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
	"github.com/tenon-go/tenon/totp"
)

const (
	adaEmail    = "Ada@example.com"
	adaPassword = "correct horse battery"
)

// world is a Service with fakes around it.
type world struct {
	*twofactor.Service
	t        testing.TB
	auth     *auth.Service
	account  *account.Service
	store    database
	mailbox  *mailtest.Mailbox
	sessions *sessions
	keys     *keys
	passkeys int
	now      time.Time
	failed   []auth.SignInFailed
	user     auth.User
}

// database is users and tokens with transactions in common.
type database struct {
	*authtest.Fake
	tokens *tokentest.Fake
}

func (d database) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Fake.InTx(ctx, func(ctx context.Context) error { return d.tokens.InTx(ctx, fn) })
}

// keys lets a test do something while a secret is opened: after a code was charged
// and before it is used.
type keys struct {
	*crypto.Keyring
	meanwhile func()
}

func (k *keys) Open(ctx context.Context, f crypto.Field, sealed []byte) ([]byte, error) {
	if do := k.meanwhile; do != nil && f.Table == "tenon_totp" {
		k.meanwhile = nil
		do()
	}
	return k.Keyring.Open(ctx, f, sealed)
}

// sessions records what becomes of sessions.
type sessions struct {
	started  []door.Facts
	ended    []string
	elevated []door.Proven
	failures int
}

func (s *sessions) Start(_ context.Context, pass door.Pass) (auth.Grant, error) {
	facts, _ := pass.Facts()
	s.started = append(s.started, facts)
	return auth.Grant{SessionID: "started", Token: token.NewSecret("token")}, nil
}

func (s *sessions) EndOthers(_ context.Context, userID, keepID string, _ int64) error {
	s.ended = append(s.ended, userID+" but "+keepID)
	return nil
}

func (s *sessions) Elevate(_ context.Context, p *principal.Principal, proof door.Proof) (auth.Grant, error) {
	proven, _ := proof.Facts()
	s.elevated = append(s.elevated, proven)
	return auth.Grant{SessionID: p.SessionID}, nil
}

func (s *sessions) RecordStepUpFailure(context.Context, *principal.Principal) (bool, error) {
	s.failures++
	return s.failures >= 5, nil
}

// late is what is wired in circles.
type late struct{ w *world }

func (l late) Factors(ctx context.Context, userID string) (auth.Factors, error) {
	return l.w.Factors(ctx, userID)
}

func (l late) Trusts(ctx context.Context, t auth.TrustedAttempt) (auth.Trust, error) {
	return l.w.Trusts(ctx, t)
}

func (l late) Trust(ctx context.Context, user auth.User, client auth.Client) (auth.Trust, error) {
	return l.w.Trust(ctx, user, client)
}

func (l late) CheckTOTP(ctx context.Context, userID, code string) (account.FactorProof, error) {
	return l.w.CheckTOTP(ctx, userID, code)
}

func (l late) CheckRecovery(ctx context.Context, userID, code string) (account.FactorProof, error) {
	return l.w.CheckRecovery(ctx, userID, code)
}

func (l late) DropPasskeys(context.Context, string) error { l.w.passkeys = 0; return nil }

func (l late) CountPasskeys(context.Context, string) (int, error) { return l.w.passkeys, nil }

func newWorld(t testing.TB, change ...func(*twofactor.Config)) *world {
	t.Helper()
	w := &world{
		t: t, store: database{authtest.NewFake(), tokentest.NewFake()}, mailbox: new(mailtest.Mailbox), sessions: new(sessions),
		keys: &keys{Keyring: cryptotest.NewKeyring(t)}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	clock := func() time.Time { return w.now }
	tokens := assert.Must(token.New(w.store.tokens, token.Config{Peppers: w.keys, Now: clock}))(t)
	var err error
	w.auth, err = auth.New(w.store, auth.Config{
		Keys: w.keys, Sessions: w.sessions, Tokens: tokens, Outbox: w.mailbox, Passwords: passwordtest.New(t),
		LinkBase: "https://example.com/api/auth", Now: clock, SecondFactors: late{w},
		Hooks: auth.Hooks{SignInFailed: func(_ context.Context, e auth.SignInFailed) error {
			w.failed = append(w.failed, e)
			return nil
		}},
	})
	assert.NoError(t, err)
	w.account, err = account.New(w.store, account.Config{Auth: w.auth, Tokens: tokens, Sessions: w.sessions, Factors: late{w}, Now: clock})
	assert.NoError(t, err)
	cfg := twofactor.Config{
		DeviceName: func(string) string { return "a browser" },
		Auth:       w.auth, Account: w.account, Sessions: w.sessions, Keys: w.keys, Passkeys: late{w}, Issuer: "Acme", Now: clock,
	}
	for _, f := range change {
		f(&cfg)
	}
	w.Service, err = twofactor.New(w.store, cfg)
	assert.NoError(t, err)
	w.user = w.create(adaEmail, adaPassword)
	return w
}

func (w *world) create(email, typed string) auth.User {
	w.t.Helper()
	n := auth.NewUser{Email: email, Name: "Ada", EmailVerified: true}
	if typed != "" {
		n.PasswordHash = assert.Must(passwordtest.New(w.t).Hash(w.t.Context(), typed))(w.t)
	}
	return assert.Must(w.auth.CreateUser(w.t.Context(), n))(w.t)
}

// caller is ada in her session, as the account is now. fresh is by what is enough.
func (w *world) caller(fresh bool) account.Caller { return w.callerOf(w.user.ID, fresh) }

func (w *world) callerOf(userID string, fresh bool) account.Caller {
	w.t.Helper()
	user := assert.Must(w.store.UserByID(w.t.Context(), userID))(w.t)
	mail := assert.Must(w.store.MailFactor(w.t.Context(), userID))(w.t)
	return account.Caller{
		Principal:       &principal.Principal{UserID: userID, SessionID: "session", SecondFactor: !user.SecondFactorAt.IsZero() && !mail},
		SecurityVersion: user.SecurityVersion, Fresh: fresh, Client: client(),
	}
}

func client() auth.Client {
	return auth.Client{IP: netip.MustParseAddr("192.0.2.1"), UserAgent: "test"}
}

// app is an authenticator app, and what its owner wrote down.
type app struct {
	w      *world
	secret totp.Secret
	codes  []string
}

// shown reads what Enable showed.
func (w *world) shown(e twofactor.Enabled) app {
	w.t.Helper()
	uri := assert.Must(url.Parse(e.URI.Reveal()))(w.t)
	return app{w, assert.Must(totp.ParseSecret(uri.Query().Get("secret")))(w.t), e.RecoveryCodes}
}

func scheme(t testing.TB) totp.Scheme { return assert.Must(totp.New(totp.Config{}))(t) }

// code is what the app shows now.
func (a app) code() string {
	code, _ := scheme(a.w.t).Code(a.secret, scheme(a.w.t).Step(a.w.now))
	return code
}

// wrong is a code that no step near now has.
func (a app) wrong() string {
	for _, code := range []string{"000000", "000001", "000002", "000003"} {
		if _, ok := scheme(a.w.t).Match(a.secret, code, a.w.now); !ok {
			return code
		}
	}
	return ""
}

func (w *world) pending() app {
	w.t.Helper()
	return w.shown(assert.Must(w.Enable(w.t.Context(), w.caller(true), twofactor.EnableParams{Password: adaPassword}))(w.t))
}

// enrolled turns ada's second factor on, and lets a minute pass.
func (w *world) enrolled() app {
	w.t.Helper()
	a := w.pending()
	_, _, err := w.VerifyInSession(w.t.Context(), w.caller(true), a.code())
	assert.NoError(w.t, err)
	w.now = w.now.Add(time.Minute)
	return a
}

// challenge is a sign-in by password that waits for its second step.
func (w *world) challenge() auth.Challenge {
	w.t.Helper()
	_, outcome, err := w.auth.SignIn(w.t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword, Client: client()})
	assert.NoError(w.t, err)
	c, _, err := w.auth.FindChallenge(w.t.Context(), outcome.Challenge.Token.Reveal(), false)
	assert.NoError(w.t, err)
	return c
}

func (w *world) meet(c auth.Challenge, method, code string) error {
	_, err := w.Meet(w.t.Context(), c, twofactor.MeetParams{Method: method, Code: code, Client: client()})
	return err
}

// mailed are the kinds of mail, by their subjects.
func (w *world) mailed() (subjects []string) {
	for _, m := range w.mailbox.Messages() {
		subjects = append(subjects, m.Subject)
	}
	return subjects
}
