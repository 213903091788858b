// Package tenancy keeps organizations, who belongs to them, and what they may do there.
//
//	organizations, err := tenancy.New(tenancybun.New(db), tenancy.Config{
//		Users:      users, // one method: Hold
//		Statements: tenancy.Permissions{"invoices": {"read", "write"}},
//		Roles:      map[string]tenancy.Permissions{"billing": {"invoices": {"read", "write"}}},
//		Hooks: tenancy.Hooks{BeforeMemberJoined: func(ctx context.Context, e tenancy.MemberJoined) error {
//			return seats.Consume(ctx, e.Organization.ID, 1)
//		}},
//	})
//	...
//	err = db.InTx(ctx, func(ctx context.Context) error {
//		// Held until the commit: a demotion that committed first wins, a later one waits.
//		o, _, err := organizations.Authorize(ctx, caller, organizationID, "invoices", "write")
//		if err != nil {
//			return err
//		}
//		return invoices.Create(ctx, o.ID)
//	})
//
// # Roles
//
// A member has one role or several, which allow what any of them allows. [RoleOwner] may
// do everything. [RoleAdmin] may do everything in [Statements] but delete the
// organization, [RoleMember] may read roles; Config.Roles replaces these two and adds
// more, and an organization makes roles of its own. Nobody hands out, or puts into a
// role, what they do not have themselves, and nobody changes or removes a member who may
// do more with the organization than they.
//
// What a role allows comes from the program, or from a cache by organization, role and
// the version of the organization's roles, which is read together with the role (rule
// R18). So a change acts on the next request.
//
// # The organization of a request
//
// [Resolve] says which organization a request is about: the one that its path, query or
// body names, then that of the header X-Organization-Id, then the session's active one
// (rule R13). [Service.Enter] and [Service.Authorize] say whether the caller may act
// there; for who is not a member, an organization that exists and one that does not are
// the same [ErrNotFound].
//
// # Ownership
//
// Each organization has exactly one owner, who is a member of it (rule R31).
// That is a constraint of the database, which holds at every commit whatever the
// program does. It changes hands in two steps: the owner offers it with
// [Service.OfferOwnership] to a member, who accepts. An offer ends with the membership,
// after a week, and with any change of what protects the owner's account (rule R1).
//
// # Users
//
// Users live elsewhere: rows here name them by id, without a foreign key. Before
// a row is inserted, Config.Users holds the user until the transaction ends, so
// that none is left behind by a concurrent deletion (rule R3). The locks are
// taken in this order: user, organization, roles and members. [Service.Hold] does the same
// for those whose rows refer to an organization.
//
// # Errors
//
// [ErrNotFound] is the answer for an organization that doesn't exist and for one
// that the user does not belong to. [ErrSlugTaken] and [ErrNoTransaction] say
// what their names say. [NotAllowed] is what members get whose role does not allow
// something, with the code that the official client knows. An outage of the database is
// problem.ErrUnavailable.
//
// # In a product
//
// docs/organizations.md shows middleware, transactions, seats, invitations and what a
// host's own tables need.
//
// # Storage
//
// [Store] is the contract; tenancybun keeps it in PostgreSQL and SQLite, and
// tenancytest has an in-memory one and the suite that every store must pass.
//
// # Concurrency
//
// A [Service] is safe for concurrent use. Of any number of concurrent creations
// under one name each gets a slug of its own; the unique index decides. Changes of one
// organization, its roles and its members come one after the other; users join meanwhile.
package tenancy
