package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

// whoami answers with the caller's user id, or a dash.
func whoami(w http.ResponseWriter, r *http.Request) {
	text := "-"
	if p, ok := principal.FromContext(r.Context()); ok {
		text = p.UserID + " " + p.SessionID
	}
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text))
}

func TestMiddlewareNamesTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	site := h.Middleware(h.Middleware(http.HandlerFunc(whoami)))
	grant := w.start(w.facts("u1"))
	want(t, call(t, site, "GET", "/", "", grant.Token.Reveal()), 200, "u1 "+grant.Session.ID)
	assert.Equal(t, w.store.finds.Load(), 1) // nobody looks twice
	want(t, call(t, site, "GET", "/", "", ""), 200, "-")
	assert.Equal(t, w.store.finds.Load(), 1)
	whole := h.Middleware(h)
	want(t, call(t, whole, "GET", "/list-sessions", "", grant.Token.Reveal()), 200, "")
	assert.Equal(t, w.store.finds.Load(), 2)
}

func TestR16_OtherCredentialsSwitchCookiesOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	site := h.Middleware(http.HandlerFunc(whoami))
	grant := w.start(w.facts("u1"))
	for _, name := range []string{"Authorization", "X-Api-Key"} {
		for _, value := range []string{"Bearer x", ""} {
			with := func(r *http.Request) { r.Header[name] = []string{value} }
			want(t, call(t, site, "GET", "/", "", grant.Token.Reveal(), with), 200, "-")
			res := call(t, h, "POST", "/sign-out", `{}`, grant.Token.Reveal(), with)
			want(t, res, 200, `{"success":true}`)
			assert.Equal(t, res.Header.Get("Set-Cookie"), "")
			want(t, call(t, h, "POST", "/revoke-sessions", `{}`, grant.Token.Reveal(), with), 401, "")
		}
	}
	w.live(grant)
}

func TestDubiousCookiesAreAnonymous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	site := h.Middleware(http.HandlerFunc(whoami))
	token := w.start(w.facts("u1")).Token.Reveal()
	pair := hostCookie + "=" + token
	for name, header := range map[string][]string{
		"twice":             {pair + "; " + pair},
		"twice, one empty":  {pair + "; " + hostCookie + "="},
		"in two headers":    {pair, pair},
		"oversized":         {pair + strings.Repeat("A", 1<<20)},
		"empty":             {hostCookie + "="},
		"junk":              {hostCookie + "=\x00\xff;;=;=="},
		"many":              {strings.Repeat("a=b; ", 5000) + pair},
		"cut":               {pair[:len(pair)-1]},
		"with a suffix":     {pair + "x"},
		"of another letter": {strings.ToUpper(hostCookie) + "=" + token},
	} {
		res := call(t, site, "GET", "/", "", "", func(r *http.Request) { r.Header["Cookie"] = header })
		if got := bodyOf(t, res); res.StatusCode != 200 || got != "-" {
			t.Errorf("%s: %d %s", name, res.StatusCode, got)
		}
	}
	assert.Equal(t, w.store.finds.Load(), 0)
}

func TestPromise12_AnOutageIs503OnProtectedRoutesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	mux := http.NewServeMux()
	mux.HandleFunc("/public", whoami)
	mux.Handle("/private", h.RequireUser(http.HandlerFunc(whoami)))
	mux.Handle("/", h)
	site := h.Middleware(mux)
	token := w.start(w.facts("u1")).Token.Reveal()
	w.fake.SetDown(true)
	want(t, call(t, site, "GET", "/public", "", token), 200, "-")
	for _, path := range []string{"/private", "/get-session", "/list-sessions"} {
		res := call(t, site, "GET", path, "", token)
		want(t, res, 503, "")
		assert.NotEqual(t, res.Header.Get("Retry-After"), "")
	}
	want(t, call(t, site, "GET", "/private", "", ""), 401, "")
	want(t, call(t, site, "GET", "/private", "", "junk"), 401, "")
	w.fake.SetDown(false)
	want(t, call(t, site, "GET", "/private", "", token), 200, "")
}

func TestCheckPrefersACallerOverAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	token := w.start(w.facts("u1")).Token.Reveal()
	w.fake.SetDown(true)
	site := h.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.True(t, errors.Is(session.LookupError(r.Context()), problem.ErrUnavailable), "the outage is known")
		assert.ErrorIs(t, session.CheckUser(r), problem.ErrUnavailable)
		assert.ErrorIs(t, session.CheckSuperuser(r), problem.ErrUnavailable)
		r = r.WithContext(principal.NewContext(r.Context(), &principal.Principal{UserID: "u9"}))
		assert.NoError(t, session.CheckUser(r))
		assert.ErrorIs(t, session.CheckSuperuser(r), problem.ErrForbidden)
		_, ok := session.FromContext(r.Context())
		assert.False(t, ok, "there is no session")
	}))
	call(t, site, "GET", "/", "", token)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	assert.NoError(t, session.LookupError(r.Context()))
	assert.ErrorIs(t, session.CheckUser(r), problem.ErrUnauthenticated)
}

func FuzzCookieHeader(f *testing.F) {
	for _, seed := range []string{
		"", hostCookie + "=x", hostCookie + "=tnn_ses_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv012345",
		hostCookie + "=\"x\"; " + hostCookie + "=y", ";;;=;", "\x00", strings.Repeat("a=b;", 4000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		w := newWorld(t, nil)
		h := w.handler("https://app.example.com")
		res := call(t, h, "GET", "/get-session", "", "", func(r *http.Request) { r.Header["Cookie"] = []string{header} })
		if got := strings.TrimSpace(bodyOf(t, res)); res.StatusCode != 200 || got != "null" {
			t.Errorf("Cookie: %q answers %d %s", header, res.StatusCode, got)
		}
	})
}

// remembering answers from memory, as a cache does.
type remembering struct {
	session.Finder
	known *session.Identity
}

func (r remembering) Lookup(context.Context, string) (*session.Identity, error) { return r.known, nil }

func TestMiddlewareAllocatesTwiceWhereNothingIsLookedUp(t *testing.T) {
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	cfg := session.HandlerConfig{BaseURL: "https://app.example.com", Finder: remembering{w.svc, w.live(grant)}}
	h := assert.Must(session.NewHandler(w.svc, cfg))(t)
	var caller *principal.Principal
	site := h.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		caller, _ = principal.FromContext(r.Context())
	}))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Cookie", hostCookie+"="+grant.Token.Reveal())
	n := testing.AllocsPerRun(100, func() { site.ServeHTTP(nil, r) })
	assert.True(t, caller != nil && caller.SessionID == grant.Session.ID, "the caller is known")
	assert.True(t, n <= 2, fmt.Sprintf("%v allocations: the context, the request", n))
}

func TestAContextBelowTheMiddlewareKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	grant := w.start(w.facts("u1"))
	type key struct{}
	outer, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "outer"))
	site := h.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner, stop := context.WithCancel(r.Context())
		defer stop()
		assert.Equal(t, inner.Value(key{}), any("outer"))
		found, ok := session.FromContext(inner)
		assert.True(t, ok && found.Session.ID == grant.Session.ID, "the session is known")
		p, ok := principal.FromContext(inner)
		assert.True(t, ok && p == found.Principal(), "the principal is the session's")
		_, ok = principal.FromContext(principal.NewContext(inner, nil))
		assert.False(t, ok, "nil hides the caller")
		cancel()
		assert.ErrorIs(t, inner.Err(), context.Canceled)
	}))
	call(t, site, "GET", "/", "", grant.Token.Reveal(), func(r *http.Request) { *r = *r.WithContext(outer) })
}
