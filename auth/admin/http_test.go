package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
)

// web serves the routes to root, behind the checks that package tenon makes.
type web struct {
	*world
	served http.Handler
}

func newWeb(t *testing.T, change ...func(*admin.Config)) *web {
	t.Helper()
	w := &web{world: newWorld(t, change...)}
	h := assert.Must(admin.NewHandler(w.Service, admin.HandlerConfig{Impersonate: impersonated}))(t)
	pass := func(*http.Request) error { return nil }
	w.served = assert.Must(h.Routes().Handler(route.Config{
		BaseURL:    "https://example.com",
		Checks:     map[route.Access]func(*http.Request) error{route.Superuser: pass},
		CheckFresh: func(*http.Request, time.Duration) error { return nil },
	}))(t)
	return w
}

func impersonated(w http.ResponseWriter, r *http.Request, grant auth.Grant) {
	route.WriteJSON(w, r, http.StatusOK, map[string]any{"session": grant.SessionID})
}

// call sends a request of root's and returns the status and the answer.
func (w *web) call(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://example.com"+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	r = r.WithContext(principal.NewContext(r.Context(), &principal.Principal{UserID: w.root.ID, SessionID: "root's", Superuser: true}))
	answer := httptest.NewRecorder()
	w.served.ServeHTTP(answer, r)
	var got map[string]any
	assert.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
	return answer.Code, got
}

func (w *web) post(t *testing.T, path string, body map[string]any) (int, map[string]any) {
	t.Helper()
	return w.call(t, http.MethodPost, "/admin/"+path, string(assert.Must(json.Marshal(body))(t)))
}

func TestTheRoutesOfTheAdministration(t *testing.T) {
	t.Parallel()
	w := newWeb(t, func(c *admin.Config) { c.TypedPasswords = true })
	status, got := w.post(t, "create-user", map[string]any{
		"email": "Ada@Example.com", "name": "Ada", "role": []string{"user"}, "data": map[string]any{"image": "https://example.com/a.png"},
	})
	user := got["user"].(map[string]any)
	assert.Equal(t, []any{status, user["email"], user["role"], user["banned"], user["emailVerified"], user["image"]},
		[]any{200, "Ada@Example.com", "user", false, false, "https://example.com/a.png"})
	id := user["id"].(string)
	status, got = w.post(t, "create-user", map[string]any{
		"email": "bob@example.com", "name": "Bob", "password": "correct horse battery", "data": map[string]any{"emailVerified": true},
	})
	assert.Equal(t, []any{status, got["user"].(map[string]any)["emailVerified"]}, []any{200, true})
	status, got = w.post(t, "create-user", map[string]any{"email": "eve@example.com", "name": "Eve", "password": "correct horse battery"})
	assert.Equal(t, []any{status, got["code"]}, []any{422, "PASSWORD_NEEDS_VERIFIED_EMAIL"})
	for _, c := range []struct {
		path string
		body map[string]any
		want string // a part of the answer
	}{
		{"update-user", map[string]any{"data": map[string]any{"name": "Countess", "role": "admin", "image": nil}}, `"role":"admin"`},
		{"set-role", map[string]any{"role": []string{"user", "admin"}}, `"role":"admin"`},
		{"set-role", map[string]any{"role": "user"}, `"role":"user"`},
		{"ban-user", map[string]any{"banReason": "spam", "banExpiresIn": 3600}, `"banExpires":"2026-03-01T13:00:00.000Z"`},
		{"ban-user", map[string]any{}, `"banExpires":null`},
		{"unban-user", map[string]any{}, `"banned":false`},
		{"impersonate-user", map[string]any{}, `"session":"started"`},
		{"unlock-user", map[string]any{}, `"status":true`},
		{"set-user-password", map[string]any{}, `"status":true`},
		{"set-user-password", map[string]any{"newPassword": "correct horse battery"}, `"status":true`},
		{"remove-user", map[string]any{}, `"success":true`},
	} {
		c.body["userId"] = id
		status, got := w.post(t, c.path, c.body)
		text := string(assert.Must(json.Marshal(got))(t))
		if status != http.StatusOK || !strings.Contains(text, c.want) {
			t.Errorf("%s %v: %d %s, want %s", c.path, c.body, status, text, c.want)
		}
		c.body["userId"] = "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"
		if status, got := w.post(t, c.path, c.body); status != http.StatusNotFound && c.path != "unlock-user" {
			t.Errorf("%s of nobody: %d %v", c.path, status, got)
		}
	}
}

func TestTheRoutesRefuseByName(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	user := w.user(t, "ada@example.com")
	for _, c := range []struct {
		path string
		body map[string]any
		code string
	}{
		{"create-user", map[string]any{"email": "ada@example.com", "name": "Ada"}, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"},
		{"create-user", map[string]any{"email": "b@example.com", "name": "B", "password": "known to root"}, "TYPED_PASSWORDS_NOT_ALLOWED"},
		{"create-user", map[string]any{"email": "b@example.com", "name": "B", "data": map[string]any{"emailVerified": true}}, "VERIFIED_EMAILS_NOT_ALLOWED"},
		{"create-user", map[string]any{"email": "b@example.com", "name": "B", "data": map[string]any{"emailVerified": "yes"}}, "VALIDATION_ERROR"},
		{"create-user", map[string]any{"email": "b@example.com", "name": "B", "role": "owner"}, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE"},
		{"create-user", map[string]any{"email": "b@example.com", "name": "B", "data": map[string]any{"name": "C"}}, "VALIDATION_ERROR"},
		{"create-user", map[string]any{"email": "b@example.com", "name": "B", "data": map[string]any{"banned": true}}, "VALIDATION_ERROR"},
		{"update-user", map[string]any{"userId": user.ID, "data": map[string]any{}}, "NO_DATA_TO_UPDATE"},
		{"update-user", map[string]any{"userId": user.ID, "data": map[string]any{"password": "x"}}, "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER"},
		{"update-user", map[string]any{"userId": user.ID, "data": map[string]any{"email": "x@example.com"}}, "VALIDATION_ERROR"},
		{"update-user", map[string]any{"userId": user.ID, "data": map[string]any{"emailVerified": true}}, "VALIDATION_ERROR"},
		{"update-user", map[string]any{"userId": user.ID, "data": map[string]any{"name": 3}}, "VALIDATION_ERROR"},
		{"set-role", map[string]any{"userId": user.ID, "role": []string{}}, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE"},
		{"set-role", map[string]any{"userId": user.ID, "role": []string{"user", "owner"}}, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE"},
		{"set-role", map[string]any{"userId": user.ID, "role": 7}, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE"},
		{"set-role", map[string]any{"userId": w.root.ID, "role": "user"}, "YOU_CANNOT_DEMOTE_YOURSELF"},
		{"ban-user", map[string]any{"userId": w.root.ID}, "YOU_CANNOT_BAN_YOURSELF"},
		{"ban-user", map[string]any{"userId": user.ID, "banExpiresIn": -1}, "VALIDATION_ERROR"},
		{"remove-user", map[string]any{"userId": w.root.ID}, "YOU_CANNOT_REMOVE_YOURSELF"},
		{"impersonate-user", map[string]any{"userId": w.root.ID}, "YOU_CANNOT_IMPERSONATE_ADMINS"},
		{"set-user-password", map[string]any{"userId": user.ID, "newPassword": "known to root"}, "TYPED_PASSWORDS_NOT_ALLOWED"},
		{"unban-user", map[string]any{"userId": user.ID, "reason": "x"}, "VALIDATION_ERROR"},
	} {
		status, got := w.post(t, c.path, c.body)
		if status < 400 || status >= 500 || got["code"] != c.code {
			t.Errorf("%s %v: %d %v, want %s", c.path, c.body, status, got, c.code)
		}
	}
	assert.Len(t, w.links, 0)
	assert.Len(t, w.sessions.ended, 0)
}

func TestTheListOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	w.now = w.now.Add(time.Minute)
	user := w.user(t, "ada@example.com")
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		return w.store.SetBan(ctx, admin.Ban{UserID: user.ID, At: w.now})
	}))
	for query, want := range map[string]int{
		"": 2, "?limit=1": 2, "?searchValue=ADA": 1, "?searchValue=ada&searchField=name": 2, "?searchValue=x&searchOperator=ends_with": 0,
		"?filterField=banned&filterValue=true": 1, "?filterField=role&filterValue=admin": 1, "?filterField=banned&filterValue=maybe": -1,
		"?filterField=createdAt&filterOperator=gt&filterValue=" + url.QueryEscape("2026-03-01T12:00:30.000Z"): 1,
		"?filterField=createdAt&filterValue=yesterday":                                                        -1, "?sortBy=password": -1, "?sortBy=email&sortDirection=desc": 2,
		"?limit=501": -1, "?filterField=password&filterValue=x": -1, "?offset=5": 2,
	} {
		status, got := w.call(t, http.MethodGet, "/admin/list-users"+query, "")
		total, ok := got["total"].(float64)
		if want < 0 && status == http.StatusUnprocessableEntity {
			continue
		}
		if status != http.StatusOK || !ok || int(total) != want {
			t.Errorf("%s: %d %v, want %d", query, status, got, want)
		}
	}
	status, got := w.call(t, http.MethodGet, "/admin/get-user?id="+user.ID, "")
	assert.Equal(t, []any{status, got["email"], got["banned"]}, []any{200, "ada@example.com", true})
	status, got = w.call(t, http.MethodGet, "/admin/get-user?id=nobody", "")
	assert.Equal(t, []any{status, got["code"]}, []any{404, "USER_NOT_FOUND"})
}

// Every route is for superusers in person with a fresh proof (R22).
func TestR22_EveryRouteIsForSuperusersWithAFreshProof(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	h := assert.Must(admin.NewHandler(w.Service, admin.HandlerConfig{Impersonate: impersonated}))(t)
	table := h.Routes()
	assert.True(t, len(table) >= 10, "the table was read")
	for _, r := range table {
		change := r.Method != http.MethodGet
		if r.Access != route.Superuser || r.Fresh <= 0 || change && r.Fresh > 10*time.Minute {
			t.Errorf("%s %s: access %v, fresh %v", r.Method, r.Path, r.Access, r.Fresh)
		}
	}
}

// Rule R22: acting as somebody is for browsers; a program of a superuser gets no
// session of others for its token.
func TestR22_NoProgramActsAsAUser(t *testing.T) {
	t.Parallel()
	w := newWeb(t)
	user := w.user(t, "ada@example.com")
	for _, header := range []string{"Bearer x", ""} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/admin/impersonate-user", strings.NewReader(`{"userId":"`+user.ID+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header["Authorization"] = []string{header}
		r = r.WithContext(principal.NewContext(r.Context(), &principal.Principal{UserID: w.root.ID, SessionID: "root's", Superuser: true}))
		answer := httptest.NewRecorder()
		w.served.ServeHTTP(answer, r)
		assert.Equal(t, answer.Code, http.StatusForbidden)
	}
	assert.Len(t, w.sessions.passes, 0)
}
