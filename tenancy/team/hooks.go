package team

import (
	"context"

	"github.com/tenon-go/tenon/internal/hook"
)

// Changed says that a team is new, renamed or gone. Before is what it was, and zero
// for a new one; After is what it is, and zero for one that is gone.
type Changed struct {
	Before, After Team
	// UserIDs are the members of a team that is gone.
	UserIDs []string
	// ActorID is the member who did it.
	ActorID string
}

// MemberChanged says that a member of the organization joined or left a team. Whoever
// leaves the organization leaves its teams with it, without this event.
type MemberChanged struct {
	Team   Team
	Member Member
	// ActorID is the member who did it: the member themselves where they accepted an
	// invitation.
	ActorID string
}

// Hooks are told what happened, inside the transaction in which it happens: an
// error undoes it. A nil func is skipped. They may be called concurrently.
type Hooks struct {
	TeamCreated   func(ctx context.Context, e Changed) error
	TeamUpdated   func(ctx context.Context, e Changed) error
	TeamDeleted   func(ctx context.Context, e Changed) error
	MemberAdded   func(ctx context.Context, e MemberChanged) error
	MemberRemoved func(ctx context.Context, e MemberChanged) error
}

// JoinHooks returns Hooks that call those of all in order and stop at the first
// error.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, h := range all {
		joined.TeamCreated = hook.Chain(joined.TeamCreated, h.TeamCreated)
		joined.TeamUpdated = hook.Chain(joined.TeamUpdated, h.TeamUpdated)
		joined.TeamDeleted = hook.Chain(joined.TeamDeleted, h.TeamDeleted)
		joined.MemberAdded = hook.Chain(joined.MemberAdded, h.MemberAdded)
		joined.MemberRemoved = hook.Chain(joined.MemberRemoved, h.MemberRemoved)
	}
	return joined
}
