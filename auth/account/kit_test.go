package account_test

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
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

const (
	adaEmail    = "Ada@example.com"
	adaPassword = "correct horse battery"
	newPassword = "another horse battery"
	newEmail    = "Ada.New@example.com"
)

// world is a Service with fakes around it.
type world struct {
	*account.Service
	auth     *auth.Service
	store    database
	mailbox  *mailtest.Mailbox
	sessions *sessions
	now      time.Time
	cfg      account.Config
}

// database is users and tokens with transactions in common.
type database struct {
	*authtest.Fake
	tokens *tokentest.Fake
}

func (d database) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Fake.InTx(ctx, func(ctx context.Context) error { return d.tokens.InTx(ctx, fn) })
}

func newWorld(t *testing.T, hooks auth.Hooks, change ...func(*account.Config)) *world {
	t.Helper()
	w := &world{
		store:   database{authtest.NewFake(), tokentest.NewFake()},
		mailbox: new(mailtest.Mailbox), sessions: new(sessions), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	clock := func() time.Time { return w.now }
	keys := cryptotest.NewKeyring(t)
	tokens, err := token.New(w.store.tokens, token.Config{Peppers: keys, Now: clock})
	assert.NoError(t, err)
	w.auth, err = auth.New(w.store, auth.Config{
		Keys: keys, Sessions: w.sessions, Tokens: tokens, Outbox: w.mailbox, Passwords: passwordtest.New(t),
		LinkBase: "https://example.com/api/auth", Now: clock, Hooks: hooks,
	})
	assert.NoError(t, err)
	w.cfg = account.Config{Auth: w.auth, Tokens: tokens, Sessions: w.sessions, Now: clock}
	for _, f := range change {
		f(&w.cfg)
	}
	w.Service, err = account.New(w.store, w.cfg)
	assert.NoError(t, err)
	return w
}

// sessions records what becomes of sessions.
type sessions struct {
	ended    []string
	elevated []door.Proven
	failures int
	err      error
}

func (s *sessions) Start(context.Context, door.Pass) (auth.Grant, error) {
	return auth.Grant{SessionID: "session"}, s.err
}

func (s *sessions) EndOthers(_ context.Context, userID, keepID string, _ int64) error {
	s.ended = append(s.ended, userID+" but "+keepID)
	return s.err
}

func (s *sessions) Elevate(_ context.Context, p *principal.Principal, proof door.Proof) (auth.Grant, error) {
	proven, ok := proof.Facts()
	if !ok || s.err != nil {
		return auth.Grant{}, s.err
	}
	s.elevated = append(s.elevated, proven)
	return auth.Grant{SessionID: p.SessionID}, nil
}

func (s *sessions) RecordStepUpFailure(context.Context, *principal.Principal) (bool, error) {
	s.failures++
	return s.failures >= 5, s.err
}

func client() auth.Client {
	return auth.Client{IP: netip.MustParseAddr("192.0.2.1"), UserAgent: "test"}
}

// ada makes a user and returns her as a caller who is fresh. Without a password,
// typed is empty.
func (w *world) ada(t *testing.T, typed string) account.Caller {
	t.Helper()
	return w.user(t, adaEmail, typed)
}

func (w *world) user(t *testing.T, email, typed string) account.Caller {
	t.Helper()
	n := auth.NewUser{Email: email, Name: "Ada", EmailVerified: true, Client: client()}
	if typed != "" {
		hash, err := passwordtest.New(t).Hash(t.Context(), typed)
		assert.NoError(t, err)
		n.PasswordHash = hash
	}
	user, err := w.auth.CreateUser(t.Context(), n)
	assert.NoError(t, err)
	return account.Caller{
		Principal: &principal.Principal{UserID: user.ID, SessionID: "session"}, SecurityVersion: 1, Fresh: true, Client: client(),
	}
}

// link returns the secret of the newest link that went to an address.
func (w *world) link(t *testing.T, to string) string {
	t.Helper()
	message, ok := w.mailbox.Last(to)
	if !ok || len(message.Links) == 0 {
		t.Fatalf("no link was mailed to %s", to)
	}
	u, err := url.Parse(message.Links[0])
	assert.NoError(t, err)
	return u.Query().Get("token")
}
