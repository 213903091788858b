package passwordless_test

import (
	"context"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

const (
	adaEmail    = "Ada@example.com"
	bobEmail    = "bob@example.com"
	oldPassword = "correct horse battery"
	newPassword = "another horse battery"
	linkBase    = "https://example.com/api/auth"
)

// world is a Service with fakes around it.
type world struct {
	*passwordless.Service
	auth     *auth.Service
	store    database
	mailbox  *mailtest.Mailbox
	sessions *sessions
	failed   []auth.SignInFailed
	veto     error // of Hooks.BeforeSignUp
	now      time.Time
}

// database is users and tokens with transactions in common.
type database struct {
	*authtest.Fake
	tokens *tokentest.Fake
	pruned *int // codes
}

// PruneCodes counts what is forgotten.
func (d database) PruneCodes(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := d.Fake.PruneCodes(ctx, before, limit)
	*d.pruned += n
	return n, err
}

func (d database) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Fake.InTx(ctx, func(ctx context.Context) error { return d.tokens.InTx(ctx, fn) })
}

// sessions records what is started and ended.
type sessions struct {
	started []door.Facts
	ended   []string
}

func (s *sessions) Start(_ context.Context, pass door.Pass) (auth.Grant, error) {
	facts, _ := pass.Facts()
	s.started = append(s.started, facts)
	return auth.Grant{SessionID: "session"}, nil
}

func (s *sessions) EndOthers(_ context.Context, userID, keepID string, _ int64) error {
	s.ended = append(s.ended, userID+" but "+keepID)
	return nil
}

func newWorld(t *testing.T, policy passwordless.Policy) *world {
	t.Helper()
	w := &world{
		store:   database{authtest.NewFake(), tokentest.NewFake(), new(int)},
		mailbox: new(mailtest.Mailbox), sessions: new(sessions), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	clock := func() time.Time { return w.now }
	keys := cryptotest.NewKeyring(t)
	tokens := assert.Must(token.New(w.store.tokens, token.Config{Peppers: keys, Now: clock}))(t)
	w.auth = assert.Must(auth.New(w.store, auth.Config{
		Keys: keys, Sessions: w.sessions, Tokens: tokens, Outbox: w.mailbox, Passwords: passwordtest.New(t), LinkBase: linkBase, Now: clock,
		Hooks: auth.Hooks{
			BeforeSignUp: func(context.Context, auth.BeforeSignUp) error { return w.veto },
			SignInFailed: func(_ context.Context, e auth.SignInFailed) error { w.failed = append(w.failed, e); return nil },
		},
	}))(t)
	w.Service = assert.Must(passwordless.New(w.store, passwordless.Config{
		Users: w.auth, Tokens: tokens, Peppers: keys, LinkBase: linkBase, Policy: policy, Now: clock,
	}))(t)
	return w
}

func client() auth.Client {
	return auth.Client{IP: netip.MustParseAddr("192.0.2.1"), UserAgent: "test"}
}

func (w *world) user(t *testing.T, email string, proven bool) auth.User {
	t.Helper()
	hash := assert.Must(passwordtest.New(t).Hash(t.Context(), oldPassword))(t)
	return assert.Must(w.auth.CreateUser(t.Context(), auth.NewUser{
		Email: email, Name: "Ada", EmailVerified: proven, PasswordHash: hash, Client: client(),
	}))(t)
}

// change does what every change of an account does.
func (w *world) change(t *testing.T, user auth.User) {
	t.Helper()
	assert.NoError(t, w.auth.Secure(t.Context(), auth.Change{UserID: user.ID}, func(context.Context, auth.User) error { return nil }))
}

// later passes the time in which one mail of a kind goes to an address.
func (w *world) later() { w.now = w.now.Add(2 * time.Minute) }

// link asks for a link and returns its secret, and the flow that asked.
func (w *world) link(t *testing.T, email string, change ...func(*passwordless.LinkParams)) (raw, flow string) {
	t.Helper()
	w.later()
	p := passwordless.LinkParams{Email: email, Client: client()}
	for _, f := range change {
		f(&p)
	}
	secret := assert.Must(w.SendLink(t.Context(), p))(t)
	message, ok := w.mailbox.Last(email)
	if !ok || len(message.Links) == 0 {
		t.Fatalf("no link was mailed to %s", email)
	}
	return assert.Must(url.Parse(message.Links[0]))(t).Query().Get("token"), secret.Reveal()
}

func (w *world) useLink(t *testing.T, raw string) (passwordless.Result, error) {
	t.Helper()
	return w.UseLink(t.Context(), passwordless.UseLinkParams{Token: raw, Attempt: auth.AttemptParams{Client: client()}})
}

// code asks for a code and returns what it takes to use it.
func (w *world) code(t *testing.T, email string, purpose passwordless.Purpose) passwordless.CodeParams {
	t.Helper()
	w.later()
	flow := assert.Must(w.SendCode(t.Context(), passwordless.SendCodeParams{Email: email, Purpose: purpose, Client: client()}))(t)
	return passwordless.CodeParams{Email: email, Code: w.mailed(t, email), Flow: flow.Reveal(), Client: client()}
}

// mailed is the newest code that went to an address.
func (w *world) mailed(t *testing.T, email string) string {
	t.Helper()
	message, ok := w.mailbox.Last(email)
	if !ok || len(message.Code) != 6 {
		t.Fatalf("no code was mailed to %s", email)
	}
	return message.Code
}

func (w *world) signIn(t *testing.T, p passwordless.CodeParams) (passwordless.Result, error) {
	t.Helper()
	return w.SignIn(t.Context(), passwordless.SignInParams{CodeParams: p})
}

// wrong is p with another code.
func wrong(p passwordless.CodeParams) passwordless.CodeParams {
	p.Code = other(p.Code)
	return p
}

func other(code string) string {
	last := code[5] + 1
	if last > '9' {
		last = '0'
	}
	return code[:5] + string(last)
}

// owner is a signed-in user.
func (w *world) owner(user auth.User) passwordless.Owner {
	return passwordless.Owner{UserID: user.ID, SessionID: "session of " + user.ID, SecurityVersion: user.SecurityVersion, Client: client()}
}

// ownersCode has a code mailed to a signed-in user who wants to step up.
func (w *world) ownersCode(t *testing.T, user auth.User) string {
	t.Helper()
	w.later()
	assert.NoError(t, w.SendStepUp(t.Context(), w.owner(user)))
	return w.mailed(t, user.Display)
}
