package outbound

import (
	"compress/gzip"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
)

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	return assert.Must(New(cfg))(t)
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	return assert.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))(t)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestFetchReturnsTheAnswer(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Kind", "teapot")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	})
	got := assert.Must(client(t, Config{Plain: true, Allow: loopback()}).Fetch(request(t, url), 15))(t)
	assert.Equal(t, got.Status, http.StatusTeapot)
	assert.Equal(t, got.Header.Get("X-Kind"), "teapot")
	assert.Equal(t, string(got.Body), "short and stout")
}

func TestTheStrictClientReachesNothingOfThisMachine(t *testing.T) {
	t.Parallel()
	called := false
	url := serve(t, func(http.ResponseWriter, *http.Request) { called = true })
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	c := client(t, Config{Plain: true})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "[::]"} {
		_, err := c.Fetch(request(t, "http://"+host+":"+port), 1)
		assert.Error(t, err)
		if host != "127.1" { // not an address to Go: its resolver asks for such a name
			assert.ErrorIs(t, err, ErrAddress)
		}
	}
	assert.False(t, called, "the server was reached")
}

func TestURLsAreHTTPSWithoutAUser(t *testing.T) {
	t.Parallel()
	strict, plain := client(t, Config{Allow: loopback()}), client(t, Config{Allow: loopback(), Plain: true})
	for _, u := range []string{"http://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://user:pass@127.0.0.1/"} {
		_, err := strict.Fetch(request(t, u), 1)
		assert.ErrorIs(t, err, ErrURL)
	}
	_, err := plain.Fetch(request(t, "http://user@127.0.0.1/"), 1)
	assert.ErrorIs(t, err, ErrURL)
}

func TestABodyOverTheLimitIsAnErrorNotAShorterBody(t *testing.T) {
	t.Parallel()
	bodies := map[string]http.HandlerFunc{
		"declared": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1001)) },
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			for range 1001 {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
			}
		},
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, strings.Repeat("x", 1001))
			_ = z.Close()
		},
	}
	for name, h := range bodies {
		url := serve(t, h)
		whole := client(t, Config{Plain: true, Allow: loopback(), MaxBody: 1001})
		got := assert.Must(whole.Fetch(request(t, url), 5000))(t)
		assert.Len(t, got.Body, 1001)
		_, err := whole.Fetch(request(t, url), 1000)
		assert.ErrorIs(t, err, ErrTooLarge)

		// The cap of the client holds for libraries that read by themselves.
		response, err := client(t, Config{Plain: true, Allow: loopback(), MaxBody: 1000}).HTTP().Do(request(t, url))
		if name != "declared" {
			assert.NoError(t, err)
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		assert.ErrorIs(t, err, ErrTooLarge)
	}
}

func TestASlowAnswerEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	part := make(chan struct{})
	t.Cleanup(func() { close(part) })
	for name, h := range map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) { hang(r, part) },
		"no end": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			hang(r, part)
		},
	} {
		url := serve(t, h)
		_, err := client(t, Config{Plain: true, Allow: loopback(), Timeout: 200 * time.Millisecond}).Fetch(request(t, url), 10)
		timeout := assert.ErrorAs[net.Error](t, err)
		assert.True(t, timeout.Timeout(), name)
	}
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { hang(r, part) })
	_, err := client(t, Config{Plain: true, Allow: loopback(), HeaderTimeout: 100 * time.Millisecond}).Fetch(request(t, url), 10)
	assert.True(t, assert.ErrorAs[net.Error](t, err).Timeout(), "the header's own time")
}

func hang(r *http.Request, part chan struct{}) {
	select {
	case <-r.Context().Done():
	case <-part:
	}
}

func TestRedirectsStayOnTheSameHostAndAreCounted(t *testing.T) {
	t.Parallel()
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "other") })
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/once":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/twice":
			http.Redirect(w, r, "/once", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other, http.StatusFound)
		default:
			_, _ = io.WriteString(w, "here")
		}
	})
	strict, one := client(t, Config{Plain: true, Allow: loopback()}), client(t, Config{Plain: true, Allow: loopback(), Redirects: 1})
	for _, path := range []string{"/once", "/away"} {
		_, err := strict.Fetch(request(t, url+path), 10)
		assert.ErrorIs(t, err, ErrRedirect)
	}
	assert.Equal(t, string(assert.Must(one.Fetch(request(t, url+"/once"), 10))(t).Body), "here")
	for _, path := range []string{"/twice", "/away"} {
		_, err := one.Fetch(request(t, url+path), 10)
		assert.ErrorIs(t, err, ErrRedirect)
	}
}

func TestTLSIsAtLeastOnePointTwo(t *testing.T) {
	t.Parallel()
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version} // #nosec G402 -- the server is the old one
		s.StartTLS()
		t.Cleanup(s.Close)
		pool := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		_, err := client(t, Config{Allow: loopback(), RootCAs: pool}).Fetch(request(t, s.URL), 1)
		assert.Equal(t, err == nil, ok)
		_, err = client(t, Config{Allow: loopback()}).Fetch(request(t, s.URL), 1)
		assert.Error(t, err) // a certificate of nobody we know
	}
}

func TestTheEnvironmentChoosesNoProxyAndTheConfigMay(t *testing.T) {
	seen := make(chan string, 2)
	proxy := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.URL.Host })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	direct := serve(t, func(http.ResponseWriter, *http.Request) {})
	_ = assert.Must(client(t, Config{Plain: true, Allow: loopback()}).Fetch(request(t, direct), 1))(t)
	assert.Equal(t, len(seen), 0)

	through := client(t, Config{Plain: true, Allow: loopback(), Proxy: assert.Must(url.Parse(proxy))(t)})
	_ = assert.Must(through.Fetch(request(t, "http://idp.example/x"), 1))(t)
	assert.Equal(t, <-seen, "idp.example")
	_, err := through.Fetch(request(t, "http://169.254.169.254/latest"), 1)
	assert.ErrorIs(t, err, ErrAddress)
	_, err = client(t, Config{Plain: true, Proxy: assert.Must(url.Parse(proxy))(t)}).Fetch(request(t, "http://idp.example/x"), 1)
	assert.ErrorIs(t, err, ErrAddress)
}

func TestErrorsDoNotQuoteTheURL(t *testing.T) {
	t.Parallel()
	_, err := client(t, Config{Plain: true}).Fetch(request(t, "http://127.0.0.1:1/path?access_token=hush"), 1)
	assert.Error(t, err)
	assert.NotContains(t, err.Error(), "hush")
	assert.Contains(t, err.Error(), "127.0.0.1:1")
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{Timeout: -1},
		{DialTimeout: -1},
		{TLSTimeout: -1},
		{HeaderTimeout: -1},
		{MaxBody: -1},
		{Redirects: -1},
		{Redirects: 11},
		{Allow: []netip.Prefix{{}}},
		{Proxy: &url.URL{Scheme: "socks5", Host: "h"}},
		{Proxy: &url.URL{Scheme: "http"}},
	} {
		_, err := New(cfg)
		assert.ErrorIs(t, err, ErrConfig)
	}
}
