package provider_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/outbound"
	"github.com/tenon-go/tenon/token"
)

// mutation is one lie of a hostile provider, or of whoever stands between.
type mutation struct {
	name   string
	bend   func(t *testing.T, i *idp)
	answer func(*provider.Callback) // what the browser brings
	public error
	reason error
}

func claim(name string, value any) func(*testing.T, *idp) {
	return func(_ *testing.T, i *idp) { i.claims = func(c map[string]any) { c[name] = value } }
}

func signer(sign func(t *testing.T, i *idp, payload []byte) string) func(*testing.T, *idp) {
	return func(t *testing.T, i *idp) { i.sign = func(payload []byte) string { return sign(t, i, payload) } }
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func hexHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func claimMutations() []mutation {
	bad := provider.ErrInvalidIDToken
	day := int64(24 * 60 * 60)
	return []mutation{
		{"issuer of somebody else", claim("iss", "https://evil.example"), nil, bad, provider.ErrIssuer},
		{"issuer with a slash more", func(_ *testing.T, i *idp) { i.claims = func(c map[string]any) { c["iss"] = i.URL + "/" } }, nil, bad, provider.ErrIssuer},
		{"no issuer", claim("iss", nil), nil, bad, provider.ErrIssuer},
		{"issuer in capitals", func(_ *testing.T, i *idp) {
			i.claims = func(c map[string]any) { c["ISS"], c["iss"] = c["iss"], nil }
		}, nil, bad, provider.ErrIssuer},
		{"audience of somebody else", claim("aud", "other"), nil, bad, provider.ErrAudience},
		{"no audience", claim("aud", nil), nil, bad, provider.ErrAudience},
		{"empty audience", claim("aud", []string{}), nil, bad, provider.ErrAudience},
		{"audience that begins like ours", claim("aud", clientID+"2"), nil, bad, provider.ErrAudience},
		{"party of somebody else", claim("azp", "other"), nil, bad, provider.ErrAuthorizedParty},
		{"party that is a number", claim("azp", 7), nil, bad, provider.ErrAuthorizedParty},
		{"two audiences and no party", claim("aud", []string{clientID, "other"}), nil, bad, provider.ErrAuthorizedParty},
		{"nonce of another flow", claim("nonce", "other"), nil, bad, provider.ErrNonce},
		{"no nonce", claim("nonce", nil), nil, bad, provider.ErrNonce},
		{"hash of the nonce", claim("nonce", hexHash("nonce-of-this-flow")), nil, bad, provider.ErrNonce},
		{"expired", claim("exp", at().Add(-61*time.Second).Unix()), nil, bad, provider.ErrExpired},
		{"no end", claim("exp", nil), nil, bad, provider.ErrExpired},
		{"end as text", claim("exp", "1999999999"), nil, bad, provider.ErrExpired},
		{"from the future", claim("iat", at().Add(61*time.Second).Unix()), nil, bad, provider.ErrIssuedAt},
		{"no time of issue", claim("iat", nil), nil, bad, provider.ErrIssuedAt},
		{"not valid yet", claim("nbf", at().Unix()+day), nil, bad, provider.ErrIssuedAt},
		// These two only go-oidc refuses.
		{"not valid before a text", claim("nbf", "tomorrow"), nil, bad, provider.ErrMalformed},
		{"not valid yet, as a text", claim("nbf", strconv.FormatInt(at().Unix()+day, 10)), nil, bad, provider.ErrMalformed},
		{"empty subject", claim("sub", ""), nil, bad, provider.ErrSubject},
		{"no subject", claim("sub", nil), nil, bad, provider.ErrSubject},
		{"subject of spaces", claim("sub", "  "), nil, provider.ErrProfile, provider.ErrSubject},
		{"subject with a line in it", claim("sub", "a\nb"), nil, provider.ErrProfile, provider.ErrSubject},
		{"endless subject", claim("sub", strings.Repeat("s", 256)), nil, provider.ErrProfile, provider.ErrSubject},
		{"hash of another access token", claim("at_hash", hashOf("other")), nil, bad, provider.ErrAccessTokenHash},
		{"hash of the access token as a number", claim("at_hash", 7), nil, bad, provider.ErrAccessTokenHash},
		{"claims that are no object", signer(func(_ *testing.T, i *idp, _ []byte) string {
			return signed(i.signer, i.alg, i.kid, nil, []byte(`["iss"]`))
		}), nil, bad, provider.ErrMalformed},
	}
}

func signatureMutations() []mutation {
	bad := provider.ErrInvalidIDToken
	return []mutation{
		{"alg none", signer(func(_ *testing.T, _ *idp, p []byte) string { return b64(`{"alg":"none"}`) + "." + b64(string(p)) + "." }), nil, bad, provider.ErrAlgorithm},
		{"alg None", signer(func(_ *testing.T, _ *idp, p []byte) string { return b64(`{"alg":"None"}`) + "." + b64(string(p)) + "." }), nil, bad, provider.ErrAlgorithm},
		{"HS256 with the public key", signer(func(t *testing.T, i *idp, p []byte) string {
			der := assert.Must(x509.MarshalPKIXPublicKey(i.signer.Public()))(t)
			return signed(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jose.HS256, i.kid, nil, p)
		}), nil, bad, provider.ErrAlgorithm},
		{"HS256 with the client secret", signer(func(_ *testing.T, i *idp, p []byte) string {
			return signed([]byte(secret), jose.HS256, i.kid, nil, p)
		}), nil, bad, provider.ErrAlgorithm},
		{"foreign key under its own id", signer(func(t *testing.T, i *idp, p []byte) string {
			return signed(newKey(t), i.alg, "foreign", nil, p)
		}), nil, bad, provider.ErrUnknownKey},
		{"foreign key under a known id", signer(func(t *testing.T, i *idp, p []byte) string {
			return signed(newKey(t), i.alg, i.kid, nil, p)
		}), nil, bad, provider.ErrSignature},
		{"key brought along in the header", signer(func(t *testing.T, i *idp, p []byte) string {
			key := newKey(t)
			return signed(key, i.alg, i.kid, map[string]any{"jwk": jose.JSONWebKey{Key: key.Public()}, "jku": i.URL + "/evil"}, p)
		}), nil, bad, provider.ErrSignature},
		{"key of another provider", signer(func(t *testing.T, i *idp, p []byte) string {
			other := newIDP(t)
			return signed(other.signer, other.alg, other.kid, nil, p)
		}), nil, bad, provider.ErrSignature},
		{"access token in the place of the ID token", func(_ *testing.T, i *idp) { i.header = map[string]any{"typ": "at+jwt"} }, nil, bad, provider.ErrMalformed},
		{"critical extension", signer(func(_ *testing.T, i *idp, p []byte) string {
			return signed(i.signer, i.alg, i.kid, map[string]any{"crit": []string{"exp"}, "exp": 1}, p)
		}), nil, bad, provider.ErrSignature},
		{"truncated signature", func(_ *testing.T, i *idp) { i.answer = cut(3) }, nil, bad, provider.ErrSignature},
		{"no signature", func(_ *testing.T, i *idp) {
			i.answer = func(doc map[string]any) {
				s := doc["id_token"].(string)
				doc["id_token"] = s[:strings.LastIndex(s, ".")]
			}
		}, nil, bad, provider.ErrMalformed},
		{"fourth part", func(_ *testing.T, i *idp) {
			i.answer = func(doc map[string]any) { doc["id_token"] = doc["id_token"].(string) + ".x" }
		}, nil, bad, provider.ErrMalformed},
		{"a megabyte of dots", func(_ *testing.T, i *idp) {
			i.answer = func(doc map[string]any) { doc["id_token"] = strings.Repeat(".", 60<<10) }
		}, nil, bad, provider.ErrMalformed},
		{"longer than MaxToken", claim("padding", strings.Repeat("x", provider.MaxToken)), nil, bad, provider.ErrMalformed},
		{"changed payload", func(_ *testing.T, i *idp) {
			i.answer = func(doc map[string]any) {
				parts := strings.Split(doc["id_token"].(string), ".")
				parts[1] = b64(`{"sub":"somebody else"}`)
				doc["id_token"] = strings.Join(parts, ".")
			}
		}, nil, bad, provider.ErrSignature},
	}
}

func cut(n int) func(map[string]any) {
	return func(doc map[string]any) { s := doc["id_token"].(string); doc["id_token"] = s[:len(s)-n] }
}

func flowMutations() []mutation {
	big := strings.Repeat(" ", 257<<10)
	return []mutation{
		{"iss of another provider", nil, func(cb *provider.Callback) { cb.Issuer = "https://evil.example" }, provider.ErrCallback, provider.ErrIssuer},
		{"promised iss that is missing", nil, func(cb *provider.Callback) { cb.Issuer = "" }, provider.ErrCallback, provider.ErrIssuer},
		{"iss of another provider with an error", nil, func(cb *provider.Callback) { cb.Issuer, cb.Error = "https://evil.example", "access_denied" }, provider.ErrCallback, provider.ErrIssuer},
		{"no code", nil, func(cb *provider.Callback) { cb.Code = token.Secret{} }, provider.ErrCallback, provider.ErrCallback},
		{"verifier of another flow", nil, func(cb *provider.Callback) { cb.Verifier = provider.NewVerifier() }, provider.ErrCodeRefused, provider.ErrCodeRefused},
		{"nonce of another flow, ours", nil, func(cb *provider.Callback) { cb.Nonce = "other" }, provider.ErrInvalidIDToken, provider.ErrNonce},
		{"userinfo of another subject", func(_ *testing.T, i *idp) {
			i.claims = func(c map[string]any) { c["email"] = nil }
			i.userInfo["sub"] = "somebody else"
		}, nil, provider.ErrProfile, provider.ErrOtherSubject},
		{"userinfo without a subject", func(_ *testing.T, i *idp) {
			i.claims = func(c map[string]any) { c["email"] = nil }
			delete(i.userInfo, "sub")
		}, nil, provider.ErrProfile, provider.ErrOtherSubject},
		{"userinfo that is a signed token", func(_ *testing.T, i *idp) {
			i.claims = func(c map[string]any) { c["email"] = nil }
			i.handlers["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = w.Write([]byte("a.b.c"))
			}
		}, nil, provider.ErrProfile, provider.ErrUserInfo},
		{"oversized key set", func(_ *testing.T, i *idp) {
			i.handlers["/keys"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}` + big)) }
		}, nil, provider.ErrUnavailable, provider.ErrTooLarge},
		{"oversized answer of the token endpoint", func(_ *testing.T, i *idp) {
			i.answer = func(doc map[string]any) { doc["padding"] = big }
		}, nil, provider.ErrUnavailable, provider.ErrTooLarge},
		{"key set that is none", func(_ *testing.T, i *idp) {
			i.handlers["/keys"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) }
		}, nil, provider.ErrUnavailable, provider.ErrKeys},
		{"token endpoint that redirects", func(_ *testing.T, i *idp) {
			i.handlers["/token"] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, i.URL+"/elsewhere", http.StatusTemporaryRedirect)
			}
		}, nil, provider.ErrUnavailable, provider.ErrUnavailable},
	}
}

// TestHostileProviderIsRefused bends one thing at a time; what is not bent would
// have signed in.
func TestHostileProviderIsRefused(t *testing.T) {
	t.Parallel()
	all := append(append(claimMutations(), signatureMutations()...), flowMutations()...)
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			i := newIDP(t)
			if m.bend != nil {
				m.bend(t, i)
			}
			c := i.client(t)
			cb := i.authorize(t, c)
			if m.answer != nil {
				m.answer(&cb)
			}
			got, err := c.Exchange(t.Context(), cb)
			assert.ErrorIs(t, err, m.public)
			assert.ErrorIs(t, err, m.reason)
			assert.Equal(t, got, provider.SignIn{})
			if err != nil {
				for _, secretText := range append(i.Secrets(), secret, cb.Verifier.Reveal(), "secret words", "eyJ") {
					assert.NotContains(t, err.Error(), secretText)
				}
			}
			if errors.Is(m.public, provider.ErrCallback) {
				assert.Equal(t, i.Called("/token"), 0) // the code went nowhere
			}
		})
	}
	assert.True(t, len(all) >= 50, "the table shrank")
}

func TestHostileDiscoveryIsRefused(t *testing.T) {
	t.Parallel()
	for _, m := range []struct {
		name           string
		bend           func(*idp)
		public, reason error
	}{
		{"another issuer", func(i *idp) { i.discovery = func(d map[string]any) { d["issuer"] = "https://evil.example" } }, provider.ErrMisconfigured, provider.ErrDiscoveryIssuer},
		{"issuer with a slash more", func(i *idp) { i.discovery = func(d map[string]any) { d["issuer"] = i.URL + "/" } }, provider.ErrMisconfigured, provider.ErrDiscoveryIssuer},
		{"plain token endpoint", func(i *idp) {
			i.discovery = func(d map[string]any) { d["token_endpoint"] = "http://idp.example/token" }
		}, provider.ErrMisconfigured, provider.ErrDiscovery},
		{"file as key set", func(i *idp) { i.discovery = func(d map[string]any) { d["jwks_uri"] = "file:///etc/passwd" } }, provider.ErrMisconfigured, provider.ErrDiscovery},
		{"no key set", func(i *idp) { i.discovery = func(d map[string]any) { delete(d, "jwks_uri") } }, provider.ErrMisconfigured, provider.ErrDiscovery},
		{"oversized", func(i *idp) {
			i.discovery = func(d map[string]any) { d["padding"] = strings.Repeat("x", 257<<10) }
		}, provider.ErrUnavailable, provider.ErrTooLarge},
		{"no JSON", func(i *idp) {
			i.handlers["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		}, provider.ErrUnavailable, provider.ErrDiscovery},
		{"not there", func(i *idp) { i.handlers["/.well-known/openid-configuration"] = http.NotFound }, provider.ErrUnavailable, provider.ErrStatus},
		{"broken", func(i *idp) {
			i.handlers["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
		}, provider.ErrUnavailable, provider.ErrStatus},
	} {
		i := newIDP(t)
		m.bend(i)
		to, err := i.client(t).AuthCodeURL(t.Context(), provider.AuthRequest{State: "s", Nonce: "n", Verifier: provider.NewVerifier(), RedirectURI: redirectURI})
		assert.Equal(t, to, "")
		assert.ErrorIs(t, err, m.public)
		assert.ErrorIs(t, err, m.reason)
	}
}

// TestADiscoveredEndpointOfThisMachineIsNotCalled is server-side request forgery
// through a discovery document.
func TestADiscoveredEndpointOfThisMachineIsNotCalled(t *testing.T) {
	t.Parallel()
	inside := false
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside = true }))
	t.Cleanup(victim.Close)
	i := newIDP(t)
	i.discovery = func(d map[string]any) {
		d["token_endpoint"] = strings.Replace(victim.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)
	}
	c := i.client(t)
	_, err := c.Exchange(t.Context(), i.authorize(t, c))
	assert.ErrorIs(t, err, provider.ErrUnavailable)
	assert.ErrorIs(t, err, outbound.ErrAddress)
	assert.False(t, inside, "the call arrived")

	i = newIDP(t)
	i.discovery = func(d map[string]any) { d["token_endpoint"] = "https://169.254.169.254/latest/meta-data" }
	c = i.client(t)
	_, err = c.Exchange(t.Context(), i.authorize(t, c))
	assert.ErrorIs(t, err, outbound.ErrAddress)
}

// TestEmailVerifiedCountsOnlyAsJSONTrue is CVE-2026-55076.
func TestEmailVerifiedCountsOnlyAsJSONTrue(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"true", "True", 1, "1", []bool{true}, map[string]any{"true": true}, "", false, nil} {
		i := newIDP(t)
		claim("email_verified", value)(t, i)
		i.userInfo = map[string]any{"sub": subject, "email": "ann@acme.example", "email_verified": value} // asked if the token says nothing
		c := i.client(t, func(p *provider.Provider) { p.EmailAuthority.All = true })
		got := assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t).Identity
		assert.False(t, got.EmailVerified || got.EmailProven, "verified")
		assert.Equal(t, got.Email, "ann@acme.example")
	}
	i := newIDP(t)
	i.claims = func(c map[string]any) { c["email_verified"] = nil; c["Email_Verified"] = true }
	i.userInfo = map[string]any{"sub": subject, "email": "ann@acme.example", "Email_Verified": true}
	c := i.client(t, func(p *provider.Provider) { p.EmailAuthority.All = true })
	assert.False(t, assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t).Identity.EmailVerified, "another name was taken")
}
