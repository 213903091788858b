package bundb

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/tenon-go/tenon/problem"
)

// ErrRowSecurity means that row-level security is asked for and would hold nobody
// back. The wrapping text says why.
var ErrRowSecurity = problem.New(problem.Internal, "ROW_SECURITY", "Row-level security would not hold.")

// secure takes the pool of the system's scope, where row security is asked for.
func (d *DB) secure(r *RowSecurity) error {
	switch {
	case r == nil:
		return nil
	case d.dialect != Postgres:
		return fmt.Errorf("bundb: %s has no row-level security, leave Config.RowSecurity empty: %w", d.dialect, ErrRowSecurity)
	case r.System == nil:
		return fmt.Errorf("bundb: Config.RowSecurity needs the pools that postgres.Open makes: %w", ErrRowSecurity)
	}
	d.system = r.System
	return nil
}

// role is what a role may do beyond the policies.
type role struct {
	name, session              string
	bypasses, createsRoles     bool
	owns, inherits, presetting sql.NullString
}

// roleSQL asks for the role of the pool: whether a role that it is, or can become,
// passes by the policies, and which tables it could take them off from. In PostgreSQL
// 15 and before, CREATEROLE makes its holder a member of any role.
const roleSQL = `
SELECT current_user, session_user,
  EXISTS (SELECT 1 FROM pg_roles AS r WHERE (r.rolsuper OR r.rolbypassrls) AND pg_has_role(current_user, r.oid, 'MEMBER')),
  EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolcreaterole AND pg_has_role(current_user, r.oid, 'MEMBER')),
  (SELECT min(c.oid::regclass::text) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
   AND pg_has_role(current_user, c.relowner, 'MEMBER')),
  (SELECT r.rolname FROM pg_roles AS r WHERE r.rolname = $1 AND pg_has_role(current_user, r.oid, 'MEMBER')),
  nullif(coalesce(current_setting('` + organizationSetting + `', true), '') || coalesce(current_setting('` + userSetting + `', true), ''), '')`

// checkRoles finds roles under which the policies would not hold (R29).
func (d *DB) checkRoles(ctx context.Context) error {
	if !d.secured() {
		return nil
	}
	ctx = unscoped(ctx)
	var system string
	var direct bool
	err := d.system.QueryRowContext(ctx, "SELECT current_user, current_user = session_user").Scan(&system, &direct)
	if err != nil {
		return err
	}
	if !direct {
		return fmt.Errorf("the role of the system's scope must be the one that logs in: %w", ErrRowSecurity)
	}
	var r role
	err = d.sqldb.QueryRowContext(ctx, roleSQL, system).
		Scan(&r.name, &r.session, &r.bypasses, &r.createsRoles, &r.owns, &r.inherits, &r.presetting)
	if err != nil {
		return err
	}
	return r.judge(system)
}

func (r role) judge(system string) error {
	because := ""
	switch {
	case r.name == system:
		because = "is that of the system's scope too"
	case r.session != r.name:
		because = "must be the one that logs in"
	case r.bypasses:
		because = "is, or may become, a superuser or one with BYPASSRLS"
	case r.inherits.Valid:
		because = "is a member of the role of the system's scope"
	case r.createsRoles:
		because = "has CREATEROLE and could make itself a member of others"
	case r.owns.Valid:
		because = "owns the table " + r.owns.String
	case r.presetting.Valid:
		because = "has a preset scope"
	default:
		return nil
	}
	return fmt.Errorf("the application's role %s: %w", because, ErrRowSecurity)
}
