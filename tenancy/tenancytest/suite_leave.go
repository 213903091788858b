package tenancytest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

func departureClauses() []clause {
	return []clause{
		{"LockOwned finds what the user owns, by id", testLockOwned},
		{"Members and LockMembers list one organization, the longest-standing first", testMembers},
		{"Transfer makes a member the owner and the owner an admin", testTransfer},
		{"Transfer refuses strangers and changes nothing", testTransferRefused},
		{"DeleteOrganization takes its members along", testDeleteOrganization},
		{"RemoveMemberships ends those of one user", testRemoveMemberships},
		{"Share finds organizations that two are in", testShare},
		{"a departure wants a transaction", testDepartureTx},
		{"an outage during a departure is an error", testDepartureOutage},
	}
}

// join makes the user a member who joined at w.now plus after.
func (w *world) join(t *testing.T, organizationID, userID, role string, after time.Duration) tenancy.Member {
	t.Helper()
	m := tenancy.Member{ID: newID(), OrganizationID: organizationID, UserID: userID, Role: role, CreatedAt: w.now.Add(after)}
	assert.NoError(t, w.Join(t.Context(), m))
	return m
}

func testLockOwned(t *testing.T, w *world) {
	first, owner := w.create(t, newID())
	second, _ := w.create(t, owner.UserID)
	other, _ := w.create(t, newID())
	w.join(t, other.ID, owner.UserID, "admin", time.Second)
	want := []tenancy.Organization{first, second}
	slices.SortFunc(want, func(a, b tenancy.Organization) int { return compare(a.ID, b.ID) })
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		got, err := w.Store.LockOwned(ctx, owner.UserID)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
		got, err = w.Store.LockOwned(ctx, newID())
		assert.Len(t, got, 0)
		return err
	}))
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func testMembers(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	w.create(t, newID())
	late := w.join(t, o.ID, newID(), "member", time.Hour)
	early := w.join(t, o.ID, newID(), "admin", time.Minute)
	got, err := w.Store.Members(t.Context(), o.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, []tenancy.Member{owner, early, late})
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		got, err = w.Store.LockMembers(ctx, o.ID)
		assert.Equal(t, got, []tenancy.Member{owner, early, late})
		_, missing := w.Store.LockMembers(ctx, newID())
		assert.ErrorIs(t, missing, tenancy.ErrNotFound)
		return err
	}))
}

func (w *world) transfer(t *testing.T, organizationID, from, to string) error {
	t.Helper()
	return w.Store.InTx(t.Context(), func(ctx context.Context) error {
		return w.Store.Transfer(ctx, organizationID, from, to, w.now.Add(time.Hour))
	})
}

func testTransfer(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	next := w.join(t, o.ID, newID(), "member", time.Minute)
	assert.NoError(t, w.transfer(t, o.ID, owner.UserID, next.UserID))
	o.OwnerID, o.UpdatedAt = next.UserID, w.now.Add(time.Hour)
	owner.Role, next.Role = tenancy.RoleAdmin, tenancy.RoleOwner
	w.same(t, o, owner)
	w.same(t, o, next)
}

func testTransferRefused(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, stranger := w.create(t, newID())
	member := w.join(t, o.ID, newID(), "member", time.Minute)
	for _, c := range []struct{ organization, from, to string }{
		{o.ID, owner.UserID, stranger.UserID},
		{o.ID, member.UserID, owner.UserID},
		{newID(), owner.UserID, member.UserID},
		{other.ID, owner.UserID, member.UserID},
	} {
		assert.ErrorIs(t, w.transfer(t, c.organization, c.from, c.to), tenancy.ErrNotFound)
	}
	w.same(t, o, owner)
	w.same(t, o, member)
	w.same(t, other, stranger)
}

func testDeleteOrganization(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, stranger := w.create(t, newID())
	member := w.join(t, o.ID, newID(), "member", time.Minute)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.DeleteOrganization(ctx, newID()), tenancy.ErrNotFound)
		return w.Store.DeleteOrganization(ctx, o.ID)
	}))
	w.absent(t, o.ID, owner.UserID)
	w.absent(t, o.ID, member.UserID)
	w.same(t, other, stranger)
}

func testRemoveMemberships(t *testing.T, w *world) {
	first, owner := w.create(t, newID())
	second, _ := w.create(t, newID())
	user := newID()
	want := []tenancy.Member{
		w.join(t, first.ID, user, "member", time.Minute), w.join(t, second.ID, user, "admin", time.Hour),
	}
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		got, err := w.Store.RemoveMemberships(ctx, user)
		slices.SortFunc(got, func(a, b tenancy.Member) int { return a.CreatedAt.Compare(b.CreatedAt) })
		assert.Equal(t, got, want)
		return err
	}))
	w.absent(t, first.ID, user)
	w.absent(t, second.ID, user)
	w.same(t, first, owner)
}

func testShare(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	_, stranger := w.create(t, newID())
	member := w.join(t, o.ID, newID(), "member", time.Minute)
	for pair, want := range map[[2]string]bool{
		{owner.UserID, member.UserID}: true, {member.UserID, owner.UserID}: true,
		{owner.UserID, stranger.UserID}: false, {member.UserID, newID()}: false, {newID(), newID()}: false,
	} {
		got, err := w.Store.Share(t.Context(), pair[0], pair[1])
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
}

// departures are the calls that a departure makes, on ids that nobody has.
func (w *world) departures() map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"LockOwned":          func(ctx context.Context) error { _, err := w.Store.LockOwned(ctx, "x"); return err },
		"LockMembers":        func(ctx context.Context) error { _, err := w.Store.LockMembers(ctx, "x"); return err },
		"Transfer":           func(ctx context.Context) error { return w.Store.Transfer(ctx, "x", "y", "z", w.now) },
		"DeleteOrganization": func(ctx context.Context) error { return w.Store.DeleteOrganization(ctx, "x") },
		"RemoveMemberships":  func(ctx context.Context) error { _, err := w.Store.RemoveMemberships(ctx, "x"); return err },
	}
}

func testDepartureTx(t *testing.T, w *world) {
	for name, call := range w.departures() {
		if err := call(t.Context()); problem.CodeOf(err) != problem.CodeOf(tenancy.ErrNoTransaction) {
			t.Errorf("%s outside a transaction: %v", name, err)
		}
	}
}

func testDepartureOutage(t *testing.T, w *world) {
	w.Break()
	calls := w.departures()
	for name, call := range calls {
		calls[name] = func(ctx context.Context) error { return w.Store.InTx(ctx, call) }
	}
	calls["Members"] = func(ctx context.Context) error { _, err := w.Store.Members(ctx, "x"); return err }
	calls["Share"] = func(ctx context.Context) error { _, err := w.Store.Share(ctx, "x", "y"); return err }
	for name, call := range calls {
		if err := call(t.Context()); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s during an outage: %v", name, err)
		}
	}
}
