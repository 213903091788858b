package provider_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func TestEveryAllowedAlgorithmVerifies(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	assert.NoError(t, err)
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{
		jose.RS256: assert.Must(rsaKey())(t), jose.PS384: assert.Must(rsaKey())(t), jose.ES256: newKey(t),
		jose.ES512: assert.Must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))(t), jose.EdDSA: ed,
	} {
		i := newIDP(t)
		i.alg, i.signer = alg, key
		i.claims = func(c map[string]any) { delete(c, "at_hash") }
		c := i.client(t)
		_ = assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t)

		// What the configuration does not name is refused, whatever the provider publishes.
		strict := i.client(t, func(p *provider.Provider) { p.Algorithms = []string{"ES384"} })
		_, err := strict.Exchange(t.Context(), i.authorize(t, strict))
		assert.ErrorIs(t, err, provider.ErrAlgorithm)
	}
}

func TestHS256IsForThoseWhoAskForItAlone(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	hs := func(p *provider.Provider) { p.Algorithms = []string{"HS256"} }
	i.sign = func(payload []byte) string { return signed([]byte(secret), jose.HS256, "", nil, payload) }
	c := i.client(t, hs)
	_ = assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t)
	assert.Equal(t, i.Called("/keys"), 0)
	i.sign = func(payload []byte) string {
		return signed([]byte(strings.Repeat("guess", 7)), jose.HS256, "", nil, payload)
	}
	_, err := c.Exchange(t.Context(), i.authorize(t, c))
	assert.ErrorIs(t, err, provider.ErrSignature)
	i.sign = nil
	_, err = c.Exchange(t.Context(), i.authorize(t, c))
	assert.ErrorIs(t, err, provider.ErrAlgorithm)
}

func TestLeewayIsForClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]int64{
		"exp": at().Add(-59 * time.Second).Unix(), "iat": at().Add(59 * time.Second).Unix(), "nbf": at().Add(59 * time.Second).Unix(),
	} {
		i := newIDP(t)
		claim(name, value)(t, i)
		c := i.client(t)
		_, err := c.Exchange(t.Context(), i.authorize(t, c))
		assert.NoError(t, err)
	}
}

func TestSeveralAudiencesNeedTheirParty(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	i.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"account", clientID}, clientID } // as Keycloak does
	c := i.client(t)
	_, err := c.Exchange(t.Context(), i.authorize(t, c))
	assert.NoError(t, err)
}

func TestKeysAreReadAgainForAKeyThatIsNewAndNotForEveryLie(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	exchange := func() error { _, err := c.Exchange(t.Context(), i.authorize(t, c)); return err }
	assert.NoError(t, exchange())
	i.signer, i.kid = newKey(t), "key-2"
	assert.ErrorIs(t, exchange(), provider.ErrUnknownKey) // just read
	i.advance(10 * time.Second)
	assert.NoError(t, exchange())
	assert.Equal(t, i.Called("/keys"), 2)

	i.header = nil
	known := i.kid
	i.sign = func(p []byte) string { return signed(i.signer, i.alg, "nobody's", nil, p) }
	for range 5 {
		assert.ErrorIs(t, exchange(), provider.ErrUnknownKey)
	}
	assert.Equal(t, i.Called("/keys"), 2)
	i.advance(10 * time.Second)
	for range 5 {
		assert.ErrorIs(t, exchange(), provider.ErrUnknownKey)
	}
	assert.Equal(t, i.Called("/keys"), 3)

	// A key that is withdrawn stops to sign after an hour.
	i.sign = func(p []byte) string { return signed(i.signer, i.alg, known, nil, p) }
	i.handlers["/keys"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, jose.JSONWebKeySet{}) }
	i.advance(59 * time.Minute)
	assert.NoError(t, exchange())
	i.advance(time.Minute)
	assert.ErrorIs(t, exchange(), provider.ErrUnknownKey)
}

func TestAnOutageIsNoVerdictAndPasses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/keys", "/.well-known/openid-configuration", "/userinfo", "/token"} {
		i := newIDP(t)
		i.claims = func(c map[string]any) { c["email"] = nil }
		c := i.client(t)
		cb := i.authorize(t, i.client(t))
		i.handlers[path] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
		got, err := c.Exchange(t.Context(), cb)
		assert.ErrorIs(t, err, provider.ErrUnavailable)
		assert.Equal(t, got, provider.SignIn{})
		delete(i.handlers, path)
		i.advance(time.Second)
		_, err = c.Exchange(t.Context(), cb)
		assert.NoError(t, err)
	}
	i := newIDP(t)
	c := i.client(t)
	cb := i.authorize(t, c)
	i.Close()
	_, err := c.Exchange(t.Context(), cb)
	assert.ErrorIs(t, err, provider.ErrUnavailable)
}

func TestConcurrentSignInsReadTheKeysOnce(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	cb := i.authorize(t, c)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			_, err := c.Exchange(t.Context(), cb)
			assert.True(t, err == nil, "refused")
		})
	}
	group.Wait()
	assert.Equal(t, i.Called("/keys"), 1)
}

// TestImpatienceOfOneFailsNobodyElse: a caller that leaves says nothing about the
// provider.
func TestImpatienceOfOneFailsNobodyElse(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	cb := i.authorize(t, c)
	ctx, leave := context.WithCancel(t.Context())
	i.handlers["/keys"] = func(w http.ResponseWriter, r *http.Request) {
		if i.Called("/keys") == 1 {
			leave()
			<-r.Context().Done()
			return
		}
		reply(w, http.StatusOK, i.jwks())
	}
	_, err := c.Exchange(ctx, cb)
	assert.ErrorIs(t, err, provider.ErrUnavailable)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = c.Exchange(t.Context(), cb)
	assert.NoError(t, err)
}

func TestKeysThatCannotCheckATokenAreLeftOut(t *testing.T) {
	t.Parallel()
	short := assert.Must(rsa.GenerateKey(rand.Reader, 1024))(t)
	private := newKey(t)
	for name, keys := range map[string][]any{
		"short RSA":      {jose.JSONWebKey{Key: &short.PublicKey, KeyID: "key-1"}},
		"private":        {jose.JSONWebKey{Key: private, KeyID: "key-1"}},
		"for encryption": {jose.JSONWebKey{Key: private.Public(), KeyID: "key-1", Use: "enc"}},
		"symmetric":      {map[string]any{"kty": "oct", "k": "c2VjcmV0", "kid": "key-1"}},
		"other alg":      {jose.JSONWebKey{Key: private.Public(), KeyID: "key-1", Algorithm: "ES384"}},
		"unknown kind":   {map[string]any{"kty": "LMS", "kid": "key-1"}},
		"two of one id": {
			jose.JSONWebKey{Key: private.Public(), KeyID: "key-1"}, jose.JSONWebKey{Key: newKey(t).Public(), KeyID: "key-1"},
		},
	} {
		i := newIDP(t)
		i.signer = private
		if name == "short RSA" {
			i.signer, i.alg = short, jose.RS256
		}
		i.handlers["/keys"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, map[string]any{"keys": keys}) }
		c := i.client(t)
		_, err := c.Exchange(t.Context(), i.authorize(t, c))
		assert.ErrorIs(t, err, provider.ErrInvalidIDToken)
	}
}

// TestR20_NativeTokensAreForUsFreshAndAnswerOurNonce is sign-in with an ID token
// that an app brings.
func TestR20_NativeTokensAreForUsFreshAndAnswerOurNonce(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t, func(p *provider.Provider) { p.NativeClients = []string{"ios-app"} })
	mint := func(change map[string]any) token.Secret {
		claims := map[string]any{
			"iss": i.URL, "sub": subject, "aud": clientID, "iat": at().Unix(), "exp": at().Add(5 * time.Minute).Unix(),
			"at_hash": hashOf(accessToken),
		}
		for name, value := range change {
			claims[name] = value
		}
		claims["nonce"] = map[bool]any{true: change["nonce"], false: "n"}[change["nonce"] != nil]
		return token.NewSecret(signed(i.signer, i.alg, i.kid, nil, assert.Must(json.Marshal(claims))(t)))
	}
	verify := func(change map[string]any) (provider.Verified, error) {
		return c.VerifyIDToken(t.Context(), provider.NativeToken{IDToken: mint(change), Nonce: "n", AccessToken: token.NewSecret(accessToken)})
	}
	got := assert.Must(verify(map[string]any{"aud": "ios-app", "azp": "ios-app", "nonce": hexHash("n")}))(t)
	assert.Equal(t, got.Subject, subject)
	assert.Equal(t, got.IssuedAt, at())
	assert.Equal(t, got.ExpiresAt, at().Add(5*time.Minute))
	_ = assert.Must(verify(map[string]any{"iat": at().Add(-11 * time.Minute).Unix()}))(t)
	for _, m := range []struct {
		change map[string]any
		want   error
	}{
		{map[string]any{"iat": at().Add(-11*time.Minute - time.Second).Unix()}, provider.ErrIssuedAt},
		{map[string]any{"aud": "android-app"}, provider.ErrAudience},
		{map[string]any{"azp": "android-app"}, provider.ErrAuthorizedParty},
		{map[string]any{"iss": "https://evil.example"}, provider.ErrIssuer},
		{map[string]any{"nonce": "m"}, provider.ErrNonce},
		{map[string]any{"nonce": hexHash(hexHash("n"))}, provider.ErrNonce},
		{map[string]any{"at_hash": hashOf("other")}, provider.ErrAccessTokenHash},
		{map[string]any{"padding": strings.Repeat("x", provider.MaxToken)}, provider.ErrMalformed},
	} {
		none, err := verify(m.change)
		assert.ErrorIs(t, err, provider.ErrInvalidIDToken)
		assert.ErrorIs(t, err, m.want)
		assert.Equal(t, none, provider.Verified{})
	}
	_, err := c.VerifyIDToken(t.Context(), provider.NativeToken{IDToken: mint(nil)})
	assert.ErrorIs(t, err, provider.ErrRequest)
	for _, p := range []provider.Provider{provider.GitHub(clientID, token.NewSecret(secret)), provider.LinkedIn(clientID, token.NewSecret(secret))} {
		_, err = assert.Must(provider.New(p, i.config()))(t).VerifyIDToken(t.Context(), provider.NativeToken{IDToken: mint(nil), Nonce: "n"})
		assert.ErrorIs(t, err, provider.ErrUnsupported)
	}
}

// TestCVE202530204_DotsCostNoMemory: a megabyte of dots is refused before it is
// split.
func TestCVE202530204_DotsCostNoMemory(t *testing.T) {
	i := newIDP(t)
	c := i.client(t)
	for _, raw := range []string{strings.Repeat(".", 1<<20), strings.Repeat("a.", 1<<19), strings.Repeat("a", 1<<20)} {
		native := provider.NativeToken{IDToken: token.NewSecret(raw), Nonce: "n"}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.VerifyIDToken(t.Context(), native)
		runtime.ReadMemStats(&after)
		assert.ErrorIs(t, err, provider.ErrMalformed)
		allocated := after.TotalAlloc - before.TotalAlloc
		assert.True(t, allocated < 64<<10, "memory for a refusal")
	}
	assert.Equal(t, i.asked(), 0)
}

// TestEveryPrefixAndExtensionOfATokenIsRefused is CVE-2026-27840.
func TestEveryPrefixAndExtensionOfATokenIsRefused(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	whole := i.IDToken("n")
	try := func(raw string) error {
		_, err := c.VerifyIDToken(t.Context(), provider.NativeToken{IDToken: token.NewSecret(raw), Nonce: "n"})
		return err
	}
	assert.NoError(t, try(whole))
	for n := range whole {
		assert.ErrorIs(t, try(whole[:n]), provider.ErrInvalidIDToken)
	}
	for _, more := range []string{".", "A", "=", " ", "\n", whole} {
		assert.ErrorIs(t, try(whole+more), provider.ErrInvalidIDToken)
		assert.ErrorIs(t, try(more+whole), provider.ErrInvalidIDToken)
	}
}
