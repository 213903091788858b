package jwt_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/jwt"
)

const thirdParty = "https://api.example.org"

func (w *world) serve(t testing.TB, cfg jwt.HandlerConfig, method, target string, p *principal.Principal) *httptest.ResponseRecorder {
	t.Helper()
	h := assert.Must(jwt.NewHandler(w.Service, cfg))(t)
	ctx := t.Context()
	if p != nil {
		ctx = principal.NewContext(ctx, p)
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, method, target, nil))
	return recorder
}

func user() *principal.Principal {
	return &principal.Principal{UserID: "user-1", SessionID: "session-1"}
}

func TestGETjwks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedKey(t))
	assert.NoError(t, w.Init(t.Context()))
	got := w.serve(t, jwt.HandlerConfig{}, http.MethodGet, "/jwks", nil)
	assert.Equal(t, got.Code, http.StatusOK)
	assert.Equal(t, got.Body.String(), goldenJWKS)
	assert.Equal(t, got.Header().Get("Content-Type"), "application/json")
	// A copy of the key set must be thrown away long before the key after the next signs.
	assert.Equal(t, got.Header().Get("Cache-Control"), "public, max-age=900")
	head := w.serve(t, jwt.HandlerConfig{}, http.MethodHead, "/jwks", nil)
	assert.Equal(t, head.Code, http.StatusOK)
	assert.Equal(t, head.Body.Len(), 0)
	assert.Equal(t, w.serve(t, jwt.HandlerConfig{}, http.MethodGet, "/jwks?kid=x", nil).Code, http.StatusUnprocessableEntity)
	assert.Equal(t, w.serve(t, jwt.HandlerConfig{}, http.MethodPost, "/jwks", nil).Code, http.StatusMethodNotAllowed)
}

// R23: a GET makes no key. And nobody must remember that there was none.
func TestR23_TheKeySetBeforeTheFirstKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.serve(t, jwt.HandlerConfig{}, http.MethodGet, "/jwks", nil)
	assert.Equal(t, got.Code, http.StatusOK)
	assert.Equal(t, strings.TrimSpace(got.Body.String()), `{"keys":[]}`)
	assert.Equal(t, got.Header().Get("Cache-Control"), "no-store")
	got = w.serve(t, jwt.HandlerConfig{ThirdPartyAudience: thirdParty}, http.MethodGet, "/token", user())
	assert.Equal(t, got.Code, http.StatusServiceUnavailable)
	assert.Len(t, w.keys(t, jwt.StateSigning), 0)
}

func TestTheKeySetDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.Fail(problem.ErrUnavailable)
	got := w.serve(t, jwt.HandlerConfig{}, http.MethodGet, "/jwks", nil)
	assert.Equal(t, got.Code, http.StatusServiceUnavailable)
	assert.Equal(t, got.Header().Get("Cache-Control"), "no-store")
}

func TestR16_GETtokenIsOptIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.NoError(t, w.Init(t.Context()))
	assert.Equal(t, w.serve(t, jwt.HandlerConfig{}, http.MethodGet, "/token", user()).Code, http.StatusNotFound)
	got := w.serve(t, jwt.HandlerConfig{ThirdPartyAudience: thirdParty}, http.MethodGet, "/token", user())
	assert.Equal(t, got.Code, http.StatusOK)
	assert.Equal(t, got.Header().Get("Cache-Control"), "no-store")
	var answer map[string]string
	assert.NoError(t, json.Unmarshal(got.Body.Bytes(), &answer))
	assert.Equal(t, len(answer), 1)
	refused(t, w.Service, "our own routes", answer["token"])
	_, body, _ := cut(answer["token"])
	var said map[string]any
	assert.NoError(t, json.Unmarshal(unb64(t, body), &said))
	now := float64(w.clock.Now().Unix())
	for name, want := range map[string]any{"iss": site, "aud": thirdParty, "sub": "user-1", "iat": now, "exp": now + 601} {
		assert.Equal(t, said[name], want)
	}
	assert.Equal(t, len(said), 6)
}

// R22: who impersonates must not become the user elsewhere. And a key's power does not become a session's.
func TestR22_WhoGetsNoTokenForAThirdParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.NoError(t, w.Init(t.Context()))
	for name, c := range map[string]struct {
		caller *principal.Principal
		want   int
	}{
		"nobody":           {nil, http.StatusUnauthorized},
		"a key":            {&principal.Principal{UserID: "u", APIKeyID: "k"}, http.StatusForbidden},
		"a key in session": {&principal.Principal{UserID: "u", APIKeyID: "k", SessionID: "s"}, http.StatusForbidden},
		"a company's key":  {&principal.Principal{APIKeyID: "k", OrganizationID: "o"}, http.StatusForbidden},
		"an impersonator":  {&principal.Principal{UserID: "u", SessionID: "s", ImpersonatorID: "a"}, http.StatusForbidden},
	} {
		got := w.serve(t, jwt.HandlerConfig{ThirdPartyAudience: thirdParty}, http.MethodGet, "/token", c.caller)
		if got.Code != c.want || strings.Contains(got.Body.String(), "ey") && strings.Contains(got.Body.String(), `"token"`) {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

func TestMaxAgeFollowsTheConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *jwt.Config) { cfg.JWKSMaxAge = time.Hour })
	assert.NoError(t, w.Init(t.Context()))
	got := w.serve(t, jwt.HandlerConfig{}, http.MethodGet, "/jwks", nil)
	assert.Equal(t, got.Header().Get("Cache-Control"), "public, max-age=3600")
}
