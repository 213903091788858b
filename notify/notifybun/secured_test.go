package notifybun_test

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/notify/notifybun"
)

func TestR29_ANotificationIsOpenToItsRecipientAndItsOrganization(t *testing.T) {
	t.Parallel()
	owner := bundbtest.Postgres(t, schemas()...)
	db := bundbtest.Secured(t, owner, notifybun.Secured()...)
	assert.NoError(t, db.CheckSecured(t.Context(), notifybun.Secured()...))
	ctx, store := t.Context(), notifybun.New(db)
	item := func(organization, user string) []notify.Item {
		return []notify.Item{{
			ID: organization + user, UserID: user, Category: "comments", Type: "comment.created", OrganizationID: organization,
			Key: organization, Title: "Somebody answered", InApp: true, CreatedAt: db.Now(),
		}}
	}
	red, blue := bundb.ForOrganization(ctx, "red"), bundb.ForOrganization(ctx, "blue")
	for range 2 { // the second is told already
		for _, user := range []string{"ada", "bob"} {
			assert.Must(store.Add(red, item("red", user)))(t)
			assert.Must(store.Add(blue, item("blue", user)))(t)
		}
	}
	_, err := store.Add(red, item("blue", "eve"))
	assert.Error(t, err)
	count := func(ctx context.Context) (n int) { // a method without its WHERE
		assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_notifications").Scan(ctx, nil, &n))
		return n
	}
	assert.Equal(t, []int{count(ctx), count(red), count(bundb.ForUser(ctx, "ada")), count(bundb.ForUser(ctx, "eve"))}, []int{0, 2, 2, 0})
	// What eve did is news to ada, of no organization.
	assert.Len(t, assert.Must(store.Add(bundb.ForUser(ctx, "eve"), item("", "ada")))(t), 1)
	assert.Len(t, assert.Must(store.Add(ctx, append(item("", "ada"), item("", "bob")...)))(t), 1)
	assert.Equal(t, []int{count(ctx), count(bundb.ForUser(ctx, "ada")), count(bundb.ForUser(ctx, "eve")), count(red)}, []int{0, 3, 0, 2})
	later := db.Now().Add(time.Second)
	assert.Equal(t, assert.Must(store.MarkAllRead(bundb.ForUser(ctx, "eve"), "ada", later, later))(t), 0)
	assert.Equal(t, assert.Must(store.MarkAllRead(bundb.ForUser(ctx, "ada"), "ada", later, later))(t), 3)
	assert.Equal(t, assert.Must(store.CountUnread(bundb.ForUser(ctx, "bob"), "bob"))(t), 3)
}
