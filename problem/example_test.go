package problem_test

import (
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/tenon-go/tenon/problem"
)

// A package declares its sentinel once, wraps it with what went wrong, and the
// handler renders it.
func Example() {
	errNotPending := problem.New(problem.Conflict, "INVITATION_NOT_PENDING", "The invitation is no longer open.")
	err := fmt.Errorf("tenancy: accept invitation: %w", errNotPending)

	w := httptest.NewRecorder()
	problem.Write(w, httptest.NewRequest("POST", "/organization/accept-invitation", nil), err)
	fmt.Println(errors.Is(err, errNotPending), w.Code, w.Header().Get("Content-Type"))
	fmt.Println(problem.CodeOf(err))
	// Output:
	// true 409 application/problem+json
	// INVITATION_NOT_PENDING
}
