package crypto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Keyring seals and opens values under data keys that a [KMS] wraps. It is safe for concurrent use. Make one with [New]
// and call Init before anything else.
type Keyring struct {
	store Store
	cfg   Config
	kms   map[string]KMS // by URI
	cache *cache
	stats counters
}

// New returns a keyring over the key table in store. It does no I/O; it returns an error that is [ErrInvalid] if the
// Config is not acceptable.
func New(store Store, cfg Config) (*Keyring, error) {
	if store == nil {
		return nil, fmt.Errorf("crypto: New without a store: %w", ErrInvalid)
	}
	cfg = cfg.withDefaults(store)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	k := &Keyring{store: store, cfg: cfg, kms: make(map[string]KMS)}
	for _, kms := range append(slices.Clone(cfg.PreviousKMS), cfg.KMS) {
		if kms == nil || kms.URI() == "" {
			return nil, invalid("PreviousKMS", "a KMS needs a URI")
		}
		k.kms[kms.URI()] = kms
	}
	k.cache = newCache(cfg.Cache.Capacity, &k.stats)
	return k, nil
}

// Seal encrypts plaintext for one place, under the active key of its purpose (and tenant, see Config.TenantPurposes).
// Two calls never return the same bytes. With the key in the cache it does no I/O; otherwise it reads the key table,
// through the transaction in ctx if there is one, and asks the KMS. It never makes a key.
//
// Errors: [ErrNoActiveKey], [ErrKMSUnavailable], [ErrKeyringMissing], [ErrKeyTampered], [ErrTooLarge], [ErrInvalid], and
// those of the store.
func (k *Keyring) Seal(ctx context.Context, field Field, plaintext []byte) ([]byte, error) {
	if err := field.validate(); err != nil {
		return nil, err
	}
	h, err := k.active(ctx, k.slotOf(field.Purpose, field.Tenant), true)
	if err != nil {
		return nil, err
	}
	defer clear(h.dek[:])
	return sealEnvelope(k.cfg.Rand, h.id, h.dek[:], field, plaintext)
}

// Open returns what Seal was given for the same place. While the KMS is unavailable it goes on with keys it knows, for
// at most CacheConfig.StaleFor.
//
// Errors: [ErrMalformed], [ErrUnknownKey] ([ErrKeyDestroyed]), [ErrCommitment], [ErrAuthentication], [ErrKMSUnavailable],
// [ErrKeyringMissing], [ErrKeyTampered], [ErrInvalid], and those of the store.
func (k *Keyring) Open(ctx context.Context, field Field, sealed []byte) ([]byte, error) {
	if err := field.validate(); err != nil {
		return nil, err
	}
	id, err := parseEnvelope(sealed)
	if err != nil {
		return nil, err
	}
	h, err := k.byID(ctx, id)
	if err != nil {
		return nil, err
	}
	defer clear(h.dek[:])
	if h.slot.purpose != field.Purpose || h.slot.tenant != "" && h.slot.tenant != field.Tenant {
		return nil, fmt.Errorf("crypto: open: key of another purpose or tenant: %w", ErrAuthentication)
	}
	return openEnvelope(h.dek[:], field, sealed)
}

// SealText is Seal with the text form of EncodeText.
func (k *Keyring) SealText(ctx context.Context, field Field, plaintext []byte) (string, error) {
	sealed, err := k.Seal(ctx, field, plaintext)
	if err != nil {
		return "", err
	}
	return EncodeText(sealed), nil
}

// OpenText is Open of the text form.
func (k *Keyring) OpenText(ctx context.Context, field Field, text string) ([]byte, error) {
	sealed, err := DecodeText(text)
	if err != nil {
		return nil, err
	}
	return k.Open(ctx, field, sealed)
}

// slot names a sequence of keys of which at most one is active.
type slot struct{ purpose, tenant string }

// slotOf decides which key serves a field: by configuration alone, so that all processes agree.
func (k *Keyring) slotOf(purpose, tenant string) slot {
	if tenant != "" && slices.Contains(k.cfg.TenantPurposes, purpose) {
		return slot{purpose, tenant}
	}
	return slot{purpose: purpose}
}

// now is the clock without its monotonic part, as the database keeps it.
func (k *Keyring) now() time.Time { return k.cfg.Now().UTC().Truncate(time.Microsecond) }

func (k *Keyring) refuseTransaction(ctx context.Context, op string) error {
	if k.store.InTransaction(ctx) {
		return fmt.Errorf("crypto: %s: %w", op, ErrInTransaction)
	}
	return ctx.Err()
}

func isUnavailable(err error) bool { return errors.Is(err, ErrKMSUnavailable) }
func isRefused(err error) bool     { return errors.Is(err, ErrKMSRefused) }
