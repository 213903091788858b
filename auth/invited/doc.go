// Package invited lets people sign up by an invitation that was mailed to them, in one go
// (rule R21).
//
//	newcomers, err := invited.New(users, invited.Config{
//		Users: people, Invitations: invitations, SignInURL: "https://example.com/", Now: db.Now,
//	})
//
// The secret of the mail proves the mailbox, so that the address comes from the
// invitation and never from the request, and the user is made with it, the invitation
// accepted and the session started, through the door, in one transaction. Somebody who
// has an account with that address is not let in by it: the answer has the same bytes,
// they are told by mail to sign in, and nothing changes.
//
// It stands here and not with the invitations, because only package auth and what is
// below it can say that somebody proved to be a user (rule R2). What invitations are, it
// does not know: [Invitations] is its view of them.
//
// # Concurrency
//
// A Service is safe for concurrent use. Of any number of concurrent calls with one secret
// one makes a user.
package invited
