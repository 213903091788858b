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

func TestGetDoesNotAllocate(t *testing.T) {
	policy, err := cookie.New("https://example.com")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "theme=dark; __Host-tenon_session=tnn_ses_0aZ; lang=en")
	if n := testing.AllocsPerRun(100, func() { policy.Get(r, "session") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzGetReadsAsNetHTTPDoes compares Get with the standard library's reading of
// any header.
func FuzzGetReadsAsNetHTTPDoes(f *testing.F) {
	policy, err := cookie.New("https://example.com")
	if err != nil {
		f.Fatal(err)
	}
	name := policy.Name("session")
	for _, line := range []string{
		"", name + "=v", "a=b; " + name + "=v", name + "=v; " + name + "=w", name + "=v; " + name + "=\x00", name + "=\x00; " + name + "=v",
		name + "=\"v\"", name, name + "=", name + " = v ", "\t" + name + "\t=v;", ";;" + name + "=v;;", name + "=v=w", "x" + name + "=v",
		strings.Repeat(";", 2999) + name + "=v", strings.Repeat(";", 3000) + name + "=v", name + "=" + strings.Repeat("v", 1025),
		"\u00a0" + name + "=v", name + "\n=v", "=" + name + "=v",
	} {
		f.Add(line, "")
		f.Add(line, line)
	}
	f.Fuzz(func(t *testing.T, line, second string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{line}
		if second != "" {
			r.Header["Cookie"] = append(r.Header["Cookie"], second)
		}
		want := ""
		if found := r.CookiesNamed(name); len(found) == 1 && len(found[0].Value) <= 1024 {
			want = found[0].Value
		}
		if got := policy.Get(r, "session"); got != want {
			t.Errorf("%q, %q: %q, net/http reads %q", line, second, got, want)
		}
	})
}
