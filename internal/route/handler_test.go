package route_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

const own = "https://app.example.com"

// nonceOK accepts the nonce "good".
func nonceOK(r *http.Request) error {
	if r.PostForm.Get(route.NonceField) != "good" {
		return problem.ErrForbidden
	}
	return nil
}

func config() route.Config {
	return route.Config{BaseURL: own, TrustedOrigins: []string{"https://spa.example.net"}, Nonce: nonceOK, Logger: slog.New(slog.DiscardHandler)}
}

// say returns a handler that answers with what it was reached by.
func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, text+" "+r.Pattern+" "+r.PathValue("id")+r.PathValue("rest"))
	}
}

// entry is a public route that says name.
func entry(method, path string, edit ...func(*route.Route)) route.Route {
	r := route.Route{Method: method, Path: path, Access: route.Public, Summary: "Say it", Handler: say("reached")}
	for _, e := range edit {
		e(&r)
	}
	return r
}

// mount serves routes the way a host does.
func mount(t *testing.T, cfg route.Config, routes ...route.Route) http.Handler {
	t.Helper()
	h := assert.Must(route.Table(routes).Handler(cfg))(t)
	mux := http.NewServeMux()
	mux.Handle("/api/auth/", http.StripPrefix("/api/auth", h))
	return mux
}

// call sends a request; headers come in pairs.
func call(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerMatchesMountedPaths(t *testing.T) {
	t.Parallel()
	h := mount(t, config(),
		entry("POST", "/sign-in/email"), entry("GET", "/callback/{id}"), entry("GET", "/callback/ok"), entry("POST", "/callback/{id}"),
		entry("GET", "/tus/{rest...}"),
	)
	for target, want := range map[string]string{
		"POST /api/auth/sign-in/email":     "reached POST /sign-in/email ",
		"GET /api/auth/callback/github":    "reached GET /callback/{id} github",
		"GET /api/auth/callback/a%20b%2Bc": "reached GET /callback/{id} a b+c",
		"GET /api/auth/callback/ok":        "reached GET /callback/ok ",
		"POST /api/auth/callback/ok":       "reached POST /callback/{id} ok",
		"GET /api/auth/tus/":               "reached GET /tus/{rest...} ",
		"GET /api/auth/tus/a/b":            "reached GET /tus/{rest...} a/b",
		"GET /api/auth/callback/x?a=/../b": "reached GET /callback/{id} x",
	} {
		method, path, _ := strings.Cut(target, " ")
		w := call(h, method, path, "")
		assert.Equal(t, w.Code, 200)
		assert.Equal(t, w.Body.String(), want)
	}
}

func TestHandlerMatchesNoOtherSpelling(t *testing.T) {
	t.Parallel()
	// Without a host's multiplexer in front, which would clean some of these.
	h := assert.Must(route.Table{entry("POST", "/sign-in/email"), entry("POST", "/callback/{id}"), entry("POST", "/tus/{rest...}")}.Handler(config()))(t)
	for _, path := range []string{
		"/sign-in/email/", "//sign-in/email", "/sign-in//email", "/sign-in%2Femail", "/sign-in%2femail", "/sign%2Din/email",
		"/./sign-in/email", "/x/../sign-in/email", "/%2e/sign-in/email", "/x/%2e%2e/sign-in/email", "/SIGN-IN/email",
		"/sign-in/email;a=b", "/sign-in/email%00", "/sign-in/email%3Fa", "/sign-in/email%20", "/sign-in\\email",
		"/callback/", "/callback", "/callback/a%2Fb", "/callback/a%5Cb", "/callback/a%00", "/callback/%0d%0a", "/callback/..",
		"/callback/%2e%2e", "/callback/%ff", "/callback/a/b", "/tus", "/tus/a//b", "/tus/../sign-in/email", "/tus/a%2F..", "/",
	} {
		w := call(h, "POST", path, "")
		assert.Equal(t, path+": "+w.Body.String()[:22], path+`: {"type":"https://githu`)
		assert.Equal(t, w.Code, 404)
		assert.Equal(t, w.Header().Get("Location"), "")
	}
	for _, target := range []string{"*", ""} {
		r := httptest.NewRequest("POST", "/", nil)
		r.URL.Path = target
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, w.Code, 404)
	}
}

func TestHandlerAnswersUnknownMethodsWithAllow(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("GET", "/a/{id}"), entry("POST", "/a/b"), entry("GET", "/callback", provider))
	w := call(h, "DELETE", "/api/auth/a/b", "")
	assert.Equal(t, w.Code, 405)
	assert.Equal(t, w.Header().Get("Allow"), "GET, HEAD, OPTIONS, POST")
	assert.Contains(t, w.Body.String(), `"code":"METHOD_NOT_ALLOWED"`)
	assert.Equal(t, w.Header().Get("Content-Type"), problem.ContentType)

	w = call(h, "OPTIONS", "/api/auth/a/c", "")
	assert.Equal(t, w.Code, 204)
	assert.Equal(t, w.Header().Get("Allow"), "GET, HEAD, OPTIONS")
	assert.Equal(t, call(h, "OPTIONS", "/api/auth/none", "").Code, 404)

	assert.Equal(t, call(h, "HEAD", "/api/auth/a/b", "").Code, 200)
	assert.Equal(t, call(h, "HEAD", "/api/auth/callback", "").Header().Get("Allow"), "GET, OPTIONS")
}

func provider(r *route.Route) { r.Guard = route.Provider }

func TestHandlerMakesEverythingUncacheable(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("GET", "/a"))
	for _, target := range []string{"GET /api/auth/a", "GET /api/auth/none", "POST /api/auth/a", "OPTIONS /api/auth/a"} {
		method, path, _ := strings.Cut(target, " ")
		w := call(h, method, path, "")
		assert.Equal(t, w.Header().Get("Cache-Control"), "no-store")
		assert.Equal(t, w.Header().Get("X-Content-Type-Options"), "nosniff")
		assert.Equal(t, w.Header().Get("Vary"), "Origin")
	}
}

func TestHandlerRecoversFromPanics(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	h := mount(t, cfg,
		entry("GET", "/panic", func(r *route.Route) { r.Handler = func(http.ResponseWriter, *http.Request) { panic("the reason") } }),
		entry("GET", "/abort", func(r *route.Route) {
			r.Handler = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}),
		entry("GET", "/late", func(r *route.Route) {
			r.Handler = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "half"); panic("late") }
		}),
	)
	w := call(h, "GET", "/api/auth/panic?token=secret", "")
	assert.Equal(t, w.Code, 500)
	assert.Contains(t, w.Body.String(), `"code":"INTERNAL_SERVER_ERROR"`)
	assert.NotContains(t, w.Body.String(), "reason")
	assert.Contains(t, log.String(), "panic: the reason")
	assert.Contains(t, log.String(), "handler_test.go")
	assert.Contains(t, log.String(), `route="GET /panic"`)
	assert.NotContains(t, log.String(), "secret")

	assert.Equal(t, panics(func() { call(h, "GET", "/api/auth/abort", "") }), any(http.ErrAbortHandler))
	assert.Equal(t, panics(func() { call(h, "GET", "/api/auth/late", "") }), any(http.ErrAbortHandler))
	assert.Contains(t, log.String(), "panic: late")
}

func panics(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

func TestHandlerKeepsTheWritersAbilities(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("GET", "/flush", func(r *route.Route) {
		r.Handler = func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, strings.NewReader("early"))
			assert.NoError(t, http.NewResponseController(w).Flush())
		}
	}))
	w := call(h, "GET", "/api/auth/flush", "")
	assert.True(t, w.Flushed && w.Body.String() == "early", "flushing reaches the writer behind")
}

func TestAccessIsJudgedBeforeTheBody(t *testing.T) {
	t.Parallel()
	const member = route.FirstCustom
	cfg := config()
	cfg.Checks = map[route.Access]func(*http.Request) error{member: func(r *http.Request) error {
		if p, ok := principal.FromContext(r.Context()); !ok || p.OrganizationID == "" {
			return problem.ErrNotFound
		}
		return nil
	}}
	var routes []route.Route
	for path, access := range map[string]route.Access{"/public": route.Public, "/user": route.User, "/superuser": route.Superuser, "/member": member} {
		routes = append(routes, entry("POST", path, func(r *route.Route) { r.Access = access }))
	}
	h := assert.Must(route.Table(routes).Handler(cfg))(t)
	nobody, user := (*principal.Principal)(nil), &principal.Principal{UserID: "u"}
	for _, c := range []struct {
		p                             *principal.Principal
		public, user, super, inMember int
	}{
		{nobody, 415, 401, 401, 404},
		{user, 415, 415, 403, 404},
		{&principal.Principal{APIKeyID: "k", OrganizationID: "o"}, 415, 403, 403, 415},
		{&principal.Principal{UserID: "u", Superuser: true}, 415, 415, 415, 404},
	} {
		for path, want := range map[string]int{"/public": c.public, "/user": c.user, "/superuser": c.super, "/member": c.inMember} {
			r := httptest.NewRequest("POST", path, strings.NewReader("text"))
			r.Header.Set("Content-Type", "text/plain")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(principal.NewContext(r.Context(), c.p)))
			assert.Equal(t, w.Code, want)
		}
	}
}

func TestR12_FreshnessIsJudgedAfterAccessAndBeforeTheBody(t *testing.T) {
	t.Parallel()
	errStale := problem.New(problem.PermissionDenied, "SESSION_NOT_FRESH", "Confirm that it is you.")
	cfg, fresh := config(), false
	var asked []time.Duration
	cfg.CheckFresh = func(r *http.Request, window time.Duration) error {
		asked = append(asked, window)
		if _, ok := principal.FromContext(r.Context()); !ok || !fresh {
			return errStale
		}
		return nil
	}
	h := assert.Must(route.Table{
		entry("POST", "/sensitive", func(r *route.Route) { r.Access, r.Fresh = route.User, 10*time.Minute }),
		entry("POST", "/plain", func(r *route.Route) { r.Access = route.User }),
	}.Handler(cfg))(t)
	for _, c := range []struct {
		path  string
		p     *principal.Principal
		fresh bool
		want  int
		asked []time.Duration
	}{
		{"/sensitive", nil, true, 401, nil},
		{"/sensitive", &principal.Principal{UserID: "u"}, false, 403, []time.Duration{10 * time.Minute}},
		{"/sensitive", &principal.Principal{UserID: "u"}, true, 415, []time.Duration{10 * time.Minute}},
		{"/plain", &principal.Principal{UserID: "u"}, false, 415, nil},
	} {
		fresh, asked = c.fresh, nil
		r := httptest.NewRequest("POST", c.path, strings.NewReader("text"))
		r.Header.Set("Content-Type", "text/plain")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(principal.NewContext(r.Context(), c.p)))
		assert.Equal(t, w.Code, c.want)
		assert.Equal(t, asked, c.asked)
	}
}

func TestWrapStandsAroundAccessAndGuardOfItsRoute(t *testing.T) {
	t.Parallel()
	cfg := config()
	var wrapped []string
	cfg.Wrap = func(r route.Route, next http.Handler) http.Handler {
		wrapped = append(wrapped, r.Pattern())
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("X-Limit", r.Path)
			next.ServeHTTP(w, req.WithContext(principal.NewContext(req.Context(), &principal.Principal{UserID: "u"})))
		})
	}
	h := mount(t, cfg, entry("GET", "/a", func(r *route.Route) { r.Access = route.User }), entry("GET", "/b"))
	assert.Equal(t, wrapped, []string{"GET /a", "GET /b"})
	w := call(h, "GET", "/api/auth/a", "")
	assert.Equal(t, w.Code, 200)
	assert.Equal(t, w.Header().Get("X-Limit"), "/a")
	assert.Equal(t, call(h, "GET", "/api/auth/none", "").Header().Get("X-Limit"), "")
}

func TestTableReportsItsMistakesTogether(t *testing.T) {
	t.Parallel()
	good := entry("GET", "/good")
	table := route.Table{
		good, good,
		{Method: "TRACE", Path: "no-slash"},
		entry("GET", "/a/{x}/c"), entry("GET", "/{y}/b/c"),
		entry("GET", "/x/{rest...}/y"), entry("GET", "/a/../b"), entry("GET", "/"), entry("GET", "/a b"), entry("GET", "/{}"),
		entry("POST", "/guard", func(r *route.Route) { r.Guard = route.Form | route.Upload }),
		entry("POST", "/access", func(r *route.Route) { r.Access = route.FirstCustom }),
		entry("POST", "/form", func(r *route.Route) { r.Guard = route.JSON | route.Form }),
		entry("POST", "/stale", func(r *route.Route) { r.Access, r.Fresh = route.User, -1 }),
		entry("POST", "/anybody", func(r *route.Route) { r.Fresh = 1 }),
		entry("POST", "/unchecked", func(r *route.Route) { r.Access, r.Fresh = route.User, 1 }),
		entry("POST", "/body", func(r *route.Route) { r.MaxBody = -1 }),
		entry("POST", "/scalar", func(r *route.Route) { r.Request = 1 }),
		entry("POST", "/tag", func(r *route.Route) {
			r.Request = struct {
				A []*struct {
					B string `json:"b" maxLength:"many"`
				} `json:"a"`
			}{}
		}),
		entry("POST", "/twice", func(r *route.Route) {
			r.Request = struct {
				A string `json:"a"`
				B string `query:"a"`
			}{}
		}),
	}
	_, err := table.Handler(route.Config{TrustedOrigins: []string{"ftp://a"}})
	assert.Error(t, err)
	for _, want := range []string{
		"GET /good: listed twice", `"TRACE" is not supported`, "the handler is missing", "the summary is missing",
		"GET /{y}/b/c: could be meant by the same request as GET /a/{x}/c", `"{rest...}" is not allowed`, `".." is not allowed`,
		"GET /: the path must be", `"a b" is not allowed`, `"{}" is not allowed`, "/guard: guard", "/access: access 100 has no check",
		"/stale: Fresh is negative", "/anybody: a public route has no caller", "/unchecked: Fresh needs Config.CheckFresh",
		"/form: a form needs", "MaxBody is negative", "int is not a struct", "tag maxLength", `accepts "a" twice`, "TrustedOrigins",
	} {
		assert.Contains(t, err.Error(), want)
	}
	_, err = route.Table{{Method: "GET", Path: "/a", Summary: "A", Handler: say("a")}}.Handler(config())
	assert.Contains(t, err.Error(), "access 0 has no check")
}

func TestHandlerLeavesTheRequestOfOuterMiddlewareAlone(t *testing.T) {
	t.Parallel()
	h := assert.Must(route.Table{entry("GET", "/a/{id}")}.Handler(config()))(t)
	r := httptest.NewRequest("GET", "/a/b", nil).WithContext(context.Background())
	r.Pattern = "outer"
	h.ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, r.Pattern, "outer")
}

func TestOversizedHeadersAndOddCookiesAreNoFailure(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/a", func(r *route.Route) {
		r.Handler = func(w http.ResponseWriter, req *http.Request) {
			if _, err := req.Cookie("session"); err != nil && !errors.Is(err, http.ErrNoCookie) {
				problem.Write(w, req, err)
			}
		}
	}))
	for _, header := range []string{
		strings.Repeat("a=b; ", 4096), "session", "=;;=,\x01", `session="`, "session=" + strings.Repeat("x", 1<<20), "\xff\xfe=\x00",
	} {
		assert.Equal(t, call(h, "POST", "/api/auth/a", "", "Cookie", header).Code, 200)
		assert.NotEqual(t, call(h, "POST", "/api/auth/a", "{}", "Content-Type", header).Code, 500)
		assert.NotEqual(t, call(h, "POST", "/api/auth/a", "{}", "Origin", header).Code, 500)
	}
}
