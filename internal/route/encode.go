package route

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tenon-go/tenon/problem"
)

// Respond answers with v as JSON and status 200, or with the problem that err is.
func Respond(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	WriteJSON(w, r, http.StatusOK, v)
}

// OrNull is s as the wire has it: null in the place of an empty text.
func OrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// WriteJSON answers with v as JSON. The answer is uncacheable. A v that has no
// JSON form is a 500: nothing is written before all of it is encoded.
func WriteJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		problem.Write(w, r, fmt.Errorf("route: encode %T: %w", v, err))
		return
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", mediaJSON)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_, _ = w.Write(body)
	}
}
