package tenancy

import (
	"context"

	"github.com/tenon-go/tenon/internal/hook"
)

// OrganizationCreated says that there is a new organization.
type OrganizationCreated struct {
	Organization Organization
	// ActorID is the user who made it, its owner.
	ActorID string
}

// MemberJoined says that a user becomes, or became, a member; the owner of a new
// organization is one, too.
type MemberJoined struct {
	Organization Organization
	Member       Member
	// Teams are the ids of the teams that the member is to be in.
	Teams []string
	// ActorID is the user by whose doing it is, and InvitationID the invitation that was
	// accepted, if it was one.
	ActorID, InvitationID string
}

// MemberLeft says that a membership ended.
type MemberLeft struct{ Member Member }

// OwnerChanged says that an organization got another owner. Organization is as it
// was before.
type OwnerChanged struct {
	Organization Organization
	From, To     string // ids of users
}

// OrganizationDeleted says which organization is, or is about to be, deleted with
// all its members.
type OrganizationDeleted struct{ Organization Organization }

// SecondFactorPolicySet says what an organization, as it is now, demands of its
// members, and who decided so.
type SecondFactorPolicySet struct {
	Organization Organization
	UserID       string
}

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently.
type Hooks struct {
	OrganizationCreated func(ctx context.Context, e OrganizationCreated) error
	// BeforeMemberJoined may refuse: it is where seats are counted. Member is as it is
	// about to be inserted.
	BeforeMemberJoined    func(ctx context.Context, e MemberJoined) error
	MemberJoined          func(ctx context.Context, e MemberJoined) error
	MemberLeft            func(ctx context.Context, e MemberLeft) error
	OwnerChanged          func(ctx context.Context, e OwnerChanged) error
	SecondFactorPolicySet func(ctx context.Context, e SecondFactorPolicySet) error
	// BeforeOrganizationDeleted may refuse.
	BeforeOrganizationDeleted func(ctx context.Context, e OrganizationDeleted) error
	OrganizationDeleted       func(ctx context.Context, e OrganizationDeleted) error
}

// JoinHooks returns Hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.OrganizationCreated = hook.Chain(joined.OrganizationCreated, h.OrganizationCreated)
		joined.BeforeMemberJoined = hook.Chain(joined.BeforeMemberJoined, h.BeforeMemberJoined)
		joined.MemberJoined = hook.Chain(joined.MemberJoined, h.MemberJoined)
		joined.MemberLeft = hook.Chain(joined.MemberLeft, h.MemberLeft)
		joined.OwnerChanged = hook.Chain(joined.OwnerChanged, h.OwnerChanged)
		joined.SecondFactorPolicySet = hook.Chain(joined.SecondFactorPolicySet, h.SecondFactorPolicySet)
		joined.BeforeOrganizationDeleted = hook.Chain(joined.BeforeOrganizationDeleted, h.BeforeOrganizationDeleted)
		joined.OrganizationDeleted = hook.Chain(joined.OrganizationDeleted, h.OrganizationDeleted)
	}
	return joined
}
