package tenancy

import (
	"encoding/json"
	"time"

	"github.com/tenon-go/tenon/principal"
)

// RoleOwner is the role of the one member whom Organization.OwnerID names, and
// of nobody else (rule R31). The store keeps the two in step. It may do everything.
const RoleOwner = "owner"

// RoleAdmin may do everything in Statements but delete the organization, unless
// Config.Roles says something else. TransferToAdmin looks for it.
const RoleAdmin = "admin"

// RoleMember may read roles, unless Config.Roles says something else.
const RoleMember = "member"

// Organization is a company, team or household that shares what its members
// make. Times are UTC microseconds.
type Organization struct {
	ID string
	// Name is 1 to 100 printable characters.
	Name string
	// Slug is the unique name for URLs: lower-case ASCII letters, digits and
	// single hyphens.
	Slug string
	// Logo is the URL of a picture, or empty.
	Logo string
	// Metadata is a JSON object of the host's, or nil.
	Metadata json.RawMessage
	// OwnerID is the user who owns the organization: always exactly one, and
	// always a member.
	OwnerID string
	// SecondFactor is what the organization demands of its members' sessions (rule
	// R13).
	SecondFactor principal.SecondFactorPolicy
	// RolesVersion rises with each change of the organization's own roles (rule R18).
	RolesVersion         int64
	CreatedAt, UpdatedAt time.Time
}

// Member is a user's place in an organization.
type Member struct {
	ID             string
	OrganizationID string
	UserID         string
	// Role is what the member may do: RoleOwner, or one or more other roles, sorted and
	// with commas between them.
	Role      string
	CreatedAt time.Time
}
