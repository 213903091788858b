// Package team keeps the teams of organizations: groups of members, without rights of
// their own.
//
//	teams, err := team.New(tenancybun.NewTeams(db), team.Config{
//		Organizations: organizations, // *tenancy.Service
//	})
//
// Whoever may "team: create", "update" or "delete" in an organization makes, renames and
// removes its teams; whoever may "member: update" or "delete" puts members into them and
// takes them out (see package tenancy). Every member sees the organization's teams.
//
// # Errors
//
// [ErrNotFound] is the answer for a team that doesn't exist and for one of an
// organization that the caller does not belong to. The others say what their names say,
// and those of tenancy.Service.Authorize come as they are.
//
// # Storage
//
// [Store] is the contract; tenancybun keeps it beside the organizations, in PostgreSQL
// and SQLite, and tenancytest has an in-memory one and the suite. A place in a team ends
// with the team, and with the place in the organization.
//
// # Concurrency
//
// A Service is safe for concurrent use. The database decides what is unique and how many
// there are at most.
package team
