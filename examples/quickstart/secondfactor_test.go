package main

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/totp"
)

const password = "correct horse battery"

// post submits a form of pairs and returns the page that it leads to.
func (p *person) post(path string, pairs ...string) string {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	_, page := p.send(http.MethodPost, site+path, form)
	return page
}

func (p *person) get(path string) string {
	p.t.Helper()
	_, page := p.send(http.MethodGet, site+path, nil)
	return page
}

// member is somebody with an account who is signed in.
func member(t *testing.T, s *server) *person {
	t.Helper()
	p := newPerson(t, s)
	p.post("/sign-up", "name", "Ada", "email", "ada@example.com", "password", password)
	assert.Contains(t, p.confirm(s), "Your address is confirmed")
	assert.Contains(t, p.signIn(), "Hello, Ada")
	return p
}

func (p *person) signIn() string {
	p.t.Helper()
	return p.post("/sign-in", "email", "ada@example.com", "password", password)
}

// app is an authenticator app beside the server's clock.
type app struct {
	scheme totp.Scheme
	secret totp.Secret
	clock  *bundbtest.Clock
}

// code is the one that the app shows after the next step, so that it is new.
func (a app) code() string {
	a.clock.Advance(time.Minute)
	code, _ := a.scheme.Code(a.secret, a.scheme.Step(a.clock.Now()))
	return code
}

// enrol turns the second step on, and returns the app and the recovery codes.
func (p *person) enrol(clock *bundbtest.Clock) (app, []string) {
	p.t.Helper()
	page := p.post("/security/app", "password", password)
	uri := regexp.MustCompile(`name="uri" value="([^"]+)"`).FindStringSubmatch(page)
	if uri == nil {
		p.t.Fatalf("no app is set up:\n%s", page)
	}
	parsed := assert.Must(url.Parse(html.UnescapeString(uri[1])))(p.t)
	a := app{assert.Must(totp.New(totp.Config{}))(p.t), assert.Must(totp.ParseSecret(parsed.Query().Get("secret")))(p.t), clock}
	form := []string{"uri", parsed.String(), "code", a.code()}
	var codes []string
	for _, found := range regexp.MustCompile(`name="recovery" value="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		codes, form = append(codes, found[1]), append(form, "recovery", found[1])
	}
	assert.Contains(p.t, p.post("/security/app/confirm", form...), codes[9])
	return a, codes
}

// meet types a code on the page of the second step.
func (p *person) meet(method, code string) string {
	p.t.Helper()
	page := p.get("/api/auth/two-factor/challenge")
	nonce := regexp.MustCompile(`name="_nonce" value="([^"]+)"`).FindStringSubmatch(page)
	if nonce == nil {
		p.t.Fatalf("no second step:\n%s", page)
	}
	return p.post("/api/auth/two-factor/challenge", "_nonce", nonce[1], "method", method, "code", code)
}

func TestAPersonsSecondFactor(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p := member(t, s)
		assert.Contains(t, p.post("/security/app", "password", "not this one"), "That is not your password")
		a, codes := p.enrol(bundbtest.ClockOf(db))
		assert.Contains(t, p.get("/security"), "10 left")
		p.post("/sign-out")
		assert.Contains(t, p.signIn(), "Enter the code of your app")
		assert.Contains(t, p.get("/security"), "Sign in first")
		assert.Contains(t, p.meet("totp", "000000"), "That code is wrong")
		assert.Contains(t, p.meet("totp", a.code()), "Hello, Ada")
		p.post("/sign-out")
		p.signIn()
		assert.Contains(t, p.meet("backup_code", codes[0]), "Hello, Ada")
		assert.Contains(t, p.get("/security"), "9 left")
		assert.Contains(t, p.post("/security/codes", "password", password), "Your recovery codes")
		p.post("/sign-out")
		p.signIn()
		assert.Contains(t, p.meet("backup_code", codes[1]), "That recovery code is wrong")
		assert.Contains(t, p.meet("totp", a.code()), "Hello, Ada")
		assert.Contains(t, p.post("/security/off", "password", password), "one step again")
		p.post("/sign-out")
		assert.Contains(t, p.signIn(), "Hello, Ada")
	})
}

func TestR12_ImportantThingsAskForAFreshProofAndLeadBack(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p, clock := member(t, s), bundbtest.ClockOf(db)
		a, codes := p.enrol(clock)
		clock.Advance(11 * time.Minute)
		for _, path := range []string{"/security/app", "/security/codes", "/security/off"} {
			assert.Contains(t, p.post(path, "password", password), "Confirm that it is you")
		}
		assert.Contains(t, p.post("/change-email", "password", password, "email", "new@example.com"), "Confirm that it is you")
		assert.Contains(t, p.post("/delete-account", "password", password), "Confirm that it is you")
		assert.Contains(t, p.post("/confirm", "next", "/security", "by", "password", "value", password), "second factor")
		assert.Contains(t, p.post("/confirm", "next", "/security", "by", "totp", "value", "000000"), "That code is wrong")
		assert.Contains(t, p.post("/confirm", "next", "https://evil.example/", "by", "totp", "value", a.code()), "Hello, Ada")
		assert.Contains(t, p.post("/change-email", "password", "not this one", "email", "new@example.com"), "That is not your password")
		assert.Contains(t, p.post("/change-email", "password", password, "email", "new@example.com"), "Open the mail")
		clock.Advance(11 * time.Minute)
		assert.Contains(t, p.post("/confirm", "next", "/security", "by", "recovery", "value", codes[2]), "Now go on")
		assert.Contains(t, p.post("/security/off", "password", password), "one step again")

		clock.Advance(11 * time.Minute)
		for range 4 {
			assert.Contains(t, p.post("/confirm", "by", "password", "value", "not this one"), "That is not your password")
			clock.Advance(time.Minute)
		}
		assert.Contains(t, p.post("/confirm", "by", "password", "value", "not this one"), "you are signed out")
		assert.Contains(t, p.get("/security"), "Sign in first")
	})
}

func TestAPersonWithoutAPasswordProvesTheMailbox(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p := newPerson(t, s)
		mailed := func() string {
			assert.NoError(t, s.app.Drain(t.Context()))
			message, _ := s.mailbox.Last("ada@example.com")
			return message.Code
		}
		p.post("/mail-me", "email", "ada@example.com", "what", "code")
		assert.Contains(t, p.post("/enter-code", "email", "ada@example.com", "code", mailed()), "Hello, ada")
		bundbtest.ClockOf(db).Advance(11 * time.Minute)
		page := p.post("/security/app")
		assert.Contains(t, page, "Mail me a code")
		assert.NotContains(t, page, `type="password"`)
		assert.Contains(t, p.post("/confirm", "next", "/security", "by", "mail"), "Code from the mail")
		code := mailed()
		assert.Contains(t, p.post("/confirm", "next", "/security", "by", "code", "value", "12345"), "code")
		assert.Contains(t, p.post("/confirm", "next", "/security", "by", "code", "value", code), "Now go on")
		assert.Contains(t, p.post("/security/app"), "Scan this picture")
	})
}

// A page of the own site cannot put a secret of its own before somebody, nor run
// anything but the scripts that are there.
func TestTheEnrolmentsFormIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	p := member(t, s)
	p.post("/security/app", "password", password)
	for _, uri := range []string{"", "javascript:alert(1)", "https://evil.example/?secret=AAAA", "otpauth://totp/x"} {
		page := p.post("/security/app/confirm", "code", "000000", "uri", uri, "recovery", "<script>alert(1)</script>")
		assert.Contains(t, page, "Two-step sign-in")
		assert.NotContains(t, page, "alert(1)")
	}
	page := p.post("/security/app/confirm", "code", "000000", "uri", "otpauth://totp/x?secret=AAAA", "recovery", "<script>alert(1)</script>")
	assert.NotContains(t, page, "<script>alert")
}

func TestPagesWithoutPasskeysOnAnAddress(t *testing.T) {
	t.Parallel()
	o := options{baseURL: "http://127.0.0.1:8080", keys: filepath.Join(t.TempDir(), "tenon.keys")}
	s, err := newServer(t.Context(), o, bundbtest.SQLite(t), slog.New(slog.DiscardHandler))
	assert.NoError(t, err)
	p := newPerson(t, s)
	r := assert.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080/", nil))(t)
	response := assert.Must(p.client.Do(r))(t)
	body := string(assert.Must(io.ReadAll(response.Body))(t))
	assert.Contains(t, body, "Sign up")
	assert.NotContains(t, body, "passkey/script.js")
}

func TestTimesInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for want, t0 := range map[string]time.Time{
		"just now": now.Add(-59 * time.Second), "1 minute ago": now.Add(-time.Minute), "3 minutes ago": now.Add(-3*time.Minute - 50*time.Second),
		"23 hours ago": now.Add(-24*time.Hour + 1), "yesterday": now.Add(-24 * time.Hour), "29 days ago": now.AddDate(0, 0, -29),
		"2 February 2026": now.AddDate(0, 0, -30),
	} {
		assert.Equal(t, ago(now, t0), want)
	}
	assert.Equal(t, day(now, now.Add(-11*time.Hour)), "today")
	assert.Equal(t, day(now, now.Add(-13*time.Hour)), "yesterday")
}
