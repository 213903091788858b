package unlock_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/auth/unlock"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

const (
	adaEmail    = "Ada@example.com"
	adaPassword = "correct horse battery"
	base        = "https://example.com"
)

// world is the pages of the package, on accounts with fakes around them.
type world struct {
	*auth.Service
	store    database
	mailbox  *mailtest.Mailbox
	unlocked []auth.UserUnlocked
	served   http.Handler
	cookies  map[string]string
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

// noSessions fails what starts or ends a session.
type noSessions struct{}

var errSession = errors.New("a session was touched")

func (noSessions) Start(context.Context, door.Pass) (auth.Grant, error) {
	return auth.Grant{}, errSession
}

func (noSessions) EndOthers(context.Context, string, string, int64) error { return nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		store:   database{authtest.NewFake(), tokentest.NewFake()},
		mailbox: new(mailtest.Mailbox), cookies: map[string]string{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	clock := func() time.Time { return w.now }
	keys := cryptotest.NewKeyring(t)
	tokens := assert.Must(token.New(w.store.tokens, token.Config{Peppers: keys, Now: clock}))(t)
	w.Service = assert.Must(auth.New(w.store, auth.Config{
		Keys: keys, Sessions: noSessions{}, Tokens: tokens, Outbox: w.mailbox, Passwords: passwordtest.New(t), LinkBase: base + "/api/auth", Now: clock,
		Hooks: auth.Hooks{UserUnlocked: func(_ context.Context, e auth.UserUnlocked) error {
			w.unlocked = append(w.unlocked, e)
			return nil
		}},
	}))(t)
	h := assert.Must(unlock.NewHandler(w.Service, unlock.HandlerConfig{BaseURL: base}))(t)
	nonces := page.NewNonces(assert.Must(cookie.New(base))(t))
	w.served = assert.Must(h.Routes().Handler(route.Config{BaseURL: base, Nonce: nonces.Check}))(t)
	return w
}

func (w *world) user(t *testing.T, email string) auth.User {
	t.Helper()
	hash := assert.Must(passwordtest.New(t).Hash(t.Context(), adaPassword))(t)
	return assert.Must(w.CreateUser(t.Context(), auth.NewUser{Email: email, Name: "Ada", EmailVerified: true, PasswordHash: hash}))(t)
}

// guess signs in with a password as a stranger, and says what keeps it out. A right
// password is no session yet.
func (w *world) guess(t *testing.T, email, typed string) error {
	t.Helper()
	_, err := w.ProvePassword(t.Context(), auth.SignInParams{
		Email: email, Password: typed, Client: auth.Client{IP: netip.MustParseAddr("192.0.2.1")},
	})
	return err
}

// lock guesses until strangers are refused for good, and returns the secret of the
// link that was mailed.
func (w *world) lock(t *testing.T, email string) string {
	t.Helper()
	for range 500 {
		err := w.guess(t, email, "not this one")
		if errors.Is(err, auth.ErrLocked) {
			return w.secret(t, email)
		}
		if refused, ok := errors.AsType[*problem.Error](err); ok && refused.RetryAfter > 0 {
			w.now = w.now.Add(refused.RetryAfter)
		}
	}
	t.Fatal("strangers are never refused for good")
	return ""
}

func (w *world) secret(t *testing.T, email string) string {
	t.Helper()
	message, ok := w.mailbox.Last(email)
	if !ok || message.Kind != auth.MailUnlock || len(message.Links) != 1 {
		t.Fatalf("no link was mailed to %s", email)
	}
	return assert.Must(url.Parse(message.Links[0]))(t).Query().Get("token")
}

// send sends a request with the cookies of earlier answers.
func (w *world) send(t *testing.T, method, path, body string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	r.Header = header.Clone()
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	w.served.ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		w.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		}
	}
	return answer
}

// page opens an address as a browser does.
func (w *world) page(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	return w.send(t, http.MethodGet, path, "", http.Header{"Accept": {"text/html"}})
}

// post sends JSON, as a program does.
func (w *world) post(t *testing.T, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	return w.send(t, http.MethodPost, path, body, http.Header{"Content-Type": {"application/json"}})
}

// form sends a page's form.
func (w *world) form(t *testing.T, values url.Values) *httptest.ResponseRecorder {
	t.Helper()
	return w.send(t, http.MethodPost, "/unlock-account", values.Encode(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Accept": {"text/html"},
	})
}
