package tenon_test

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
)

// tenant is an organization with something of everything: members in each place, an open
// invitation, a team, a role of its own, entries of the trail, notifications, sessions, a
// passkey and a trusted device.
type tenant struct {
	people map[string]*browser
	ids    map[string]string // by the names that idOfField gives them
}

// tenant makes one. Two differ in nothing but ids, slugs and addresses.
func (w *world) tenant(t *testing.T, name string) tenant {
	t.Helper()
	address := func(who string) string { return name + "-" + who + "@example.com" }
	owner := w.signedIn(t, address("owner"))
	assert.Equal(t, owner.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
	role := map[string]any{"role": "deputy", "permission": map[string]any{"ac": []string{"read"}}}
	owner.post("/organization/create-role", role).must(t, http.StatusOK, "")
	team := owner.makesTeam("One")
	o := tenant{people: map[string]*browser{"owner": owner}}
	for who, role := range map[string]string{"admin": "admin", "member": "member", "banned": "admin", "enrolled": "deputy"} {
		o.people[who] = w.brought(t, owner, address(who), role, map[string]any{"teamId": team})
	}
	w.trusting(t, w.enrol(t, o.people["enrolled"]), address("enrolled"))
	invitation, _ := owner.invites(address("guest"))
	org, user := owner.organization(), o.people["member"].idOf()
	account, _ := owner.get("/list-accounts").list(t)[0]["id"].(string)
	o.ids = map[string]string{
		"organization": org, "user": user, "team": team, "invitation": invitation, "account": account, "member's address": address("member"),
		"slug":         w.text(t, "SELECT slug FROM tenon_organizations WHERE id = ?", org),
		"member":       w.text(t, "SELECT id FROM tenon_members WHERE organization_id = ? AND user_id = ?", org, user),
		"role":         w.text(t, "SELECT id FROM tenon_organization_roles WHERE organization_id = ?", org),
		"entry":        w.text(t, "SELECT min(id) FROM tenon_audit_entries WHERE organization_id = ?", org),
		"notification": w.text(t, "SELECT min(id) FROM tenon_notifications WHERE organization_id = ?", org),
		"session":      w.text(t, "SELECT min(id) FROM tenon_sessions WHERE user_id = ?", user),
		"passkey":      w.text(t, "SELECT min(id) FROM tenon_passkeys WHERE user_id = ?", owner.idOf()),
		"device":       w.text(t, "SELECT min(id) FROM tenon_trusted_devices WHERE user_id = ?", o.people["enrolled"].idOf()),
	}
	return o
}

// nothing has the shape of the ids of o, which never existed.
func (o tenant) nothing() map[string]string {
	unknown := map[string]string{"slug": "no-such-slug", "member's address": "no-such-member@example.com"}
	for name := range o.ids {
		if unknown[name] == "" {
			unknown[name] = "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"
		}
	}
	return unknown
}

// rowsOf returns every row that has an id of o or of one of its people, or an address.
func (w *world) rowsOf(t *testing.T, o tenant, name string) string {
	t.Helper()
	marks := []string{name + "-"}
	for _, id := range o.ids {
		marks = append(marks, id)
	}
	for _, b := range o.people {
		if id := b.idOf(); id != "" {
			marks = append(marks, id)
		}
	}
	var kept []string
	for row := range strings.Lines(string(bundbtest.Dump(t, w.db))) {
		if strings.HasPrefix(row, "== ") || slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(row, mark) }) {
			kept = append(kept, row)
		}
	}
	return strings.Join(kept, "")
}

var idShape = regexp.MustCompile(`^(id|ids|token|as|shown)$|(Id|Ids|IdOrEmail|Slug|Token)$`)

// idOfField says which id of a tenant goes into a field of a route, "" if there is none
// for it.
func idOfField(pattern, field string) string {
	name := field[strings.LastIndex(field, ".")+1:]
	if special := map[string]string{
		"GET /organization/get-invitation id":        "invitation",
		"GET /admin/get-user id":                     "user",
		"POST /passkey/update-passkey id":            "passkey",
		"POST /passkey/delete-passkey id":            "passkey",
		"POST /two-factor/revoke-trusted-device id":  "device",
		"POST /notification/mark-read ids":           "notification",
		"POST " + pathAccept + " shown":              "invitation",
		"POST " + pathAccept + " as":                 "user",
		"POST " + pathAccept + " token":              "invitation",
		"POST /organization/reject-invitation token": "invitation",
		"POST /organization/reject-invitation shown": "invitation",
	}[pattern+" "+field]; special != "" {
		return special
	}
	return map[string]string{
		"organizationId": "organization", "organizationSlug": "slug", "userId": "user", "memberId": "member",
		"memberIdOrEmail": "member", "roleId": "role", "teamId": "team", "invitationId": "invitation",
		"actorId": "user", "targetId": "user", "accountId": "account",
		// The secrets of mails, cookies and ceremonies: an id that stands in for one opens
		// nothing.
		"token": "session", "sessionToken": "session", "refreshToken": "session", "flowToken": "session",
		"challengeToken": "session", "ceremonyToken": "session", "shown": "session",
	}[name]
}

// input is a field of a route, with a dot between the names of what is nested.
type input struct {
	name  string
	query bool
	list  bool
}

// inputs returns what a route takes: its query and its body.
func inputs(r route.Route) (all []input) {
	for _, name := range r.Wildcards() {
		all = append(all, input{name: name})
	}
	add := func(sample any, query bool) {
		if sample != nil {
			all = append(all, inputsOf(reflect.TypeOf(sample), "", query)...)
		}
	}
	add(r.Request, !r.HasBody())
	add(r.Query, true)
	return all
}

func inputsOf(at reflect.Type, path string, query bool) (all []input) {
	for at.Kind() == reflect.Pointer {
		at = at.Elem()
	}
	if at.Kind() != reflect.Struct {
		return nil
	}
	for i := range at.NumField() {
		f := at.Field(i)
		name := f.Tag.Get("json")
		if f.Anonymous && name == "" {
			all = append(all, inputsOf(f.Type, path, query)...)
			continue
		}
		if name == "" {
			continue
		}
		all = append(all, input{name: path + name, query: query, list: f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.String})
		all = append(all, inputsOf(f.Type, path+name+".", query)...)
	}
	return all
}
