// Package password hashes and verifies passwords without letting them eat the
// machine.
//
//	hasher, err := password.New(password.Config{})
//	...
//	policy := password.Policy{}                  // or NIST(): what may be set
//	prepared, err := policy.Prepare(ctx, password.Candidate{Password: typed, Email: email, Name: name})
//	phc, err := hasher.Hash(ctx, prepared)       // "$argon2id$v=19$m=19456,t=2,p=1$…"
//	...
//	prepared, err := password.Normalize(typed)   // sign-in: the same text, no length policy
//	match, rehash, err := hasher.Verify(ctx, phc, prepared)
//
// Hashes are argon2id in the PHC string format, 19 MiB, 2 passes, 1 lane unless
// configured, or PBKDF2-HMAC-SHA256 with 600,000 iterations where FIPS 140 is
// enforced. Both are verified everywhere. Parameters in a stored string drive
// memory and time, so the parser takes the one canonical form only and nothing
// above its caps: 256 MiB, 16 passes, 16 lanes, 1 GiB written in all, 2,000,000
// PBKDF2 iterations. Hashes of other systems are verified too, see ParseImported,
// and replaced at the first sign-in.
//
// Hashing happens in slots, as many as the cores and the memory budget allow,
// behind a bounded first-come first-served queue with a deadline. Who waits too
// long gets ErrOverloaded, a 503, instead of making it worse for everyone. Charge
// the guess before calling, and hold no transaction open meanwhile.
//
// Everything here is safe for concurrent use.
package password
