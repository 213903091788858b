package breach_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/password/breach"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

var _ password.Breaches = (*breach.Range)(nil)

const secret = "correct horse battery staple"

// service is a stand-in for the range service.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
}

func serve(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func text(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Join(lines, "\r\n")) }
}

// digest returns the two parts of the hash.
func digest(password string) (prefix, suffix string) {
	sum := sha1.Sum([]byte(password))
	s := strings.ToUpper(hex.EncodeToString(sum[:]))
	return s[:5], s[5:]
}

func newRange(t *testing.T, s *service, cfg breach.Config) *breach.Range {
	t.Helper()
	if s != nil {
		cfg.URL = s.URL + "/range/"
	}
	r, err := breach.New(cfg)
	assert.NoError(t, err)
	return r
}

// skipUnderFIPS skips what needs SHA-1.
func skipUnderFIPS(t testing.TB) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("FIPS 140 refuses SHA-1")
	}
}

const other = "0018A45C4D1DEF81644B54AB7F969B88D65"

func TestASVS6212AStolenPasswordIsRecognised(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	prefix, suffix := digest(secret)
	for name, c := range map[string]struct {
		lines []string
		least int
		want  bool
	}{
		"found":          {[]string{other + ":7", suffix + ":1"}, 0, true},
		"found, often":   {[]string{suffix + ":52256179"}, 0, true},
		"lower case":     {[]string{strings.ToLower(suffix) + ":3"}, 0, true},
		"not found":      {[]string{other + ":7"}, 0, false},
		"padding":        {[]string{other + ":7", suffix + ":0"}, 0, false},
		"only padding":   {[]string{other + ":0"}, 0, false},
		"too rare":       {[]string{suffix + ":9"}, 10, false},
		"often enough":   {[]string{suffix + ":10"}, 10, true},
		"a line at end":  {[]string{suffix + ":1", ""}, 0, true},
		"twice, padding": {[]string{suffix + ":4", suffix + ":0"}, 0, true},
	} {
		s := serve(t, text(c.lines...))
		got, err := newRange(t, s, breach.Config{OnOutage: breach.FailClosed, Least: c.least}).Breached(t.Context(), secret)
		assert.NoError(t, err)
		assert.True(t, got == c.want, name)
		assert.Equal(t, len(s.asked), 1)
		assert.Equal(t, s.asked[0].Method+" "+s.asked[0].RequestURI, "GET /range/"+prefix)
		assert.Equal(t, s.asked[0].Header.Get("Add-Padding"), "true")
		assert.True(t, s.asked[0].Header.Get("User-Agent") != "", "the service wants a User-Agent")
	}
}

// dump returns all of a request that went out.
func dump(r *http.Request) string {
	var b bytes.Buffer
	_ = r.Write(&b)
	return strings.ToUpper(b.String())
}

func TestNeitherPasswordNorHashLeavesOrIsLogged(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	prefix, suffix := digest(secret)
	var log bytes.Buffer
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	open := newRange(t, s, breach.Config{OnOutage: breach.FailOpen, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	found, err := open.Breached(t.Context(), secret)
	assert.NoError(t, err)
	assert.False(t, found, "an outage under FailOpen")
	assert.Contains(t, log.String(), "without a look-up")
	gone := serve(t, nil)
	gone.Close()
	_, failure := newRange(t, gone, breach.Config{OnOutage: breach.FailClosed}).Breached(t.Context(), secret)
	assert.ErrorIs(t, failure, breach.ErrOutage)
	for what, out := range map[string]string{"request": dump(s.asked[0]), "log": strings.ToUpper(log.String()), "error": strings.ToUpper(failure.Error())} {
		for _, part := range []string{strings.ToUpper(secret), "CORRECT", suffix, suffix[:8], prefix + suffix[:1]} {
			assert.True(t, !strings.Contains(out, part), what+" holds "+part)
		}
		if what != "request" {
			assert.True(t, !strings.Contains(out, prefix), what+" holds the digits that were asked for")
		}
	}
}

// trickle sends a line now and then until the client is gone.
func trickle(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, other+":1\r\n"); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// outages are the ways in which the service can fail to answer.
func outages(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	_, suffix := digest(secret)
	elsewhere := serve(t, text(other+":1"))
	huge := strings.Repeat(other+":1\r\n", 1<<15)
	// The byte after the last that is read falls into a count: what is left of the
	// line is one, too.
	cut := other + ":123\n" + strings.Repeat(other+":12345678\n", 1<<15)
	return map[string]http.HandlerFunc{
		"500":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"429":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"204":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"redirect":            func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"silent":              func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slow":                trickle,
		"huge":                text(huge),
		"huge, with a hit":    text(suffix+":1", huge),
		"huge, cut in a line": text(cut),
		"one endless line":    text(strings.Repeat("A", 1<<21)),
		"empty":               text(),
		"HTML":                text("<html>", "</html>"),
		"no count":            text(suffix),
		"empty count":         text(suffix + ":"),
		"negative":            text(suffix + ":-1"),
		"too many":            text(suffix + ":99999999999999999999"),
		"short hash":          text(suffix[1:] + ":1"),
		"no hash":             text("A" + strings.Repeat("<", 33) + "A:1"),
		"damaged after a hit": text(suffix+":1", "damage"),
		"blank line between":  text(other+":1", "", suffix+":1"),
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, other+":1\r\n")
			panic(http.ErrAbortHandler)
		},
	}
}

func TestAnOutageIsWhatTheHostChose(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	for name, answer := range outages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answer)
			// Long for a machine under load, short for the answers that never come.
			cfg := breach.Config{Timeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)}
			if name == "silent" || name == "slow" {
				cfg.Timeout = 50 * time.Millisecond
			}
			cfg.OnOutage = breach.FailClosed
			found, err := newRange(t, s, cfg).Breached(t.Context(), secret)
			assert.ErrorIs(t, err, breach.ErrOutage)
			assert.False(t, found, "an outage")
			err = password.Policy{Breaches: newRange(t, s, cfg)}.Check(t.Context(), password.Candidate{Password: secret})
			assert.Equal(t, problem.KindOf(err), problem.Unavailable)
			cfg.OnOutage = breach.FailOpen
			found, err = newRange(t, s, cfg).Breached(t.Context(), secret)
			assert.NoError(t, err)
			assert.False(t, found, "an outage")
			assert.NoError(t, password.Policy{Breaches: newRange(t, s, cfg)}.Check(t.Context(), password.Candidate{Password: secret}))
		})
	}
}

func TestAnEndedContextIsNoOutage(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := newRange(t, s, breach.Config{OnOutage: breach.FailOpen}).Breached(ctx, secret)
	assert.ErrorIs(t, err, context.Canceled)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheServiceIsHaveIBeenPwnedByDefault(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	asked := ""
	r := newRange(t, nil, breach.Config{OnOutage: breach.FailClosed, Transport: transport(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return nil, &net.OpError{Op: "dial", Err: errors.New("no network here")}
	})})
	_, err := r.Breached(t.Context(), "password")
	assert.ErrorIs(t, err, breach.ErrOutage)
	assert.Equal(t, asked, "https://api.pwnedpasswords.com/range/5BAA6")
}

func TestNewWantsTheFailModeChosen(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	for name, cfg := range map[string]breach.Config{
		"nothing":     {},
		"unknown":     {OnOutage: 3},
		"plain http":  {OnOutage: breach.FailOpen, URL: "http://example.com/range/"},
		"no slash":    {OnOutage: breach.FailOpen, URL: "https://example.com/range"},
		"query":       {OnOutage: breach.FailOpen, URL: "https://example.com/range/?x=/"},
		"credentials": {OnOutage: breach.FailOpen, URL: "https://a:b@example.com/"},
		"other":       {OnOutage: breach.FailOpen, URL: "ftp://example.com/"},
		"no URL":      {OnOutage: breach.FailOpen, URL: ":"},
		"slow":        {OnOutage: breach.FailOpen, Timeout: time.Minute},
		"negative":    {OnOutage: breach.FailOpen, Timeout: -1},
		"least":       {OnOutage: breach.FailOpen, Least: -1},
	} {
		_, err := breach.New(cfg)
		assert.True(t, err != nil, name)
	}
	for _, base := range []string{"", "https://example.com/pwned/", "http://127.0.0.1:8080/", "http://[::1]/"} {
		_, err := breach.New(breach.Config{OnOutage: breach.FailClosed, URL: base})
		assert.NoError(t, err)
	}
}

func TestUnderFIPSTheAdapterSaysSo(t *testing.T) {
	t.Parallel()
	if !fips140.Enforced() {
		t.Skip("run with GODEBUG=fips140=only")
	}
	_, err := breach.New(breach.Config{OnOutage: breach.FailOpen})
	assert.ErrorIs(t, err, breach.ErrFIPS)
}

func FuzzAnswer(f *testing.F) {
	skipUnderFIPS(f)
	_, suffix := digest(secret)
	for _, s := range []string{"", suffix + ":1", suffix + ":0\r\n" + other + ":1", other + ":1\n\n", "x:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := breach.New(breach.Config{OnOutage: breach.FailClosed, Transport: transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
		})})
		assert.NoError(t, err)
		found, err := r.Breached(t.Context(), secret)
		if found && !strings.Contains(strings.ToUpper(body), suffix+":") {
			t.Fatalf("%q was taken for a hit", body)
		}
		if err != nil && strings.Contains(fmt.Sprint(err), suffix) {
			t.Fatalf("%v tells the hash", err)
		}
	})
}
