package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestAPersonReadsTheirNotifications(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		s := newTestServer(t, db)
		p := newPerson(t, s)
		post := func(path string, pairs ...string) string {
			form := url.Values{}
			for i := 0; i < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			_, page := p.send(http.MethodPost, site+path, form)
			return page
		}
		const one, two = "correct horse battery", "another horse battery"
		_, page := p.send(http.MethodGet, site+"/notifications", nil)
		assert.Contains(t, page, "Sign in")
		post("/sign-up", "name", "Ada", "email", "ada@example.com", "password", one)
		p.confirm(s)
		assert.NotContains(t, post("/sign-in", "email", "ada@example.com", "password", one), " new</span>")
		_, page = p.send(http.MethodGet, site+"/notifications", nil)
		assert.Contains(t, page, "Nothing yet")
		post("/change-password", "password", one, "new", two)
		post("/change-password", "password", two, "new", one)
		_, page = p.send(http.MethodGet, site+"/", nil)
		assert.Contains(t, page, "2 new")
		_, page = p.send(http.MethodGet, site+"/notifications", nil)
		assert.Equal(t, strings.Count(page, "Your password was changed</strong>"), 2)
		id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)
		assert.Contains(t, post("/notifications/read", "id", id[1]), "1 new")
		seen := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(page)
		assert.NotContains(t, post("/notifications/read-all", "seen", strings.ReplaceAll(seen[1], "&#43;", "+")), " new</span>")
		assert.Contains(t, post("/notifications/choose", "category", "organization", "channel", "mail", "enabled", "true"), "Your choice is kept")
		assert.Contains(t, post("/notifications/choose", "category", "security", "channel", "mail", "enabled", "false"), "cannot be turned off")
		_, page = p.send(http.MethodGet, site+"/notifications?cursor=forged", nil)
		assert.Contains(t, page, "What reaches you")
	})
}

// A superuser who acts as somebody may look at their news, and must not read them away.
func TestR22_NewsAreReadInPerson(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		o := options{baseURL: site, keys: filepath.Join(t.TempDir(), "tenon.keys"), superuser: "root@example.com"}
		s := assert.Must(newServer(t.Context(), o, db, slog.New(slog.DiscardHandler)))(t)
		people := map[string]*person{}
		const one, two = "correct horse battery", "another horse battery"
		for _, who := range []string{"ada", "root"} {
			people[who] = newPerson(t, s)
			people[who].send(http.MethodPost, site+"/sign-up", url.Values{"name": {"Ada"}, "email": {who + "@example.com"}, "password": {one}})
			people[who].confirm(s)
			people[who].send(http.MethodPost, site+"/sign-in", url.Values{"email": {who + "@example.com"}, "password": {one}})
		}
		ada, root := people["ada"], people["root"]
		ada.send(http.MethodPost, site+"/change-password", url.Values{"password": {one}, "new": {two}})
		_, page := ada.send(http.MethodGet, site+"/notifications", nil)
		id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)[1]
		seen := strings.ReplaceAll(regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(page)[1], "&#43;", "+")
		var user string
		assert.NoError(t, db.Statement("SELECT id FROM tenon_users WHERE email = ?").Scan(t.Context(), []any{"ada@example.com"}, &user))
		r := assert.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/api/auth/admin/impersonate-user", strings.NewReader(`{"userId":"`+user+`"}`)))(t)
		r.Header.Set("Content-Type", "application/json")
		response := assert.Must(root.client.Do(r))(t)
		assert.NoError(t, response.Body.Close())
		assert.Equal(t, response.StatusCode, http.StatusOK)
		_, page = root.send(http.MethodGet, site+"/notifications", nil)
		assert.Contains(t, page, "Your password was changed")
		for path, form := range map[string]url.Values{
			"read": {"id": {id}}, "read-all": {"seen": {seen}}, "choose": {"category": {"organization"}, "channel": {"in-app"}, "enabled": {"false"}},
		} {
			status, _ := root.send(http.MethodPost, site+"/notifications/"+path, form)
			assert.Equal(t, status, http.StatusForbidden)
		}
		assert.Equal(t, assert.Must(s.app.Notifications.UnreadCount(t.Context(), user))(t), 1)
	})
}
