package crypto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Usage counts what needs a key.
type Usage struct {
	Where string // "table.column" of a sealed column, with a note for values that are no envelopes, or the name of a KIDSource
	Rows  int64
}

// DestroyReport says what DestroyKey did, or what kept it from doing so.
type DestroyReport struct {
	KID       string
	Destroyed bool
	Usage     []Usage // rows that need the key: with force they are lost
}

// DestroyKey erases a retired key for good. Without force it refuses with [ErrKeyInUse] while a registered column or
// source still needs the key, and for Config.DestroyGrace after its retirement, when processes and open transactions may
// still be writing under it. With force it destroys in spite of both; the report names what is lost. An active key is
// never destroyed: rotate it first.
//
// What backups hold dies only with them, or with the key-encryption key. Other processes forget the key within
// CacheConfig.MaxAge. Errors: [ErrUnknownKey], [ErrKeyInUse], [ErrKeyChanged], [ErrInTransaction], those of the store.
func (k *Keyring) DestroyKey(ctx context.Context, kid string, force bool) (DestroyReport, error) {
	report := DestroyReport{KID: kid}
	if err := k.refuseTransaction(ctx, "destroy"); err != nil {
		return report, err
	}
	row, err := k.store.Key(ctx, kid)
	if err != nil {
		return report, fmt.Errorf("crypto: destroy: %w", err)
	}
	if row.State == StateDestroyed {
		return report, fmt.Errorf("crypto: destroy: %w", ErrKeyDestroyed)
	}
	if report.Usage, err = k.usage(ctx, row); err != nil {
		return report, fmt.Errorf("crypto: destroy: %w", err)
	}
	if err := k.mayDestroy(row, report.Usage, force); err != nil {
		return report, fmt.Errorf("crypto: destroy: %w", err)
	}
	if err := k.store.ChangeStates(ctx, k.destruction(row)); err != nil {
		return report, fmt.Errorf("crypto: destroy: %w", err)
	}
	k.forget(kid)
	report.Destroyed = true
	k.cfg.Logger.WarnContext(ctx, "crypto: key destroyed", slog.String("kid", kid),
		slog.String("purpose", row.Purpose), slog.Bool("force", force))
	return report, nil
}

func (k *Keyring) mayDestroy(row Key, usage []Usage, force bool) error {
	settled := row.State == StateDecryptOnly && !row.RetiredAt.IsZero() &&
		!k.now().Before(row.RetiredAt.Add(k.cfg.DestroyGrace))
	switch {
	case row.State == StateActive:
		return fmt.Errorf("key %s is active: %w", row.ID, ErrKeyInUse)
	case force || row.State == StatePending && len(usage) == 0:
		return nil
	case len(usage) > 0:
		return fmt.Errorf("rows need key %s: %w", row.ID, ErrKeyInUse)
	case !settled:
		return fmt.Errorf("key %s was retired less than %v ago: %w", row.ID, k.cfg.DestroyGrace, ErrKeyInUse)
	}
	return nil
}

func (k *Keyring) destruction(row Key) StateChange {
	return StateChange{ID: row.ID, From: row.State, To: StateDestroyed, At: k.now()}
}

// usage counts the rows that need a key, everywhere that was registered. Rows that name no key at all are counted too:
// nobody can tell what they need. The text form in a registered column would look like that.
func (k *Keyring) usage(ctx context.Context, key Key) ([]Usage, error) {
	known := make(map[string]bool)
	err := k.eachKey(ctx, KeyFilter{}, func(row Key) error {
		known[row.ID] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Usage
	for _, column := range k.cfg.Sealed {
		counts, err := k.cfg.Rows.CountSealed(ctx, column, "")
		if err != nil {
			return nil, err
		}
		strange := Usage{Where: column.String() + ", naming no key"}
		for kid, n := range counts {
			if column.Purpose == key.Purpose && !known[kid] {
				strange.Rows += n
			}
		}
		out = appendUsage(out, Usage{Where: column.String(), Rows: counts[key.ID]})
		out = appendUsage(out, strange)
	}
	for _, source := range k.cfg.InUse {
		counts, err := source.Count(ctx)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", source.Name, err)
		}
		out = appendUsage(out, Usage{Where: source.Name, Rows: counts[key.ID]})
	}
	return out, nil
}

// ShredReport says what DestroyTenant did.
type ShredReport struct {
	Tenant string
	Keys   []string // ids of the keys that are gone
	Lost   []Usage  // rows of the tenant that nobody can read any more
	// Readable are rows of the tenant that other keys sealed, such as those written before its purpose became one of
	// Config.TenantPurposes. They were not shredded: run Reencrypt before, or delete them.
	Readable []Usage
}

// DestroyTenant shreds a tenant: it destroys all its keys in one step, so that what they sealed can never be read again,
// and counts in the registered columns what that means. The tenant gets no new keys. It may be called again.
//
// What backups hold dies only with them, or with the key-encryption key. Other processes forget the keys within
// CacheConfig.MaxAge (and CacheConfig.StaleFor, if the KMS is down at that time). Errors: [ErrInvalid] for an empty
// tenant, [ErrInTransaction], [ErrKeyChanged] if the keys kept changing meanwhile, those of the store.
func (k *Keyring) DestroyTenant(ctx context.Context, tenant string) (ShredReport, error) {
	report := ShredReport{Tenant: tenant}
	if err := k.refuseTransaction(ctx, "destroy tenant"); err != nil {
		return report, err
	}
	if tenant == "" {
		return report, fmt.Errorf("crypto: destroy tenant without a name: %w", ErrInvalid)
	}
	keys, err := k.destroyAll(ctx, tenant)
	if err != nil {
		return report, fmt.Errorf("crypto: destroy tenant: %w", err)
	}
	report.Keys = keys
	k.forget(keys...)
	k.cfg.Logger.WarnContext(ctx, "crypto: keys of a tenant destroyed", slog.String("tenant", tenant), slog.Int("keys", len(keys)))
	if err := k.countShredded(ctx, &report); err != nil {
		return report, fmt.Errorf("crypto: destroy tenant: count: %w", err)
	}
	return report, nil
}

// destroyAll returns the ids of all keys of a tenant, destroyed now or before.
func (k *Keyring) destroyAll(ctx context.Context, tenant string) ([]string, error) {
	for range initAttempts {
		rows, err := k.store.ListKeys(ctx, KeyFilter{Tenant: &tenant})
		if err != nil {
			return nil, err
		}
		var ids []string
		var changes []StateChange
		for _, row := range rows {
			ids = append(ids, row.ID)
			if row.State != StateDestroyed {
				changes = append(changes, k.destruction(row))
			}
		}
		if len(changes) == 0 {
			return ids, nil
		}
		// Another round sees keys that were made while these were destroyed.
		if err := k.store.ChangeStates(ctx, changes...); err != nil && !errors.Is(err, ErrKeyChanged) {
			return nil, err
		}
	}
	return nil, ErrKeyChanged
}

func (k *Keyring) countShredded(ctx context.Context, report *ShredReport) error {
	gone := make(map[string]bool, len(report.Keys))
	for _, id := range report.Keys {
		gone[id] = true
	}
	for _, column := range k.cfg.Sealed {
		if column.TenantColumn == "" {
			continue
		}
		counts, err := k.cfg.Rows.CountSealed(ctx, column, report.Tenant)
		if err != nil {
			return err
		}
		lost, readable := Usage{Where: column.String()}, Usage{Where: column.String()}
		for kid, n := range counts {
			if gone[kid] {
				lost.Rows += n
			} else {
				readable.Rows += n
			}
		}
		report.Lost = appendUsage(report.Lost, lost)
		report.Readable = appendUsage(report.Readable, readable)
	}
	return nil
}

func appendUsage(list []Usage, u Usage) []Usage {
	if u.Rows == 0 {
		return list
	}
	return append(list, u)
}
