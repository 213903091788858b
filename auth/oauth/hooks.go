package oauth

import (
	"context"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// Hooks are called inside the transaction of their cause: an error rolls the whole of
// it back and reaches the caller. Every field may be nil. They must not do network I/O.
// Sign-ins are told by auth.Hooks, whatever the way in was.
type Hooks struct {
	// AccountLinked runs when a user has a new link (OWASP: authn_token_created).
	AccountLinked func(ctx context.Context, e Linked) error
	// AccountUnlinked runs when a user ended one (OWASP: authn_token_deleted).
	AccountUnlinked func(ctx context.Context, e Unlinked) error
	// SignInRefused runs, in a transaction of its own, when what came from a provider was
	// not accepted (OWASP: authn_login_fail).
	SignInRefused func(ctx context.Context, e Refused) error
	// GrantEnded runs when a provider said that its tokens are of no use any more (OWASP:
	// authn_token_revoked).
	GrantEnded func(ctx context.Context, e GrantEnded) error
}

// Linked says which account at a provider is a user's from now on. Automatic says that
// the provider proved the user's mailbox; otherwise the user asked for it.
type Linked struct {
	Link      Link
	Automatic bool
	Client    auth.Client
}

// Unlinked says which account at a provider is a user's no more.
type Unlinked struct {
	Link   Link
	Client auth.Client
}

// Refused says that a callback, or an ID token, was not accepted. UserID is empty where
// nobody is known. Code is that of the error, and Reason what the logs may know; neither
// holds a token, a code or an address.
type Refused struct {
	Provider string
	Purpose  string
	UserID   string
	Code     string
	Reason   string
	Client   auth.Client
}

// GrantEnded says that a provider does not let us act for a user any more.
type GrantEnded struct {
	LinkID   string
	UserID   string
	Provider string
}

// JoinHooks returns hooks that call those of all in order and stop at the first error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.AccountLinked = hook.Chain(joined.AccountLinked, h.AccountLinked)
		joined.AccountUnlinked = hook.Chain(joined.AccountUnlinked, h.AccountUnlinked)
		joined.SignInRefused = hook.Chain(joined.SignInRefused, h.SignInRefused)
		joined.GrantEnded = hook.Chain(joined.GrantEnded, h.GrantEnded)
	}
	return joined
}
