// Package totp generates and checks time-based one-time passwords (RFC 6238 on
// RFC 4226), as authenticator apps show them. It has no storage and knows no
// accounts: auth/twofactor enrols people with it, and a host may use it alone.
//
//	scheme, err := totp.New(totp.Config{})              // SHA-1, 6 digits, 30 s, one step each side
//	secret, err := scheme.NewSecret()                   // 20 random bytes; seal them before they are stored
//	uri, err := scheme.URI(secret, "Acme", "ann@example.com")
//	png, err := totp.QR(uri)                            // for the app's camera
//
//	step, ok := scheme.Match(secret, typed, time.Now()) // what the person typed
//
// # A code works once
//
// Match says which step a code belongs to and remembers nothing. Whoever accepts
// the code keeps the last accepted step and raises it by one guarded statement,
// whose row count decides:
//
//	UPDATE … SET last_step = ? WHERE user_id = ? AND last_step < ?
//
// The step is the key of replay, never the text: "123456", " 123 456" and
// "123456\n" are the same step.
//
// # Choices
//
// SHA-1 is the default because most apps ignore another algorithm and then show
// codes that never work; HMAC-SHA-1 is not weakened by SHA-1's collisions. Where
// FIPS 140 is enforced SHA-1 does not exist: New answers ErrFIPS, and the host
// chooses SHA256. One step each side tolerates clocks and slow fingers and makes
// a code live up to 90 s; Config.Strict accepts the current step alone, as ASVS
// 5.0 6.5.5 asks.
//
// A Scheme is a value without state and safe for concurrent use. QR takes
// milliseconds of CPU: keep what it made, and limit who may ask.
package totp
