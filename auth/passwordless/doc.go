// Package passwordless lets people in by what reaches their mailbox: a link, or a
// code of six digits.
//
//	svc, err := passwordless.New(store, passwordless.Config{
//		Users:    users,                           // *auth.Service
//		Tokens:   tokens,                          // *token.Service
//		Peppers:  keyring,                         // keys of the codes
//		LinkBase: "https://example.com/api/auth",  // where mailed links point
//		Now:      db.Now,
//	})
//	handler, err := passwordless.NewHandler(svc, passwordless.HandlerConfig{
//		BaseURL: "https://example.com", Auth: authHandler,
//	})
//
// Package tenon wires all of this.
//
// # Links
//
// [Service.SendLink] mails a link that works for ten minutes and once. Opening it
// consumes nothing; its page names the account, the one that it would replace in
// the browser, and says if another browser asked for it. [Service.UseLink] lets in.
//
// # Codes
//
// [Service.SendCode] mails a code that works for ten minutes, once, for five tries,
// for one purpose, and only together with the flow that it returns: a cookie, or a
// token for clients without cookies. All codes of an address, whatever they are
// for, share ten guesses a day, and asking for another one gives none back; links
// go on working. [Service.SignIn], [Service.VerifyEmail] and [Service.ResetPassword]
// use codes up, [Service.Check] does not.
//
// Signed-in users get codes that belong to their session: [Service.SendStepUp]
// proves the mailbox of somebody without a password again (rule R12), and
// [Service.RequestEmail] and [Service.ChangeEmail] move an account to another
// address by the codes of both mailboxes.
//
// # New people
//
// Unless Policy.NoSignUp says otherwise, the mailbox of an unknown address becomes
// a user when it is proven, in the transaction that consumes the proof. That is as
// safe as signing up with a password: auth.Hooks.BeforeSignUp is asked, every
// sign-up that waits for the address ends, and nothing is kept that somebody typed
// in another browser than the one that proves (rules R4, R5). A user who existed
// unproven loses password and sessions when the mailbox is proven here.
//
// # Concurrency and errors
//
// [Service] and [Handler] are safe for concurrent use. Calls that use a code up
// guess, and refuse to run inside a transaction (auth.ErrInTransaction, rule R8);
// all others join the transaction in ctx. A link that does not work is
// token.ErrInvalid, a code that does not [ErrInvalidCode], whatever the reason.
//
// # Storage
//
// [Store] is the contract, which authtest.TestCodeStore checks. authbun.Store and
// authtest.Fake implement it.
//
// # Security notes
//
// A code is kept as an HMAC under a key that is not in the database, bound to its
// row, flow, purpose, address and user. Links and codes carry the user's security
// version: what changes the account after they were mailed ends them. Known,
// unknown, banned and waiting addresses get the same answers after the same
// statements; what is not mailed leaves a row that no code fits.
package passwordless
