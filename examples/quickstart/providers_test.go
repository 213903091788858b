package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// newProvider publishes where its pages are. People who go there are the business of
// conformance/oidc.
func newProvider(t *testing.T) *httptest.Server {
	t.Helper()
	idp := httptest.NewUnstartedServer(nil)
	idp.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %[1]q, "authorization_endpoint": "%[1]s/authorize", "token_endpoint": "%[1]s/token",
			"jwks_uri": "%[1]s/keys"}`, idp.URL)
	})
	idp.Start()
	t.Cleanup(idp.Close)
	return idp
}

// withProvider is the command line with an identity provider.
func withProvider(t *testing.T, args ...string) options {
	t.Helper()
	o := assert.Must(parse(append([]string{
		"-base-url", site, "-keys", filepath.Join(t.TempDir(), "tenon.keys"), "-oidc-client-id", "quickstart",
	}, args...), io.Discard))(t)
	return o
}

func TestAProviderOfTheCommandLineIsOnThePages(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret.txt")
	assert.NoError(t, os.WriteFile(secret, []byte("from the provider\n"), 0o600))
	idp := newProvider(t)
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		o := withProvider(t, "-oidc-issuer", idp.URL, "-oidc-name", "Acme & Sons", "-oidc-client-secret-file", secret, "-allow-private-oidc")
		s := assert.Must(newServer(t.Context(), o, db, slog.New(slog.DiscardHandler)))(t)
		p := newPerson(t, s)
		_, page := p.send(http.MethodGet, site+"/", nil)
		assert.Contains(t, page, "Continue with Acme &amp; Sons")
		status, page := p.send(http.MethodPost, site+"/continue", url.Values{"provider": {oidcID}})
		assert.Equal(t, status, http.StatusOK)
		assert.Contains(t, page, "On to Acme &amp; Sons")
		assert.Contains(t, page, idp.URL+"/authorize?")
		status, page = p.send(http.MethodPost, site+"/continue", url.Values{"provider": {"other"}})
		assert.Equal(t, status, http.StatusNotFound)
		assert.Contains(t, page, "There is no sign-in with this service.")
	})
}

func TestAProviderInAPrivateNetworkHasToBeAllowed(t *testing.T) {
	t.Parallel()
	idp := newProvider(t)
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := assert.Must(newServer(t.Context(), withProvider(t, "-oidc-issuer", idp.URL), db, slog.New(slog.DiscardHandler)))(t)
		status, page := newPerson(t, s).send(http.MethodPost, site+"/continue", url.Values{"provider": {oidcID}})
		assert.Equal(t, status, http.StatusServiceUnavailable)
		assert.Contains(t, page, "cannot be reached at the moment")
		assert.Contains(t, page, "Continue with 127.0.0.1") // the page is the same again
	})
}

func TestAProviderOfTheCommandLineIsJudgedAtTheStart(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	assert.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		for _, args := range [][]string{
			{"-oidc-issuer", "http://sso.example"},
			{"-oidc-issuer", "https://sso.example", "-oidc-client-id", ""},
			{"-oidc-issuer", "https://sso.example", "-oidc-client-secret-file", empty},
			{"-oidc-issuer", "https://sso.example", "-oidc-client-secret-file", empty + ".not"},
			{"-oidc-issuer", "https://sso.example", "-oidc-domains", "Acme.example, "},
		} {
			_, err := newServer(t.Context(), withProvider(t, args...), db, slog.New(slog.DiscardHandler))
			assert.True(t, err != nil, "accepted")
		}
	})
}
