package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/token"
)

const (
	maxKeys    = 100
	minRSABits = 2048
)

// keySet are the usable keys of a provider.
type keySet []publicKey

type publicKey struct {
	jose.JSONWebKey

	// Issuer is Microsoft's extension: whose tokens the key may sign, with {tenantid} for everybody's own.
	Issuer string `json:"issuer"`
}

// parseKeys reads a key set and leaves out the keys that cannot check an ID token: private and symmetric ones, those for
// encryption, short RSA keys, and kinds that are not known (RFC 7517 section 5).
func parseKeys(body []byte) (keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &doc) != nil || len(doc.Keys) > maxKeys {
		return nil, because(ErrUnavailable, ErrKeys)
	}
	var keys keySet
	for _, raw := range doc.Keys {
		var k publicKey
		var extension struct {
			Issuer string `json:"issuer"`
		}
		if json.Unmarshal(raw, &k.JSONWebKey) != nil || json.Unmarshal(raw, &extension) != nil || !k.usable() {
			continue
		}
		k.Issuer = extension.Issuer
		keys = append(keys, k)
	}
	return keys, nil
}

func (k publicKey) usable() bool {
	if !k.IsPublic() || !k.Valid() || k.Use != "" && k.Use != "sig" {
		return false
	}
	pub, ok := k.Key.(*rsa.PublicKey)
	return !ok || pub.N.BitLen() >= minRSABits
}

// find returns the key that a token names. A token that names none fits a set with one key for its algorithm only.
func (s keySet) find(kid, alg string) (publicKey, bool) {
	fitting := slices.DeleteFunc(slices.Clone(s), func(k publicKey) bool {
		return kid != "" && k.KeyID != kid || k.Algorithm != "" && k.Algorithm != alg || !k.signs(alg)
	})
	if len(fitting) != 1 {
		return publicKey{}, false
	}
	return fitting[0], true
}

// signs reports whether the key is of the algorithm's kind.
func (k publicKey) signs(alg string) bool {
	switch k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(alg, "ES")
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// key finds the key with that id, reading the set again if it is not there.
func (c *Client) key(ctx context.Context, kid, alg string) (publicKey, error) {
	keys, err := c.keys.get(ctx, keysFor, func(s keySet) bool { _, ok := s.find(kid, alg); return ok })
	if err != nil {
		return publicKey{}, err
	}
	k, ok := keys.find(kid, alg)
	if !ok {
		return publicKey{}, because(ErrInvalidIDToken, ErrUnknownKey)
	}
	return k, nil
}

func (c *Client) fetchKeys(ctx context.Context) (keySet, error) {
	e, err := c.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := c.get(ctx, e.keys, token.Secret{}, maxDocument)
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, because(ErrUnavailable, statusError(answer.Status))
	}
	return parseKeys(answer.Body)
}
