package invitation

import (
	"context"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/tenancy"
)

// Invited says that somebody is, or is about to be, invited.
type Invited struct {
	Organization tenancy.Organization
	Invitation   Invitation
	// ActorID is the member who invites.
	ActorID string
	// Again says that an open invitation is mailed again, with the role, the teams and
	// the end of Invitation.
	Again bool
}

// Joined says that an invitation was accepted, and by whom.
type Joined struct {
	Organization tenancy.Organization
	Invitation   Invitation
	Member       tenancy.Member
	// Address is what the user who accepted is known by. OtherAddress says that it is
	// another one than the invited one, which the host allows and the user confirmed
	// (rule R21).
	Address      Address
	OtherAddress bool
}

// Declined says that the invited person does not want to join. UserID is empty
// where they did so by the mailed link without signing in.
type Declined struct {
	Invitation Invitation
	UserID     string
}

// Withdrawn says that a member took an invitation back.
type Withdrawn struct {
	Invitation Invitation
	ActorID    string
}

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently. No
// event has the secret of an invitation.
type Hooks struct {
	// BeforeInvited may refuse: the seats of open invitations are counted here.
	BeforeInvited func(ctx context.Context, e Invited) error
	// Invited runs when an invitation was made or is mailed again (OWASP:
	// user_created).
	Invited func(ctx context.Context, e Invited) error
	// Accepted runs when the user is a member (OWASP: authz_change).
	Accepted func(ctx context.Context, e Joined) error
	// Rejected runs when the invited person declined.
	Rejected func(ctx context.Context, e Declined) error
	// Canceled runs when a member took an invitation back.
	Canceled func(ctx context.Context, e Withdrawn) error
}

// JoinHooks returns Hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.BeforeInvited = hook.Chain(joined.BeforeInvited, h.BeforeInvited)
		joined.Invited = hook.Chain(joined.Invited, h.Invited)
		joined.Accepted = hook.Chain(joined.Accepted, h.Accepted)
		joined.Rejected = hook.Chain(joined.Rejected, h.Rejected)
		joined.Canceled = hook.Chain(joined.Canceled, h.Canceled)
	}
	return joined
}
