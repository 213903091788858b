package team

import "time"

// Team is a group of an organization's members. It has no rights of its own. Times are
// UTC microseconds.
type Team struct {
	ID             string
	OrganizationID string
	// Name is 1 to 100 printable characters, unique in the organization.
	Name                 string
	CreatedAt, UpdatedAt time.Time
}

// Member is a member of the organization in one of its teams.
type Member struct {
	ID             string
	OrganizationID string
	TeamID         string
	UserID         string
	CreatedAt      time.Time
}
