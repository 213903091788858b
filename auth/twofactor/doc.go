// Package twofactor gives accounts a second factor: authenticator apps, recovery
// codes, and, where the host wants that, codes by mail (rules R8, R11, R12).
//
//	factors, err := twofactor.New(store, twofactor.Config{
//		Auth: users, Account: account, Sessions: sessions, Keys: keyring, Issuer: "Acme", Now: db.Now,
//	})
//	enabled, err := factors.Enable(ctx, caller, twofactor.EnableParams{Password: typed}) // pending
//	confirmed, err := factors.VerifyInSession(ctx, caller, code)                         // on
//
// # What is on
//
// Enabling shows a secret and ten recovery codes and changes nothing yet: the
// enrolment is pending, in this session and for an hour. The first valid code
// confirms it, in one transaction that raises the security version, makes exactly
// the codes valid that were shown, ends the other sessions and what else is in
// flight, and tells the owner (rule R1). Enrolling again keeps the old app until the
// new one is confirmed.
//
// # What a code is worth
//
// Every code is charged before it is looked at (rule R8): five end a challenge, the
// fifth ends a session, and after twenty in a day only recovery codes help. Guesses in
// sessions, in known devices and of strangers are counted apart (rule R9). An app's
// code is accepted once: the last accepted step rises by one guarded statement, in
// the transaction of whatever the code permits and whatever the route. A recovery
// code is used by one guarded statement, too, and its owner is told.
//
// A mailed code is weak. It is offered where the host opted in, to accounts with
// nothing stronger, and never after a first factor by mail; the session keeps the
// assurance of one factor (rule R11), and it permits nothing sensitive.
//
// # Storage
//
// An app's secret is sealed for its row. Recovery codes are kept as MACs over the user
// and the code, under a key that is not in the database. See Store.
//
// A Service is safe for concurrent use.
package twofactor
