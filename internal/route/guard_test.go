package route_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// body is what the guarded routes decode.
type body struct {
	Token string `json:"token"`
}

// echo decodes the body and says the token.
func echo(w http.ResponseWriter, r *http.Request) {
	var b body
	if err := route.Decode(r, &b); err != nil {
		problem.Write(w, r, err)
		return
	}
	route.WriteJSON(w, r, http.StatusOK, b)
}

func guarded(g route.Guard) func(*route.Route) {
	return func(r *route.Route) { r.Guard, r.Handler, r.Request = g, echo, body{} }
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

func TestR23_JSONTakesJSONOnly(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/a", guarded(0)))
	for _, c := range []struct {
		media, body string
		want        int
	}{
		{jsonType, `{"token":"t"}`, 200},
		{"Application/JSON; charset=UTF-8", `{"token":"t"}`, 200},
		{jsonType, ``, 200},
		{"", ``, 200},
		{jsonType, `{}`, 200},
		{jsonType, " \n", 200},
		{"", `{"token":"t"}`, 415},
		{"text/plain", `{"token":"t"}`, 415},
		{formType, `token=t`, 415},
		{"text/plain", ``, 415},
		{"application/json; charset=utf-16", `{}`, 415},
		{"application/problem+json", `{}`, 415},
		{"multipart/form-data; boundary=x", `{}`, 415},
		{"application/json, text/plain", `{}`, 415},
		{";", `{}`, 415},
	} {
		headers := []string{"Content-Type", c.media}
		if c.media == "" {
			headers = nil
		}
		w := call(h, "POST", "/api/auth/a", c.body, headers...)
		assert.Equal(t, c.media+c.body+http.StatusText(w.Code), c.media+c.body+http.StatusText(c.want))
	}
}

func TestJSONOfUnknownLengthWithoutTypeMayBeEmpty(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/a", guarded(route.JSON)))
	for body, want := range map[string]int{"": 200, "{}": 415} {
		r := httptest.NewRequest("POST", "/api/auth/a", io.NopCloser(strings.NewReader(body)))
		r.ContentLength = -1
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, w.Code, want)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	wide := func(r *route.Route) { r.MaxBody = 1 << 20 }
	h := mount(t, config(), entry("POST", "/a", guarded(route.JSON)), entry("POST", "/wide", guarded(route.JSON), wide),
		entry("POST", "/form", guarded(route.Form)))
	text := `{"token":"` + strings.Repeat("x", route.DefaultMaxBody) + `"}`
	for _, known := range []bool{true, false} {
		for target, want := range map[string]int{"/a": 413, "/wide": 422, "/form": 413} {
			media, sent := jsonType, text
			if target == "/form" {
				media, sent = formType, "token="+strings.Repeat("x", route.DefaultMaxBody)
			}
			r := httptest.NewRequest("POST", "/api/auth"+target, io.NopCloser(strings.NewReader(sent)))
			r.ContentLength = -1
			if known {
				r.ContentLength = int64(len(sent))
			}
			r.Header.Set("Content-Type", media)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, target+http.StatusText(w.Code), target+http.StatusText(want))
		}
	}
}

func TestDecodeIsBoundedOutsideATable(t *testing.T) {
	t.Parallel()
	w := call(http.HandlerFunc(echo), "POST", "/", `{"token":"`+strings.Repeat("x", route.DefaultMaxBody)+`"}`, "Content-Type", jsonType)
	assert.Equal(t, w.Code, 413)
	assert.Equal(t, call(http.HandlerFunc(echo), "POST", "/", `token=t`, "Content-Type", formType).Code, 415)
	assert.Equal(t, call(http.HandlerFunc(echo), "POST", "/", `{"token":"t"}`, "Content-Type", jsonType).Code, 200)
}

func TestR23_FormsComeFromOurOwnPagesWithTheirNonce(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/both", guarded(route.JSON|route.Form)), entry("POST", "/form", guarded(route.Form)))
	const good = "token=t+1&_nonce=good"
	for _, c := range []struct {
		body    string
		want    int
		headers []string
	}{
		{good, 200, []string{"Sec-Fetch-Site", "same-origin"}},
		{good, 200, []string{"Origin", own}},
		{good, 403, nil},
		{good, 403, []string{"Sec-Fetch-Site", "none"}},
		{good, 403, []string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.com"}},
		{good, 403, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://spa.example.net"}},
		{good, 403, []string{"Origin", "null"}},
		{"token=t", 403, []string{"Sec-Fetch-Site", "same-origin"}},
		{"token=t&_nonce=bad", 403, []string{"Sec-Fetch-Site", "same-origin"}},
		{"%zz", 400, []string{"Sec-Fetch-Site", "same-origin"}},
		{good + "&other=1", 422, []string{"Sec-Fetch-Site", "same-origin"}},
		{good + "&token=u", 422, []string{"Sec-Fetch-Site", "same-origin"}},
		{"token=%ff&_nonce=good", 422, []string{"Sec-Fetch-Site", "same-origin"}},
	} {
		for _, path := range []string{"/api/auth/both", "/api/auth/form"} {
			w := call(h, "POST", path, c.body, append(c.headers, "Content-Type", formType)...)
			assert.Equal(t, c.body+http.StatusText(w.Code), c.body+http.StatusText(c.want))
			if w.Code == 200 {
				assert.Equal(t, w.Body.String(), `{"token":"t 1"}`+"\n")
			}
		}
	}
	assert.Equal(t, call(h, "POST", "/api/auth/both", `{"token":"t"}`, "Content-Type", jsonType).Code, 200)
	assert.Equal(t, call(h, "POST", "/api/auth/form", `{"token":"t"}`, "Content-Type", jsonType).Code, 415)
}

func TestR23_RawGuardsLeaveTheBodyAlone(t *testing.T) {
	t.Parallel()
	raw := func(g route.Guard) func(*route.Route) {
		return func(r *route.Route) {
			r.Guard = g
			r.Handler = func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }
		}
	}
	h := mount(t, config(), entry("POST", "/signed", raw(route.Signed)), entry("POST", "/upload", raw(route.Upload)), entry("POST", "/provider", raw(route.Provider)))
	for _, path := range []string{"/signed", "/upload", "/provider"} {
		assert.Equal(t, call(h, "POST", "/api/auth"+path, "a=b\x00", "Content-Type", "x/y").Body.String(), "a=b\x00")
	}
	big := strings.Repeat("x", route.DefaultMaxBody+1)
	assert.Equal(t, call(h, "POST", "/api/auth/signed", big).Code, 413)
	assert.Equal(t, call(h, "POST", "/api/auth/upload", big).Body.Len(), len(big))
}

func TestR16_UnsafeRoutesRefuseOtherOrigins(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/a", guarded(route.JSON)), entry("GET", "/a"), entry("POST", "/signed", func(r *route.Route) { r.Guard = route.Signed }),
		entry("POST", "/callback", provider), entry("DELETE", "/a", guarded(route.JSON)))
	for _, c := range []struct {
		target string
		want   int
		header []string
	}{
		{"POST /a", 200, nil}, // not a browser
		{"POST /a", 200, []string{"Sec-Fetch-Site", "same-origin", "Origin", own}},
		{"POST /a", 200, []string{"Origin", own}}, // behind a proxy that rewrites Host
		{"POST /a", 200, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://spa.example.net"}},
		{"POST /a", 403, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}},
		{"POST /a", 403, []string{"Sec-Fetch-Site", "same-site"}},
		{"POST /a", 403, []string{"Origin", "https://evil.example"}},
		{"POST /a", 403, []string{"Origin", "http://spa.example.net"}},
		{"POST /a", 403, []string{"Origin", "null"}},
		{"DELETE /a", 403, []string{"Origin", "https://evil.example"}},
		{"POST /signed", 403, []string{"Origin", "https://evil.example"}},
		{"POST /callback", 200, []string{"Origin", "https://appleid.apple.com", "Sec-Fetch-Site", "cross-site"}},
		{"GET /a", 200, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}},
	} {
		method, path, _ := strings.Cut(c.target, " ")
		w := call(h, method, "/api/auth"+path, "", c.header...)
		assert.Equal(t, c.target+strings.Join(c.header, " ")+http.StatusText(w.Code), c.target+strings.Join(c.header, " ")+http.StatusText(c.want))
		if w.Code == 403 {
			assert.Contains(t, w.Body.String(), `"code":"INVALID_ORIGIN"`)
			assert.Equal(t, w.Header().Get("Content-Type"), problem.ContentType)
		}
	}
}

func TestCORSIsForTrustedOriginsOnly(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.AllowedHeaders = []string{"X-Host-Header"}
	h := mount(t, cfg, entry("POST", "/a", guarded(route.JSON)))
	const spa = "https://spa.example.net"
	for _, target := range []string{"POST /a", "GET /a", "GET /none", "OPTIONS /a"} {
		method, path, _ := strings.Cut(target, " ")
		w := call(h, method, "/api/auth"+path, "", "Origin", spa)
		assert.Equal(t, w.Header().Get("Access-Control-Allow-Origin"), spa)
		assert.Equal(t, w.Header().Get("Access-Control-Allow-Credentials"), "true")
		assert.Contains(t, w.Header().Get("Access-Control-Expose-Headers"), "Retry-After")
		for _, origin := range []string{own, "null", "https://evil.example", "https://spa.example.net.evil.example", "*", ""} {
			w := call(h, method, "/api/auth"+path, "", "Origin", origin, "Access-Control-Request-Method", "POST")
			for name := range w.Header() {
				assert.NotContains(t, name, "Access-Control")
			}
			assert.Contains(t, strings.Join(w.Header()["Vary"], " "), "Origin")
		}
	}
	w := call(h, "OPTIONS", "/api/auth/a", "", "Origin", spa, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	assert.Equal(t, w.Code, 204)
	assert.Equal(t, w.Header().Get("Access-Control-Allow-Methods"), "OPTIONS, POST")
	assert.Contains(t, w.Header().Get("Access-Control-Allow-Headers"), "Content-Type")
	assert.Contains(t, w.Header().Get("Access-Control-Allow-Headers"), "X-Host-Header")
	assert.Contains(t, strings.Join(w.Header()["Vary"], ", "), "Access-Control-Request-Headers")
}

func TestOriginsAreValidated(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://a.example", "http://localhost:3000", "https://A.example:443", "https://a.example/", "http://[::1]:80"} {
		_, err := route.Table{}.Handler(route.Config{TrustedOrigins: []string{good}})
		assert.NoError(t, err)
	}
	for _, bad := range []string{"", "*", "null", "a.example", "//a.example", "myapp://callback", "https://", "https://*.example", "https://a.example/path", "https://u@a.example", "https://a.example?x", "https://a.example#x", "https://a.example:x"} {
		_, err := route.Table{}.Handler(route.Config{TrustedOrigins: []string{bad}})
		assert.Error(t, err)
	}
	_, err := route.Table{}.Handler(route.Config{BaseURL: "app://x"})
	assert.Error(t, err)
	_, err = route.Table{}.Handler(route.Config{BaseURL: "https://a.example/app"})
	assert.NoError(t, err)
}
