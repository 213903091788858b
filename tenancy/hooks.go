package tenancy

import (
	"context"
	"time"

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
	// UserName is what the member calls themself, where whoever made them one knows;
	// otherwise it is empty.
	UserName string
}

// MemberLeft says that a membership ended.
type MemberLeft struct {
	Member Member
	// ActorID is the user by whose doing it ended: the member's own where they left or
	// deleted their account.
	ActorID string
}

// MemberRoleChanged says that a member got other roles. Owners change by OwnerChanged.
type MemberRoleChanged struct {
	Organization  Organization
	Before, After Member
	ActorID       string
}

// OwnershipOffered says that the owner offered the organization to a member, or, where
// To is empty, took the offer back.
type OwnershipOffered struct {
	Organization Organization
	From, To     string // ids of users
	EndsAt       time.Time
}

// OwnerChanged says that an organization got another owner. Organization is as it
// was before.
type OwnerChanged struct {
	Organization Organization
	From, To     string // ids of users
	// ActorID is the user who accepted it, or From where their account is deleted.
	ActorID string
}

// OrganizationUpdated says what an organization's owner or admin changed of it.
type OrganizationUpdated struct {
	Before, After Organization
	ActorID       string
}

// OrganizationDeleted says which organization is, or is about to be, deleted with
// all its members.
type OrganizationDeleted struct {
	Organization Organization
	// Members are those whom it had.
	Members []Member
	ActorID string
}

// UserIDs returns the users who were members.
func (e OrganizationDeleted) UserIDs() []string {
	ids := make([]string, 0, len(e.Members))
	for _, m := range e.Members {
		ids = append(ids, m.UserID)
	}
	return ids
}

// RoleChanged says that an organization's own role was made, changed or deleted: Before
// is nil for a new one, After for one that is gone.
type RoleChanged struct {
	Organization  Organization
	Before, After *Role
	// UserIDs are the members who have the role.
	UserIDs []string
	ActorID string
}

// SecondFactorPolicySet says what an organization, as it is now, demands of its
// members, and who decided so.
type SecondFactorPolicySet struct {
	Organization Organization
	UserID       string
}

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently.
type Hooks struct {
	// BeforeOrganizationCreated may refuse, where a user makes one. The organization
	// that a new user starts with is not asked for.
	BeforeOrganizationCreated func(ctx context.Context, e OrganizationCreated) error
	OrganizationCreated       func(ctx context.Context, e OrganizationCreated) error
	OrganizationUpdated       func(ctx context.Context, e OrganizationUpdated) error
	// BeforeMemberJoined may refuse: it is where seats are counted. Member is as it is
	// about to be inserted.
	BeforeMemberJoined    func(ctx context.Context, e MemberJoined) error
	MemberJoined          func(ctx context.Context, e MemberJoined) error
	MemberLeft            func(ctx context.Context, e MemberLeft) error
	MemberRoleChanged     func(ctx context.Context, e MemberRoleChanged) error
	OwnershipOffered      func(ctx context.Context, e OwnershipOffered) error
	RoleChanged           func(ctx context.Context, e RoleChanged) error
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
		joined.BeforeOrganizationCreated = hook.Chain(joined.BeforeOrganizationCreated, h.BeforeOrganizationCreated)
		joined.OrganizationUpdated = hook.Chain(joined.OrganizationUpdated, h.OrganizationUpdated)
		joined.MemberRoleChanged = hook.Chain(joined.MemberRoleChanged, h.MemberRoleChanged)
		joined.OwnershipOffered = hook.Chain(joined.OwnershipOffered, h.OwnershipOffered)
		joined.RoleChanged = hook.Chain(joined.RoleChanged, h.RoleChanged)
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
