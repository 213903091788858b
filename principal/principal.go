package principal

import (
	"context"
	"time"
)

// Principal is the caller of one request, as it was read from the database for
// this request: nothing in it is taken from a claim the client could have kept
// (R15, R18). At least one of UserID and APIKeyID is set.
type Principal struct {
	// UserID is the user who acts. It is empty for a key that an organization
	// owns.
	UserID string
	// SessionID is the public id of the session. It is empty for API keys.
	SessionID string
	// OrganizationID is the organization that is the scope of the request, where
	// one is active. An API key's is fixed.
	OrganizationID string
	// APIKeyID is the key that the request was made with, where it was made with
	// one.
	APIKeyID string
	// ImpersonatorID is the superuser who acts as UserID. Where it is set, every
	// route that touches credentials, keys, provider tokens, deletion, ownership,
	// acceptance or superuser powers is refused (R22), and Superuser is false.
	ImpersonatorID string
	// Role is the member's role in OrganizationID, as read with the session (R18): one,
	// or several with commas between them.
	Role string
	// Permissions are what Role allows in OrganizationID; ask [Principal.Can]. Do not
	// change them.
	Permissions Permissions
	// Superuser is true for an operator of the whole installation. It is never
	// true for an API key or an impersonated session (R22).
	Superuser bool
	// SecondFactor says that the user turned a second factor on: then what is
	// sensitive needs a fresh proof of it (R12), and superuser powers an assurance of
	// 2 (R22).
	SecondFactor bool
	// Assurance is the assurance level of the session: 1 after one channel, 2
	// after two different channels of which the second is totp, recovery or a
	// passkey, or after a passkey that verified its user (R11). It is 0 for API keys.
	Assurance int
	// AuthenticatedAt is when the sign-in that made the session was proven, in UTC.
	AuthenticatedAt time.Time
	// FreshAt is when the session last saw a proof, in UTC, and FreshChannels is
	// what was proven then: at first the sign-in, later the newest step-up. What
	// needs a fresh proof asks session.CheckFresh, which judges them (R12). FreshAt
	// is zero, and FreshChannels empty, where nothing is ever fresh: for API keys
	// and impersonated sessions (R22). Do not change the slice.
	FreshAt       time.Time
	FreshChannels []string
	// Channels are the proofs that the session rests on: password, mailbox,
	// provider, totp, recovery, passkey:<id> (R11). Do not change the slice.
	Channels []string
	// TrustedUntil is when the trust in the device ends on which the session began,
	// zero where it is none. It counts for nothing but a [SecondFactorPolicy] that
	// says so (R11).
	TrustedUntil time.Time
	// Restricted says that the host demands a second factor which the session has not
	// proven: nothing is open to it but enrolment, step-up and its own end. Then
	// [FromContext] knows no caller, outside of [AllowRestricted].
	Restricted bool
	// RestrictedOrganizationID is the session's active organization where its own
	// policy keeps the session out. OrganizationID and Role are empty then (R13).
	RestrictedOrganizationID string
	// ScopeErr is why OrganizationID is empty where the request named an organization.
	ScopeErr error
	// StrictSuperuser says that the powers of superusers need an assurance of 2 from
	// those, too, who have turned no second factor on.
	StrictSuperuser bool
}

// IsSuperuser reports whether the caller has a superuser's powers in this request:
// in person, and with the second factor proven where they have one (R22).
func (p *Principal) IsSuperuser() bool {
	return p.mayBeSuperuser() && !p.Restricted && (p.Assurance >= 2 || !p.SecondFactor && !p.StrictSuperuser)
}

// mayBeSuperuser is IsSuperuser but for the second factor.
func (p *Principal) mayBeSuperuser() bool {
	return p.Superuser && p.APIKeyID == "" && p.ImpersonatorID == ""
}

// Evidence is what the caller has to show to a [SecondFactorPolicy].
func (p *Principal) Evidence() Evidence {
	return Evidence{Assurance: p.Assurance, TrustedUntil: p.TrustedUntil}
}

type contextKey struct{}

// allowKey marks a ctx in which restricted callers count.
type allowKey struct{}

// NewContext returns a ctx in which p is the caller. p must not be changed
// afterwards. A nil p hides the caller of the outer ctx.
func NewContext(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns the caller, and false where nobody has been identified or the
// caller is restricted (see [Principal.Restricted]). The Principal is shared: read it
// only.
func FromContext(ctx context.Context) (*Principal, bool) {
	p := callerOf(ctx)
	if p == nil || closed(ctx, p) {
		return nil, false
	}
	return p, true
}

// AllowRestricted returns a ctx in which restricted callers count like others, for
// what leads out of the restriction: the enrolment of a second factor, a step-up,
// and the end of the session. Superuser powers and organizations stay closed.
func AllowRestricted(ctx context.Context) context.Context {
	if p := callerOf(ctx); p == nil || !p.Restricted {
		return ctx
	}
	return context.WithValue(ctx, allowKey{}, true)
}

// IsRestricted reports whether the caller is restricted, wherever that matters.
func IsRestricted(ctx context.Context) bool {
	p := callerOf(ctx)
	return p != nil && p.Restricted
}

// callerOf returns the caller, restricted or not, or nil.
func callerOf(ctx context.Context) *Principal {
	p, _ := ctx.Value(contextKey{}).(*Principal)
	return p
}

// closed reports whether ctx is nothing for p.
func closed(ctx context.Context, p *Principal) bool {
	return p.Restricted && ctx.Value(allowKey{}) == nil
}

// IsKey reports whether key is what [FromContext] asks a context for. A context
// type that carries more than the caller answers it with a *Principal in its
// Value method, and spares the context that NewContext would make.
func IsKey(key any) bool {
	_, is := key.(contextKey)
	return is
}
