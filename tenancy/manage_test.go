package tenancy_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// active is where sessions act: users' ids with sessions' to organizations.
type active map[string]string

func (a active) SetOrganization(_ context.Context, userID, sessionID, organizationID string) error {
	if sessionID == "dead" {
		return errGone
	}
	a[userID+"/"+sessionID] = organizationID
	return nil
}

func activeWorld(t *testing.T, change func(*tenancy.Config)) (*world, active) {
	t.Helper()
	sessions := active{}
	return newWorld(t, func(c *tenancy.Config) {
		c.Sessions = sessions
		if change != nil {
			change(c)
		}
	}), sessions
}

func TestCreateMakesTheCallerOwnerAndTheOrganizationActive(t *testing.T) {
	t.Parallel()
	w, sessions := activeWorld(t, nil)
	p := tenancy.CreateParams{Caller: caller("ada", 1), Name: " Ada \t Ltd ", Slug: "ada", Logo: "https://example.com/l.png", Metadata: json.RawMessage(` { "a" : [1, 2.50] } `)}
	o, owner, err := w.svc.Create(t.Context(), p)
	assert.NoError(t, err)
	assert.Equal(t, []string{o.Name, o.Slug, o.Logo, string(o.Metadata), o.OwnerID, owner.Role}, []string{"Ada Ltd", "ada", p.Logo, `{"a":[1,2.50]}`, "ada", "owner"})
	assert.Equal(t, sessions["ada/s"], o.ID)
	assert.Equal(t, w.defaultOf(t, "ada"), o.ID)
	_, _, err = w.svc.Create(t.Context(), p)
	assert.ErrorIs(t, err, tenancy.ErrExists)
	p.Slug, p.KeepActive = "ada-2", true
	_, _, err = w.svc.Create(t.Context(), p)
	assert.NoError(t, err)
	assert.Equal(t, sessions["ada/s"], o.ID)
	list := assert.Must(w.svc.List(t.Context(), "ada"))(t)
	assert.Len(t, list, 2)
	p.Caller, p.Slug = caller("gone", 1), "gone"
	_, _, err = w.svc.Create(t.Context(), p)
	assert.ErrorIs(t, err, errGone)
}

func TestWhatAnOrganizationMayBeCalled(t *testing.T) {
	t.Parallel()
	w, _ := activeWorld(t, nil)
	o := w.company(t)
	text := func(s string) *string { return &s }
	raw := func(s string) *json.RawMessage { r := json.RawMessage(s); return &r }
	for name, p := range map[string]tenancy.UpdateParams{
		"no name": {Name: text("")}, "a name of nothing": {Name: text("\u200b \t")}, "a long name": {Name: text(strings.Repeat("é", 101))},
		"no slug": {Slug: text("")}, "capitals": {Slug: text("Ada")}, "a space": {Slug: text("a b")}, "an accent": {Slug: text("é")},
		"hyphens": {Slug: text("a--b")}, "an end": {Slug: text("a-")}, "a path": {Slug: text("../a")}, "a long slug": {Slug: text(strings.Repeat("a", 65))},
		"a script": {Logo: text("javascript:alert(1)")}, "a file": {Logo: text("file:///etc/passwd")}, "no host": {Logo: text("https:///x")},
		"data": {Logo: text("data:text/html,x")}, "a password": {Logo: text("https://a:b@example.com/")}, "a long logo": {Logo: text("https://e.com/" + strings.Repeat("a", 2048))},
		"a list": {Metadata: raw("[1]")}, "a text": {Metadata: raw(`"x"`)}, "half": {Metadata: raw(`{"a":`)}, "much": {Metadata: raw(`{"a":"` + strings.Repeat("a", 16<<10) + `"}`)},
	} {
		p.Caller, p.OrganizationID = caller("owner", 1), o.ID
		if _, err := w.svc.Update(t.Context(), p); !errors.Is(err, problem.ErrValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.ErrorIs(t, w.svc.CheckSlug(t.Context(), "A b"), problem.ErrValidation)
	assert.ErrorIs(t, w.svc.CheckSlug(t.Context(), o.Slug), tenancy.ErrSlugTaken)
	assert.NoError(t, w.svc.CheckSlug(t.Context(), "free"))
}

func TestUpdateChangesWhatIsNamed(t *testing.T) {
	t.Parallel()
	var heard []tenancy.OrganizationUpdated
	w, _ := activeWorld(t, func(c *tenancy.Config) {
		c.Hooks.OrganizationUpdated = func(_ context.Context, e tenancy.OrganizationUpdated) error {
			heard = append(heard, e)
			return nil
		}
	})
	o := w.company(t, "admin", "member")
	twin := assert.Must(w.create(t, "eve", "Twin"))(t)
	name, slug, logo, metadata, null := "New", "new", "http://example.com/l", json.RawMessage(`{"a":1}`), json.RawMessage("null")
	p := tenancy.UpdateParams{Caller: caller("admin", 1), OrganizationID: o.ID, Name: &name, Slug: &slug, Logo: &logo, Metadata: &metadata}
	got := assert.Must(w.svc.Update(t.Context(), p))(t)
	want := o
	want.Name, want.Slug, want.Logo, want.Metadata, want.UpdatedAt = name, slug, logo, metadata, w.fake.Now()
	assert.Equal(t, got, want)
	none := ""
	got = assert.Must(w.svc.Update(t.Context(), tenancy.UpdateParams{Caller: p.Caller, OrganizationID: o.ID, Logo: &none, Metadata: &null}))(t)
	want.Logo, want.Metadata = "", nil
	assert.Equal(t, got, want)
	p.Slug = &twin.Slug
	_, err := w.svc.Update(t.Context(), p)
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	p.Slug = nil
	for by, want := range map[string]error{"member": tenancy.NotAllowed("organization", "update"), "eve": tenancy.ErrNotFound} {
		p.Caller = caller(by, 1)
		_, err := w.svc.Update(t.Context(), p)
		assert.ErrorIs(t, err, want)
	}
	assert.Len(t, heard, 2)
	assert.Equal(t, []string{heard[0].Before.Name, heard[0].After.Name, heard[0].ActorID}, []string{"Company", "New", "admin"})
}

func TestDeletionByPolicy(t *testing.T) {
	t.Parallel()
	refused := errors.New("unpaid")
	for name, c := range map[string]struct {
		change func(*tenancy.Config)
		alone  bool
		want   error
	}{
		"with members":      {nil, false, nil},
		"alone, and is not": {func(c *tenancy.Config) { c.Deletion = tenancy.DeleteAlone }, false, tenancy.ErrHasMembers},
		"alone":             {func(c *tenancy.Config) { c.Deletion = tenancy.DeleteAlone }, true, nil},
		"never":             {func(c *tenancy.Config) { c.Deletion = tenancy.DeleteNever }, true, tenancy.ErrDeletionDisabled},
		"the host's own veto": {func(c *tenancy.Config) {
			c.Hooks.BeforeOrganizationDeleted = func(context.Context, tenancy.OrganizationDeleted) error { return refused }
		}, true, refused},
	} {
		var heard []tenancy.OrganizationDeleted
		w, _ := activeWorld(t, func(cfg *tenancy.Config) {
			cfg.Hooks.OrganizationDeleted = func(_ context.Context, e tenancy.OrganizationDeleted) error {
				heard = append(heard, e)
				return nil
			}
			if c.change != nil {
				c.change(cfg)
			}
		})
		o := w.company(t)
		if !c.alone {
			assert.Must(w.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: o.ID, UserID: "admin", Role: "admin"}))(t)
			_, err := w.svc.Delete(t.Context(), caller("admin", 1), o.ID)
			assert.ErrorIs(t, err, tenancy.NotAllowed("organization", "delete"))
		}
		_, err := w.svc.Delete(t.Context(), caller("stranger", 1), o.ID)
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
		_, err = w.svc.Delete(t.Context(), caller("owner", 1), o.ID)
		if !errors.Is(err, c.want) || (w.roleOf(t, o, "owner") == "") != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == nil {
			assert.Len(t, heard, 1)
			assert.Equal(t, heard[0].ActorID, "owner")
			assert.Equal(t, len(heard[0].UserIDs()), map[bool]int{true: 1, false: 2}[c.alone])
		}
	}
	_, err := tenancy.New(newWorld(t, nil).fake, tenancy.Config{Users: &holder{}, Deletion: 9})
	assert.Error(t, err)
}

func TestSetActiveIsRemembered(t *testing.T) {
	t.Parallel()
	w, sessions := activeWorld(t, nil)
	o, own := w.company(t, "member"), assert.Must(w.create(t, "member", "Own"))(t)
	set := func(p *principal.Principal, id string) error {
		_, err := w.svc.SetActive(t.Context(), p, id)
		return err
	}
	assert.NoError(t, set(caller("member", 1), own.ID))
	assert.Equal(t, []string{sessions["member/s"], w.defaultOf(t, "member")}, []string{own.ID, own.ID})
	assert.NoError(t, set(caller("member", 1), o.ID))
	assert.Equal(t, []string{sessions["member/s"], w.defaultOf(t, "member")}, []string{o.ID, o.ID})
	assert.NoError(t, set(caller("member", 1), ""))
	assert.Equal(t, []string{sessions["member/s"], w.defaultOf(t, "member")}, []string{"", o.ID})
	for _, id := range []string{o.ID, "unknown"} {
		assert.ErrorIs(t, set(caller("stranger", 1), id), tenancy.ErrNotFound)
	}
	acting := &principal.Principal{UserID: "member", SessionID: "theirs", Assurance: 1, ImpersonatorID: "root"}
	assert.NoError(t, set(acting, own.ID))
	assert.Equal(t, []string{sessions["member/theirs"], w.defaultOf(t, "member")}, []string{own.ID, o.ID}) // R22
	dead := &principal.Principal{UserID: "member", SessionID: "dead"}
	assert.ErrorIs(t, set(dead, own.ID), errGone)
	assert.Equal(t, w.defaultOf(t, "member"), o.ID) // rolled back
	owner := caller("owner", 2)
	assert.Must(w.svc.SetSecondFactorPolicy(t.Context(), tenancy.SecondFactorParams{OrganizationID: o.ID, Caller: owner, Required: true}))(t)
	assert.ErrorIs(t, set(caller("member", 1), o.ID), principal.ErrSecondFactorRequired)
	assert.Equal(t, sessions["member/s"], "")
	plain := newWorld(t, nil)
	company := plain.company(t)
	_, err := plain.svc.SetActive(t.Context(), caller("owner", 1), company.ID)
	assert.Equal(t, problem.KindOf(err), problem.Internal)
}
