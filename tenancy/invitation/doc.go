// Package invitation asks people into organizations by mail (rule R21).
//
//	invitations, err := invitation.New(tenancybun.NewInvitations(db), invitation.Config{
//		Organizations: organizations, // *tenancy.Service
//		People:        people,        // who has which address
//		Tokens:        tokens,        // *token.Service
//		Post:          post,          // mails within the budget of rule R6
//		LinkBase:      "https://example.com/api/auth",
//	})
//	...
//	i, err := invitations.Invite(ctx, invitation.InviteParams{
//		Caller: caller, OrganizationID: id, Email: "ada@example.com", Roles: []string{"member"},
//	})
//
// # What proves what
//
// An invitation proves only its own mailbox. Its id opens nothing: with the id it is
// accepted by a user whose proven address is the invited one, and by nobody else. The
// secret that is mailed lets others in where the host allows it and they confirm; and it
// lets somebody sign up who has no account, with the address of the invitation (package
// auth/invited). The secret is in no event, list or row.
//
// At acceptance everything is asked again: whether the invitation is open, whether who
// vouches for it may still invite and give that role, and is not banned, whether the organization and the
// role are there, what the organization demands of its members' sessions (rule R13), and
// tenancy.Hooks.BeforeMemberJoined, which counts seats. One guarded UPDATE claims the
// invitation, in the transaction in which tenancy.Service.Join makes the member.
//
// # Errors
//
// [ErrNotFound] is the answer for an invitation that doesn't exist, is not open any more,
// or is somebody else's. The others say what their names say, and those of
// tenancy.Service.Authorize and Join come as they are.
//
// # Storage
//
// [Store] is the contract; tenancybun keeps it beside the organizations, in PostgreSQL
// and SQLite, and tenancytest has an in-memory one and the suite.
//
// # Concurrency
//
// A Service is safe for concurrent use. Locks are taken in the order user, organization,
// member, invitation.
package invitation
