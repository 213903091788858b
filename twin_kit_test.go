package tenon_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

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
	link := "INSERT INTO tenon_oauth_links (id, user_id, provider, issuer, subject, email, created_at) VALUES (?, ?, 'google', 'https://accounts.google.com', ?, ?, ?)"
	account := uuid.NewString()
	_, err := w.db.Statement(link).Exec(t.Context(), account, user, name, address("member"), w.db.Now())
	assert.NoError(t, err)
	page := func(path string) string {
		next, _ := owner.get(path).decode(t)["nextCursor"].(string)
		assert.True(t, next != "", path+" has a second page")
		return next
	}
	o.ids = map[string]string{
		"organization": org, "user": user, "team": team, "invitation": invitation, "account": account, "member's address": address("member"),
		"slug":         w.text(t, "SELECT slug FROM tenon_organizations WHERE id = ?", org),
		"member":       w.text(t, "SELECT id FROM tenon_members WHERE organization_id = ? AND user_id = ?", org, user),
		"role":         w.text(t, "SELECT id FROM tenon_organization_roles WHERE organization_id = ?", org),
		"entry":        w.text(t, "SELECT min(id) FROM tenon_audit_entries WHERE organization_id = ?", org),
		"notification": w.text(t, "SELECT min(id) FROM tenon_notifications WHERE organization_id = ?", org),
		"session":      w.text(t, "SELECT min(id) FROM tenon_sessions WHERE user_id = ?", user),
		"passkey":      w.text(t, "SELECT min(id) FROM tenon_passkeys WHERE user_id = ?", owner.idOf()),
		"head":         owner.headOf(t),
		"cursor":       page("/organization/list-audit?limit=1"),
		"news":         page("/notification/list?limit=1"),
		"device":       w.text(t, "SELECT min(id) FROM tenon_trusted_devices WHERE user_id = ?", o.people["enrolled"].idOf()),
	}
	return o
}

// headOf is the head of the trail of who is signed in at b.
func (b *browser) headOf(t *testing.T) string {
	t.Helper()
	assert.NoError(t, b.w.Drain(t.Context()))
	items, _ := b.get("/audit/verify").decode(t)["items"].([]any)
	assert.Len(t, items, 1)
	item, _ := items[0].(map[string]any)
	head, _ := item["head"].(string)
	assert.True(t, head != "", "the trail has a head")
	return head
}

// gone is who was an admin of o, and is in an organization of their own again.
func (w *world) gone(t *testing.T, o tenant) *browser {
	t.Helper()
	b := w.signedIn(t, "gone@example.com")
	own := b.organization()
	id, _ := o.people["owner"].invites("gone@example.com", map[string]any{"role": "admin"})
	b.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
	o.people["owner"].post("/organization/remove-member", map[string]any{"memberIdOrEmail": "gone@example.com"}).must(t, http.StatusOK, "")
	b.choose(own).must(t, http.StatusOK, "")
	// That they were removed names the organization, and stays theirs to read.
	_, err := w.db.Statement("DELETE FROM tenon_notifications WHERE user_id = ?").Exec(t.Context(), b.idOf())
	assert.NoError(t, err)
	return b
}

// nothing has the shape of the ids of o, which never existed.
func (o tenant) nothing() map[string]string {
	unknown := map[string]string{"slug": "no-such-slug", "member's address": "no-such-member@example.com", "cursor": "no-such-cursor", "head": "no-such-head", "news": "no-such-cursor"}
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

// mailsTo counts the mails to addresses that begin like this.
func (w *world) mailsTo(t *testing.T, name string) (n int) {
	t.Helper()
	assert.NoError(t, w.Drain(t.Context()))
	for _, m := range w.mailbox.Messages() {
		if strings.HasPrefix(m.To, name) {
			n++
		}
	}
	return n
}

var idShape = regexp.MustCompile(`^(id|ids|token|as|shown|cursor|known|filterValue)$|(Id|Ids|IdOrEmail|Slug|Token)$`)

// noIDs are the texts that name nothing of an organization. Names of roles and of teams
// are an organization's own, and whether a slug is taken is everybody's to know.
const noIDs = `
	action authenticatorAttachment backupCode banReason callbackURL category channel code codeChallenge codeVerifier
	context currentPassword declined done email error errorCallbackURL event filterField filterOperator image issuer
	leave link loginHint logo metadata method name new newEmail newPassword newUserCallbackURL otp outcome password
	provider redirectTo response role roleName scopes searchField searchOperator searchValue send sent signUp slug sortBy
	sortDirection targetType totpCode trustDevice type user`

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
		"GET /notification/list cursor":              "news",
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
		"actorId": "user", "targetId": "user", "accountId": "account", "cursor": "cursor", "known": "head", "filterValue": "user",
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
	text  bool
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

// isText reports whether an id fits into a field.
func isText(at reflect.Type) bool {
	for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice && at != reflect.TypeFor[json.RawMessage]() {
		at = at.Elem()
	}
	return at.Kind() == reflect.String || at == reflect.TypeFor[json.RawMessage]() || at.Kind() == reflect.Interface
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
		all = append(all, input{name: path + name, query: query, text: isText(f.Type), list: f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.String})
		all = append(all, inputsOf(f.Type, path+name+".", query)...)
	}
	return all
}
