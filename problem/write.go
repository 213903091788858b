package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// TypeBase is the prefix of every problem's type; what follows is the code in
// lower-kebab form.
const TypeBase = "https://github.com/tenon-go/tenon/problems"

// ContentType is the media type of a rendered problem (RFC 9457).
const ContentType = "application/problem+json"

// Document is a problem as clients see it.
type Document struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code"`
	Message   string       `json:"message"`
	Errors    []FieldError `json:"errors,omitempty"`
	RequestID string       `json:"requestId"`
}

// document shows nothing of an internal error but its kind.
func (e *Error) document(requestID string) Document {
	code, text, fields := e.code(), e.Message, e.Fields
	if code == internalCode {
		text, fields = internalText, nil
	}
	return Document{
		Type:      TypeBase + "/" + strings.ReplaceAll(strings.ToLower(code), "_", "-"),
		Title:     e.Kind.Title(),
		Status:    e.Status(),
		Detail:    text,
		Code:      code,
		Message:   text,
		Errors:    fields,
		RequestID: requestID,
	}
}

// Write answers the request with err as a problem. An error without a kind is a
// 500 with fixed text whose cause is logged, through the logger of the request's
// context or [slog.Default], with the request's method and route pattern: never
// its path, query, headers or body. So is, at level Info, that somebody was refused
// what they may not do. An ended context is a 503: the client is gone or too late.
//
// Every answer is uncacheable. A 401 has WWW-Authenticate with a scheme that no
// browser answers with a dialog, unless the handler set one; 429 and 503 have
// Retry-After; a 405 has Allow where the error or the handler names methods.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	e := of(err)
	report(r, e, err)
	// The document has no value that json refuses: this cannot fail.
	body, _ := json.Marshal(e.document(RequestID(r.Context())))
	body = append(body, '\n')
	h := w.Header()
	setHeaders(h, e)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status())
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_, _ = w.Write(body)
	}
}

func setHeaders(h http.Header, e *Error) {
	// What the handler meant for its own answer does not describe this one.
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "Etag", "Last-Modified", "Accept-Ranges"} {
		h.Del(name)
	}
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch e.Kind {
	case Unauthenticated:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", `Session realm="tenon"`)
		}
	case RateLimited, Unavailable:
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(e.RetryAfter), 10))
	case MethodNotAllowed:
		if len(e.Allow) > 0 {
			h.Set("Allow", strings.Join(e.Allow, ", "))
		}
	}
}

// wholeSeconds rounds up, because a client that comes a moment early is refused
// again. At least one.
func wholeSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return max(s, 1)
}

// report logs what the operator must know and the client must not, and who was
// refused what they may not do (ASVS 16.3.2).
func report(r *http.Request, e *Error, err error) {
	level := slog.LevelError
	switch {
	case errors.Is(err, context.Canceled):
		level = slog.LevelDebug // the client is gone
	case e.Kind == Unavailable:
		level = slog.LevelWarn
	case e.Kind == PermissionDenied:
		level = slog.LevelInfo
	case e.code() != internalCode && e.Err == nil:
		return
	case e.code() != internalCode:
		level = slog.LevelDebug
	}
	logger(r.Context()).LogAttrs(r.Context(), level, "request failed",
		slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.String("code", e.code()), slog.String("error", fmt.Sprint(err)))
}

type requestIDKey struct{}

// NewRequestIDContext returns a ctx that carries the request's id. The id is
// ours: it is never taken from a request.
func NewRequestIDContext(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id that ctx carries, "" where there is none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

type loggerKey struct{}

// NewLoggerContext returns a ctx whose problems are logged by l. Without it
// [Write] uses slog.Default.
func NewLoggerContext(ctx context.Context, l *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, l)
}

func logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok && l != nil {
		return l
	}
	return slog.Default()
}
