package passkey

import (
	"context"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
)

// Hooks are called inside the transaction of their cause: an error rolls the
// whole of it back and reaches the caller. Every field may be nil. They must not
// do network I/O. Sign-ins and failures are told by auth.Hooks, whatever the way in
// was.
type Hooks struct {
	// PasskeyAdded runs when a user has a new passkey (OWASP: authn_token_created).
	PasskeyAdded func(ctx context.Context, e Added) error
	// PasskeyRemoved runs when a user deleted one (OWASP: authn_token_deleted).
	PasskeyRemoved func(ctx context.Context, e Removed) error
	// PasskeyCloned runs, in a transaction of its own, when a signature was right and
	// its counter was not: two authenticators have the same key. The sign-in is
	// refused (OWASP: authn_token_reuse).
	PasskeyCloned func(ctx context.Context, e Cloned) error
}

// Added says which passkey a user registered.
type Added struct {
	Passkey Passkey
	Client  auth.Client
}

// Removed says which passkey a user deleted.
type Removed struct {
	Passkey Passkey
	Client  auth.Client
}

// Cloned says that the key of a passkey is in two authenticators. Passkey has the
// counter that is stored, which the sign-in left as it was; Counter is what the
// authenticator counted.
type Cloned struct {
	Passkey Passkey
	Counter uint32
	Client  auth.Client
}

// JoinHooks returns hooks that call those of all in order and stop at the first error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.PasskeyAdded = hook.Chain(joined.PasskeyAdded, h.PasskeyAdded)
		joined.PasskeyRemoved = hook.Chain(joined.PasskeyRemoved, h.PasskeyRemoved)
		joined.PasskeyCloned = hook.Chain(joined.PasskeyCloned, h.PasskeyCloned)
	}
	return joined
}
