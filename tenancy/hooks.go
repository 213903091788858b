package tenancy

import (
	"context"

	"github.com/tenon-go/tenon/internal/hook"
)

// OrganizationCreated says that there is a new organization.
type OrganizationCreated struct{ Organization Organization }

// MemberJoined says that a user became a member, the owner of a new organization
// included.
type MemberJoined struct {
	Organization Organization
	Member       Member
}

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently.
type Hooks struct {
	OrganizationCreated func(ctx context.Context, e OrganizationCreated) error
	MemberJoined        func(ctx context.Context, e MemberJoined) error
}

// JoinHooks returns Hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.OrganizationCreated = hook.Chain(joined.OrganizationCreated, h.OrganizationCreated)
		joined.MemberJoined = hook.Chain(joined.MemberJoined, h.MemberJoined)
	}
	return joined
}
