package cryptobun

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

type keyModel struct {
	bun.BaseModel `bun:"table:tenon_keys,alias:k"`

	ID         string    `bun:"id,pk"`
	Purpose    string    `bun:"purpose"`
	Tenant     string    `bun:"tenant"`
	KEK        string    `bun:"kek"`
	KEKVersion string    `bun:"kek_version"`
	Wrapped    []byte    `bun:"wrapped"`
	Check      []byte    `bun:"check_value"`
	State      string    `bun:"state"`
	StateMAC   []byte    `bun:"state_mac"`
	Seals      int64     `bun:"seals"`
	CreatedAt  time.Time `bun:"created_at"`
	RetiredAt  time.Time `bun:"retired_at,nullzero"`
}

func newKeyModel(k crypto.Key) keyModel {
	return keyModel{
		ID: k.ID, Purpose: k.Purpose, Tenant: k.Tenant, KEK: k.KEK, KEKVersion: k.KEKVersion,
		Wrapped: k.Wrapped, Check: k.Check, State: string(k.State), StateMAC: k.StateMAC, Seals: k.Seals,
		CreatedAt: stored(k.CreatedAt), RetiredAt: stored(k.RetiredAt),
	}
}

func (m keyModel) key() crypto.Key {
	return crypto.Key{
		ID: m.ID, Purpose: m.Purpose, Tenant: m.Tenant, KEK: m.KEK, KEKVersion: m.KEKVersion,
		Wrapped: m.Wrapped, Check: m.Check, State: crypto.State(m.State), StateMAC: m.StateMAC, Seals: m.Seals,
		CreatedAt: m.CreatedAt.UTC(), RetiredAt: m.RetiredAt.UTC(),
	}
}

// Key implements crypto.Store.
func (s *Store) Key(ctx context.Context, id string) (crypto.Key, error) {
	var m keyModel
	err := s.keys(ctx, &m).Where("id = ?", id).Scan(ctx)
	return m.key(), found("cryptobun: key", err, crypto.ErrUnknownKey)
}

// ActiveKey implements crypto.Store.
func (s *Store) ActiveKey(ctx context.Context, purpose, tenant string) (crypto.Key, error) {
	var m keyModel
	err := s.keys(ctx, &m).Where("purpose = ? AND tenant = ? AND state = 'active'", purpose, tenant).Scan(ctx)
	return m.key(), found("cryptobun: active key", err, crypto.ErrNoActiveKey)
}

// ListKeys implements crypto.Store.
func (s *Store) ListKeys(ctx context.Context, filter crypto.KeyFilter) ([]crypto.Key, error) {
	var models []keyModel
	q := s.keys(ctx, &models).Where("id > ?", filter.After).Order("id")
	if filter.Purpose != "" {
		q = q.Where("purpose = ?", filter.Purpose)
	}
	if filter.Tenant != nil {
		q = q.Where("tenant = ?", *filter.Tenant)
	}
	if len(filter.States) > 0 {
		q = q.Where("state IN (?)", bun.List(filter.States))
	}
	if filter.Limit > 0 {
		q = q.Limit(int64(filter.Limit))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, bundb.Wrap("cryptobun: list keys", err)
	}
	out := make([]crypto.Key, len(models))
	for i, m := range models {
		out[i] = m.key()
	}
	return out, nil
}

// InsertKeys implements crypto.Store.
func (s *Store) InsertKeys(ctx context.Context, keys ...crypto.Key) error {
	models := make([]keyModel, len(keys))
	for i, key := range keys {
		models[i] = newKeyModel(key)
	}
	if len(models) == 0 {
		return nil
	}
	// In a transaction of the caller the savepoint keeps a lost race from ending it.
	err := s.InTx(ctx, func(ctx context.Context) error {
		_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(&models).Exec(ctx)
		return err
	})
	return changed("cryptobun: insert keys", err)
}

// ChangeStates implements crypto.Store.
func (s *Store) ChangeStates(ctx context.Context, changes ...crypto.StateChange) error {
	err := s.InTx(ctx, func(ctx context.Context) error {
		for _, change := range changes {
			if err := s.changeState(ctx, change); err != nil {
				return err
			}
		}
		return nil
	})
	return changed("cryptobun: change states", err)
}

func (s *Store) changeState(ctx context.Context, change crypto.StateChange) error {
	q := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*keyModel)(nil)).
		Set("state = ?", change.To).
		Where("id = ? AND state = ?", change.ID, change.From)
	if change.To == crypto.StateDestroyed {
		q = q.Set("wrapped = NULL").Set("check_value = NULL")
	} else {
		q = q.Set("state_mac = ?", change.StateMAC)
	}
	if !change.At.IsZero() {
		q = q.Set("retired_at = ?", stored(change.At))
	}
	return one(q.Exec(ctx))
}

// ReplaceWrapping implements crypto.Store.
func (s *Store) ReplaceWrapping(ctx context.Context, id string, old []byte, w crypto.Wrapped) error {
	err := one(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*keyModel)(nil)).
		Set("kek = ?", w.KEK).Set("kek_version = ?", w.Version).Set("wrapped = ?", w.Bytes).
		Where("id = ? AND wrapped = ?", id, old).Exec(ctx))
	return changed("cryptobun: replace wrapping", err)
}

// AddSeals implements crypto.Store.
func (s *Store) AddSeals(ctx context.Context, seals map[string]int64) error {
	err := s.InTx(ctx, func(ctx context.Context) error {
		for _, id := range slices.Sorted(maps.Keys(seals)) { // one order of locks for all processes
			_, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*keyModel)(nil)).
				Set("seals = seals + ?", seals[id]).Where("id = ?", id).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return bundb.Wrap("cryptobun: add seals", err)
}

func (s *Store) keys(ctx context.Context, model any) *bun.SelectQuery {
	return s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(model)
}

// found translates the error of a lookup.
func found(op string, err, missing error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return bundb.Wrap(op, err)
}

// changed translates the error of a guarded change.
func changed(op string, err error) error {
	switch {
	case bundb.IsUniqueViolation(err):
		return crypto.ErrActiveKeyExists
	case errors.Is(err, crypto.ErrKeyChanged):
		return crypto.ErrKeyChanged
	}
	return bundb.Wrap(op, err)
}

// one is the rule of every guarded change: its row count decides.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = crypto.ErrKeyChanged
	}
	return err
}

// stored is a time as both databases keep it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
