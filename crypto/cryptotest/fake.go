package cryptotest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/tenon-go/tenon/crypto"
)

// Fake is a crypto.Store and crypto.SealedStore in memory, for tests. Its zero value is an empty store. It is safe for
// concurrent use.
type Fake struct {
	mu   sync.Mutex
	keys map[string]crypto.Key
	rows map[string]map[string]crypto.SealedRow // by table.column, by id
	err  error
}

type transaction struct{}

// InTransactionContext returns a ctx for which InTransaction is true, to see what a keyring refuses. The Fake has no
// real transactions.
func (f *Fake) InTransactionContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, transaction{}, f)
}

// Fail makes every call return err until it is called with nil.
func (f *Fake) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// PutSealed stores a sealed value as the owner of the column would.
func (f *Fake) PutSealed(column crypto.SealedColumn, row crypto.SealedRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows == nil {
		f.rows = make(map[string]map[string]crypto.SealedRow)
	}
	name := column.String()
	if f.rows[name] == nil {
		f.rows[name] = make(map[string]crypto.SealedRow)
	}
	row.Value = bytes.Clone(row.Value)
	f.rows[name][row.ID] = row
}

// Sealed returns the stored row, and whether there is one.
func (f *Fake) Sealed(column crypto.SealedColumn, id string) (crypto.SealedRow, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row, ok := f.rows[column.String()][id]
	row.Value = bytes.Clone(row.Value)
	return row, ok
}

// PutKey stores a row of the key table as a database writer could, without any check.
func (f *Fake) PutKey(key crypto.Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(key)
}

// InTransaction implements crypto.Store.
func (f *Fake) InTransaction(ctx context.Context) bool { return ctx.Value(transaction{}) == f }

// Key implements crypto.Store.
func (f *Fake) Key(ctx context.Context, id string) (crypto.Key, error) {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return crypto.Key{}, err
	}
	key, ok := f.keys[id]
	if !ok {
		return crypto.Key{}, crypto.ErrUnknownKey
	}
	return clone(key), nil
}

// ActiveKey implements crypto.Store.
func (f *Fake) ActiveKey(ctx context.Context, purpose, tenant string) (crypto.Key, error) {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return crypto.Key{}, err
	}
	for _, key := range f.keys {
		if key.Purpose == purpose && key.Tenant == tenant && key.State == crypto.StateActive {
			return clone(key), nil
		}
	}
	return crypto.Key{}, crypto.ErrNoActiveKey
}

// ListKeys implements crypto.Store.
func (f *Fake) ListKeys(ctx context.Context, filter crypto.KeyFilter) ([]crypto.Key, error) {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	var out []crypto.Key
	for _, key := range f.keys {
		if matches(key, filter) {
			out = append(out, clone(key))
		}
	}
	slices.SortFunc(out, func(a, b crypto.Key) int { return strings.Compare(a.ID, b.ID) })
	if filter.Limit > 0 && len(out) > filter.Limit {
		out = out[:filter.Limit]
	}
	return out, nil
}

// InsertKeys implements crypto.Store.
func (f *Fake) InsertKeys(ctx context.Context, keys ...crypto.Key) error {
	return f.atomically(ctx, func() error {
		for _, key := range keys {
			if _, ok := f.keys[key.ID]; ok {
				return crypto.ErrActiveKeyExists
			}
			if err := f.activate(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// ChangeStates implements crypto.Store.
func (f *Fake) ChangeStates(ctx context.Context, changes ...crypto.StateChange) error {
	return f.atomically(ctx, func() error {
		for _, change := range changes {
			key, ok := f.keys[change.ID]
			if !ok || key.State != change.From {
				return crypto.ErrKeyChanged
			}
			if err := f.activate(changed(key, change)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReplaceWrapping implements crypto.Store.
func (f *Fake) ReplaceWrapping(ctx context.Context, id string, old []byte, w crypto.Wrapped) error {
	return f.atomically(ctx, func() error {
		key, ok := f.keys[id]
		if !ok || len(key.Wrapped) == 0 || !bytes.Equal(key.Wrapped, old) {
			return crypto.ErrKeyChanged
		}
		key.KEK, key.KEKVersion, key.Wrapped = w.KEK, w.Version, w.Bytes
		f.put(key)
		return nil
	})
}

// AddSeals implements crypto.Store.
func (f *Fake) AddSeals(ctx context.Context, seals map[string]int64) error {
	return f.atomically(ctx, func() error {
		for id, n := range seals {
			if key, ok := f.keys[id]; ok {
				key.Seals += n
				f.keys[id] = key
			}
		}
		return nil
	})
}

// begin locks the store; the caller unlocks it even when there is an error.
func (f *Fake) begin(ctx context.Context) error {
	f.mu.Lock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.err
}

// atomically runs fn and puts the key table back as it was if fn fails.
func (f *Fake) atomically(ctx context.Context, fn func() error) error {
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return err
	}
	before := make(map[string]crypto.Key, len(f.keys))
	for id, key := range f.keys {
		before[id] = key
	}
	if err := fn(); err != nil {
		f.keys = before
		return err
	}
	return nil
}

// activate stores a key and upholds the unique index over active ones.
func (f *Fake) activate(key crypto.Key) error {
	for _, other := range f.keys {
		if key.State == crypto.StateActive && other.State == crypto.StateActive && other.ID != key.ID &&
			other.Purpose == key.Purpose && other.Tenant == key.Tenant {
			return crypto.ErrActiveKeyExists
		}
	}
	f.put(key)
	return nil
}

func (f *Fake) put(key crypto.Key) {
	if f.keys == nil {
		f.keys = make(map[string]crypto.Key)
	}
	f.keys[key.ID] = clone(key)
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
		key.ID > filter.After
}

func clone(key crypto.Key) crypto.Key {
	key.Wrapped, key.Check, key.StateMAC = bytes.Clone(key.Wrapped), bytes.Clone(key.Check), bytes.Clone(key.StateMAC)
	return key
}
