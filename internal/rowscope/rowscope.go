// Package rowscope carries in a context whose rows are open to its statements, so that
// packages that know who acts can say so without knowing the database. Package bundb,
// which exports it and describes it, gives each transaction the scope of its context
// (rule R29).
package rowscope

import "context"

// Scope says whose rows are open: those of an organization, of a user, of both, or, to
// the system, all.
type Scope struct {
	Organization, User string
	System             bool
}

// Carried is a scope and whether a change of organization or user is meant.
type Carried struct {
	Scope
	Switched bool
}

// key finds the carried scope in a context. It is the same for all databases.
type key struct{}

// Of returns what ctx carries.
func Of(ctx context.Context) Carried {
	c, _ := ctx.Value(key{}).(Carried)
	return c
}

// Carry returns ctx with c in place of what it carries.
func Carry(ctx context.Context, c Carried) context.Context { return context.WithValue(ctx, key{}, c) }

// ForOrganization returns ctx with the scope of an organization beside that of the user.
func ForOrganization(ctx context.Context, id string) context.Context {
	return Carry(ctx, Carried{Scope: Scope{Organization: id, User: Of(ctx).User}})
}

// ForUser returns ctx with the scope of a user beside that of the organization.
func ForUser(ctx context.Context, id string) context.Context {
	return Carry(ctx, Carried{Scope: Scope{Organization: Of(ctx).Organization, User: id}})
}

// ForSystem returns ctx with the system's scope.
func ForSystem(ctx context.Context) context.Context {
	return Carry(ctx, Carried{Scope: Scope{System: true}})
}

// Switch returns ctx with another scope, and states that the change is meant.
func Switch(ctx context.Context, organizationID, userID string) context.Context {
	return Carry(ctx, Carried{Scope: Scope{Organization: organizationID, User: userID}, Switched: true})
}

// Within is ForOrganization, but for what runs in the system's scope, where all rows are
// open: it stays there. Say it where it has been proven that who acts may do so in the
// organization.
func Within(ctx context.Context, organizationID string) context.Context {
	if s := Of(ctx).Scope; s.System || s.Organization == organizationID {
		return ctx
	}
	return ForOrganization(ctx, organizationID)
}

// As is ForUser, but for what runs in the system's scope: it stays there. Say it where
// it has been proven who acts.
func As(ctx context.Context, userID string) context.Context {
	if s := Of(ctx).Scope; s.System || s.User == userID {
		return ctx
	}
	return ForUser(ctx, userID)
}

// Asking returns ctx in which a user asks for an organization, before it is known
// whether they may act there: with the user's scope, and not with that of another
// organization. Where that is a change it is meant, so that it may be a savepoint of a
// transaction about something else: what follows proves its right by itself.
func Asking(ctx context.Context, userID, organizationID string) context.Context {
	has := Of(ctx)
	want := Scope{User: userID}
	if has.Organization == organizationID {
		want.Organization = organizationID
	}
	if has.System || has.Scope == want {
		return ctx
	}
	other := has.Organization != want.Organization || has.User != "" && has.User != userID
	return Carry(ctx, Carried{Scope: want, Switched: other || has.Switched})
}
