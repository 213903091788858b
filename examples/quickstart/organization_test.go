package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// field is the value of the first hidden field of that name in a form to action.
func field(t *testing.T, page, action, name string) string {
	t.Helper()
	form := regexp.MustCompile(`(?s)action="` + action + `">.*?</form>`).FindString(page)
	value := regexp.MustCompile(`name="` + name + `" value="([^"]+)"`).FindStringSubmatch(form)
	if value == nil {
		t.Fatalf("no %s in a form to %s:\n%s", name, action, page)
	}
	return value[1]
}

// linked is the id in the first link to a page about one thing.
func linked(t *testing.T, page, path string) string {
	t.Helper()
	found := regexp.MustCompile(`href="` + path + `\?id=([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no link to %s:\n%s", path, page)
	}
	return found[1]
}

func TestAnOwnerInvitesPeople(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		assert.Contains(t, newPerson(t, s).get("/organization"), "Sign in first")
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		page := ada.get("/organization")
		for _, text := range []string{"Ada&#39;s organization", "you: owner", "You are alone here", "No invitation waits", "invite somebody first", "createTeam"} {
			assert.Contains(t, page, text)
		}
		assert.Contains(t, ada.post("/organization/invite", "email", "nobody", "role", "member"), "E-mail address: this is not a valid one")
		assert.Contains(t, ada.post("/organization/invite", "email", "bob@example.com", "role", "wizard"), "Role: there is no such role")
		assert.Contains(t, ada.post("/organization/invite", "email", "bob@example.com", "role", "owner"), "Role: an organization has one owner")
		assert.Contains(t, ada.post("/organization/invite", "email", "ada@example.com", "role", "member"), "E-mail address: this person is a member already")
		page = ada.post("/organization/invite", "email", "bob@example.com", "role", "member")
		assert.Contains(t, page, "The invitation is on its way")
		assert.Contains(t, page, "<strong>bob@example.com</strong>")
		page = ada.post("/organization/invite", "email", "bob@example.com", "role", "member")
		assert.Contains(t, page, "E-mail address: there is an open invitation")
		assert.Contains(t, page, `value="bob@example.com"`)
		id := field(t, page, "/organization/resend", "id")
		assert.Contains(t, ada.post("/organization/resend", "id", id), "The invitation goes out again")
		for _, path := range []string{"/organization/resend", "/organization/cancel"} {
			assert.Contains(t, bob.post(path, "id", id), "There is no such invitation")
		}
		assert.Contains(t, bob.get("/organization/cancel?id="+id), "There is no such invitation")
		page = ada.get("/organization/cancel?id=" + linked(t, ada.get("/organization"), "/organization/cancel"))
		assert.Contains(t, page, "mailed to bob@example.com stop working")
		assert.Equal(t, field(t, page, "/organization/cancel", "id"), id)
		page = ada.post("/organization/cancel", "id", id)
		assert.Contains(t, page, "The invitation is taken back")
		assert.Contains(t, page, "No invitation waits")
		assert.Contains(t, ada.post("/organization/resend", "id", id), "There is no such invitation")
		page = ada.get("/organization")
		assert.Contains(t, page, "Invitation canceled")
		assert.Contains(t, page, "<strong>Invited again</strong>: bob@example.com, member")
		assert.Contains(t, page, "by Ada")
	})
}

func TestAMemberSwitchesAndLeaves(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		theirs := ada.place().OrganizationID
		assert.Contains(t, bob.post("/organization/switch", "id", theirs), "There is no such organization.")
		bob.join(theirs, tenancy.RoleMember)
		page := bob.get("/organization")
		assert.Contains(t, page, "Bob&#39;s organization <span")
		assert.Equal(t, field(t, page, "/organization/switch", "id"), theirs)
		page = bob.post("/organization/switch", "id", theirs)
		assert.Contains(t, page, "You act in this organization now")
		for _, text := range []string{"Ada&#39;s organization <span", "you: member", "ada@example.com", "The owner and the admins can invite", "admins can make them"} {
			assert.Contains(t, page, text)
		}
		for _, text := range []string{"What was done", "/organization/invite", "/organization/offer"} {
			assert.NotContains(t, page, text)
		}
		assert.Contains(t, bob.post("/organization/invite", "email", "eve@example.com", "role", "member"), "does not allow")
		for _, refused := range []string{ada.get("/organization/leave"), ada.post("/organization/leave", "id", theirs)} {
			assert.Contains(t, refused, "The owner stays until somebody else owns the organization")
		}
		page = bob.get("/organization/leave")
		assert.Contains(t, page, "Leave Ada&#39;s organization?")
		assert.Equal(t, field(t, page, "/organization/leave", "id"), theirs)
		page = bob.post("/organization/leave", "id", theirs)
		assert.Contains(t, page, "You are not a member of that organization any more")
		assert.Contains(t, page, "You act in none of them")
		assert.Contains(t, page, "Bob&#39;s organization")
		assert.NotContains(t, page, "Ada&#39;s organization")
		assert.Contains(t, ada.get("/organization"), "by somebody who left")
		assert.Contains(t, bob.post("/organization/invite", "email", "eve@example.com", "role", "member"), "No organization is active")
		assert.Contains(t, bob.post("/organization/create", "name", "Crew", "slug", "The Crew"), "Slug must be 1 to 64")
		page = bob.post("/organization/create", "name", "Crew", "slug", "crew")
		assert.Contains(t, page, "You own it")
		assert.Contains(t, page, "Crew <span")
		assert.Contains(t, ada.post("/organization/create", "name", "Crew", "slug", "crew"), "Slug: another organization has this one")
	})
}

func TestR31_AnOwnerHandsTheOrganizationOver(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		theirs := ada.place().OrganizationID
		bob.join(theirs, tenancy.RoleMember)
		bob.post("/organization/switch", "id", theirs)
		userID := bob.place().UserID
		assert.Contains(t, ada.get("/organization"), `<option value="`+userID+`">Bob (bob@example.com)`)
		assert.Contains(t, bob.post("/organization/accept", "id", theirs), "not offered to you")
		assert.Contains(t, bob.post("/organization/offer", "id", theirs, "user", userID), "Only the owner")
		assert.Contains(t, ada.post("/organization/offer", "id", theirs, "user", "nobody"), "Member: choose one of the list")
		assert.Contains(t, ada.post("/organization/offer", "id", theirs, "user", userID), "The offer is made")
		assert.Contains(t, ada.post("/organization/offer", "id", theirs, "user", userID, "withdraw", "yes"), "it is taken back")
		assert.Contains(t, bob.post("/organization/accept", "id", theirs), "not offered to you")
		ada.post("/organization/offer", "id", theirs, "user", userID)
		page := bob.post("/organization/accept", "id", theirs)
		assert.Contains(t, page, "You own the organization now")
		assert.Contains(t, page, "you: owner")
		assert.Contains(t, ada.get("/organization"), "you: admin")
	})
}

func TestR12_HandingOverTakesAFreshProof(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		ada, bob := named(t, s, "Ada"), named(t, s, "Bob")
		theirs := ada.place().OrganizationID
		bob.join(theirs, tenancy.RoleMember)
		userID := bob.place().UserID
		bundbtest.ClockOf(db).Advance(account.DefaultFreshFor + time.Second)
		page := ada.post("/organization/offer", "id", theirs, "user", userID)
		assert.Contains(t, page, "Confirm that it is you")
		assert.Contains(t, page, `name="next" value="/organization"`)
		assert.Contains(t, bob.post("/organization/accept", "id", theirs), "Confirm that it is you")
		assert.Contains(t, ada.post("/organization/delete", "id", theirs), "Confirm that it is you")
		page = ada.post("/confirm", "next", "/organization", "by", "password", "value", password)
		assert.Contains(t, page, "Now go on with what you wanted to do")
		assert.Contains(t, page, "Members")
		assert.Contains(t, ada.post("/organization/offer", "id", theirs, "user", userID), "The offer is made")
	})
}

func TestR22_WhoActsAsSomebodyElseInvitesNobody(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	me := named(t, s, "Ada").place()
	me.ImpersonatorID = "a superuser"
	r := httptest.NewRequestWithContext(bundbtest.Flow(t.Context()), http.MethodPost, site+"/organization/invite", nil)
	params := invitation.InviteParams{Email: "bob@example.com", Roles: []string{tenancy.RoleMember}}
	assert.ErrorIs(t, s.mail(r, account.Caller{Principal: me}, params), problem.ErrForbidden)
	assert.ErrorIs(t, fresh(account.Caller{Principal: me}), account.ErrNotFresh)
	me.ImpersonatorID = ""
	assert.NoError(t, s.mail(r, account.Caller{Principal: me}, params))
}

func TestATrailComesInPages(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	ada := named(t, s, "Ada")
	for range shownLines + 1 {
		assert.Equal(t, ada.call(http.MethodPost, "/app/projects", `{"name": "Apollo"}`).status, http.StatusCreated)
	}
	page := ada.get("/organization")
	assert.Equal(t, strings.Count(page, "<strong>Project created</strong>"), shownLines)
	assert.Contains(t, page, "<strong>Project created</strong>: Apollo")
	older := regexp.MustCompile(`href="/organization(\?cursor=[^"#]+)`).FindStringSubmatch(page)
	if older == nil {
		t.Fatalf("no link to older lines:\n%s", page)
	}
	assert.Contains(t, ada.get("/organization"+older[1]), "<strong>Project created</strong>")
	assert.Contains(t, ada.get("/organization?cursor=forged"), "<strong>Project created</strong>")
}

func TestOtherSitesCannotChangeAnOrganization(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, bundbtest.SQLite(t))
	ada := named(t, s, "Ada")
	for _, form := range []string{"switch", "create", "leave", "invite", "resend", "cancel", "offer", "accept", "role", "remove", "delete"} {
		r := ada.call(http.MethodPost, "/organization/"+form, "id=a", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
		assert.Equal(t, r.status, http.StatusForbidden)
	}
}
