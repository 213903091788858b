// Package account lets signed-in users look after their own account: change or
// set the password, prove it again, move to another address, edit the profile,
// delete everything.
//
//	accounts, err := account.New(authbun.New(db), account.Config{
//		Auth:       users,      // *auth.Service
//		Tokens:     tokens,     // secrets of mailed links
//		Sessions:   sessions,   // step-up: a new token, and failures that end a session
//		Neighbours: neighbours, // who shares an organization with whom
//		Now:        db.Now,
//	})
//	handler, err := account.NewHandler(accounts, account.HandlerConfig{
//		BaseURL: "https://example.com", Caller: caller, SetSession: setCookie, ClearSession: clearCookie,
//	})
//
// Package tenon wires all of this.
//
// # Who calls
//
// Every call takes a [Caller]: the signed-in user as the session's lookup found
// them, with the security version of that session. A change is made under that
// version, so a session that died between the request's lookup and the change
// changes nothing ([auth.ErrStale], rule R1). What is sensitive wants a fresh
// caller besides ([ErrNotFresh], rule R12), and nobody may do it for somebody
// whom they impersonate (rule R22).
//
// # Passwords
//
// Proving the password is a guess: it is charged before it is checked, by a
// counter that strangers at the sign-in form cannot use up, and five wrong ones
// end the session. So these calls refuse to run inside a transaction. A change
// raises the security version first, ends the other sessions, gives the kept one a
// new token and mails the owner.
//
// # Another address
//
// The move takes two mailed links, each single use and dead as soon as anything
// about the account changes. The first goes to the address that the user has: it
// proves that whoever holds the session also holds the mailbox. The second goes to
// the new one; only opening it moves the account. Whether the new address belongs
// to somebody else is not looked up before the first link was confirmed, and then
// shows in nothing but the mail that its owner gets.
//
// # Deletion
//
// By the password, or by a mailed link that works in a session of the same user.
// Sessions, password, tokens and what hooks of package auth remove go in the same
// transaction. Hooks.BeforeUserDeleted may refuse, as package tenon does for the
// owner of an organization with other members.
//
// # Concurrency and errors
//
// [Service] and [Handler] are safe for concurrent use. All calls but those that
// guess join the transaction in ctx. The sentinels are in errors.go; those of
// packages auth, password and token come through, and every outage wraps
// problem.ErrUnavailable.
//
// # Storage
//
// [Store] is the contract, and authtest.TestAccountStore holds implementations to it.
// What waits for a second link is in the tokens alone: there is no table to tidy.
package account
