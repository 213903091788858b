package jwttest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/faketx"
	"github.com/tenon-go/tenon/token/jwt"
)

// NewService returns a Service over a new Fake and a keyring in memory, whose
// issuer and audience are https://example.com. It has a key.
func NewService(t testing.TB, now func() time.Time) *jwt.Service {
	t.Helper()
	svc, err := jwt.New(NewFake(), jwt.Config{
		Sealer: cryptotest.NewKeyring(t), Issuer: "https://example.com", Audience: "https://example.com",
		Now: now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("jwttest: new service: %v", err)
	}
	if err := svc.Init(t.Context()); err != nil {
		t.Fatalf("jwttest: init: %v", err)
	}
	return svc
}

var _ jwt.Store = (*Fake)(nil)

// Fake is a jwt.Store in memory. Transactions run one at a time, as SQLite's do.
// It is safe for concurrent use; make it with NewFake.
type Fake struct{ db *faketx.DB[rows] }

type rows map[string]jwt.Key

// NewFake returns an empty Fake.
func NewFake() *Fake { return &Fake{faketx.New(rows{}, maps.Clone[rows])} }

// Fail makes every call return err until Fail(nil): a database that is down.
func (f *Fake) Fail(err error) { f.db.Fail(err) }

// InTx runs fn in a transaction, or at a savepoint of the one in ctx.
func (f *Fake) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return f.db.InTx(ctx, fn)
}

// InTransaction implements jwt.Store.
func (f *Fake) InTransaction(ctx context.Context) bool { return f.db.InTransaction(ctx) }

// Put stores a row as it is, as somebody who can write to the database does.
func (f *Fake) Put(ctx context.Context, key jwt.Key) error {
	return f.db.Do(ctx, func(state *rows) error {
		(*state)[key.ID] = stored(key)
		return nil
	})
}

// ListKeys implements jwt.Store.
func (f *Fake) ListKeys(ctx context.Context) ([]jwt.Key, error) {
	var out []jwt.Key
	err := f.db.Do(ctx, func(state *rows) error {
		out = make([]jwt.Key, 0, len(*state))
		for _, key := range *state {
			key.Sealed = slices.Clone(key.Sealed)
			out = append(out, key)
		}
		slices.SortFunc(out, func(a, b jwt.Key) int {
			if c := a.PublishedAt.Compare(b.PublishedAt); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		return nil
	})
	return out, err
}

// AddKey implements jwt.Store.
func (f *Fake) AddKey(ctx context.Context, key jwt.Key) (bool, error) {
	return f.decide(ctx, func(rows rows) bool {
		if _, exists := rows[key.ID]; exists || key.State != jwt.StateRetired && rows.in(key.State) {
			return false
		}
		rows[key.ID] = stored(key)
		return true
	})
}

// PromoteKey implements jwt.Store.
func (f *Fake) PromoteKey(ctx context.Context, p jwt.Promotion) (bool, error) {
	return f.decide(ctx, func(rows rows) bool {
		next, old := rows[p.Sign], rows[p.Retire]
		switch {
		case next.State != jwt.StatePublished, next.PublishedAt.After(p.PublishedBy):
			return false
		case p.Retire == "" && rows.in(jwt.StateSigning):
			return false
		case p.Retire != "" && (old.State != jwt.StateSigning || old.SigningAt.After(p.SigningBy)):
			return false
		case p.Retire != "":
			old.State, old.RetiredAt = jwt.StateRetired, micros(p.At)
			rows[p.Retire] = old
		}
		next.State, next.SigningAt = jwt.StateSigning, micros(p.At)
		rows[p.Sign] = next
		return true
	})
}

// DeleteKey implements jwt.Store.
func (f *Fake) DeleteKey(ctx context.Context, id string) (bool, error) {
	return f.decide(ctx, func(rows rows) bool {
		_, exists := rows[id]
		delete(rows, id)
		return exists
	})
}

// PruneKeys implements jwt.Store.
func (f *Fake) PruneKeys(ctx context.Context, before time.Time) (n int, err error) {
	err = f.db.Do(ctx, func(state *rows) error {
		for id, key := range *state {
			if key.State == jwt.StateRetired && !key.RetiredAt.After(before) {
				delete(*state, id)
				n++
			}
		}
		return nil
	})
	return n, err
}

func (f *Fake) decide(ctx context.Context, fn func(rows rows) bool) (done bool, err error) {
	err = f.db.Do(ctx, func(state *rows) error {
		done = fn(*state)
		return nil
	})
	return done && err == nil, err
}

// in reports whether a key is in the state.
func (r rows) in(state jwt.State) bool {
	for _, key := range r {
		if key.State == state {
			return true
		}
	}
	return false
}

func stored(key jwt.Key) jwt.Key {
	key.Sealed = slices.Clone(key.Sealed)
	key.PublishedAt, key.SigningAt, key.RetiredAt = micros(key.PublishedAt), micros(key.SigningAt), micros(key.RetiredAt)
	return key
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
