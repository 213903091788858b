package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/cookie"
)

func TestR27_CookiesFollowTheBaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://example.com":    "__Host-tenon_session=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
		"http://localhost:8080":  "tenon_dev_session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
		"http://127.0.0.1:8080/": "tenon_dev_session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
		"http://[::1]:8080":      "tenon_dev_session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
	} {
		policy, err := cookie.New(base)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		policy.Set(w, "session", "v", time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s: %s\nwant %s", base, got, want)
		}
	}
}

func TestR27_OtherBaseURLsAreRefused(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"", "example.com", "http://example.com", "http://localhost.evil.com", "http://127.0.0.1.nip.io",
		"ftp://localhost", "https://", "https://a@example.com", "https://example.com/app",
		"https://example.com?x=1", "https://example.com#x", "://", "http://10.0.0.1",
	} {
		if _, err := cookie.New(base); err == nil {
			t.Errorf("%q is accepted", base)
		}
	}
}

func TestPlantedAndOversizedCookiesAreNotRead(t *testing.T) {
	t.Parallel()
	policy, err := cookie.New("https://example.com")
	if err != nil {
		t.Fatal(err)
	}
	name := policy.Name("session")
	for header, want := range map[string]string{
		name + "=mine":                         "mine",
		name + "=mine; " + name + "=planted":   "",
		"tenon_dev_session=mine":               "",
		"tenon_session=mine":                   "",
		name + "=" + strings.Repeat("a", 1025): "",
		"other=1; " + name + "=mine":           "mine",
		strings.Repeat("x", 9000) + "=1":       "",
		"; ; =; " + name:                       "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		if got := policy.Get(r, "session"); got != want {
			t.Errorf("%.60s: %q, want %q", header, got, want)
		}
	}
}

func TestClearMatchesSet(t *testing.T) {
	t.Parallel()
	policy, err := cookie.New("https://example.com")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	policy.Clear(w, "session")
	want := "__Host-tenon_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
	if got := w.Header().Get("Set-Cookie"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if policy.Origin() != "https://example.com" || policy.Host() != "example.com" {
		t.Errorf("origin %s, host %s", policy.Origin(), policy.Host())
	}
}
