package provider

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

func fuzzProviders() []Provider {
	s := token.NewSecret("secret")
	var out []Provider
	for _, p := range []Provider{
		OpenID("x", "https://x.example", "id", s), Google("id", s), GitHub("id", s), Microsoft("common", "id", s), Slack("id", s),
		Discord("id", s), X("id", s), Spotify("id", s), Bitbucket("id", s),
	} {
		out = append(out, p.withDefaults())
	}
	return out
}

// FuzzProfile reads profiles as every provider: an identity has a subject of its
// own, and nothing that could not be shown or stored.
func FuzzProfile(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"1","email":"a@b.example","email_verified":true,"name":"A","picture":"https://a.example/p","hd":"b.example"}`,
		`{"id":1,"tid":"72f988bf-86f1-41af-91ab-2d7cd011db47","oid":"o","avatar":"a","verified":true,"username":"u"}`,
		`{"data":{"id":"1","name":"A"},"images":[{"url":"https://a.example"}],"uuid":"{1}","https://slack.com/team_id":"T"}`,
		`{"sub":"\ud800","name":"\u202e"}`, `[]`, `null`, `{"sub":{"sub":1}}`, `{"id":1e400}`, `{"auth_time":1e300}`,
	} {
		f.Add([]byte(seed))
	}
	providers := fuzzProviders()
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseClaims(body)
		if err != nil {
			return
		}
		for _, p := range providers {
			i, err := p.identify(c)
			if err != nil {
				assert.ErrorIs(t, err, ErrProfile)
				assert.Equal(t, i, Identity{})
				continue
			}
			assert.True(t, i.Subject != "" && len(i.Subject) <= maxSubject && printable(i.Subject), "subject")
			assert.True(t, utf8.RuneCountInString(i.Name) <= maxName && printable(i.Name), "name")
			assert.True(t, i.Picture == "" || strings.HasPrefix(i.Picture, "https://"), "picture")
			assert.True(t, !i.EmailProven || i.EmailVerified && i.Email != "", "email")
			assert.True(t, !i.EmailVerified || c.isTrue(p.Fields.EmailVerified), "verified")
		}
	})
}

// FuzzIDToken reads tokens up to the key: nothing that is not three parts within
// the limit is even parsed, and none is accepted without a key.
func FuzzIDToken(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Add(strings.Repeat(".", 9000))
	f.Add(`{"payload":"e30","signatures":[]}`)
	p := OpenID("x", "https://x.example", "id", token.Secret{})
	c, err := New(p, Config{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	assert.NoError(f, err)
	c.keys = newMemo(c.cfg.Now, func(context.Context) (keySet, error) { return nil, nil })
	f.Fuzz(func(t *testing.T, raw string) {
		jws, err := c.parse(raw)
		if err != nil {
			return
		}
		assert.True(t, len(raw) <= MaxToken && strings.Count(raw, ".") == 2, "three parts")
		alg := jws.Signatures[0].Protected.Algorithm
		assert.True(t, alg != "none" && !strings.HasPrefix(alg, "HS"), alg)
		_, err = (&judge{c: c, jws: jws}).open(t.Context())
		assert.ErrorIs(t, err, ErrInvalidIDToken)
	})
}

// FuzzDocuments reads what providers publish.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		`{"issuer":"https://x.example","authorization_endpoint":"https://x.example/a","token_endpoint":"https://x.example/t","jwks_uri":"https://x.example/k"}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"1"}]}`,
		`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","x":""}]}`,
		`{"values":[{"email":"a@b.example","is_primary":true,"is_confirmed":true}]}`,
		`{"values":[{"is_primary":true,"is_confirmed":true}]}`,
		`[{"email":"a@b.example","primary":true,"verified":true}]`, `{"keys":[null]}`, `[null]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if doc, err := parseMetadata(body, "https://x.example", false); err == nil {
			for _, u := range []string{doc.AuthURL, doc.TokenURL, doc.JWKSURL} {
				assert.True(t, strings.HasPrefix(strings.ToLower(u), "https:") || strings.HasPrefix(strings.ToLower(u), "http:"), u)
			}
		}
		keys, err := parseKeys(body)
		assert.True(t, err == nil || keys == nil, "keys or an error")
		for _, k := range keys {
			assert.True(t, k.IsPublic() && k.usable(), "usable")
			_, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.JSONWebKey}})
			assert.NoError(t, err)
		}
		for _, list := range []*Emails{{}, {List: "values", Primary: "is_primary", Verified: "is_confirmed"}} {
			email, err := list.pick(body)
			assert.True(t, err != nil || email != "", "an address or an error")
		}
		_ = nameOf(string(body))
		_ = revoked(400, body)
	})
}
