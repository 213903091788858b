package tenon_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
)

// plain is what goes into the fields that are no ids, so that a request gets past the
// reading of its body.
func plain() map[string]any {
	return map[string]any{
		"role": "member", "data.name": "Mine", "permissions": map[string]any{"ac": []string{"read"}}, "data.permission": map[string]any{},
		"required": true, "name": "Mine", "newPassword": newPassword, "code": "123456", "otp": "123456", "type": "sign-in",
		"email": "nobody@example.com", "newEmail": "nobody@example.com", "response": map[string]any{},
	}
}

// plainFor is what single routes take besides, or in place of it.
func plainFor(pattern string) map[string]any {
	return map[string]map[string]any{
		"POST /organization/create-role": {"role": "spy", "permission": map[string]any{"ac": []string{"read"}}},
		"POST /admin/update-user":        {"data": map[string]any{"name": "Mine"}},
	}[pattern]
}

// exception is what answers something else than 404 or 403 to another organization's id:
// the same as to an id that never existed, all the same. The name of a route stands for all
// its fields.
type exception struct {
	name     string
	statuses []int
	reason   string
	secret   bool // no id of anything belongs there
}

func exceptions() (all []exception) {
	secret := true
	add := func(reason string, statuses []int, names ...string) {
		for _, name := range names {
			all = append(all, exception{name: name, statuses: statuses, reason: reason, secret: secret})
		}
	}
	add("opening a mailed link says to send it with POST, whatever is in it", []int{http.StatusMethodNotAllowed},
		"GET /verify-email", "GET /change-email/confirm", "GET /change-email/verify", "GET /delete-user/callback", "GET /unlock-account",
		"GET /reset-password/{token}", "GET /magic-link/verify", "GET /organization/accept-invitation")
	add("the secret of a mail, which no id is", []int{http.StatusBadRequest},
		"POST /verify-email", "POST /change-email/confirm", "POST /change-email/verify", "POST /delete-user/callback", "POST /delete-user",
		"POST /unlock-account", "POST /reset-password", "POST /magic-link/verify", "POST "+pathAccept+" token", "POST /organization/reject-invitation token")
	add("the secret of a cookie, which no id is", []int{http.StatusUnauthorized},
		"POST /two-factor/send-otp", "POST /two-factor/verify-totp", "POST /two-factor/verify-backup-code", "POST /two-factor/verify-otp",
		"POST /token/refresh",
		"POST /passkey/generate-authenticate-options", "POST /passkey/verify-authentication")
	add("the mark of a browser beside a wrong code, which no id is", []int{http.StatusBadRequest},
		"POST /email-otp/check-verification-otp", "POST /email-otp/verify-email", "POST /sign-in/email-otp", "POST /email-otp/request-email-change")
	add("a browser whose mark is none gets a new one", []int{http.StatusOK}, "POST /email-otp/send-verification-otp")
	add("a token that buys nothing counts as revoked", []int{http.StatusOK}, "POST /token/revoke")
	secret = false
	add("this browser has no cookie of that session", []int{http.StatusUnauthorized}, "POST /multi-session/set-active", "POST /multi-session/revoke")
	add("two names of different organizations, before either is looked up", []int{http.StatusBadRequest},
		"POST /organization/set-active organizationId", "GET /organization/get-organization organizationId",
		"GET /organization/get-full-organization organizationId", "GET /organization/list-members organizationId",
		"GET /organization/get-active-member-role organizationId")
	add("a cursor is good for the list that it is of", []int{http.StatusBadRequest},
		"GET /notification/list", "GET /audit/list cursor", "GET /audit/verify cursor", "GET /organization/list-audit cursor")
	add("a head is good for the trail that it is of", []int{http.StatusBadRequest}, "GET /audit/verify known")
	add("whoever is no member cannot be in a team of one's own organization", []int{http.StatusBadRequest},
		"GET /organization/list-user-teams userId", "POST /organization/add-team-member userId")
	add("a filter of one's own notifications and entries, which finds none", []int{http.StatusOK},
		"POST /notification/mark-read", "GET /organization/list-members filterValue", "GET /audit/list actorId", "GET /audit/list targetId", "GET /audit/export actorId",
		"GET /audit/export targetId", "GET /organization/list-audit actorId", "GET /organization/list-audit targetId")
	return all
}

// The twins: two organizations with identical data. Every route of the table is called
// with every id of the other one, by everybody. A route that is new joins by itself; one
// with a field for an id that this test has no value for fails it.
func TestPromise7_TwinTenantsAreNothingToEachOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		near, far := w.tenant(t, "near"), w.tenant(t, "twin")
		near.people["stranger"], near.people["nobody"] = w.signedIn(t, "stranger@example.com"), w.browser(t)
		near.people["gone"] = w.gone(t, far)
		w.ban(t, "twin-banned@example.com") // who is an admin there
		near.people["banned"] = far.people["banned"]
		mails := w.mailsTo(t, "twin-")
		before, companies := w.rowsOf(t, far, "twin"), w.companies(t)
		walked, used := 0, map[string]bool{}
		for who, b := range near.people {
			far.named(t, w.Routes(), who, b)
		}
		for _, r := range w.Routes() {
			for who, b := range near.people {
				for _, c := range crossings(t, r, near, far) {
					walked++
					c.walk(t, who, b, used)
				}
			}
		}
		assert.True(t, walked > 500, "the table was walked")
		for _, e := range exceptions() {
			if !used[e.name] {
				t.Errorf("%s is no exception", e.name)
			}
		}
		assert.Equal(t, w.companies(t), companies) // the callers are who they were, too
		if after := w.rowsOf(t, far, "twin"); after != before {
			t.Errorf("the twin's rows changed:\n%s", difference(before, after))
		}
		assert.Equal(t, w.mailsTo(t, "twin-"), mails)
	}, everything)
}

// crossing is one request with an id of the other organization, and the same with one that
// never existed.
type crossing struct {
	route     route.Route
	field     string
	partial   bool              // without the other ids, which may be required
	far, none map[string]string // by field
	list      map[string]bool
	query     map[string]bool
}

// whole is the request of a route with all ids that it takes, and which those are.
func whole(t *testing.T, r route.Route, far tenant) (whole crossing, fields []string, kinds map[string]string) {
	t.Helper()
	nothing := far.nothing()
	whole = crossing{route: r, field: "all", far: map[string]string{}, none: map[string]string{}, list: map[string]bool{}, query: map[string]bool{}}
	kinds = map[string]string{}
	for _, in := range inputs(r) {
		if _, seen := whole.list[in.name]; seen { // in the body, and in the query
			continue
		}
		whole.list[in.name], whole.query[in.name] = in.list, in.query
		name := in.name[strings.LastIndex(in.name, ".")+1:]
		if strings.HasPrefix(in.name, "idToken") { // of a provider
			continue
		}
		if !idShape.MatchString(name) {
			if in.text && !slices.Contains(strings.Fields(noIDs), name) {
				t.Fatalf("%s has a field %s: an id of something belongs to idOfField, other texts to noIDs", r.Pattern(), in.name)
			}
			continue
		}
		kind := idOfField(r.Pattern(), in.name)
		if kind == "" {
			t.Fatalf("%s has a field %s, and the walk no value for it", r.Pattern(), in.name)
		}
		fields, kinds[in.name] = append(fields, in.name), kind
		whole.far[in.name], whole.none[in.name] = far.ids[kind], nothing[kind]
	}
	return whole, fields, kinds
}

// crossings are all requests of a route: each field alone, with the other ids of the
// caller's own organization, and all at once.
func crossings(t *testing.T, r route.Route, near, far tenant) (all []crossing) {
	t.Helper()
	nothing := far.nothing()
	whole, fields, kinds := whole(t, r, far)
	if len(fields) == 0 {
		return nil
	}
	all = append(all, whole)
	add := func(field, kind string, others bool) {
		c := whole
		c.field, c.partial, c.far, c.none = field, len(fields) > 1 && !others, map[string]string{}, map[string]string{}
		for _, other := range fields {
			if others && other != field && other != "cursor" { // which is for other filters
				c.far[other], c.none[other] = near.ids[kinds[other]], near.ids[kinds[other]]
			}
		}
		c.far[field], c.none[field] = far.ids[kind], nothing[kind]
		all = append(all, c)
	}
	for _, field := range fields {
		for _, kind := range alternatives(kinds[field]) {
			add(field, kind, false)
			if len(fields) > 1 {
				add(field, kind, true)
			}
		}
	}
	return all
}

// alternatives are the ids that one field takes.
func alternatives(kind string) []string {
	if kind == "member" {
		return []string{"member", "member's address"}
	}
	return []string{kind}
}

// send makes the request.
func (c crossing) send(b *browser, ids map[string]string) answer {
	b.t.Helper()
	path, query, body := c.route.Path, url.Values{}, map[string]any{}
	values := map[string]any{}
	for name := range c.list {
		if value, ok := plain()[name]; ok {
			values[name] = value
		}
	}
	for name, value := range plainFor(c.route.Pattern()) {
		values[name] = value
	}
	for name, id := range ids {
		values[name] = id
		if name == "filterValue" {
			values["filterField"] = "userId"
		}
		if c.list[name] && !c.query[name] {
			values[name] = []string{id}
		}
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(id))
	}
	for name, value := range values {
		switch parent, child, nested := strings.Cut(name, "."); {
		case strings.Contains(c.route.Path, "{"+name+"}"):
		case c.query[name]:
			query.Set(name, fmt.Sprint(value))
		case nested:
			inner, _ := body[parent].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			inner[child], body[parent] = value, inner
		default:
			body[name] = value
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if c.route.Method == http.MethodGet {
		return b.get(path)
	}
	return b.post(path, body)
}

// walk compares the answers, and notes which exceptions there were.
func (c crossing) walk(t *testing.T, who string, b *browser, used map[string]bool) {
	t.Helper()
	at := fmt.Sprintf("%s %s as %s", c.route.Pattern(), c.field, who)
	want, got := c.send(b, c.none), c.send(b, c.far)
	text := c.same(got)
	if got.StatusCode != want.StatusCode || text != c.same(want) {
		t.Errorf("%s: %d %s, to an unknown id %d %s", at, got.StatusCode, text, want.StatusCode, c.same(want))
	}
	allowed := []int{http.StatusNotFound, http.StatusForbidden}
	if c.partial {
		allowed = append(allowed, http.StatusUnprocessableEntity)
	}
	if who == "banned" || who == "nobody" {
		allowed = append(allowed, http.StatusUnauthorized)
	}
	if slices.Contains(allowed, got.StatusCode) {
		return
	}
	for _, e := range exceptions() {
		if (e.name == c.route.Pattern() || e.name == c.route.Pattern()+" "+c.field) && slices.Contains(e.statuses, got.StatusCode) {
			used[e.name] = true
			return
		}
	}
	t.Errorf("%s: %d %s", at, got.StatusCode, got.body)
}

// same is an answer without what is another for each request, and without its id.
func (c crossing) same(a answer) string {
	text := a.body
	for _, name := range []string{"Location", "Content-Type", "Cache-Control", "Www-Authenticate", "Set-Cookie"} {
		text += "\n" + name + ": " + strings.Join(a.Header.Values(name), ", ")
	}
	for _, ids := range []map[string]string{c.far, c.none} {
		for name, id := range ids {
			text = strings.ReplaceAll(text, id, "ID of "+name)
		}
	}
	return clean(ownTokens.ReplaceAllString(text, "TOKEN"))
}

var ownTokens = regexp.MustCompile(`tnn_[a-z]+_[A-Za-z0-9_-]+`)

// named asks every route that reads with the organization of the header, which names the
// scope in place of the session.
func (o tenant) named(t *testing.T, table route.Table, who string, b *browser) {
	t.Helper()
	for _, r := range table {
		if r.Method != http.MethodGet || r.Access != route.User || strings.HasPrefix(r.Path, "/passkey/generate-") { // which writes
			continue
		}
		ask := func(id string) string {
			request := b.request(http.MethodGet, r.Path, "", nil)
			request.Header.Set("X-Organization-Id", id)
			got := b.do(request)
			return fmt.Sprint(got.StatusCode, clean(got.body))
		}
		got, want := ask(o.ids["organization"]), ask(o.nothing()["organization"])
		for kind, id := range o.ids {
			if got != want || strings.Contains(got, id) {
				t.Errorf("%s by the header as %s, %s: %s, to an unknown id %s", r.Pattern(), who, kind, got, want)
				break
			}
		}
	}
}

// difference returns the lines that only one of two texts has.
func difference(before, after string) string {
	var lines []string
	for _, pair := range []struct{ sign, in, other string }{{"-", before, after}, {"+", after, before}} {
		for line := range strings.Lines(pair.in) {
			if !strings.Contains(pair.other, line) {
				lines = append(lines, pair.sign+line)
			}
		}
	}
	return strings.Join(lines, "")
}
