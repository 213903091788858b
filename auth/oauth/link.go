package oauth

import (
	"time"

	"github.com/tenon-go/tenon/crypto"
)

// Identity names an account at a provider, for ever (rule R19).
type Identity struct {
	// Issuer and Subject are provider.Identity's.
	Issuer, Subject string
}

// Link says that an account at a provider is a user's.
type Link struct {
	ID     string // UUIDv7
	UserID string
	// Provider is the ID of the provider, as it was when the account was linked.
	Provider string
	Identity Identity
	// Email is the address that the provider told last, or "". It decides nothing.
	Email string
	// CreatedAt is when the account was linked, LastUsedAt when somebody signed in with
	// it last.
	CreatedAt, LastUsedAt time.Time
}

// Attachment is an account at a provider that waits for the address of a sign-up to be
// proven (rule R4).
type Attachment struct {
	// SignUpID is the sign-up's, and LinkID what the link's will be.
	SignUpID, LinkID string
	Provider         string
	Identity         Identity
	Email            string
	CreatedAt        time.Time
	// ExpiresAt is the sign-up's.
	ExpiresAt time.Time
}

// Grant is what a provider allows us to do on behalf of a user. There is at most one
// for each link.
type Grant struct {
	LinkID string
	UserID string
	// Access and Refresh are the tokens, sealed for the row; see [AccessField] and
	// [RefreshField]. Refresh is empty where the provider gave none.
	Access, Refresh []byte
	// Scopes are what was granted.
	Scopes []string
	// AccessEndsAt is when Access runs out, zero where the provider does not say.
	AccessEndsAt time.Time
	// Generation grows with every change of the tokens.
	Generation int64
	// RefreshingUntil is until when somebody is at the provider to refresh Access; zero
	// where nobody is.
	RefreshingUntil time.Time
	// EndedAt is when the provider said that Refresh is of no use any more; zero until
	// then. Trying again never helps.
	EndedAt              time.Time
	CreatedAt, UpdatedAt time.Time
}

const tableGrants = "tenon_oauth_grants"

// AccessField is the place of a sealed access token. Stores register its column for
// re-encryption.
func AccessField(linkID string) crypto.Field {
	return crypto.Column{Purpose: crypto.PurposeData, Table: tableGrants, Column: "access_token"}.Field(linkID, "")
}

// RefreshField is the place of a sealed refresh token.
func RefreshField(linkID string) crypto.Field {
	return crypto.Column{Purpose: crypto.PurposeData, Table: tableGrants, Column: "refresh_token"}.Field(linkID, "")
}
