package tenon_test

import (
	"net/http"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
)

// Whoever may invite, and not give a role, does not touch the invitation with that role
// of somebody who may: mailing it again would take the role away, and make them vouch.
func TestAStrongerInvitationIsNotForWeakerHands(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, recruiter := w.signedIn(t, email), w.signedIn(t, "cem@example.com")
		org := owner.organization()
		owner.post("/organization/create-role", map[string]any{"role": "recruiter", "permission": map[string]any{"invitation": []string{"create"}, "ac": []string{"read"}}}).
			must(t, http.StatusOK, "")
		w.enlist(t, recruiter, org, "recruiter")
		owner.invites(guestEmail, map[string]any{"role": "admin"})
		w.later()
		again := map[string]any{"organizationId": org, "role": "member", "resend": true}
		recruiter.invite(guestEmail, again).must(t, http.StatusForbidden, "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE")
		assert.Equal(t, w.count(t, "tenon_invitations WHERE role = 'admin' AND inviter_id = ?", owner.idOf()), 1)
		owner.invite(guestEmail, map[string]any{"role": "member", "resend": true}).must(t, http.StatusOK, "")
		recruiter.invite(guestEmail, again).must(t, http.StatusOK, "") // now it is theirs to mail
	})
}

// Removing by address asks the database the same whether somebody has the address or not
// (rule R7).
func TestR7_RemovingByAddressIsAlikeForEveryAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		all := w.everybody(t)
		assert.Equal(t, owner.signIn(email).StatusCode, http.StatusOK)
		owner.post("/organization/remove-member", map[string]any{"memberIdOrEmail": "warm@example.com"})
		w.alike(t, "remove", all, func(_ *browser, to string) answer {
			got := owner.post("/organization/remove-member", map[string]any{"memberIdOrEmail": to})
			assert.Equal(t, got.code(t), "MEMBER_NOT_FOUND")
			return got
		})
	})
}

// A session acts in no team that its user is in no longer, in whatever way that ended.
func TestTheActiveTeamEndsWithThePlaceInIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		id := owner.makesTeam("One")
		guest := w.brought(t, owner, guestEmail, "member", map[string]any{"teamId": id})
		activeTeam := func() any {
			session, _ := guest.get("/get-session").decode(t)["session"].(map[string]any)
			return session["activeTeamId"]
		}
		choose := func() {
			guest.post("/organization/set-active-team", map[string]any{"teamId": id}).must(t, http.StatusOK, "")
			assert.Equal(t, activeTeam(), any(id))
		}
		place := map[string]any{"teamId": id, "userId": guest.idOf()}
		choose()
		owner.post("/organization/remove-team-member", place).must(t, http.StatusOK, "")
		assert.Equal(t, activeTeam(), nil)
		owner.post("/organization/add-team-member", place).must(t, http.StatusOK, "")
		assert.Equal(t, activeTeam(), nil)
		choose()
		owner.post("/organization/remove-team", map[string]any{"teamId": id}).must(t, http.StatusOK, "")
		assert.Equal(t, activeTeam(), nil)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE team_id IS NOT NULL"), 0)
	})
}

// An organization does not fall to an admin who is banned when its owner goes.
func TestABannedAdminInheritsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, banned, heir := w.signedIn(t, email), w.signedIn(t, "cem@example.com"), w.signedIn(t, guestEmail)
		org := owner.organization()
		w.enlist(t, banned, org, "admin")
		w.enlist(t, heir, org, "admin")
		w.ban(t, "cem@example.com")
		owner.post("/delete-user", map[string]any{"password": password}).must(t, http.StatusOK, "")
		assert.Equal(t, w.count(t, "tenon_organizations WHERE id = ? AND owner_id = ?", org, heir.idOf()), 1)
	}, func(c *tenon.Config) { c.OwnerPolicy = tenancy.TransferToAdmin })
}
