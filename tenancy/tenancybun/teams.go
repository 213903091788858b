package tenancybun

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/team"
)

// Teams implements team.Store, in the tables of Schema. It is safe for concurrent use.
type Teams struct {
	*bundb.DB
	lockOrganization, count, create, rename, remove, list, findForMember bundb.Statement
	lockTeam, lockMember, place, countMembers, add, drop                 bundb.Statement
	members, teamsOf, lockWhole, holdPlace                               bundb.Statement
}

var _ team.Store = (*Teams)(nil)

const (
	teamColumns = "t.id, t.organization_id, t.name, t.created_at, t.updated_at"

	countTeamsSQL = "SELECT count(*) FROM tenon_teams WHERE organization_id = ?"

	createTeamSQL = "INSERT INTO tenon_teams (id, organization_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"

	renameTeamSQL = `
UPDATE tenon_teams SET name = ?, updated_at = ? WHERE organization_id = ? AND id = ?
RETURNING id, organization_id, name, created_at, updated_at`

	deleteTeamSQL = "DELETE FROM tenon_teams WHERE organization_id = ? AND id = ?"

	listTeamsSQL = "SELECT " + teamColumns + " FROM tenon_teams AS t WHERE t.organization_id = ? ORDER BY t.created_at, t.id"

	findTeamForMemberSQL = "SELECT " + teamColumns + `
FROM tenon_teams AS t JOIN tenon_members AS m ON m.organization_id = t.organization_id
WHERE m.user_id = ? AND t.id = ?`

	lockTeamSQL = "SELECT t.id FROM tenon_teams AS t WHERE t.organization_id = ? AND t.id = ?"

	holdForTeamSQL = "SELECT m.id FROM tenon_members AS m WHERE m.organization_id = ? AND m.user_id = ?"

	placeColumns = "tm.id, tm.organization_id, tm.team_id, tm.user_id, tm.created_at"

	placeSQL = "SELECT " + placeColumns + ` FROM tenon_team_members AS tm
WHERE tm.organization_id = ? AND tm.team_id = ? AND tm.user_id = ?`

	countTeamSQL = "SELECT count(*) FROM tenon_team_members WHERE organization_id = ? AND team_id = ?"

	addToTeamSQL = "INSERT INTO tenon_team_members (id, organization_id, team_id, user_id, created_at) VALUES (?, ?, ?, ?, ?)"

	dropFromTeamSQL = `
DELETE FROM tenon_team_members WHERE organization_id = ? AND team_id = ? AND user_id = ?
RETURNING id, organization_id, team_id, user_id, created_at`

	teamMembersSQL = "SELECT " + placeColumns + ` FROM tenon_team_members AS tm
WHERE tm.organization_id = ? AND tm.team_id = ? ORDER BY tm.created_at, tm.id`

	teamsOfSQL = "SELECT " + teamColumns + ` FROM tenon_teams AS t
JOIN tenon_team_members AS tm ON tm.team_id = t.id AND tm.organization_id = t.organization_id
WHERE tm.user_id = ? AND (t.organization_id = ? OR ? = '') ORDER BY t.created_at, t.id`
)

// NewTeams returns Teams on db, whose Schema must have been migrated. It does no I/O.
func NewTeams(db *bundb.DB) *Teams {
	exclusive, shared, whole := "", "", ""
	if db.Dialect() == bundb.Postgres {
		exclusive, shared, whole = " FOR NO KEY UPDATE", " FOR KEY SHARE", " FOR UPDATE"
	}
	return &Teams{
		DB:               db,
		lockOrganization: db.Statement(lockForInvitationsSQL + exclusive), count: db.Statement(countTeamsSQL),
		create: db.Statement(createTeamSQL), rename: db.Statement(renameTeamSQL), remove: db.Statement(deleteTeamSQL),
		list: db.Statement(listTeamsSQL), findForMember: db.Statement(findTeamForMemberSQL),
		lockTeam: db.Statement(lockTeamSQL + exclusive), lockMember: db.Statement(holdForTeamSQL + shared),
		lockWhole: db.Statement(lockTeamSQL + whole), holdPlace: db.Statement(placeSQL + shared),
		place: db.Statement(placeSQL), countMembers: db.Statement(countTeamSQL), add: db.Statement(addToTeamSQL),
		drop: db.Statement(dropFromTeamSQL), members: db.Statement(teamMembersSQL), teamsOf: db.Statement(teamsOfSQL),
	}
}

// CreateTeam implements team.Store. The unique index decides about the name.
func (s *Teams) CreateTeam(ctx context.Context, t team.Team, limit int) error {
	// A savepoint in the caller's transaction, which has to survive a refusal.
	return s.InTx(ctx, func(ctx context.Context) error {
		var held string
		if err := s.lockOrganization.QueryRow(ctx, t.OrganizationID).Scan(&held); err != nil {
			return notFound("tenancybun: lock an organization for teams", err)
		}
		teams := 0
		if err := s.count.QueryRow(ctx, t.OrganizationID).Scan(&teams); err != nil {
			return bundb.Wrap("tenancybun: count teams", err)
		}
		_, err := s.create.Exec(ctx, t.ID, t.OrganizationID, t.Name, t.CreatedAt, t.UpdatedAt)
		switch {
		case strings.Contains(bundb.Violated(err), "name"):
			return team.ErrNameTaken
		case err != nil:
			return bundb.Wrap("tenancybun: create a team", err)
		case limit > 0 && teams >= limit:
			return team.ErrTooManyTeams
		}
		return nil
	})
}

// RenameTeam implements team.Store.
func (s *Teams) RenameTeam(ctx context.Context, organizationID, id, name string, now time.Time) (t team.Team, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		t, err = scanTeam(s.rename.QueryRow(ctx, name, now, organizationID, id), "tenancybun: rename a team")
		if strings.Contains(bundb.Violated(err), "name") {
			return team.ErrNameTaken
		}
		return err
	})
	return t, err
}

// DeleteTeam implements team.Store.
func (s *Teams) DeleteTeam(ctx context.Context, organizationID, id string) (userIDs []string, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		var locked string
		switch err := s.lockWhole.QueryRow(ctx, organizationID, id).Scan(&locked); {
		case errors.Is(err, sql.ErrNoRows):
			return team.ErrNotFound
		case err != nil:
			return bundb.Wrap("tenancybun: lock a team", err)
		}
		members, err := s.Members(ctx, organizationID, id)
		if err != nil {
			return err
		}
		for _, m := range members {
			userIDs = append(userIDs, m.UserID)
		}
		_, err = s.remove.Exec(ctx, organizationID, id)
		return bundb.Wrap("tenancybun: delete a team", err)
	})
	return userIDs, err
}

// Teams implements team.Store.
func (s *Teams) Teams(ctx context.Context, organizationID string, ids ...string) ([]team.Team, error) {
	list, err := listTeams(ctx, s.list, organizationID)
	if len(ids) > 0 {
		list = slices.DeleteFunc(list, func(t team.Team) bool { return !slices.Contains(ids, t.ID) })
	}
	return list, bundb.Wrap("tenancybun: teams", err)
}

// FindForMember implements team.Store.
func (s *Teams) FindForMember(ctx context.Context, userID, id string) (team.Team, error) {
	return scanTeam(s.findForMember.QueryRow(ctx, userID, id), "tenancybun: find a member's team")
}

// AddMember implements team.MemberStore. It locks the team, so that its members are
// counted one after the other, and holds the membership.
func (s *Teams) AddMember(ctx context.Context, m team.Member, limit int) (added team.Member, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		var held string
		switch err := s.lockMember.QueryRow(ctx, m.OrganizationID, m.UserID).Scan(&held); {
		case errors.Is(err, sql.ErrNoRows):
			return tenancy.ErrNotFound
		case err != nil:
			return bundb.Wrap("tenancybun: hold a member", err)
		}
		switch err := s.lockTeam.QueryRow(ctx, m.OrganizationID, m.TeamID).Scan(&held); {
		case errors.Is(err, sql.ErrNoRows):
			return team.ErrNotFound
		case err != nil:
			return bundb.Wrap("tenancybun: lock a team", err)
		}
		added, err = s.insertMember(ctx, m, limit)
		return err
	})
	if err != nil {
		return team.Member{}, err
	}
	return added, nil
}

func (s *Teams) insertMember(ctx context.Context, m team.Member, limit int) (team.Member, error) {
	found, err := scanPlace(s.place.QueryRow(ctx, m.OrganizationID, m.TeamID, m.UserID), "tenancybun: find a place in a team")
	if !errors.Is(err, team.ErrNotMember) {
		return found, err
	}
	n := 0
	if err := s.countMembers.QueryRow(ctx, m.OrganizationID, m.TeamID).Scan(&n); err != nil {
		return team.Member{}, bundb.Wrap("tenancybun: count a team", err)
	}
	if limit > 0 && n >= limit {
		return team.Member{}, team.ErrTeamFull
	}
	_, err = s.add.Exec(ctx, m.ID, m.OrganizationID, m.TeamID, m.UserID, m.CreatedAt)
	return m, bundb.Wrap("tenancybun: add a member to a team", err)
}

// HoldMember implements team.MemberStore. On SQLite the transaction is the only writer
// already.
func (s *Teams) HoldMember(ctx context.Context, organizationID, teamID, userID string) (team.Member, error) {
	if !s.InTransaction(ctx) {
		return team.Member{}, tenancy.ErrNoTransaction
	}
	return scanPlace(s.holdPlace.QueryRow(ctx, organizationID, teamID, userID), "tenancybun: hold a place in a team")
}

// RemoveMember implements team.MemberStore.
func (s *Teams) RemoveMember(ctx context.Context, organizationID, teamID, userID string) (team.Member, error) {
	return scanPlace(s.drop.QueryRow(ctx, organizationID, teamID, userID), "tenancybun: remove a member from a team")
}

// Members implements team.MemberStore.
func (s *Teams) Members(ctx context.Context, organizationID, teamID string) (list []team.Member, err error) {
	err = each(ctx, s.members, []any{organizationID, teamID}, func(row scanner) error {
		var m team.Member
		err := placeRow(row, &m)
		list = append(list, m)
		return err
	})
	return list, bundb.Wrap("tenancybun: members of a team", err)
}

// TeamsOf implements team.MemberStore.
func (s *Teams) TeamsOf(ctx context.Context, userID, organizationID string) ([]team.Team, error) {
	list, err := listTeams(ctx, s.teamsOf, userID, organizationID, organizationID)
	return list, bundb.Wrap("tenancybun: teams of a user", err)
}

func listTeams(ctx context.Context, statement bundb.Statement, args ...any) (list []team.Team, err error) {
	err = each(ctx, statement, args, func(row scanner) error {
		var t team.Team
		err := teamRow(row, &t)
		list = append(list, t)
		return err
	})
	return list, err
}

func teamRow(row scanner, t *team.Team) error {
	return row.Scan(&t.ID, &t.OrganizationID, &t.Name, bundb.ScanTime(&t.CreatedAt), bundb.ScanTime(&t.UpdatedAt))
}

func placeRow(row scanner, m *team.Member) error {
	return row.Scan(&m.ID, &m.OrganizationID, &m.TeamID, &m.UserID, bundb.ScanTime(&m.CreatedAt))
}

func scanTeam(row scanner, op string) (team.Team, error) {
	var t team.Team
	err := teamRow(row, &t)
	if errors.Is(err, sql.ErrNoRows) {
		return team.Team{}, team.ErrNotFound
	}
	if err != nil {
		return team.Team{}, bundb.Wrap(op, err)
	}
	return t, nil
}

func scanPlace(row scanner, op string) (team.Member, error) {
	var m team.Member
	err := placeRow(row, &m)
	if errors.Is(err, sql.ErrNoRows) {
		return team.Member{}, team.ErrNotMember
	}
	if err != nil {
		return team.Member{}, bundb.Wrap(op, err)
	}
	return m, nil
}
