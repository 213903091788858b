package jwt

import (
	"context"
	"crypto"
	"crypto/ed25519"
	_ "crypto/sha256" // the hash of thumbprints
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	keyring "github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/problem"
)

// kidSize is the length of a key id: a SHA-256 thumbprint in base64url.
const kidSize = 43

// key is a row that was opened.
type key struct {
	Key
	public ed25519.PublicKey
	// signer makes tokens; it is nil but for the signing key.
	signer *signer
}

// errForeign means that a row holds another key than its id names.
var errForeign = errors.New("jwt: the private key is not the one that the key id names")

// newKey makes a key. Its row is complete but for its state.
func newKey(ctx context.Context, cfg Config) (Key, error) {
	seed := make([]byte, ed25519.SeedSize)
	defer clear(seed)
	if _, err := io.ReadFull(cfg.Rand, seed); err != nil {
		return Key{}, fmt.Errorf("random key: %w", err)
	}
	_, id, err := fromSeed(seed)
	if err != nil {
		return Key{}, err
	}
	sealed, err := cfg.Sealer.Seal(ctx, KeyField(id), seed)
	if err != nil {
		return Key{}, fmt.Errorf("seal key: %w", err)
	}
	return Key{ID: id, Sealed: sealed, PublishedAt: cfg.now()}, nil
}

// open returns the key of a row. The public half comes from the private one, so that only the keyring can vouch for a
// key, and the row's id must be its thumbprint.
func open(ctx context.Context, sealer Sealer, row Key) (*key, error) {
	seed, err := sealer.Open(ctx, KeyField(row.ID), row.Sealed)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	if len(seed) != ed25519.SeedSize {
		return nil, errForeign
	}
	private, id, err := fromSeed(seed)
	if err != nil {
		return nil, err
	}
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok || id != row.ID {
		return nil, errForeign
	}
	k := &key{Key: row, public: public}
	k.Sealed = nil
	if row.State == StateSigning {
		k.signer = newSigner(id, private)
	}
	return k, nil
}

// fromSeed returns the private key and its id.
func fromSeed(seed []byte) (ed25519.PrivateKey, string, error) {
	private := ed25519.NewKeyFromSeed(seed)
	jwk := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", fmt.Errorf("thumbprint: %w", err)
	}
	return private, base64.RawURLEncoding.EncodeToString(thumbprint), nil
}

// isDamage reports whether err is about the row rather than about the world.
func isDamage(err error) bool {
	for _, kind := range []error{
		keyring.ErrMalformed, keyring.ErrUnknownKey, keyring.ErrCommitment, keyring.ErrAuthentication, errForeign,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// unavailable marks an error of the world as an outage.
func unavailable(err error) error {
	if errors.Is(err, problem.ErrUnavailable) {
		return err
	}
	return problem.ErrUnavailable.With(err)
}

// verifies reports whether tokens of k may be believed. For a retired key that ends by the clock, whether or not
// somebody has deleted the row.
func (k *key) verifies(now time.Time, retiredFor time.Duration) bool {
	return k.State != StateRetired || now.Before(k.RetiredAt.Add(retiredFor))
}

// validKID reports whether s can be a thumbprint. What cannot be is refused without a look at the keys.
func validKID(s string) bool {
	if len(s) != kidSize {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}
