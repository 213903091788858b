package openapi_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/openapi"
	"github.com/tenon-go/tenon/internal/route"
)

type address struct {
	City string `json:"city" required:"true" maxLength:"5"`
}

type signIn struct {
	Email    string   `json:"email" required:"true" format:"email" maxLength:"320" description:"The account's address."`
	Password string   `json:"password" required:"true" maxLength:"128"`
	Remember *bool    `json:"rememberMe"`
	Home     *address `json:"home"`
	Raw      json.RawMessage
	Payload  json.RawMessage `json:"payload"`
	Metadata map[string]any  `json:"metadata"`
}

type list struct {
	Limit  int         `query:"limit" minimum:"1" maximum:"100"`
	Unread *bool       `json:"unread"`
	State  []string    `query:"state" enum:"open,done"`
	Since  *route.Time `query:"since"`
	ID     string      `query:"id" required:"true"`
}

type user struct {
	ID        string      `json:"id"`
	CreatedAt route.Time  `json:"createdAt"`
	EndsAt    *route.Time `json:"endsAt"`
	Home      address     `json:"home"`
}

// empty is a request without fields.
type empty struct{}

func tables() []route.Table {
	return []route.Table{{
		{Method: "POST", Path: "/sign-in/email", Access: route.Public, Summary: "Sign in", Request: signIn{}, Response: user{}, Ignored: []string{"image"}},
		{Method: "GET", Path: "/get-session", Access: route.Public, Summary: "Who am I", Request: empty{}, Response: (*user)(nil)},
		{Method: "GET", Path: "/notification/list", Access: route.User, Summary: "List", Request: list{}, Response: []user{}},
		{Method: "POST", Path: "/verify-email", Access: route.Public, Guard: route.JSON | route.Form, Summary: "Verify", Request: address{}, Query: list{}, Status: 303},
		{Method: "POST", Path: "/confirm", Access: route.Public, Guard: route.Form, Summary: "Confirm", Request: address{}},
	}, {
		{Method: "GET", Path: "/callback/{provider}", Access: route.Public, Guard: route.Provider, Summary: "Back", Request: list{}, Status: 303},
		{Method: "POST", Path: "/storage/upload", Access: route.User, Guard: route.Upload, Summary: "Upload", Query: list{}},
		{Method: "POST", Path: "/stripe/webhook", Access: route.Public, Guard: route.Signed, Summary: "Events"},
		{Method: "GET", Path: "/tus/{rest...}", Access: route.User, Summary: "Resume"},
		{Method: "DELETE", Path: "/projects/{id}", Access: route.Superuser, Summary: "Delete", Request: empty{}, Status: 204},
	}}
}

func info() openapi.Info {
	return openapi.Info{Title: "Acme", Version: "1", Description: "D", ServerURL: "https://a.example/api/auth", SessionCookie: "__Host-tenon_session"}
}

var update = flag.Bool("update", false, "write testdata/openapi.json")

// parsed is the document as anybody reads it.
type parsed struct {
	OpenAPI    string
	Paths      map[string]map[string]map[string]any
	Components map[string]map[string]map[string]any
}

func parse(t *testing.T) (raw []byte, doc parsed) {
	t.Helper()
	raw = assert.Must(openapi.Document(tables(), info()))(t)
	assert.NoError(t, json.Unmarshal(raw, &doc))
	return raw, doc
}

func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	_, doc := parse(t)
	assert.True(t, strings.HasPrefix(doc.OpenAPI, "3.1."), "the version is 3.1")
	n := 0
	for _, item := range doc.Paths {
		n += len(item)
	}
	ids := map[any]bool{}
	for _, table := range tables() {
		for _, r := range table {
			op := doc.Paths[strings.ReplaceAll(r.Path, "...}", "}")][strings.ToLower(r.Method)]
			assert.Equal(t, op["summary"], any(r.Summary))
			ids[op["operationId"]] = true
			n--
		}
	}
	assert.Equal(t, n, 0)
	assert.Equal(t, len(ids), 10)
}

func TestDocumentRefersOnlyToWhatItHas(t *testing.T) {
	t.Parallel()
	raw, _ := parse(t)
	var root any
	assert.NoError(t, json.Unmarshal(raw, &root))
	refs := 0
	walk(root, func(ref string) {
		refs++
		at := root
		for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			object, ok := at.(map[string]any)
			assert.True(t, ok && object[step] != nil, ref+" leads to "+step)
			at = object[step]
		}
	})
	assert.True(t, refs > 15, "there are references")
}

// walk calls fn for each reference below v.
func walk(v any, fn func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			fn(ref)
		}
		for _, below := range v {
			walk(below, fn)
		}
	case []any:
		for _, below := range v {
			walk(below, fn)
		}
	}
}

// TestDocumentIsTheGoldenOne shows every schema, parameter and answer. Run with
// -update to take what is made now.
func TestDocumentIsTheGoldenOne(t *testing.T) {
	t.Parallel()
	raw, _ := parse(t)
	if *update {
		assert.NoError(t, os.WriteFile("testdata/openapi.json", raw, 0o600))
	}
	golden := assert.Must(os.ReadFile("testdata/openapi.json"))(t)
	assert.Equal(t, string(raw), string(golden))
	again := assert.Must(openapi.Document(tables(), info()))(t)
	assert.Equal(t, string(again), string(raw))
}

func TestDocumentTellsWhatIsWrongWithATable(t *testing.T) {
	t.Parallel()
	same := route.Route{Method: "GET", Path: "/a", Access: route.Public, Summary: "A"}
	_, err := openapi.Document([]route.Table{{same}, {same}}, info())
	assert.Contains(t, err.Error(), "openapi: GET /a: ")
}

func TestHandlerServesTheBytes(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"GET": "{}", "HEAD": ""} {
		w := httptest.NewRecorder()
		openapi.Handler([]byte("{}"))(w, httptest.NewRequest(method, "/", nil))
		assert.Equal(t, w.Code, http.StatusOK)
		assert.Equal(t, w.Body.String(), want)
		assert.Equal(t, w.Header().Get("Content-Length"), "2")
		assert.Equal(t, w.Header().Get("Content-Type"), "application/json")
	}
}

func TestR12_DescriptionSaysThatAFreshProofIsNeeded(t *testing.T) {
	t.Parallel()
	table := route.Table{{
		Method: "POST", Path: "/delete-user", Access: route.User, Fresh: 10 * time.Minute, Ignored: []string{"a"}, Summary: "Delete",
	}}
	doc := string(assert.Must(openapi.Document([]route.Table{table}, info()))(t))
	assert.Contains(t, doc, "at most 10m0s old")
	assert.Contains(t, doc, "SESSION_NOT_FRESH asks for a step-up. Accepted and ignored: a.")
}
