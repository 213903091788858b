package route_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
)

// A route that takes forms too is no way around the check of origins.
func TestR16_JSONForARouteWithAFormRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/both", guarded(route.JSON|route.Form)))
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
		{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.com"},
	} {
		w := call(h, "POST", "/api/auth/both", `{"token":"t"}`, append(headers, "Content-Type", jsonType)...)
		assert.Equal(t, w.Code, 403)
		assert.Contains(t, w.Body.String(), "INVALID_ORIGIN")
	}
}

func TestOurOriginIsThatOfBrowsersWhateverPortTheBaseURLNames(t *testing.T) {
	t.Parallel()
	for base, origin := range map[string]string{
		"https://app.example.com:443": "https://app.example.com", "http://localhost:80/": "http://localhost",
		"https://APP.example.com/x": "https://app.example.com", "https://app.example.com:8443": "https://app.example.com:8443",
	} {
		cfg := config()
		cfg.BaseURL = base
		h := mount(t, cfg, entry("POST", "/form", guarded(route.Form)))
		w := call(h, "POST", "/api/auth/form", "token=t&_nonce=good", "Content-Type", formType, "Origin", origin)
		assert.Equal(t, w.Code, 200)
	}
}

// A handler that reads no body is not reached by one of another type either.
func TestABodyWithoutATypeIsRefusedBeforeTheHandler(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/a"))
	assert.Equal(t, call(h, "POST", "/api/auth/a", "x=1").Code, 415)
	assert.Equal(t, call(h, "POST", "/api/auth/a", "").Code, 200)
}

func TestRequestsOfOuterMiddlewareStayAsTheyAreWithoutALoggerToo(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Logger = nil
	h := assert.Must(route.Table{entry("GET", "/a/{id}")}.Handler(cfg))(t)
	r := httptest.NewRequest("GET", "/a/b", nil).WithContext(context.Background())
	r.Pattern = "outer"
	h.ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, r.Pattern+r.PathValue("id"), "outer")
}

// raw sends text as it is to a server and returns all that comes back.
func raw(t *testing.T, url, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	assert.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	assert.NoError(t, err)
	out, err := io.ReadAll(conn)
	assert.NoError(t, err)
	return string(out)
}

func TestAnswersOnTheWire(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(mount(t, config(),
		entry("POST", "/echo", guarded(route.JSON), func(r *route.Route) { r.MaxBody = 64 }),
		entry("GET", "/hint", func(r *route.Route) {
			r.Handler = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				panic("after a hint")
			}
		}),
	))
	defer srv.Close()
	chunk := "40\r\n" + `{"token":"` + strings.Repeat("a", 54) + "\r\n"
	for name, c := range map[string]struct{ request, status, holds string }{
		"a panic after a hint is a problem":  {"GET /api/auth/hint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 500", "INTERNAL_SERVER_ERROR"},
		"HTTP/1.0 without a host":            {"POST /api/auth/echo HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"token\":\"t\"}", "HTTP/1.0 200", `{"token":"t"}`},
		"chunks beyond the bound":            {"POST /api/auth/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "0\r\n\r\n", "HTTP/1.1 413", "PAYLOAD_TOO_LARGE"},
		"a length beyond the bound":          {"POST /api/auth/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n", "HTTP/1.1 413", "PAYLOAD_TOO_LARGE"},
		"another method in a header":         {"POST /api/auth/hint HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405", "METHOD_NOT_ALLOWED"},
		"an absolute form of another host":   {"GET http://evil.example/api/auth/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "NOT_FOUND"},
		"an encoded slash is no path's":      {"GET /api/auth/%2Fhint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "NOT_FOUND"},
		"an encoded letter is no spelling":   {"GET /api/auth/h%69nt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "NOT_FOUND"},
		"a slash at the end is another path": {"GET /api/auth/hint/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404", "NOT_FOUND"},
	} {
		out := raw(t, srv.URL, c.request)
		if i := strings.Index(out, "103 Early Hints"); i >= 0 {
			_, out, _ = strings.Cut(out, "\r\n\r\n")
		}
		assert.True(t, strings.HasPrefix(out, c.status) && strings.Contains(out, c.holds), name+": "+out)
	}
}

func TestR26_WhatTwoParsersWouldReadDifferentlyIsRefused(t *testing.T) {
	t.Parallel()
	type anything struct {
		Opaque any     `json:"opaque"`
		Number int     `json:"number"`
		Float  float64 `json:"float"`
		Text   string  `json:"text"`
	}
	take := func(w http.ResponseWriter, r *http.Request) {
		if err := route.Decode(r, &anything{}); err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}
	h := mount(t, config(), entry("POST", "/a", func(r *route.Route) { r.Handler = take }))
	for body, want := range map[string]int{
		`{"text":"a"}`:                   200,
		`{"opaque":{"a":[{"b":1e3}]}}`:   200,
		`{"text":"a","te\u0078t":"b"}`:   418, // the same name by an escape
		`{"opaque":{"a":1,"\u0061":2}}`:  418, // as deep as that
		`{"opaque":[[{"a":1,"a":1}]]}`:   418,
		"\ufeff" + `{"text":"a"}`:        418, // a byte order mark
		`{"text":"a"}{"text":"b"}`:       418,
		`{"text":"a"} null`:              418,
		`{"Text":"a"}`:                   418, // encoding/json would take it
		`{"number":1e2}`:                 418,
		`{"number":1.0}`:                 418,
		`{"number":-0.5}`:                418,
		`{"number":9223372036854775808}`: 418,
		`{"float":1e400}`:                418,
		`{"opaque":1e400}`:               418,
		`{"text":"\ud800"}`:              418,
		`{"opaque":{"\udc00":1}}`:        418,
		`{"text":null}`:                  418,
		`{"text":"a",}`:                  418,
		`{"opaque":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`: 200,
		`{"opaque":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`: 418,
		"{\"text\":\"\xff\"}": 418,
		"{\"text\":\"a\tb\"}": 418,
	} {
		assert.Equal(t, body+" "+http.StatusText(call(h, "POST", "/api/auth/a", body, "Content-Type", jsonType).Code), body+" "+http.StatusText(want))
	}
}
