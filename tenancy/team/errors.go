package team

import "github.com/tenon-go/tenon/problem"

// Errors of the package.
var (
	// ErrNotFound means that there is no such team, or none in an organization that the
	// caller belongs to; the two are never told apart.
	ErrNotFound = problem.New(problem.NotFound, "TEAM_NOT_FOUND", "There is no such team.")
	// ErrNameTaken means that another team of the organization has the name.
	ErrNameTaken = problem.New(problem.Conflict, "TEAM_ALREADY_EXISTS", "Another team has this name. Choose another.")
	// ErrInvalidName means that a name is empty, too long or not printable.
	ErrInvalidName = problem.New(problem.Invalid, "INVALID_TEAM_NAME", "The name must be 1 to 100 printable characters.")
	// ErrTooManyTeams means that the organization may not have another team.
	ErrTooManyTeams = problem.New(problem.PermissionDenied, "YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_TEAMS",
		"The organization has as many teams as it may have.")
	// ErrTeamFull means that the team may not have another member.
	ErrTeamFull = problem.New(problem.PermissionDenied, "TEAM_MEMBER_LIMIT_REACHED", "The team has as many members as it may have.")
	// ErrNotMember means that the user is not in the team.
	ErrNotMember = problem.New(problem.PermissionDenied, "USER_IS_NOT_A_MEMBER_OF_THE_TEAM", "This user is not a member of the team.")
	// ErrNoActiveTeam means that no team was named, and none is active.
	ErrNoActiveTeam = problem.New(problem.Invalid, "YOU_DO_NOT_HAVE_AN_ACTIVE_TEAM", "No team is active. Choose one and try again.")
	// ErrNotInOrganization means that the user is not a member of the team's
	// organization.
	ErrNotInOrganization = problem.New(problem.Invalid, "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION",
		"This user is not a member of the organization.")
)
