package tenon_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/ratelimit"
)

// fewSignIns allows three sign-ins an hour and address.
func fewSignIns(cfg *tenon.Config) {
	cfg.RateLimits[tenon.RateLimitSignIn] = ratelimit.Rule{{Quota: 3, Window: time.Hour}}
}

// knock tries to sign in as nobody from an address.
func (w *world) knock(t *testing.T, remote string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(bundbtest.Flow(t.Context()), http.MethodPost, mount+"/sign-in/email", strings.NewReader(`{"email":"","password":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	r.RemoteAddr = remote
	answer := httptest.NewRecorder()
	w.Handler().ServeHTTP(answer, r)
	return answer
}

// admitted returns how many of n requests passed the limit.
func (w *world) admitted(t *testing.T, n int, remote func(i int) string, headers ...func(i int) string) int {
	t.Helper()
	count := 0
	for i := range n {
		var pairs []string
		for _, h := range headers {
			pairs = append(pairs, "X-Forwarded-For", h(i))
		}
		if w.knock(t, remote(i), pairs...).Code != http.StatusTooManyRequests {
			count++
		}
	}
	return count
}

func always(s string) func(int) string { return func(int) string { return s } }

func limitedWorld(t *testing.T, change ...func(*tenon.Config)) *world {
	t.Helper()
	return newWorld(t, bundbtest.SQLite(t, tenon.Schemas()...), append([]func(*tenon.Config){fewSignIns}, change...)...)
}

func TestLimitedRoutesSayWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := limitedWorld(t)
	for _, left := range []string{"2", "1", "0"} {
		got := w.knock(t, "192.0.2.7:1")
		assert.Equal(t, got.Code, http.StatusUnprocessableEntity)
		assert.Equal(t, got.Header().Get("RateLimit-Policy"), `"sign-in";q=3;w=3600`)
		assert.Contains(t, got.Header().Get("RateLimit"), `"sign-in";r=`+left+";t=")
		assert.Equal(t, got.Header().Get("Retry-After"), "")
	}
	bundbtest.ClockOf(w.db).Advance(10 * time.Minute)
	got := w.knock(t, "192.0.2.7:2")
	assert.Equal(t, got.Code, http.StatusTooManyRequests)
	assert.Equal(t, got.Header().Get("RateLimit"), `"sign-in";r=0;t=600`)
	assert.Equal(t, got.Header().Get("Retry-After"), "600")
	assert.Contains(t, got.Body.String(), `"code":"TOO_MANY_REQUESTS"`)
	bundbtest.ClockOf(w.db).Advance(10 * time.Minute)
	assert.Equal(t, w.admitted(t, 5, always("192.0.2.7:3")), 1)
	for _, header := range []string{"RateLimit", "RateLimit-Policy"} {
		assert.Equal(t, w.browser(t).get("/get-session").Header.Get(header)+w.browser(t).get("/nowhere").Header.Get(header), "")
	}
}

// CVE-2026-45364: other spellings of an IPv6 address, and other addresses of one
// network, were other clients.
func TestCVE202645364_IPv6CountsByNetwork(t *testing.T) {
	t.Parallel()
	w := limitedWorld(t)
	spellings := []string{
		"[2001:db8:a:b::1]:1", "[2001:0DB8:000A:000b:0:0:0:1]:2", "[2001:db8:a:b::1%eth0]:3", "[2001:db8:a:b:0::0.0.0.1]:4",
		"[2001:db8:a:b:ffff:ffff:ffff:ffff]:5", "2001:db8:a:b::2",
	}
	assert.Equal(t, w.admitted(t, 60, func(i int) string { return spellings[i%len(spellings)] }), 3)
	mapped := []string{"192.0.2.9:1", "[::ffff:192.0.2.9]:1", "[::ffff:c000:209]:2", "[0:0:0:0:0:ffff:192.0.2.9]:3"}
	assert.Equal(t, w.admitted(t, 40, func(i int) string { return mapped[i%len(mapped)] }), 3)
	rotate := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	assert.Equal(t, w.admitted(t, 200, rotate("[2001:db8:c::%x]:1")), 3)      // hosts of a /64
	assert.Equal(t, w.admitted(t, 200, rotate("[2001:db8:d:%x::1]:1")), 12)   // the 256 /64 of a /56
	assert.Equal(t, w.admitted(t, 200, rotate("[2001:db8:e:%x00::1]:1")), 48) // the 256 /56 of a /48
	assert.Equal(t, w.admitted(t, 200, rotate("[2001:db8:f%x::1]:1")), 200)   // other sites
	assert.Equal(t, w.admitted(t, 200, rotate("198.51.100.%d:1")), 200)       // IPv4 counts for itself
	assert.Equal(t, w.admitted(t, 200, rotate("[2002:c000:204::%x]:443")), 3) // 6to4, as any other
	assert.Equal(t, w.admitted(t, 60, func(i int) string { return []string{"", "@", "unix", "garbage:1"}[i%4] }), 3)
}

// allauth 65.14.2: a forwarded address made another client of everybody.
func TestForwardedAddressesCountFromConfiguredHopsOnly(t *testing.T) {
	t.Parallel()
	forged := func(i int) string { return fmt.Sprintf("203.0.113.%d", i) }
	w := limitedWorld(t)
	assert.Equal(t, w.admitted(t, 50, always("192.0.2.1:1"), forged), 3)
	w = limitedWorld(t, func(cfg *tenon.Config) { cfg.ProxyHops = 1 })
	assert.Equal(t, w.admitted(t, 50, always("192.0.2.1:1"), forged, always("198.51.100.1")), 3)
	assert.Equal(t, w.admitted(t, 50, always("192.0.2.1:1"), forged), 50)
}

// allauth 65.8.1: who signs in with an account of their own had the failures of
// their address forgotten.
func TestSuccessResetsNoAddress(t *testing.T) {
	t.Parallel()
	w := limitedWorld(t)
	w.user(t, email)
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusOK, http.StatusTooManyRequests} {
		secret := password
		if want == http.StatusUnauthorized {
			secret = "not this one"
		}
		assert.Equal(t, w.browser(t).post("/sign-in/email", credentials(email, secret)).StatusCode, want)
	}
}

// Rule R8, row 17 of the advisories: limits are on where nobody asked for them.
func TestDefaultsLimitWhatStrangersMaySend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.SQLite(t, tenon.Schemas()...), defaultRateLimits)
	assert.Equal(t, w.admitted(t, 10_000, always("127.0.0.1:1")), 100)
	for path, class := range w.LimitClasses() {
		open := []string{"GET /", "POST /stripe/webhook"}
		if class == "" && !strings.HasPrefix(path, open[0]) && path != open[1] {
			t.Errorf("%s has no limits", path)
		}
	}
}

// A host's own page shares the limit of its class with the library's route.
func TestHostsLimitTheirOwnPages(t *testing.T) {
	t.Parallel()
	w := limitedWorld(t)
	page := func(class string) int {
		h := w.Middleware(w.RateLimit(class, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
		r := httptest.NewRequestWithContext(bundbtest.Flow(t.Context()), http.MethodPost, base+"/sign-in", http.NoBody)
		r.RemoteAddr = "192.0.2.7:1"
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer.Code
	}
	assert.Equal(t, w.admitted(t, 2, always("192.0.2.7:1")), 2)
	assert.Equal(t, page(tenon.RateLimitSignIn), http.StatusNoContent)
	assert.Equal(t, page(tenon.RateLimitSignIn), http.StatusTooManyRequests)
	assert.Equal(t, w.admitted(t, 2, always("192.0.2.7:1")), 0)
	assert.Equal(t, page(tenon.RateLimitMail), http.StatusNoContent) // off
	assert.Equal(t, page("sing-in"), http.StatusInternalServerError)
}

func TestClassesOfLimitsAreNamed(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t, tenon.Schemas()...)
	w := newWorld(t, db)
	for name, rules := range map[string]map[string]ratelimit.Rule{
		"tpyo":     {"sing-in": {{Quota: 1, Window: time.Hour}}},
		"nothing":  {tenon.RateLimitMail: {{Quota: 0, Window: time.Hour}}},
		"too wide": {tenon.RateLimitMail: {{Quota: 1 << 60, Window: time.Second}}},
	} {
		w.cfg.RateLimits = rules
		if _, err := tenon.New(w.cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
