package jwt

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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
	return k.sign(typeAccess, wire)
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
	return set.signing.sign(typeThirdParty, c.wire(s.cfg.Issuer, audience))
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

// sign returns the compact form of claims under k, which must be a signing key.
func (k *key) sign(typ string, claims wireClaims) (token.Secret, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: encode claims: %w", err)
	}
	signed, err := k.signers[typ].Sign(payload)
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: sign: %w", err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		return token.Secret{}, fmt.Errorf("jwt: sign: %w", err)
	}
	return token.NewSecret(raw), nil
}
