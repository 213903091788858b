package jwt

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/tenon-go/tenon/token"
)

// Mint makes an access token. IssuedAt defaults to now, ExpiresAt to Config.TTL later, ID to a new UUIDv7; Subject and
// SessionID are required. Whether the session may have a token is the business of the caller, who knows it.
//
// Without any key yet it makes the first one, but not inside a transaction: that is an [ErrNoSigningKey], so call Init at
// start. Errors: [ErrClaims], [ErrNoSigningKey], and problem.ErrUnavailable during an outage.
func (s *Service) Mint(ctx context.Context, c Claims) (token.Secret, error) {
	c, err := s.complete(c)
	if err == nil {
		err = c.validateSession()
	}
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: mint: %w", err)
	}
	wire := c.wire(s.cfg.Issuer, s.cfg.Audience)
	wire.SessionID, wire.Epoch = c.SessionID, &c.Epoch
	k, err := s.signingKey(ctx)
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: mint: %w", err)
	}
	return k.signer.sign(k.signer.access, wire)
}

// MintFor makes a token that tells audience, somebody else's service, who subject is, for Config.TTL. It says nothing of
// the session, and Verify refuses it: by its type, its audience and its missing claims (R16). An audience that is
// Config.Audience is an [ErrClaims].
//
// It never makes a key, because it serves a GET, which must not write (R23): before Init or Mint it returns
// [ErrNoSigningKey]. Other errors are those of Mint.
func (s *Service) MintFor(ctx context.Context, audience, subject string) (token.Secret, error) {
	if !s.isThirdParty(audience) {
		return token.Secret{}, fmt.Errorf("jwt: mint: audience of a third party: %w", ErrClaims)
	}
	c, err := s.complete(Claims{Subject: subject})
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: mint: %w", err)
	}
	set, err := s.keys.current(ctx)
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: mint: %w", err)
	}
	if set.signing == nil {
		return token.Secret{}, fmt.Errorf("jwt: mint: %w", ErrNoSigningKey)
	}
	signer := set.signing.signer
	return signer.sign(signer.thirdParty, c.wire(s.cfg.Issuer, audience))
}

func (s *Service) isThirdParty(audience string) bool {
	return validName(audience) && audience != s.cfg.Audience
}

// complete fills in what the caller left out and checks it as it is on the wire.
func (s *Service) complete(c Claims) (Claims, error) {
	now := s.cfg.now()
	if c.IssuedAt.IsZero() {
		c.IssuedAt = now
	}
	if c.ExpiresAt.IsZero() {
		c.ExpiresAt = c.IssuedAt.Add(s.cfg.TTL)
	}
	if c.ID == "" {
		id, err := uuid.NewV7FromReader(s.cfg.Rand)
		if err != nil {
			return Claims{}, fmt.Errorf("token id: %w", err)
		}
		c.ID = id.String()
	}
	c.IssuedAt = seconds(c.IssuedAt)
	c.ExpiresAt = seconds(c.ExpiresAt.Add(time.Second - 1))
	return c, c.validate(now, s.cfg.Leeway)
}

// signer makes tokens under one key.
type signer struct {
	private            ed25519.PrivateKey
	access, thirdParty string // headers, encoded
}

func newSigner(kid string, private ed25519.PrivateKey) *signer {
	header := func(typ string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + string(jose.EdDSA) + `","kid":"` + kid + `","typ":"` + typ + `"}`))
	}
	return &signer{private: private, access: header(typeAccess), thirdParty: header(typeThirdParty)}
}

// sign returns claims in compact form under one of the signer's headers (RFC 7515 §5.1, RFC 8037 §3.1).
func (s *signer) sign(header string, claims wireClaims) (token.Secret, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: encode claims: %w", err)
	}
	raw := make([]byte, 0, len(header)+1+base64.RawURLEncoding.EncodedLen(len(payload))+1+signatureSize)
	raw = append(raw, header...)
	raw = base64.RawURLEncoding.AppendEncode(append(raw, '.'), payload)
	signature := ed25519.Sign(s.private, raw)
	raw = base64.RawURLEncoding.AppendEncode(append(raw, '.'), signature)
	return token.NewSecret(string(raw)), nil
}
