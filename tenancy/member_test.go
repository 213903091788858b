package tenancy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// id returns the member's id of the user.
func (w *world) id(t *testing.T, organizationID, userID string) string {
	t.Helper()
	_, m, err := w.svc.Membership(t.Context(), organizationID, userID)
	assert.NoError(t, err)
	return m.ID
}

func (w *world) setRole(t *testing.T, by, organizationID, userID string, roles ...string) error {
	t.Helper()
	_, err := w.svc.UpdateMemberRole(t.Context(), tenancy.UpdateMemberRoleParams{
		Caller: caller(by, 1), OrganizationID: organizationID, MemberID: w.id(t, organizationID, userID), Roles: roles,
	})
	return err
}

// hostRoles are roles with more and with less power than the built-in ones.
func hostRoles(c *tenancy.Config) {
	c.Statements = tenancy.Permissions{"invoices": {"read", "write"}}
	c.Roles = map[string]tenancy.Permissions{
		"billing": {"invoices": {"read", "write"}},
		"hr":      {"member": {"update", "delete"}, "ac": {"read"}},
	}
}

// Who tries to make whom what, and what comes of it: every way up that an attacker
// inside an organization has.
func TestEscalationByRoles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		by, whom string
		roles    []string
		want     error
	}{
		{"admin", "admin", []string{"owner"}, tenancy.ErrUseTransfer},
		{"admin", "member", []string{"admin", "owner"}, tenancy.ErrUseTransfer},
		{"owner", "member", []string{"owner"}, tenancy.ErrUseTransfer},
		{"owner", "member", []string{"member,OWNER"}, tenancy.ErrUseTransfer},
		{"owner", "owner", []string{"admin"}, tenancy.ErrUseTransfer},
		{"admin", "owner", []string{"member"}, tenancy.NotAllowed("member", "update")},
		{"hr", "owner", []string{"member"}, tenancy.NotAllowed("member", "update")},
		{"member", "member", []string{"admin"}, tenancy.NotAllowed("member", "update")},
		{"member", "hr", []string{"member"}, tenancy.NotAllowed("member", "update")},
		{"billing", "billing", []string{"admin", "billing"}, tenancy.NotAllowed("member", "update")},
		{"hr", "hr", []string{"admin"}, tenancy.NotAllowed("member", "update")},
		{"hr", "hr", []string{"hr", "billing"}, tenancy.NotAllowed("member", "update")},
		{"hr", "member", []string{"admin"}, tenancy.NotAllowed("member", "update")},
		{"hr", "admin", []string{"member"}, tenancy.NotAllowed("member", "update")},
		{"admin", "member", []string{"billing"}, tenancy.NotAllowed("member", "update")},
		{"admin", "member", []string{"superadmin"}, tenancy.ErrRoleNotFound},
		{"admin", "member", []string{"ｏｗｎｅｒ"}, tenancy.ErrRoleNotFound},
		{"admin", "member", nil, tenancy.ErrRoleNotFound},
		{"stranger", "member", []string{"admin"}, tenancy.ErrNotFound},
		// What is allowed, so that the table shows something.
		{"owner", "member", []string{"admin", "billing"}, nil},
		{"admin", "member", []string{"admin"}, nil},
		{"admin", "admin", []string{"member"}, nil},
		{"admin", "hr", []string{"member"}, nil},
		{"admin", "billing", []string{"billing", "member"}, nil},
		{"hr", "member", []string{"hr"}, nil},
	} {
		w := newWorld(t, hostRoles)
		o := w.company(t, "admin", "member", "billing", "hr")
		before := w.roleOf(t, o, c.whom)
		err := w.setRole(t, c.by, o.ID, c.whom, c.roles...)
		if c.want == nil {
			assert.NoError(t, err)
			want, _ := tenancy.ParseRoles(c.roles...)
			assert.Equal(t, w.roleOf(t, o, c.whom), want)
			continue
		}
		if problem.CodeOf(err) != problem.CodeOf(c.want) || w.roleOf(t, o, c.whom) != before {
			t.Errorf("%s makes %s %v: %v, now %q", c.by, c.whom, c.roles, err, w.roleOf(t, o, c.whom))
		}
	}
}

func TestWhoRemovesWhom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		by, whom string
		want     error
	}{
		{"admin", "owner", tenancy.NotAllowed("member", "delete")},
		{"owner", "owner", tenancy.ErrOnlyOwner},
		{"hr", "admin", tenancy.NotAllowed("member", "delete")},
		{"hr", "owner", tenancy.NotAllowed("member", "delete")},
		{"member", "hr", tenancy.NotAllowed("member", "delete")},
		{"billing", "member", tenancy.NotAllowed("member", "delete")},
		{"stranger", "member", tenancy.ErrNotFound},
		{"admin", "admin", nil},
		{"admin", "hr", nil},
		{"admin", "billing", nil},
		{"hr", "billing", nil},
		{"hr", "member", tenancy.NotAllowed("member", "delete")}, // who may make teams, which hr may not
		{"owner", "admin", nil},
	} {
		w := newWorld(t, func(c *tenancy.Config) {
			hostRoles(c)
			c.Roles["member"] = tenancy.Permissions{"team": {"create"}}
		})
		o := w.company(t, "admin", "member", "billing", "hr")
		_, err := w.svc.RemoveMember(t.Context(), caller(c.by, 1), o.ID, w.id(t, o.ID, c.whom))
		if problem.CodeOf(err) != problem.CodeOf(c.want) || (w.roleOf(t, o, c.whom) == "") != (c.want == nil) {
			t.Errorf("%s removes %s: %v", c.by, c.whom, err)
		}
	}
}

// A member of one organization is nothing in another, whatever ids are named.
func TestPromise7_AMemberIsNamedInsideTheirOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t, "admin", "member")
	twin := assert.Must(w.create(t, "eve", "Twin"))(t)
	victim := w.id(t, o.ID, "member")
	for _, organizationID := range []string{twin.ID, o.ID, "unknown"} {
		want := tenancy.ErrNotFound
		if organizationID == twin.ID {
			want = tenancy.ErrMemberNotFound
		}
		_, err := w.svc.UpdateMemberRole(t.Context(), tenancy.UpdateMemberRoleParams{
			Caller: caller("eve", 1), OrganizationID: organizationID, MemberID: victim, Roles: []string{"admin"},
		})
		assert.ErrorIs(t, err, want)
		_, err = w.svc.RemoveMember(t.Context(), caller("eve", 1), organizationID, victim)
		assert.ErrorIs(t, err, want)
	}
	assert.Equal(t, w.roleOf(t, o, "member"), "member")
}

// peopleOf are users whose address is their id at example.com.
type peopleOf struct{ versions map[string]int64 }

func (p peopleOf) Profiles(_ context.Context, ids []string) (map[string]tenancy.Profile, error) {
	known := map[string]tenancy.Profile{}
	for _, id := range ids {
		known[id] = tenancy.Profile{ID: id, Email: id + "@example.com", Name: strings.ToUpper(id)}
	}
	return known, nil
}

func (p peopleOf) UserByEmail(_ context.Context, email string) (string, error) {
	id, _, _ := strings.Cut(email, "@")
	if id == "nobody" {
		return "", errGone
	}
	return id, nil
}

func (p peopleOf) Banned(_ context.Context, userID string) (bool, error) {
	return userID == "banned", nil
}

func (p peopleOf) HoldVersion(_ context.Context, userID string) (int64, error) {
	if userID == "gone" {
		return 0, errGone
	}
	return p.versions[userID], nil
}

func TestRemoveByAddressTellsNoStrangersApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *tenancy.Config) { c.People = peopleOf{} })
	o := w.company(t, "admin", "member")
	for _, email := range []string{"nobody@example.com", "stranger@example.com", "@"} {
		_, err := w.svc.RemoveMember(t.Context(), caller("admin", 1), o.ID, email)
		assert.ErrorIs(t, err, tenancy.ErrMemberNotFound)
	}
	m, err := w.svc.RemoveMember(t.Context(), caller("admin", 1), o.ID, "member@example.com")
	assert.NoError(t, err)
	assert.Equal(t, m.UserID, "member")
	assert.Equal(t, w.roleOf(t, o, "member"), "")
}

func TestR31_TheOwnerCannotLeave(t *testing.T) {
	t.Parallel()
	var left []tenancy.MemberLeft
	w := newWorld(t, func(c *tenancy.Config) {
		c.Hooks.MemberLeft = func(_ context.Context, e tenancy.MemberLeft) error { left = append(left, e); return nil }
	})
	o := w.company(t, "admin", "member")
	_, err := w.svc.Leave(t.Context(), caller("owner", 1), o.ID)
	assert.ErrorIs(t, err, tenancy.ErrOnlyOwner)
	_, err = w.svc.Leave(t.Context(), caller("stranger", 1), o.ID)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	m := assert.Must(w.svc.Leave(t.Context(), caller("member", 1), o.ID))(t)
	assert.Equal(t, left, []tenancy.MemberLeft{{Member: m, ActorID: "member"}})
	removed := assert.Must(w.svc.RemoveMember(t.Context(), caller("owner", 1), o.ID, w.id(t, o.ID, "admin")))(t)
	assert.Equal(t, left[1], tenancy.MemberLeft{Member: removed, ActorID: "owner"})
}

func TestARoleThatStaysTellsNobody(t *testing.T) {
	t.Parallel()
	var changed []tenancy.MemberRoleChanged
	w := newWorld(t, func(c *tenancy.Config) {
		c.Hooks.MemberRoleChanged = func(_ context.Context, e tenancy.MemberRoleChanged) error {
			changed = append(changed, e)
			return nil
		}
	})
	o := w.company(t, "admin", "member")
	assert.NoError(t, w.setRole(t, "owner", o.ID, "member", "member"))
	assert.Len(t, changed, 0)
	assert.NoError(t, w.setRole(t, "owner", o.ID, "member", "admin"))
	assert.Len(t, changed, 1)
	assert.Equal(t, []string{changed[0].Before.Role, changed[0].After.Role, changed[0].ActorID}, []string{"member", "admin", "owner"})
}

// An API key is nothing outside of its organization, and does inside what both it and
// its user may.
func TestAKeyDoesWhatItAndItsUserMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o, other := w.company(t, "admin", "member"), assert.Must(w.create(t, "admin", "Other"))(t)
	key := &principal.Principal{UserID: "admin", APIKeyID: "k", OrganizationID: o.ID, Permissions: tenancy.Permissions{"member": {"delete"}, "organization": {"delete"}}}
	for _, c := range []struct {
		organization, resource, action string
		want                           error
	}{
		{o.ID, "member", "delete", nil},
		{o.ID, "member", "update", tenancy.NotAllowed("member", "update")},
		{o.ID, "organization", "delete", tenancy.NotAllowed("organization", "delete")},
		{other.ID, "member", "delete", tenancy.ErrNotFound},
	} {
		_, _, err := w.svc.Authorize(t.Context(), key, c.organization, c.resource, c.action)
		assert.Equal(t, problem.CodeOf(err), problem.CodeOf(c.want))
	}
	for asked, want := range map[string]bool{"delete": true, "update": false} {
		got, err := w.svc.HasPermission(t.Context(), key, o.ID, tenancy.Permissions{"member": {asked}})
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
	_, err := w.svc.HasPermission(t.Context(), key, other.ID, tenancy.Permissions{"member": {"delete"}})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	_, _, err = w.svc.Members(t.Context(), key, tenancy.MemberQuery{OrganizationID: other.ID})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	_, err = w.svc.Leave(t.Context(), key, o.ID)
	assert.ErrorIs(t, err, problem.ErrForbidden)
	_, err = w.svc.SetActive(t.Context(), key, o.ID)
	assert.Error(t, err)
	_, err = tenancy.Resolve(key, other.ID)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}
