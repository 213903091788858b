package route_test

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

func TestR32_TimesHaveExactlyThreeFractionalDigits(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 21, 23, 20, 0, 123456789, time.UTC), `"2026-11-21T23:20:00.123Z"`},
		{time.Date(2026, 11, 22, 0, 20, 0, 999999999, berlin), `"2026-11-21T23:20:00.999Z"`},
		{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), `"2026-01-01T00:00:00.000Z"`},
		{time.Time{}, `"0001-01-01T00:00:00.000Z"`},
	} {
		got := assert.Must(json.Marshal(map[string]any{"at": route.NewTime(c.at)}))(t)
		assert.Equal(t, string(got), `{"at":`+c.want+`}`)
	}
	_, err := json.Marshal(route.Time{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	assert.Error(t, err)
	assert.Equal(t, string(assert.Must(json.Marshal((*route.Time)(nil)))(t)), "null")
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-21T23:20:00Z": "2026-11-21T23:20:00.000Z", "2026-11-21T23:20:00.1234567+01:00": "2026-11-21T22:20:00.123Z",
		"": "", "2026-11-21": "", "2026-11-21 23:20:00Z": "", "2026-02-30T00:00:00Z": "", "2026-11-21T23:20:00": "", "10000-01-01T00:00:00Z": "",
		"0001-01-01T00:00:00+01:00": "", "9999-12-31T23:59:59-01:00": "", "now": "", "1732231200": "", "2026-11-21T23:20:00Zx": "",
	} {
		got, err := route.ParseTime(text)
		assert.Equal(t, err == nil, want != "")
		if err == nil {
			assert.Equal(t, got.String(), want)
		}
	}
	var at route.Time
	for _, raw := range []string{`1`, `""`, `"2026\u002d11-21T23:20:00Z"`, `{}`, `[`, `"`} {
		assert.Error(t, at.UnmarshalJSON([]byte(raw)))
	}
	assert.NoError(t, at.UnmarshalJSON([]byte("null")))
	assert.True(t, at.IsZero(), "null leaves the time alone")
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-11-21T23:20:00.123Z")
	f.Add("2026-11-21t23:20:00,5+23:59")
	wire := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := route.ParseTime(text)
		if err != nil {
			return
		}
		assert.True(t, wire.MatchString(at.String()), "written in one form")
		again := assert.Must(route.ParseTime(at.String()))(t)
		assert.True(t, again.Equal(at.Truncate(time.Millisecond)), "read back what was written")
	})
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	route.WriteJSON(w, httptest.NewRequest("GET", "/", nil), 201, map[string]string{"a": "</script>"})
	assert.Equal(t, w.Code, 201)
	assert.Equal(t, w.Body.String(), `{"a":"\u003c/script\u003e"}`+"\n")
	assert.Equal(t, w.Header().Get("Content-Type"), "application/json")
	assert.Equal(t, w.Header().Get("Cache-Control"), "no-store")

	w = httptest.NewRecorder()
	route.WriteJSON(w, httptest.NewRequest("HEAD", "/", nil), 200, nil)
	assert.Equal(t, w.Body.Len(), 0)
	assert.Equal(t, w.Header().Get("Content-Length"), "5")

	w = httptest.NewRecorder()
	quiet := problem.NewLoggerContext(t.Context(), slog.New(slog.DiscardHandler))
	route.WriteJSON(w, httptest.NewRequestWithContext(quiet, "GET", "/", nil), 200, make(chan int))
	assert.Equal(t, w.Code, 500)
	assert.False(t, strings.Contains(w.Body.String(), "chan"), "an answer that cannot be encoded says nothing of itself")
}
