package tenon_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session/sessioncache"
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
		assert.True(t, w.cfg.SessionCache != nil, "caches forget, too")
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
		assert.Equal(t, activeTeam(), any(id)) // that of the invitation
		choose()
		owner.post("/organization/remove-team-member", place).must(t, http.StatusOK, "")
		assert.Equal(t, activeTeam(), nil)
		owner.post("/organization/add-team-member", place).must(t, http.StatusOK, "")
		assert.Equal(t, activeTeam(), nil)
		choose()
		owner.post("/organization/remove-team", map[string]any{"teamId": id}).must(t, http.StatusOK, "")
		assert.Equal(t, activeTeam(), nil)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE team_id IS NOT NULL"), 0)
	}, withSessionCache)
}

func withSessionCache(c *tenon.Config) {
	c.SessionCache = &sessioncache.Config{Bound: 30 * time.Second}
}

// A deleted organization is no scope any more, of nobody's session, cached or not (rule
// R17).
func TestR17_CachesForgetADeletedOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		guest := w.brought(t, owner, guestEmail, "admin", nil)
		org := owner.organization()
		site := w.RequireOrganization(http.HandlerFunc(whereAmI))
		assert.Equal(t, guest.call(site, "/app/", nil).decode(t)["organization"], any(org))
		owner.post("/organization/delete", map[string]any{"organizationId": org}).must(t, http.StatusOK, "")
		for _, b := range []*browser{owner, guest} {
			assert.Equal(t, b.call(site, "/app/", nil).code(t), "NO_ACTIVE_ORGANIZATION")
			assert.Equal(t, b.call(site, "/app/", map[string][]string{"X-Organization-Id": {org}}).code(t), "ORGANIZATION_NOT_FOUND")
		}
	}, withSessionCache)
}

// Whatever is typed into the fields of organizations is an answer and no outage, and
// comes back as it may be shown.
func TestHostileTextsOfOrganizations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		team := owner.makesTeam("One")
		post := func(path, body string) answer {
			return owner.do(owner.request(http.MethodPost, "/organization/"+path, "application/json", strings.NewReader(body)))
		}
		deep := strings.Repeat(`{"a":`, 3000) + "1" + strings.Repeat("}", 3000)
		for _, c := range [][2]string{
			{"create", `{"name":"a\u0000b","slug":"x"}`},
			{"create", "{\"name\":\"a\xff\",\"slug\":\"x\"}"},
			{"create", `{"name":"A","slug":"x","metadata":` + deep + `}`},
			{"create", "{\"name\":\"A\",\"slug\":\"x\",\"metadata\":{\"a\":\"\xff\"}}"},
			{"create", `{"name":"A","slug":"x","metadata":{"a":"` + strings.Repeat("x", 17000) + `"}}`},
			{"create", `{"name":"A","slug":"x","metadata":"{\"a\":1}"}`},
			{"create", `{"name":"A","slug":"аdmin"}`}, // Cyrillic
			{"create", `{"name":"A","slug":"x","logo":"javascript:alert(1)"}`},
			{"create", `{"name":"A","slug":"x","logo":"https://x/\u0000"}`},
			{"update", `{"data":{"name":"A","__proto__":{"ownerId":"x"}}}`},
			{"update", `{"data":{"ownerId":"x"}}`},
			{"set-active", `{"organizationId":"\u0000"}`},
			{"set-active", `{"organizationId":{"$ne":null}}`},
			{"set-active-team", `{"teamId":"\u0000"}`},
			{"set-active-team", `{"teamId":["` + team + `"]}`},
			{"invite-member", `{"email":"a@b.c","role":["\u0000"]}`},
			{"invite-member", `{"email":"a@b.c","role":"member","teamId":["\u0000"]}`},
			{"invite-member", `{"email":"a@b.c","role":"member","teamId":"` + team + `,x"}`},
			{"invite-member", `{"email":"a@b.c\nBcc: x@y.z","role":"member"}`},
			{"create-role", `{"role":"__proto__","permission":{}}`},
			{"create-role", `{"role":"r","permission":{"member":["\u0000"]}}`},
			{"update-member-role", `{"memberId":"\u0000","role":"member"}`},
			{"remove-member", `{"memberIdOrEmail":"\u0000@x"}`},
			{"accept-invitation", `{"invitationId":"\u0000"}`},
			{"accept-invitation", `{"token":"\u0000"}`},
			{"accept-invitation", `{}`},
			{"reject-invitation", `{}`},
			{"check-slug", `{"slug":"\u0000"}`},
			{"create-team", `{"name":"a\u202eb"}`},
		} {
			if got := post(c[0], c[1]); got.StatusCode < 400 || got.StatusCode >= 500 || strings.Contains(got.body, "\u202e") {
				t.Errorf("%s %.80q: %d %s", c[0], c[1], got.StatusCode, got.body)
			}
		}
		for _, none := range []string{`{"member":null}`, `{"member":[]}`} {
			got := post("create-role", `{"role":"r`+fmt.Sprint(len(none))+`","permission":`+none+`}`)
			got.must(t, http.StatusOK, "")
			assert.Equal(t, strings.Count(got.body, `{"member":[]}`), 2) // a client calls its methods
		}
		for _, target := range []string{"//evil.example", "/%5Cevil.example", "https://evil.example/", "javascript:alert(1)", "%09//evil.example", "http://localhost:8080@evil.example"} {
			got := owner.page(pathAccept + "?token=x&callbackURL=" + target)
			assert.True(t, got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusUnprocessableEntity, got.body)
			assert.Equal(t, got.Header.Get("Location"), "")
		}
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

// A team that is gone when its invitation is accepted keeps nobody out.
func TestAnInvitationToATeamThatIsGoneIsOneToTheOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		id := owner.makesTeam("One")
		invitation, _ := owner.invites(guestEmail, map[string]any{"teamId": id})
		owner.post("/organization/remove-team", map[string]any{"teamId": id}).must(t, http.StatusOK, "")
		guest.post(pathAccept, map[string]any{"invitationId": invitation}).must(t, http.StatusOK, "")
		assert.Equal(t, guest.organization(), owner.organization())
		assert.Equal(t, w.count(t, "tenon_sessions WHERE team_id IS NOT NULL"), 0)
	})
}
