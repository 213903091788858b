package tenon_test

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/invited"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

const (
	pathInvite = "/organization/invite-member"
	pathAccept = "/organization/accept-invitation"
	guestEmail = "bob@example.com"
)

// invites makes who is signed in at b invite an address, and returns the invitation's id
// and the secret of the mail.
func (b *browser) invites(to string, more ...map[string]any) (id, secret string) {
	b.t.Helper()
	got := b.invite(to, more...)
	if got.StatusCode != http.StatusOK {
		b.t.Fatalf("invite %s: %d %s", to, got.StatusCode, got.body)
	}
	id, _ = got.decode(b.t)["id"].(string)
	return id, b.w.link(b.t, to)
}

func (b *browser) invite(to string, more ...map[string]any) answer {
	b.t.Helper()
	body := map[string]any{"email": to, "role": "member"}
	for _, m := range more {
		for name, value := range m {
			body[name] = value
		}
	}
	return b.post(pathInvite, body)
}

// organization returns the active organization of who is signed in at b.
func (b *browser) organization() string {
	b.t.Helper()
	session, _ := b.get("/get-session").decode(b.t)["session"].(map[string]any)
	id, _ := session["activeOrganizationId"].(string)
	return id
}

// members counts the members of the organization beside its owner.
func (w *world) members(t testing.TB, organizationID string) int {
	t.Helper()
	return w.count(t, "tenon_members WHERE organization_id = ? AND role <> 'owner'", organizationID)
}

func (w *world) pending(t testing.TB) int {
	t.Helper()
	return w.count(t, "tenon_invitations WHERE status = 'pending'")
}

func (a answer) must(t testing.TB, status int, code string) {
	t.Helper()
	if a.StatusCode != status || code != "" && a.code(t) != code {
		t.Errorf("%s: %d %s, want %d %s", a.Request.URL.Path, a.StatusCode, a.body, status, code)
	}
}

func TestR21_AnInvitationIsAcceptedByItsMailbox(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		org := owner.organization()
		byID, _ := owner.invites("Bob@example.com")
		got := guest.get("/organization/list-user-invitations")
		assert.Contains(t, got.body, byID)
		got = guest.get("/organization/get-invitation?id=" + byID)
		got.must(t, http.StatusOK, "")
		assert.Contains(t, got.body, `"inviterEmail":"`+email+`"`)
		got = guest.post(pathAccept, map[string]any{"invitationId": byID})
		got.must(t, http.StatusOK, "")
		assert.Contains(t, got.body, `"status":"accepted"`)
		assert.Contains(t, got.body, `"role":"member"`)
		assert.Equal(t, w.members(t, org), 1)
		guest.post(pathAccept, map[string]any{"invitationId": byID}).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")

		third := w.signedIn(t, "cem@example.com")
		_, secret := owner.invites("cem@example.com", map[string]any{"role": []string{"member", "admin"}})
		got = third.post(pathAccept, map[string]any{"token": secret})
		got.must(t, http.StatusOK, "")
		assert.Contains(t, got.body, `"role":"admin,member"`)
		third.post(pathAccept, map[string]any{"token": secret}).must(t, http.StatusBadRequest, "INVALID_TOKEN")
		assert.Equal(t, w.members(t, org), 2)
		assert.Equal(t, w.count(t, "tenon_one_time_tokens WHERE purpose = 'inv:invitation' AND consumed_at IS NULL"), 0)
	})
}

// The address comes from the row, the session through the door.
func TestR21_SigningUpByAnInvitationIsOneGo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		org := owner.organization()
		_, secret := owner.invites("Bob@example.com")
		b := w.browser(t)
		b.post(pathAccept, map[string]any{"token": secret, "email": "eve@example.com"}).must(t, http.StatusUnprocessableEntity, "")
		b.post(pathAccept, map[string]any{"token": secret, "password": "short"}).must(t, http.StatusBadRequest, "PASSWORD_TOO_SHORT")
		got := b.post(pathAccept, map[string]any{"token": secret, "name": "Bob", "password": password})
		got.must(t, http.StatusOK, "")
		assert.Contains(t, got.body, `"token":null`)
		assert.Contains(t, got.body, `"email":"Bob@example.com"`)
		assert.NotContains(t, got.body, "tnn_")
		assert.True(t, b.isSignedIn(), "the session is there")
		assert.Equal(t, b.organization(), org)
		assert.Equal(t, w.members(t, org), 1)
		assert.Equal(t, w.count(t, "tenon_organizations"), 2) // one of their own, too
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels = 'mailbox'"), 1)
		w.browser(t).post(pathAccept, map[string]any{"token": secret, "name": "Eve"}).must(t, http.StatusBadRequest, "INVALID_TOKEN")
		assert.Equal(t, w.browser(t).signIn(guestEmail).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users"), 2)
	})
}

func TestR21_SomebodyInvitedMayDoWithoutAnOrganizationOfTheirOwn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		_, secret := owner.invites(guestEmail)
		b := w.browser(t)
		b.post(pathAccept, map[string]any{"token": secret}).must(t, http.StatusOK, "")
		assert.Equal(t, w.count(t, "tenon_organizations"), 1)
		assert.Equal(t, b.organization(), owner.organization())
		w.signedIn(t, "cem@example.com")
		assert.Equal(t, w.count(t, "tenon_organizations"), 2) // others have one
	}, func(c *tenon.Config) { c.Invitations.SkipDefaultOrganization = true })
}

// If a user has the address, the answer is that of a sign-up, and nothing changes.
func TestR21_AKnownAddressIsAnsweredLikeASignUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		w.user(t, "ab@example.com")
		w.ban(t, w.imported(t, "ae@example.com").Email)
		assert.Equal(t, w.count(t, "tenon_users"), 3)
		w.user(t, "ad@example.com")
		w.ban(t, "ad@example.com")
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		secrets := map[string]string{}
		for _, to := range []string{"ab@example.com", "ac@example.com", "ad@example.com"} {
			_, secrets[to] = owner.invites(to)
		}
		before := w.text(t, "SELECT count(*) FROM tenon_users") + w.text(t, "SELECT sum(security_version) FROM tenon_users")
		var bodies []string
		for _, to := range []string{"ab@example.com", "ad@example.com"} {
			b := w.browser(t)
			got := b.post(pathAccept, map[string]any{"token": secrets[to], "name": "Somebody", "password": password})
			got.must(t, http.StatusOK, "")
			bodies = append(bodies, got.anonymous(to))
			assert.False(t, b.isSignedIn(), "nobody is let in")
			assert.Len(t, got.Cookies(), 0)
			assert.NoError(t, w.Drain(t.Context()))
			message, _ := w.mailbox.Last(to)
			assert.Equal(t, message.Kind, "invitation-sign-in")
			assert.NotContains(t, message.Text, "tnn_")
		}
		assert.Equal(t, w.text(t, "SELECT count(*) FROM tenon_users")+w.text(t, "SELECT sum(security_version) FROM tenon_users"), before)
		assert.Equal(t, w.pending(t), 3)
		got := w.browser(t).post(pathAccept, map[string]any{"token": secrets["ac@example.com"], "name": "Somebody", "password": password})
		for _, other := range bodies { // the session is what remains
			assert.Equal(t, other, got.anonymous("ac@example.com"))
		}
		// The link still works for the owner, once signed in.
		b := w.browser(t)
		assert.Equal(t, b.signIn("ab@example.com").StatusCode, http.StatusOK)
		b.post(pathAccept, map[string]any{"token": secrets["ab@example.com"]}).must(t, http.StatusOK, "")
	})
}

// anonymous is the body without what is always another.
func (a answer) anonymous(to string) string {
	return moving.ReplaceAllString(strings.ReplaceAll(a.body, to, "EMAIL"), "X")
}

// Inviting and looking at the page say nothing about who has the address.
func TestR7_InvitingIsAlikeForEveryAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		all := w.everybody(t)
		bundbtest.ClockOf(w.db).Advance(2 * time.Hour)
		assert.Equal(t, owner.signIn(email).StatusCode, http.StatusOK)
		owner.invite("warm@example.com").must(t, http.StatusOK, "")
		invite := func(more map[string]any) func(b *browser, to string) answer {
			return func(_ *browser, to string) answer { return owner.invite(to, more) }
		}
		w.alike(t, "first", all, invite(nil))
		w.alike(t, "again", all, invite(nil))
		w.alike(t, "over the budget", all, invite(map[string]any{"resend": true}))
		w.later()
		owner.get("/get-session") // the session was not seen for a while
		w.alike(t, "later", all, invite(map[string]any{"resend": true}))
		w.alike(t, "page", all, func(b *browser, to string) answer {
			b.page(pathAccept + "?token=" + w.link(t, to))
			got := b.page(pathAccept)
			assert.Equal(t, got.StatusCode, http.StatusOK)
			return got
		})
	})
}

// Everything that could be said about somebody else's invitation is not.
func TestPromise7_AnInvitationIsNothingToStrangersAndNeighbours(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest, neighbour := w.signedIn(t, email), w.signedIn(t, guestEmail), w.signedIn(t, "eve@example.com")
		id, secret := owner.invites(guestEmail)
		other, _ := neighbour.invites("fay@example.com")
		before := w.rowsWithout(t, "tenon_audit_entries") // which tells who was refused
		for _, b := range []*browser{neighbour, owner} {  // the owner is not invited
			for _, known := range []string{id, other, "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"} {
				if b == owner && known == id {
					continue
				}
				for _, path := range []string{pathAccept, "/organization/reject-invitation", "/organization/cancel-invitation"} {
					if b == neighbour && known == other && strings.Contains(path, "cancel") {
						continue
					}
					b.post(path, map[string]any{"invitationId": known}).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")
				}
				b.get("/organization/get-invitation?id="+known).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")
			}
		}
		owner.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")
		neighbour.post(pathAccept, map[string]any{"token": secret}).must(t, http.StatusForbidden, "YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION")
		guest.post("/organization/cancel-invitation", map[string]any{"invitationId": id}).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")
		org := owner.organization()
		neighbour.get("/organization/list-invitations?organizationId="+org).must(t, http.StatusNotFound, "ORGANIZATION_NOT_FOUND")
		neighbour.invite("x@example.com", map[string]any{"organizationId": org}).must(t, http.StatusNotFound, "ORGANIZATION_NOT_FOUND")
		anonymous := w.browser(t)
		anonymous.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusUnauthorized, "")
		anonymous.post("/organization/reject-invitation", map[string]any{"invitationId": id}).must(t, http.StatusUnauthorized, "")
		assert.True(t, before == w.rowsWithout(t, "tenon_audit_entries"), "nothing changed")
		assert.NotContains(t, neighbour.get("/organization/list-user-invitations").body, id)
	})
}

// The row's id opens nothing, and no secret but its own does.
func TestR21_OnlyItsOwnSecretOpensAnInvitation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		id, secret := owner.invites(guestEmail)
		magic := w.magicLink(t, w.browser(t), "cem@example.com")
		for _, raw := range []string{id, magic, secret[:4] + "mag" + secret[7:], secret[:len(secret)-1], strings.Replace(magic, "mag", "inv", 1)} {
			w.browser(t).post(pathAccept, map[string]any{"token": raw}).must(t, http.StatusBadRequest, "INVALID_TOKEN")
		}
		for _, path := range []string{"/magic-link/verify", "/verify-email", "/reset-password"} {
			body := map[string]any{"token": secret}
			if path == "/reset-password" {
				body["newPassword"] = newPassword
			}
			w.browser(t).post(path, body).must(t, http.StatusBadRequest, "INVALID_TOKEN")
		}
		assert.Equal(t, w.pending(t), 1)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
	})
}

func TestR21_LinksThatAreOverOpenNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		dead := func(name, secret string) {
			t.Helper()
			for _, b := range []*browser{w.browser(t), guest} {
				b.post(pathAccept, map[string]any{"token": secret}).must(t, http.StatusBadRequest, "INVALID_TOKEN")
				b.post("/organization/reject-invitation", map[string]any{"token": secret}).must(t, http.StatusBadRequest, "INVALID_TOKEN")
			}
			assert.Equal(t, w.members(t, owner.organization()), 0)
		}
		id, secret := owner.invites(guestEmail)
		owner.post("/organization/cancel-invitation", map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
		dead("cancelled", secret)
		guest.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")
		w.later()
		_, replaced := owner.invites(guestEmail)
		dead("replaced by another", secret)
		w.browser(t).post("/organization/reject-invitation", map[string]any{"token": replaced}).must(t, http.StatusOK, "")
		dead("rejected", replaced)
		w.later()
		id, late := owner.invites(guestEmail)
		bundbtest.ClockOf(w.db).Advance(invitation.DefaultLife)
		assert.Equal(t, owner.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, guest.signIn(guestEmail).StatusCode, http.StatusOK)
		dead("expired", late)
		guest.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusNotFound, "INVITATION_NOT_FOUND")
		_, fresh := owner.invites(guestEmail) // which an expired one does not keep from being made
		guest.post(pathAccept, map[string]any{"token": fresh}).must(t, http.StatusOK, "")
	})
}

// Mailed again, an invitation has its role and its end from then on, and every link to it
// works.
func TestR6_AnInvitationIsMailedAgainWithinTheBudget(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		id, first := owner.invites(guestEmail, map[string]any{"role": "admin"})
		owner.invite(guestEmail).must(t, http.StatusConflict, "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION")
		again := map[string]any{"resend": true}
		owner.invite(guestEmail, again).must(t, http.StatusOK, "") // over the budget
		assert.NoError(t, w.Drain(t.Context()))
		assert.Len(t, w.mailbox.Messages(), 2) // the link of the owner's sign-up, and one invitation
		w.later()
		same, second := owner.invites(guestEmail, again)
		assert.Equal(t, same, id)
		assert.NotEqual(t, first, second)
		b := w.browser(t)
		b.post(pathAccept, map[string]any{"token": first}).must(t, http.StatusOK, "")
		assert.Equal(t, w.count(t, "tenon_members WHERE role = 'member'"), 1)
		w.browser(t).post(pathAccept, map[string]any{"token": second}).must(t, http.StatusBadRequest, "INVALID_TOKEN")
	})
}

// doubt is what changes after an invitation was mailed: what becomes of the inviter, an
// admin, or of the organization, and what the answer is then.
type doubt struct{ change, code string }

func (d doubt) status() int {
	if d.code == "" || d.code == "INVALID_TOKEN" {
		return http.StatusBadRequest // used, or gone
	}
	return http.StatusForbidden
}

// What permitted an invitation counts for nothing once it is gone.
func TestR21_EverythingIsAskedAgainAtAcceptance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]doubt{
		"nothing":          {"UPDATE tenon_members SET role = role", ""},
		"demoted":          {"UPDATE tenon_members SET role = 'member' WHERE role = 'admin'", "INVITER_IS_NO_LONGER_A_MEMBER_OF_THE_ORGANIZATION"},
		"removed":          {"DELETE FROM tenon_members WHERE role = 'admin'", "INVITER_IS_NO_LONGER_A_MEMBER_OF_THE_ORGANIZATION"},
		"banned":           {"UPDATE tenon_users SET banned_at = created_at WHERE email = 'cem@example.com'", "INVITER_IS_NO_LONGER_A_MEMBER_OF_THE_ORGANIZATION"},
		"the role is gone": {"UPDATE tenon_invitations SET role = 'gone'", "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE"},
		"a second factor":  {"UPDATE tenon_organizations SET second_factor_from = created_at", "SECOND_FACTOR_REQUIRED"},
		"the organization": {"DELETE FROM tenon_organizations", "INVALID_TOKEN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				owner, admin, guest := w.signedIn(t, email), w.signedIn(t, "cem@example.com"), w.signedIn(t, guestEmail)
				org := owner.organization()
				id, _ := owner.invites("cem@example.com", map[string]any{"role": "admin"})
				admin.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
				invite := map[string]any{"organizationId": org, "role": "admin"}
				_, known := admin.invites(guestEmail, invite)
				_, fresh := admin.invites("new@example.com", invite)
				assert.Must(w.db.Statement(c.change).Exec(t.Context()))(t)
				users, members := w.count(t, "tenon_users"), w.members(t, org)
				caller := w.principalOf(t, guest)
				for who, accept := range map[string]func() error{
					"a user": func() error {
						_, err := w.Invitations.Accept(t.Context(), invitation.AcceptParams{Caller: caller, Token: known})
						return err
					},
					"a newcomer": func() error {
						_, err := w.newcomers(t).Enter(t.Context(), invited.Params{Secret: fresh})
						return err
					},
				} {
					if err := accept(); (err != nil || c.code != "") && problem.CodeOf(err) != c.code {
						t.Errorf("%s: %v", who, err)
					}
				}
				w.browser(t).post(pathAccept, map[string]any{"token": fresh}).must(t, c.status(), cmp.Or(c.code, "INVALID_TOKEN"))
				if c.code != "" {
					assert.Equal(t, [2]int{w.count(t, "tenon_users"), w.members(t, org)}, [2]int{users, members})
				}
			})
		})
	}
}

func TestR31_NobodyIsInvitedAsOwner(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		for _, role := range []any{"owner", "Owner", "member,owner", []string{"admin", "owner"}, " owner "} {
			owner.invite(guestEmail, map[string]any{"role": role}).must(t, http.StatusConflict, "USE_TRANSFER_OWNERSHIP")
		}
		owner.invite(guestEmail, map[string]any{"role": "nothing"}).must(t, http.StatusNotFound, "ROLE_NOT_FOUND")
		assert.Equal(t, w.pending(t), 0)
		_, err := w.db.Statement(`INSERT INTO tenon_invitations (id, organization_id, email, display, role, team_ids, inviter_id, status, expires_at, created_at, updated_at)
			SELECT 'x', id, 'x', 'x', 'admin,owner', '', 'x', 'pending', created_at, created_at, created_at FROM tenon_organizations`).Exec(t.Context())
		assert.Error(t, err) // nor by the database
	})
}

func TestOnlyWhoMayInvitesAndCancels(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, member := w.signedIn(t, email), w.signedIn(t, guestEmail)
		org := owner.organization()
		id, _ := owner.invites(guestEmail)
		member.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
		in := map[string]any{"organizationId": org}
		member.invite("x@example.com", in).must(t, http.StatusForbidden, "YOU_ARE_NOT_ALLOWED_TO_INVITE_USERS_TO_THIS_ORGANIZATION")
		id, _ = owner.invites("x@example.com")
		member.post("/organization/cancel-invitation", map[string]any{"invitationId": id}).
			must(t, http.StatusForbidden, "YOU_ARE_NOT_ALLOWED_TO_CANCEL_THIS_INVITATION")
		assert.Contains(t, member.get("/organization/list-invitations?organizationId="+org).body, id)
		owner.invite(guestEmail).must(t, http.StatusConflict, "USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION")
		owner.invite("not an address").must(t, http.StatusBadRequest, "INVALID_EMAIL")
		for range 3 {
			owner.post("/organization/cancel-invitation", map[string]any{"invitationId": id})
		}
		assert.Equal(t, w.pending(t), 0)
	})
}

func TestR21_AnotherAddressNeedsTheHostsLeaveAndAPageThatNamesBoth(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, "eve@example.com")
		org := owner.organization()
		_, secret := owner.invites(guestEmail)
		guest.post(pathAccept, map[string]any{"token": secret}).must(t, http.StatusConflict, "CONFIRM_ANOTHER_ADDRESS")
		guest.post(pathAccept, map[string]any{"token": secret, "as": "somebody else"}).must(t, http.StatusConflict, "CONFIRM_ANOTHER_ADDRESS")
		assert.Equal(t, guest.page(pathAccept+"?token="+secret).StatusCode, http.StatusSeeOther)
		got := guest.page(pathAccept)
		assert.Contains(t, got.body, guestEmail)
		assert.Contains(t, got.body, "eve@example.com")
		assert.NotContains(t, got.body, secret)
		assert.Equal(t, w.members(t, org), 0)
		got = guest.form(pathAccept, hiddenFields(got.body))
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.Equal(t, w.members(t, org), 1)
	}, func(c *tenon.Config) {
		c.Invitations.OtherAddresses = true
		c.InvitationHooks.Accepted = func(_ context.Context, e invitation.Joined) error {
			if !e.OtherAddress || e.Address.Key != "eve@example.com" || e.Invitation.Address.Key != guestEmail {
				t.Errorf("the event is %+v", e)
			}
			return nil
		}
	})
}

func TestR24_ThePageOfAnInvitation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		org := owner.organization()
		_, secret := owner.invites(guestEmail)
		b := w.browser(t)
		b.get(pathAccept+"?token="+secret).must(t, http.StatusMethodNotAllowed, "CONFIRM_WITH_POST")
		got := b.page(pathAccept + "?token=" + secret)
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.NotContains(t, got.Header.Get("Location"), secret)
		got = b.page(pathAccept)
		assert.Contains(t, got.body, guestEmail)
		assert.NotContains(t, got.body, secret)
		values := hiddenFields(got.body)
		_, second := owner.invites("cem@example.com")
		b.page(pathAccept + "?token=" + second)
		b.form(pathAccept, values) // it was shown another one
		for _, path := range []string{pathAccept, "/organization/reject-invitation"} {
			w.with(t, owner.cookie("session")).post(path, map[string]any{"token": second, "shown": values.Get("shown")}).
				must(t, http.StatusConflict, "INVITATION_REPLACED")
		}
		assert.Equal(t, w.members(t, org), 0)
		b.page(pathAccept + "?token=" + secret)
		values = hiddenFields(b.page(pathAccept).body)
		values.Set("name", "Bob")
		got = b.form(pathAccept, values)
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.True(t, b.isSignedIn(), "in")
		assert.Equal(t, w.members(t, org), 1)
		c := w.browser(t)
		c.page(pathAccept + "?token=" + second)
		got = c.form("/organization/reject-invitation", hiddenFields(c.page(pathAccept).body))
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.Contains(t, c.page("/organization/"+got.Header.Get("Location")).body, "declined")
		assert.Equal(t, w.pending(t), 0)
		assert.Contains(t, w.browser(t).page(pathAccept).body, "not valid any more")
	})
}

// hiddenFields returns the hidden fields of the first form of a page.
func hiddenFields(body string) url.Values {
	values := url.Values{}
	form, _, _ := strings.Cut(body, "</form>")
	for _, part := range strings.Split(form, `type="hidden" name="`)[1:] {
		name, rest, _ := strings.Cut(part, `"`)
		_, rest, _ = strings.Cut(rest, `value="`)
		value, _, _ := strings.Cut(rest, `"`)
		values.Set(name, value)
	}
	return values
}
