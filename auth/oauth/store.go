package oauth

import (
	"context"
	"time"
)

// Store keeps links and what belongs to them. It lives in the database of the users: a
// call made with the ctx of InTx takes part in that transaction.
//
// Every implementation must pass oauthtest.TestStore. An outage is an error that wraps
// problem.ErrUnavailable and never "not found".
type Store interface {
	// InTx and InTransaction are those of auth.Store.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	InTransaction(ctx context.Context) bool
	LinkStore
	AttachmentStore
	GrantStore
	IDTokenStore
}

// LinkStore keeps links. Whatever is found by a link's id names its owner, too: another
// user's is not found.
type LinkStore interface {
	// AddLink inserts l. It returns ErrLinkedElsewhere, and leaves the caller's
	// transaction usable, if the identity is linked already, to whomever: of any number
	// of concurrent calls for one identity, one succeeds. Its caller holds the user
	// (rule R3).
	AddLink(ctx context.Context, l Link) error
	// LinkByIdentity returns the link of an identity, or ErrNotFound.
	LinkByIdentity(ctx context.Context, id Identity) (Link, error)
	// Links returns the user's, the oldest first.
	Links(ctx context.Context, userID string) ([]Link, error)
	// UseLink records that somebody signed in by the user's link, and the address that
	// the provider told. It reports false where the link is gone.
	UseLink(ctx context.Context, userID, id, email string, at time.Time) (bool, error)
	// RemoveLink deletes the user's link with its grant and returns it, or ErrNotFound:
	// of any number of concurrent calls one succeeds.
	RemoveLink(ctx context.Context, userID, id string) (Link, error)
	// Forget deletes the user's links and grants.
	Forget(ctx context.Context, userID string) error
}

// AttachmentStore keeps what waits for the address of a sign-up.
type AttachmentStore interface {
	// AddAttachment inserts a.
	AddAttachment(ctx context.Context, a Attachment) error
	// ClaimAttachment deletes the attachment of the sign-up and returns it. It returns
	// ErrNotFound if there is none that expires after now: of any number of concurrent
	// calls one succeeds.
	ClaimAttachment(ctx context.Context, signUpID string, now time.Time) (Attachment, error)
	// PruneAttachments deletes at most limit attachments that expired before now.
	PruneAttachments(ctx context.Context, now time.Time, limit int) (int, error)
}

// GrantStore keeps the tokens of providers.
type GrantStore interface {
	// PutGrant inserts g, or puts its tokens, scopes and times in the place of those of
	// its link, but for CreatedAt, which stays. A g without Refresh leaves that of a grant
	// that has not ended: many providers give one at the first consent only. The generation
	// grows by one either way, whatever g says, and nobody is at the provider for it any
	// more. It returns ErrNotFound, and leaves the caller's transaction usable, where the
	// link is gone or another user's: no grant outlives its link. Its caller holds the
	// user.
	PutGrant(ctx context.Context, g Grant) error
	// FindGrant returns the grant of the user's link, or ErrNotFound.
	FindGrant(ctx context.Context, userID, linkID string) (Grant, error)
	// ClaimRefresh gives the caller the turn to ask the provider, until then: if the
	// grant still has that generation, has not ended, and nobody has the turn at now.
	// It reports whether it did: of any number of concurrent calls one succeeds. It
	// commits alone, and is auth.ErrInTransaction in a transaction.
	ClaimRefresh(ctx context.Context, linkID string, generation int64, now, until time.Time) (bool, error)
	// FinishRefresh puts tokens, scopes and times of g in the place of those of its
	// link if the grant still has the generation of g, raises it, and ends the turn. It
	// reports false, and changes nothing, otherwise. A g with EndedAt only marks the
	// grant as ended, which ends the turn, too.
	FinishRefresh(ctx context.Context, g Grant) (bool, error)
}

// IDTokenStore remembers ID tokens that apps brought, until they run out (rule R20).
type IDTokenStore interface {
	// SpendIDToken remembers the hash. It returns ErrTokenSpent, and leaves the caller's
	// transaction usable, if it is known: of any number of concurrent calls for one hash,
	// one succeeds.
	SpendIDToken(ctx context.Context, hash []byte, expiresAt time.Time) error
	// PruneIDTokens deletes at most limit hashes of tokens that expired before now.
	PruneIDTokens(ctx context.Context, now time.Time, limit int) (int, error)
}
