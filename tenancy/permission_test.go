package tenancy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// company makes an organization of "owner" with one member of each other role, named
// like it.
func (w *world) company(t *testing.T, roles ...string) tenancy.Organization {
	t.Helper()
	o := assert.Must(w.create(t, "owner", "Company"))(t)
	for _, role := range roles {
		assert.Must(w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: o.ID, UserID: role, Role: role}))(t)
	}
	return o
}

// The whole table of built-in roles: the official client judges by the same one.
func TestTheBuiltInRolesAllowWhatTheClientThinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t, "admin", "member")
	all := tenancy.Statements()
	for user, not := range map[string]func(resource, action string) bool{
		"owner":  func(string, string) bool { return false },
		"admin":  func(r, a string) bool { return r == "organization" && a == "delete" },
		"member": func(r, a string) bool { return r != "ac" || a != "read" },
	} {
		for resource, actions := range all {
			for _, action := range actions {
				_, m, err := w.svc.Authorize(t.Context(), caller(user, 1), o.ID, resource, action)
				if refused := not(resource, action); refused != (err != nil) {
					t.Errorf("%s %s %s: %v", user, resource, action, err)
				} else if refused {
					assert.ErrorIs(t, err, tenancy.NotAllowed(resource, action))
					assert.Equal(t, problem.KindOf(err), problem.PermissionDenied)
				} else {
					assert.Equal(t, m.UserID, user)
				}
			}
		}
		_, _, err := w.svc.Authorize(t.Context(), caller(user, 1), o.ID, "organization", "teleport")
		assert.ErrorIs(t, err, principal.ErrNotPermitted)
	}
}

func TestPromise7_AuthorizeKnowsNoStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t)
	for _, id := range []string{o.ID, "no-such-id", ""} {
		_, _, err := w.svc.Authorize(t.Context(), caller("stranger", 1), id, "ac", "read")
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
		_, _, err = w.svc.AuthorizeUser(t.Context(), "stranger", id, "ac", "read")
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
	}
	_, _, err := w.svc.AuthorizeUser(t.Context(), "owner", o.ID, "organization", "delete")
	assert.NoError(t, err)
}

func TestR13_AuthorizeAsksThePolicyFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t, "admin")
	owner := caller("owner", 2)
	assert.Must(w.svc.SetSecondFactorPolicy(t.Context(), tenancy.SecondFactorParams{OrganizationID: o.ID, Caller: owner, Required: true}))(t)
	_, _, err := w.svc.Authorize(t.Context(), caller("admin", 1), o.ID, "member", "update")
	assert.ErrorIs(t, err, principal.ErrSecondFactorRequired)
}

func TestTheHostsStatementsAndRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *tenancy.Config) {
		c.Statements = tenancy.Permissions{"invoices": {"read", "write"}, "team": {"archive"}}
		c.Roles = map[string]tenancy.Permissions{"billing": {"invoices": {"read"}}, "member": {"team": {"archive"}}}
	})
	o := w.company(t, "admin", "member", "billing")
	assert.Must(w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: o.ID, UserID: "both", Role: "member,Billing"}))(t)
	for _, c := range []struct {
		user, resource, action string
		want                   bool
	}{
		{"owner", "invoices", "write", true},
		{"owner", "team", "archive", true},
		{"owner", "team", "create", true},
		{"admin", "invoices", "read", false},
		{"billing", "invoices", "read", true},
		{"billing", "invoices", "write", false},
		{"member", "team", "archive", true},
		{"member", "ac", "read", false},
		{"both", "invoices", "read", true},
		{"both", "team", "archive", true},
		{"both", "invoices", "write", false},
	} {
		if _, _, err := w.svc.Authorize(t.Context(), caller(c.user, 1), o.ID, c.resource, c.action); (err == nil) != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestNewRefusesRolesThatMeanNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, cfg := range map[string]tenancy.Config{
		"an owner":            {Roles: map[string]tenancy.Permissions{"owner": {}}},
		"a list":              {Roles: map[string]tenancy.Permissions{"a,owner": {}}},
		"capitals":            {Roles: map[string]tenancy.Permissions{"Admin": {}}},
		"a space":             {Roles: map[string]tenancy.Permissions{" admin": {}}},
		"an unknown resource": {Roles: map[string]tenancy.Permissions{"billing": {"invoices": {"read"}}}},
		"an unknown action":   {Roles: map[string]tenancy.Permissions{"billing": {"team": {"read"}}}},
		"no actions":          {Statements: tenancy.Permissions{"invoices": nil}},
		"no name":             {Statements: tenancy.Permissions{"": {"read"}}},
		"a strange action":    {Statements: tenancy.Permissions{"invoices": {"re,ad"}}},
	} {
		cfg.Users = &holder{}
		if _, err := tenancy.New(w.fake, cfg); err == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
}

func TestR31_RolesAreReadOneWay(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"admin": "admin", " Admin ": "admin", "member,admin,member": "admin,member", "a-b_2": "a-b_2",
	} {
		got, err := tenancy.ParseRoles(in)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
	for _, in := range []string{"owner", "OWNER", "member, owner", "owner,owner", " oWner\t"} {
		_, err := tenancy.ParseRoles(in)
		assert.ErrorIs(t, err, tenancy.ErrUseTransfer)
	}
	for _, in := range []string{"", ",", "ｏｗｎｅｒ", "owner\x00", "o wner", "owner\u200b", "ſuper", "-a", "a,b,c,d,e,f,g,h,i,j,k"} {
		_, err := tenancy.ParseRoles(in)
		assert.ErrorIs(t, err, tenancy.ErrRoleNotFound)
	}
}

func TestJoinAsksTheSeatPortAndTellsTheHooks(t *testing.T) {
	t.Parallel()
	refused := errors.New("no seat")
	var heard []tenancy.MemberJoined
	seats := 2
	w := newWorld(t, func(c *tenancy.Config) {
		c.Hooks = tenancy.Hooks{
			BeforeMemberJoined: func(context.Context, tenancy.MemberJoined) error {
				if seats--; seats < 0 {
					return refused
				}
				return nil
			},
			MemberJoined: func(_ context.Context, e tenancy.MemberJoined) error { heard = append(heard, e); return nil },
		}
	})
	o := w.company(t, "member")
	_, err := w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: o.ID, UserID: "late", Role: "member"})
	assert.ErrorIs(t, err, refused)
	_, _, err = w.svc.Membership(t.Context(), o.ID, "late")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	assert.Len(t, heard, 2)
	assert.Equal(t, heard[0].Organization, o)
	seats = 1
	m := assert.Must(w.svc.Join(t.Context(), tenancy.JoinParams{
		OrganizationID: o.ID, UserID: "invited", Role: "admin", Teams: []string{"t"}, ActorID: "owner", InvitationID: "i",
	}))(t)
	assert.Equal(t, heard[2], tenancy.MemberJoined{Organization: o, Member: m, Teams: []string{"t"}, ActorID: "owner", InvitationID: "i"})
	assert.Equal(t, m.CreatedAt, w.fake.Now().Truncate(time.Microsecond))
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.company(t, "member")
	for _, c := range []struct {
		organization, user, role string
		want                     error
	}{
		{o.ID, "gone", "member", errGone},
		{"unknown", "u", "member", tenancy.ErrNotFound},
		{o.ID, "u", "owner", tenancy.ErrUseTransfer},
		{o.ID, "u", "member,owner", tenancy.ErrUseTransfer},
		{o.ID, "u", "unheard-of", tenancy.ErrRoleNotFound},
		{o.ID, "u", "", tenancy.ErrRoleNotFound},
		{o.ID, "member", "admin", tenancy.ErrAlreadyMember},
		{o.ID, "owner", "member", tenancy.ErrAlreadyMember},
	} {
		_, err := w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: c.organization, UserID: c.user, Role: c.role})
		assert.ErrorIs(t, err, c.want)
	}
	_, m, err := w.svc.Membership(t.Context(), o.ID, "member")
	assert.NoError(t, err)
	assert.Equal(t, m.Role, "member")
}

func TestNobodyGrantsWhatTheyDoNotHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *tenancy.Config) {
		c.Statements = tenancy.Permissions{"invoices": {"read", "write"}}
		c.Roles = map[string]tenancy.Permissions{"billing": {"invoices": {"read"}}, "hr": {"member": {"update", "delete"}}}
	})
	o := w.company(t, "admin", "member", "billing", "hr")
	for _, c := range []struct {
		by, had, role string
		want          bool
	}{
		{"owner", "", "admin", true},
		{"owner", "", "billing,hr", true},
		{"admin", "", "admin", true},
		{"admin", "", "billing", false},
		{"admin", "member", "hr", true},
		{"admin", "billing", "admin,billing", true}, // theirs already
		{"hr", "", "admin", false},
		{"hr", "", "hr", true},
		{"hr", "", "member", false},
		{"hr", "member", "hr,member", true},
		{"member", "", "member", true},
		{"member", "", "admin", false},
	} {
		_, by, err := w.svc.Membership(t.Context(), o.ID, c.by)
		assert.NoError(t, err)
		got, err := w.svc.MayGrant(t.Context(), o, by, c.had, c.role)
		assert.NoError(t, err)
		if got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// R3: who says that user and organization are held already is believed in a transaction
// only, and about that organization.
func TestR3_JoinHoldsNobodyTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o, twin := w.company(t, "member"), assert.Must(w.create(t, "twin", "Twin"))(t)
	p := tenancy.JoinParams{OrganizationID: o.ID, UserID: "u", Role: "member", Held: &o}
	_, err := w.svc.Join(t.Context(), p)
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
	w.users.held = nil
	assert.NoError(t, w.fake.InTx(t.Context(), func(ctx context.Context) error {
		foreign := p
		foreign.Held = &twin
		_, err := w.svc.Join(ctx, foreign)
		assert.Error(t, err)
		m, err := w.svc.Join(ctx, p)
		assert.Equal(t, m.OrganizationID, o.ID)
		return err
	}))
	assert.Len(t, w.users.held, 0)
	_, _, err = w.svc.Membership(t.Context(), o.ID, "u")
	assert.NoError(t, err)
	_, _, err = w.svc.Membership(t.Context(), twin.ID, "u")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}
