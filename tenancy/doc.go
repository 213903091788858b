// Package tenancy keeps organizations and who belongs to them.
//
// This first slice makes the organization that every new user starts with, in
// the transaction in which the user is made, and finds it again:
//
//	organizations, err := tenancy.New(tenancybun.New(db), tenancy.Config{
//		Users: users, // one method: Hold
//		Hooks: tenancy.Hooks{MemberJoined: func(ctx context.Context, e tenancy.MemberJoined) error {
//			return seats.Consume(ctx, e.Organization.ID, 1)
//		}},
//	})
//	...
//	err = db.InTx(ctx, func(ctx context.Context) error {
//		user, err := people.Create(ctx, name)
//		if err != nil {
//			return err
//		}
//		_, err = organizations.CreateDefault(ctx, user.ID, tenancy.DefaultName(name))
//		return err
//	})
//
// # Ownership
//
// Each organization has exactly one owner, who is a member of it (rule R31).
// That is a constraint of the database, which holds at every commit whatever the
// program does.
//
// # Users
//
// Users live elsewhere: rows here name them by id, without a foreign key. Before
// a row is inserted, Config.Users holds the user until the transaction ends, so
// that none is left behind by a concurrent deletion (rule R3). The locks are
// taken in this order: user, organization, member. [Service.Hold] does the same
// for those whose rows refer to an organization.
//
// # Errors
//
// [ErrNotFound] is the answer for an organization that doesn't exist and for one
// that the user does not belong to. [ErrSlugTaken] and [ErrNoTransaction] say
// what their names say. An outage of the database is problem.ErrUnavailable.
//
// # Storage
//
// [Store] is the contract; tenancybun keeps it in PostgreSQL and SQLite, and
// tenancytest has an in-memory one and the suite that every store must pass.
//
// # Concurrency
//
// A [Service] is safe for concurrent use. Of any number of concurrent creations
// under one name each gets a slug of its own; the unique index decides.
package tenancy
