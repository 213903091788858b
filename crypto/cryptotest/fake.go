package cryptotest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/faketx"
)

// Fake is a crypto.Store and crypto.SealedStore in memory, for tests, with transactions. Make one with [NewFake]. It is
// safe for concurrent use.
type Fake struct {
	db *faketx.DB[state]
}

var (
	_ crypto.Store       = (*Fake)(nil)
	_ crypto.SealedStore = (*Fake)(nil)
)

// state is the key table and the sealed columns, by table.column and id.
type state struct {
	keys   map[string]crypto.Key
	sealed map[string]map[string]crypto.SealedRow
}

// NewFake returns an empty store.
func NewFake() *Fake {
	return &Fake{db: faketx.New(state{keys: map[string]crypto.Key{}}, state.clone)}
}

// Fail makes every call return err until it is called with nil: a database that is down.
func (f *Fake) Fail(err error) { f.db.Fail(err) }

// InTx runs fn in a transaction. A nested one is a savepoint.
func (f *Fake) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return f.db.InTx(ctx, fn)
}

// InTransaction implements crypto.Store.
func (f *Fake) InTransaction(ctx context.Context) bool { return f.db.InTransaction(ctx) }

// PutKey stores a row of the key table as a database writer could, without any check.
func (f *Fake) PutKey(t testing.TB, key crypto.Key) {
	t.Helper()
	f.must(t, func(s *state) { s.keys[key.ID] = cloneKey(key) })
}

// Key implements crypto.Store.
func (f *Fake) Key(ctx context.Context, id string) (key crypto.Key, err error) {
	err = f.db.Do(ctx, func(s *state) error {
		found, ok := s.keys[id]
		if !ok {
			return crypto.ErrUnknownKey
		}
		key = cloneKey(found)
		return nil
	})
	return key, err
}

// ActiveKey implements crypto.Store.
func (f *Fake) ActiveKey(ctx context.Context, purpose, tenant string) (key crypto.Key, err error) {
	active := crypto.KeyFilter{Purpose: purpose, Tenant: &tenant, States: []crypto.State{crypto.StateActive}}
	keys, err := f.ListKeys(ctx, active)
	if err != nil {
		return key, err
	}
	if len(keys) == 0 {
		return key, crypto.ErrNoActiveKey
	}
	return keys[0], nil
}

// ListKeys implements crypto.Store.
func (f *Fake) ListKeys(ctx context.Context, filter crypto.KeyFilter) (out []crypto.Key, err error) {
	err = f.db.Do(ctx, func(s *state) error {
		for _, id := range slices.Sorted(maps.Keys(s.keys)) {
			if key := s.keys[id]; matches(key, filter) && (filter.Limit == 0 || len(out) < filter.Limit) {
				out = append(out, cloneKey(key))
			}
		}
		return nil
	})
	return out, err
}

// InsertKeys implements crypto.Store.
func (f *Fake) InsertKeys(ctx context.Context, keys ...crypto.Key) error {
	return f.atomically(ctx, func(s *state) error {
		for _, key := range keys {
			if _, ok := s.keys[key.ID]; ok {
				return crypto.ErrActiveKeyExists
			}
			if err := s.put(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// ChangeStates implements crypto.Store.
func (f *Fake) ChangeStates(ctx context.Context, changes ...crypto.StateChange) error {
	return f.atomically(ctx, func(s *state) error {
		for _, change := range changes {
			key, ok := s.keys[change.ID]
			if !ok || key.State != change.From {
				return crypto.ErrKeyChanged
			}
			if err := s.put(changed(key, change)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReplaceWrapping implements crypto.Store.
func (f *Fake) ReplaceWrapping(ctx context.Context, id string, old []byte, w crypto.Wrapped) error {
	return f.atomically(ctx, func(s *state) error {
		key, ok := s.keys[id]
		if !ok || len(key.Wrapped) == 0 || !bytes.Equal(key.Wrapped, old) {
			return crypto.ErrKeyChanged
		}
		key.KEK, key.KEKVersion, key.Wrapped = w.KEK, w.Version, bytes.Clone(w.Bytes)
		s.keys[id] = key
		return nil
	})
}

// AddSeals implements crypto.Store.
func (f *Fake) AddSeals(ctx context.Context, seals map[string]int64) error {
	return f.atomically(ctx, func(s *state) error {
		for id, n := range seals {
			if key, ok := s.keys[id]; ok {
				key.Seals += n
				s.keys[id] = key
			}
		}
		return nil
	})
}

// atomically runs fn at a savepoint, so that a failing step leaves nothing behind in the caller's transaction either.
func (f *Fake) atomically(ctx context.Context, fn func(*state) error) error {
	return f.db.InTx(ctx, func(ctx context.Context) error { return f.db.Do(ctx, fn) })
}

func (f *Fake) must(t testing.TB, fn func(*state)) {
	t.Helper()
	err := f.db.Do(context.Background(), func(s *state) error {
		fn(s)
		return nil
	})
	if err != nil {
		t.Fatalf("cryptotest: %v", err)
	}
}

// put stores a key and upholds the unique index over active ones.
func (s *state) put(key crypto.Key) error {
	for _, other := range s.keys {
		if key.State == crypto.StateActive && other.State == crypto.StateActive && other.ID != key.ID &&
			other.Purpose == key.Purpose && other.Tenant == key.Tenant {
			return crypto.ErrActiveKeyExists
		}
	}
	s.keys[key.ID] = cloneKey(key)
	return nil
}

func (s state) clone() state {
	out := state{keys: maps.Clone(s.keys), sealed: make(map[string]map[string]crypto.SealedRow)}
	for name, rows := range s.sealed {
		out.sealed[name] = maps.Clone(rows)
	}
	return out
}

func changed(key crypto.Key, change crypto.StateChange) crypto.Key {
	key.State = change.To
	if !change.At.IsZero() {
		key.RetiredAt = change.At
	}
	if change.To == crypto.StateDestroyed {
		key.Wrapped, key.Check = nil, nil
		return key
	}
	key.StateMAC = change.StateMAC
	return key
}

func matches(key crypto.Key, filter crypto.KeyFilter) bool {
	return (filter.Purpose == "" || key.Purpose == filter.Purpose) &&
		(filter.Tenant == nil || key.Tenant == *filter.Tenant) &&
		(len(filter.States) == 0 || slices.Contains(filter.States, key.State)) &&
		strings.Compare(key.ID, filter.After) > 0
}

// cloneKey copies a row as a database keeps it.
func cloneKey(key crypto.Key) crypto.Key {
	key.CreatedAt = key.CreatedAt.UTC().Truncate(time.Microsecond)
	key.RetiredAt = key.RetiredAt.UTC().Truncate(time.Microsecond)
	key.Wrapped, key.Check, key.StateMAC = bytes.Clone(key.Wrapped), bytes.Clone(key.Check), bytes.Clone(key.StateMAC)
	return key
}
