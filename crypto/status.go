package crypto

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Stats are counts since New, for metrics.
type Stats struct {
	Hits      int64 // keys found in the cache
	Misses    int64 // keys loaded
	KMSCalls  int64 // calls of the KMS
	KMSErrors int64 // of those, failed
	Stale     int64 // keys past their age that served because the KMS was unavailable
	Evictions int64 // keys that left because the cache was full
	Cached    int   // keys in the cache now
}

// Stats returns the counters. It does no I/O.
func (k *Keyring) Stats() Stats {
	return Stats{
		Hits: k.stats.hits.Load(), Misses: k.stats.misses.Load(),
		KMSCalls: k.stats.kmsCalls.Load(), KMSErrors: k.stats.kmsErrors.Load(),
		Stale: k.stats.stale.Load(), Evictions: k.stats.evictions.Load(),
		Cached: k.cache.size(),
	}
}

// KeyStatus is what an operator sees of a key. It has no key material.
type KeyStatus struct {
	ID, Purpose, Tenant string
	KEK, KEKVersion     string
	State               State
	Seals               int64 // flushed ones and those of this process
	CreatedAt           time.Time
	RetiredAt           time.Time
	// RotationDue says why an active key should be rotated: "age", "seals", or "" for not yet.
	RotationDue string
}

// Status returns the rows of the key table in order of their ids, without key material. States are as stored; Check
// authenticates them.
func (k *Keyring) Status(ctx context.Context) ([]KeyStatus, error) {
	var out []KeyStatus
	unsaved := k.cache.pendingSeals(false)
	now := k.now()
	err := k.eachKey(ctx, KeyFilter{}, func(row Key) error {
		row.Seals += unsaved[row.ID]
		out = append(out, KeyStatus{
			ID: row.ID, Purpose: row.Purpose, Tenant: row.Tenant, KEK: row.KEK, KEKVersion: row.KEKVersion,
			State: row.State, Seals: row.Seals, CreatedAt: row.CreatedAt, RetiredAt: row.RetiredAt,
			RotationDue: k.rotationDue(row, now),
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("crypto: status: %w", err)
	}
	return out, nil
}

func (k *Keyring) rotationDue(row Key, now time.Time) string {
	switch {
	case row.State != StateActive:
		return ""
	case row.Seals >= k.cfg.RotateAfterSeals:
		return "seals"
	case now.Sub(row.CreatedAt) >= k.cfg.RotateAfter:
		return "age"
	}
	return ""
}

// Maintain writes the seal counters, renews cached keys that are in use before they expire (so that a request does not
// wait for the KMS inside its transaction), and drops those that nobody may use any more. Call it about once a minute,
// or use Run. Inside a transaction it returns [ErrInTransaction].
func (k *Keyring) Maintain(ctx context.Context) error {
	if err := k.refuseTransaction(ctx, "maintain"); err != nil {
		return err
	}
	seals := k.cache.pendingSeals(true)
	if len(seals) > 0 {
		if err := k.store.AddSeals(ctx, seals); err != nil {
			k.cache.returnSeals(seals)
			return fmt.Errorf("crypto: maintain: %w", err)
		}
	}
	for _, id := range k.cache.sweep(k.now(), k.cfg.Cache) {
		if err := k.renew(ctx, id); err != nil && !errors.Is(err, ErrUnknownKey) { // destroyed elsewhere
			return fmt.Errorf("crypto: maintain: %w", err)
		}
	}
	return nil
}

// Run calls Maintain until ctx ends, and returns nil then. Failures are logged and tried again.
func (k *Keyring) Run(ctx context.Context) error {
	tick := time.NewTicker(max(k.cfg.Cache.MaxAge/maintainPerAge, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := k.Maintain(ctx); err != nil && ctx.Err() == nil {
				k.cfg.Logger.WarnContext(ctx, "crypto: maintenance failed", "error", err)
			}
		}
	}
}

// maintainPerAge runs maintenance often enough to renew keys in the last quarter of their age.
const maintainPerAge = 10

// renew loads a key again under the same rules as a request would.
func (k *Keyring) renew(ctx context.Context, id keyID) error {
	q := query{id: id, byID: true}
	f, leader, err := k.cache.join(q, k.now())
	if err != nil || !leader {
		return err
	}
	_, err = k.lead(ctx, q, f, false)
	return err
}
