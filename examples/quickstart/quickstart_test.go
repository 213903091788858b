package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

const site = "http://localhost:8080"

func newTestServer(t *testing.T, db *bundb.DB) *server {
	t.Helper()
	o := options{baseURL: site, keys: filepath.Join(t.TempDir(), "tenon.keys")}
	s, err := newServer(t.Context(), o, db, slog.New(slog.DiscardHandler))
	assert.NoError(t, err)
	return s
}

// person is a browser without JavaScript.
type person struct {
	t      *testing.T
	server *server
	client *http.Client
}

func newPerson(t *testing.T, s *server) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	assert.NoError(t, err)
	return &person{t, s, &http.Client{Jar: jar, Transport: s}}
}

// RoundTrip serves requests by the handler, without a network.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	served := httptest.NewRequestWithContext(bundbtest.Flow(r.Context()), r.Method, r.URL.RequestURI(), r.Body)
	served.Header, served.Host, served.ContentLength = r.Header.Clone(), r.URL.Host, r.ContentLength
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, served)
	response := w.Result()
	response.Request = r
	return response, nil
}

func (p *person) send(method, address string, form url.Values) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, address, strings.NewReader(form.Encode()))
	assert.NoError(p.t, err)
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := p.client.Do(r)
	assert.NoError(p.t, err)
	body, err := io.ReadAll(response.Body)
	assert.NoError(p.t, err)
	return response.StatusCode, string(body)
}

func TestAPersonsWholeJourney(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p := newPerson(t, s)
		_, page := p.send(http.MethodGet, site+"/", nil)
		assert.Contains(t, page, "Sign up")
		_, page = p.send(http.MethodPost, site+"/sign-up", url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "password": {"short"}})
		assert.Contains(t, page, "too short")
		_, page = p.send(http.MethodPost, site+"/sign-up", url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "password": {"correct horse battery"}})
		assert.Contains(t, page, "Nearly there")
		assert.NoError(t, s.app.Drain(t.Context()))
		_, page = p.send(http.MethodGet, site+"/dev/mailbox", nil)
		link := regexp.MustCompile(`href="(http[^"]+)">Open the link`).FindStringSubmatch(page)
		if link == nil {
			t.Fatalf("the mailbox shows no link:\n%s", page)
		}
		_, page = p.send(http.MethodGet, strings.ReplaceAll(link[1], "&amp;", "&"), nil)
		nonce := regexp.MustCompile(`name="_nonce" value="([^"]+)"`).FindStringSubmatch(page)
		_, page = p.send(http.MethodPost, site+"/api/auth/verify-email?callbackURL=%2F%3Fverified", url.Values{"_nonce": {nonce[1]}})
		assert.Contains(t, page, "Your address is confirmed")
		_, page = p.send(http.MethodPost, site+"/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"correct horse battery"}, "remember": {"on"}})
		assert.Contains(t, page, "Hello, Ada")
		assert.Contains(t, page, "owner")
		_, page = p.send(http.MethodPost, site+"/sign-out", url.Values{})
		assert.Contains(t, page, "You are signed out")
	})
}

// confirm opens the link in the newest mail and presses the button of its page.
func (p *person) confirm(s *server) string {
	p.t.Helper()
	assert.NoError(p.t, s.app.Drain(p.t.Context()))
	messages := s.mailbox.Messages()
	link, err := url.Parse(messages[len(messages)-1].Links[0])
	assert.NoError(p.t, err)
	_, page := p.send(http.MethodGet, link.String(), nil)
	nonce := regexp.MustCompile(`name="_nonce" value="([^"]+)"`).FindStringSubmatch(page)
	if nonce == nil {
		p.t.Fatalf("the link leads to no form:\n%s", page)
	}
	query := link.Query()
	query.Del("token")
	link.RawQuery = query.Encode()
	_, page = p.send(http.MethodPost, link.String(), url.Values{"_nonce": {nonce[1]}})
	return page
}

func TestAPersonLooksAfterTheirAccount(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p := newPerson(t, s)
		post := func(path string, pairs ...string) string {
			form := url.Values{}
			for i := 0; i < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			_, page := p.send(http.MethodPost, site+path, form)
			return page
		}
		const old, password = "correct horse battery", "another horse battery"
		assert.Contains(t, post("/delete-account", "password", old), "Sign in")
		post("/sign-up", "name", "Ada", "email", "ada@example.com", "password", old)
		assert.Contains(t, p.confirm(s), "Your address is confirmed")
		post("/sign-in", "email", "ada@example.com", "password", old)
		assert.Contains(t, post("/change-password", "password", "not this one", "new", password), "That is not your password")
		assert.Contains(t, post("/change-password", "password", old, "new", password), "Your password is changed")
		assert.Contains(t, post("/change-email", "password", old, "email", "new@example.com"), "That is not your password")
		assert.Contains(t, post("/change-email", "password", password, "email", "new@example.com"), "Open the mail")
		assert.Contains(t, p.confirm(s), "Thank you")
		assert.Contains(t, p.confirm(s), "new@example.com")
		assert.Contains(t, post("/delete-account", "password", password), "Your account is deleted")
		assert.Contains(t, post("/sign-in", "email", "new@example.com", "password", password), "password is wrong")
	})
}

func TestAPersonWithoutAPassword(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p := newPerson(t, s)
		ada := url.Values{"email": {"ada@example.com"}}
		ask := func(what string) string {
			_, page := p.send(http.MethodPost, site+"/mail-me", url.Values{"email": ada["email"], "what": {what}})
			assert.NoError(t, s.app.Drain(t.Context()))
			return page
		}
		assert.Contains(t, ask("code"), "Enter your code")
		message, _ := s.mailbox.Last("ada@example.com")
		_, page := p.send(http.MethodPost, site+"/enter-code", url.Values{"email": ada["email"], "code": {"12345"}})
		assert.Contains(t, page, "The code is wrong")
		_, page = p.send(http.MethodPost, site+"/enter-code", url.Values{"email": ada["email"], "code": {message.Code}})
		assert.Contains(t, page, "Hello, ada")
		p.send(http.MethodPost, site+"/sign-out", url.Values{})
		assert.Contains(t, ask("link"), "Look into the mailbox")
		message, _ = s.mailbox.Last("ada@example.com")
		_, page = p.send(http.MethodGet, message.Links[0], nil)
		assert.Contains(t, page, "Sign in as ada@example.com")
		assert.Contains(t, ask("password"), "Look into the mailbox")
		message, _ = s.mailbox.Last("ada@example.com")
		_, page = p.send(http.MethodGet, message.Links[0], nil)
		assert.Contains(t, page, "Choose a new password")
	})
}

func TestR33_DevelopmentStaysAtHome(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	for _, c := range []struct {
		address string
		status  int
	}{
		{site + "/dev/mailbox.json", http.StatusOK},
		{"http://127.0.0.1:8080/dev/mailbox.json", http.StatusMisdirectedRequest},
		{"http://evil.example/dev/mailbox.json", http.StatusMisdirectedRequest},
		{"http://localhost:9999/dev/mailbox.json", http.StatusMisdirectedRequest},
		{"http://127.0.0.1:8080/?sent", http.StatusTemporaryRedirect},
		{"http://[::1]:8080/", http.StatusTemporaryRedirect},
		{"http://evil.example/", http.StatusMisdirectedRequest},
		{"http://evil.example/api/auth/ok", http.StatusMisdirectedRequest},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.address, nil)
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.address, w.Code, c.status)
		}
		if location := w.Header().Get("Location"); location != "" && !strings.HasPrefix(location, site+"/") {
			t.Errorf("%s leads to %s", c.address, location)
		}
	}
}

func TestR33_OthersCannotReachTheMailbox(t *testing.T) {
	t.Parallel()
	everywhere := &net.TCPAddr{IP: net.IPv4zero, Port: 8080}
	o := options{addr: "0.0.0.0:8080"}
	assert.Error(t, o.checkListener(listener{everywhere}))
	o.insecureDev = true
	assert.NoError(t, o.checkListener(listener{everywhere}))
	assert.Equal(t, o.baseURL, "http://localhost:8080")
	other := options{}
	assert.NoError(t, other.checkListener(listener{&net.TCPAddr{IP: net.IPv6loopback, Port: 81}}))
	assert.Equal(t, other.baseURL, "http://localhost:81")
	usual := options{}
	assert.NoError(t, usual.checkListener(listener{&net.TCPAddr{IP: net.IPv6loopback, Port: 80}}))
	assert.Equal(t, usual.baseURL, "http://localhost") // as browsers write it, or they would be redirected for ever
}

type listener struct{ addr net.Addr }

func (l listener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (l listener) Close() error              { return nil }
func (l listener) Addr() net.Addr            { return l.addr }

func TestOtherSitesCannotPostForms(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	for _, path := range []string{"/sign-up", "/sign-in", "/sign-out", "/change-password", "/change-email", "/delete-account"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, site+path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// syncBuffer can be read while it is written.
type syncBuffer struct {
	lines chan string
}

func (b syncBuffer) Write(p []byte) (int, error) {
	b.lines <- string(p)
	return len(p), nil
}

func TestRunMakesItsFilesAndStopsCleanly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	greeting := syncBuffer{make(chan string, 16)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-db", dir + "/t.db", "-keys", dir + "/t.keys"}, greeting, new(bytes.Buffer))
	}()
	select {
	case text := <-greeting.lines:
		assert.Contains(t, text, "/dev/mailbox")
		assert.Contains(t, text, "openapi.json")
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	}
	info, err := os.Stat(dir + "/t.keys")
	assert.NoError(t, err)
	assert.Equal(t, info.Mode().Perm(), os.FileMode(0o600))
	stop()
	assert.NoError(t, <-done)
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, args := range map[string][]string{
		"unexpected argument": {"now"},
		"flag provided":       {"-nonsense"},
		"by others":           {"-addr", "0.0.0.0:0"},
		"base URL":            {"-addr", "127.0.0.1:0", "-base-url", "http://example.com", "-db", dir + "/a.db", "-keys", dir + "/a.keys"},
		"key":                 {"-addr", "127.0.0.1:0", "-db", dir + "/b.db", "-keys", dir},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v, want something about %q", args, err, text)
		}
	}
}
