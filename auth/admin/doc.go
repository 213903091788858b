// Package admin is the administration of an installation's users by its
// superusers: finding and listing them, creating and importing, changing,
// banning, unlocking, and removing.
//
//	users, err := admin.New(authbun.New(db), admin.Config{Auth: accounts, Now: db.Now})
//	err = users.Ban(ctx, admin.Ban{UserID: id, ActorID: caller, Reason: "spam"})
//
// Package tenon wires it; a host that composes packages by itself mounts
// [NewHandler] behind a check that lets superusers through only.
//
// Concurrency: a Service and a Handler are safe for concurrent use.
//
// Errors: user ids that nobody has are auth.ErrUserNotFound; the package's own
// are in errors.go. Everything else is an outage or a bug.
//
// Storage: [Store] is implemented by authbun.Store and authtest.Fake, and held to
// its comments by authtest.TestAdminStore.
//
// Security: whether the caller is a superuser is the route table's to judge, not
// this package's; every call names the actor for the trail. Nobody may ban,
// demote or remove themselves, and the last superuser stays one, by a rule in
// SQL. A ban, a new password and a removal go through auth.Service.Secure, so
// that nothing in flight outlives them (rule R1). An address set by a superuser
// is not proven: its owner proves it by the link that sets the password. Only where
// Config.TypedPasswords is set may the superuser vouch for it.
package admin
