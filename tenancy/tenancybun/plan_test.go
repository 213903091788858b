package tenancybun_test

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

// crowd makes organizations o0 to o999 with so many members in all, and as many
// invitations; users are members of several.
func crowd(t *testing.T, db *bundb.DB, n int) {
	t.Helper()
	const at = "'2026-01-01 00:00:00+00:00'"
	bundbtest.Fill(t, db, n,
		"INSERT INTO tenon_organizations (id, name, slug, logo, owner_id, created_at, updated_at) "+
			"SELECT 'o' || (n-1), 'Acme', 'acme-' || n, '', 'u' || (n-1), "+at+", "+at+" FROM numbers WHERE n <= 1000",
		"INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) "+
			"SELECT 'm' || n, 'o' || ((n-1) % 1000), CASE WHEN n <= 1000 THEN 'u' || (n-1) ELSE 'v' || (n/4) END, "+
			"CASE WHEN n <= 1000 THEN 'owner' WHEN n % 40 = 0 THEN 'admin' ELSE 'member' END, "+at+" FROM numbers",
		"INSERT INTO tenon_invitations (id, organization_id, email, display, role, team_ids, inviter_id, status, user_id, expires_at, created_at, updated_at) "+
			"SELECT 'i' || n, 'o' || (n % 1000), 'guest' || (n / 3) || '@example.com', '', 'member', '', 'u' || (n % 1000), CASE WHEN n % 3 = 0 THEN 'pending' ELSE 'accepted' END, "+
			"CASE WHEN n % 3 = 0 THEN NULL ELSE 'u' || n END, '2099-01-01 00:00:00+00:00', "+at+", "+at+" FROM numbers",
		"INSERT INTO tenon_teams (id, organization_id, name, created_at, updated_at) SELECT 't' || n, 'o' || (n % 1000), 'Team ' || n, "+at+", "+at+" FROM numbers WHERE n <= 4000",
	)
}

// What is asked on every request, at every acceptance and for every page of a list
// follows indexes. Without one of them the plan is another.
func TestStatementsFollowTheirIndexes(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		crowd(t, db, 12_000)
		store, invitations := tenancybun.New(db), tenancybun.NewInvitations(db)
		within := func(call func(ctx context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error { return db.InTx(ctx, call) }
		}
		now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
		bundbtest.RequirePlans(
			t, db,
			bundbtest.Planned{
				Name: "membership", Args: []any{"o7", "u7"},
				Call:   func(ctx context.Context) error { _, _, err := store.Membership(ctx, "o7", "u7"); return err },
				SQLite: "(organization_id=? AND user_id=?)", Postgres: "on tenon_members m",
			},
			bundbtest.Planned{
				Name: "hold a membership", Args: []any{"o7", "u7"},
				Call:   within(func(ctx context.Context) error { _, _, err := store.HoldMembership(ctx, "o7", "u7"); return err }),
				SQLite: "(organization_id=? AND user_id=?)", Postgres: "on tenon_members m",
			},
			bundbtest.Planned{
				Name: "the first membership", Args: []any{"u7"}, Call: within(func(ctx context.Context) error { _, err := store.HoldFirst(ctx, "u7"); return err }),
				SQLite: "tenon_members_user_id (user_id=?)", Postgres: "tenon_members_user_id",
			},
			bundbtest.Planned{
				Name: "managers", Args: []any{"o7", 100},
				Call:   func(ctx context.Context) error { _, _, err := store.Managers(ctx, "o7", 100); return err },
				SQLite: "USING INDEX tenon_members_managers (organization_id=?)", Postgres: "tenon_members_managers",
			},
			bundbtest.Planned{
				Name: "members", Call: func(ctx context.Context) error {
					_, _, err := store.ListMembers(ctx, tenancy.MemberQuery{OrganizationID: "o7", Limit: 50})
					return err
				},
				SQLite: "(organization_id=?)", Postgres: "organization_id = 'o7'",
			},
			bundbtest.Planned{
				Name: "sent", Args: []any{"o7"}, Call: func(ctx context.Context) error { _, err := invitations.Sent(ctx, "o7"); return err },
				SQLite: "USING INDEX tenon_invitations_organization_id (organization_id=?)", Postgres: "tenon_invitations_organization_id",
			},
			bundbtest.Planned{
				Name: "received", Args: []any{"guest7@example.com", now},
				Call: func(ctx context.Context) error {
					_, err := invitations.Received(ctx, "guest7@example.com", "", now)
					return err
				},
				SQLite: "USING INDEX tenon_invitations_email (email=?)", Postgres: "tenon_invitations_email",
			},
			bundbtest.Planned{
				Name: "received by id", Args: []any{"guest7@example.com", now, "i21"},
				Call: func(ctx context.Context) error {
					_, err := invitations.Received(ctx, "guest7@example.com", "i21", now)
					return err
				},
			},
			bundbtest.Planned{
				Name: "decide", Args: []any{"accepted", "u1", now, "o21", "i21", now}, Call: func(ctx context.Context) error {
					_, err := invitations.Decide(ctx, invitation.Decision{OrganizationID: "o21", ID: "i21", To: invitation.Accepted, UserID: "u1", At: now})
					return err
				},
			},
		)
	})
}
