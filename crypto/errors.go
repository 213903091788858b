package crypto

import "github.com/tenon-go/tenon/problem"

// The errors of this package. None of them, and nothing they wrap, carries a stored value, a plaintext or a key. All
// but [ErrKMSUnavailable] are of kind problem.Internal: a caller over HTTP learns nothing from them.
var (
	// ErrMalformed means that a value is not an envelope of a known version and suite, or not its text form.
	ErrMalformed = problem.New(problem.Internal, "CRYPTO_MALFORMED", "The sealed value is malformed.")
	// ErrUnknownKey means that the key id of an envelope names no usable row of the key table.
	ErrUnknownKey = problem.New(problem.Internal, "CRYPTO_UNKNOWN_KEY", "The sealed value names an unknown key.")
	// ErrKeyDestroyed is an [ErrUnknownKey] whose row still exists as a tombstone: the value was shredded.
	ErrKeyDestroyed = problem.New(problem.Internal, "CRYPTO_KEY_DESTROYED", "The key was destroyed.").With(ErrUnknownKey)
	// ErrCommitment means that an envelope was not made with the key that its key id names.
	ErrCommitment = problem.New(problem.Internal, "CRYPTO_COMMITMENT", "The sealed value does not belong to its key.")
	// ErrAuthentication means that an envelope was changed, or moved from the place it was sealed for.
	ErrAuthentication = problem.New(problem.Internal, "CRYPTO_AUTHENTICATION", "The sealed value is not authentic.")
	// ErrKMSUnavailable means that the key management service did not answer in time. It is a problem.ErrUnavailable
	// too, so it renders as 503. Nothing was decided: the same call may succeed later without a restart.
	ErrKMSUnavailable = problem.New(problem.Unavailable, "CRYPTO_KMS_UNAVAILABLE",
		"The service is temporarily unavailable.").With(problem.ErrUnavailable)
	// ErrKMSRefused means that the key management service answered and said no: wrong key, wrong context, no permission.
	ErrKMSRefused = problem.New(problem.Internal, "CRYPTO_KMS_REFUSED", "The key management service refused.")
	// ErrKeyringMissing means that the key table has rows whose key-encryption key is not here (R28).
	ErrKeyringMissing = problem.New(problem.Internal, "CRYPTO_KEYRING_MISSING",
		"The key that protects the key table is missing.")
	// ErrNoActiveKey means that nothing may be sealed for a purpose and tenant: Init or EnsureTenantKey has not made the key.
	ErrNoActiveKey = problem.New(problem.Internal, "CRYPTO_NO_ACTIVE_KEY", "There is no active key.")
	// ErrKeyTampered means that a row of the key table was changed by someone who does not hold its key.
	ErrKeyTampered = problem.New(problem.Internal, "CRYPTO_KEY_TAMPERED", "A row of the key table is not authentic.")
	// ErrInTransaction means that a call which makes or changes keys found a transaction of the store in ctx.
	ErrInTransaction = problem.New(problem.Internal, "CRYPTO_IN_TRANSACTION", "Keys do not change inside a transaction.")
	// ErrInvalid means that an argument or a Config is not acceptable; the wrapping text says which.
	ErrInvalid = problem.New(problem.Internal, "CRYPTO_INVALID", "The argument is not acceptable.")
	// ErrTooLarge means that a plaintext is longer than MaxPlaintext.
	ErrTooLarge = problem.New(problem.TooLarge, "CRYPTO_TOO_LARGE", "The value is too large to be sealed.")
	// ErrKeyInUse means that a key cannot be destroyed because live rows, or processes, may still need it.
	ErrKeyInUse = problem.New(problem.Conflict, "CRYPTO_KEY_IN_USE", "The key is still in use.")
	// ErrTenantDestroyed means that the tenant was shredded; it gets no new keys.
	ErrTenantDestroyed = problem.New(problem.Conflict, "CRYPTO_TENANT_DESTROYED", "The keys of this tenant were destroyed.")
	// ErrUnreadableRows ends a Reencrypt or Verify that met rows which do not open; the report names them.
	ErrUnreadableRows = problem.New(problem.Internal, "CRYPTO_UNREADABLE_ROWS", "Some sealed rows do not open.")
)

// The errors that a [Store] reports besides [ErrUnknownKey] and [ErrNoActiveKey].
var (
	// ErrActiveKeyExists means that an insert would have made a second active key for one purpose and tenant, or
	// repeated an id.
	ErrActiveKeyExists = problem.New(problem.Conflict, "CRYPTO_ACTIVE_KEY_EXISTS", "There is an active key already.")
	// ErrKeyChanged means that a guarded change found the row in another state than expected: the caller lost a race.
	ErrKeyChanged = problem.New(problem.Conflict, "CRYPTO_KEY_CHANGED", "The key was changed by someone else.")
	// ErrRowChanged means that ReplaceSealed found another value, or no row: a live write won.
	ErrRowChanged = problem.New(problem.Conflict, "CRYPTO_ROW_CHANGED", "The row was changed by someone else.")
)

// The errors of local keys, see [OpenKeyFile].
var (
	// ErrKeyCorrupt means that the text of a local key does not parse or does not match its check value.
	ErrKeyCorrupt = problem.New(problem.Internal, "CRYPTO_KEY_CORRUPT", "The key is damaged.")
	// ErrKeyFileMode means that a key file can be read by others than its owner, or is no regular file.
	ErrKeyFileMode = problem.New(problem.Internal, "CRYPTO_KEY_FILE_MODE", "The key file is readable by others.")
	// ErrDevelopmentOnly means that a key file was opened for production.
	ErrDevelopmentOnly = problem.New(problem.Internal, "CRYPTO_DEVELOPMENT_ONLY", "Key files are for development.")
)
