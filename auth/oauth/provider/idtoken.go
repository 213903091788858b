package provider

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/token"
)

// nativeAge is how old an ID token may be that did not come from the token endpoint (R20).
const nativeAge = 10 * time.Minute

// expected is what an ID token has to say besides what the configuration asks for.
type expected struct {
	clients []string      // aud must name one of them, azp nobody else
	nonce   string        // "" for providers that do not repeat it
	hashed  bool          // the hexadecimal SHA-256 of the nonce will do as well
	maxAge  time.Duration // 0 for any
	access  token.Secret  // at_hash, where there is one, must be its hash
}

// verify returns the claims of a valid ID token, or an error that is ErrInvalidIDToken or ErrUnavailable; never both.
// Two judges look at it, go-oidc and we, and both must agree: ours compares names exactly, says why, and asks for azp, iat
// and nonce, which go-oidc leaves to its caller (OpenID Connect Core section 3.1.3.7, RFC 8725).
func (c *Client) verify(ctx context.Context, raw string, want expected) (claims, error) {
	jws, err := c.parse(raw)
	if err != nil {
		return nil, because(ErrInvalidIDToken, err)
	}
	keys := &judge{c: c, jws: jws}
	_, err = oidc.NewVerifier("", keys, &oidc.Config{
		SupportedSigningAlgs: c.p.Algorithms,
		SkipClientIDCheck:    true, // there may be several: below
		SkipIssuerCheck:      true, // Microsoft's has the tenant in it: below
		Now:                  func() time.Time { return c.cfg.Now().Add(-c.cfg.Leeway) },
	}).Verify(ctx, raw)
	switch {
	case keys.err != nil:
		return nil, keys.err
	case keys.claims == nil: // go-oidc did not ask for a key
		return nil, because(ErrInvalidIDToken, ErrMalformed)
	}
	if reason := c.check(keys, want); reason != nil {
		return nil, because(ErrInvalidIDToken, reason)
	}
	if err != nil {
		return nil, because(ErrInvalidIDToken, ErrMalformed)
	}
	return keys.claims, nil
}

// parse looks at the length and counts the parts before anything is split or decoded.
func (c *Client) parse(raw string) (*jose.JSONWebSignature, error) {
	if len(raw) > MaxToken || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, " \t\r\n") {
		return nil, ErrMalformed
	}
	var algorithms []jose.SignatureAlgorithm
	for _, a := range c.p.Algorithms {
		algorithms = append(algorithms, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, ErrAlgorithm
	}
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrMalformed
	}
	return jws, nil
}

// judge is the oidc.KeySet of one verification: it finds the key, checks the signature, and keeps what go-oidc would
// turn into text.
type judge struct {
	c         *Client
	jws       *jose.JSONWebSignature
	claims    claims
	keyIssuer string
	err       error
}

// VerifySignature implements oidc.KeySet.
func (j *judge) VerifySignature(ctx context.Context, _ string) ([]byte, error) {
	payload, err := j.open(ctx)
	if err != nil {
		j.err = err
		return nil, err
	}
	if j.claims, err = parseClaims(payload); err != nil {
		j.err = because(ErrInvalidIDToken, ErrMalformed)
		return nil, j.err
	}
	return payload, nil
}

func (j *judge) open(ctx context.Context) ([]byte, error) {
	header := j.jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders["typ"].(string); typ != "" && !strings.EqualFold(typ, "JWT") {
		return nil, because(ErrInvalidIDToken, ErrMalformed) // an access or logout token (RFC 8725 section 3.11)
	}
	if slices.Contains(symmetric(), header.Algorithm) {
		return opened(j.jws, []byte(j.c.p.ClientSecret.Reveal()))
	}
	key, err := j.c.key(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	j.keyIssuer = key.Issuer
	return opened(j.jws, key.Key)
}

func opened(jws *jose.JSONWebSignature, key any) ([]byte, error) {
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, because(ErrInvalidIDToken, ErrSignature)
	}
	return payload, nil
}

// check returns the first reason to refuse the claims of a token with a good signature.
func (c *Client) check(j *judge, want expected) error {
	now := c.cfg.Now()
	expires, issued := j.claims.moment("exp"), j.claims.moment("iat")
	switch {
	case !c.p.issues(j.claims.text("iss"), j.claims) || !keyMaySign(j.keyIssuer, j.claims):
		return ErrIssuer
	case expires.IsZero() || now.After(expires.Add(c.cfg.Leeway)):
		return ErrExpired
	case issued.IsZero() || issued.After(now.Add(c.cfg.Leeway)) || j.claims.moment("nbf").After(now.Add(c.cfg.Leeway)):
		return ErrIssuedAt
	case want.maxAge > 0 && now.Sub(issued) > want.maxAge+c.cfg.Leeway:
		return ErrIssuedAt
	case want.nonce != "" && !nonceIs(j.claims.text("nonce"), want):
		return ErrNonce
	case j.claims.text("sub") == "":
		return ErrSubject
	case !accessTokenIs(j.claims, j.jws.Signatures[0].Protected.Algorithm, want.access):
		return ErrAccessTokenHash
	}
	return checkAudience(j.claims, want.clients)
}

// checkAudience follows OpenID Connect Core section 3.1.3.7, 3 to 5: we are in the audience, and where others are, too,
// the token says that it was issued to us.
func checkAudience(c claims, clients []string) error {
	audience, ok := c.texts("aud")
	if !ok || !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(clients, a) }) {
		return ErrAudience
	}
	_, named := c["azp"]
	if (named || len(audience) > 1) && !slices.Contains(clients, c.text("azp")) {
		return ErrAuthorizedParty
	}
	return nil
}

// accessTokenIs compares at_hash: the left half of the access token's hash, by the hash of the signature (OpenID Connect
// Core section 3.1.3.6). Ed25519 signs with SHA-512.
func accessTokenIs(c claims, alg string, access token.Secret) bool {
	said, there := c["at_hash"]
	if !there || string(said) == "null" || access.IsZero() {
		return true
	}
	h := sha512.New()
	switch {
	case strings.HasSuffix(alg, "256"):
		h = sha256.New()
	case strings.HasSuffix(alg, "384"):
		h = sha512.New384()
	}
	h.Write([]byte(access.Reveal()))
	half := base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:h.Size()/2])
	return subtle.ConstantTimeCompare([]byte(half), []byte(c.text("at_hash"))) == 1
}

func nonceIs(got string, want expected) bool {
	same := subtle.ConstantTimeCompare([]byte(got), []byte(want.nonce)) == 1
	sum := sha256.Sum256([]byte(want.nonce))
	hashed := subtle.ConstantTimeCompare([]byte(got), []byte(hex.EncodeToString(sum[:]))) == 1
	return same || want.hashed && hashed
}

// NativeToken is an ID token that one of our own apps got from the provider's SDK.
type NativeToken struct {
	// IDToken is the token.
	IDToken token.Secret
	// Nonce is the one that we issued for this sign-in (R20). The token holds it as it is, or its SHA-256 in hexadecimal,
	// as Apple's SDK has apps do. Required.
	Nonce string
	// AccessToken is what the app got beside it, checked against at_hash. Optional.
	AccessToken token.Secret
	// User is the JSON that Apple's SDK hands the app once, to get the name from; see Callback.User. Optional.
	User string
}

// Verified is what a native ID token proved.
type Verified struct {
	Identity

	// IssuedAt is when the provider made the token.
	IssuedAt time.Time
	// ExpiresAt is when the token runs out. Until then, and Config.Leeway longer, the caller must remember its hash and
	// refuse it a second time (R20).
	ExpiresAt time.Time
}

// VerifyIDToken checks an ID token that did not come from the token endpoint. The issuer, the keys and the acceptable
// audiences come from the configuration alone; the token must be at most 10 minutes old. Errors: ErrUnsupported for
// providers without ID tokens or nonces, ErrRequest without a nonce, ErrInvalidIDToken with its reason, ErrProfile,
// ErrUnavailable.
func (c *Client) VerifyIDToken(ctx context.Context, t NativeToken) (Verified, error) {
	switch {
	case !c.wantsNonce():
		return Verified{}, because(ErrUnsupported, ErrNoIDToken)
	case t.Nonce == "":
		return Verified{}, because(ErrRequest, ErrNonce)
	}
	proven, err := c.verify(ctx, t.IDToken.Reveal(), expected{
		clients: c.p.clients(), nonce: t.Nonce, hashed: true, maxAge: nativeAge, access: t.AccessToken,
	})
	if err != nil {
		return Verified{}, err
	}
	identity, err := c.p.identify(proven)
	if err != nil {
		return Verified{}, err
	}
	c.addName(&identity, t.User)
	return Verified{Identity: identity, IssuedAt: proven.moment("iat"), ExpiresAt: proven.moment("exp")}, nil
}
