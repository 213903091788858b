// Package token makes the secrets that people and programs carry: sessions,
// links, keys.
//
// # Format
//
// A token is 62 characters of one shape:
//
//	tnn_vrf_3rT0aQ8mWb5Kx1YzNnC4dE7fGh2JkLmPqRsTuVwXyZ01234567AbCd
//	|   |   |               |                               |
//	brand   selector (16)   secret (32)                     CRC-32 (6)
//	    kind
//
// Base62 with underscores, so that a double click selects all of it and a
// scanner finds one that leaked (Pattern). The selector, about 95 bits, is the
// lookup key; the secret, about 190 bits, never reaches a SQL statement. Parse
// is strict and checks the CRC before any I/O happens.
//
// A row stores a Verifier only: an HMAC under a rotating pepper, bound to the
// row, the purpose and the tenant. Who reads the database learns nothing, and
// who can write it cannot mint a token or move one to another row.
//
// # One-time tokens
//
// Service issues and consumes the tokens of mailed links:
//
//	tokens, err := token.New(tokenbun.New(db), token.Config{Peppers: keyring})
//	...
//	const verifyEmail token.Purpose = "vrf:verify-email"
//	err = db.InTx(ctx, func(ctx context.Context) error {
//		one, secret, err := tokens.Issue(ctx, token.IssueParams{
//			Purpose: verifyEmail, Subject: user.ID,
//			SecurityVersion: user.SecurityVersion, TTL: 24 * time.Hour,
//		})
//		// mail secret.Reveal(); keep nothing
//	})
//	...
//	one, err := tokens.Peek(ctx, verifyEmail, raw) // GET: shows the page, changes nothing
//	...
//	err = db.InTx(ctx, func(ctx context.Context) error { // POST: the change and its permission commit together
//		one, err := tokens.Consume(ctx, verifyEmail, raw)
//		// UPDATE users … WHERE id = one.Subject AND security_version = one.SecurityVersion
//	})
//
// Everything that is wrong with a token is one ErrInvalid to the outside; the
// reason goes to the log, without the token. Everything here is safe for
// concurrent use.
package token
