package crypto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// initAttempts bounds how often Init starts again after another process was faster; each time there is less to do.
const initAttempts = 5

// Init makes the keyring ready: it checks that the keys in the table can be unwrapped, and makes the missing active key
// of each configured purpose in one short transaction of its own. Call it once at start, after the migrations. Any
// number of processes may call it at the same time; they end up with the same keys.
//
// If the table has keys that the configured KMS cannot unwrap, Init returns [ErrKeyringMissing] and writes nothing (R28).
// Inside a transaction it returns [ErrInTransaction].
func (k *Keyring) Init(ctx context.Context) error {
	if err := k.refuseTransaction(ctx, "init"); err != nil {
		return err
	}
	for range initAttempts {
		missing, err := k.examine(ctx)
		if err != nil {
			return fmt.Errorf("crypto: init: %w", err)
		}
		if len(missing) == 0 {
			return nil
		}
		err = k.create(ctx, missing...)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrActiveKeyExists) {
			return fmt.Errorf("crypto: init: %w", err)
		}
	}
	return fmt.Errorf("crypto: init: %w", ErrKeyChanged)
}

// Check asks the KMS anew whether every shared key can be used, and writes nothing. It is for health checks and doctor.
// Errors are those of Seal.
func (k *Keyring) Check(ctx context.Context) error {
	missing, err := k.examine(ctx)
	if err != nil {
		return fmt.Errorf("crypto: check: %w", err)
	}
	if len(missing) > 0 {
		return fmt.Errorf("crypto: check: purpose %q: %w", missing[0].purpose, ErrNoActiveKey)
	}
	return nil
}

// HasKeys reports whether the key table has rows, destroyed ones included. A key file may be created only if not (R28).
func (k *Keyring) HasKeys(ctx context.Context) (bool, error) { return HasKeys(ctx, k.store) }

// HasKeys reports whether the key table in store has rows, destroyed ones included. It needs no KMS.
func HasKeys(ctx context.Context, store Store) (bool, error) {
	rows, err := store.ListKeys(ctx, KeyFilter{Limit: 1})
	if err != nil {
		return false, fmt.Errorf("crypto: has keys: %w", err)
	}
	return len(rows) > 0, nil
}

// EnsureTenantKey makes the active key of a tenant for one of Config.TenantPurposes, unless it has one. Call it before
// the transaction that makes the tenant: a key left over without a tenant is harmless, the reverse is not. After
// DestroyTenant it returns [ErrTenantDestroyed]; inside a transaction [ErrInTransaction].
func (k *Keyring) EnsureTenantKey(ctx context.Context, purpose, tenant string) error {
	if err := k.refuseTransaction(ctx, "ensure tenant key"); err != nil {
		return err
	}
	if tenant == "" || len(tenant) > maxPlace || !slices.Contains(k.cfg.TenantPurposes, purpose) {
		return fmt.Errorf("crypto: ensure tenant key: not a tenant of a purpose in TenantPurposes: %w", ErrInvalid)
	}
	rows, err := k.store.ListKeys(ctx, KeyFilter{Tenant: &tenant})
	if err != nil {
		return fmt.Errorf("crypto: ensure tenant key: %w", err)
	}
	for _, row := range rows {
		switch {
		case row.Purpose == purpose && row.State == StateActive:
			return nil
		case !liveKey(rows):
			return fmt.Errorf("crypto: ensure tenant key: %w", ErrTenantDestroyed)
		}
	}
	err = k.create(ctx, slot{purpose, tenant})
	if err != nil && !errors.Is(err, ErrActiveKeyExists) {
		return fmt.Errorf("crypto: ensure tenant key: %w", err)
	}
	return nil
}

// liveKey reports whether any of the rows is not destroyed: old generations are destroyed one by one after rotations,
// a shredded tenant has nothing left.
func liveKey(rows []Key) bool {
	return slices.ContainsFunc(rows, func(row Key) bool { return row.State != StateDestroyed })
}

// examine unwraps every active shared key and returns the slots that have none. It goes around the cache.
func (k *Keyring) examine(ctx context.Context) (missing []slot, err error) {
	shared := ""
	rows, err := k.store.ListKeys(ctx, KeyFilter{Tenant: &shared, States: []State{StatePending, StateActive, StateDecryptOnly}})
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, row := range rows {
		if err := k.examineKey(ctx, row); err != nil {
			return nil, err
		}
		found[row.Purpose] = found[row.Purpose] || row.State == StateActive
	}
	for _, purpose := range k.cfg.Purposes {
		if !found[purpose] {
			missing = append(missing, slot{purpose: purpose})
		}
	}
	return missing, k.examineTenants(ctx)
}

func (k *Keyring) examineKey(ctx context.Context, row Key) error {
	dek, err := k.unwrap(ctx, row)
	clear(dek)
	return err
}

// examineTenants looks only at who wrapped the keys of tenants, which are too many to unwrap them all.
func (k *Keyring) examineTenants(ctx context.Context) error {
	return k.eachKey(ctx, KeyFilter{States: []State{StatePending, StateActive, StateDecryptOnly}}, func(row Key) error {
		if _, ok := k.kms[row.KEK]; !ok {
			return fmt.Errorf("key %s is wrapped by %q: %w", row.ID, row.KEK, ErrKeyringMissing)
		}
		return nil
	})
}

// eachKey calls fn for all matching rows, a page at a time.
func (k *Keyring) eachKey(ctx context.Context, filter KeyFilter, fn func(Key) error) error {
	const page = 500
	for filter.Limit = page; ; {
		rows, err := k.store.ListKeys(ctx, filter)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
		filter.After = rows[len(rows)-1].ID
	}
}

// create makes an active key for every slot, all or none.
func (k *Keyring) create(ctx context.Context, slots ...slot) error {
	rows := make([]Key, 0, len(slots))
	for _, s := range slots {
		row, err := k.newKey(ctx, s, StateActive)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if err := k.store.InsertKeys(ctx, rows...); err != nil {
		return err
	}
	k.cache.forget()
	for _, row := range rows {
		k.cfg.Logger.InfoContext(ctx, "crypto: key created", slog.String("kid", row.ID), slog.String("purpose", row.Purpose))
	}
	return nil
}

// newKey draws a data key and has it wrapped. It unwraps what it got before anybody can rely on it.
func (k *Keyring) newKey(ctx context.Context, s slot, state State) (Key, error) {
	var random [idSize + keySize]byte
	defer clear(random[:])
	if _, err := io.ReadFull(k.cfg.Rand, random[:]); err != nil {
		return Key{}, fmt.Errorf("crypto: random key: %w", err)
	}
	id, dek := keyID(random[:idSize]), random[idSize:]
	row := Key{ID: id.String(), Purpose: s.purpose, Tenant: s.tenant, State: state, CreatedAt: k.now()}
	var err error
	if row.Check, err = checkValue(dek); err != nil {
		return Key{}, err
	}
	if row.StateMAC, err = row.stateMAC(dek); err != nil {
		return Key{}, err
	}
	w, err := k.wrap(ctx, row, dek)
	if err != nil {
		return Key{}, err
	}
	row.KEK, row.KEKVersion, row.Wrapped = w.KEK, w.Version, w.Bytes
	return row, k.examineKey(ctx, row)
}
