package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"
)

// jwks is a JWK Set (RFC 7517 §5).
type jwks struct {
	Keys []jwk `json:"keys"`
}

// jwk is a public Ed25519 key (RFC 8037 §2).
type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

func newJWKS(keys []*key) ([]byte, error) {
	document := jwks{Keys: make([]jwk, len(keys))}
	for i, k := range keys {
		document.Keys[i] = jwk{
			KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.public),
			KeyID: k.ID, Algorithm: string(jose.EdDSA), Use: "sig",
		}
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode key set: %w", err)
	}
	return encoded, nil
}

// JWKS returns the public keys as a JWK Set (RFC 7517): those that sign, will sign, or have signed what is still valid.
// Before the first key it is an empty set, which nobody should keep. It may be cached for Config.JWKSMaxAge: a key is
// there longer than that before it signs. Who meets a key id that is not in its copy fetches the set again, which is
// needed after Revoke. The error wraps problem.ErrUnavailable during an outage.
func (s *Service) JWKS(ctx context.Context) ([]byte, error) {
	set, err := s.keys.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("jwt: key set: %w", err)
	}
	return slices.Clone(set.jwks), nil
}
