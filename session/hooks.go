package session

import (
	"context"

	"github.com/tenon-go/tenon/internal/hook"
)

// SessionStarted says that a user signed in.
type SessionStarted struct{ Session Session }

// SessionElevated says that the user of a session proved one more factor, or one
// once more. Session is as it is now; its earlier token is dead.
type SessionElevated struct {
	Session Session
	// Channel is what was proven.
	Channel string
}

// SessionRevoked says that a session was ended before its time.
type SessionRevoked struct{ UserID, SessionID string }

// RefreshReused says that a refresh token came back after its time, so that its
// session was ended: it was stolen, or a client keeps its tokens badly. A
// SessionRevoked of the same session came before.
type RefreshReused struct {
	UserID, SessionID string
	// Generation is how many tokens of the session there had been.
	Generation int64
}

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently.
type Hooks struct {
	SessionStarted  func(ctx context.Context, e SessionStarted) error
	SessionElevated func(ctx context.Context, e SessionElevated) error
	SessionRevoked  func(ctx context.Context, e SessionRevoked) error
	RefreshReused   func(ctx context.Context, e RefreshReused) error
}

// JoinHooks returns Hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.SessionStarted = hook.Chain(joined.SessionStarted, h.SessionStarted)
		joined.SessionElevated = hook.Chain(joined.SessionElevated, h.SessionElevated)
		joined.SessionRevoked = hook.Chain(joined.SessionRevoked, h.SessionRevoked)
		joined.RefreshReused = hook.Chain(joined.RefreshReused, h.RefreshReused)
	}
	return joined
}
