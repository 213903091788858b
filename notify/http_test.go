package notify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/principal"
)

// site serves the routes to whoever a request says it is from.
func site(t *testing.T, w *world) func(userID, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	handler := assert.Must(notify.NewHandler(w.svc))(t)
	served := assert.Must(handler.Routes().Handler(route.Config{BaseURL: "http://localhost"}))(t)
	return func(userID, method, path, body string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, "/notification/"+path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if userID != "" {
			p := &principal.Principal{UserID: userID}
			if real, ok := strings.CutSuffix(userID, " impersonated"); ok {
				p = &principal.Principal{UserID: real, ImpersonatorID: "root"}
			}
			r = r.WithContext(principal.NewContext(r.Context(), p))
		}
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, r)
		return answer
	}
}

func TestTheWireOfLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := site(t, w)
	assert.Equal(t, ask("ada", "GET", "list", "").Body.String(), `{"items":[],"nextCursor":null}`+"\n")
	w.send(t, comment("ada"))
	full := comment("ada")
	full.OrganizationID, full.Body, full.Link, full.Data = "acme", "a\nb", "/x", map[string]any{"n": 1}
	w.send(t, full)
	items := w.list(t, "ada")
	assert.Equal(t, ask("ada", "POST", "mark-read", `{"ids":["`+items[1].ID+`"]}`).Body.String(), `{"marked":1}`+"\n")
	assert.Equal(t, ask("ada", "GET", "list", "").Body.String(), `{"items":[`+
		`{"id":"`+items[0].ID+`","category":"comments","type":"comment.created","organizationId":"acme","title":"Somebody answered you","body":"a\nb","link":"/x","data":{"n":1},"createdAt":"2026-03-04T05:06:09.008Z","readAt":null},`+
		`{"id":"`+items[1].ID+`","category":"comments","type":"comment.created","organizationId":null,"title":"Somebody answered you","body":"","link":null,"data":null,"createdAt":"2026-03-04T05:06:08.008Z","readAt":"2026-03-04T05:06:09.008Z"}`+
		`],"nextCursor":null}`+"\n")
	assert.NotContains(t, ask("ada", "GET", "list?unread=true", "").Body.String(), items[1].ID)
	assert.Equal(t, ask("ada", "GET", "unread-count", "").Body.String(), `{"count":1}`+"\n")
	var page struct {
		Items      []json.RawMessage `json:"items"`
		NextCursor string            `json:"nextCursor"`
	}
	assert.NoError(t, json.Unmarshal(ask("ada", "GET", "list?limit=1", "").Body.Bytes(), &page))
	assert.Len(t, page.Items, 1)
	assert.Contains(t, ask("ada", "GET", "list?limit=1&cursor="+page.NextCursor, "").Body.String(), items[1].ID)
	for _, query := range []string{"unread=true&cursor=" + page.NextCursor, "cursor=AAAA", "cursor=" + page.NextCursor + "A"} {
		answer := ask("ada", "GET", "list?"+query, "")
		assert.Equal(t, answer.Code, http.StatusBadRequest)
		assert.Contains(t, answer.Body.String(), "INVALID_CURSOR")
	}
}

// createdAt of the newest item that was shown marks that item, though the wire cuts it
// to milliseconds, and nothing of a later millisecond.
func TestMarkAllReadTakesTheTimeOfTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := site(t, w)
	for range 3 {
		w.send(t, comment("ada"))
	}
	assert.Equal(t, ask("ada", "POST", "mark-all-read", `{"before":"2026-03-04T05:06:09.008Z"}`).Body.String(), `{"marked":2}`+"\n")
	assert.Equal(t, ask("ada", "POST", "mark-all-read", `{"before":"2026-03-04T05:06:10.007Z"}`).Body.String(), `{"marked":0}`+"\n")
	assert.Equal(t, ask("ada", "POST", "mark-all-read", `{"before":"9999-12-31T23:59:59.999Z"}`).Body.String(), `{"marked":1}`+"\n")
}

// A neighbour's notification is answered like one that never existed, and stays.
func TestR7_ANeighboursNotificationIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := site(t, w)
	w.send(t, comment("ada"))
	before := w.list(t, "ada")
	for _, id := range []string{before[0].ID, "0197a1b2-0000-7000-8000-000000000000", "x"} {
		answer := ask("eve", "POST", "mark-read", `{"ids":["`+id+`"]}`)
		assert.Equal(t, answer.Code, http.StatusOK)
		assert.Equal(t, answer.Body.String(), `{"marked":0}`+"\n")
	}
	assert.Equal(t, ask("eve", "POST", "mark-all-read", `{"before":"2030-01-01T00:00:00Z"}`).Body.String(), `{"marked":0}`+"\n")
	assert.Equal(t, ask("eve", "GET", "list", "").Body.String(), `{"items":[],"nextCursor":null}`+"\n")
	assert.Equal(t, ask("eve", "GET", "unread-count", "").Body.String(), `{"count":0}`+"\n")
	assert.Equal(t, ask("eve", "POST", "set-preference", `{"category":"comments","channel":"mail","enabled":false}`).Code, http.StatusOK)
	assert.Len(t, w.stored(t, "ada"), 0)
	assert.Equal(t, w.list(t, "ada"), before)
}

func TestTheWireOfPreferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := site(t, w)
	assert.Equal(t, ask("ada", "POST", "set-preference", `{"category":"news","channel":"in-app","enabled":false}`).Body.String(),
		`{"category":"news","description":"","channel":"in-app","enabled":false,"default":true,"mutable":true}`+"\n")
	got := ask("ada", "GET", "get-preferences", "").Body.String()
	assert.Contains(t, got, `{"preferences":[{"category":"security","description":"Sign-ins, passwords and other news about the safety of your account.","channel":"in-app","enabled":true,"default":true,"mutable":false},`)
	assert.Contains(t, got, `{"category":"news","description":"","channel":"in-app","enabled":false,`)
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{"category":"security","channel":"in-app","enabled":false}`: {http.StatusConflict, "NOTIFICATIONS_CANNOT_BE_MUTED"},
		`{"category":"billing","channel":"mail","enabled":false}`:    {http.StatusConflict, "NOTIFICATIONS_CANNOT_BE_MUTED"},
		`{"category":"nothing","channel":"mail","enabled":false}`:    {http.StatusBadRequest, "UNKNOWN_NOTIFICATION_CATEGORY"},
		`{"category":"news","channel":"sms","enabled":false}`:        {http.StatusUnprocessableEntity, "VALIDATION_ERROR"},
		`{"category":"news","channel":"mail"}`:                       {http.StatusUnprocessableEntity, "VALIDATION_ERROR"},
	} {
		answer := ask("ada", "POST", "set-preference", body)
		assert.Equal(t, answer.Code, want.status)
		assert.Contains(t, answer.Body.String(), want.code)
	}
}

func TestEveryRouteWantsAUserAndItsFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := site(t, w)
	w.send(t, comment("ada"))
	bodies := map[string]string{
		"list": "", "unread-count": "", "get-preferences": "",
		"mark-read": `{"ids":["` + w.list(t, "ada")[0].ID + `"]}`, "mark-all-read": `{"before":"2030-01-01T00:00:00Z"}`,
		"set-preference": `{"category":"news","channel":"mail","enabled":true}`,
	}
	for path, body := range bodies {
		method := "POST"
		if body == "" {
			method = "GET"
		}
		assert.Equal(t, ask("", method, path, body).Code, http.StatusUnauthorized)
		want := http.StatusForbidden // R22: the owner has to see it
		if body == "" {
			want = http.StatusOK
			assert.Equal(t, ask("ada", method, path+"?userId=bob", "").Code, http.StatusUnprocessableEntity)
		} else {
			assert.Equal(t, ask("ada", method, path, `{}`).Code, http.StatusUnprocessableEntity)
		}
		assert.Equal(t, ask("ada impersonated", method, path, body).Code, want)
	}
	assert.Equal(t, w.unread(t, "ada"), 1)
	assert.Len(t, w.stored(t, "ada"), 0)
	many := `{"ids":["` + strings.Repeat(`a","`, 100) + `b"]}`
	assert.Equal(t, ask("ada", "POST", "mark-read", many).Code, http.StatusUnprocessableEntity)
	assert.Equal(t, ask("ada", "POST", "mark-read", `{"ids":[]}`).Code, http.StatusUnprocessableEntity)
}

func TestAHandlerWantsAService(t *testing.T) {
	t.Parallel()
	_, err := notify.NewHandler(nil)
	assert.Error(t, err)
}
