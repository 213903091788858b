package tenon_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/ratelimit"
)

const (
	base     = "http://localhost:8080"
	mount    = base + "/api/auth"
	email    = "Ada@example.com"
	password = "correct horse battery"
)

// world is an App on a database of its own.
type world struct {
	*tenon.App
	cfg     tenon.Config
	db      *bundb.DB
	mailbox *mailtest.Mailbox
	logs    *logs
	moving  account.Caller // for tests of races
	attempt auth.Attempt
}

// logs is a writer whose text can be read.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// each runs fn with an App on each database.
func each(t *testing.T, fn func(t *testing.T, w *world), change ...func(*tenon.Config)) {
	t.Helper()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) { fn(t, newWorld(t, db, change...)) })
}

// everything turns the features on that are off by default and have routes, for
// tests that walk the table.
func everything(c *tenon.Config) {
	c.MultiSession = true
	withPasskeys(c)
	withOAuth(c)
}

// noRateLimits turns every class off: all tests come from one address, at one
// moment.
func noRateLimits() map[string]ratelimit.Rule {
	off := tenon.DefaultRateLimits()
	for class := range off {
		off[class] = nil
	}
	return off
}

// defaultRateLimits turns them on again.
func defaultRateLimits(cfg *tenon.Config) { cfg.RateLimits = nil }

func newWorld(t *testing.T, db *bundb.DB, change ...func(*tenon.Config)) *world {
	t.Helper()
	w := &world{db: db, mailbox: new(mailtest.Mailbox), logs: new(logs)}
	w.cfg = tenon.Config{
		DB: db, KMS: cryptotest.NewKMS("test:"), Mailer: w.mailbox, BaseURL: base, ProductName: "Test",
		Passwords: passwordtest.New(t), RateLimits: noRateLimits(),
		Logger: slog.New(principal.NewLogHandler(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}
	for _, f := range change {
		f(&w.cfg)
	}
	w.start(t)
	if bundbtest.RowSecurity(w.cfg.DB) && !w.cfg.DB.RowSecurity() {
		w.secure(t)
	}
	return w
}

// start makes the App and the tables.
func (w *world) start(t *testing.T) {
	t.Helper()
	app, err := tenon.New(w.cfg)
	assert.NoError(t, err)
	_, err = app.Migrate(t.Context())
	assert.NoError(t, err)
	w.App = app
}

// secure makes the App anew, on the same data, with row security. w.db stays that of the
// owner of the tables, who sees everything.
func (w *world) secure(t *testing.T) {
	t.Helper()
	w.cfg.DB = bundbtest.Secured(t, w.db, append(tenon.Secured(), w.cfg.SecuredTables...)...)
	w.start(t)
}

// browser is a client with its own cookies.
type browser struct {
	t      testing.TB
	w      *world
	client *http.Client
}

func (w *world) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	assert.NoError(t, err)
	return &browser{t: t, w: w, client: &http.Client{
		Jar:           jar,
		Transport:     inProcess{w: w},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// inProcess serves requests by the handler, without a network.
type inProcess struct {
	w    *world
	addr string // where they come from; 192.0.2.1 if it is empty
}

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	served := httptest.NewRequestWithContext(bundbtest.Flow(r.Context()), r.Method, r.URL.RequestURI(), r.Body)
	served.Header, served.Host, served.ContentLength = r.Header.Clone(), r.URL.Host, r.ContentLength
	served.RemoteAddr = cmp.Or(p.addr, "192.0.2.1") + ":4711"
	w := httptest.NewRecorder()
	p.w.Handler().ServeHTTP(w, served)
	response := w.Result()
	response.Request = r
	return response, nil
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

func (a answer) decode(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
	}
	return v
}

func (a answer) code(t testing.TB) string {
	t.Helper()
	code, _ := a.decode(t)["code"].(string)
	return code
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	response, err := b.client.Do(r)
	assert.NoError(b.t, err)
	body, err := io.ReadAll(response.Body)
	assert.NoError(b.t, err)
	return answer{response, string(body)}
}

func (b *browser) request(method, path, contentType string, body io.Reader) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, mount+path, body)
	assert.NoError(b.t, err)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, path, "", nil))
}

func (b *browser) page(path string) answer {
	b.t.Helper()
	r := b.request(http.MethodGet, path, "", nil)
	r.Header.Set("Accept", "text/html")
	return b.do(r)
}

func (b *browser) post(path string, body any) answer {
	b.t.Helper()
	encoded, err := json.Marshal(body)
	assert.NoError(b.t, err)
	return b.do(b.request(http.MethodPost, path, "application/json", bytes.NewReader(encoded)))
}

func (b *browser) form(path string, values url.Values) answer {
	b.t.Helper()
	r := b.request(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html")
	return b.do(r)
}

func (b *browser) cookie(name string) string {
	u, err := url.Parse(base)
	assert.NoError(b.t, err)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == "tenon_dev_"+name {
			return c.Value
		}
	}
	return ""
}

func credentials(to, secret string) map[string]any {
	return map[string]any{"email": to, "password": secret}
}

func (b *browser) signUp(to string) answer {
	b.t.Helper()
	body := credentials(to, password)
	body["name"] = "Ada"
	return b.post("/sign-up/email", body)
}

func (b *browser) signIn(to string) answer {
	b.t.Helper()
	return b.post("/sign-in/email", credentials(to, password))
}

// link drains the mail and returns the token of the newest link to an address.
func (w *world) link(t testing.TB, to string) string {
	t.Helper()
	assert.NoError(t, w.Drain(context.WithoutCancel(t.Context())))
	message, ok := w.mailbox.Last(to)
	if !ok || len(message.Links) == 0 {
		t.Fatalf("no link was mailed to %s", to)
	}
	u, err := url.Parse(message.Links[0])
	assert.NoError(t, err)
	return u.Query().Get("token")
}

// user signs up, proves the address and returns the browser that did.
func (w *world) user(t testing.TB, to string) *browser {
	t.Helper()
	b := w.browser(t)
	assert.Equal(t, b.signUp(to).StatusCode, http.StatusOK)
	assert.Equal(t, b.post("/verify-email?token="+w.link(t, to), map[string]any{}).StatusCode, http.StatusOK)
	return b
}

// signedIn is user, and signed in.
func (w *world) signedIn(t testing.TB, to string) *browser {
	t.Helper()
	b := w.user(t, to)
	assert.Equal(t, b.signIn(to).StatusCode, http.StatusOK)
	return b
}

// count returns the number of rows that a query finds.
func (w *world) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	ctx := bundbtest.Outside(t.Context())
	assert.NoError(t, w.db.Statement("SELECT count(*) FROM "+query).QueryRow(ctx, args...).Scan(&n))
	return n
}
