// Package passkey lets people sign in with passkeys (W3C Web Authentication), and
// prove them as a second factor and for step-up.
//
// It is a feature that a host chooses: package tenon does not link it.
//
//	app, err := tenon.New(tenon.Config{
//		…
//		Passkeys: passkeybun.New(passkey.Config{}),
//	})
//
// # Ceremonies
//
// Whatever is asked of an authenticator is a row, a [Ceremony], that is deleted when
// it is answered: by the row's deletion one of any number of answers wins, and an
// answer that turns out wrong has used it up, too. It lives five minutes and belongs
// to who asked: to the browser by an HttpOnly cookie, to a bearer client by a token
// that it sends back, to a session where somebody is signed in. The RP id and the
// origins are those of [Config], never of the request.
//
// # Who signs in
//
// Identity comes from the credential, whoever is signed in in the browser already
// (CVE-2026-82466). The user's handle is random and tells nothing. Every passkey
// verifies its user by a PIN, a finger or a face, in every ceremony, and so counts as
// two factors (rule R11), unless [Config].AllowUnverified takes those that cannot:
// these are second factors and never sign anybody in alone.
//
// # Counters
//
// Authenticators that count their uses are held to it: the counter must be above the
// stored one, in the transaction of the sign-in. Where it is not, the key is in two
// authenticators: the sign-in is refused, the counter stays, and
// [Hooks].PasskeyCloned commits its audit line. Most passkeys are synced between
// devices and always count zero.
//
// # Changes
//
// Adding and deleting a passkey needs a proof as strong as what is enrolled, not
// older than ten minutes, raises the security version, ends the other sessions and
// mails the owner (rules R1, R12). The last way in cannot be deleted, nor the last
// second factor.
//
// # Attestation
//
// None is asked for: nothing here depends on who made an authenticator, and its
// AAGUID serves as a default name only.
//
// # Storage and concurrency
//
// [Store] is the contract; package passkeybun keeps it in PostgreSQL and SQLite,
// package passkeytest in memory, with the suite for both. Service and Handler are
// safe for concurrent use.
package passkey
