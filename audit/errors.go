package audit

import "github.com/tenon-go/tenon/problem"

// Errors of the package.
var (
	// ErrInvalidEntry means that an entry has no action, an outcome that does not
	// exist, a text in clear that is too long or has control characters, or fields of
	// more than 64 kB.
	ErrInvalidEntry = problem.New(problem.Internal, "INVALID_AUDIT_ENTRY", "The audit entry is not valid.")
	// ErrInTransaction means that a failure was to be recorded in the transaction that
	// will be rolled back because of it. Record it after the transaction.
	ErrInTransaction = problem.New(problem.Internal, "IN_TRANSACTION", "A failure is recorded after its transaction.")
	// ErrNoTransaction means that a call that is only right as a part of a transaction
	// was made outside of one.
	ErrNoTransaction = problem.New(problem.Internal, "NO_TRANSACTION", "This call needs a transaction.")
	// ErrNoChain means that nothing of an organization has been sealed yet.
	ErrNoChain = problem.New(problem.NotFound, "AUDIT_CHAIN_NOT_FOUND", "Nothing is sealed there yet.")
	// ErrLeased means that another process seals.
	ErrLeased = problem.New(problem.Conflict, "AUDIT_SEALER_LEASED", "Another process seals the audit trail.")
	// ErrLeaseLost means that a sealer's lease ran out and that it must not write.
	ErrLeaseLost = problem.New(problem.Conflict, "AUDIT_LEASE_LOST", "Another process took the sealing over.")
	// ErrChainMoved means that a chain, or a row that was to be linked, is not what it
	// was when it was read.
	ErrChainMoved = problem.New(problem.Conflict, "AUDIT_CHAIN_MOVED", "The audit chain was changed meanwhile.")
	// ErrTampered means that a chain is not what was sealed. It is not continued, and
	// nothing of it is pruned, until somebody has looked: see [Service.Verify].
	ErrTampered = problem.New(problem.Internal, "AUDIT_TAMPERED", "The audit trail was tampered with.")
	// ErrInvalidHead means that a head to verify against was not made here.
	ErrInvalidHead = problem.New(problem.Invalid, "INVALID_AUDIT_HEAD", "The head of the audit chain is not valid.")
)
