package tenon_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// company is an organization with an owner, an admin and two members, who have read
// everything so far.
type company struct {
	w       *world
	id      string
	people  map[string]*browser // owner, admin, member, other
	callers map[string]*principal.Principal
	members map[string]tenancy.Member
}

func newCompany(t *testing.T, w *world) *company {
	t.Helper()
	c := &company{w: w, people: map[string]*browser{}, callers: map[string]*principal.Principal{}, members: map[string]tenancy.Member{}}
	for _, who := range []string{"owner", "admin", "member", "other"} {
		c.people[who] = w.signedIn(t, who+"@example.com")
		c.callers[who] = w.caller(t, c.people[who]).Principal
	}
	o, _, err := w.Organizations.Create(t.Context(), tenancy.CreateParams{Caller: c.caller("owner"), Name: "Acme", Slug: "acme"})
	assert.NoError(t, err)
	c.id = o.ID
	for who, role := range map[string]string{"admin": "admin", "member": "member", "other": "member"} {
		c.members[who] = assert.Must(w.Organizations.Join(t.Context(), tenancy.JoinParams{OrganizationID: c.id, UserID: c.people[who].idOf(), Role: role}))(t)
	}
	c.clear(t)
	return c
}

func (c *company) caller(who string) *principal.Principal {
	return c.callers[who]
}

func (c *company) clear(t *testing.T) {
	t.Helper()
	assert.Must(c.w.db.Statement("DELETE FROM tenon_notifications").Exec(t.Context()))(t)
}

// heard says who has which notifications, and forgets them.
func (c *company) heard(t *testing.T) (text string) {
	t.Helper()
	for _, who := range []string{"owner", "admin", "member", "other"} {
		for _, item := range c.people[who].get("/notification/list").decode(t)["items"].([]any) {
			fields := item.(map[string]any)
			assert.Equal(t, fields["organizationId"], any(c.id))
			text += fmt.Sprintf("%s: %s: %s\n", who, fields["type"], fields["title"])
		}
	}
	c.clear(t)
	return text
}

func TestMembersHearWhatConcernsThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c, ctx, svc := newCompany(t, w), t.Context(), w.Organizations
		fresh := w.signedIn(t, "fresh@example.com").idOf()
		assert.Equal(t, c.heard(t), "") // of nobody's own organization

		_, err := svc.Join(ctx, tenancy.JoinParams{OrganizationID: c.id, UserID: fresh, Role: "member", ActorID: c.caller("owner").UserID, InvitationID: "x"})
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "owner: organization.member-joined: Ada joined Acme\nadmin: organization.member-joined: Ada joined Acme\n")

		_, err = svc.RemoveMember(ctx, c.caller("admin"), c.id, c.members["other"].ID)
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "owner: organization.member-left: Ada left Acme\nother: organization.removed: You are not a member of Acme any more\n")

		c.members["other"] = assert.Must(svc.Join(ctx, tenancy.JoinParams{OrganizationID: c.id, UserID: c.caller("other").UserID, Role: "member", ActorID: c.caller("owner").UserID}))(t)
		assert.Equal(t, c.heard(t), "admin: organization.member-joined: Ada joined Acme\nother: organization.joined: You are a member of Acme now\n")

		_, err = svc.UpdateMemberRole(ctx, tenancy.UpdateMemberRoleParams{Caller: c.caller("owner"), OrganizationID: c.id, MemberID: c.members["member"].ID, Roles: []string{"admin"}})
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "member: organization.role-changed: Your role in Acme changed\n")

		_, err = svc.OfferOwnership(ctx, c.caller("owner"), c.id, c.caller("admin").UserID)
		assert.NoError(t, err)
		_, err = svc.OfferOwnership(ctx, c.caller("owner"), c.id, c.caller("owner").UserID) // takes it back
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "admin: organization.ownership-offered: You are offered the ownership of Acme\n")

		_, err = svc.OfferOwnership(ctx, c.caller("owner"), c.id, c.caller("admin").UserID)
		assert.NoError(t, err)
		c.clear(t)
		_, err = svc.AcceptOwnership(ctx, c.caller("admin"), c.id)
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "owner: organization.owner-changed: Acme has another owner\n")

		_, err = svc.Leave(ctx, c.caller("other"), c.id)
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "owner: organization.member-left: Ada left Acme\nadmin: organization.member-left: Ada left Acme\nmember: organization.member-left: Ada left Acme\n")

		assert.NoError(t, w.Auth.DeleteUser(ctx, auth.Deletion{UserID: fresh}))
		assert.Contains(t, c.heard(t), "owner: organization.member-left: Ada left Acme\n")

		_, err = svc.Delete(ctx, c.caller("admin"), c.id)
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "owner: organization.deleted: Acme was deleted\nmember: organization.deleted: Acme was deleted\n")
	})
}

// Whoever mutes the category hears nothing of it, and of security as before.
func TestNewsOfOrganizationsCanBeMuted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c := newCompany(t, w)
		mute := map[string]any{"category": "organization", "channel": "in-app", "enabled": false}
		assert.Equal(t, c.people["owner"].post("/notification/set-preference", mute).StatusCode, http.StatusOK)
		_, err := w.Organizations.Leave(t.Context(), c.caller("other"), c.id)
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "admin: organization.member-left: Ada left Acme\n")
		mute["category"] = "security"
		assert.Equal(t, c.people["owner"].post("/notification/set-preference", mute).StatusCode, http.StatusConflict)
	})
}

// A name that somebody typed to be read as a message is not repeated.
func TestAStrangersNameIsNoMessage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		c := newCompany(t, w)
		user, err := w.Auth.CreateUser(t.Context(), auth.NewUser{Email: "eve@example.com", Name: "Your plan ended, pay at evil.example", EmailVerified: true})
		assert.NoError(t, err)
		_, err = w.Organizations.Join(t.Context(), tenancy.JoinParams{OrganizationID: c.id, UserID: user.ID, Role: "member"})
		assert.NoError(t, err)
		assert.Equal(t, c.heard(t), "owner: organization.member-joined: Somebody joined Acme\nadmin: organization.member-joined: Somebody joined Acme\n")
	})
}

// The owner is about to be deleted and waits for the organization, while somebody who
// holds it would tell the owner: neither waits for the other.
func TestNewsDoNotWaitForWhoIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...), func(c *tenon.Config) { c.OwnerPolicy = tenancy.TransferToAdmin })
	c := newCompany(t, w)
	admin, owner := c.caller("admin"), c.caller("owner")
	results := make(chan error, 1)
	parked := bundbtest.FaultsOf(w.DB).StallOn("owner_id = '"+owner.UserID, 1)
	go func() {
		results <- w.Auth.DeleteUser(bundbtest.Flow(context.WithoutCancel(t.Context())), auth.Deletion{UserID: owner.UserID})
	}()
	parked.Wait(t)                                                  // the owner is locked, the organization not yet
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // whoever waits in a circle fails instead
	defer cancel()
	assert.NoError(t, w.DB.InTx(ctx, func(ctx context.Context) error {
		_, err := w.Organizations.RemoveMember(ctx, admin, c.id, c.members["other"].ID)
		parked.Release()
		return err
	}))
	assert.NoError(t, <-results)
	assert.Equal(t, w.count(t, "tenon_notifications WHERE user_id = ?", owner.UserID), 0)
	w.noOrphans(t)
}
