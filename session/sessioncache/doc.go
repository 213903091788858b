// Package sessioncache remembers sessions for a moment, so that most requests of
// signed-in users need no database.
//
//	cache, err := sessioncache.New(sessions, sessioncache.Config{Hints: sessionbun.NewHints(db)})
//	handler, err := session.NewHandler(sessions, session.HandlerConfig{
//		BaseURL: "https://app.example.com", Finder: cache,
//	})
//	go cache.Run(ctx)
//
// It is off unless a host asks for it, because its answers may be old: whoever
// turns it on accepts that a session, a role or a superuser's power lives on for
// up to Config.Bound, two seconds by default, after another process took it away
// (rule R17). What this process takes away is gone at once.
//
// # When an answer is forgotten
//
// At the latest Config.Bound after the moment before its lookup began, by a clock
// that nobody sets. That holds whatever else fails: everything below only makes it
// sooner.
//
// After the commit of whatever ends or changes the session or its user in this
// process: sign-out, revocation, a new security version, elevation, another
// organization, another role. A lookup that is overtaken by such a commit is not
// remembered but repeated.
//
// When the log of revocations tells of another process. It is a table, written in
// the transaction of the change; [Cache.Run] reads it every Config.Poll, and each
// time the last minute of it again, because rows become visible in the order of
// their commits and not in that of their ids. PostgreSQL's NOTIFY makes it read
// sooner. A lost notification costs the rest of the poll, a lost poll the rest of
// the bound.
//
// # What is remembered
//
// Found sessions, under the SHA-256 of the token, or of the session's id and the
// epoch of an access token. Never a token, never that there was nothing, and never
// a session in which a superuser acts as the user, because that ends with another
// one. Each hit is judged anew by the clock, so that an idle or absolute end is not
// passed, and use is recorded once a minute as without a cache. Lookups inside a
// transaction ask the database.
//
// # Errors
//
// Those of [session.Finder]. During an outage of the database entries live out
// their bound; then lookups fail with problem.ErrUnavailable.
//
// # Concurrency
//
// A [Cache] is safe for concurrent use. A hit takes no lock and does not allocate.
// Those who ask the same at the same time share one lookup, which belongs to the
// first: if that one leaves, another asks. Nothing runs in the background before
// [Cache.Run].
package sessioncache
