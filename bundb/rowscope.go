package bundb

import (
	"context"
	"database/sql"

	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/problem"
)

// ErrScope means that a call would leave the scope of the transaction that it is a
// part of: for another organization or user, or between a scope of the
// application and the system's. See the section on row security.
var ErrScope = problem.New(problem.Internal, "SCOPE_CHANGED", "The call would leave the scope of its transaction.")

// RowScope says whose rows are open to the statements under a ctx, where row
// security is on. The zero value opens no row of a secured table.
type RowScope struct {
	// Organization opens the rows of one organization, User those of one user.
	// Both may be set.
	Organization, User string
	// System opens all rows, by running as another role. The other fields are
	// empty then.
	System bool
}

// unscoped returns ctx with no scope.
func unscoped(ctx context.Context) context.Context { return rowscope.Carry(ctx, rowscope.Carried{}) }

// ScopeOf returns the scope that ctx carries.
func ScopeOf(ctx context.Context) RowScope { return RowScope(rowscope.Of(ctx).Scope) }

// ForOrganization returns ctx with the scope of an organization, beside that of the
// user if there is one. It leaves the system scope. Say it where it has been
// proven that the caller may act there, not where the rows are asked for: a scope
// that follows the arguments of a query guards nothing.
func ForOrganization(ctx context.Context, id string) context.Context {
	return rowscope.ForOrganization(ctx, id)
}

// ForUser returns ctx with the scope of a user, beside that of the organization if
// there is one: the user's own rows, among them memberships in every organization.
// It leaves the system scope.
func ForUser(ctx context.Context, id string) context.Context { return rowscope.ForUser(ctx, id) }

// ForSystem returns ctx with the system's scope, which is for workers and for what
// happens before anyone is known, such as looking a token up. Its statements run
// as another role on a pool of their own, and so never in a transaction of the
// application.
func ForSystem(ctx context.Context) context.Context { return rowscope.ForSystem(ctx) }

// AsSystem is [ForSystem] where row security is on, and returns ctx as it is where it
// is off: for what may be a part of a transaction of the application there.
func (d *DB) AsSystem(ctx context.Context) context.Context {
	if !d.secured() {
		return ctx
	}
	return ForSystem(ctx)
}

// RowSecurity reports whether row security is on.
func (d *DB) RowSecurity() bool { return d.secured() }

// SwitchScope returns ctx with the scope of another organization and user, and
// states that the change is meant: [DB.InTx] with it makes a savepoint of another
// scope inside a transaction, and restores the scope around it when it ends.
// An empty id closes the rows of that kind.
func SwitchScope(ctx context.Context, organizationID, userID string) context.Context {
	return rowscope.Switch(ctx, organizationID, userID)
}

// Setting returns the statement that gives the open transaction this scope until it
// ends, with its arguments, for PostgreSQL. It belongs to the package of the driver.
func (r RowScope) Setting() (query string, args []any) {
	return "SELECT set_config('" + organizationSetting + "', $1, true), set_config('" + userSetting + "', $2, true)",
		[]any{r.Organization, r.User}
}

// Open reports whether the scope opens any rows to the application's role. It
// belongs to the package of the driver.
func (r RowScope) Open() bool { return r.Organization != "" || r.User != "" }

// mayEnter returns ErrScope unless a transaction in scope r may have a part in
// scope c: one that adds to it, or differs by intention. A transaction cannot
// change its role.
func (r RowScope) mayEnter(c rowscope.Carried) error {
	gains := func(from, to string) bool { return from == "" || from == to }
	switch {
	case r.System != c.System:
		return ErrScope
	case c.Switched, gains(r.Organization, c.Organization) && gains(r.User, c.User):
		return nil
	}
	return ErrScope
}

// within returns ErrScope unless a statement in scope c may run in a transaction in
// scope r: a change that is meant needs a savepoint.
func (r RowScope) within(c rowscope.Carried) error {
	c.Switched = false
	return r.mayEnter(c)
}

// sync gives the transaction the scope of the statement that comes next, where it has
// another one.
func (s *scope) sync(ctx context.Context, want RowScope) error {
	if !s.db.secured() || want.System {
		return nil
	}
	s.root.mu.Lock()
	defer s.root.mu.Unlock()
	if s.root.has != nil && *s.root.has == want {
		return nil
	}
	query, args := want.Setting()
	if _, err := s.tx.ExecContext(context.WithoutCancel(ctx), query, args...); err != nil {
		// What is open now is unknown.
		s.root.has = nil
		return Wrap("bundb: set the scope", err)
	}
	s.root.has = &want
	return nil
}

// current returns the scope that the transaction has; nil is unknown.
func (r *root) current() *RowScope {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.has
}

// became notes the scope that the transaction has.
func (r *root) became(has *RowScope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.has = has
}

// secured reports whether row security is on.
func (d *DB) secured() bool { return d.system != nil }

// pool returns the pool for the scope in ctx.
func (d *DB) pool(ctx context.Context) *sql.DB {
	if d.secured() && ScopeOf(ctx).System {
		return d.system
	}
	return d.sqldb
}
