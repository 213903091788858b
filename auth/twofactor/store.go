package twofactor

import (
	"context"
	"net/netip"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

// Store keeps second factors beside the users. An auth.Store that also is an
// EnrolmentStore and a RecoveryStore is one.
//
// Every implementation must pass authtest.TestFactorStore. An outage is an error
// that wraps problem.ErrUnavailable and never "not found".
type Store interface {
	// InTx and InTransaction are those of auth.Store.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	InTransaction(ctx context.Context) bool
	UserStore
	EnrolmentStore
	RecoveryStore
	TrustStore
}

// UserStore is what the package uses of auth.Store and account.Store.
type UserStore interface {
	UserByID(ctx context.Context, id string) (auth.User, error)
	LockUser(ctx context.Context, id string) (auth.User, error)
	PasswordSetAt(ctx context.Context, userID string) (time.Time, error)
	SetSecondFactor(ctx context.Context, userID string, since time.Time) error
	// SetMailFactor records whether a mailed code is the user's second step. It needs
	// a transaction, in which the user was locked, and returns auth.ErrUserNotFound if
	// the user is gone. Sessions do not count such a user as one with a second factor
	// (rule R12).
	SetMailFactor(ctx context.Context, userID string, on bool) error
	// MailFactor returns what was recorded; false for users who are gone.
	MailFactor(ctx context.Context, userID string) (bool, error)
}

// EnrolmentStore keeps authenticator apps: at most one confirmed and one
// unconfirmed of each user.
type EnrolmentStore interface {
	// PutEnrolment inserts an unconfirmed enrolment with its recovery codes, in the
	// place of the user's unconfirmed one and its codes. The confirmed one and the
	// valid codes stay. It needs a transaction in which the user was locked.
	PutEnrolment(ctx context.Context, e Enrolment, codes []RecoveryCode) error
	// EnrolmentOf returns the user's confirmed, or unconfirmed, enrolment, or
	// ErrNotEnrolled.
	EnrolmentOf(ctx context.Context, userID string, confirmed bool) (Enrolment, error)
	// ConfirmEnrolment confirms the user's unconfirmed enrolment with that id, by the
	// code of step. It takes the place of the confirmed one, and its recovery codes
	// become the valid ones, in the place of all others. It reports false, and
	// changes nothing, if there is no such enrolment any more. It needs a transaction
	// in which the user was locked.
	ConfirmEnrolment(ctx context.Context, userID, id string, step int64, now time.Time) (bool, error)
	// AcceptStep raises the last accepted step of the user's confirmed enrolment with
	// that id, if step is above it, and reports whether it did: of any number of
	// concurrent calls with one step, one does (RFC 6238 5.2).
	AcceptStep(ctx context.Context, userID, id string, step int64) (bool, error)
	// DropFactors deletes the user's enrolments and recovery codes.
	DropFactors(ctx context.Context, userID string) error
	// PruneEnrolments deletes at most limit unconfirmed enrolments that were made
	// before the given time, with their recovery codes.
	PruneEnrolments(ctx context.Context, before time.Time, limit int) (int, error)
}

// RecoveryStore keeps recovery codes.
type RecoveryStore interface {
	// PutRecoveryCodes inserts codes that are valid at once, in the place of the
	// user's valid ones, used or not. Those of an unconfirmed enrolment stay.
	PutRecoveryCodes(ctx context.Context, userID string, codes []RecoveryCode) error
	// RecoveryKeys returns how many valid codes of the user are unused, by the id of
	// the key that they were hashed under.
	RecoveryKeys(ctx context.Context, userID string) (map[string]int, error)
	// UseRecoveryCode marks the user's valid code with that verifier as used, if it
	// is not, and reports whether it did: of any number of concurrent calls one does.
	UseRecoveryCode(ctx context.Context, userID string, v token.Verifier, now time.Time) (bool, error)
}

// TrustStore keeps trusted devices. It never returns one whose user has another
// security version, or whose trust has ended.
type TrustStore interface {
	// AddTrusted inserts a device and drops what its user has too much: devices of
	// older versions, and those beyond the keep newest. It needs a transaction in which
	// the user was locked.
	AddTrusted(ctx context.Context, d TrustedDevice, keep int) error
	// TrustedByID returns the user's device with that id, or ErrTrustNotFound.
	TrustedByID(ctx context.Context, userID, id string, now time.Time) (TrustedDevice, error)
	// RotateTrusted replaces the verifier of a device, if it is from still, notes the
	// use, and reports whether it did: of any number of concurrent calls one does.
	RotateTrusted(ctx context.Context, id string, from, to token.Verifier, ip netip.Addr, now time.Time) (bool, error)
	// ListTrusted returns the user's devices, the one used last first.
	ListTrusted(ctx context.Context, userID string, now time.Time) ([]TrustedDevice, error)
	// DropTrusted deletes the user's device with that id, and reports whether there
	// was one.
	DropTrusted(ctx context.Context, userID, id string) (bool, error)
	// PruneTrusted deletes at most limit devices whose trust has ended.
	PruneTrusted(ctx context.Context, now time.Time, limit int) (int, error)
}

// TrustedDevice is a browser that skips the second step of its user.
type TrustedDevice struct {
	ID     string // UUIDv7
	UserID string
	// SecurityVersion is the user's when the trust began; it dies with it (rule R1).
	SecurityVersion int64
	// Verifier recognises the newest token.
	Verifier token.Verifier
	// Name says in words where it is, such as "Firefox on Windows".
	Name string
	// IP is the client's at the last use, or the zero Addr.
	IP         netip.Addr
	CreatedAt  time.Time
	LastUsedAt time.Time
	// ExpiresAt is when the trust ends, however often it is used.
	ExpiresAt time.Time
}

// Enrolment is the authenticator app of a user. An unconfirmed one opens nothing: it
// belongs to the session in which its secret is being shown.
type Enrolment struct {
	ID     string // UUIDv7
	UserID string
	// SessionID and SecurityVersion are those under which the secret was shown. They
	// bind an unconfirmed enrolment (rule R1).
	SessionID       string
	SecurityVersion int64
	// Secret is sealed for this row; see SecretField.
	Secret []byte
	// Algorithm, Digits and Period are what the app was told.
	Algorithm totp.Algorithm
	Digits    int
	Period    time.Duration
	// LastStep is the last step whose code was accepted. No code of it, or of an
	// earlier one, is accepted again.
	LastStep  int64
	CreatedAt time.Time
	// ConfirmedAt is zero for an unconfirmed enrolment.
	ConfirmedAt time.Time
}

// RecoveryCode recognises one recovery code.
type RecoveryCode struct {
	ID     string // UUIDv7
	UserID string
	// Enrolment is the unconfirmed enrolment that the code was shown with; empty for
	// a valid code.
	Enrolment string
	// Verifier is a MAC over the user and the code.
	Verifier  token.Verifier
	CreatedAt time.Time
	UsedAt    time.Time
}

// SecretField is the place that the secret of the enrolment with that id is sealed
// for.
func SecretField(id string) crypto.Field {
	return crypto.Column{Purpose: crypto.PurposeData, Table: "tenon_totp", Column: "secret"}.Field(id, "")
}
