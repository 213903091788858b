package passwordless

import (
	"context"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/token"
)

// Purpose says what a code is for. The names are the official client's.
type Purpose string

// What codes are for.
const (
	// PurposeSignIn lets in.
	PurposeSignIn Purpose = "sign-in"
	// PurposeVerifyEmail proves the address of a sign-up, or of a user.
	PurposeVerifyEmail Purpose = "email-verification"
	// PurposeReset sets a new password, where Policy.ResetByCode allows it.
	PurposeReset Purpose = "forget-password"
	// PurposeNewEmail proves the address that a signed-in user wants to move to.
	PurposeNewEmail Purpose = "change-email"
	// PurposeStepUp proves the mailbox of a signed-in user again (rule R12). It is
	// a name that the official client does not have.
	PurposeStepUp Purpose = "step-up"
	// PurposeSecondStep continues one sign-in (rule R11). The official client has no
	// name for it either.
	PurposeSecondStep Purpose = "second-step"
)

// Code is a mailed code without its digits. There is one for each flow, purpose and
// address.
type Code struct {
	ID string // UUIDv7
	// Flow is the hash of the flow that asked; a code works with it only.
	Flow    []byte
	Purpose Purpose
	// Email is the lookup key of the address.
	Email string
	// Subject is the id of the user, or of the sign-up, that the address belonged to
	// when the code was asked for; empty for nobody.
	Subject string
	// SecurityVersion is that of the user then; zero where Subject is no user.
	SecurityVersion int64
	// Verifier recognises the digits.
	Verifier token.Verifier
	// Attempts is how often digits were compared.
	Attempts int
	// AskedAt is when the flow last asked, whether or not a mail went.
	AskedAt    time.Time
	ExpiresAt  time.Time
	ConsumedAt time.Time // zero until consumed
}

// Store is what the package needs of a database, one with that of auth.Store.
//
// Every implementation must pass authtest.TestCodeStore. An outage is an error
// that wraps problem.ErrUnavailable and never "not found".
type Store interface {
	CodeStore
	Users
}

// Users is what the package reads of users. The methods are those of auth.Store,
// with its contract.
type Users interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	InTransaction(ctx context.Context) bool
	UserByEmail(ctx context.Context, email string) (auth.User, []byte, error)
	UserByID(ctx context.Context, id string) (auth.User, error)
	Hold(ctx context.Context, id string) error
	NewestSignUp(ctx context.Context, email string, now time.Time) (auth.SignUp, error)
}

// CodeStore keeps mailed codes.
type CodeStore interface {
	// PutCode inserts c, or puts it whole, attempts included, in the place of the
	// one of its flow, purpose and address.
	PutCode(ctx context.Context, c Code) error
	// KeepCode inserts c if its flow has no code of that purpose and address.
	// Otherwise it sets AskedAt of that code, and nothing else.
	KeepCode(ctx context.Context, c Code) error
	// FindCode returns the code of the flow, purpose and address, whatever its
	// state, or token.ErrNotFound.
	FindCode(ctx context.Context, flow []byte, purpose Purpose, email string) (Code, error)
	// TryCode adds one to the attempts of a code that has fewer than limit, is not
	// consumed and expires later than now, and says whether it did. Of any number of
	// concurrent calls no more than limit succeed. It commits alone.
	TryCode(ctx context.Context, id string, limit int, now time.Time) (bool, error)
	// ConsumeCode marks a code consumed that is not yet and expires later than now,
	// and says whether it did. Of any number of concurrent calls one does.
	ConsumeCode(ctx context.Context, id string, now time.Time) (bool, error)
	// DropCodes deletes the codes of an address.
	DropCodes(ctx context.Context, email string) error
	// PruneCodes deletes at most limit codes whose flow last asked before the given
	// time.
	PruneCodes(ctx context.Context, before time.Time, limit int) (int, error)
}
