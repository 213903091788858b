package transitkms_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/crypto/transitkms"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func (tr *transit) kms(t *testing.T, key string) *transitkms.KMS {
	t.Helper()
	cfg := transitkms.Config{Address: tr.server.URL, Key: key, Token: transitkms.StaticToken(rootToken)}
	return assert.Must(transitkms.New(cfg))(t)
}

func TestTransitKMS(t *testing.T) {
	t.Parallel()
	cryptotest.TestKMS(t, func(t *testing.T) cryptotest.KMSEnv {
		tr := newTransit(t)
		return cryptotest.KMSEnv{
			KMS: tr.kms(t, "tenon"), Other: tr.kms(t, "other"),
			Rotate: func() { tr.rotate("tenon") }, Break: tr.server.Close,
		}
	})
}

func TestKeyringOverTransit(t *testing.T) {
	t.Parallel()
	tr, store := newTransit(t), cryptotest.NewFake()
	f := crypto.Column{Purpose: crypto.PurposeData, Table: "things", Column: "secret"}.Field("1", "")
	k := assert.Must(crypto.New(store, crypto.Config{KMS: tr.kms(t, "tenon")}))(t)
	assert.NoError(t, k.Init(t.Context()))
	sealed, err := k.Seal(t.Context(), f, []byte("x"))
	assert.NoError(t, err)
	tr.rotate("tenon")
	seen := len(tr.requests())
	report, err := k.RewrapKEK(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.RewrapReport{Rewrapped: 3})
	for _, request := range tr.requests()[seen:] {
		assert.NotContains(t, request, "decrypt")
	}
	again := assert.Must(crypto.New(store, crypto.Config{KMS: tr.kms(t, "tenon")}))(t)
	got, err := again.Open(t.Context(), f, sealed)
	assert.NoError(t, err)
	assert.Equal(t, string(got), "x")
}

// TestNoKeyIsMade: transit makes a missing key on encrypt, so the adapter must not get that far (R28).
func TestR28_NoKeyIsMadeInTransit(t *testing.T) {
	t.Parallel()
	tr := newTransit(t)
	_, err := tr.kms(t, "misspelt").Wrap(t.Context(), make([]byte, 32), map[string]string{"id": "1"})
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	assert.True(t, tr.keys["misspelt"] == nil, "a key was made in silence")
}

func TestAKeyThatIsNotDerivedIsRefused(t *testing.T) {
	t.Parallel()
	kms := newTransit(t).kms(t, "plain")
	_, err := kms.Wrap(t.Context(), make([]byte, 32), map[string]string{"id": "1"})
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	_, err = kms.Version(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
}

func TestAnswersAreSorted(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		200: crypto.ErrKMSRefused, // the body is none of the API's
		204: crypto.ErrKMSRefused, 400: crypto.ErrKMSRefused, 403: crypto.ErrKMSRefused, 404: crypto.ErrKMSRefused,
		302: crypto.ErrKMSUnavailable, 307: crypto.ErrKMSUnavailable, 412: crypto.ErrKMSUnavailable,
		429: crypto.ErrKMSUnavailable, 500: crypto.ErrKMSUnavailable, 502: crypto.ErrKMSUnavailable,
		503: crypto.ErrKMSUnavailable,
	} {
		tr := newTransit(t)
		kms := tr.kms(t, "tenon")
		w, err := kms.Wrap(t.Context(), make([]byte, 32), nil)
		assert.NoError(t, err)
		tr.override(func(w http.ResponseWriter) {
			w.Header().Set("Location", "/v1/elsewhere")
			w.WriteHeader(status)
		})
		before := len(tr.requests())
		_, err = kms.Unwrap(t.Context(), w, nil)
		assert.ErrorIs(t, err, want)
		assert.Equal(t, len(tr.requests()), before+1) // no redirect was followed
		if errors.Is(want, crypto.ErrKMSUnavailable) {
			assert.Equal(t, problem.KindOf(err), problem.Unavailable)
		}
	}
}

func TestStrangeAnswersAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "null", "[]", "{}", `{"data":{}}`, `{"data":{"plaintext":"?","ciphertext":"?"}}`, `{"data":{"latest_version":"1"}}`,
		`{"data":{"latest_version":0,"derived":true,"ciphertext":"vault:v0:AA=="}}`, `{"data":{"ciphertext":"plain"}}`,
		`{"data":{"plaintext":"AA==","latest_version":1,"derived":true,"ciphertext":"vault:v1:AA=="}}` + strings.Repeat(" ", 65<<10),
	} {
		tr := newTransit(t)
		kms := tr.kms(t, "tenon")
		w, err := kms.Wrap(t.Context(), make([]byte, 32), nil)
		assert.NoError(t, err)
		tr.override(func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) })
		_, err = kms.Unwrap(t.Context(), w, nil)
		assert.ErrorIs(t, err, crypto.ErrKMSRefused)
		_, err = kms.Rewrap(t.Context(), w, nil)
		assert.ErrorIs(t, err, crypto.ErrKMSRefused)
		_, err = kms.Version(t.Context())
		assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	}
}

func TestTokenAndNamespaceAreSent(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		assert.Equal(t, r.URL.Path, "/vault/v1/engines/transit/keys/tenon")
		_, _ = io.WriteString(w, `{"data":{"latest_version":3,"derived":true}}`)
	}))
	defer server.Close()
	cfg := transitkms.Config{
		Address: server.URL + "/vault/", Key: "tenon", Mount: "engines/transit", Namespace: "team/a",
		Token: transitkms.StaticToken("hvs.1"),
	}
	kms := assert.Must(transitkms.New(cfg))(t)
	version, err := kms.Version(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, version, "v3")
	assert.Equal(t, got.Get("X-Vault-Token"), "hvs.1")
	assert.Equal(t, got.Get("X-Vault-Namespace"), "team/a")
	assert.Equal(t, kms.URI(), "transit:team/a:engines/transit/tenon")
}

func TestTokenFailures(t *testing.T) {
	t.Parallel()
	tr := newTransit(t)
	cfg := transitkms.Config{Address: tr.server.URL, Key: "tenon", Token: transitkms.StaticToken("wrong")}
	_, err := assert.Must(transitkms.New(cfg))(t).Version(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	assert.NotContains(t, err.Error(), "wrong")
	cfg.Token = func(context.Context) (string, error) { return "", errors.New("agent is down") }
	_, err = assert.Must(transitkms.New(cfg))(t).Version(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	cfg := transitkms.Config{
		Address: server.URL, Key: "tenon", Token: transitkms.StaticToken(rootToken), Timeout: 10 * time.Millisecond,
	}
	kms := assert.Must(transitkms.New(cfg))(t)
	_, err := kms.Version(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := func() transitkms.Config {
		return transitkms.Config{Address: "https://vault.example.com", Key: "tenon", Token: transitkms.StaticToken("t")}
	}
	for _, address := range []string{
		"https://vault.example.com:8200", "http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200",
	} {
		cfg := good()
		cfg.Address = address
		_, err := transitkms.New(cfg)
		assert.NoError(t, err)
	}
	for name, spoil := range map[string]func(*transitkms.Config){
		"plain http":        func(c *transitkms.Config) { c.Address = "http://vault.example.com" },
		"looks like local":  func(c *transitkms.Config) { c.Address = "http://127.0.0.1.example.com" },
		"no address":        func(c *transitkms.Config) { c.Address = "" },
		"another scheme":    func(c *transitkms.Config) { c.Address = "ftp://vault" },
		"user in address":   func(c *transitkms.Config) { c.Address = "https://u:p@vault" },
		"query in address":  func(c *transitkms.Config) { c.Address = "https://vault?x=1" },
		"no key":            func(c *transitkms.Config) { c.Key = "" },
		"key is a path":     func(c *transitkms.Config) { c.Key = "a/b" },
		"key is dots":       func(c *transitkms.Config) { c.Key = ".." },
		"mount climbs":      func(c *transitkms.Config) { c.Mount = "../sys" },
		"namespace is text": func(c *transitkms.Config) { c.Namespace = "a b" },
		"no token":          func(c *transitkms.Config) { c.Token = nil },
		"negative timeout":  func(c *transitkms.Config) { c.Timeout = -1 },
	} {
		cfg := good()
		spoil(&cfg)
		_, err := transitkms.New(cfg)
		assert.True(t, errors.Is(err, crypto.ErrInvalid), name)
	}
	open := good()
	open.Address, open.InsecureHTTP = "http://vault.example.com", true
	_, err := transitkms.New(open)
	assert.NoError(t, err)
}
