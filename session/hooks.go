package session

import "context"

// SessionStarted says that a user signed in.
type SessionStarted struct{ Session Session }

// SessionRevoked says that a session was ended before its time.
type SessionRevoked struct{ UserID, SessionID string }

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently.
type Hooks struct {
	SessionStarted func(ctx context.Context, e SessionStarted) error
	SessionRevoked func(ctx context.Context, e SessionRevoked) error
}

// JoinHooks returns Hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.SessionStarted = chain(joined.SessionStarted, h.SessionStarted)
		joined.SessionRevoked = chain(joined.SessionRevoked, h.SessionRevoked)
	}
	return joined
}

func chain[E any](first, second func(context.Context, E) error) func(context.Context, E) error {
	if first == nil || second == nil {
		if first == nil {
			return second
		}
		return first
	}
	return func(ctx context.Context, e E) error {
		if err := first(ctx, e); err != nil {
			return err
		}
		return second(ctx, e)
	}
}

func call[E any](ctx context.Context, hook func(context.Context, E) error, e E) error {
	if hook == nil {
		return nil
	}
	return hook(ctx, e)
}
