// Package audit keeps the trail of who did what: written with the change, numbered and
// chained behind it, verifiable, prunable and erasable.
//
//	trail, err := audit.New(auditbun.New(db), audit.Config{Keys: keyring})
//	if err != nil { ... }
//	go trail.Run(ctx) // seals
//
//	err = db.InTx(ctx, func(ctx context.Context) error {
//		if err := projects.Rename(ctx, id, name); err != nil {
//			return err
//		}
//		return trail.Record(ctx, audit.Entry{
//			Action: "sensitive_update", OrganizationID: org, Target: audit.Target{Type: "project", ID: id},
//			Before: map[string]any{"name": old}, After: map[string]any{"name": name},
//		})
//	})
//
// # How it works
//
// [Service.Record] inserts one row in the caller's transaction: it commits with its
// cause or not at all. Each row has a keyed MAC over all its fields and no number yet,
// so that writers never wait for each other. A sealer ([Service.Run]; any number of
// processes, one of which has the lease) numbers what is committed without gaps, and
// links each row to the one before it by a second MAC: one chain for each
// organization, and one for what belongs to none. A row of a transaction that stays
// open for long is linked when it is committed, and holds nobody up (rule R30).
//
// The head of a chain, its count and last link, is under a MAC and is handed to
// Config.Anchor. [Service.Verify] reads a chain and names the rows that were changed,
// removed, reordered, cut off, or written anew without the key. [Service.Maintain]
// prunes what is older than Config.Retention and leaves a signed checkpoint, from
// which the chain goes on.
//
// # Personal data
//
// The address, the user agent, and the fields before and after are sealed for their
// row; the MAC covers a hash of them that is blinded by random bytes sealed along.
// [Service.Erase] drops the sealed part: the chain stays whole, and what was erased
// cannot be found out by trying. Ids of users stay; they are nobody's name.
//
// Before and After are written as the caller gives them: what is secret must not be
// among them. The packages of Tenon pass none.
//
// # Concurrency
//
// A [Service] is safe for concurrent use. A sealer that lost its lease cannot write:
// its transaction begins with a guarded update of the lease's token.
//
// # Errors
//
// They are listed in errors.go. A trail that was tampered with is no error of Verify
// but its finding; a sealer leaves such a chain alone ([ErrTampered] in the log) and
// goes on with the others. An outage of the database is problem.ErrUnavailable: where
// the trail cannot be written, the change that it tells of does not happen.
//
// # Storage
//
// [Store] is the contract; auditbun keeps it in PostgreSQL and SQLite, and audittest
// has one in memory and the suite that every store must pass. The bytes that MACs and
// hashes cover are specified in docs/audit.md and frozen.
//
// # Security notes
//
// Whoever writes to the database but has no key can hide nothing that is sealed, but
// for one thing: they can put an older state of a whole chain back, rows and head
// together. Only a head that was anchored elsewhere shows that ([VerifyParams].Known).
// Rows that are not sealed yet, normally those of the last second, can be removed
// unseen: [Report].TailAge and [Summary].TailAge say how old the oldest is. Erasures are
// recorded, and personal fields that are gone without one are a finding. Whoever has the
// key can write anything; a KMS keeps it from those who read disks and backups.
package audit
