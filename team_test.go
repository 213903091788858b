package tenon_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy/team"
)

// makesTeam makes a team in the active organization of who is signed in at b.
func (b *browser) makesTeam(name string) (id string) {
	b.t.Helper()
	got := b.post("/organization/create-team", map[string]any{"name": name})
	got.must(b.t, http.StatusOK, "")
	id, _ = got.decode(b.t)["id"].(string)
	return id
}

func (a answer) list(t testing.TB) (list []map[string]any) {
	t.Helper()
	a.must(t, http.StatusOK, "")
	assert.NoError(t, json.Unmarshal([]byte(a.body), &list))
	return list
}

// brought is a member of the organization of who is signed in at owner.
func (w *world) brought(t testing.TB, owner *browser, to, role string, more map[string]any) *browser {
	t.Helper()
	b := w.signedIn(t, to)
	body := map[string]any{"role": role}
	for name, value := range more {
		body[name] = value
	}
	id, _ := owner.invites(to, body)
	b.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
	return b
}

func TestTeamsOfAnOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		one, two := owner.makesTeam("One"), owner.makesTeam("Two")
		owner.post("/organization/create-team", map[string]any{"name": " One "}).must(t, http.StatusConflict, "TEAM_ALREADY_EXISTS")
		owner.post("/organization/create-team", map[string]any{"name": " \u200b"}).must(t, http.StatusBadRequest, "INVALID_TEAM_NAME")
		got := owner.post("/organization/update-team", map[string]any{"teamId": two, "data": map[string]any{"name": "Deux"}})
		got.must(t, http.StatusOK, "")
		assert.Contains(t, got.body, `"name":"Deux"`)
		guest := w.brought(t, owner, guestEmail, "member", map[string]any{"teamId": []string{one, two}})
		assert.Equal(t, guest.organization(), owner.organization()) // which became active
		assert.Len(t, guest.get("/organization/list-teams").list(t), 2)
		assert.Len(t, guest.get("/organization/list-user-teams").list(t), 2)
		assert.Len(t, guest.get("/organization/list-team-members?teamId="+one).list(t), 1)
		assert.Len(t, owner.get("/organization/list-team-members?teamId="+one).list(t), 1) // who may change it
		place := map[string]any{"teamId": one, "userId": owner.idOf()}
		for range 2 {
			owner.post("/organization/add-team-member", place).must(t, http.StatusOK, "")
		}
		assert.Len(t, guest.get("/organization/list-team-members?teamId="+one).list(t), 2)
		assert.Len(t, owner.get("/organization/list-user-teams?userId="+guest.idOf()).list(t), 2)
		full := guest.get("/organization/get-full-organization").decode(t)
		assert.Equal(t, [2]int{len(full["teams"].([]any)), len(full["invitations"].([]any))}, [2]int{2, 1})

		guest.get("/organization/list-team-members").must(t, http.StatusBadRequest, "YOU_DO_NOT_HAVE_AN_ACTIVE_TEAM") // of two
		guest.post("/organization/set-active-team", map[string]any{"teamId": one}).must(t, http.StatusOK, "")
		assert.Len(t, guest.get("/organization/list-team-members").list(t), 2)
		assert.Contains(t, guest.post("/organization/set-active-team", map[string]any{}).body, one)
		assert.Equal(t, guest.post("/organization/set-active-team", map[string]any{"teamId": nil}).body, "null\n")
		owner.post("/organization/set-active-team", map[string]any{"teamId": two}).must(t, http.StatusForbidden, "USER_IS_NOT_A_MEMBER_OF_THE_TEAM")

		owner.post("/organization/remove-team-member", place).must(t, http.StatusOK, "")
		owner.post("/organization/remove-team-member", place).must(t, http.StatusForbidden, "USER_IS_NOT_A_MEMBER_OF_THE_TEAM")
		owner.post("/organization/remove-team", map[string]any{"teamId": two}).must(t, http.StatusOK, "")
		assert.Len(t, guest.get("/organization/list-user-teams").list(t), 1)
	})
}

// Strangers and neighbours find nothing; members without the permission change nothing.
func TestPromise7_TeamsAreTheirOrganizations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, neighbour := w.signedIn(t, email), w.signedIn(t, "eve@example.com")
		id, org := owner.makesTeam("One"), owner.organization()
		member := w.brought(t, owner, guestEmail, "member", nil)
		before := w.rowsWithout(t, "tenon_audit_entries") // which tells who was refused
		const unknown = "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"
		for _, teamID := range []string{id, unknown} {
			place := map[string]any{"teamId": teamID, "userId": neighbour.idOf()}
			data := map[string]any{"teamId": teamID, "data": map[string]any{"name": "Mine"}}
			for path, body := range map[string]map[string]any{
				"update-team": data, "remove-team": {"teamId": teamID}, "add-team-member": place, "remove-team-member": place,
				"set-active-team": {"teamId": teamID},
			} {
				neighbour.post("/organization/"+path, body).must(t, http.StatusNotFound, "TEAM_NOT_FOUND")
				if path == "set-active-team" {
					continue
				}
				inside := map[string]any{"organizationId": org}
				for name, value := range body {
					inside[name] = value
				}
				if path == "update-team" {
					inside = map[string]any{"teamId": teamID, "data": map[string]any{"name": "Mine", "organizationId": org}}
				}
				neighbour.post("/organization/"+path, inside).must(t, http.StatusNotFound, "ORGANIZATION_NOT_FOUND")
				member.post("/organization/"+path, inside).must(t, http.StatusForbidden, "")
			}
			neighbour.get("/organization/list-team-members?teamId="+teamID).must(t, http.StatusNotFound, "TEAM_NOT_FOUND")
			neighbour.invite("x@example.com", map[string]any{"teamId": teamID}).must(t, http.StatusNotFound, "TEAM_NOT_FOUND")
		}
		for _, path := range []string{"list-teams", "list-user-teams"} {
			neighbour.get("/organization/"+path+"?organizationId="+org).must(t, http.StatusNotFound, "ORGANIZATION_NOT_FOUND")
		}
		owner.post("/organization/add-team-member", map[string]any{"teamId": id, "userId": neighbour.idOf()}).
			must(t, http.StatusBadRequest, "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION")
		member.get("/organization/list-team-members?teamId="+id).must(t, http.StatusForbidden, "USER_IS_NOT_A_MEMBER_OF_THE_TEAM")
		member.get("/organization/list-user-teams?userId="+owner.idOf()).must(t, http.StatusForbidden, "")
		assert.True(t, before == w.rowsWithout(t, "tenon_audit_entries"), "nothing changed")
	})
}

func TestTeamsTellTheirHooksAndKeepTheirBounds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var (
			mu    sync.Mutex
			heard []string
		)
		note := func(what string) error {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, what)
			return nil
		}
		changed := func(what string) func(context.Context, team.Changed) error {
			return func(_ context.Context, e team.Changed) error {
				return note(what + " " + e.Before.Name + ">" + e.After.Name)
			}
		}
		placed := func(what string) func(context.Context, team.MemberChanged) error {
			return func(_ context.Context, e team.MemberChanged) error { return note(what + " " + e.Team.Name) }
		}
		w.cfg.TeamHooks = team.JoinHooks(team.Hooks{}, team.Hooks{
			TeamCreated: changed("created"), TeamUpdated: changed("updated"), TeamDeleted: changed("deleted"),
			MemberAdded: placed("added"), MemberRemoved: placed("removed"),
		})
		w.cfg.Teams = tenon.TeamPolicy{MaxTeams: 1, MaxMembers: 1}
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		owner := w.signedIn(t, email)
		id := owner.makesTeam("One")
		owner.post("/organization/create-team", map[string]any{"name": "Two"}).must(t, http.StatusForbidden, "YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_TEAMS")
		w.brought(t, owner, guestEmail, "member", map[string]any{"teamId": id})
		place := map[string]any{"teamId": id, "userId": owner.idOf()}
		owner.post("/organization/add-team-member", place).must(t, http.StatusForbidden, "TEAM_MEMBER_LIMIT_REACHED")
		late := w.signedIn(t, "cem@example.com")
		invited, _ := owner.invites("cem@example.com", map[string]any{"teamId": id})
		late.post(pathAccept, map[string]any{"invitationId": invited}).must(t, http.StatusForbidden, "TEAM_MEMBER_LIMIT_REACHED")
		assert.Equal(t, w.pending(t), 1)
		owner.post("/organization/update-team", map[string]any{"teamId": id, "data": map[string]any{"name": "Uno"}}).must(t, http.StatusOK, "")
		owner.post("/organization/remove-team", map[string]any{"teamId": id}).must(t, http.StatusOK, "")
		late.post(pathAccept, map[string]any{"invitationId": invited}).must(t, http.StatusOK, "") // without the team
		assert.Equal(t, heard, []string{"created >One", "added One", "updated One>Uno", "deleted Uno>"})
	})
}
