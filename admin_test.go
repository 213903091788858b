package tenon_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/internal/assert"
)

const rootEmail = "root@example.com"

func withRoot(c *tenon.Config) { c.Superuser = rootEmail }

// idOf returns the id of the user who is signed in.
func (b *browser) idOf() string {
	b.t.Helper()
	user, _ := b.get("/get-session").decode(b.t)["user"].(map[string]any)
	id, _ := user["id"].(string)
	return id
}

func (b *browser) admin(path string, body map[string]any) answer {
	b.t.Helper()
	return b.post("/admin/"+path, body)
}

func TestAWholeLifeUnderAdministration(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		root := w.signedIn(t, rootEmail)
		made := root.admin("create-user", map[string]any{"email": email, "name": "Ada"})
		assert.Equal(t, made.StatusCode, http.StatusOK)
		user, _ := made.decode(t)["user"].(map[string]any)
		id, _ := user["id"].(string)
		ada := w.browser(t)
		assert.Equal(t, ada.signIn(email).StatusCode, http.StatusUnauthorized)
		_, secret := w.resetLink(t, email)
		assert.Equal(t, ada.reset(secret, password).StatusCode, http.StatusOK)
		assert.Equal(t, ada.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, ada.idOf(), id)
		assert.Equal(t, ada.admin("ban-user", map[string]any{"userId": root.idOf()}).StatusCode, http.StatusForbidden)

		ban := map[string]any{"userId": id, "banReason": "spam"}
		assert.Equal(t, root.admin("ban-user", ban).StatusCode, http.StatusOK)
		assert.Equal(t, ada.idOf(), "")
		assert.Equal(t, ada.signIn(email).code(t), "INVALID_EMAIL_OR_PASSWORD")
		only := map[string]any{"userId": id}
		assert.Equal(t, root.admin("unban-user", only).StatusCode, http.StatusOK)
		assert.Equal(t, ada.signIn(email).StatusCode, http.StatusOK)

		assert.Equal(t, root.admin("set-role", map[string]any{"userId": id, "role": "admin"}).StatusCode, http.StatusOK)
		assert.Equal(t, ada.get("/admin/list-users").StatusCode, http.StatusOK) // on the next request
		assert.Equal(t, root.admin("set-role", map[string]any{"userId": id, "role": "user"}).StatusCode, http.StatusOK)
		assert.Equal(t, ada.get("/admin/list-users").StatusCode, http.StatusForbidden)

		sessions := root.admin("list-user-sessions", only)
		assert.Equal(t, strings.Count(sessions.body, `"userId":"`+id+`"`) > 0, true)
		assert.Equal(t, root.admin("revoke-user-sessions", only).StatusCode, http.StatusOK)
		assert.Equal(t, ada.idOf(), "")
		assert.Equal(t, root.admin("remove-user", only).StatusCode, http.StatusOK)
		assert.Equal(t, ada.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, root.admin("remove-user", only).StatusCode, http.StatusNotFound)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
	}, withRoot)
}

// Rule R5: by an address that the owner of the mailbox let an account have, with a
// click or a code, no account gets power: it may be a stranger's, whose password
// would work on. The address stays reserved for whoever signs up with it.
func TestR5_MovingToTheReservedAddressMakesNoSuperuser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.confirmMove(b.askToMove(t, rootEmail)).StatusCode, http.StatusOK)
		assert.Equal(t, b.verifyMove(w.link(t, rootEmail)).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'root@example.com'"), 1)
		assert.Equal(t, w.count(t, "tenon_users WHERE superuser"), 0)
		assert.Equal(t, b.get("/admin/list-users").StatusCode, http.StatusForbidden)

		const next = "elsewhere@example.com"
		code := w.mailedCode(t, b, rootEmail, "email-verification")
		assert.Equal(t, b.requestEmail(next, code).StatusCode, http.StatusOK)
		assert.NoError(t, w.Drain(t.Context()))
		message, _ := w.mailbox.Last(next)
		assert.Equal(t, b.changeEmail(next, message.Code).StatusCode, http.StatusOK)
		assert.Equal(t, w.signedIn(t, rootEmail).get("/admin/list-users").StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users WHERE superuser"), 1)
	}, withRoot)
}

// A superuser who acts as a user walks the whole route table: whatever changes the
// account, its credentials, sessions or powers refuses them, and so does whatever
// is for superusers.
func TestR22_TheImpersonatedPrincipalWalksTheRouteTable(t *testing.T) {
	t.Parallel()
	// What an impersonated user may change, each with its reason.
	harmless := []string{
		"/admin/stop-impersonating", // ends it
		"/sign-out",                 // ends it, too
	}
	each(t, func(t *testing.T, w *world) {
		ada := w.signedIn(t, email)
		root := w.signedIn(t, rootEmail)
		rootID, id := root.idOf(), ada.idOf()
		acting := root.admin("impersonate-user", map[string]any{"userId": id})
		assert.Equal(t, acting.StatusCode, http.StatusOK)
		assert.Contains(t, acting.body, `"impersonatedBy":"`+rootID+`"`)
		assert.Equal(t, root.idOf(), id)
		before := w.protected(t)
		for _, o := range w.operations(t) {
			if o.method == http.MethodGet || slices.Contains(harmless, o.path) {
				continue
			}
			for _, body := range []map[string]any{{}, {
				"userId": id, "token": "x", "password": password, "currentPassword": password, "newPassword": "another good one",
				"newEmail": "else@example.com", "name": "Mallory", "sessionToken": "x",
			}} {
				answer := root.post(o.path, body)
				if answer.StatusCode >= 500 {
					t.Errorf("%s: %d", o.path, answer.StatusCode)
				}
			}
		}
		for path, body := range map[string]map[string]any{
			"/change-email":          {"newEmail": "else@example.com"},
			"/change-password":       {"currentPassword": password, "newPassword": "another good one"},
			"/delete-user":           {"password": password},
			"/verify-password":       {"password": password},
			"/step-up":               {"password": password},
			"/revoke-other-sessions": {}, "/revoke-sessions": {}, "/admin/list-user-sessions": {"userId": id},
			"/admin/impersonate-user": {"userId": id},
		} {
			if answer := root.post(path, body); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d %s", path, answer.StatusCode, answer.body)
			}
		}
		assert.Equal(t, w.protected(t), before)
		for _, path := range []string{"/admin/list-users", "/admin/get-user?id=" + id} {
			assert.Equal(t, root.get(path).StatusCode, http.StatusForbidden)
		}
		stop := root.admin("stop-impersonating", map[string]any{})
		assert.Equal(t, stop.StatusCode, http.StatusOK)
		assert.Equal(t, root.idOf(), rootID)
		assert.Equal(t, ada.idOf(), id) // the user's own session went on
	}, withRoot, everything)
}

// protected is what an impersonator must not be able to change.
func (w *world) protected(t *testing.T) []string {
	t.Helper()
	rows, err := w.db.Raw(t.Context()).QueryContext(t.Context(),
		`SELECT id || email || CAST(security_version AS TEXT) || CAST(superuser AS TEXT) FROM tenon_users
		 UNION ALL SELECT user_id || 'has a password' FROM tenon_credentials
		 UNION ALL SELECT id || COALESCE(CAST(revoked_at AS TEXT), 'lives') FROM tenon_sessions ORDER BY 1`)
	assert.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		assert.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	assert.NoError(t, rows.Err())
	return all
}
