package oauthtest

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/auth/oauth/provider"
)

// Lie is one thing that a hostile provider, or whoever stands between, says. What it does
// not touch would sign somebody in.
type Lie struct {
	Name string
	// Want is what package provider says to it.
	Want error
	// Tell makes the provider tell it from now on.
	Tell func(p *Provider)
}

// Lies are all that must never sign anybody in.
func Lies() []Lie {
	return append(append(claimLies(), signatureLies()...), answerLies()...)
}

func claimLie(name string, value any) func(*Provider) {
	return func(p *Provider) { p.Claim(name, value) }
}

func claimLies() []Lie {
	at := func(name string, ago time.Duration) func(*Provider) {
		return func(p *Provider) {
			p.Bend(func(k *Knobs) {
				k.Claims = func(c map[string]any) { c[name] = p.now().Add(ago).Unix() }
			})
		}
	}
	return []Lie{
		{"issuer of somebody else", provider.ErrIssuer, claimLie("iss", "https://evil.example")},
		{"no issuer", provider.ErrIssuer, claimLie("iss", nil)},
		{"audience of somebody else", provider.ErrAudience, claimLie("aud", "other-client")},
		{"no audience", provider.ErrAudience, claimLie("aud", nil)},
		{"party of somebody else", provider.ErrAuthorizedParty, claimLie("azp", "other-client")},
		{"nonce of another flow", provider.ErrNonce, claimLie("nonce", "other")},
		{"no nonce", provider.ErrNonce, claimLie("nonce", nil)},
		{"expired", provider.ErrExpired, at("exp", -time.Hour)},
		{"no end", provider.ErrExpired, claimLie("exp", nil)},
		{"from the future", provider.ErrIssuedAt, at("iat", time.Hour)},
		{"not valid yet", provider.ErrIssuedAt, at("nbf", time.Hour)},
		{"empty subject", provider.ErrSubject, claimLie("sub", "")},
		{"no subject", provider.ErrSubject, claimLie("sub", nil)},
		{"hash of another access token", provider.ErrAccessTokenHash, claimLie("at_hash", AccessTokenHash("other"))},
	}
}

func signLie(sign func(p *Provider, payload []byte) string) func(*Provider) {
	return func(p *Provider) {
		p.Bend(func(k *Knobs) { k.Sign = func(payload []byte) string { return sign(p, payload) } })
	}
}

// signatureLies are told with p locked.
func signatureLies() []Lie {
	b64 := base64.RawURLEncoding.EncodeToString
	return []Lie{
		{"alg none", provider.ErrAlgorithm, signLie(func(_ *Provider, payload []byte) string {
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(payload) + "."
		})},
		{"HS256 with the public key", provider.ErrAlgorithm, signLie(func(p *Provider, payload []byte) string {
			der, err := x509.MarshalPKIXPublicKey(p.key.Public())
			if err != nil {
				return err.Error()
			}
			return Signed(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jose.HS256, p.kid, nil, payload)
		})},
		{"HS256 with the client secret", provider.ErrAlgorithm, signLie(func(p *Provider, payload []byte) string {
			return Signed([]byte(ClientSecret), jose.HS256, p.kid, nil, payload)
		})},
		{"foreign key under its own id", provider.ErrUnknownKey, signLie(func(p *Provider, payload []byte) string {
			return Signed(NewKey(p.t), jose.ES256, "foreign", nil, payload)
		})},
		{"foreign key under a known id", provider.ErrSignature, signLie(func(p *Provider, payload []byte) string {
			return Signed(NewKey(p.t), jose.ES256, p.kid, nil, payload)
		})},
		{"key brought along in the header", provider.ErrSignature, signLie(func(p *Provider, payload []byte) string {
			key := NewKey(p.t)
			return Signed(key, jose.ES256, p.kid, map[string]any{"jwk": jose.JSONWebKey{Key: key.Public()}}, payload)
		})},
	}
}

// answerLie changes the ID token in the answer of the token endpoint.
func answerLie(change func(id string) any) func(*Provider) {
	return func(p *Provider) {
		p.Bend(func(k *Knobs) {
			k.Answer = func(doc map[string]any) {
				id, _ := doc["id_token"].(string)
				doc["id_token"] = change(id)
			}
		})
	}
}

func callbackLie(change func(q url.Values)) func(*Provider) {
	return func(p *Provider) { p.Bend(func(k *Knobs) { k.Callback = change }) }
}

func answerLies() []Lie {
	return []Lie{
		{"truncated signature", provider.ErrSignature, answerLie(func(id string) any { return id[:len(id)-3] })},
		{"truncated token", provider.ErrMalformed, answerLie(func(id string) any { return id[:strings.LastIndex(id, ".")] })},
		{"changed payload", provider.ErrSignature, answerLie(func(id string) any {
			parts := strings.Split(id, ".")
			parts[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"somebody else"}`))
			return strings.Join(parts, ".")
		})},
		{"no ID token", provider.ErrNoIDToken, answerLie(func(string) any { return nil })},
		{"callback of another issuer", provider.ErrIssuer, callbackLie(func(q url.Values) { q.Set("iss", "https://evil.example") })},
		{"promised issuer missing in the callback", provider.ErrIssuer, callbackLie(func(q url.Values) { q.Del("iss") })},
		{"no code", provider.ErrCallback, callbackLie(func(q url.Values) { q.Del("code") })},
		{"somebody else's code", provider.ErrCodeRefused, callbackLie(func(q url.Values) { q.Set("code", "guessed") })},
		{"userinfo of another subject", provider.ErrOtherSubject, func(p *Provider) {
			p.Claim("email", nil)
			p.Bend(func(k *Knobs) { k.UserInfo = func(doc map[string]any) { doc["sub"] = "somebody else" } })
		}},
	}
}
