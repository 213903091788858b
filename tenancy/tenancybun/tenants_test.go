package tenancybun_test

import (
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// tenants are the tables of organizations, and the statements of one suite that name one
// without an organization, each with its reason. A new one fails the suite.
func tenants(t *testing.T, excused ...bundbtest.Excuse) bundbtest.Tenants {
	t.Helper()
	const column = "organization_id"
	return bundbtest.Tenants{Column: column, Tables: bundbtest.TenantTables(t, bundbtest.SQLite(t, schemas()...), column), Excused: excused}
}

func excusedLeaving() bundbtest.Excuse {
	return bundbtest.Excuse{
		Name: "deleted user", Table: "tenon_members", Statement: "delete from tenon_members as m where ( m . user_id = ? ) returning", Reason: "whoever is deleted leaves everywhere",
	}
}

func excusedOrganizations() []bundbtest.Excuse {
	return []bundbtest.Excuse{
		{Name: "own organizations", Table: "tenon_members", Statement: "join tenon_members as m on m . organization_id = o . id where ( m . user_id = ? ) order by", Reason: "the user's own places"},
		{Name: "the last chosen", Table: "tenon_members", Statement: "select o . id from tenon_members as m join tenon_organizations as o on o . id = m . organization_id where m . user_id = ? order by m . chosen_at", Reason: "the user's own places"},
		{Name: "by slug", Table: "tenon_members", Statement: "where o . slug = ? and m . user_id = ?", Reason: "a slug is one organization's, and its reader a member"},
		excusedLeaving(),
		{Name: "shared organization", Table: "tenon_members", Statement: "select exists ( select ? from tenon_members as a join tenon_members as b on b . organization_id = a . organization_id where a . user_id = ? and b . user_id = ? )", Reason: "asks of two users whether they share one, and says no more"},
	}
}

func excusedInvitations() []bundbtest.Excuse {
	return []bundbtest.Excuse{
		{Name: "received", Table: "tenon_invitations", Statement: "where i . email = ? and i . status = ? and i . expires_at > ?", Reason: "what the owner of a proven address was sent"},
		{Name: "deleted inviter or guest", Table: "tenon_invitations", Statement: "delete from tenon_invitations where inviter_id = ? or user_id = ?", Reason: "whoever is deleted is forgotten everywhere"},
		{Name: "invitation for a member", Table: "tenon_members", Statement: "from tenon_invitations as i join tenon_members as m on m . organization_id = i . organization_id where m . user_id = ? and i . id = ?", Reason: "the caller's own places bind it"},
	}
}

func excusedTeams() []bundbtest.Excuse {
	return []bundbtest.Excuse{
		excusedLeaving(),
		{Name: "team for a member", Table: "tenon_members", Statement: "from tenon_teams as t join tenon_members as m on m . organization_id = t . organization_id where m . user_id = ? and t . id = ?", Reason: "the caller's own places bind it"},
		{Name: "own teams", Table: "tenon_team_members", Statement: "from tenon_teams as t join tenon_team_members as tm on tm . team_id = t . id and tm . organization_id = t . organization_id where tm . user_id = ?", Reason: "the user's own places"},
	}
}

// What a store would send that forgot the organization is found, among what it does send.
func TestIsolation_AStatementWithoutItsOrganizationIsFound(t *testing.T) {
	t.Parallel()
	judge := tenants(t)
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc := newService(t, db)
		o := assert.Must(create(t.Context(), db, svc, "Ada's organization"))(t)
		for planted, table := range map[string]string{
			"":                                     "",
			"DELETE FROM tenon_teams WHERE id = ?": "tenon_teams",
			"UPDATE tenon_members SET role = 'admin' WHERE user_id = ?":                     "tenon_members",
			"SELECT name FROM tenon_organization_roles AS r WHERE r.id = ?":                 "tenon_organization_roles",
			"UPDATE tenon_invitations SET status = 'canceled' WHERE id = ?":                 "tenon_invitations",
			"DELETE FROM tenon_members WHERE user_id IN (SELECT ? FROM tenon_team_members)": "tenon_members",
		} {
			found := judge.Offences(bundbtest.FaultsOf(db).Record(func() {
				assert.Must(create(t.Context(), db, svc, "Bob's organization"))(t)
				if planted != "" {
					assert.Must(db.Statement(planted).Exec(t.Context(), o.ID))(t)
				}
			}))
			if (table == "") != (len(found) == 0) || !strings.HasPrefix(strings.Join(found, ""), table) {
				t.Errorf("%q: %v", planted, found)
			}
		}
	})
}
