// Package recovery gives people who lost their password a new one: a link is
// mailed, and who opens it chooses.
//
//	svc, err := recovery.New(store, recovery.Config{
//		Users:    users,                           // *auth.Service
//		Tokens:   tokens,                          // *token.Service
//		LinkBase: "https://example.com/api/auth",  // where mailed links point
//		Now:      db.Now,
//	})
//	handler, err := recovery.NewHandler(svc, recovery.HandlerConfig{BaseURL: "https://example.com"})
//
// Package tenon wires all of this.
//
// # How it goes
//
// [Service.Request] mails a link to the address of a user, a fresh link of
// sign-up to an address whose sign-up waits, and nothing to others; its answer and
// its work are the same. The link works for an hour. Opening it consumes nothing
// and shows a page, or leads to the host's own with the secret. [Service.Reset]
// sets the password, for users who had none as well, ends all sessions, and tells
// the owner by mail. It signs nobody in, so that a second factor stays one.
//
// # Concurrency and errors
//
// [Service] and [Handler] are safe for concurrent use; all calls join the
// transaction in ctx. A link that does not work, for whatever reason, is
// token.ErrInvalid.
//
// # Storage
//
// [Store] is what the package reads of users; authbun.Store and authtest.Fake
// implement it as part of auth.Store. The package has no tables.
//
// # Security notes
//
// A link carries the user's security version. Whatever changes the account after
// it was mailed, another link, a change of the password or of the address, a ban,
// ends it: setting the password begins with a guarded update of that version, in
// the transaction that consumes the link. The mail budget is the one of package
// auth; links are dropped on use, never by asking for more. Where links point
// follows from the configuration alone, never from a request.
package recovery
