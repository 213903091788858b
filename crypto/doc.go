// Package crypto keeps secrets unreadable at rest: it seals values for the one place in the database they belong to, and
// derives the keys under which the rest is hashed.
//
// A [Keyring] holds data keys, which a [KMS] wraps and a [Store] keeps. [Keyring.Seal] encrypts a value for a [Field]:
// purpose, table, column, row and tenant. It opens there and nowhere else, so that a person who can write to the
// database still cannot move one user's TOTP secret to another. [Keyring.ActiveSubkey] gives the keys of HMACs, such as
// the pepper of tokens; [Keyring.IndexValue] makes sealed values findable.
//
//	store := cryptobun.New(db)
//	kms, err := crypto.DevelopmentKMS(ctx, store, "tenon.keys") // in production: transitkms.New, OpenEnvKey
//	if err != nil { ... }
//	keyring, err := crypto.New(store, crypto.Config{KMS: kms, Now: db.Now, Sealed: []crypto.SealedColumn{secret}})
//	if err != nil { ... }
//	if err := keyring.Init(ctx); err != nil { ... }
//	go keyring.Run(ctx)
//
//	var secret = crypto.SealedColumn{
//		Column:       crypto.Column{Purpose: crypto.PurposeData, Table: "endpoints", Column: "secret"},
//		TenantColumn: "organization_id",
//	}
//	sealed, err := keyring.Seal(ctx, secret.Field(endpoint.ID, endpoint.OrganizationID), plaintext)
//
// # Concurrency
//
// Everything is safe for concurrent use. Seal and Open with a cached key do no I/O and take about two microseconds; a miss
// reads one row, in the transaction that ctx carries, and calls the KMS once for all who wait. Run renews the keys in
// use before they expire, so that a transaction rarely waits for the KMS. Keys are made and changed outside of
// transactions only: a key that a rollback took back would take along what it sealed. No goroutine is started by
// anything but the host.
//
// # Errors
//
// They are listed in errors.go. [ErrKMSUnavailable] is a 503 and passes by itself: meanwhile values go on being opened
// with keys that are known, for [CacheConfig].StaleFor, and nothing is sealed with a key past its age. [ErrMalformed],
// [ErrUnknownKey], [ErrCommitment] and [ErrAuthentication] mean that a stored value is damaged, moved or forged. No error
// carries a value or a key. [ErrKeyringMissing] at start means that the key table belongs to another key-encryption
// key; nothing is written then, and nothing is made anew.
//
// # Storage
//
// The contracts are at [Store] and [SealedStore]; cryptotest checks them sentence by sentence. There is at most one
// active key for a purpose and tenant. Rows of the key table are never deleted. The bytes that are stored are specified
// in docs/envelope.md and frozen: a second implementation reproduces them.
//
// # Rotation
//
//   - A data key: [Keyring.RotateDEK], then [Keyring.Reencrypt], which may be stopped and run again, then, after
//     Config.DestroyGrace, [Keyring.DestroyKey], which refuses while a row needs the key. Sealed columns must be
//     registered in Config.Sealed, other rows that name a key in Config.InUse.
//   - The key-encryption key: rotate it in its service, or deploy the new KMS as a PreviousKMS everywhere, then swap the
//     two; then [Keyring.RewrapKEK].
//   - A tenant's keys: [Keyring.DestroyTenant] shreds all that Config.TenantPurposes sealed for it.
//   - To see where things stand: [Keyring.Status], [Keyring.Check], [Keyring.Stats], Reencrypt with [ModeVerify].
//
// # Security notes
//
// The length of a plaintext, the key id and the equality of blind indexes are visible. Values are never compressed. The
// state of a key is authenticated under the key itself: those who can write to the database cannot make a retired key active
// again, unless they put back an older copy of the row, which is a restore. Nor can the age of a whole row be told: an
// older envelope of the same field, put back, opens. Where that matters, seal a version along or compare one outside.
// Destroyed keys live on in backups until those or the key-encryption key are gone, and in other processes for
// CacheConfig.MaxAge. Keys are zeroed when they leave the cache; the runtime may hold copies that cannot be reached.
//
// Everything works under GODEBUG=fips140=only: AES-256-GCM with nonces from the module, HKDF and HMAC with SHA-256.
package crypto
