// Package jwt makes and checks access tokens, short-lived and signed with Ed25519, and keeps the keys that sign them.
//
//	tokens, err := jwt.New(jwtbun.New(db), jwt.Config{
//		Sealer: keyring, Issuer: "https://example.com", Audience: "https://example.com", Now: db.Now,
//	})
//	if err != nil { ... }
//	if err := tokens.Init(ctx); err != nil { ... } // after the migrations, once at start
//	...
//	access, err := tokens.Mint(ctx, jwt.Claims{Subject: user.ID, SessionID: session.ID, Epoch: user.SecurityVersion})
//	...
//	claims, err := tokens.Verify(ctx, raw) // claims or an error, never both
//
// # What a token proves
//
// That this installation made it for this subject, session and epoch, and that it has not run out; nothing else. It says
// nothing of roles, assurance or organizations, and a revocation does not reach it by itself: who verifies one then asks
// whether the session lives and the epoch is the user's security version (R15).
//
// # Format
//
// A JWS in compact form (RFC 7515) with the header {"alg":"EdDSA","kid":…,"typ":"at+jwt"} and the claims iss, aud, sub,
// sid, epoch, iat, exp and jti, each of one type. It follows RFC 9068 but for client_id, since there is no OAuth client.
// Verify takes no other header, no other algorithm, no second spelling of the same bytes, no name twice, and nothing
// longer than [MaxSize], which it looks at before anything else (RFC 8725).
//
// Tokens for third parties ([Service.MintFor]) share the keys and nothing more: other type, other audience, no sid and
// no epoch. Verify refuses them for each of these reasons (R16).
//
// # Keys
//
// A key is published, signs, is retired, and is deleted. Its id is the thumbprint of its public half (RFC 7638, RFC 8037);
// its private half is sealed for its row. There is no stored public key to replace: it is derived from what the keyring
// opens, so those who can write to the database still cannot make us believe a key of theirs.
//
//	published ── at least PublishAhead ──▶ signing ── RotateEvery ──▶ retired ── last token, caches ──▶ deleted
//
// Maintain takes these steps when they are due, in any number of processes: each is one guarded statement, and an index
// allows one signing key. The first key is made by Init, or by the first Mint, and signs at once. [Service.Revoke] is for
// a key that leaked: its tokens die within Config.CacheFor everywhere, and the next key signs at once.
//
// The defaults: a key signs for 30 days, because it never leaves the process unsealed and rotation is only the answer to
// a theft that nobody noticed; it is published 24 hours ahead, many times what a cache of the key set may live; and it
// stays for verification until the last token it can have signed ran out everywhere.
//
// # Concurrency
//
// Everything is safe for concurrent use. Mint and Verify with known keys do no I/O; keys are read again when they are
// older than Config.CacheFor. A key id that is not known causes at most one more read a second, however many tokens
// name one. No goroutine is started.
//
// # Errors
//
// They are listed in errors.go. What is wrong with a token is one [ErrInvalid]; an outage is problem.ErrUnavailable, and
// then the token was not judged. A row that does not open is logged and left out: its tokens are refused.
//
// # Storage
//
// The contract is at [Store]; jwttest checks it sentence by sentence. Register jwtbun.Sealed in crypto.Config.Sealed, so
// that the rotation of data keys covers the private keys.
package jwt
