package tenancy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

func (w *world) join(t *testing.T, o tenancy.Organization, userID, role string, after time.Duration) {
	t.Helper()
	assert.NoError(t, w.fake.Join(t.Context(), tenancy.Member{
		ID: uuid.NewString(), OrganizationID: o.ID, UserID: userID, Role: role, CreatedAt: o.CreatedAt.Add(after),
	}))
}

func (w *world) remove(t *testing.T, userID string) error {
	t.Helper()
	return w.fake.InTx(t.Context(), func(ctx context.Context) error { return w.svc.RemoveUser(ctx, userID) })
}

func (w *world) roleOf(t *testing.T, o tenancy.Organization, userID string) string {
	t.Helper()
	_, m, err := w.svc.Membership(t.Context(), o.ID, userID)
	if errors.Is(err, tenancy.ErrNotFound) {
		return ""
	}
	assert.NoError(t, err)
	return m.Role
}

// What becomes of an organization when its owner goes, by policy and by who else
// is in it (better-auth#1348).
func TestTheOwnersOrganizationsByPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy tenancy.OwnerPolicy
		others map[string]string // user to role
		err    error
		exists bool
		owner  string
	}{
		{"alone, blocked", tenancy.BlockDeletion, nil, nil, false, ""},
		{"alone, transferred", tenancy.TransferToAdmin, nil, nil, false, ""},
		{"alone, deleted", tenancy.DeleteOrganizations, nil, nil, false, ""},
		{"others, blocked", tenancy.BlockDeletion, map[string]string{"b": "admin"}, tenancy.ErrOwnsOrganization, true, "a"},
		{"no admin, transferred", tenancy.TransferToAdmin, map[string]string{"b": "member"}, tenancy.ErrOwnsOrganization, true, "a"},
		{"admins, transferred", tenancy.TransferToAdmin, map[string]string{"b": "member", "c": "billing,admin", "d": "admin"}, nil, true, "c"},
		{"an admin who is gone, too", tenancy.TransferToAdmin, map[string]string{"gone": "admin", "d": "admin"}, nil, true, "d"},
		{"an admin who is banned", tenancy.TransferToAdmin, map[string]string{"banned": "admin", "d": "admin"}, nil, true, "d"},
		{"no other than one who is banned", tenancy.TransferToAdmin, map[string]string{"banned": "admin", "b": "member"}, tenancy.ErrOwnsOrganization, true, "a"},
		{"others, deleted", tenancy.DeleteOrganizations, map[string]string{"b": "admin"}, nil, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(cfg *tenancy.Config) { cfg.OwnerPolicy, cfg.People = c.policy, peopleOf{} })
			o := assert.Must(w.create(t, "a", "Ada"))(t)
			for i, who := range []string{"gone", "banned", "b", "c", "d"} { // in the order in which they joined
				if role := c.others[who]; role != "" {
					w.join(t, o, who, role, time.Duration(i+1)*time.Second)
				}
			}
			err := w.remove(t, "a")
			if c.err != nil {
				assert.ErrorIs(t, err, c.err)
			} else {
				assert.NoError(t, err)
				assert.Equal(t, w.roleOf(t, o, "a"), "")
			}
			for who, role := range c.others {
				want := ""
				if c.exists {
					want = role
				}
				if who == c.owner {
					want = tenancy.RoleOwner
				}
				assert.Equal(t, w.roleOf(t, o, who), want)
			}
			assert.Equal(t, w.roleOf(t, o, c.owner) == tenancy.RoleOwner, c.exists)
		})
	}
}

func TestMembershipsElsewhereEnd(t *testing.T) {
	t.Parallel()
	var heard []string
	w := newWorld(t, func(cfg *tenancy.Config) {
		cfg.Hooks = tenancy.JoinHooks(tenancy.Hooks{}, tenancy.Hooks{
			MemberLeft: func(_ context.Context, e tenancy.MemberLeft) error {
				heard = append(heard, "left "+e.Member.Role)
				return nil
			},
			BeforeOrganizationDeleted: func(_ context.Context, e tenancy.OrganizationDeleted) error {
				heard = append(heard, "before "+e.Organization.Name)
				return nil
			},
			OrganizationDeleted: func(_ context.Context, e tenancy.OrganizationDeleted) error {
				heard = append(heard, "deleted "+e.Organization.Name)
				return nil
			},
		})
	})
	o := assert.Must(w.create(t, "a", "Ada"))(t)
	assert.Must(w.create(t, "b", "Bob"))(t)
	w.join(t, o, "b", "member", time.Second)
	shared, err := w.svc.Share(t.Context(), "a", "b")
	assert.NoError(t, err)
	assert.True(t, shared, "both are in one")
	assert.NoError(t, w.remove(t, "b"))
	assert.Equal(t, heard, []string{"before Bob", "deleted Bob", "left member"})
	assert.Equal(t, w.roleOf(t, o, "b"), "")
	shared, err = w.svc.Share(t.Context(), "a", "b")
	assert.NoError(t, err)
	assert.False(t, shared, "no more")
}

func TestADepartureIsUndoneAsAWhole(t *testing.T) {
	t.Parallel()
	veto := errors.New("veto")
	fail := func(context.Context, tenancy.OrganizationDeleted) error { return veto }
	for name, hooks := range map[string]tenancy.Hooks{
		"before": {BeforeOrganizationDeleted: fail}, "after": {OrganizationDeleted: fail},
		"left": {MemberLeft: func(context.Context, tenancy.MemberLeft) error { return veto }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(cfg *tenancy.Config) { cfg.Hooks = hooks })
			own := assert.Must(w.create(t, "a", "Ada"))(t)
			other := assert.Must(w.create(t, "b", "Bob"))(t)
			w.join(t, other, "a", "member", time.Second)
			assert.ErrorIs(t, w.remove(t, "a"), veto)
			assert.Equal(t, w.roleOf(t, own, "a"), tenancy.RoleOwner)
			assert.Equal(t, w.roleOf(t, other, "a"), "member")
		})
	}
	w := newWorld(t, nil)
	assert.ErrorIs(t, w.svc.RemoveUser(t.Context(), "a"), tenancy.ErrNoTransaction)
	_, err := tenancy.New(w.fake, tenancy.Config{Users: w.users, OwnerPolicy: 9})
	assert.Error(t, err)
	assert.Equal(t, problem.KindOf(tenancy.ErrOwnsOrganization), problem.Conflict)
}
