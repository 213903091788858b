package tenon_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// twin is one organization with somebody in each place, seen from outside.
type twin struct {
	id, slug, member, user, role string
}

func (w *world) twin(t *testing.T, b, second *browser) twin {
	t.Helper()
	o := twin{id: b.active(), user: second.idOf()}
	o.member = w.enlist(t, second, o.id, "member")
	o.slug, _ = b.get("/organization/get-organization").decode(t)["slug"].(string)
	data, _ := b.post("/organization/create-role", map[string]any{"role": "deputy", "permission": map[string]any{}}).decode(t)["roleData"].(map[string]any)
	o.role, _ = data["id"].(string)
	return o
}

// companies is everything that is written about organizations and sessions.
func (w *world) companies(t *testing.T) string {
	t.Helper()
	var kept []string
	for part := range strings.SplitSeq(string(bundbtest.Dump(t, w.db)), "== ") {
		for _, table := range []string{"tenon_organizations\n", "tenon_members\n", "tenon_organization_roles\n", "tenon_sessions\n", "tenon_users\n", "tenon_invitations\n", "tenon_teams\n", "tenon_team_members\n"} {
			if strings.HasPrefix(part, table) {
				kept = append(kept, part)
			}
		}
	}
	assert.True(t, len(kept) >= 4, "the tables have names of their own")
	return strings.Join(kept, "")
}

// calls are all routes of organizations that name something, about o.
func (o twin) calls() map[string]func(b *browser) answer {
	post := func(path string, body map[string]any) func(*browser) answer {
		return func(b *browser) answer { return b.post("/organization/"+path, body) }
	}
	get := func(path string) func(*browser) answer {
		return func(b *browser) answer { return b.get("/organization/" + path) }
	}
	in := func(more map[string]any) map[string]any {
		body := map[string]any{"organizationId": o.id}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	nothing := map[string]any{}
	return map[string]func(*browser) answer{
		"delete": post("delete", in(nil)), "leave": post("leave", in(nil)), "accept": post("accept-ownership", in(nil)),
		"set active": post("set-active", in(nil)), "set active by slug": post("set-active", map[string]any{"organizationSlug": o.slug}),
		"update":             post("update", in(map[string]any{"data": map[string]any{"name": "Eve's"}})),
		"get":                get("get-organization?organizationId=" + o.id),
		"get by slug":        get("get-organization?organizationSlug=" + o.slug),
		"full":               get("get-full-organization?organizationId=" + o.id),
		"full by slug":       get("get-full-organization?organizationSlug=" + o.slug),
		"members":            get("list-members?organizationId=" + o.id),
		"members by slug":    get("list-members?organizationSlug=" + o.slug),
		"role of":            get("get-active-member-role?organizationId=" + o.id + "&userId=" + o.user),
		"has permission":     post("has-permission", in(map[string]any{"permissions": map[string]any{"ac": []string{"read"}}})),
		"update role of":     post("update-member-role", in(map[string]any{"memberId": o.member, "role": "admin"})),
		"remove":             post("remove-member", in(map[string]any{"memberIdOrEmail": o.member})),
		"remove by address":  post("remove-member", in(map[string]any{"memberIdOrEmail": "bob@example.com"})),
		"transfer":           post("transfer-ownership", in(map[string]any{"userId": o.user})),
		"policy":             post("set-second-factor-policy", in(map[string]any{"required": true})),
		"roles":              get("list-roles?organizationId=" + o.id),
		"role":               get("get-role?organizationId=" + o.id + "&roleId=" + o.role),
		"role by name":       get("get-role?organizationId=" + o.id + "&roleName=deputy"),
		"create role":        post("create-role", in(map[string]any{"role": "spy", "permission": nothing})),
		"update role":        post("update-role", in(map[string]any{"roleId": o.role, "data": map[string]any{"permission": nothing}})),
		"delete role":        post("delete-role", in(map[string]any{"roleId": o.role})),
		"own org, member":    post("update-member-role", map[string]any{"memberId": o.member, "role": "admin"}),
		"own org, remove":    post("remove-member", map[string]any{"memberIdOrEmail": o.member}),
		"own org, transfer":  post("remove-member", map[string]any{"memberIdOrEmail": o.user}),
		"own org, role":      get("get-role?roleId=" + o.role),
		"own org, edit role": post("update-role", map[string]any{"roleId": o.role, "data": map[string]any{"permission": nothing}}),
		"own org, drop role": post("delete-role", map[string]any{"roleId": o.role}),
		"own org, role of":   get("get-active-member-role?userId=" + o.user),
	}
}

// The neighbour's anything is a 404 of the same bytes as what never existed, and nothing
// of theirs changes (promise 7).
func TestPromise7_ANeighboursOrganizationIsTheSame404AsNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob, eve := w.signedIn(t, email), w.signedIn(t, "bob@example.com"), w.signedIn(t, "eve@example.com")
		theirs := w.twin(t, b, bob)
		unknown := twin{id: "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77", slug: "no-such-slug", member: "m", user: "u", role: "r"}
		never := unknown.calls()
		before := w.companies(t)
		for name, call := range theirs.calls() {
			got, want := call(eve), never[name](eve)
			if got.StatusCode != http.StatusNotFound || clean(got.body) != clean(want.body) {
				t.Errorf("%s: %d %s, want %s", name, got.StatusCode, got.body, want.body)
			}
			for header, values := range want.Header {
				if header != "X-Request-Id" && strings.Join(got.Header[header], "") != strings.Join(values, "") {
					t.Errorf("%s: %s: %q, want %q", name, header, got.Header[header], values)
				}
			}
			if got := call(w.browser(t)); got.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s as nobody: %d", name, got.StatusCode)
			}
		}
		assert.Equal(t, w.companies(t), before)
	})
}

// A member who is nobody in particular changes nothing, and learns nothing they should
// not (the codes are the official client's).
func TestAMemberWithoutPermissionsGetsNowhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		o := w.twin(t, b, bob)
		before := w.companies(t)
		for name, want := range map[string]string{
			"delete":         "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_ORGANIZATION",
			"update":         "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
			"policy":         "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
			"transfer":       "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
			"update role of": "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_MEMBER",
			"remove":         "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_MEMBER",
			"create role":    "YOU_ARE_NOT_ALLOWED_TO_CREATE_A_ROLE",
			"update role":    "YOU_ARE_NOT_ALLOWED_TO_UPDATE_A_ROLE",
			"delete role":    "YOU_ARE_NOT_ALLOWED_TO_DELETE_A_ROLE",
			"accept":         "NO_OWNERSHIP_OFFER",
		} {
			if got := o.calls()[name](bob); got.code(t) != want {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.companies(t), before)
	})
}

// Ownership and deletion are for the owner in person, with a proof of the last minutes
// (rules R12, R22).
func TestR12_OwnershipNeedsAFreshProofAndR22ThePerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob, root := w.signedIn(t, email), w.signedIn(t, "bob@example.com"), w.signedIn(t, rootEmail)
		id := b.active()
		w.enlist(t, bob, id, "admin")
		owner := b.idOf()
		assert.Equal(t, b.post("/organization/transfer-ownership", map[string]any{"organizationId": id, "userId": bob.idOf()}).StatusCode, http.StatusOK)
		paths := map[string]map[string]any{
			"/organization/transfer-ownership": {"organizationId": id, "userId": bob.idOf()},
			"/organization/delete":             {"organizationId": id},
			"/organization/accept-ownership":   {"organizationId": id},
		}
		assert.Equal(t, root.admin("impersonate-user", map[string]any{"userId": owner}).StatusCode, http.StatusOK)
		for path, body := range paths {
			assert.Equal(t, root.post(path, body).StatusCode, http.StatusForbidden)
		}
		bundbtest.ClockOf(w.db).Advance(account.DefaultFreshFor + time.Second)
		for path, body := range paths {
			assert.Equal(t, b.post(path, body).code(t), "SESSION_NOT_FRESH")
		}
		assert.Equal(t, bob.post("/organization/accept-ownership", map[string]any{"organizationId": id}).code(t), "SESSION_NOT_FRESH")
		assert.Equal(t, w.count(t, "tenon_organizations WHERE id = ? AND owner_id = ?", id, owner), 1)
	}, withRoot)
}

// A stolen session offers the company to the thief's friend. The owner changes the
// password, and that is the end of it (rule R1).
func TestR1_AnOfferOfOwnershipDoesNotOutliveAReset(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		id, owner := b.active(), b.idOf()
		w.enlist(t, bob, id, "admin")
		offer := map[string]any{"organizationId": id, "userId": bob.idOf()}
		assert.Equal(t, b.post("/organization/transfer-ownership", offer).StatusCode, http.StatusOK)
		change := map[string]any{"currentPassword": password, "newPassword": "another good one"}
		assert.Equal(t, b.post("/change-password", change).StatusCode, http.StatusOK)
		assert.Equal(t, bob.post("/organization/accept-ownership", map[string]any{"organizationId": id}).code(t), "NO_OWNERSHIP_OFFER")
		assert.Equal(t, w.count(t, "tenon_organizations WHERE id = ? AND owner_id = ?", id, owner), 1)
	})
}

// An organization whose policy keeps a session out is closed by whatever name it is
// called (rule R13).
func TestR13_APolicyHoldsForEveryWayToNameAnOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		o := w.twin(t, b, bob)
		own := bob.active()
		w.enrol(t, b)
		assert.Equal(t, b.post("/organization/set-second-factor-policy", map[string]any{"organizationId": o.id, "required": true}).StatusCode, http.StatusOK)
		before := w.companies(t)
		for name, call := range o.calls() {
			if strings.HasPrefix(name, "own org") {
				continue
			}
			if got := call(bob); got.code(t) != "SECOND_FACTOR_REQUIRED" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.companies(t), before)
		site := w.RequireOrganization(http.HandlerFunc(whereAmI))
		assert.Equal(t, bob.call(site, "/app/", map[string][]string{"X-Organization-Id": {o.id}}).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, bob.call(site, "/app/?organizationId="+o.id, nil).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, bob.call(site, "/app/", nil).decode(t)["organization"], any(own))
	})
}

// During an outage nobody is let through and nobody is told that they are not a member
// (promise 12).
func TestPromise12_AnOutageIsNoAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other, _ := b.post("/organization/create", map[string]any{"name": "O", "slug": "o", "keepCurrentActiveOrganization": true}).decode(t)["id"].(string)
		site := w.RequirePermission("ac", "read")(http.HandlerFunc(whereAmI))
		faults := bundbtest.FaultsOf(w.DB)
		for k := 1; k <= 2; k++ {
			faults.CutAt(k)
			got := b.call(site, "/app/", map[string][]string{"X-Organization-Id": {other}})
			faults.Disarm()
			assert.Equal(t, got.StatusCode, http.StatusServiceUnavailable)
		}
		assert.Equal(t, b.call(site, "/app/", map[string][]string{"X-Organization-Id": {other}}).StatusCode, http.StatusOK)
	})
}

// The one statement: session, user, membership, role and version are read together, and
// permissions come from memory (rule R18).
func TestR18_ARequestWithAPermissionIsOneStatement(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		id := b.active()
		role := map[string]any{"role": "reader", "permission": map[string]any{"invoices": []string{"read"}}}
		assert.Equal(t, b.post("/organization/create-role", role).StatusCode, http.StatusOK)
		w.enlist(t, bob, id, "reader,member")
		assert.Equal(t, bob.choose(id).StatusCode, http.StatusOK)
		read := w.RequirePermission("invoices", "read")(http.HandlerFunc(whereAmI))
		for who, first := range map[*browser]int{b: 1, bob: 2} { // an own role is read once
			for _, want := range []int{first, 1, 1} {
				count := bundbtest.FaultsOf(w.DB).Count(func() {
					assert.Equal(t, who.call(read, "/app/", nil).StatusCode, http.StatusOK)
				})
				assert.Equal(t, count, want)
			}
		}
	}, withInvoices)
}

// Users who are deleted leave no place, no offer and no session behind.
func TestR3_ADeletedUserLeavesNothingInOrganizations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		id, user := b.active(), bob.idOf()
		w.enlist(t, bob, id, "admin")
		assert.Equal(t, bob.choose(id).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/organization/transfer-ownership", map[string]any{"organizationId": id, "userId": user}).StatusCode, http.StatusOK)
		assert.Equal(t, bob.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		for _, where := range []string{"tenon_members WHERE user_id = ?", "tenon_sessions WHERE user_id = ?", "tenon_organizations WHERE owner_id = ?"} {
			assert.Equal(t, w.count(t, where, user), 0)
		}
		assert.Equal(t, w.count(t, "tenon_members WHERE organization_id = ?", id), 1)
	})
}

// A host's own call in the host's own transaction: what fails there leaves nothing.
func TestPromise1_AHostsTransactionTakesMembersBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		id, user := b.active(), b.idOf()
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			return w.DB.InTx(ctx, func(ctx context.Context) error {
				if _, err := w.Organizations.OfferOwnership(ctx, &principal.Principal{UserID: user, SessionID: "s", Assurance: 1}, id, user); err != nil {
					return err
				}
				_, err := w.Organizations.Delete(ctx, &principal.Principal{UserID: user, SessionID: "s", Assurance: 1}, id)
				return err
			})
		})
	}, func(c *tenon.Config) { c.Organizations.Deletion = tenancy.DeleteAlone })
}
