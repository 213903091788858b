// Package provider speaks to identity providers: it sends people there, exchanges what they bring back, and says who they
// are. It is protocol alone, without storage, sessions and accounts; auth/oauth builds sign-in on it.
//
//	client, err := provider.New(provider.Google(clientID, secret), provider.Config{Now: db.Now})
//	...
//	verifier := provider.NewVerifier() // keep it, state and nonce in the row of the flow
//	to, err := client.AuthCodeURL(ctx, provider.AuthRequest{
//		State: state, Nonce: nonce, Verifier: verifier, RedirectURI: "https://app.example/api/auth/callback/google",
//	})
//	... // the browser comes back; its state, its cookie and single use were judged
//	signedIn, err := client.Exchange(ctx, provider.Callback{
//		Code: code, Error: problem, Issuer: iss, Verifier: verifier, Nonce: nonce, RedirectURI: redirectURI,
//	})
//	signedIn.Identity.Issuer, signedIn.Identity.Subject // who it is, for ever
//	signedIn.Identity.EmailProven                       // whether Email may be trusted (R19)
//
// # Providers are data
//
// A [Provider] is a struct with endpoints, names and rules; the constructors fill one in, and a host writes its own in a
// few lines (see the examples). With an Issuer and no endpoints everything is discovered at first use.
//
// # What is checked
//
// PKCE with S256 always, with one exception that [LinkedIn] explains. The iss of callbacks (RFC 9207) before the code goes
// anywhere. Of ID tokens (OpenID Connect Core 3.1.3.7, RFC 8725): length and form before anything is decoded, an algorithm
// of the configuration, a key that the provider publishes, the signature, then iss, aud and azp, exp, iat and nbf with a
// bounded leeway, nonce, at_hash where there is one; userinfo must be about the same subject. Issuer and audiences come
// from the configuration, never from a token. A token yields claims or an error, never both.
//
// # Who it is
//
// Issuer and immutable subject. Addresses, login names and preferred_username identify nobody, and a [Fields] that says
// otherwise is refused. A missing or empty subject is an error. An address counts as confirmed where the provider says
// JSON's true, and as proof of the mailbox only within the provider's [EmailAuthority]: for Google gmail.com and the
// account's own hosted domain, for GitHub the primary confirmed address, for Apple all, for everybody else nothing until
// the host lists domains.
//
// # Calls
//
// All go through one guarded client per provider: https, public addresses judged at the moment of the connection, no
// redirects, no proxy from the environment, bounded times and sizes. [Config].Allow opens networks, such as that of a
// Keycloak next door.
//
// # Errors
//
// They are listed in errors.go: what a client may hear, joined with the reason for logs. A provider that is down, or that
// answers with something that nobody can use, is [ErrUnavailable], a 503, and nobody signed in. No error holds a token, a
// code, a secret or a text that the provider wrote.
package provider
