package mail

import (
	"errors"
	"fmt"
)

// SendError says at which step of SMTP a message failed. It holds nothing that
// the server said except its code, because servers repeat addresses.
type SendError struct {
	Step      string // "dial", "greeting", "hello", "starttls", "auth", "sender", "recipient", "data", "end"
	Code      int    // the server's reply, 0 if there was none
	Permanent bool   // no retry mends it
	Err       error  // the cause, if it was not a reply
}

// Error returns the step and the reply's code or the cause.
func (e *SendError) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("mail: smtp: %s: the server answered %d", e.Step, e.Code)
	}
	return fmt.Sprintf("mail: smtp: %s: %v", e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// IsPermanent reports whether no retry mends err: the message itself is invalid
// or was refused for good.
func IsPermanent(err error) bool {
	if e, ok := errors.AsType[*SendError](err); ok {
		return e.Permanent
	}
	return errors.Is(err, ErrInvalidMessage)
}
