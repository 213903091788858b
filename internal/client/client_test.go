package client_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/problem"
)

// look sends r through the middleware and returns what the handler sees.
func look(t *testing.T, hops int, r *http.Request) client.Info {
	t.Helper()
	var info client.Info
	ok := false
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { info, ok = client.FromContext(r.Context()) })
	client.Middleware(hops)(next).ServeHTTP(httptest.NewRecorder(), r)
	assert.True(t, ok, "the middleware puts the info into the context")
	return info
}

// from makes a request that came from remote with X-Forwarded-For headers.
func from(remote string, forwarded ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	r.Header["X-Forwarded-For"] = forwarded
	r.Header.Set("X-Real-Ip", "66.66.66.66")
	r.Header.Set("Forwarded", "for=66.66.66.66")
	return r
}

func TestClientIPTrustsOnlyTheConfiguredHops(t *testing.T) {
	t.Parallel()
	const proxy = "10.0.0.1:443"
	for _, c := range []struct {
		hops int
		r    *http.Request
		want string
	}{
		{0, from("203.0.113.9:1234"), "203.0.113.9"},
		{0, from("203.0.113.9:1234", "1.1.1.1"), "203.0.113.9"},
		{-1, from("203.0.113.9:1234", "1.1.1.1"), "203.0.113.9"},
		{1, from(proxy, "203.0.113.9"), "203.0.113.9"},
		{1, from(proxy, "1.1.1.1, 203.0.113.9"), "203.0.113.9"},
		{1, from(proxy, "1.1.1.1", "203.0.113.9"), "203.0.113.9"},
		{2, from(proxy, "1.1.1.1,203.0.113.9 ,10.0.0.2"), "203.0.113.9"},
		{2, from(proxy, "203.0.113.9"), "10.0.0.1"},
		{1, from(proxy), "10.0.0.1"},
		{1, from(proxy, "203.0.113.9, unknown"), "10.0.0.1"},
		{1, from(proxy, "203.0.113.9,"), "10.0.0.1"},
		{1, from(proxy, "203.0.113.9:5555"), "203.0.113.9"},
		{1, from(proxy, "[2001:db8::1]:5555"), "2001:db8::1"},
		{1, from(proxy, "[2001:db8::1]"), "2001:db8::1"},
		{1, from(proxy, "::ffff:203.0.113.9"), "203.0.113.9"},
		{1, from(proxy, "fe80::1%eth0"), "fe80::1"},
		{0, from("[fe80::1%eth0]:80"), "fe80::1"},
		{0, from("[::ffff:203.0.113.9]:80"), "203.0.113.9"},
		{0, from("@"), "invalid IP"},
		{0, from(""), "invalid IP"},
		{1, from(proxy, strings.Repeat("1.1.1.1,", 1<<16)+"203.0.113.9"), "203.0.113.9"},
		{1 << 30, from(proxy, "203.0.113.9"), "10.0.0.1"},
	} {
		assert.Equal(t, look(t, c.hops, c.r).IP.String(), c.want)
	}
}

func TestIPv6CountsByNetwork(t *testing.T) {
	t.Parallel()
	six := client.Info{IP: netip.MustParseAddr("2001:db8:1:2ff:3::4")}
	assert.Equal(t, six.Prefix64().String(), "2001:db8:1:2ff::/64")
	assert.Equal(t, six.Prefix56().String(), "2001:db8:1:200::/56")
	assert.Equal(t, six.Prefix48().String(), "2001:db8:1::/48")
	four := client.Info{IP: netip.MustParseAddr("203.0.113.9")}
	assert.Equal(t, four.Prefix64().String()+" "+four.Prefix48().String(), "203.0.113.9/32 203.0.113.9/32")
	assert.Equal(t, client.Info{}.Prefix56(), netip.Prefix{})
}

func TestUserAgentCanBeStoredAndShown(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"":                                "",
		"Mozilla/5.0 (X11; Ünïcode)":      "Mozilla/5.0 (X11; Ünïcode)",
		"a\x00b\r\nc\x1b[31md\u0085e\x7f": "abc[31mde",
		"a\xffb\xc3":                      "ab",
		strings.Repeat("x", 600):          strings.Repeat("x", 512),
		strings.Repeat("ü", 600):          strings.Repeat("ü", 256),
		"x" + strings.Repeat("ü", 600):    "x" + strings.Repeat("ü", 255),
		strings.Repeat("x", 1<<20):        strings.Repeat("x", 512),
	} {
		r := from("203.0.113.9:1")
		r.Header["User-Agent"] = []string{sent}
		assert.Equal(t, look(t, 0, r).UserAgent, want)
	}
}

func TestRequestIDIsOurs(t *testing.T) {
	t.Parallel()
	var inside string
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = problem.RequestID(r.Context()) })
	seen := map[string]bool{}
	for range 3 {
		r := from("203.0.113.9:1")
		r.Header.Set("X-Request-Id", "theirs")
		w := httptest.NewRecorder()
		client.Middleware(0)(next).ServeHTTP(w, r)
		assert.Equal(t, w.Header().Get("X-Request-Id"), inside)
		assert.Equal(t, len(inside), 26)
		seen[inside] = true
	}
	assert.Equal(t, len(seen), 3)
}

func TestFromContextOutsideARequest(t *testing.T) {
	t.Parallel()
	_, ok := client.FromContext(t.Context())
	assert.False(t, ok, "an empty context has an info")
}

func FuzzClientIP(f *testing.F) {
	for _, seed := range []string{"", ",", "1.1.1.1", "[::1]:80,fe80::1%a b", "::ffff:1.2.3.4", "[[::1]]", "1.1.1.1:99999"} {
		f.Add(seed, 1, seed)
		f.Add(seed, 3, "10.0.0.1:443")
	}
	f.Fuzz(func(t *testing.T, list string, hops int, remote string) {
		r := from(remote, list)
		r.Header["User-Agent"] = []string{list}
		info := look(t, hops, r)
		assert.False(t, info.IP.Is4In6() || info.IP.Zone() != "", "the address has one form only")
		assert.True(t, len(info.UserAgent) <= 512 && utf8.ValidString(info.UserAgent), "the user agent is bounded text")
		assert.False(t, strings.ContainsFunc(info.UserAgent, unicode.IsControl), "the user agent has control characters")
		// What the client puts on the left changes nothing.
		if n := strings.Count(list, ","); hops > 0 && hops <= n+1 {
			again := look(t, hops, from(remote, "6.6.6.6,"+list))
			assert.Equal(t, again.IP, info.IP)
		}
	})
}
