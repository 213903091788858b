package tenancytest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

func memberClauses() []clause {
	return []clause{
		{"AddMember keeps every field and refuses a second place", testAddMember},
		{"16 concurrent AddMember of one user have one winner", testAddMemberRace},
		{"HoldMembership is for members, in a transaction", testHoldMembership},
		{"members want a transaction", func(t *testing.T, w *world) {
			for name, call := range w.memberCalls() {
				if err := call(t.Context()); problem.CodeOf(err) != problem.CodeOf(tenancy.ErrNoTransaction) {
					t.Errorf("%s outside a transaction: %v", name, err)
				}
			}
		}},
		{"an outage of members is an error", func(t *testing.T, w *world) {
			w.Break()
			for name, call := range w.memberCalls() {
				if err := w.Store.InTx(t.Context(), call); problem.KindOf(err) != problem.Unavailable {
					t.Errorf("%s during an outage: %v", name, err)
				}
			}
		}},
	}
}

// memberCalls are the calls that need a transaction, on ids that nobody has.
func (w *world) memberCalls() map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"HoldMembership": func(ctx context.Context) error { _, _, err := w.Store.HoldMembership(ctx, "x", "y"); return err },
		"AddMember":      func(ctx context.Context) error { return w.Store.AddMember(ctx, tenancy.Member{ID: "x"}) },
	}
}

// in runs fn in a transaction.
func (w *world) in(t *testing.T, fn func(ctx context.Context) error) error {
	t.Helper()
	return w.Store.InTx(t.Context(), fn)
}

func testAddMember(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	m := tenancy.Member{ID: newID(), OrganizationID: o.ID, UserID: newID(), Role: "admin,billing", CreatedAt: w.now.Add(123456 * time.Microsecond)}
	other := tenancy.Member{ID: newID(), OrganizationID: o.ID, UserID: newID(), Role: "member", CreatedAt: w.now}
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		assert.NoError(t, w.Store.AddMember(ctx, m))
		again := m
		again.ID, again.Role = newID(), "member"
		assert.ErrorIs(t, w.Store.AddMember(ctx, again), tenancy.ErrAlreadyMember)
		again.UserID = owner.UserID
		assert.ErrorIs(t, w.Store.AddMember(ctx, again), tenancy.ErrAlreadyMember)
		return w.Store.AddMember(ctx, other)
	}))
	w.same(t, o, m)
	w.same(t, o, other)
	w.same(t, o, owner)
}

func testAddMemberRace(t *testing.T, w *world) {
	o, _ := w.create(t, newID())
	user := newID()
	var (
		wg      sync.WaitGroup
		winners atomic.Int64
	)
	for range 16 {
		wg.Go(func() {
			err := w.in(t, func(ctx context.Context) error {
				return w.Store.AddMember(ctx, tenancy.Member{ID: newID(), OrganizationID: o.ID, UserID: user, Role: "member", CreatedAt: w.now})
			})
			if err == nil {
				winners.Add(1)
				return
			}
			assert.ErrorIs(t, err, tenancy.ErrAlreadyMember)
		})
	}
	wg.Wait()
	assert.Equal(t, winners.Load(), 1)
}

func testHoldMembership(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	_, stranger := w.create(t, newID())
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		for _, pair := range [][2]string{{o.ID, stranger.UserID}, {newID(), owner.UserID}, {o.ID, ""}, {"", owner.UserID}} {
			_, _, err := w.Store.HoldMembership(ctx, pair[0], pair[1])
			assert.ErrorIs(t, err, tenancy.ErrNotFound)
		}
		gotO, gotM, err := w.Store.HoldMembership(ctx, o.ID, owner.UserID)
		assert.Equal(t, gotO, o)
		assert.Equal(t, gotM, owner)
		return err
	}))
}
