// Package auth keeps users and lets them in: sign-up by proof of the mailbox,
// sign-in with a password, and the one door to a session.
//
//	store := authbun.New(db)
//	users, err := auth.New(store, auth.Config{
//		Keys:     keyring,                         // seals password hashes
//		Sessions: sessions,                        // what a completed attempt ends in
//		Tokens:   tokens,                          // secrets of mailed links
//		Outbox:   outbox,                          // mail, in the transaction of its cause
//		LinkBase: "https://example.com/api/auth",  // where mailed links point
//		Now:      db.Now,
//	})
//	handler, err := auth.NewHandler(users, auth.HandlerConfig{BaseURL: "https://example.com", SetSession: setCookie})
//
// Package tenon wires all of this.
//
// # Sign-up
//
// [Service.SignUp] writes a waiting [SignUp] and mails a link, in the same way
// for addresses that are free and for those taken. Nobody owns an address before
// its mailbox is proven: lookups see proven addresses only, and at most five
// sign-ups of one address wait for a day each. [Service.VerifyEmail] consumes the
// mailed secret and makes the user, with everything that hooks add, in one
// transaction. What was typed at sign-up stays only if the same browser, or
// somebody with the password, opens the link; otherwise the mailbox's owner
// chooses a new password and the rest is dropped. So a stranger who signs up with
// somebody's address gains nothing from that person's click.
//
// # Sign-in
//
// Every way in proves something and yields an [Attempt]; [Service.Complete] alone
// turns an attempt into a session. It begins by locking the user under the
// security version that the proof was given for: whatever changed the account in
// between, a reset, a ban, a deletion, wins. [Service.SignIn] does both steps for a
// password.
//
// # Guessing
//
// A guess is charged by a statement that commits alone, before it is checked and
// for unknown addresses alike; a success gives its unit back. The pace is five
// free guesses, then a wait that doubles from one second to 15 minutes; one guess
// is forgotten each hour. Calls that guess refuse to run inside a
// transaction with [ErrInTransaction], because a rollback would make guesses
// free. All other calls join the transaction in ctx.
//
// Strangers share one counter per account. At a hundred it locks, and [ErrLocked]
// answers all of them until a mailed link, a reset of the password or an
// administrator takes it back: neither time nor the owner's success does. A browser
// that was given a session keeps the cookie of a [Device] for up to 180 days, and
// its guesses are counted apart, 30 and one an hour, so that strangers cannot lock
// its owner out. Sessions and their renewal ask no counter at all. The cookie opens
// nothing, belongs to one user, and dies with what protects the account. It is a
// browser's: clients that use tokens instead of cookies are strangers. So is, after
// somebody else signed in on the same browser, its first user.
//
// # Mail
//
// One budget per mailbox, sub-addresses included: one a minute of each kind, five
// an hour, twenty a day; sixty an hour per network. Over it the answer is the
// same, and earlier links stay valid.
//
// # Concurrency and errors
//
// [Service] and [Handler] are safe for concurrent use. The sentinels in errors.go
// are all that callers meet, besides those of packages password and token and
// problem.ErrUnavailable, which every outage wraps.
//
// # Storage
//
// [Store] is the contract; authtest.TestStore holds stores to it. Package authbun
// keeps users in PostgreSQL or SQLite, authtest.Fake in memory.
//
// # Security notes
//
// Password hashes are sealed under keys that are not in the database, and bound to
// their row. New passwords are judged by Config.PasswordPolicy before anything is
// looked up. While imported hashes wait for their first sign-in, the decoy of an
// identifier is of their kind as often as a user's hash is. Known, unknown, banned and unproven addresses get the same bytes
// after the same statements and one hash in the same slots. Pages of mailed links
// consume nothing on GET, keep the secret out of addresses, and need a nonce.
package auth
