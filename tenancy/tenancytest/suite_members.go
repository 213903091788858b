package tenancytest

import (
	"context"
	"encoding/json"
	"slices"
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
		{"HoldMembership and LockOrganization are for members, in a transaction", testHoldMembership},
		{"FindMember finds one organization's", testFindMember},
		{"ListMembers sorts, filters, pages and counts", testListMembers},
		{"SetRole compares, and never touches an owner", testSetRole},
		{"RemoveMember never removes an owner", testRemoveMember},
		{"MembershipBySlug is Membership by the slug", testBySlug},
		{"Choose decides where HoldFirst starts", testChoose},
		{"UpdateOrganization sets what is the members' to set", testUpdate},
		{"Organizations lists in the order of joining", testOrganizations},
		{"members want a transaction", func(t *testing.T, w *world) {
			for name, call := range w.memberCalls() {
				if err := call(t.Context()); problem.CodeOf(err) != problem.CodeOf(tenancy.ErrNoTransaction) {
					t.Errorf("%s outside a transaction: %v", name, err)
				}
			}
		}},
		{"an outage of members is an error", func(t *testing.T, w *world) {
			w.Break()
			calls := w.memberCalls()
			for name, call := range calls {
				calls[name] = func(ctx context.Context) error { return w.Store.InTx(ctx, call) }
			}
			for name, call := range w.reads() {
				calls[name] = call
			}
			for name, call := range calls {
				if err := call(t.Context()); problem.KindOf(err) != problem.Unavailable {
					t.Errorf("%s during an outage: %v", name, err)
				}
			}
		}},
	}
}

// memberCalls are the calls that need a transaction, on ids that nobody has.
func (w *world) memberCalls() map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"HoldMembership":   func(ctx context.Context) error { _, _, err := w.Store.HoldMembership(ctx, "x", "y"); return err },
		"LockOrganization": func(ctx context.Context) error { _, _, err := w.Store.LockOrganization(ctx, "x", "y"); return err },
		"SetRole":          func(ctx context.Context) error { return w.Store.SetRole(ctx, tenancy.Member{ID: "x"}, "y") },
		"RemoveMember":     func(ctx context.Context) error { return w.Store.RemoveMember(ctx, tenancy.Member{ID: "x"}) },
		"OfferOwnership": func(ctx context.Context) error {
			return w.Store.OfferOwnership(ctx, tenancy.Offer{OrganizationID: "x"})
		},
		"WithdrawOffer": func(ctx context.Context) error { _, err := w.Store.WithdrawOffer(ctx, "x"); return err },
		"HoldRoles":     func(ctx context.Context) error { _, err := w.Store.HoldRoles(ctx, "x", []string{"y"}); return err },
		"CreateRole": func(ctx context.Context) error {
			return w.Store.CreateRole(ctx, tenancy.Role{ID: "x", OrganizationID: "y", Name: "z"})
		},
		"UpdateRole": func(ctx context.Context) error { return w.Store.UpdateRole(ctx, tenancy.Role{ID: "x"}) },
		"DeleteRole": func(ctx context.Context) error { return w.Store.DeleteRole(ctx, tenancy.Role{ID: "x"}) },
		"AddMember":  func(ctx context.Context) error { return w.Store.AddMember(ctx, tenancy.Member{ID: "x"}) },
	}
}

// reads are the calls that need no transaction, on ids that nobody has.
func (w *world) reads() map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"FindMember": func(ctx context.Context) error { _, err := w.Store.FindMember(ctx, "x", "y"); return err },
		"ListMembers": func(ctx context.Context) error {
			_, _, err := w.Store.ListMembers(ctx, tenancy.MemberQuery{OrganizationID: "x", Limit: 1})
			return err
		},
		"MembershipBySlug":   func(ctx context.Context) error { _, _, err := w.Store.MembershipBySlug(ctx, "x", "y"); return err },
		"Organizations":      func(ctx context.Context) error { _, err := w.Store.Organizations(ctx, "x", 1); return err },
		"SlugTaken":          func(ctx context.Context) error { _, err := w.Store.SlugTaken(ctx, "x"); return err },
		"UpdateOrganization": func(ctx context.Context) error { return w.Store.UpdateOrganization(ctx, tenancy.Organization{ID: "x"}) },
		"Choose":             func(ctx context.Context) error { return w.Store.Choose(ctx, "x", "y", w.now) },
		"FindOffer":          func(ctx context.Context) error { _, err := w.Store.FindOffer(ctx, "x", "y"); return err },
		"Roles":              func(ctx context.Context) error { _, _, err := w.Store.Roles(ctx, "x"); return err },
		"RoleHolders":        func(ctx context.Context) error { _, err := w.Store.RoleHolders(ctx, "x", "y"); return err },
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
			_, _, err = w.Store.LockOrganization(ctx, pair[0], pair[1])
			assert.ErrorIs(t, err, tenancy.ErrNotFound)
		}
		lockedO, lockedM, err := w.Store.LockOrganization(ctx, o.ID, owner.UserID)
		assert.NoError(t, err)
		assert.Equal(t, lockedO, o)
		assert.Equal(t, lockedM, owner)
		gotO, gotM, err := w.Store.HoldMembership(ctx, o.ID, owner.UserID)
		assert.Equal(t, gotO, o)
		assert.Equal(t, gotM, owner)
		return err
	}))
}

func testFindMember(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, stranger := w.create(t, newID())
	got, err := w.Store.FindMember(t.Context(), o.ID, owner.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, owner)
	for _, pair := range [][2]string{{o.ID, stranger.ID}, {other.ID, owner.ID}, {o.ID, newID()}, {newID(), owner.ID}, {"", owner.ID}} {
		_, err := w.Store.FindMember(t.Context(), pair[0], pair[1])
		assert.ErrorIs(t, err, tenancy.ErrMemberNotFound)
	}
}

func testListMembers(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	twin, _ := w.create(t, newID())
	w.join(t, twin.ID, newID(), "member", 0)
	ann := w.join(t, o.ID, "ann", "member", 3*time.Second)
	bob := w.join(t, o.ID, "b_b", "admin", 2*time.Second)
	cas := w.join(t, o.ID, "bxb", "admin,billing", time.Second)
	for name, c := range map[string]struct {
		q     tenancy.MemberQuery
		want  []tenancy.Member
		total int
	}{
		"by creation":       {tenancy.MemberQuery{}, []tenancy.Member{owner, cas, bob, ann}, 4},
		"backwards":         {tenancy.MemberQuery{Descending: true}, []tenancy.Member{ann, bob, cas, owner}, 4},
		"a page":            {tenancy.MemberQuery{Limit: 2, Offset: 1}, []tenancy.Member{cas, bob}, 4},
		"past the end":      {tenancy.MemberQuery{Offset: 9}, nil, 4},
		"by role":           {tenancy.MemberQuery{SortBy: tenancy.MemberRole}, []tenancy.Member{bob, cas, ann, owner}, 4},
		"by user, one role": {tenancy.MemberQuery{SortBy: tenancy.MemberUserID, Filter: tenancy.MemberRole, Operator: tenancy.Equal, Values: []string{"admin"}}, []tenancy.Member{bob}, 1},
		"not a role":        {tenancy.MemberQuery{Filter: tenancy.MemberRole, Operator: tenancy.NotEqual, Values: []string{"admin"}}, []tenancy.Member{owner, cas, ann}, 3},
		"some roles":        {tenancy.MemberQuery{Filter: tenancy.MemberRole, Operator: tenancy.OneOf, Values: []string{"admin", "owner"}}, []tenancy.Member{owner, bob}, 2},
		"other roles":       {tenancy.MemberQuery{Filter: tenancy.MemberRole, Operator: tenancy.NoneOf, Values: []string{"admin", "owner"}}, []tenancy.Member{cas, ann}, 2},
		"part of a role":    {tenancy.MemberQuery{Filter: tenancy.MemberRole, Operator: tenancy.Contains, Values: []string{"n,b"}}, []tenancy.Member{cas}, 1},
		"no wildcard":       {tenancy.MemberQuery{Filter: tenancy.MemberUserID, Operator: tenancy.StartsWith, Values: []string{"b_"}}, []tenancy.Member{bob}, 1},
		"no wildcard, too":  {tenancy.MemberQuery{Filter: tenancy.MemberUserID, Operator: tenancy.EndsWith, Values: []string{"%b"}}, nil, 0},
		"an end":            {tenancy.MemberQuery{Filter: tenancy.MemberUserID, Operator: tenancy.EndsWith, Values: []string{"xb"}}, []tenancy.Member{cas}, 1},
		"an id":             {tenancy.MemberQuery{Filter: tenancy.MemberID, Operator: tenancy.Equal, Values: []string{ann.ID}}, []tenancy.Member{ann}, 1},
	} {
		c.q.OrganizationID = o.ID
		if c.q.Limit == 0 {
			c.q.Limit = 10
		}
		got, total, err := w.Store.ListMembers(t.Context(), c.q)
		if err != nil || total != c.total || len(got) != len(c.want) || len(got) > 0 && !slices.Equal(got, c.want) {
			t.Errorf("%s: %d of %d, %v\n%v\n%v", name, len(got), total, err, got, c.want)
		}
	}
	_, _, err := w.Store.ListMembers(t.Context(), tenancy.MemberQuery{OrganizationID: o.ID, Limit: 1, Filter: tenancy.MemberRole, Operator: "gt"})
	assert.Error(t, err)
}

func testSetRole(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, _ := w.create(t, newID())
	m := w.join(t, o.ID, newID(), "member", time.Second)
	set := func(m tenancy.Member, role string) error {
		return w.in(t, func(ctx context.Context) error { return w.Store.SetRole(ctx, m, role) })
	}
	for _, change := range []func(*tenancy.Member){
		func(m *tenancy.Member) { m.ID = newID() },
		func(m *tenancy.Member) { m.OrganizationID = other.ID },
		func(m *tenancy.Member) { m.Role = "admin" },
		func(m *tenancy.Member) { *m = owner },
		func(m *tenancy.Member) { *m = owner; m.Role = "admin" },
	} {
		wrong := m
		change(&wrong)
		assert.ErrorIs(t, set(wrong, "admin"), tenancy.ErrMemberNotFound)
	}
	assert.Error(t, set(m, tenancy.RoleOwner))
	assert.Error(t, set(m, "admin,owner"))
	w.same(t, o, m)
	w.same(t, o, owner)
	assert.NoError(t, set(m, "admin,billing"))
	m.Role = "admin,billing"
	w.same(t, o, m)
}

func testRemoveMember(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, _ := w.create(t, newID())
	m, stays := w.join(t, o.ID, newID(), "member", time.Second), w.join(t, o.ID, newID(), "member", time.Second)
	remove := func(m tenancy.Member) error {
		return w.in(t, func(ctx context.Context) error { return w.Store.RemoveMember(ctx, m) })
	}
	assert.ErrorIs(t, remove(owner), tenancy.ErrMemberNotFound)
	assert.ErrorIs(t, remove(tenancy.Member{ID: m.ID, OrganizationID: other.ID, Role: "member"}), tenancy.ErrMemberNotFound)
	assert.NoError(t, remove(m))
	assert.ErrorIs(t, remove(m), tenancy.ErrMemberNotFound)
	w.absent(t, o.ID, m.UserID)
	w.same(t, o, owner)
	w.same(t, o, stays)
}

func testBySlug(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, stranger := w.create(t, newID())
	gotO, gotM, err := w.Store.MembershipBySlug(t.Context(), o.Slug, owner.UserID)
	assert.NoError(t, err)
	assert.Equal(t, gotO, o)
	assert.Equal(t, gotM, owner)
	for _, pair := range [][2]string{{o.Slug, stranger.UserID}, {other.Slug, owner.UserID}, {"no-such", owner.UserID}, {"", owner.UserID}} {
		_, _, err := w.Store.MembershipBySlug(t.Context(), pair[0], pair[1])
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
	}
	for slug, want := range map[string]bool{o.Slug: true, "no-such": false, "": false} {
		taken, err := w.Store.SlugTaken(t.Context(), slug)
		assert.NoError(t, err)
		assert.Equal(t, taken, want)
	}
}

func testChoose(t *testing.T, w *world) {
	user := newID()
	first, _ := w.create(t, user)
	second, _ := w.create(t, newID())
	place := w.join(t, second.ID, user, "member", time.Hour)
	third, _ := w.create(t, newID())
	starts := func(want string) {
		t.Helper()
		got, err := w.holdFirst(t.Context(), user)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
	starts(first.ID)
	assert.ErrorIs(t, w.Store.Choose(t.Context(), third.ID, user, w.now), tenancy.ErrNotFound)
	assert.ErrorIs(t, w.Store.Choose(t.Context(), newID(), user, w.now), tenancy.ErrNotFound)
	assert.NoError(t, w.Store.Choose(t.Context(), second.ID, user, w.now))
	starts(second.ID)
	assert.NoError(t, w.Store.Choose(t.Context(), first.ID, user, w.now.Add(time.Second)))
	starts(first.ID)
	assert.NoError(t, w.Store.Choose(t.Context(), second.ID, user, w.now.Add(2*time.Second)))
	assert.NoError(t, w.in(t, func(ctx context.Context) error { return w.Store.RemoveMember(ctx, place) }))
	starts(first.ID)
}

func testUpdate(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, otherOwner := w.create(t, newID())
	o.Name, o.Slug, o.Logo, o.Metadata, o.UpdatedAt = "New", "new", "https://example.com/x", json.RawMessage(`{"a":1}`), w.now.Add(time.Hour)
	sent := o
	sent.OwnerID, sent.CreatedAt, sent.RolesVersion = otherOwner.UserID, w.now.Add(time.Hour), 9
	assert.NoError(t, w.Store.UpdateOrganization(t.Context(), sent))
	w.same(t, o, owner)
	w.same(t, other, otherOwner)
	o.Logo, o.Metadata = "", nil
	assert.NoError(t, w.Store.UpdateOrganization(t.Context(), o))
	w.same(t, o, owner)
	taken := o
	taken.Slug, taken.Name = other.Slug, "Other"
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.UpdateOrganization(ctx, taken), tenancy.ErrSlugTaken)
		taken.ID = newID()
		taken.Slug = "free"
		assert.ErrorIs(t, w.Store.UpdateOrganization(ctx, taken), tenancy.ErrNotFound)
		return nil
	}))
	w.same(t, o, owner)
}

func testOrganizations(t *testing.T, w *world) {
	user := newID()
	first, _ := w.create(t, user)
	second, _ := w.create(t, newID())
	third, _ := w.create(t, newID())
	w.join(t, third.ID, user, "member", time.Second)
	w.join(t, second.ID, user, "member", time.Minute)
	for limit, want := range map[int][]tenancy.Organization{9: {first, third, second}, 2: {first, third}} {
		got, err := w.Store.Organizations(t.Context(), user, limit)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
	got, err := w.Store.Organizations(t.Context(), newID(), 9)
	assert.NoError(t, err)
	assert.Len(t, got, 0)
}
