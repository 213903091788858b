package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

type permissions = tenancy.Permissions

func (w *world) defineRole(t *testing.T, by, organizationID, name string, p permissions) (tenancy.Role, error) {
	t.Helper()
	return w.svc.CreateRole(t.Context(), caller(by, 1), organizationID, name, p)
}

func TestEscalationByOwnRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hostRoles)
	o := w.company(t, "admin", "member", "billing", "hr")
	for _, c := range []struct {
		by, name string
		p        permissions
		want     error
	}{
		{"member", "mine", permissions{"ac": {"read"}}, tenancy.NotAllowed("ac", "create")},
		{"hr", "mine", permissions{"member": {"update"}}, tenancy.NotAllowed("ac", "create")},
		{"admin", "mine", permissions{"organization": {"delete"}}, tenancy.NotAllowed("ac", "create")},
		{"admin", "mine", permissions{"invoices": {"read"}}, tenancy.NotAllowed("ac", "create")},
		{"admin", "mine", permissions{"member": {"update"}, "invoices": {"write"}}, tenancy.NotAllowed("ac", "create")},
		{"admin", "owner", permissions{}, tenancy.ErrRoleTaken},
		{"admin", " Owner ", permissions{}, tenancy.ErrRoleTaken},
		{"admin", "ADMIN", permissions{}, tenancy.ErrRoleTaken},
		{"admin", "billing", permissions{}, tenancy.ErrRoleTaken},
		{"admin", "a,owner", permissions{}, problem.ErrValidation},
		{"admin", "ｏｗｎｅｒ", permissions{}, problem.ErrValidation},
		{"admin", "owner\u200b", permissions{}, problem.ErrValidation},
		{"admin", "", permissions{}, problem.ErrValidation},
		{"owner", "mine", permissions{"universe": {"delete"}}, tenancy.ErrInvalidResource},
		{"owner", "mine", permissions{"universe": {}}, tenancy.ErrInvalidResource},
		{"owner", "mine", permissions{"member": {"promote"}}, tenancy.ErrInvalidResource},
		{"stranger", "mine", permissions{}, tenancy.ErrNotFound},
	} {
		_, err := w.defineRole(t, c.by, o.ID, c.name, c.p)
		if problem.CodeOf(err) != problem.CodeOf(c.want) {
			t.Errorf("%s makes %q %v: %v", c.by, c.name, c.p, err)
		}
	}
	roles, err := w.svc.Roles(t.Context(), caller("owner", 1), o.ID)
	assert.NoError(t, err)
	assert.Len(t, roles, 0)
}

// What the owner made, and an admin is not strong enough for, an admin can neither
// change, nor hand out, nor take for themself.
func TestAStrongerRoleIsNotForWeakerHands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hostRoles)
	o := w.company(t, "admin", "member")
	strong := assert.Must(w.defineRole(t, "owner", o.ID, "strong", permissions{"organization": {"delete"}, "invoices": {"write"}}))(t)
	update := func(by string, ref tenancy.RoleRef, name string, p permissions) error {
		_, err := w.svc.UpdateRole(t.Context(), tenancy.UpdateRoleParams{Caller: caller(by, 1), OrganizationID: o.ID, Role: ref, Name: name, Permissions: p})
		return err
	}
	ref := tenancy.RoleRef{ID: strong.ID}
	assert.ErrorIs(t, update("admin", ref, "", permissions{}), tenancy.NotAllowed("ac", "update"))
	assert.ErrorIs(t, update("admin", ref, "weak", nil), tenancy.NotAllowed("ac", "update"))
	assert.ErrorIs(t, w.setRole(t, "admin", o.ID, "admin", "admin", "strong"), tenancy.NotAllowed("member", "update"))
	assert.ErrorIs(t, w.setRole(t, "admin", o.ID, "member", "strong"), tenancy.NotAllowed("member", "update"))
	weak := assert.Must(w.defineRole(t, "admin", o.ID, "weak", permissions{"member": {"update"}, "ac": {"create", "update"}}))(t)
	assert.NoError(t, w.setRole(t, "admin", o.ID, "member", "weak"))
	// Who may update roles cannot put more into their own than they have.
	own := tenancy.RoleRef{Name: "weak"}
	assert.ErrorIs(t, update("member", own, "", permissions{"member": {"update", "delete"}}), tenancy.NotAllowed("ac", "update"))
	assert.ErrorIs(t, update("member", own, "owner", nil), tenancy.ErrRoleTaken)
	assert.ErrorIs(t, update("member", own, "better", nil), tenancy.ErrRoleInUse)
	for _, name := range []string{"admin", "member", "owner", "billing", "Owner"} {
		assert.ErrorIs(t, update("owner", tenancy.RoleRef{Name: name}, "", permissions{}), tenancy.ErrBuiltInRole)
		assert.ErrorIs(t, w.svc.DeleteRole(t.Context(), caller("owner", 1), o.ID, tenancy.RoleRef{Name: name}), tenancy.ErrBuiltInRole)
	}
	for _, nothing := range []string{"", " ", "\t", "\u00a0"} {
		assert.ErrorIs(t, update("owner", tenancy.RoleRef{Name: nothing}, "", permissions{}), tenancy.ErrRoleNotFound)
		assert.ErrorIs(t, w.svc.DeleteRole(t.Context(), caller("owner", 1), o.ID, tenancy.RoleRef{Name: nothing}), tenancy.ErrRoleNotFound)
	}
	assert.ErrorIs(t, update("owner", tenancy.RoleRef{ID: weak.ID, Name: "strong"}, "", permissions{}), tenancy.ErrRoleNotFound)
	assert.NoError(t, update("owner", ref, "stronger", permissions{"organization": {"delete"}}))
}

// A role change acts at once, cached or not, for everybody who has the role (rule R18).
func TestR18_AChangedRoleActsOnTheNextQuestion(t *testing.T) {
	t.Parallel()
	var heard []tenancy.RoleChanged
	w := newWorld(t, func(c *tenancy.Config) {
		c.Hooks.RoleChanged = func(_ context.Context, e tenancy.RoleChanged) error { heard = append(heard, e); return nil }
	})
	o := w.company(t, "member")
	r := assert.Must(w.defineRole(t, "owner", o.ID, "Deputy", permissions{"team": {"create"}}))(t)
	assert.Equal(t, r.Name, "deputy")
	assert.NoError(t, w.setRole(t, "owner", o.ID, "member", "deputy"))
	may := func(resource, action string) bool {
		t.Helper()
		_, _, err := w.svc.Authorize(t.Context(), caller("member", 1), o.ID, resource, action)
		return err == nil
	}
	assert.True(t, may("team", "create") && !may("team", "delete"), "as it was made")
	change := tenancy.UpdateRoleParams{Caller: caller("owner", 1), OrganizationID: o.ID, Role: tenancy.RoleRef{Name: "DEPUTY"}, Permissions: permissions{"team": {"delete"}}}
	assert.Must(w.svc.UpdateRole(t.Context(), change))(t)
	assert.True(t, !may("team", "create") && may("team", "delete"), "as it became")
	assert.ErrorIs(t, w.svc.DeleteRole(t.Context(), caller("owner", 1), o.ID, tenancy.RoleRef{ID: r.ID}), tenancy.ErrRoleInUse)
	assert.NoError(t, w.setRole(t, "owner", o.ID, "member", "member"))
	assert.NoError(t, w.svc.DeleteRole(t.Context(), caller("owner", 1), o.ID, tenancy.RoleRef{ID: r.ID}))
	assert.ErrorIs(t, w.setRole(t, "owner", o.ID, "member", "deputy"), tenancy.ErrRoleNotFound)
	assert.Len(t, heard, 3)
	assert.True(t, heard[0].Before == nil && heard[2].After == nil, "made and deleted")
	assert.Equal(t, heard[1].UserIDs, []string{"member"})
	assert.Equal(t, heard[1].Before.Permissions, permissions{"team": {"create"}})
	assert.Equal(t, heard[1].After.Permissions, permissions{"team": {"delete"}})
}

// What a transaction sees and takes back, nobody remembers.
func TestR18_ARolledBackRoleIsNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t, "member")
	assert.Must(w.defineRole(t, "owner", o.ID, "deputy", permissions{"team": {"create"}}))(t)
	assert.NoError(t, w.setRole(t, "owner", o.ID, "member", "deputy"))
	update := func(ctx context.Context, p permissions) error {
		_, err := w.svc.UpdateRole(ctx, tenancy.UpdateRoleParams{Caller: caller("owner", 1), OrganizationID: o.ID, Role: tenancy.RoleRef{Name: "deputy"}, Permissions: p})
		return err
	}
	stop := errors.New("stop")
	assert.ErrorIs(t, w.fake.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, update(ctx, permissions{"member": {"delete"}}))
		_, _, err := w.svc.Authorize(ctx, caller("member", 1), o.ID, "member", "delete")
		assert.NoError(t, err)
		return stop
	}), stop)
	assert.NoError(t, update(t.Context(), permissions{"team": {"delete"}})) // the same version as the one taken back
	_, _, err := w.svc.Authorize(t.Context(), caller("member", 1), o.ID, "member", "delete")
	assert.ErrorIs(t, err, tenancy.NotAllowed("member", "delete"))
}

func TestAnOrganizationHasOnlySoManyRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *tenancy.Config) { c.MaxRoles = 3 })
	o := w.company(t)
	for i := range 4 {
		_, err := w.defineRole(t, "owner", o.ID, fmt.Sprintf("role-%d", i), permissions{})
		assert.Equal(t, errors.Is(err, tenancy.ErrTooManyRoles), i == 3)
	}
}

func TestPromise7_ARoleIsNamedInsideItsOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t, "member")
	twin := assert.Must(w.create(t, "eve", "Twin"))(t)
	r := assert.Must(w.defineRole(t, "owner", o.ID, "deputy", permissions{"team": {"create"}}))(t)
	for _, ref := range []tenancy.RoleRef{{ID: r.ID}, {Name: "deputy"}} {
		for organizationID, want := range map[string]error{twin.ID: tenancy.ErrRoleNotFound, o.ID: tenancy.ErrNotFound} {
			_, err := w.svc.Role(t.Context(), caller("eve", 1), organizationID, ref)
			assert.ErrorIs(t, err, want)
			_, err = w.svc.UpdateRole(t.Context(), tenancy.UpdateRoleParams{Caller: caller("eve", 1), OrganizationID: organizationID, Role: ref, Permissions: permissions{}})
			assert.ErrorIs(t, err, want)
			assert.ErrorIs(t, w.svc.DeleteRole(t.Context(), caller("eve", 1), organizationID, ref), want)
		}
		got, err := w.svc.Role(t.Context(), caller("member", 1), o.ID, ref)
		assert.NoError(t, err)
		assert.Equal(t, got, r)
	}
	_, err := w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: twin.ID, UserID: "u", Role: "deputy"})
	assert.ErrorIs(t, err, tenancy.ErrRoleNotFound)
	m := assert.Must(w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: o.ID, UserID: "u", Role: "deputy,member"}))(t)
	assert.Equal(t, m.Role, "deputy,member")
}
