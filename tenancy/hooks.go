package tenancy

import "context"

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
		joined.OrganizationCreated = chain(joined.OrganizationCreated, h.OrganizationCreated)
		joined.MemberJoined = chain(joined.MemberJoined, h.MemberJoined)
	}
	return joined
}

func chain[E any](first, second func(context.Context, E) error) func(context.Context, E) error {
	switch {
	case first == nil:
		return second
	case second == nil:
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
