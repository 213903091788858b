package tenon_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
)

// greet is a route of a host.
func greet(w http.ResponseWriter, r *http.Request) {
	me, _ := principal.FromContext(r.Context())
	fmt.Fprintf(w, "%s %s %s", me.UserID, me.OrganizationID, me.Role)
}

func TestRequireUserGuardsTheHostsRoutes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		down := w.cfg
		down.DB = bundbtest.Broken(t, w.DB)
		broken, err := tenon.New(down)
		assert.NoError(t, err)
		call := func(app *tenon.App, method, cookie, site string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), method, base+"/app/", nil)
			r.Header.Set("Cookie", "tenon_dev_session="+cookie)
			r.Header.Set("Sec-Fetch-Site", site)
			answer := httptest.NewRecorder()
			app.RequireUser(http.HandlerFunc(greet)).ServeHTTP(answer, r)
			return answer
		}
		session := b.cookie("session")
		for _, c := range []struct {
			app                  *tenon.App
			method, cookie, site string
			status               int
		}{
			{w.App, http.MethodGet, session, "same-origin", http.StatusOK},
			{w.App, http.MethodPost, session, "same-origin", http.StatusOK},
			{w.App, http.MethodPost, session, "cross-site", http.StatusForbidden},
			{w.App, http.MethodGet, session, "cross-site", http.StatusOK}, // a link from elsewhere
			{w.App, http.MethodGet, "", "same-origin", http.StatusUnauthorized},
			{w.App, http.MethodGet, session[:len(session)-1], "same-origin", http.StatusUnauthorized},
			{broken, http.MethodGet, session, "same-origin", http.StatusServiceUnavailable},
			{broken, http.MethodGet, "", "same-origin", http.StatusUnauthorized},
		} {
			answer := call(c.app, c.method, c.cookie, c.site)
			if answer.Code != c.status {
				t.Errorf("%s from %s with cookie %t: %d, want %d", c.method, c.site, c.cookie != "", answer.Code, c.status)
			}
		}
		parts := strings.Fields(call(w.App, http.MethodGet, session, "none").Body.String())
		assert.Len(t, parts, 3)
		assert.Equal(t, parts[2], "owner")
	})
}

// What a session knows of its user and role is read, not remembered (rule R18).
func TestR18_ChangesActOnTheNextRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ change, want string }{
		"role":   {"UPDATE tenon_members SET role = 'admin' WHERE role = 'member'", "admin"},
		"ban":    {"UPDATE tenon_users SET banned_at = created_at", "null"},
		"raise":  {"UPDATE tenon_users SET security_version = security_version + 1", "null"},
		"delete": {"DELETE FROM tenon_users", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b := w.signedIn(t, email)
				w.guest(t)
				assert.Contains(t, w.greeting(t, b), "member")
				_, err := w.db.Statement(c.change).Exec(t.Context())
				assert.NoError(t, err)
				if c.want == "null" {
					assert.Equal(t, b.get("/get-session").body, "null\n")
					assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusUnauthorized)
					return
				}
				assert.Contains(t, w.greeting(t, b), c.want)
			})
		})
	}
}

// guest makes the one user there is a member of somebody else's organization, in
// which their session is active.
func (w *world) guest(t *testing.T) {
	t.Helper()
	w.user(t, "host@example.com")
	for _, statement := range []string{
		`INSERT INTO tenon_members (id, organization_id, user_id, role, created_at)
			SELECT 'guest', o.id, u.id, 'member', u.created_at FROM tenon_organizations AS o, tenon_users AS u
			WHERE u.email = 'ada@example.com' AND o.owner_id <> u.id`,
		`UPDATE tenon_sessions SET organization_id = (SELECT organization_id FROM tenon_members WHERE id = 'guest')`,
	} {
		_, err := w.db.Statement(statement).Exec(t.Context())
		assert.NoError(t, err)
	}
}

// greeting is what the host's route says to the browser.
func (w *world) greeting(t *testing.T, b *browser) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"/app/", nil)
	r.Header.Set("Cookie", "tenon_dev_session="+b.cookie("session"))
	answer := httptest.NewRecorder()
	w.RequireUser(http.HandlerFunc(greet)).ServeHTTP(answer, r)
	return answer.Body.String()
}

func TestSignOutEverywhereEndsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		first, second := w.signedIn(t, email), w.browser(t)
		assert.Equal(t, second.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, second.post("/revoke-other-sessions", map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, first.get("/get-session").body, "null\n")
		assert.Contains(t, second.get("/get-session").body, email)
		barrier, done := w.signInStalled(t, first)
		_, err := w.db.Statement("UPDATE tenon_users SET security_version = security_version + 1").Exec(bundbtest.Outside(t.Context()))
		assert.NoError(t, err)
		barrier.Release()
		assert.Equal(t, (<-done).StatusCode, http.StatusUnauthorized)
	})
}

func TestASVS7_2_4_SigningInEndsTheBrowsersEarlierSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		old, elsewhere := b.cookie("session"), w.browser(t)
		assert.Equal(t, elsewhere.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.NotEqual(t, b.cookie("session"), old)
		r := w.browser(t).request(http.MethodGet, "/get-session", "", nil)
		r.Header.Set("Cookie", "tenon_dev_session="+old)
		assert.Equal(t, w.browser(t).do(r).body, "null\n")
		for _, one := range []*browser{b, elsewhere} {
			assert.Contains(t, one.get("/get-session").body, email)
		}
	})
}

func TestPromise7_TwoUsersDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		session, _ := bob.get("/get-session").decode(t)["session"].(map[string]any)
		stranger := ada.post("/revoke-session", map[string]any{"token": session["id"]})
		nobody := ada.post("/revoke-session", map[string]any{"token": "01a20000-0000-7000-8000-000000000000"})
		assert.Equal(t, shape(stranger), shape(nobody))
		assert.Equal(t, stranger.StatusCode, http.StatusNotFound)
		assert.NotContains(t, ada.get("/list-sessions").body, fmt.Sprint(session["id"]))
		assert.Contains(t, bob.get("/get-session").body, "bob@example.com")
	})
}
