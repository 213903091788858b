package notifybun_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/notify/notifybun"
)

// crowd fills the table with what 40 users have: mostly read, some not in-app.
func crowd(t *testing.T, db *bundb.DB) (store *notifybun.Store, at time.Time) {
	t.Helper()
	store, at = notifybun.New(db), db.Now()
	for user := range 40 {
		var items []notify.Item
		for n := range 150 {
			i := notify.Item{
				ID: uuid.Must(uuid.NewV7()).String(), UserID: fmt.Sprintf("user-%02d", user), Category: "comments", Type: "comment.created",
				Key: fmt.Sprint(n), Title: "Somebody answered you", Body: strings.Repeat("text ", 30), InApp: n%10 != 0, CreatedAt: at.Add(time.Duration(n) * time.Minute),
			}
			if n%8 != 0 {
				i.ReadAt = i.CreatedAt
			}
			items = append(items, i)
		}
		assert.Must(store.Add(t.Context(), items))(t)
	}
	bundbtest.Analyze(t, db)
	return store, at
}

// Every statement of a page follows an index to its own rows and no further: no
// sorting, no reading of the table in whole, and counting reads no row at all.
func TestStatementsFollowTheirIndexes(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		store, at := crowd(t, db)
		const user = "user-07"
		after := at.Add(time.Hour)
		for _, c := range []struct {
			name             string
			call             func(ctx context.Context) error
			args             []any
			sqlite, postgres string
		}{
			{"a page", func(ctx context.Context) error {
				_, err := store.List(ctx, notify.Query{UserID: user, Limit: 21, After: notify.Position{CreatedAt: after, ID: "x"}})
				return err
			}, []any{user, after, "x", 21}, "USING INDEX tenon_notifications_list (user_id=? AND (created_at,id)<(?,?))", "Index Scan Backward using tenon_notifications_list "},
			{"an unread page", func(ctx context.Context) error {
				_, err := store.List(ctx, notify.Query{UserID: user, Unread: true, Limit: 21})
				return err
			}, []any{user, after, "x", 21}, "INDEX tenon_notifications_unread (user_id=? AND (created_at,id)<(?,?))", "Index Scan Backward using tenon_notifications_unread "},
			{
				"the count", func(ctx context.Context) error { _, err := store.CountUnread(ctx, user); return err },
				[]any{user},
				"USING COVERING INDEX tenon_notifications_unread (user_id=?)", "Index Only Scan using tenon_notifications_unread ",
			},
			{
				"mark all", func(ctx context.Context) error { _, err := store.MarkAllRead(ctx, user, at, at); return err },
				[]any{at, user, user, at},
				"USING COVERING INDEX tenon_notifications_unread (user_id=? AND created_at<?)", "using tenon_notifications_unread ",
			},
			{
				"prune", func(ctx context.Context) error { _, err := store.PruneItems(ctx, at.Add(-time.Hour), 10); return err },
				[]any{at.Add(-time.Hour), 10},
				"USING INDEX tenon_notifications_created_at (created_at<?)", "using tenon_notifications_created_at ",
			},
			{
				"forget", func(ctx context.Context) error { return store.ForgetItems(ctx, "nobody") },
				[]any{user, user},
				"(user_id=?)", "user_id",
			},
		} {
			got, want := bundbtest.Plan(t, db, c.call, c.args...), c.sqlite
			if db.Dialect() == bundb.Postgres {
				want = c.postgres
			}
			reads := strings.Contains(c.name, "page") || strings.Contains(c.name, "count")
			for bad, always := range map[string]bool{"Seq Scan": true, "TEMP B-TREE": true, "SCAN tenon_notifications": true, "Filter: ": false, "Sort": false} {
				if (reads || always) && strings.Contains(got, bad) {
					t.Errorf("%s: %q in\n%s", c.name, bad, got)
				}
			}
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, got)
			}
		}
	})
}

// blockedSQL counts who waits for a backend, or for somebody who does. Within one
// transaction it would see what it saw first.
const blockedSQL = `
WITH RECURSIVE blocked AS (
    SELECT CAST(? AS integer) AS pid
    UNION SELECT a.pid FROM pg_stat_activity AS a JOIN blocked AS b ON b.pid = ANY (pg_blocking_pids(a.pid)))
SELECT count(*) - 1 FROM blocked`

// Statements that change several rows of a user at once wait for each other and never
// in a circle: here one row in the middle is held until both wait, one of them with
// rows that the other wants.
func TestMarkingDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	store, at := crowd(t, db)
	all := func(ctx context.Context, user string, _ []string) error {
		_, err := store.MarkAllRead(ctx, user, at.Add(24*time.Hour), at)
		return err
	}
	named := func(ctx context.Context, user string, ids []string) error {
		_, err := store.MarkRead(ctx, user, ids, at)
		return err
	}
	forget := func(ctx context.Context, user string, _ []string) error { return store.ForgetItems(ctx, user) }
	for i, both := range [][2]func(ctx context.Context, user string, ids []string) error{{all, named}, {named, all}, {named, forget}, {forget, all}, {all, forget}} {
		user := fmt.Sprintf("user-%02d", i)
		items := assert.Must(store.List(t.Context(), notify.Query{UserID: user, Unread: true, Limit: 1000}))(t)
		ids := make([]string, len(items)) // the newest first, as a page has them
		for i, item := range items {
			ids[i] = item.ID
		}
		results := make(chan error, 2)
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			var pid int
			assert.NoError(t, db.Statement("SELECT pg_backend_pid() FROM tenon_notifications WHERE id = ? FOR UPDATE").QueryRow(ctx, ids[len(ids)/2]).Scan(&pid))
			for before, call := range both {
				go func() { results <- call(bundbtest.Flow(context.WithoutCancel(t.Context())), user, ids) }()
				for n := 0; n <= before; {
					assert.NoError(t, db.Statement(blockedSQL).QueryRow(bundbtest.Outside(t.Context()), pid).Scan(&n))
				}
			}
			return nil
		}))
		for range 2 {
			if err := <-results; err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
}
