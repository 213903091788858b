package tenancytest

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
)

func roleClauses() []clause {
	return []clause{
		{"R31 an offer is the organization's only one, and ends with the membership", testOffer},
		{"R31 a transfer withdraws every offer", testTransferWithdraws},
		{"R18 roles are one organization's, and raise its version", testRoles},
		{"a role's name is taken once", testRoleTaken},
		{"a role in use is not deleted", testRoleInUse},
		{"DeleteOrganization takes its roles along", testRolesGo},
	}
}

func (w *world) offer(t *testing.T, organizationID, userID string, version int64) (tenancy.Offer, error) {
	t.Helper()
	o := tenancy.Offer{OrganizationID: organizationID, UserID: userID, SecurityVersion: version, EndsAt: w.now.Add(time.Hour)}
	return o, w.in(t, func(ctx context.Context) error { return w.Store.OfferOwnership(ctx, o) })
}

// offered fails the test unless the user has the offer, or none where it is nil.
func (w *world) offered(t *testing.T, organizationID, userID string, want *tenancy.Offer) {
	t.Helper()
	got, err := w.Store.FindOffer(t.Context(), organizationID, userID)
	if want == nil {
		assert.ErrorIs(t, err, tenancy.ErrNoOffer)
		return
	}
	assert.NoError(t, err)
	assert.Equal(t, got, *want)
}

func testOffer(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	other, stranger := w.create(t, newID())
	a, b := w.join(t, o.ID, newID(), "member", 0), w.join(t, o.ID, newID(), "admin", 0)
	first, err := w.offer(t, o.ID, a.UserID, 7)
	assert.NoError(t, err)
	for _, c := range [][2]string{{o.ID, stranger.UserID}, {other.ID, a.UserID}, {o.ID, owner.UserID}, {newID(), a.UserID}} {
		_, err := w.offer(t, c[0], c[1], 1)
		assert.ErrorIs(t, err, tenancy.ErrMemberNotFound)
	}
	w.offered(t, o.ID, a.UserID, &first)
	w.offered(t, other.ID, a.UserID, nil)
	w.offered(t, o.ID, "", nil)
	second, err := w.offer(t, o.ID, b.UserID, 8)
	assert.NoError(t, err)
	w.offered(t, o.ID, a.UserID, nil)
	w.offered(t, o.ID, b.UserID, &second)
	for _, want := range []bool{true, false} {
		assert.NoError(t, w.in(t, func(ctx context.Context) error {
			withdrawn, err := w.Store.WithdrawOffer(ctx, o.ID)
			assert.Equal(t, withdrawn, want)
			return err
		}))
	}
	w.offered(t, o.ID, b.UserID, nil)
	_, err = w.offer(t, o.ID, b.UserID, 9)
	assert.NoError(t, err)
	assert.NoError(t, w.in(t, func(ctx context.Context) error { return w.Store.RemoveMember(ctx, b) }))
	w.join(t, o.ID, b.UserID, "admin", 0)
	w.offered(t, o.ID, b.UserID, nil)
}

func testTransferWithdraws(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	a, b := w.join(t, o.ID, newID(), "member", 0), w.join(t, o.ID, newID(), "admin", 0)
	_, err := w.offer(t, o.ID, a.UserID, 7)
	assert.NoError(t, err)
	assert.NoError(t, w.transfer(t, o.ID, owner.UserID, b.UserID))
	w.offered(t, o.ID, a.UserID, nil)
}

// role describes a role of the organization.
func (w *world) role(organizationID, name string) tenancy.Role {
	return tenancy.Role{
		ID: newID(), OrganizationID: organizationID, Name: name, Permissions: tenancy.Permissions{"team": {"create", "delete"}},
		CreatedAt: w.now.Add(123456 * time.Microsecond), UpdatedAt: w.now,
	}
}

// roles fails the test unless the organization has these roles of that version.
func (w *world) roles(t *testing.T, organizationID string, version int64, want ...tenancy.Role) {
	t.Helper()
	got, gotVersion, err := w.Store.Roles(t.Context(), organizationID)
	assert.NoError(t, err)
	assert.Equal(t, gotVersion, version)
	assert.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, got[i], want[i])
	}
}

func testRoles(t *testing.T, w *world) {
	o, owner := w.create(t, newID())
	twin, _ := w.create(t, newID())
	a, z, foreign := w.role(o.ID, "aa"), w.role(o.ID, "zz"), w.role(twin.ID, "aa")
	for _, r := range []tenancy.Role{z, a, foreign} {
		assert.NoError(t, w.in(t, func(ctx context.Context) error { return w.Store.CreateRole(ctx, r) }))
	}
	w.roles(t, o.ID, 2, a, z)
	w.roles(t, twin.ID, 1, foreign)
	w.roles(t, newID(), 0)
	a.Name, a.Permissions, a.UpdatedAt = "ab", tenancy.Permissions{}, w.now.Add(time.Hour)
	sent := a
	sent.CreatedAt = w.now.Add(time.Hour)
	assert.NoError(t, w.in(t, func(ctx context.Context) error { return w.Store.UpdateRole(ctx, sent) }))
	w.roles(t, o.ID, 3, a, z)
	wrong := z
	wrong.OrganizationID = twin.ID
	renamed := z
	renamed.Name = "other"
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		found, err := w.Store.HoldRoles(ctx, o.ID, []string{"ab", "zz", "aa", "x"})
		assert.Equal(t, found, []string{"ab", "zz"})
		assert.ErrorIs(t, w.Store.UpdateRole(ctx, wrong), tenancy.ErrRoleNotFound)
		assert.ErrorIs(t, w.Store.DeleteRole(ctx, wrong), tenancy.ErrRoleNotFound)
		assert.ErrorIs(t, w.Store.DeleteRole(ctx, renamed), tenancy.ErrRoleNotFound)
		return err
	}))
	w.roles(t, o.ID, 3, a, z)
	assert.NoError(t, w.in(t, func(ctx context.Context) error { return w.Store.DeleteRole(ctx, a) }))
	w.roles(t, o.ID, 4, z)
	w.roles(t, twin.ID, 1, foreign)
	o.RolesVersion = 4
	w.same(t, o, owner)
}

func testRoleTaken(t *testing.T, w *world) {
	o, _ := w.create(t, newID())
	a, b := w.role(o.ID, "aa"), w.role(o.ID, "bb")
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		assert.NoError(t, w.Store.CreateRole(ctx, a))
		again := w.role(o.ID, "aa")
		assert.ErrorIs(t, w.Store.CreateRole(ctx, again), tenancy.ErrRoleTaken)
		assert.NoError(t, w.Store.CreateRole(ctx, b))
		renamed := b
		renamed.Name = "aa"
		assert.ErrorIs(t, w.Store.UpdateRole(ctx, renamed), tenancy.ErrRoleTaken)
		return nil
	}))
	w.roles(t, o.ID, 2, a, b)
}

func testRoleInUse(t *testing.T, w *world) {
	o, _ := w.create(t, newID())
	twin, _ := w.create(t, newID())
	used, alike, free := w.role(o.ID, "a_b"), w.role(o.ID, "axb"), w.role(o.ID, "a")
	for _, r := range []tenancy.Role{used, alike, free} {
		assert.NoError(t, w.in(t, func(ctx context.Context) error { return w.Store.CreateRole(ctx, r) }))
	}
	late := w.join(t, o.ID, newID(), "a_b", time.Minute)
	early := w.join(t, o.ID, newID(), "a_b,member", 0)
	w.join(t, twin.ID, newID(), "a,axb", 0)
	for name, want := range map[string][]string{"a_b": {early.UserID, late.UserID}, "axb": nil, "a": nil} {
		got, err := w.Store.RoleHolders(t.Context(), o.ID, name)
		assert.NoError(t, err)
		assert.Len(t, got, len(want))
		for i := range want {
			assert.Equal(t, got[i], want[i])
		}
	}
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.DeleteRole(ctx, used), tenancy.ErrRoleInUse)
		assert.NoError(t, w.Store.DeleteRole(ctx, alike))
		return w.Store.DeleteRole(ctx, free)
	}))
	w.roles(t, o.ID, 5, used)
}

func testRolesGo(t *testing.T, w *world) {
	o, _ := w.create(t, newID())
	assert.NoError(t, w.in(t, func(ctx context.Context) error {
		assert.NoError(t, w.Store.CreateRole(ctx, w.role(o.ID, "aa")))
		return w.Store.DeleteOrganization(ctx, o.ID)
	}))
	w.roles(t, o.ID, 0)
}
