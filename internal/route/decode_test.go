package route_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

type address struct {
	City string `json:"city" required:"true" maxLength:"5"`
}

type common struct {
	Locale string `json:"locale" enum:"de,en"`
}

// everything has a field of each kind.
type everything struct {
	common
	Email    string             `json:"email" format:"email" maxLength:"320"`
	ID       string             `json:"id" format:"uuid"`
	Site     string             `json:"site" format:"uri"`
	Note     string             `json:"note,omitempty" multiline:"true" maxLength:"20"`
	Password string             `json:"password" opaque:"true" minLength:"3"`
	Remember *bool              `json:"rememberMe"`
	Count    int                `json:"count" minimum:"1" maximum:"10"`
	Small    uint8              `json:"small"`
	Ratio    float64            `json:"ratio" maximum:"1.5"`
	Address  *address           `json:"address"`
	Tags     []string           `json:"tags" minItems:"1" maxItems:"2" maxLength:"3"`
	Places   []address          `json:"places"`
	Limits   map[string]int     `json:"limits" maxItems:"2" minimum:"0"`
	At       *route.Time        `json:"at"`
	Response json.RawMessage    `json:"response"`
	Metadata map[string]any     `json:"metadata"`
	Any      any                `json:"any"`
	Nested   map[string]address `json:"nested"`
	Hidden   string             `json:"-"`
	NoName   string
}

// decode sends body as JSON and returns what Decode says.
func decode(body string, dst any) error {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	return route.Decode(r, dst)
}

// reasons renders an error as "CODE" or "field:CODE ...".
func reasons(err error) string {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return fmt.Sprint(err)
	}
	if len(e.Fields) == 0 {
		return e.Code
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Field+":"+f.Code)
	}
	return strings.Join(out, " ")
}

func TestDecodeFillsEveryKind(t *testing.T) {
	t.Parallel()
	var got everything
	assert.NoError(t, decode(`{"locale":"de","email":"A@b.example","id":"0190B2C4-7f3a-7c11-8d2e-5b1f0a9c3e77","site":"https://x/",
		"note":"a\tb\r\nc\n","password":"\u0000\ud83d\ude00x","rememberMe":false,"count":10,"small":255,"ratio":1.5e0,
		"address":{"city":"Köln!"},"tags":["a","b"],"places":[{"city":"B"}],"limits":{"x":0},"at":"2026-01-31T10:00:00+01:00",
		"response":{"a":[1,"\u0001"]},"metadata":{"k":null},"any":[true],"nested":{"n":{"city":"C"}}}`, &got))
	no := false
	assert.Equal(t, got, everything{
		common: common{"de"}, Email: "A@b.example", ID: "0190B2C4-7f3a-7c11-8d2e-5b1f0a9c3e77", Site: "https://x/",
		Note: "a\tb\r\nc\n", Password: "\x00😀x", Remember: &no, Count: 10, Small: 255, Ratio: 1.5,
		Address: &address{"Köln!"}, Tags: []string{"a", "b"}, Places: []address{{"B"}}, Limits: map[string]int{"x": 0},
		At:       &route.Time{Time: time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)},
		Response: json.RawMessage(`{"a":[1,"\u0001"]}`), Metadata: map[string]any{"k": nil}, Any: []any{true},
		Nested: map[string]address{"n": {"C"}},
	})
	got = everything{}
	assert.NoError(t, decode(`{"rememberMe":null,"address":null,"tags":null,"limits":null,"at":null,"response":null,"metadata":null,"any":null}`, &got))
	assert.Equal(t, got, everything{Response: json.RawMessage("null")})
	assert.NoError(t, decode(``, &got))
}

func TestR26_DecodeRefusesByName(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 31) + `1` + strings.Repeat(`}`, 31)
	for body, want := range map[string]string{
		// The body as a whole.
		`[]`: "INVALID_JSON", `null`: "INVALID_JSON", `"x"`: "INVALID_JSON", `{} {}`: "INVALID_JSON", `{}x`: "INVALID_JSON",
		`{"email":"a@b`: "INVALID_JSON", `{'email':1}`: "INVALID_JSON", `{"a":1,}`: "INVALID_JSON", "{\"email\":\"\xff\"}": "INVALID_JSON",
		"\xef\xbb\xbf{}": "INVALID_JSON", "\f{}": "INVALID_JSON", "\u00a0": "INVALID_JSON", `{"email":"\ud800"}`: "INVALID_JSON", `{"email":"\udc00x"}`: "INVALID_JSON",
		`{"metadata":{"a":"\ud800\u0041"}}`: "INVALID_JSON", `{"any":NaN}`: "INVALID_JSON", "{\"note\":\"a\nb\"}": "INVALID_JSON",
		`{"any":` + deep + `}`: "<nil>", `{"any":[` + deep + `]}`: "JSON_TOO_DEEP", strings.Repeat(`{"a":`, 10000): "INVALID_JSON",
		// Names.
		`{"email":"a@b.c","email":"a@b.c"}`: "email:DUPLICATE_FIELD", `{"email":"a@b.c","\u0065mail":"x"}`: "email:DUPLICATE_FIELD",
		`{"metadata":{"a":[{"b":1,"b":2}]}}`: "metadata.a[0].b:DUPLICATE_FIELD", `{"Email":"a@b.c"}`: "Email:UNKNOWN_FIELD",
		`{"other":1,"address":{"city":"a","City":"b"}}`: "address.City:UNKNOWN_FIELD other:UNKNOWN_FIELD",
		`{"NoName":1,"Hidden":2,"-":3,"":4}`:            ":UNKNOWN_FIELD -:UNKNOWN_FIELD Hidden:UNKNOWN_FIELD NoName:UNKNOWN_FIELD",
		`{"a\u0000\u001b[31m\u202e":1}`:                 "a\ufffd\ufffd[31m\ufffd:UNKNOWN_FIELD",
		`{"` + strings.Repeat("ü", 65) + `":1}`:         strings.Repeat("ü", 64) + "…:UNKNOWN_FIELD",
		// Types.
		`{"email":1}`: "email:INVALID_TYPE", `{"email":null}`: "email:INVALID_TYPE", `{"rememberMe":"true"}`: "rememberMe:INVALID_TYPE",
		`{"count":1.0}`: "count:INVALID_TYPE", `{"count":1e99}`: "count:INVALID_TYPE", `{"small":256}`: "small:INVALID_TYPE",
		`{"small":-1}`: "small:INVALID_TYPE", `{"ratio":1e999}`: "ratio:INVALID_TYPE", `{"address":[]}`: "address:INVALID_TYPE",
		`{"tags":"a"}`: "tags:INVALID_TYPE", `{"tags":["a",1]}`: "tags[1]:INVALID_TYPE", `{"limits":[]}`: "limits:INVALID_TYPE",
		`{"limits":{"a":"1"}}`: "limits.a:INVALID_TYPE", `{"at":1}`: "at:INVALID_TYPE", `{"at":"today"}`: "at:INVALID_TYPE",
		`{"metadata":[]}`: "metadata:INVALID_TYPE", `{"places":[null]}`: "places[0]:INVALID_TYPE",
		// Rules.
		`{"address":{}}`: "address.city:REQUIRED", `{"address":{"city":""}}`: "address.city:REQUIRED",
		`{"address":{"city":"123456"}}`: "address.city:TOO_LONG", `{"address":{"city":"üüüüü"}}`: "<nil>",
		`{"places":[{"city":"a"},{"city":"123456"}]}`: "places[1].city:TOO_LONG", `{"password":"ab"}`: "password:TOO_SHORT",
		`{"password":"` + strings.Repeat("x", 4097) + `"}`: "password:TOO_LONG",
		`{"email":"a\u0000@b.c"}`:                          "email:CONTROL_CHARACTER", `{"email":"a@b.c\r\nBcc: x"}`: "email:CONTROL_CHARACTER",
		`{"email":"a\u007f@b.c"}`: "email:CONTROL_CHARACTER", `{"note":"a\rb"}`: "note:CONTROL_CHARACTER", `{"note":"a\u000bb"}`: "note:CONTROL_CHARACTER",
		`{"tags":["\t"]}`: "tags[0]:CONTROL_CHARACTER", `{"limits":{"\n":1}}`: "limits.\ufffd:CONTROL_CHARACTER",
		`{"locale":"fr"}`: "locale:NOT_ALLOWED", `{"locale":"DE"}`: "locale:NOT_ALLOWED", `{"locale":""}`: "<nil>",
		`{"count":0}`: "count:OUT_OF_RANGE", `{"count":11}`: "count:OUT_OF_RANGE", `{"ratio":1.51}`: "ratio:OUT_OF_RANGE",
		`{"limits":{"a":-1}}`: "limits.a:OUT_OF_RANGE", `{"limits":{"a":1,"b":1,"c":1}}`: "limits:TOO_MANY",
		`{"tags":["a","b","c"]}`: "tags:TOO_MANY", `{"tags":[]}`: "tags:TOO_FEW", `{"tags":["abcd"]}`: "tags[0]:TOO_LONG",
		`{"id":"0190b2c4"}`: "id:INVALID_FORMAT", `{"site":"/relative"}`: "site:INVALID_FORMAT", `{"site":"https://"}`: "site:INVALID_FORMAT",
		`{"email":"a"}`: "email:INVALID_EMAIL", `{"email":"a b@c"}`: "email:INVALID_EMAIL", `{"email":"<a@b.c>"}`: "email:INVALID_EMAIL",
		`{"email":"a@b@c"}`: "email:INVALID_EMAIL", `{"email":"a@"}`: "email:INVALID_EMAIL", `{"email":"a@b..c"}`: "email:INVALID_EMAIL", `{"email":""}`: "<nil>",
	} {
		if got := reasons(decode(body, &everything{})); got != want {
			t.Errorf("%.80q: got %s, want %s", body, got, want)
		}
	}
}

func TestDecodeReportsAllFieldsTogetherUpToABound(t *testing.T) {
	t.Parallel()
	err := decode(`{"email":"a","count":0,"address":{}}`, &everything{})
	assert.Equal(t, reasons(err), "email:INVALID_EMAIL count:OUT_OF_RANGE address.city:REQUIRED")
	assert.Equal(t, assert.ErrorAs[*problem.Error](t, err).Status(), 422)

	many := map[string]int{}
	for i := range 500 {
		many[fmt.Sprint("unknown", i)] = i
	}
	body := assert.Must(json.Marshal(many))(t)
	assert.Len(t, assert.ErrorAs[*problem.Error](t, decode(string(body), &everything{})).Fields, 20)
}

func TestFieldErrorsNeverRepeatTheValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, body := range []string{
		`{"email":"hunter2"}`, `{"count":"hunter2"}`, `{"locale":"hunter2"}`, `{"tags":["hunter2"]}`, `{"id":"hunter2"}`, `{"site":"hunter2"}`,
		`{"password":"hunter2","count":0}`, `{"note":"hunter2\u0000"}`, `{"at":"hunter2"}`, `{"any":"hunter2`, `{"other":"hunter2"}`,
	} {
		err := decode(body, &everything{})
		assert.Error(t, err)
		w := httptest.NewRecorder()
		problem.Write(w, httptest.NewRequest("POST", "/", nil), err)
		assert.NotContains(t, w.Body.String()+err.Error(), secret)
	}
}

func TestIgnoredNamesAreAcceptedAtTheTopOnly(t *testing.T) {
	t.Parallel()
	h := mount(t, config(), entry("POST", "/a", guarded(route.JSON), func(r *route.Route) {
		r.Ignored = []string{"image"}
		r.Handler = func(w http.ResponseWriter, r *http.Request) {
			if err := route.Decode(r, &everything{}); err != nil {
				problem.Write(w, r, err)
			}
		}
	}))
	for body, want := range map[string]int{`{"image":{"x":1}}`: 200, `{"Image":1}`: 422, `{"address":{"city":"a","image":1}}`: 422} {
		assert.Equal(t, call(h, "POST", "/api/auth/a", body, "Content-Type", jsonType).Code, want)
	}
}

func TestDecodeIntoTheWrongThingIsOurMistake(t *testing.T) {
	t.Parallel()
	n := 0
	for _, dst := range []any{nil, n, &n, everything{}, (*everything)(nil), &struct {
		C chan int `json:"c"`
	}{}, &struct {
		M map[int]string `json:"c"`
	}{}, &struct {
		S string `json:"c" required:"perhaps"`
	}{}, &struct {
		address `json:"c"`
	}{}, &struct {
		Address address `json:"d"`
		Inner   struct {
			S string `json:"c" minimum:"x"`
		} `json:"c"`
	}{}} {
		err := decode(`{"c":{}}`, dst)
		assert.Equal(t, fmt.Sprintf("%T %v", dst, problem.KindOf(err)), fmt.Sprintf("%T %v", dst, problem.Internal))
	}
}

func TestQueryHasTheSameRules(t *testing.T) {
	t.Parallel()
	type query struct {
		Limit  int         `query:"limit" minimum:"1" maximum:"100"`
		Cursor string      `query:"cursor" maxLength:"5"`
		Unread *bool       `json:"unread"`
		States []string    `query:"state" enum:"open,done" maxItems:"2"`
		Since  *route.Time `query:"since"`
		Ratios []float64   `query:"ratio"`
		ID     string      `query:"id" json:"other" required:"true"`
	}
	at := route.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC))
	yes := true
	for raw, want := range map[string]any{
		"id=1": query{ID: "1"},
		"id=a%20b&limit=3&cursor=%C3%BC&unread=true&state=open&state=done&since=2026-01-02T03:04:05.006Z&ratio=1&ratio=.": "ratio[1]:INVALID_TYPE",
		"id=1&limit=3&unread=true&state=open&state=done&since=2026-01-02T03:04:05.006Z&ratio=1":                           query{3, "", &yes, []string{"open", "done"}, &at, []float64{1}, "1"},
		"id=1&limit=&unread=&cursor=": query{ID: "1"}, "id=1&ignored=x": query{ID: "1"},
		"": "id:REQUIRED", "id=": "id:REQUIRED", "id=1&id=1": "id:DUPLICATE_FIELD", "id=1&ID=2": "ID:UNKNOWN_FIELD",
		"id=1&limit=0": "limit:OUT_OF_RANGE", "id=1&limit=x": "limit:INVALID_TYPE", "id=1&limit=1.5": "limit:INVALID_TYPE",
		"id=1&limit=[1]": "limit:INVALID_TYPE", "id=1&limit=null": "limit:INVALID_TYPE", "id=1&unread=1": "unread:INVALID_TYPE",
		"id=1&cursor=123456": "cursor:TOO_LONG", "id=%00": "id:CONTROL_CHARACTER", "id=%ff": "id:INVALID_ENCODING",
		"id=1&state=other": "state[0]:NOT_ALLOWED", "id=1&state=open&state=open&state=open": "state:TOO_MANY", "id=%zz": "INVALID_QUERY", "id=1;x": "INVALID_QUERY",
		"id=1&%0a=1": "\ufffd:UNKNOWN_FIELD", "id=1&%ff=1": "\ufffd:INVALID_ENCODING", "id=1&other=1": "other:UNKNOWN_FIELD", "id=1&since=now": "since:INVALID_TYPE",
	} {
		var got query
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = raw
		err := route.DecodeQuery(r, &got, "ignored")
		if text, ok := want.(string); ok {
			assert.Equal(t, raw+" "+reasons(err), raw+" "+text)
			continue
		}
		assert.Equal(t, reasons(err), "<nil>")
		assert.Equal(t, any(got), want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"email":"a@b.c","count":1}`, `{"address":{"city":"x"},"tags":["a"]}`, `{"a":1,"a":2}`, `{"note":"\ud83d\ude00\\u"}`, `{"at":"2026-01-31T10:00:00Z"}`,
		`{"limits":{"a":1},"any":[[[]]],"metadata":{"x":{"y":"\u0000"}},"response":1e400}`, "{\"email\":\"\xff\"}", `{"\u0000":null}`, `{"nested":{"a":{"city":"b"}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var strict, loose everything
		err := decode(body, &strict)
		if err != nil {
			assert.NotEqual(t, problem.KindOf(err), problem.Internal)
			return
		}
		// Whatever is accepted means to encoding/json what it means to us.
		if strings.Trim(body, " \t\r\n") != "" {
			dec := json.NewDecoder(strings.NewReader(body))
			dec.DisallowUnknownFields()
			assert.NoError(t, dec.Decode(&loose))
		}
		if !reflect.DeepEqual(strict, loose) {
			t.Errorf("%q: strict %+v, loose %+v", body, strict, loose)
		}
	})
}

func FuzzDecodeQuery(f *testing.F) {
	for _, seed := range []string{"", "email=a@b.c&count=3", "tags=a&tags=b", "count=1e1", "%00=1", "a=%ff", "ratio=1&ratio=2", "at=2026-01-31T10:00:00Z", "any=x&metadata={}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		var got everything
		if err := route.DecodeQuery(r, &got); err != nil {
			assert.NotEqual(t, problem.KindOf(err), problem.Internal)
			return
		}
		assert.False(t, strings.ContainsAny(got.Email+got.Locale+strings.Join(got.Tags, ""), "\x00\r\n"), "control characters pass")
		assert.True(t, len(got.Tags) <= 2 && got.Count <= 10, "rules are obeyed")
	})
}
