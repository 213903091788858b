package route_test

import (
	"net/http"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/ratelimit"
)

// limited is a config whose limits count, and refuse the third request.
func limited(count *int) route.Config {
	cfg := config()
	counting := func(w http.ResponseWriter, _ *http.Request) error {
		*count++
		w.Header().Set(ratelimit.HeaderPolicy, `"x";q=2;w=60`)
		w.Header().Set(ratelimit.HeaderLimit, `"x";r=0;t=1`)
		if *count > 2 {
			return problem.New(problem.RateLimited, "SLOW_DOWN", "Slow down.")
		}
		return nil
	}
	cfg.Limits = map[string]func(http.ResponseWriter, *http.Request) error{
		route.LimitSignIn: counting, route.LimitPublic: counting, route.LimitMail: nil,
	}
	return cfg
}

func class(name string) func(*route.Route) { return func(r *route.Route) { r.Limit = name } }

// CVE-2025-71399: a path spelled otherwise escaped the limits. Here they hang on
// the route that was matched, and what matches none reaches nothing.
func TestCVE202571399_LimitsHangOnTheMatchedRoute(t *testing.T) {
	t.Parallel()
	count := 0
	h := mount(t, limited(&count), entry("POST", "/sign-in/{id}", class(route.LimitSignIn)))
	for _, path := range []string{
		"//sign-in/a", "/sign-in//a", "/sign-in/a/", "/./sign-in/a", "/x/../sign-in/a", "/sign-in/a/.", "/sign-in%2Fa",
		"/Sign-In/a", "/sign%2Din/a", "/sign-in/", "/sign-in;/a", "/sign-in/a%2F..%2Fb", "/\\sign-in/a", "/sign-in\\a",
	} {
		w := call(h, "POST", "/api/auth"+path, "{}", "Content-Type", "application/json")
		if w.Code < 300 || w.Header().Get(ratelimit.HeaderLimit) != "" {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
	}
	assert.Equal(t, count, 0)
	for i, path := range []string{"/sign-in/a", "/sign-in/%61", "/sign-in/b?x=1"} {
		w := call(h, "POST", "/api/auth"+path, "{}", "Content-Type", "application/json")
		assert.Equal(t, w.Code, []int{200, 200, 429}[i])
		assert.Equal(t, w.Header().Get(ratelimit.HeaderLimit), `"x";r=0;t=1`)
		assert.Equal(t, w.Header().Get("Retry-After") != "", i == 2)
	}
}

// Rule R7: a 404 says nothing of what was spent on it.
func TestR7_A404CarriesNoQuota(t *testing.T) {
	t.Parallel()
	count := 0
	missing := func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, problem.ErrNotFound) }
	h := mount(t, limited(&count), entry("POST", "/thing/{id}", func(r *route.Route) { r.Handler = missing }))
	w := call(h, "POST", "/api/auth/thing/1", "{}", "Content-Type", "application/json")
	assert.Equal(t, w.Code, http.StatusNotFound)
	assert.Equal(t, count, 1)
	assert.Equal(t, w.Header().Get(ratelimit.HeaderLimit)+w.Header().Get(ratelimit.HeaderPolicy), "")
}

func TestWhatStrangersMaySendIsLimited(t *testing.T) {
	t.Parallel()
	open := entry("POST", "/a")
	assert.Equal(t, open.LimitClass(), route.LimitPublic)
	for _, free := range []route.Route{
		entry("GET", "/a"), entry("POST", "/a", func(r *route.Route) { r.Access = route.User }),
		entry("POST", "/a", func(r *route.Route) { r.Guard = route.Signed }),
	} {
		assert.Equal(t, free.LimitClass(), "")
	}
	assert.Equal(t, entry("GET", "/a", class("mail")).LimitClass(), "mail")
	count := 0
	_, err := route.Table{entry("POST", "/a", class("tpyo"))}.Handler(limited(&count))
	assert.Error(t, err)
	// Off, and refused before anything else is asked.
	h := mount(t, limited(&count), entry("POST", "/off", class(route.LimitMail)), entry("POST", "/on", func(r *route.Route) {
		r.Access, r.Limit = route.User, route.LimitSignIn
	}))
	for range 3 {
		assert.Equal(t, call(h, "POST", "/api/auth/off", "").Code, http.StatusOK)
	}
	for _, want := range []int{401, 401, 429} {
		assert.Equal(t, call(h, "POST", "/api/auth/on", "").Code, want)
	}
}
