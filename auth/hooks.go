package auth

import (
	"context"
	"time"

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
	// SignUpProven runs after UserCreated or UserVerified where the address was that of
	// a sign-up, for packages that attached something to it.
	SignUpProven func(ctx context.Context, e SignUpProven) error
	// BeforeSession may refuse to start a session for a proven user.
	BeforeSession func(ctx context.Context, e BeforeSession) error
	// SignedIn runs when a session has been started (OWASP: authn_login_success).
	SignedIn func(ctx context.Context, e SignedIn) error
	// ChallengeStarted runs when a first factor was proven and the second is asked
	// for. No session exists.
	ChallengeStarted func(ctx context.Context, e ChallengeStarted) error
	// SignInFailed runs, in a transaction of its own, when a guess was wrong
	// (OWASP: authn_login_fail).
	SignInFailed func(ctx context.Context, e SignInFailed) error
	// UserVerified runs when a user who existed unproven has proven the address
	// (OWASP: authn_email_verified).
	UserVerified func(ctx context.Context, e UserVerified) error
	// UserUpdated runs when a profile was changed (OWASP: user_updated).
	UserUpdated func(ctx context.Context, e UserUpdated) error
	// PasswordChanged runs when a password was set, changed or reset (OWASP:
	// authn_password_change).
	PasswordChanged func(ctx context.Context, e PasswordChanged) error
	// EmailChanged runs when a user's address was changed (OWASP: user_updated).
	EmailChanged func(ctx context.Context, e EmailChanged) error
	// UserBanned runs when a user was banned (OWASP: authn_login_lock).
	UserBanned func(ctx context.Context, e UserBanned) error
	// UserUnbanned runs when a ban was lifted (OWASP: user_updated).
	UserUnbanned func(ctx context.Context, e UserUnbanned) error
	// UserUnlocked runs when guesses at an account are counted anew (OWASP:
	// authn_login_lock).
	UserUnlocked func(ctx context.Context, e UserUnlocked) error
	// SuperuserChanged runs when a user became a superuser or ceased to be one
	// (OWASP: authz_admin).
	SuperuserChanged func(ctx context.Context, e SuperuserChanged) error
	// SteppedUp runs when a signed-in user proved a factor again (OWASP:
	// authn_login_success).
	SteppedUp func(ctx context.Context, e SteppedUp) error
	// DeviceTrusted runs when a browser was made a trusted device (OWASP:
	// authn_token_created).
	DeviceTrusted func(ctx context.Context, e DeviceTrusted) error
	// TrustReplayed runs when a token of a trusted device came back that had been
	// replaced, which ended the trust (OWASP: authn_token_reuse).
	TrustReplayed func(ctx context.Context, e TrustReplayed) error
	// TrustRevoked runs when the owner ended the trust in a device (OWASP:
	// authn_token_revoked).
	TrustRevoked func(ctx context.Context, e TrustRevoked) error
	// SecondFactorReset runs when a superuser took a user's second factors away (OWASP:
	// authn_factor_reset).
	SecondFactorReset func(ctx context.Context, e SecondFactorReset) error
	// Impersonated runs when a superuser began to act as a user (OWASP:
	// authz_admin).
	Impersonated func(ctx context.Context, e Impersonated) error
	// BeforeUserDeleted runs before a user is deleted, and may refuse it:
	// packages that hold what must not lose its owner veto here (OWASP:
	// user_deleted).
	BeforeUserDeleted func(ctx context.Context, e BeforeUserDeleted) error
	// OwnerTold runs when the owner of an account is mailed what happened to it, such as
	// a new password or factor, for those who tell it elsewhere as well.
	OwnerTold func(ctx context.Context, e OwnerTold) error
	// UserDeleted runs when the user's row is gone: every package deletes what it
	// keeps about the user (OWASP: user_deleted).
	UserDeleted func(ctx context.Context, e UserDeleted) error
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
	// InvitationID is the invitation by which the user signed up, or empty.
	InvitationID string
}

// SignUpProven says which sign-up became which user. What was attached to it may stay
// only if Kept is set: otherwise somebody else than whoever signed up proved the mailbox
// (rule R5).
type SignUpProven struct {
	SignUpID string
	User     User
	Kept     bool
	Client   Client
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

// ChallengeStarted is a sign-in that waits for its second factor.
type ChallengeStarted struct {
	UserID string
	// Channels were proven, Methods can be.
	Channels, Methods []string
	Client            Client
}

// SignInFailed says that somebody failed to prove to be a user. UserID is empty
// where the address is nobody's.
type SignInFailed struct {
	UserID string
	Factor string
	Client Client
}

// UserVerified says that a user who existed without proof has proven the
// address. Password, links and sessions from before are gone (rule R4).
type UserVerified struct {
	User   User
	Client Client
}

// UserUpdated says that a profile was changed, and by whom.
type UserUpdated struct {
	User    User
	ActorID string
}

// PasswordChanged says that a password was set, changed or reset. ActorID is the
// user, a superuser, or empty after a reset by mail.
type PasswordChanged struct {
	UserID  string
	ActorID string
	Client  Client
}

// EmailChanged says that a user's address was changed, after the new mailbox was
// proven.
type EmailChanged struct {
	UserID   string
	ActorID  string
	Old, New Address
	Client   Client
}

// UserBanned says that a superuser banned a user. Until is zero for a ban
// without an end.
type UserBanned struct {
	UserID  string
	ActorID string
	Reason  string
	Until   time.Time
}

// UserUnbanned says that a superuser lifted a ban.
type UserUnbanned struct {
	UserID  string
	ActorID string
}

// UserUnlocked says that the count of wrong guesses was taken back, by mail
// (ActorID is the user) or by a superuser.
type UserUnlocked struct {
	UserID  string
	ActorID string
}

// SuperuserChanged says that a user became a superuser or ceased to be one.
type SuperuserChanged struct {
	UserID    string
	ActorID   string
	Superuser bool
}

// SteppedUp says that a signed-in user proved a factor again.
type SteppedUp struct {
	UserID    string
	SessionID string
	Channel   string
	Client    Client
}

// DeviceTrusted says that a browser may skip the second step.
type DeviceTrusted struct {
	UserID   string
	DeviceID string
	Until    time.Time
	Client   Client
}

// TrustReplayed says that somebody came with a token of a trusted device that had
// been replaced already: one of two has a copy. Nobody trusts the device any more.
type TrustReplayed struct {
	UserID   string
	DeviceID string
	Client   Client
}

// TrustRevoked says that the owner does not trust a device any more.
type TrustRevoked struct {
	UserID   string
	DeviceID string
}

// SecondFactorReset says that a superuser took all second factors of a user away.
// Passkeys says whether their passkeys went, too.
type SecondFactorReset struct {
	UserID   string
	ActorID  string
	Passkeys bool
	Client   Client
}

// Impersonated says that a superuser began to act as a user (rule R22).
type Impersonated struct {
	UserID    string
	ActorID   string
	SessionID string
	Client    Client
}

// BeforeUserDeleted says who is about to be deleted. The user is locked.
type BeforeUserDeleted struct {
	User    User
	ActorID string
}

// OwnerTold says what the owner of an account is told by mail: Kind and Extra are those
// of Notify. Nothing in it is secret.
type OwnerTold struct {
	User  User
	Kind  string
	Extra map[string]string
}

// UserDeleted says that a user's row is gone.
type UserDeleted struct {
	User    User
	ActorID string
	Client  Client
}

// JoinHooks returns hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.BeforeSignUp = hook.Chain(joined.BeforeSignUp, h.BeforeSignUp)
		joined.UserCreated = hook.Chain(joined.UserCreated, h.UserCreated)
		joined.SignUpProven = hook.Chain(joined.SignUpProven, h.SignUpProven)
		joined.BeforeSession = hook.Chain(joined.BeforeSession, h.BeforeSession)
		joined.SignedIn = hook.Chain(joined.SignedIn, h.SignedIn)
		joined.ChallengeStarted = hook.Chain(joined.ChallengeStarted, h.ChallengeStarted)
		joined.SignInFailed = hook.Chain(joined.SignInFailed, h.SignInFailed)
		joined.UserVerified = hook.Chain(joined.UserVerified, h.UserVerified)
		joined.UserUpdated = hook.Chain(joined.UserUpdated, h.UserUpdated)
		joined.PasswordChanged = hook.Chain(joined.PasswordChanged, h.PasswordChanged)
		joined.EmailChanged = hook.Chain(joined.EmailChanged, h.EmailChanged)
		joined.UserBanned = hook.Chain(joined.UserBanned, h.UserBanned)
		joined.UserUnbanned = hook.Chain(joined.UserUnbanned, h.UserUnbanned)
		joined.UserUnlocked = hook.Chain(joined.UserUnlocked, h.UserUnlocked)
		joined.SuperuserChanged = hook.Chain(joined.SuperuserChanged, h.SuperuserChanged)
		joined.SteppedUp = hook.Chain(joined.SteppedUp, h.SteppedUp)
		joined.DeviceTrusted = hook.Chain(joined.DeviceTrusted, h.DeviceTrusted)
		joined.TrustReplayed = hook.Chain(joined.TrustReplayed, h.TrustReplayed)
		joined.TrustRevoked = hook.Chain(joined.TrustRevoked, h.TrustRevoked)
		joined.SecondFactorReset = hook.Chain(joined.SecondFactorReset, h.SecondFactorReset)
		joined.Impersonated = hook.Chain(joined.Impersonated, h.Impersonated)
		joined.BeforeUserDeleted = hook.Chain(joined.BeforeUserDeleted, h.BeforeUserDeleted)
		joined.OwnerTold = hook.Chain(joined.OwnerTold, h.OwnerTold)
		joined.UserDeleted = hook.Chain(joined.UserDeleted, h.UserDeleted)
	}
	return joined
}
