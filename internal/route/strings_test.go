package route_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
)

func TestStringsReadOneOrMany(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]route.Strings{
		`{"role":"admin"}`: {"admin"}, `{"role":["admin","member"]}`: {"admin", "member"}, `{"role":[]}`: {}, `{}`: nil, `{"role":null}`: nil,
	} {
		var request struct {
			Role route.Strings `json:"role"`
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		assert.NoError(t, route.Decode(r, &request))
		assert.Equal(t, request.Role, want)
	}
	for _, body := range []string{`1`, `{}`, `[1]`, `[["a"]]`, `true`} {
		var s route.Strings
		if err := json.Unmarshal([]byte(body), &s); err == nil {
			t.Errorf("%s: %v", body, s)
		}
	}
	schema := assert.Must(route.Strings{}.JSONSchemaBytes())(t)
	assert.True(t, json.Valid(schema), "the schema is JSON")
}
