package tenon_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session/sessioncache"
)

func demandSecondFactor(c *tenon.Config) { c.SecondFactor.Required = true }

// enrolment are the routes that lead out of the restriction, or end the session. One
// more wants a reason.
var enrolment = []string{
	"GET /get-session", "POST /sign-out", "POST /step-up", "GET /list-sessions", "POST /revoke-session",
	"POST /revoke-sessions", "POST /revoke-other-sessions", "POST /admin/stop-impersonating",
	"GET /multi-session/list-device-sessions", "POST /multi-session/set-active", "POST /multi-session/revoke",
	"POST /two-factor/enable", "POST /two-factor/get-totp-uri", "GET /two-factor/qr", "POST /two-factor/verify-totp",
	"POST /two-factor/verify-backup-code", "POST /two-factor/verify-otp", "POST /two-factor/send-otp",
	"GET /passkey/generate-register-options", "POST /passkey/verify-registration", "GET /passkey/list-user-passkeys",
	"GET /passkey/generate-step-up-options", "POST /passkey/verify-step-up", "POST /oauth/step-up", "GET /callback/{provider}",
	// They show who is signed in, and are for everybody.
	"GET /magic-link/verify", "GET /organization/accept-invitation",
}

// atHost lets a route of the host answer the browser.
func (b *browser) atHost(h http.Handler) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, base+"/app/", nil)
	r.Header.Set("Cookie", "tenon_dev_session="+b.cookie("session"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Result(), w.Body.String()}
}

// A session that a policy restricts walks the whole route table: what is not marked
// is closed (rule R13).
func TestR13_ARestrictedSessionWalksTheRouteTable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, rootEmail) // a superuser, for whom everything would be open
		restricted := func() *browser {
			b := w.browser(t)
			assert.Equal(t, b.signIn(rootEmail).StatusCode, http.StatusOK)
			return b
		}
		for _, r := range w.Routes() {
			if r.Enrolment != slices.Contains(enrolment, r.Pattern()) {
				t.Errorf("%s: marked for enrolment: %v", r.Pattern(), r.Enrolment)
			}
			if r.Access == route.Public {
				continue // for strangers, too
			}
			b := restricted()
			got := b.get(r.Path)
			if r.HasBody() {
				got = b.post(r.Path, map[string]any{})
			}
			refused := got.StatusCode == http.StatusForbidden && got.code(t) == "SECOND_FACTOR_REQUIRED"
			if refused == r.Enrolment || !r.Enrolment && got.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d %s", r.Pattern(), got.StatusCode, got.body)
			}
		}
		b := restricted()
		described, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
		assert.Equal(t, described["secondFactorRequired"], any(true))
		host := w.RequireUser(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the host's handler was reached") }))
		assert.Equal(t, b.atHost(host).code(t), "SECOND_FACTOR_REQUIRED")
		b.atHost(w.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, ok := principal.FromContext(r.Context())
			assert.False(t, ok, "a restricted caller is none")
		})))
		assert.Equal(t, b.post("/sign-out", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, b.get("/get-session").body, "null\n")
	}, everything, withRoot, demandSecondFactor)
}

// The moment the grace period ends, the next request is refused, from the cache, too.
func TestR13_TheGracePeriodEndsForRememberedSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		clock := bundbtest.ClockOf(w.db)
		described, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
		due, err := time.Parse(time.RFC3339, described["secondFactorDueAt"].(string))
		assert.NoError(t, err)
		clock.Advance(due.Sub(clock.Now()) - time.Second)
		assert.Equal(t, b.get("/list-accounts").StatusCode, http.StatusOK) // and remembered for 30 seconds
		clock.Advance(time.Second + time.Millisecond)
		assert.Equal(t, b.get("/list-accounts").code(t), "SECOND_FACTOR_REQUIRED")
	}, demandSecondFactor, func(c *tenon.Config) {
		c.SecondFactor.Grace = 36 * time.Hour
		c.SessionAbsolute = 100 * time.Hour
		clock := bundbtest.ClockOf(c.DB)
		began := clock.Now()
		c.SessionCache = &sessioncache.Config{Bound: 30 * time.Second, Monotonic: func() time.Duration { return clock.Now().Sub(began) }}
	})
}

// An organization's policy acts on its members' next requests, and on the organization
// alone (rule R13).
func TestR13_AnOrganizationDemandsASecondFactorOfItsMembers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, stranger := w.signedIn(t, email), w.signedIn(t, "eve@example.com")
		site := w.Middleware(principal.Require(principal.RequireOrganization)(http.HandlerFunc(greet)))
		assert.Equal(t, b.atHost(site).StatusCode, http.StatusOK)
		described, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
		id := described["activeOrganizationId"]
		set := func(b *browser, body map[string]any) answer {
			return b.post("/organization/set-second-factor-policy", body)
		}
		body := map[string]any{"organizationId": id, "required": true, "graceDays": 3}
		assert.Equal(t, set(w.browser(t), body).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, set(stranger, body).code(t), "ORGANIZATION_NOT_FOUND")
		for _, wrong := range []map[string]any{
			{"organizationId": id},
			{"organizationId": id, "required": nil},
			{"organizationId": id, "required": true, "graceDays": -1},
			{"organizationId": id, "required": true, "graceDays": 366},
			{"organizationId": id, "required": "yes"},
		} {
			assert.Equal(t, set(b, wrong).StatusCode, http.StatusUnprocessableEntity)
		}
		got := set(b, body)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		clock := bundbtest.ClockOf(w.db)
		assert.Equal(t, got.decode(t)["requiredFrom"], any(clock.Now().UTC().Add(72*time.Hour).Format("2006-01-02T15:04:05.000Z")))
		assert.Equal(t, b.atHost(site).StatusCode, http.StatusOK)
		clock.Advance(72 * time.Hour)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK) // fresh again
		assert.Equal(t, b.atHost(site).code(t), "SECOND_FACTOR_REQUIRED")
		described, _ = b.get("/get-session").decode(t)["session"].(map[string]any)
		assert.Equal(t, []any{described["activeOrganizationId"], described["restrictedOrganizationId"]}, []any{nil, id})
		assert.Equal(t, b.get("/list-accounts").StatusCode, http.StatusOK) // nothing of the organization's
		assert.Equal(t, set(b, body).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, stranger.atHost(site).StatusCode, http.StatusOK)
	})
}

// A cache in another process learns of a policy, too.
func TestR17_CachesForgetWhatAPolicyCloses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		site := w.Middleware(principal.Require(principal.RequireOrganization)(http.HandlerFunc(greet)))
		assert.Equal(t, b.atHost(site).StatusCode, http.StatusOK)
		described, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
		body := map[string]any{"organizationId": described["activeOrganizationId"], "required": true}
		assert.Equal(t, b.post("/organization/set-second-factor-policy", body).StatusCode, http.StatusOK)
		assert.Equal(t, b.atHost(site).code(t), "SECOND_FACTOR_REQUIRED")
	}, func(c *tenon.Config) { c.SessionCache = &sessioncache.Config{Bound: 30 * time.Second} })
}

// What is marked is enough: a restricted session enrols, and is open by that (rule R13).
func TestR13_ARestrictedSessionEnrolsItsWayOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.get("/list-accounts").code(t), "SECOND_FACTOR_REQUIRED")
		a := w.enrol(t, b)
		assert.Equal(t, b.get("/list-accounts").StatusCode, http.StatusOK)
		c := w.trusting(t, a, email)
		assert.Equal(t, c.get("/list-accounts").StatusCode, http.StatusOK)
		// A trusted device is spared the question, and not the policy: it steps up.
		assert.False(t, c.asked(email), "the device is trusted")
		assert.Equal(t, c.get("/list-accounts").code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, c.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[0]}).StatusCode, http.StatusOK)
		assert.Equal(t, c.get("/list-accounts").StatusCode, http.StatusOK)

		d := w.signedIn(t, "bob@example.com")
		key := passkeytest.New(base)
		assert.Equal(t, d.addPasskey(key).StatusCode, http.StatusOK)
		assert.Equal(t, d.get("/list-accounts").code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, d.stepUpByPasskey(key).StatusCode, http.StatusOK)
		assert.Equal(t, d.get("/list-accounts").StatusCode, http.StatusOK)
	}, withPasskeys, demandSecondFactor)
}
