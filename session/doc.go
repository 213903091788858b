// Package session keeps signed-in browsers and programs signed in: opaque tokens
// in a cookie, or pairs of an access and a refresh token, and one row per session,
// ended by the server at any moment.
//
//	store, err := sessionbun.New(db, sessionbun.Config{
//		User: authbun.SessionJoin(), Member: tenancybun.SessionJoin(),
//	})
//	sessions, err := session.New(store, session.Config{Peppers: keyring})
//	handler, err := session.NewHandler(sessions, session.HandlerConfig{BaseURL: "https://app.example.com"})
//
//	mux.Handle("/api/auth/", http.StripPrefix("/api/auth", handler))
//	mux.Handle("/projects", handler.RequireUser(projects))
//	http.ListenAndServe(addr, handler.Middleware(mux))
//
// # One door
//
// [Service.Start] takes a pass that package auth alone can make, in the
// transaction in which it judged the sign-in (rules R1, R2). A host with a
// sign-in of its own uses [Service.StartTrusted].
//
// # What a request costs
//
// [Service.Lookup] refuses junk by its checksum, without I/O. Otherwise it takes
// one prepared statement that reads the session, its user, and the role in the
// active organization as they are now (rule R18), and one HMAC. Nothing is
// cached, unless the host puts package sessioncache before it: a revocation, a ban
// and a new role act on the next request. Once a minute a second statement records
// that the session was used.
//
// # Bearer sessions
//
// With Config.AccessTokens a first factor may ask for a session without a cookie
// (rule R16). Its access token names the session and is checked against the row
// with every request ([Service.LookupAccess], rule R15); its refresh token buys
// the next pair, once ([Service.Refresh], rule R14). Both kinds are listed and
// ended alike, and neither's secret works in the other's place. docs/refresh.md
// specifies refresh tokens.
//
// A refresh is one statement on the session's row: it rotates the token and reads
// whether the user is still who they were. A token that was used before ends the
// session, but for ten seconds in which it buys the same successor, for clients
// whose answer got lost. What is between the commit and the client cannot be made
// whole in any other way: a client whose answer is lost asks again at once.
//
// # When a session ends
//
// When it is not used for Config.Idle, when Config.Absolute has passed since the
// sign-in, when it is revoked, and when the user is banned, deleted or gets a
// new security version (rule R1). Config.Level2 and Level3 shorten the life of
// sessions of higher assurance; [NIST] has the numbers of SP 800-63B-4. A user has
// at most Config.MaxPerUser sessions. The cookie lasts until the absolute end, so
// that it is set once and never renewed; whether the session behind it lives is
// for the server to say.
//
// # Fresh proofs
//
// A session knows when its user last proved anything, and what. [RequireFresh]
// and [CheckFresh] let pass who did so within a window, by a second factor where
// the user turned one on (rule R12):
//
//	mux.Handle("POST /keys", session.RequireFresh(10*time.Minute)(createKey))
//
// [Service.Elevate] records a step-up. The session keeps its id and gets a new
// token; the one before is dead at once, so that whoever had planted or copied it
// gains nothing. Five failures in a row end the session.
//
// # Several users in one browser
//
// With HandlerConfig.MultiSession a sign-in by [Handler.AddSession] leaves the
// sessions of other users in the browser, each in a cookie named after its id, and
// the routes multi-session/* list them and change the active one among them. They
// know this browser's cookies only (rule R16). A sign-out ends the active session,
// and nobody else's takes its place before somebody asks for it.
//
// # Errors
//
// [ErrNoSession] is the one answer to every token that opens nothing. An outage
// of the database or of the keys is problem.ErrUnavailable and never a sign-out:
// [Handler.Middleware] lets the request go on without a caller and remembers
// why, public pages work, and protected ones answer 503.
// [ErrSessionNotFound] is the answer to a stranger's session and to none.
//
// # Security
//
// The row stores an HMAC of the token under a rotating key, bound to the row:
// who reads the database cannot sign in, and who can write to it cannot move a
// token to another row. Ids of sessions are public and open nothing. Cookies
// follow the base URL alone (rule R27), don't count where a request brings other
// credentials, and are ignored when there are two (rule R16).
//
// # Storage
//
// [Store] is the contract; sessionbun keeps it in PostgreSQL and SQLite, and
// sessiontest has an in-memory one and the suite that every store must pass. The
// locks of a change are taken in this order: user, organization, sessions by id.
//
// # Concurrency
//
// [Service] and [Handler] are safe for concurrent use and start no goroutine.
// Call [Service.Maintain] now and then to delete what has ended.
package session
