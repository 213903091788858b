package tenancybun_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func TestManagersAreTheOwnerAndTheAdmins(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		store := tenancybun.New(db)
		mine, err := create(t.Context(), db, newService(t, db), "Acme")
		assert.NoError(t, err)
		other, err := create(t.Context(), db, newService(t, db), "Other")
		assert.NoError(t, err)
		for i, m := range []tenancy.Member{
			{UserID: "young", Role: "billing,admin", CreatedAt: mine.CreatedAt.Add(time.Hour)},
			{UserID: "old", Role: "admin", CreatedAt: mine.CreatedAt.Add(-time.Hour)},
			{UserID: "alike", Role: "admin-of-mail,superadmin"},
			{UserID: "member", Role: "member"},
			{UserID: "neighbour", Role: "admin", OrganizationID: other.ID},
		} {
			m.ID = uuid.NewString()
			if m.OrganizationID == "" {
				m.OrganizationID = mine.ID
			}
			if m.CreatedAt.IsZero() {
				m.CreatedAt = mine.CreatedAt.Add(time.Duration(i) * time.Second)
			}
			assert.NoError(t, join(t.Context(), db, m))
		}
		for limit, want := range map[int][]string{9: {mine.OwnerID, "old", "young"}, 2: {mine.OwnerID, "old"}} {
			o, users, err := store.Managers(t.Context(), mine.ID, limit)
			assert.NoError(t, err)
			assert.Equal(t, users, want)
			assert.Equal(t, o, tenancy.Organization{ID: mine.ID, Name: "Acme", OwnerID: mine.OwnerID})
		}
		_, _, err = store.Managers(t.Context(), "nothing", 9)
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
		_, _, err = tenancybun.New(bundbtest.Broken(t, db)).Managers(t.Context(), mine.ID, 9)
		assert.ErrorIs(t, err, problem.ErrUnavailable)
	})
}
