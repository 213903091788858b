package jwt

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

const (
	maxHeader     = 256 // bytes, decoded
	signatureSize = 86  // characters: 64 bytes in base64url
)

// Verify returns what the access token raw says, or an error, never both (CVE-2024-51744). It is [ErrInvalid] whatever
// is wrong with the token. During an outage of the database or the keyring it wraps problem.ErrUnavailable, and nothing
// is known of the token.
//
// A valid token proves that we made it and that it has not run out. Whether its session still lives and its epoch is the
// user's is for the caller to find out (R15).
func (s *Service) Verify(ctx context.Context, raw string) (Claims, error) {
	claims, err := s.verify(ctx, raw)
	if err != nil {
		return Claims{}, fmt.Errorf("jwt: verify: %w", err)
	}
	return claims, nil
}

func (s *Service) verify(ctx context.Context, raw string) (Claims, error) {
	kid, err := parseHeader(raw)
	if err != nil {
		return Claims{}, err
	}
	public, err := s.keys.verifier(ctx, kid)
	if err != nil {
		return Claims{}, err
	}
	payload, err := authenticate(raw, public)
	if err != nil {
		return Claims{}, err
	}
	now := s.cfg.now()
	claims, err := parseClaims(payload, s.cfg.Issuer, s.cfg.Audience, now.Add(s.cfg.Leeway))
	if err != nil {
		return Claims{}, err
	}
	if reason := claims.life(now, s.cfg.Leeway); reason != "" {
		return Claims{}, fmt.Errorf("%s: %w", reason, ErrInvalid)
	}
	return claims, nil
}

// parseHeader returns the key id of what has the shape of an access token. The header is an allow-list: alg, typ and
// kid with the values we write, and nothing that asks for another key, algorithm, encoding or extension (RFC 8725 §3.1,
// §3.10, §3.11).
func parseHeader(raw string) (kid string, err error) {
	header, payload, signature, ok := split(raw)
	if !ok || len(signature) != signatureSize {
		return "", fmt.Errorf("shape: %w", ErrInvalid)
	}
	for _, part := range []string{payload, signature} {
		if _, err := decode(part); err != nil {
			return "", err
		}
	}
	text, err := decode(header)
	if err != nil {
		return "", err
	}
	if len(text) > maxHeader {
		return "", fmt.Errorf("header: %w", ErrInvalid)
	}
	members, err := object(text)
	if err != nil {
		return "", err
	}
	r := reader{members: members}
	r.same("alg", string(jose.EdDSA))
	r.same("typ", typeAccess)
	kid = r.text("kid")
	if r.err != nil || len(members) != 3 || !validKID(kid) {
		return "", fmt.Errorf("header: %w", ErrInvalid)
	}
	return kid, nil
}

// authenticate returns the payload of raw if public signed it.
func authenticate(raw string, public ed25519.PublicKey) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, fmt.Errorf("shape: %w", ErrInvalid)
	}
	payload, err := signed.Verify(public)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", ErrInvalid)
	}
	return payload, nil
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
