package route

import (
	"fmt"
	"io"
	"net/http"
	"runtime/debug"

	"github.com/tenon-go/tenon/ratelimit"
)

// tracker notes whether the answer has begun. http.ResponseController reaches
// what is behind it through Unwrap.
type tracker struct {
	http.ResponseWriter
	started bool
}

// Unwrap returns the writer behind.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader passes code on. Informational answers begin nothing. A 404 is the
// same for everybody and says nothing of what was spent (R7).
func (t *tracker) WriteHeader(code int) {
	if code == http.StatusNotFound {
		ratelimit.DropHeaders(t.Header())
	}
	t.started = t.started || code >= http.StatusOK
	t.ResponseWriter.WriteHeader(code)
}

// Write passes p on.
func (t *tracker) Write(p []byte) (int, error) {
	t.started = true
	return t.ResponseWriter.Write(p)
}

// ReadFrom keeps the fast way from a file to the connection.
func (t *tracker) ReadFrom(src io.Reader) (int64, error) {
	t.started = true
	return io.Copy(t.ResponseWriter, src)
}

// ifUnstarted returns t, or a writer to nowhere once the answer has begun: the
// cause must be logged even where nothing can be said any more.
func (t *tracker) ifUnstarted() http.ResponseWriter {
	if t.started {
		return nowhere{}
	}
	return t
}

// nowhere is a ResponseWriter that says nothing.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

// panicError is what a handler panicked with, for the log.
type panicError struct{ value any }

// Error includes the stack, which is the panic's as long as it unwinds.
func (p panicError) Error() string {
	return fmt.Sprintf("panic: %v\n%s", p.value, debug.Stack())
}
