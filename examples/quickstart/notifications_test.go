package main

import (
	"net/http"
	"net/url"
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
