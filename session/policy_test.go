package session_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// demanding is a world in which everybody needs a second factor.
func demanding(t *testing.T, p session.SecondFactorPolicy) *world {
	t.Helper()
	return newWorld(t, func(c *session.Config) {
		p.Required = true
		c.SecondFactor = p
	})
}

// strong are the facts of somebody who proved two factors.
func (w *world) strong(user string) door.Facts {
	f := w.facts(user)
	f.Channels = []string{"password", "totp"}
	return f
}

func (w *world) restricted(g session.Grant) bool { return w.live(g).Principal().Restricted }

// The grace period begins with the policy, or with the account where that is younger.
func TestR13_TheHostsPolicyHoldsFromTheEndOfTheGracePeriod(t *testing.T) {
	t.Parallel()
	w := demanding(t, session.SecondFactorPolicy{Grace: 24 * time.Hour, Since: time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)})
	w.user("young", func(u *sessiontest.UserState) { u.CreatedAt = w.fake.Now().Add(time.Hour) })
	old, strong, young := w.start(w.facts("u1")), w.start(w.strong("u1")), w.start(w.facts("young"))
	for _, c := range []struct {
		pass       time.Duration
		old, young bool
	}{{0, false, false}, {24*time.Hour - time.Microsecond, false, false}, {time.Microsecond, true, false}, {time.Hour, true, true}} {
		w.clock.advance(c.pass)
		assert.Equal(t, []bool{w.restricted(old), w.restricted(young), w.restricted(strong)}, []bool{c.old, c.young, false})
	}
}

// Without a policy, and for sessions of two factors, nothing changes.
func TestR13_WithoutAPolicyNobodyIsRestricted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.clock.advance(time.Hour)
	got := w.live(w.start(w.facts("u1")))
	assert.Equal(t, got.SecondFactor, session.Demand{})
	assert.True(t, got.HoldsUntil().IsZero(), "it holds")
	if _, err := session.New(w.fake, session.Config{Peppers: w.keys, SecondFactor: session.SecondFactorPolicy{Grace: -1}}); err == nil {
		t.Error("a negative grace period")
	}
}

// A restricted session opens what is marked, and nothing else.
func TestR13_ARestrictedSessionOpensMarkedRoutesOnly(t *testing.T) {
	t.Parallel()
	w := demanding(t, session.SecondFactorPolicy{})
	h := w.handler("https://app.example.com")
	g := w.start(w.facts("u1"))
	token := g.Token.Reveal()
	closed := map[string]http.Handler{
		"RequireUser":  h.RequireUser(http.HandlerFunc(whoami)),
		"RequireFresh": session.RequireFresh(time.Hour)(http.HandlerFunc(whoami)),
		"Require":      principal.Require(principal.RequireUser)(http.HandlerFunc(whoami)),
	}
	for name, handler := range closed {
		got := call(t, h.Middleware(handler), "GET", "/", "", token)
		body := bodyOf(t, got)
		if got.StatusCode != http.StatusForbidden || !strings.Contains(body, "SECOND_FACTOR_REQUIRED") {
			t.Errorf("%s: %d %s", name, got.StatusCode, body)
		}
	}
	want(t, call(t, h.Middleware(http.HandlerFunc(whoami)), "GET", "/", "", token), 200, "-")
	bare := h.Middleware(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, ok := session.FromContext(r.Context())
		assert.False(t, ok, "the session is there for who does not ask for the caller")
	}))
	call(t, bare, "GET", "/", "", token)
	body := bodyOf(t, call(t, h, "GET", "/get-session", "", token))
	assert.Contains(t, body, `"secondFactorDemanded":true,"secondFactorRequired":true}`)
	assert.Contains(t, body, `"id":"u1"`)
	want(t, call(t, h, "GET", "/list-sessions", "", token), 200, "")
	want(t, call(t, h, "POST", "/sign-out", "{}", token), 200, "")
	w.dead(g)
}

// get-session announces what is coming.
func TestR13_GetSessionSaysWhenTheSecondFactorIsDue(t *testing.T) {
	t.Parallel()
	w := demanding(t, session.SecondFactorPolicy{Grace: 2 * time.Hour})
	h := w.handler("https://app.example.com")
	body := bodyOf(t, call(t, h, "GET", "/get-session", "", w.start(w.facts("u1")).Token.Reveal()))
	assert.Contains(t, body, `"secondFactorDemanded":true,"secondFactorRequired":false,"secondFactorDueAt":"2026-03-04T06:06:07.123Z"}`)
	body = bodyOf(t, call(t, h, "GET", "/get-session", "", w.start(w.strong("u1")).Token.Reveal()))
	assert.NotContains(t, body, "secondFactor")
}

// A step-up with the factor opens the session.
func TestR13_AStepUpLiftsTheRestriction(t *testing.T) {
	t.Parallel()
	w := demanding(t, session.SecondFactorPolicy{})
	g := w.start(w.facts("u1"))
	caller := w.live(g).Principal()
	assert.True(t, caller.Restricted, "it is restricted")
	proof := door.NewProof(door.Proven{UserID: "u1", SecurityVersion: 1, Channel: "totp", At: w.clock.Now()})
	raised := assert.Must(w.svc.Elevate(t.Context(), caller, proof))(t)
	assert.False(t, w.restricted(raised), "two factors are not enough")
}

// A trusted device counts where the policy says so, and until the trust ends.
func TestR11_ATrustedDeviceCountsForAPolicyThatSaysSo(t *testing.T) {
	t.Parallel()
	for _, accepts := range []bool{false, true} {
		w := demanding(t, session.SecondFactorPolicy{AcceptTrustedDevices: accepts})
		facts := w.facts("u1")
		facts.TrustedUntil = w.clock.Now().Add(time.Hour)
		g := w.start(facts)
		assert.Equal(t, w.restricted(g), !accepts)
		assert.Equal(t, w.live(g).Principal().Assurance, 1)
		w.clock.advance(time.Hour)
		assert.Equal(t, w.restricted(g), true)
	}
}

// The organization's policy takes the scope away, and only that.
func TestR13_AnOrganizationsPolicyClosesItsScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", "admin"))
	assert.NoError(t, w.fake.PutPolicy(t.Context(), "o1", principal.SecondFactorPolicy{From: w.fake.Now().Add(time.Hour)}))
	start := func(f door.Facts) session.Grant {
		f.OrganizationID = "o1"
		return w.start(f)
	}
	weak, strong := start(w.facts("u1")), start(w.strong("u1"))
	elsewhere := w.start(w.facts("u1"))
	assert.Equal(t, w.live(weak).Role, "admin")
	assert.True(t, w.live(weak).HoldsUntil().Equal(w.fake.Now().Add(time.Hour)), "the grace period is known")
	w.clock.advance(time.Hour)
	p := w.live(weak).Principal()
	assert.Equal(t, []any{p.OrganizationID, p.Role, p.RestrictedOrganizationID, p.Restricted}, []any{"", "", "o1", false})
	_, err := principal.RequireOrganization(principal.NewContext(t.Context(), p))
	assert.ErrorIs(t, err, principal.ErrSecondFactorRequired)
	assert.Equal(t, w.live(strong).Role, "admin")
	assert.Equal(t, w.live(elsewhere).SecondFactor, session.Demand{})
	body := bodyOf(t, call(t, w.handler("https://app.example.com"), "GET", "/get-session", "", weak.Token.Reveal()))
	assert.Contains(t, body, `"activeOrganizationId":null`)
	assert.Contains(t, body, `"secondFactorDemanded":true,"secondFactorRequired":false,"restrictedOrganizationId":"o1"`)
}

// Whoever acts as a user shows what they proved in their own session.
func TestR22_AnImpersonatedSessionShowsItsActorsFactors(t *testing.T) {
	t.Parallel()
	for _, strong := range []bool{false, true} {
		w := demanding(t, session.SecondFactorPolicy{})
		w.user("root", func(u *sessiontest.UserState) { u.Superuser = true })
		own := w.start(w.facts("root"))
		if strong {
			own = w.start(w.strong("root"))
		}
		facts := w.facts("u1")
		facts.ActorID, facts.ActorSessionID, facts.Channels = "root", own.Session.ID, []string{"impersonation"}
		assert.Equal(t, w.restricted(w.start(facts)), !strong)
	}
}

// Superusers who have not enrolled are told to, and have no powers where the host says
// so.
func TestR22_EnrolmentIsDemandedOfSuperusers(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, func(c *session.Config) { c.SecondFactor.Superusers = strict })
		w.user("u1", func(u *sessiontest.UserState) { u.Superuser = true })
		h := w.handler("https://app.example.com")
		token := w.start(w.facts("u1")).Token.Reveal()
		assert.Contains(t, bodyOf(t, call(t, h, "GET", "/get-session", "", token)), `"secondFactorDemanded":true,"secondFactorRequired":false}`)
		want(t, call(t, h, "GET", "/list-sessions", "", token), 200, "")
		got := call(t, h, "POST", "/admin/list-user-sessions", `{"userId":"u1"}`, token)
		assert.Equal(t, got.StatusCode, map[bool]int{false: 200, true: 403}[strict])
		assert.Equal(t, strings.Contains(bodyOf(t, got), "SECOND_FACTOR_REQUIRED"), strict)
		token = w.start(w.strong("u1")).Token.Reveal()
		want(t, call(t, h, "POST", "/admin/list-user-sessions", `{"userId":"u1"}`, token), 200, "")
		assert.NotContains(t, bodyOf(t, call(t, h, "GET", "/get-session", "", token)), "secondFactor")
	}
}

// Who turned a second factor on has nothing to enrol, whatever this session rests on.
func TestR22_NoEnrolmentIsDemandedOfSuperusersWhoHaveEnrolled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u1", func(u *sessiontest.UserState) { u.Superuser, u.SecondFactor = true, true })
	h := w.handler("https://app.example.com")
	g := w.start(w.facts("u1"))
	assert.Equal(t, w.live(g).SecondFactor.Demanded(), false)
	body := bodyOf(t, call(t, h, "GET", "/get-session", "", g.Token.Reveal()))
	assert.Contains(t, body, `"twoFactorEnabled":true`)
	assert.NotContains(t, body, "secondFactor")
}

// Access tokens open what their session does (rule R15).
func TestR13_AccessTokensObeyThePolicy(t *testing.T) {
	t.Parallel()
	w := demanding(t, session.SecondFactorPolicy{})
	facts := w.facts("u1")
	facts.Bearer = true
	g := w.start(facts)
	h := w.handler("https://app.example.com")
	as := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+g.Pair.Access.Reveal()) }
	want(t, call(t, h, "GET", "/list-sessions", "", "", as), 200, "")
	site := h.Middleware(h.RequireUser(http.HandlerFunc(whoami)))
	want(t, call(t, site, "GET", "/", "", "", as), http.StatusForbidden, "")
}
