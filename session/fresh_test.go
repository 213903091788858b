package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// allChannels are the kinds of proof that rule R11 names, and the host's own.
func allChannels() []string {
	return []string{"password", "mailbox", "provider:acme", "provider:other", "host", "totp", "recovery", "passkey:1", "passkey:2"}
}

// isStrong repeats rule R12 in its own words.
func isStrong(channel string) bool {
	return channel == "totp" || channel == "recovery" || strings.HasPrefix(channel, "passkey:")
}

// Every set of channels, against every age, with and without a second factor.
func TestR12_FreshByEveryCombinationOfChannels(t *testing.T) {
	t.Parallel()
	now, window := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), 10*time.Minute
	ages := map[time.Duration]bool{
		0: true, time.Second: true, window: true, window + time.Microsecond: false, 24 * time.Hour: false,
		-time.Minute: true, -time.Minute - time.Microsecond: false, -24 * time.Hour: false,
	}
	all := allChannels()
	for set := range 1 << len(all) {
		var channels []string
		strong := false
		for i, c := range all {
			if set&(1<<i) != 0 {
				channels, strong = append(channels, c), strong || isStrong(c)
			}
		}
		for age, young := range ages {
			p := &principal.Principal{UserID: "u", SessionID: "s", FreshAt: now.Add(-age), FreshChannels: channels}
			for factor, enough := range map[bool]bool{false: len(channels) > 0, true: strong} {
				p.SecondFactor = factor
				if got := session.Fresh(p, now, window); got != (young && enough) {
					t.Errorf("Fresh(%v, age %v, second factor %v) = %v", channels, age, factor, got)
				}
			}
		}
	}
}

func TestR22_NobodyElseIsEverFresh(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	whole := principal.Principal{UserID: "u", SessionID: "s", FreshAt: now, FreshChannels: []string{"totp"}}
	assert.True(t, session.Fresh(enrolled(&whole), now, time.Minute), "this one is fresh")
	for name, change := range map[string]func(*principal.Principal){
		"impersonated":   func(p *principal.Principal) { p.ImpersonatorID = "i" },
		"an API key":     func(p *principal.Principal) { p.APIKeyID = "k" },
		"no session":     func(p *principal.Principal) { p.SessionID = "" },
		"no user":        func(p *principal.Principal) { p.UserID = "" },
		"nothing proven": func(p *principal.Principal) { p.FreshChannels = nil },
		"no time":        func(p *principal.Principal) { p.FreshAt = time.Time{} },
	} {
		p := whole
		change(&p)
		if session.Fresh(enrolled(&p), now, time.Minute) || session.Fresh(&p, now, time.Minute) {
			t.Errorf("%s is fresh", name)
		}
	}
	assert.False(t, session.Fresh(nil, now, time.Minute), "nobody is fresh")
	assert.False(t, session.Fresh(&whole, now.Add(1), 0), "a zero window closes at once")
}

// enrolled is p with a second factor turned on.
func enrolled(p *principal.Principal) *principal.Principal {
	strong := *p
	strong.SecondFactor = true
	return &strong
}

// sensitive serves a route that needs a fresh proof.
func (w *world) sensitive(token string, change ...func(*http.Request)) *http.Response {
	w.t.Helper()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := w.handler("https://app.example.com").Middleware(session.RequireFresh(10 * time.Minute)(ok))
	return call(w.t, h, "POST", "/keys", "", token, change...)
}

func TestASVS7_5_1_RequireFreshRefusesAnOldSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.start(w.facts("u1")).Token.Reveal()
	assert.Equal(t, w.sensitive(token).StatusCode, http.StatusNoContent)
	w.clock.advance(10*time.Minute + time.Second)
	res := w.sensitive(token)
	assert.Equal(t, res.StatusCode, http.StatusForbidden)
	body := bodyOf(t, res)
	assert.Contains(t, body, `"code":"SESSION_NOT_FRESH"`)
	assert.Contains(t, body, "step-up and try again")
	assert.Equal(t, w.sensitive("").StatusCode, http.StatusUnauthorized)
	assert.Equal(t, w.sensitive(token, func(r *http.Request) { r.Header.Set("X-Api-Key", "x") }).StatusCode, http.StatusUnauthorized)
}

func TestASVS7_5_3_TheFactorIsJudgedNotOnlyTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u2", func(u *sessiontest.UserState) { u.SecondFactor = true })
	for _, c := range []struct {
		user     string
		channels []string
		want     int
	}{
		{"u1", []string{"password"}, 204},
		{"u1", []string{"provider:acme"}, 204},
		{"u2", []string{"provider:acme"}, 403},
		{"u2", []string{"provider:acme", "provider:other"}, 403},
		{"u2", []string{"provider:acme", "totp"}, 204},
		{"u2", []string{"password"}, 403}, // as after a trusted device
		{"u2", []string{"password", "mailbox"}, 403},
		{"u2", []string{"password", "totp"}, 204},
		{"u2", []string{"passkey:1"}, 204},
	} {
		facts := w.facts(c.user)
		facts.Channels = c.channels
		assert.Equal(t, w.sensitive(w.start(facts).Token.Reveal()).StatusCode, c.want)
	}
}

func TestPromise12_FreshnessDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.start(w.facts("u1")).Token.Reveal()
	assert.Equal(t, w.sensitive(token).StatusCode, http.StatusNoContent)
	w.fake.SetDown(true)
	assert.Equal(t, w.sensitive(token).StatusCode, http.StatusServiceUnavailable)
}

func TestCheckFreshWithoutTheMiddlewareOrAPerson(t *testing.T) {
	t.Parallel()
	now := time.Now()
	person := principal.Principal{UserID: "u", SessionID: "s", FreshAt: now, FreshChannels: []string{"password"}}
	check := func(change func(*principal.Principal)) error {
		p := person
		change(&p)
		r := httptest.NewRequest("POST", "/", nil)
		return session.CheckFresh(r.WithContext(principal.NewContext(r.Context(), &p)), time.Hour)
	}
	assert.ErrorIs(t, check(func(*principal.Principal) {}), session.ErrNotFresh)
	assert.ErrorIs(t, check(func(p *principal.Principal) { p.ImpersonatorID = "i" }), problem.ErrForbidden)
	assert.ErrorIs(t, check(func(p *principal.Principal) { p.SessionID, p.APIKeyID = "", "k" }), problem.ErrForbidden)
	assert.ErrorIs(t, session.CheckFresh(httptest.NewRequest("POST", "/", nil), time.Hour), problem.ErrUnauthenticated)
}
