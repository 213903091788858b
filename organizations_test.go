package tenon_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/tenancy"
)

// withInvoices is a host that has invoices, and roles for them.
func withInvoices(c *tenon.Config) {
	c.Organizations.Statements = tenancy.Permissions{"invoices": {"read", "write"}}
	c.Organizations.Roles = map[string]tenancy.Permissions{"billing": {"invoices": {"read"}}}
}

// active returns the session's active organization, "" where there is none.
func (b *browser) active() string {
	b.t.Helper()
	described, _ := b.get("/get-session").decode(b.t)["session"].(map[string]any)
	id, _ := described["activeOrganizationId"].(string)
	return id
}

// enlist makes the browser's user a member, and returns the member's id.
func (w *world) enlist(t *testing.T, b *browser, organizationID, role string) string {
	t.Helper()
	m, err := w.Organizations.Join(t.Context(), tenancy.JoinParams{OrganizationID: organizationID, UserID: b.idOf(), Role: role})
	assert.NoError(t, err)
	return m.ID
}

// choose makes the organization the active one.
func (b *browser) choose(organizationID any) answer {
	b.t.Helper()
	return b.post("/organization/set-active", map[string]any{"organizationId": organizationID})
}

// call asks the host's handler h, with headers.
func (b *browser) call(h http.Handler, target string, headers map[string][]string) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, base+target, nil)
	r.Header.Set("Cookie", "tenon_dev_session="+b.cookie("session"))
	for name, values := range headers {
		r.Header[name] = values
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	response := rec.Result()
	response.Request = r
	return answer{response, rec.Body.String()}
}

// whereAmI answers with what the principal says of the scope.
func whereAmI(w http.ResponseWriter, r *http.Request) {
	p, _ := principal.FromContext(r.Context())
	_ = json.NewEncoder(w).Encode(map[string]any{"organization": p.OrganizationID, "role": p.Role, "read": p.Can("invoices", "read")})
}

// The journey of a company, with the shapes that the official client reads.
func TestTheWireOfOrganizations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		made := b.post("/organization/create", map[string]any{
			"name": "Acme", "slug": "acme", "logo": "https://example.com/l.png", "metadata": map[string]any{"plan": "free"}, "userId": "ignored",
		}).decode(t)
		id, _ := made["id"].(string)
		assert.Equal(t, b.active(), id)
		members, _ := made["members"].([]any)
		assert.Len(t, members, 1)
		delete(made, "members")
		keys := []string{"createdAt", "id", "logo", "metadata", "name", "slug", "updatedAt"}
		assert.Equal(t, sortedKeys(made), keys)
		assert.Equal(t, made["metadata"], any(map[string]any{"plan": "free"}))
		assert.Equal(t, b.post("/organization/create", map[string]any{"name": "X", "slug": "acme"}).code(t), "ORGANIZATION_ALREADY_EXISTS")
		assert.Equal(t, b.post("/organization/check-slug", map[string]any{"slug": "acme"}).code(t), "ORGANIZATION_SLUG_ALREADY_TAKEN")
		assert.Equal(t, b.post("/organization/check-slug", map[string]any{"slug": "free"}).body, `{"status":true}`+"\n")
		updated := b.post("/organization/update", map[string]any{"data": map[string]any{"name": "Acme 2", "logo": nil}}).decode(t)
		assert.Equal(t, []any{updated["name"], updated["logo"], updated["slug"]}, []any{"Acme 2", nil, "acme"})
		var list []map[string]any
		assert.NoError(t, json.Unmarshal([]byte(b.get("/organization/list").body), &list))
		assert.Len(t, list, 2)
		assert.Equal(t, sortedKeys(list[1]), keys)
		full := b.get("/organization/get-full-organization").decode(t)
		assert.Equal(t, sortedKeys(full), []string{"createdAt", "id", "invitations", "logo", "members", "metadata", "name", "slug", "teams", "updatedAt"})
		member, _ := full["members"].([]any)[0].(map[string]any)
		assert.Equal(t, sortedKeys(member), []string{"createdAt", "id", "organizationId", "role", "user", "userId"})
		assert.Equal(t, member["user"], any(map[string]any{"id": b.idOf(), "name": "Ada", "email": email, "image": nil}))
		assert.Equal(t, b.get("/organization/get-full-organization?organizationSlug=acme").decode(t)["id"], any(id))
		assert.Equal(t, b.get("/organization/get-organization").decode(t)["id"], any(id))
		assert.Equal(t, b.get("/organization/get-active-member").decode(t)["id"], member["id"])
		assert.Equal(t, b.get("/organization/get-active-member-role").body, `{"role":"owner"}`+"\n")
		listed := b.get("/organization/list-members?limit=10&offset=0&sortBy=createdAt&sortDirection=desc").decode(t)
		assert.Equal(t, listed["total"], any(1.0))
		assert.Equal(t, b.choose(nil).body, "null\n")
		assert.Equal(t, b.active(), "")
		for _, path := range []string{"get-full-organization", "get-organization"} {
			assert.Equal(t, b.get("/organization/"+path).body, "null\n")
		}
		assert.Equal(t, b.get("/organization/get-active-member").code(t), "NO_ACTIVE_ORGANIZATION")
		assert.Equal(t, b.post("/organization/set-active", map[string]any{"organizationSlug": "acme"}).decode(t)["id"], any(id))
		assert.Equal(t, b.active(), id)
		assert.Equal(t, b.post("/organization/leave", map[string]any{"organizationId": id}).code(t), "YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER")
		assert.Equal(t, b.post("/organization/delete", map[string]any{"organizationId": id}).decode(t)["id"], any(id))
		assert.Equal(t, b.active(), "")
		assert.Equal(t, w.count(t, "tenon_sessions WHERE organization_id = ?", id), 0)
	})
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestTheWireOfMembersAndRoles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		id := b.active()
		place := w.enlist(t, bob, id, "member")
		role := b.post("/organization/create-role", map[string]any{"role": "Deputy", "permission": map[string]any{"team": []string{"create"}}}).decode(t)
		data, _ := role["roleData"].(map[string]any)
		assert.Equal(t, []any{role["success"], data["role"], data["permission"]}, []any{true, "deputy", map[string]any{"team": []any{"create"}}})
		changed := b.post("/organization/update-member-role", map[string]any{"memberId": place, "role": []string{"deputy", "admin"}}).decode(t)
		assert.Equal(t, []any{changed["id"], changed["role"]}, []any{place, "admin,deputy"})
		assert.Equal(t, b.post("/organization/delete-role", map[string]any{"roleName": "deputy"}).code(t), "ROLE_IS_ASSIGNED_TO_MEMBERS")
		assert.Equal(t, b.post("/organization/update-member-role", map[string]any{"memberId": place, "role": "member"}).decode(t)["role"], any("member"))
		assert.Equal(t, b.post("/organization/update-member-role", map[string]any{"memberId": place, "role": "owner"}).code(t), "USE_TRANSFER_OWNERSHIP")
		updated := b.post("/organization/update-role", map[string]any{"roleId": data["id"], "data": map[string]any{"roleName": "vice", "permission": map[string]any{"team": []string{"delete"}}}}).decode(t)
		assert.Equal(t, updated["roleData"].(map[string]any)["role"], any("vice"))
		assert.Equal(t, b.get("/organization/get-role?roleName=vice").decode(t)["id"], data["id"])
		var roles []map[string]any
		assert.NoError(t, json.Unmarshal([]byte(b.get("/organization/list-roles").body), &roles))
		assert.Len(t, roles, 1)
		for _, body := range []map[string]any{{}, {"roleName": "vice", "roleId": "x"}} {
			assert.Equal(t, b.post("/organization/delete-role", body).StatusCode, http.StatusUnprocessableEntity)
		}
		assert.Equal(t, b.post("/organization/delete-role", map[string]any{"roleId": data["id"]}).body, `{"success":true}`+"\n")
		asks := func(b *browser, body map[string]any) any {
			body["organizationId"] = id
			return b.post("/organization/has-permission", body).decode(t)["success"]
		}
		update := map[string]any{"permissions": map[string]any{"member": []string{"update"}}}
		assert.Equal(t, []any{asks(b, update), asks(bob, update)}, []any{true, false})
		for _, nothing := range []map[string]any{{}, {"member": []string{}}, {"universe": []string{"delete"}}} {
			assert.Equal(t, asks(b, map[string]any{"permission": nothing}), any(false))
		}
		assert.Equal(t, b.get("/organization/get-active-member-role?userId="+bob.idOf()).body, `{"role":"member"}`+"\n")
		offer := b.post("/organization/transfer-ownership", map[string]any{"organizationId": id, "userId": bob.idOf()}).decode(t)
		assert.Equal(t, offer["userId"], any(bob.idOf()))
		assert.Equal(t, bob.post("/organization/accept-ownership", map[string]any{"organizationId": id}).decode(t)["id"], any(id))
		assert.Equal(t, b.get("/organization/get-active-member-role").body, `{"role":"admin"}`+"\n")
		removed := bob.post("/organization/remove-member", map[string]any{"organizationId": id, "memberIdOrEmail": strings.ToUpper(email)}).decode(t)
		assert.Equal(t, removed["member"].(map[string]any)["userId"], any(b.idOf()))
		assert.Equal(t, removed["member"].(map[string]any)["user"].(map[string]any)["email"], any(email))
		assert.Equal(t, b.active(), "")
		w.enlist(t, b, id, "member")
		left := b.post("/organization/leave", map[string]any{"organizationId": id}).decode(t)
		assert.Equal(t, left["user"].(map[string]any)["email"], any(email))
	})
}

// What a member may do is read with each request: no sign-in, no cache and no chosen
// organization keeps it (rule R18).
func TestR18_ARoleChangeActsOnTheNextRequest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*tenon.Config){
		"from the database": withInvoices,
		"from the cache": func(c *tenon.Config) {
			withInvoices(c)
			c.SessionCache = &sessioncache.Config{Bound: 30 * time.Second}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
				id := b.active()
				place := w.enlist(t, bob, id, "member")
				assert.Equal(t, bob.choose(id).StatusCode, http.StatusOK)
				read := w.RequirePermission("invoices", "read")(http.HandlerFunc(whereAmI))
				set := func(roles ...string) {
					t.Helper()
					got := b.post("/organization/update-member-role", map[string]any{"organizationId": id, "memberId": place, "role": roles})
					assert.Equal(t, got.StatusCode, http.StatusOK)
				}
				may := func(want bool) {
					t.Helper()
					got := bob.call(read, "/app/", nil)
					assert.Equal(t, got.StatusCode == http.StatusOK, want)
					if !want {
						assert.Equal(t, got.code(t), "YOU_ARE_NOT_ALLOWED")
					}
				}
				may(false)
				set("billing")
				may(true)
				role := map[string]any{"role": "reader", "permission": map[string]any{"invoices": []string{"read"}}}
				assert.Equal(t, b.post("/organization/create-role", role).StatusCode, http.StatusOK)
				set("member", "reader")
				may(true)
				change := func(permission map[string]any) {
					t.Helper()
					got := b.post("/organization/update-role", map[string]any{"roleName": "reader", "data": map[string]any{"permission": permission}})
					assert.Equal(t, got.StatusCode, http.StatusOK)
				}
				change(map[string]any{"invoices": []string{"write"}})
				may(false)
				change(map[string]any{"invoices": []string{"write", "read"}})
				may(true)
				assert.Equal(t, b.post("/organization/remove-member", map[string]any{"memberIdOrEmail": place}).StatusCode, http.StatusOK)
				assert.Equal(t, bob.call(read, "/app/", nil).code(t), "NO_ACTIVE_ORGANIZATION")
				// Whoever comes back finds no session that acts there already.
				w.enlist(t, bob, id, "billing")
				assert.Equal(t, bob.active(), "")
				assert.Equal(t, bob.call(read, "/app/", nil).code(t), "NO_ACTIVE_ORGANIZATION")
			}, change)
		})
	}
}

// One resolver says which organization a request is about: what its path or query names,
// then the header, then the session (rule R13).
func TestR13_OneResolverOfTheScope(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, eve := w.signedIn(t, email), w.signedIn(t, "eve@example.com")
		own, other, foreign := b.active(), "", eve.active()
		made := b.post("/organization/create", map[string]any{"name": "Other", "slug": "other", "keepCurrentActiveOrganization": true}).decode(t)
		other, _ = made["id"].(string)
		mux := http.NewServeMux()
		mux.Handle("GET /app/{$}", w.RequireOrganization(http.HandlerFunc(whereAmI)))
		mux.Handle("GET /app/{organizationId}/x", w.RequireOrganization(http.HandlerFunc(whereAmI)))
		const missing = "ORGANIZATION_NOT_FOUND"
		for name, c := range map[string]struct {
			target string
			header []string
			want   string
		}{
			"the session":                 {"/app/", nil, own},
			"the header":                  {"/app/", []string{other}, other},
			"the header names the active": {"/app/", []string{own}, own},
			"the query":                   {"/app/?organizationId=" + other, nil, other},
			"the path":                    {"/app/" + other + "/x", nil, other},
			"the path before the header":  {"/app/" + other + "/x", []string{own}, other},
			"the path and the query":      {"/app/" + other + "/x?organizationId=" + other, nil, other},
			"two":                         {"/app/" + other + "/x?organizationId=" + own, nil, "TWO_ORGANIZATIONS"},
			"two in the query":            {"/app/?organizationId=" + other + "&organizationId=" + own, nil, "TWO_ORGANIZATIONS"},
			"two headers":                 {"/app/", []string{other, own}, "TWO_ORGANIZATIONS"},
			"one header twice":            {"/app/", []string{other, other}, other},
			"a foreign header":            {"/app/", []string{foreign}, missing},
			"a foreign path":              {"/app/" + foreign + "/x", []string{own}, missing},
			"a foreign query":             {"/app/?organizationId=" + foreign, nil, missing},
			"an unknown header":           {"/app/", []string{"unknown"}, missing},
			"an empty header":             {"/app/", []string{""}, missing},
			"a list in a header":          {"/app/", []string{own + "," + other}, missing},
			"a long header":               {"/app/", []string{strings.Repeat("x", 5000)}, missing},
			"not text":                    {"/app/", []string{"\x00\xff"}, missing},
		} {
			got := b.call(mux, c.target, map[string][]string{"X-Organization-Id": c.header})
			if c.header == nil {
				got = b.call(mux, c.target, nil)
			}
			if v := got.decode(t); v["organization"] != c.want && v["code"] != c.want {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		known, unknown := b.call(mux, "/app/"+foreign+"/x", nil), b.call(mux, "/app/unknown/x", nil)
		assert.Equal(t, clean(known.body), clean(unknown.body))
		r := b.request(http.MethodGet, "/organization/get-active-member-role", "", nil)
		r.Header.Set("X-Organization-Id", foreign)
		assert.Equal(t, b.do(r).code(t), missing)
		r = b.request(http.MethodGet, "/get-session", "", nil)
		r.Header.Set("X-Organization-Id", foreign)
		assert.Contains(t, b.do(r).body, own) // what is about no organization goes on
		assert.Equal(t, w.browser(t).call(mux, "/app/", map[string][]string{"X-Organization-Id": {own}}).StatusCode, http.StatusUnauthorized)
	})
}

func TestANewSessionStartsWhereTheUserWasLast(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		own, shared := bob.active(), b.active()
		w.enlist(t, bob, shared, "member")
		again := func() string {
			phone := w.browser(t)
			assert.Equal(t, phone.signIn("bob@example.com").StatusCode, http.StatusOK)
			return phone.active()
		}
		assert.Equal(t, again(), own)
		assert.Equal(t, bob.choose(shared).StatusCode, http.StatusOK)
		assert.Equal(t, again(), shared)
		assert.Equal(t, bob.choose(nil).StatusCode, http.StatusOK)
		assert.Equal(t, again(), shared)
		assert.Equal(t, bob.post("/organization/leave", map[string]any{"organizationId": shared}).StatusCode, http.StatusOK)
		assert.Equal(t, again(), own)
	})
}

// A choice and the end of the membership at the same time: no session is left that acts
// in an organization whose user is no member.
func TestR18_SetActiveAgainstRemoval(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		id, user := b.active(), bob.idOf()
		owner := &principal.Principal{UserID: b.idOf(), SessionID: "s", Assurance: 1}
		described, _ := bob.get("/get-session").decode(t)["session"].(map[string]any)
		session, _ := described["id"].(string)
		for range 8 {
			place := w.enlist(t, bob, id, "member")
			done := make(chan error, 1)
			go func() {
				_, err := w.Organizations.SetActive(bundbtest.Flow(context.WithoutCancel(t.Context())), &principal.Principal{UserID: user, SessionID: session, Assurance: 1}, id)
				done <- err
			}()
			_, err := w.Organizations.RemoveMember(bundbtest.Flow(t.Context()), owner, id, place)
			assert.NoError(t, err)
			if err := <-done; err != nil {
				assert.ErrorIs(t, err, tenancy.ErrNotFound)
			}
			assert.Equal(t, w.count(t, "tenon_sessions WHERE organization_id = ? AND user_id = ?", id, user), 0)
		}
	})
}
