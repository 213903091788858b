// Package tenancybun keeps the organizations of package tenancy in PostgreSQL or
// SQLite through Bun.
//
//	organizations, err := tenancy.New(tenancybun.New(db), tenancy.Config{Users: users})
//
// The database itself guards that each organization has exactly one owner (rule
// R31): a deferred foreign key from the organization to its owner's membership
// and role, and a unique index on the owner's role.
package tenancybun
