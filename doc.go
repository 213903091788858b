// Package tenon gives a SaaS product its account primitives inside the host's
// own process, database and transaction: sign-up and sign-in, sessions, and the
// organizations that users belong to.
//
//	db, err := sqlite.Open(ctx, "app.db", bundb.Config{})          // or postgres.Open
//	kms, err := tenon.DevelopmentKMS(ctx, db, "tenon.keys")        // in production: a KMS
//	app, err := tenon.New(tenon.Config{
//		DB: db, KMS: kms, Mailer: mailer, BaseURL: "https://example.com",
//	})
//	_, err = app.Migrate(ctx)
//	go app.Run(ctx)                                                // mail, keys, maintenance
//	mux.Handle("/api/auth/", app.Handler())
//	mux.Handle("/app/", app.RequireUser(product))
//
// # How it is built
//
// [New] wires one package per feature on one database; each works without the
// others, and its doc.go says how. Package auth turns what somebody proved into
// an attempt, and Complete, the one door, turns an attempt into a session. Package
// session finds it again at each request and puts the principal into the
// context. Features do not import each other: they meet here, through small ports
// and hooks.
//
// What a host may do without arrives as a value in [Config], such as passkeys and
// signing in with others: left out, it has no routes and no tables, and is not linked.
//
//	Passkeys: passkeybun.New(passkey.Config{}),
//	OAuth:    oauthbun.New(oauth.Config{Providers: []oauth.Provider{{Provider: provider.Google(id, secret)}}}),
//
// # Organizations
//
// Users belong to organizations, and start with one of their own. [App.RequireOrganization]
// and [App.RequirePermission] guard routes, App.Organizations.Authorize asks in the
// host's transaction, and Config.TenancyHooks counts seats. docs/organizations.md has the
// whole, with code that is compiled.
//
// # Transactions
//
// Every call that changes something joins the transaction in ctx (see package
// bundb); without one it makes its own. Hooks run inside it: an error of a hook
// rolls the whole of it back. Guessing a secret is the exception: it is charged by
// a statement that commits alone, and refuses to run inside a transaction.
//
// # Errors
//
// Errors that a caller may meet are sentinels of the packages, made by package
// problem; compare with errors.Is. Over HTTP they are RFC 9457 problems with a
// stable code. A database that is down is a 503 and never a sign-out.
//
// # Concurrency
//
// An [App] and all services are safe for concurrent use. Nothing runs in the
// background before [App.Run]. There are no package variables and no init
// functions.
package tenon
