package auth

import (
	"context"

	"github.com/tenon-go/tenon/internal/hook"
)

// Hooks are called inside the transaction of their cause: an error rolls the
// whole of it back and reaches the caller. Every field may be nil. They must not
// do network I/O.
type Hooks struct {
	// BeforeSignUp may refuse a sign-up, whether or not its address is taken.
	BeforeSignUp func(ctx context.Context, e BeforeSignUp) error
	// UserCreated runs when an address is proven and its user exists
	// (OWASP: user_created, authn_email_verified).
	UserCreated func(ctx context.Context, e UserCreated) error
	// BeforeSession may refuse to start a session for a proven user.
	BeforeSession func(ctx context.Context, e BeforeSession) error
	// SignedIn runs when a session has been started (OWASP: authn_login_success).
	SignedIn func(ctx context.Context, e SignedIn) error
	// SignInFailed runs, in a transaction of its own, when a guess was wrong
	// (OWASP: authn_login_fail).
	SignInFailed func(ctx context.Context, e SignInFailed) error
}

// BeforeSignUp says who wants to sign up.
type BeforeSignUp struct {
	Address Address
	Name    string
	Client  Client
}

// UserCreated says that an address was proven and belongs to a new user.
type UserCreated struct {
	User   User
	Client Client
}

// BeforeSession says who is about to get a session, and by which channels.
type BeforeSession struct {
	UserID   string
	Channels []string
	Client   Client
}

// SignedIn says who got which session.
type SignedIn struct {
	UserID    string
	SessionID string
	Channels  []string
	Client    Client
}

// SignInFailed says that somebody failed to prove to be a user. UserID is empty
// where the address is nobody's.
type SignInFailed struct {
	UserID string
	Factor string
	Client Client
}

// JoinHooks returns hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.BeforeSignUp = hook.Chain(joined.BeforeSignUp, h.BeforeSignUp)
		joined.UserCreated = hook.Chain(joined.UserCreated, h.UserCreated)
		joined.BeforeSession = hook.Chain(joined.BeforeSession, h.BeforeSession)
		joined.SignedIn = hook.Chain(joined.SignedIn, h.SignedIn)
		joined.SignInFailed = hook.Chain(joined.SignInFailed, h.SignInFailed)
	}
	return joined
}
