package admin_test

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

// world is the administration with fakes around it, and a superuser.
type world struct {
	*admin.Service
	accounts *auth.Service
	store    *authtest.Fake
	mailbox  *mailtest.Mailbox
	sessions *sessions
	events   []any
	links    []string // who was mailed a link to choose a password
	now      time.Time
	root     auth.User
	hasher   *hasher
}

// hasher notes how often a transaction was open while it hashed.
type hasher struct {
	auth.Passwords
	store  *authtest.Fake
	inside int
}

func (h *hasher) Hash(ctx context.Context, prepared string) (string, error) {
	if h.store.InTransaction(ctx) {
		h.inside++
	}
	return h.Passwords.Hash(ctx, prepared)
}

type sessions struct {
	ended  []string
	passes []door.Facts
}

func (s *sessions) Start(_ context.Context, pass door.Pass) (auth.Grant, error) {
	facts, _ := pass.Facts()
	s.passes = append(s.passes, facts)
	return auth.Grant{SessionID: "started"}, nil
}

func (s *sessions) EndOthers(_ context.Context, userID, _ string, _ int64) error {
	s.ended = append(s.ended, userID)
	return nil
}

func newWorld(t *testing.T, change ...func(*admin.Config)) *world {
	t.Helper()
	w := &world{
		store: authtest.NewFake(), mailbox: new(mailtest.Mailbox), sessions: new(sessions),
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	w.hasher = &hasher{Passwords: passwordtest.New(t), store: w.store}
	keys := cryptotest.NewKeyring(t)
	clock := func() time.Time { return w.now }
	tokens := assert.Must(token.New(tokentest.NewFake(), token.Config{Peppers: keys, Now: clock}))(t)
	templates := assert.Must(mail.NewTemplates(mail.TemplatesConfig{}))(t)
	w.accounts = assert.Must(auth.New(w.store, auth.Config{
		Keys: keys, Sessions: w.sessions, Tokens: tokens, Outbox: w.mailbox, Passwords: w.hasher,
		Templates: templates, LinkBase: "https://example.com/api/auth", Now: clock,
	}))(t)
	cfg := admin.Config{
		Accounts: w.accounts, Passwords: w.store, Now: clock, Hooks: w.hooks(),
		SetPasswordLink: func(_ context.Context, user auth.User) error { w.links = append(w.links, user.ID); return nil },
		DeleteUser: func(_ context.Context, userID, _ string) error {
			w.events = append(w.events, "deleted "+userID)
			return nil
		},
		Unlock: func(_ context.Context, userID, _ string) error {
			w.events = append(w.events, "unlocked "+userID)
			return nil
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	w.Service = assert.Must(admin.New(w.store, cfg))(t)
	w.root = w.user(t, "root@example.com")
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.store.SetSuperuser(ctx, w.root.ID, true, w.now)
		return err
	}))
	return w
}

// hooks record what they hear.
func (w *world) hooks() auth.Hooks {
	return auth.Hooks{
		UserBanned:       func(_ context.Context, e auth.UserBanned) error { w.events = append(w.events, e); return nil },
		UserUnbanned:     func(_ context.Context, e auth.UserUnbanned) error { w.events = append(w.events, e); return nil },
		UserUpdated:      func(_ context.Context, e auth.UserUpdated) error { w.events = append(w.events, e); return nil },
		SuperuserChanged: func(_ context.Context, e auth.SuperuserChanged) error { w.events = append(w.events, e); return nil },
		PasswordChanged:  func(_ context.Context, e auth.PasswordChanged) error { w.events = append(w.events, e); return nil },
	}
}

func (w *world) user(t *testing.T, email string) auth.User {
	t.Helper()
	return assert.Must(w.accounts.CreateUser(t.Context(), auth.NewUser{Email: email, Name: "Ada", EmailVerified: true}))(t)
}

func (w *world) record(t *testing.T, id string) admin.Record {
	t.Helper()
	return assert.Must(w.Get(t.Context(), id))(t)
}
