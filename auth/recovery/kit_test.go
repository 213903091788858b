package recovery_test

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

const (
	adaEmail    = "Ada@example.com"
	oldPassword = "correct horse battery"
	newPassword = "another horse battery"
	linkBase    = "https://example.com/api/auth"
)

// world is a Service with fakes around it.
type world struct {
	*recovery.Service
	auth     *auth.Service
	tokens   *token.Service
	store    database
	mailbox  *mailtest.Mailbox
	sessions *sessions
	changed  []auth.PasswordChanged
	hashing  func() // runs while a password is hashed
	now      time.Time
}

// database is users and tokens with transactions in common.
type database struct {
	*authtest.Fake
	tokens *tokentest.Fake
}

func (d database) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Fake.InTx(ctx, func(ctx context.Context) error { return d.tokens.InTx(ctx, fn) })
}

// sessions records whose sessions ended, and none that is started.
type sessions struct{ ended []string }

func (s *sessions) Start(context.Context, door.Pass) (auth.Grant, error) {
	s.ended = append(s.ended, "a session was started")
	return auth.Grant{}, nil
}

func (s *sessions) EndOthers(_ context.Context, userID, keepID string, _ int64) error {
	s.ended = append(s.ended, userID+" but "+keepID)
	return nil
}

// hasher lets something happen while a password is hashed.
type hasher struct {
	*passwordtest.Hasher
	w *world
}

func (h hasher) Hash(ctx context.Context, prepared string) (string, error) {
	if h.w.hashing != nil {
		h.w.hashing()
	}
	return h.Hasher.Hash(ctx, prepared)
}

func newWorld(t *testing.T, change ...func(*recovery.Config)) *world {
	t.Helper()
	w := &world{
		store:   database{authtest.NewFake(), tokentest.NewFake()},
		mailbox: new(mailtest.Mailbox), sessions: new(sessions), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	clock := func() time.Time { return w.now }
	keys := cryptotest.NewKeyring(t)
	w.tokens = assert.Must(token.New(w.store.tokens, token.Config{Peppers: keys, Now: clock}))(t)
	w.auth = assert.Must(auth.New(w.store, auth.Config{
		Keys: keys, Sessions: w.sessions, Tokens: w.tokens, Outbox: w.mailbox, Passwords: hasher{passwordtest.New(t), w}, LinkBase: linkBase, Now: clock,
		Hooks: auth.Hooks{PasswordChanged: func(_ context.Context, e auth.PasswordChanged) error {
			w.changed = append(w.changed, e)
			return nil
		}},
	}))(t)
	cfg := recovery.Config{Users: w.auth, Tokens: w.tokens, LinkBase: linkBase, Now: clock}
	for _, f := range change {
		f(&cfg)
	}
	w.Service = assert.Must(recovery.New(w.store, cfg))(t)
	return w
}

func client() auth.Client {
	return auth.Client{IP: netip.MustParseAddr("192.0.2.1"), UserAgent: "test"}
}

// user makes a user, with a password unless typed is empty.
func (w *world) user(t *testing.T, email, typed string, proven bool) auth.User {
	t.Helper()
	n := auth.NewUser{Email: email, Name: "Ada", EmailVerified: proven, Client: client()}
	if typed != "" {
		n.PasswordHash = assert.Must(passwordtest.New(t).Hash(t.Context(), typed))(t)
	}
	return assert.Must(w.auth.CreateUser(t.Context(), n))(t)
}

func (w *world) signUp(t *testing.T, email string) {
	t.Helper()
	_, err := w.auth.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: email, Password: oldPassword, Client: client()})
	assert.NoError(t, err)
}

// request asks for a link, after the time in which one mail of a kind goes.
func (w *world) request(t *testing.T, email string) {
	t.Helper()
	w.now = w.now.Add(2 * time.Minute)
	assert.NoError(t, w.Request(t.Context(), recovery.RequestParams{Email: email, Client: client()}))
}

// secret returns the secret in the path of the newest link that went to an address.
func (w *world) secret(t *testing.T, to string) string {
	t.Helper()
	message, ok := w.mailbox.Last(to)
	if !ok || len(message.Links) == 0 {
		t.Fatalf("no link was mailed to %s", to)
	}
	u := assert.Must(url.Parse(message.Links[0]))(t)
	_, secret, found := strings.Cut(u.Path, "/reset-password/")
	assert.True(t, found, "the link sets a password: "+u.Path)
	return secret
}

func (w *world) link(t *testing.T, email string) string {
	t.Helper()
	w.request(t, email)
	return w.secret(t, email)
}

func (w *world) reset(t *testing.T, raw string) error {
	t.Helper()
	return w.Reset(t.Context(), recovery.ResetParams{Token: raw, NewPassword: newPassword, Client: client()})
}

// signsIn reports whether a password opens the account.
func (w *world) signsIn(t *testing.T, email, typed string) bool {
	t.Helper()
	w.now = w.now.Add(time.Minute)
	_, err := w.auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: typed, Client: client()})
	return err == nil
}

// live counts the tokens that still do something.
func (w *world) live() (n int) {
	for _, row := range w.store.tokens.Rows() {
		if row.ConsumedAt.IsZero() && row.ExpiresAt.After(w.now) {
			n++
		}
	}
	return n
}
