package crypto

import (
	"context"
	"fmt"
)

// ActiveSubkey returns a 32-byte key for one job, derived by HKDF from the active shared key of purpose, and the id of
// that key, to be stored beside what the subkey makes. A label names one job ("token-pepper", "link-sign"); no two jobs
// share one. With the key in the cache it does no I/O. The caller owns the returned bytes. Errors are those of Seal.
func (k *Keyring) ActiveSubkey(ctx context.Context, purpose, label string) (kid string, key []byte, err error) {
	if err := validLabel(label); err != nil {
		return "", nil, err
	}
	h, err := k.active(ctx, slot{purpose: purpose}, false)
	if err != nil {
		return "", nil, err
	}
	defer clear(h.dek[:])
	key, err = k.subkeyOf(h, label)
	return h.id.String(), key, err
}

// Subkey returns the key that ActiveSubkey returned for the same purpose and label with this key id. It serves for as
// long as the key is not destroyed, and while the KMS is unavailable like Open. A key id of another purpose, or of a
// tenant, is an [ErrUnknownKey]. Errors are those of Open.
func (k *Keyring) Subkey(ctx context.Context, purpose, label, kid string) ([]byte, error) {
	if err := validLabel(label); err != nil {
		return nil, err
	}
	id, err := parseKeyID(kid)
	if err != nil {
		return nil, err
	}
	h, err := k.byID(ctx, id)
	if err != nil {
		return nil, err
	}
	defer clear(h.dek[:])
	if (h.slot != slot{purpose: purpose}) {
		return nil, fmt.Errorf("crypto: key %s serves another purpose: %w", kid, ErrUnknownKey)
	}
	return k.subkeyOf(h, label)
}

func (k *Keyring) subkeyOf(h handle, label string) ([]byte, error) {
	sub, err := k.cache.subkey(h, label)
	if err != nil {
		return nil, err
	}
	return sub[:], nil
}

func validLabel(label string) error {
	if label == "" || len(label) > maxLabel {
		return fmt.Errorf("crypto: label of a subkey: %w", ErrInvalid)
	}
	return nil
}
