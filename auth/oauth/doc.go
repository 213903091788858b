// Package oauth lets people sign in with their accounts at identity providers, link
// such accounts to the one that they have, and lets the host call the providers' APIs
// on their behalf.
//
//	app, err := tenon.New(tenon.Config{
//		OAuth: oauthbun.New(oauth.Config{Providers: []oauth.Provider{
//			{Provider: provider.Google(id, secret)},
//			{Provider: provider.OpenID("acme", "https://login.acme.example", id, secret), KeepTokens: true},
//		}}),
//	})
//
// A browser is sent to the provider and comes back to callback/:provider. What was
// started is a one-time token in the parameter state: bound to the browser, the
// provider, the redirect URI and the purpose, good once, for ten minutes. Package
// auth/oauth/provider speaks the protocol and judges what comes back; this package
// decides whose account it is; the door of package auth decides about the session.
//
// # Whose account it is
//
// An [Identity] is issuer and subject, and nothing else identifies anybody. One that is
// linked signs its user in. One that is not, and whose provider proves the mailbox
// (rule R19), is linked to the user who has that address: as they are if they proved
// it, too; stripped of password, links and sessions if nobody ever did (rule R4); and
// to a new user if there is none. Users with a second factor and superusers are never
// linked that way: the former come in by proving the factor and stay unlinked, the
// latter sign in otherwise and link the account themselves. Every other address is as
// if somebody had typed it: a sign-up that waits for our own mail to be answered in the
// same browser (rule R5).
//
// # Apps
//
// A bearer client has no cookie by which its browser could be recognised. Its flow is tied
// to the client by an S256 challenge instead, and ends, in whatever browser, with a code at
// the client's own address; [Service.Redeem] takes the code together with the verifier and
// goes through the door (rule R16). An app that has the provider's library brings an ID
// token for a nonce of ours instead, to [Service.SignInNative]; both are good once (rule
// R20). No token is ever in a URL. What waits for a sign-up is not kept for bearer clients:
// nobody knows whose browser will open the mailed link.
//
// # Concurrency, errors, storage
//
// A [Service] is safe for concurrent use and starts nothing. Calls that ask a provider
// refuse to run inside a transaction, and hold none while they wait. Errors are listed
// in errors.go and in package provider. The comments of [Store] are its contract, and
// oauthtest.TestStore proves an implementation.
package oauth
