package invitation

import "time"

// Status is where an invitation is in its life. Only a pending one can change.
type Status string

// The statuses, as the official client writes them. One that has expired stays
// pending until another one takes its place.
const (
	Pending  Status = "pending"
	Accepted Status = "accepted"
	Rejected Status = "rejected"
	Canceled Status = "canceled"
)

// Invitation asks whoever has an address to become a member of an organization.
// Times are UTC microseconds.
type Invitation struct {
	// ID names the invitation. It opens nothing.
	ID             string
	OrganizationID string
	// Address is the mailbox that was invited.
	Address Address
	// Role is what the member may do: a sorted list with commas, as
	// tenancy.Member has it, and never tenancy.RoleOwner.
	Role string
	// TeamIDs are the teams that the member joins, those that are gone by then
	// excepted.
	TeamIDs []string
	// InviterID is the member who vouches for it: who invited, or who mailed it again.
	InviterID string
	Status    Status
	// ExpiresAt is when it can't be accepted any more.
	ExpiresAt            time.Time
	CreatedAt, UpdatedAt time.Time
	// UserID is who accepted or rejected it; empty for everything else.
	UserID string
}

// Open reports whether the invitation can be accepted at now.
func (i Invitation) Open(now time.Time) bool {
	return i.Status == Pending && i.ExpiresAt.After(now)
}

// Address is a mailbox in the two forms that are kept of it.
type Address struct {
	// Key identifies the mailbox: two spellings of one share it.
	Key string
	// Display is the address as it was typed.
	Display string
}

// Received is an invitation as the invited user sees it.
type Received struct {
	Invitation

	OrganizationName, OrganizationSlug string
}
