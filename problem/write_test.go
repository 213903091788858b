package problem_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// write renders err for a request with a token in its query, and returns the
// answer and what was logged.
func write(method string, err error) (*httptest.ResponseRecorder, string) {
	var log bytes.Buffer
	r := httptest.NewRequest(method, "/verify-email/path-secret?token=query-secret", strings.NewReader("body-secret"))
	r.Header.Set("Authorization", "Bearer header-secret")
	r.Pattern = "GET /verify-email/{token}"
	ctx := problem.NewLoggerContext(r.Context(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	w := httptest.NewRecorder()
	problem.Write(w, r.WithContext(problem.NewRequestIDContext(ctx, "REQ1")), err)
	return w, log.String()
}

func TestWriteRendersTheDocument(t *testing.T) {
	t.Parallel()
	err := problem.ErrValidation.WithFields(problem.FieldError{Field: "email", Code: "REQUIRED", Message: "is missing; add it"})
	w, log := write("POST", fmt.Errorf("auth: %w", err))

	assert.Equal(t, w.Code, 422)
	assert.Equal(t, w.Body.String(), `{"type":"https://github.com/tenon-go/tenon/problems/validation-error",`+
		`"title":"Invalid request","status":422,"detail":"The request has invalid fields.","code":"VALIDATION_ERROR",`+
		`"message":"The request has invalid fields.",`+
		`"errors":[{"field":"email","code":"REQUIRED","message":"is missing; add it"}],"requestId":"REQ1"}`+"\n")
	for name, want := range map[string]string{
		"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Retry-After": "", "WWW-Authenticate": "", "Allow": "",
	} {
		assert.Equal(t, w.Header().Get(name), want)
	}
	assert.Equal(t, log, "")
}

func TestWriteSaysNothingOfAnUnknownError(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("pq: relation tenon_users"), nil, &problem.Error{Message: "relation"},
		problem.New(problem.Internal, "RELATION", "relation").WithFields(problem.FieldError{Field: "relation"}),
	} {
		w, log := write("GET", err)
		assert.Equal(t, w.Code, 500)
		assert.Contains(t, w.Body.String(), `"code":"INTERNAL_SERVER_ERROR"`)
		assert.NotContains(t, strings.ToLower(w.Body.String()), "relation")
		assert.Contains(t, log, "level=ERROR")
		assert.Contains(t, log, `route="GET /verify-email/{token}"`)
		assert.NotContains(t, log, "secret")
	}
	_, log := write("GET", errors.New("pq: relation tenon_users"))
	assert.Contains(t, log, "pq: relation tenon_users")
}

func TestWriteLogsCausesByTheirWeight(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	for _, c := range []struct {
		err  error
		want string
	}{
		{problem.ErrUnavailable.With(cause), "level=WARN"},
		{problem.ErrForbidden.With(cause), "level=INFO"},
		{fmt.Errorf("admin: %w", problem.ErrForbidden), "level=INFO"}, // ASVS 16.3.2, whether or not there is a cause
		{problem.ErrValidation.With(cause), "level=DEBUG"},
		{fmt.Errorf("query: %w", context.Canceled), "level=DEBUG"},
		{context.DeadlineExceeded, "level=WARN"},
	} {
		_, log := write("POST", c.err)
		assert.Contains(t, log, c.want)
	}
}

func TestWriteSetsTheHeadersOfTheKind(t *testing.T) {
	t.Parallel()
	limited := problem.New(problem.RateLimited, "TOO_MANY_REQUESTS", "Slow down.")
	for _, c := range []struct {
		err        error
		name, want string
	}{
		{limited, "Retry-After", "1"},
		{limited.WithRetryAfter(time.Second), "Retry-After", "1"},
		{limited.WithRetryAfter(time.Second + 1), "Retry-After", "2"},
		{limited.WithRetryAfter(-time.Hour), "Retry-After", "1"},
		{limited.WithRetryAfter(1<<63 - 1), "Retry-After", "9223372037"},
		{problem.ErrUnavailable, "Retry-After", "1"},
		{problem.ErrUnauthenticated, "WWW-Authenticate", `Session realm="tenon"`},
		{problem.New(problem.MethodNotAllowed, "CONFIRM_WITH_POST", "Use POST.").WithAllow("GET", "POST"), "Allow", "GET, POST"},
		{context.Canceled, "Retry-After", "1"},
	} {
		w, _ := write("GET", c.err)
		assert.Equal(t, w.Header().Get(c.name), c.want)
	}
}

func TestWriteReplacesWhatTheHandlerMeantForItsOwnAnswer(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	w.Header().Set("Content-Length", "7")
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Cache-Control", "public")
	w.Header().Set("WWW-Authenticate", "Bearer")
	problem.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), problem.ErrUnauthenticated)

	assert.Equal(t, w.Header().Get("Content-Encoding"), "")
	assert.Equal(t, w.Header().Get("Content-Length"), fmt.Sprint(w.Body.Len()))
	assert.Equal(t, w.Header().Get("Content-Type"), problem.ContentType)
	assert.Equal(t, w.Header().Get("Cache-Control"), "no-store")
	assert.Equal(t, w.Header().Get("WWW-Authenticate"), "Bearer")
}

func TestWriteAnswersHEADWithoutABody(t *testing.T) {
	t.Parallel()
	w, _ := write("HEAD", problem.ErrNotFound)
	full, _ := write("GET", problem.ErrNotFound)
	assert.Equal(t, w.Code, 404)
	assert.Equal(t, w.Body.Len(), 0)
	assert.Equal(t, w.Header().Get("Content-Length"), fmt.Sprint(full.Body.Len()))
}

func FuzzWriteIsAlwaysJSON(f *testing.F) {
	f.Add("name", "CODE", "text")
	f.Add("\x00\xff\"}", "</script>", "\u2028\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, field, code, text string) {
		err := problem.New(problem.Invalid, code, text).WithFields(problem.FieldError{Field: field, Code: code, Message: text})
		w, _ := write("POST", err)
		var doc problem.Document
		assert.NoError(t, json.Unmarshal(w.Body.Bytes(), &doc))
		assert.Len(t, doc.Errors, 1)
		assert.Equal(t, doc.Errors[0].Field, string([]rune(field)))
		assert.NotContains(t, w.Body.String(), "</script>")
	})
}
