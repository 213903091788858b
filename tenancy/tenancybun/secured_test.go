package tenancybun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

// careless is the store with one method whose WHERE was removed on purpose.
type careless struct{ *tenancybun.Store }

func (s careless) Members(ctx context.Context, _ string) (list []tenancy.Member, err error) {
	rows, err := s.Statement("SELECT m.id, m.organization_id, m.user_id, m.role FROM tenon_members AS m ORDER BY m.id").Query(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m tenancy.Member
		if err := rows.Scan(&m.ID, &m.OrganizationID, &m.UserID, &m.Role); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// twins returns a secured database with two organizations of the same making, one
// row in each secured table, and the same owner.
func twins(t *testing.T) (db, owner *bundb.DB) {
	t.Helper()
	owner = bundbtest.Postgres(t, schemas()...)
	db = bundbtest.Secured(t, owner, tenancybun.Secured("")...)
	for _, id := range []string{"red", "blue"} {
		ctx, now := bundb.ForOrganization(t.Context(), id), db.Now()
		// The store itself works inside the scope of its organization.
		assert.NoError(t, db.InTx(ctx, func(ctx context.Context) error {
			o := tenancy.Organization{ID: id, Name: "Twin", Slug: "twin-" + id, OwnerID: "ada", CreatedAt: now, UpdatedAt: now}
			m := tenancy.Member{ID: "m-" + id, OrganizationID: id, UserID: "ada", Role: tenancy.RoleOwner, CreatedAt: now}
			return tenancybun.New(db).CreateOrganization(ctx, o, m)
		}))
		for _, query := range []string{
			"INSERT INTO tenon_organization_roles VALUES ('r-' || $1, $1, 'cook', '{}', $2, $2)",
			"INSERT INTO tenon_teams VALUES ('t-' || $1, $1, 'kitchen', $2, $2)",
			"INSERT INTO tenon_team_members VALUES ('p-' || $1, $1, 't-' || $1, 'ada', $2)",
			"INSERT INTO tenon_invitations VALUES ('i-' || $1, $1, 'bob@example.com', 'bob', 'member', '', 'ada', 'pending', NULL, $2, $2, $2)",
		} {
			_, err := db.Raw(ctx).ExecContext(ctx, query, id, now)
			assert.NoError(t, err)
		}
	}
	return db, owner
}

func TestR29_AStoreMethodWithoutItsWhereYieldsNothingOfTheNeighbour(t *testing.T) {
	t.Parallel()
	db, owner := twins(t)
	ctx, store := t.Context(), careless{tenancybun.New(db)}
	for want, scopes := range map[int][]context.Context{
		0: {ctx, bundb.ForOrganization(ctx, "green"), bundb.ForUser(ctx, "bob")},
		2: {bundb.ForUser(ctx, "ada"), bundb.ForSystem(ctx)},
	} {
		for _, ctx := range scopes {
			assert.Len(t, assert.Must(store.Members(ctx, "blue"))(t), want)
		}
	}
	found := assert.Must(store.Members(bundb.ForOrganization(ctx, "red"), "blue"))(t)
	assert.Equal(t, len(found), 1)
	assert.Equal(t, found[0].OrganizationID, "red")
	// Without row security the same method gives everything away.
	assert.Equal(t, len(assert.Must(careless{tenancybun.New(owner)}.Members(ctx, "red"))(t)), 2)
}

func TestR29_EveryTableHoldsTheNeighbourBack(t *testing.T) {
	t.Parallel()
	db, owner := twins(t)
	assert.NoError(t, db.CheckSecured(t.Context(), tenancybun.Secured("")...))
	red := bundb.ForOrganization(t.Context(), "red")
	for _, table := range tenancybun.Secured("") {
		var all, own, none int
		count := "SELECT count(*) FROM " + table.Table
		assert.NoError(t, owner.Statement(count).Scan(t.Context(), nil, &all))
		assert.NoError(t, db.Statement(count+" WHERE "+table.Organization+" = 'red'").Scan(red, nil, &own))
		assert.Equal(t, []int{all, own}, []int{2, 1})
		assert.NoError(t, db.Statement(count+" WHERE "+table.Organization+" <> 'red'").Scan(red, nil, &none))
		assert.NoError(t, db.Statement(count).Scan(t.Context(), nil, &all))
		assert.Equal(t, []int{all, none}, []int{0, 0})
	}
	before := bundbtest.Dump(t, owner)
	for _, table := range tenancybun.Secured("") {
		result, err := db.Raw(red).ExecContext(red, "DELETE FROM "+table.Table+" WHERE "+table.Organization+" <> 'red'")
		assert.NoError(t, err)
		assert.Equal(t, assert.Must(result.RowsAffected())(t), int64(0))
	}
	assert.Equal(t, string(bundbtest.Dump(t, owner)), string(before))
}

// What a user's scope lets read it does not let change.
func TestR29_AUserReadsTheirMembershipsAndChangesNone(t *testing.T) {
	t.Parallel()
	db, owner := twins(t)
	ada, store := bundb.ForUser(t.Context(), "ada"), tenancybun.New(db)
	before := string(bundbtest.Dump(t, owner))
	assert.Equal(t, len(assert.Must(store.Organizations(ada, "ada", 10))(t)), 2)
	_, m, err := store.Membership(ada, "red", "ada")
	assert.NoError(t, err)
	assert.Equal(t, m.Role, tenancy.RoleOwner)
	for _, query := range []string{"UPDATE tenon_members SET role = 'x'", "UPDATE tenon_organizations SET name = 'x'", "DELETE FROM tenon_team_members"} {
		result, err := db.Raw(ada).ExecContext(ada, query)
		if err != nil { // the row may be locked
			assert.Contains(t, err.Error(), "row-level security")
			continue
		}
		assert.Equal(t, assert.Must(result.RowsAffected())(t), int64(0))
	}
	assert.Equal(t, string(bundbtest.Dump(t, owner)), before)
	assert.Equal(t, len(assert.Must(store.Organizations(bundb.ForUser(t.Context(), "bob"), "ada", 10))(t)), 0)
}

// Foreign keys and cascades are the owner's and see all rows.
func TestR29_DeletingAnOrganizationTakesAllOfItAlong(t *testing.T) {
	t.Parallel()
	db, owner := twins(t)
	assert.NoError(t, db.InTx(bundb.ForOrganization(t.Context(), "red"), func(ctx context.Context) error {
		return tenancybun.New(db).DeleteOrganization(ctx, "red")
	}))
	for _, table := range tenancybun.Secured("") {
		var n int
		assert.NoError(t, owner.Statement("SELECT count(*) FROM "+table.Table).Scan(t.Context(), nil, &n))
		assert.Equal(t, n, 1)
	}
}

// What is locked before it is known whose it is can be locked by members only, and
// taken along into no other organization.
func TestR29_AUserLocksTheirMembershipsAndMovesNone(t *testing.T) {
	t.Parallel()
	db, owner := twins(t)
	store, before := tenancybun.New(db), string(bundbtest.Dump(t, owner))
	ada := bundb.ForUser(t.Context(), "ada")
	for user, want := range map[string]error{"ada": nil, "bob": tenancy.ErrNotFound} {
		assert.ErrorIs(t, db.InTx(bundb.ForUser(t.Context(), user), func(ctx context.Context) error {
			_, _, err := store.LockOrganization(ctx, "red", "ada")
			return err
		}), want)
		assert.ErrorIs(t, db.InTx(bundb.ForUser(t.Context(), user), func(ctx context.Context) error {
			_, _, err := store.HoldMembership(ctx, "red", "ada")
			return err
		}), want)
	}
	red := bundb.ForOrganization(ada, "red")
	for _, query := range []string{
		"UPDATE tenon_members SET organization_id = 'red', id = 'stolen', user_id = 'eve' WHERE organization_id = 'blue'",
		"UPDATE tenon_organizations SET id = 'red' WHERE id = 'blue'",
	} {
		result, err := db.Raw(red).ExecContext(red, query)
		assert.NoError(t, err)
		assert.Equal(t, assert.Must(result.RowsAffected())(t), int64(0))
	}
	assert.Equal(t, string(bundbtest.Dump(t, owner)), before)
}
