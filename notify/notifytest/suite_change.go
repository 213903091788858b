package notifytest

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
)

func testMarkRead(t *testing.T, w *world) {
	mine, other, bobs := w.add(t, "ada"), w.add(t, "ada"), w.add(t, "bob")
	at := w.now.Add(time.Hour)
	assert.Equal(t, assert.Must(w.Store.MarkRead(t.Context(), "ada", []string{mine.ID, mine.ID, bobs.ID, newID(), "", "x'"}, at))(t), 1)
	mine.ReadAt = at
	assert.Equal(t, w.list(t, "ada"), []notify.Item{other, mine})
	assert.Equal(t, w.list(t, "bob"), []notify.Item{bobs})
	assert.Equal(t, assert.Must(w.Store.MarkRead(t.Context(), "ada", []string{mine.ID}, at.Add(time.Hour)))(t), 0)
	assert.Equal(t, w.list(t, "ada"), []notify.Item{other, mine}) // the first time counts
}

func testMarkReadRace(t *testing.T, w *world) {
	var ids []string
	for range 8 {
		ids = append(ids, w.add(t, "ada").ID)
	}
	assert.Equal(t, race(t, func(ctx context.Context, n int) (int, error) {
		mine := slices.Clone(ids)
		if n%2 == 0 {
			slices.Reverse(mine)
		}
		return w.Store.MarkRead(ctx, "ada", mine, w.now)
	}), len(ids))
	assert.Len(t, w.unread(t, "ada"), 0)
}

func testMarkAllRead(t *testing.T, w *world) {
	read := w.add(t, "ada", func(i *notify.Item) { i.ReadAt = i.CreatedAt.Add(time.Minute) })
	old, edge, bobs := w.add(t, "ada"), w.add(t, "ada"), w.add(t, "bob", func(i *notify.Item) { i.CreatedAt = i.CreatedAt.Add(-time.Hour) })
	at := w.now.Add(time.Hour)
	assert.Equal(t, assert.Must(w.Store.MarkAllRead(t.Context(), "ada", edge.CreatedAt, at))(t), 1)
	old.ReadAt = at
	assert.Equal(t, w.list(t, "ada"), []notify.Item{edge, old, read})
	assert.Equal(t, w.unread(t, "bob"), []notify.Item{bobs})
}

// Sends and MarkAllReads in any order: each of the older ones is marked at most once,
// and none of the younger.
func testMarkAllReadRace(t *testing.T, w *world) {
	for range 4 {
		w.add(t, "ada")
	}
	before := w.now.Add(time.Microsecond)
	old, young := w.item("ada").CreatedAt.Add(-time.Minute), before.Add(time.Second)
	marked := race(t, func(ctx context.Context, n int) (int, error) {
		if n%2 == 0 {
			return w.Store.MarkAllRead(ctx, "ada", before, before)
		}
		_, err := w.Store.Add(ctx, []notify.Item{
			{ID: newID(), UserID: "ada", Key: newID(), InApp: true, CreatedAt: young},
			{ID: newID(), UserID: "ada", Key: newID(), InApp: true, CreatedAt: old},
		})
		return 0, err
	})
	unread := 0
	for _, i := range w.unread(t, "ada") {
		if i.CreatedAt.Before(before) {
			unread++
		}
	}
	assert.Equal(t, marked+unread, 4+8)
	assert.Len(t, w.unread(t, "ada"), 8+unread)
	assert.Equal(t, assert.Must(w.Store.MarkAllRead(t.Context(), "ada", before, before))(t), unread)
	assert.Len(t, w.unread(t, "ada"), 8)
}

func testMarkBothRace(t *testing.T, w *world) {
	var ids []string
	for n := range 20 { // ids and times in opposite orders
		ids = append(ids, w.add(t, "ada", func(i *notify.Item) { i.CreatedAt = i.CreatedAt.Add(-time.Duration(n) * time.Second) }).ID)
	}
	for range 5 {
		assert.Equal(t, race(t, func(ctx context.Context, n int) (int, error) {
			switch n % 3 {
			case 0:
				return w.Store.MarkRead(ctx, "ada", ids, w.now)
			case 1:
				return 0, w.Store.ForgetItems(ctx, "bob")
			}
			return w.Store.MarkAllRead(ctx, "ada", w.now.Add(time.Hour), w.now)
		}), len(ids))
		assert.NoError(t, w.Store.ForgetItems(t.Context(), "ada"))
		for i := range ids {
			ids[i] = w.add(t, "ada", func(item *notify.Item) { item.CreatedAt = item.CreatedAt.Add(-time.Duration(i) * time.Second) }).ID
		}
	}
}

func testPrune(t *testing.T, w *world) {
	first := w.now
	for n := range 5 {
		w.add(t, []string{"ada", "bob"}[n%2], func(i *notify.Item) {
			i.CreatedAt = first.Add(time.Duration(n) * time.Second)
			if n%2 == 0 {
				i.ReadAt = i.CreatedAt
			}
		})
	}
	before := first.Add(4 * time.Second) // when the last was created
	for _, want := range []int{3, 1, 0} {
		assert.Equal(t, assert.Must(w.Store.PruneItems(t.Context(), before, 3))(t), want)
		if want == 3 {
			assert.Len(t, w.list(t, "ada"), 1) // of 0, 2 and 4 the last
			assert.Len(t, w.list(t, "bob"), 1)
		}
	}
	assert.Len(t, w.list(t, "ada"), 1)
	assert.Len(t, w.list(t, "bob"), 0)
}

func (w *world) prefer(t *testing.T, userID, category string, ch notify.Channel, enabled bool) notify.Preference {
	t.Helper()
	p := notify.Preference{UserID: userID, Category: category, Channel: ch, Enabled: enabled, UpdatedAt: w.now}
	assert.NoError(t, w.Store.PutPreference(t.Context(), p))
	return p
}

// preferences returns them in an order.
func (w *world) preferences(t *testing.T, category string, userIDs ...string) []notify.Preference {
	t.Helper()
	all := assert.Must(w.Store.Preferences(t.Context(), category, userIDs...))(t)
	slices.SortFunc(all, func(a, b notify.Preference) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Channel, b.Channel))
	})
	return all
}

func testPreferences(t *testing.T, w *world) {
	app, mail := w.prefer(t, "ada", "comments", notify.InApp, false), w.prefer(t, "ada", "comments", notify.Mail, true)
	other, bobs := w.prefer(t, "ada", "news", notify.Mail, false), w.prefer(t, "bob", "comments", notify.Mail, false)
	w.prefer(t, "cyd", "comments", notify.Mail, false)
	assert.Equal(t, w.preferences(t, "", "ada"), []notify.Preference{app, mail, other})
	assert.Equal(t, w.preferences(t, "comments", "ada", "bob", "nobody"), []notify.Preference{app, mail, bobs})
	assert.Len(t, w.preferences(t, "", "nobody"), 0)
	assert.Len(t, w.preferences(t, "comments"), 0)
}

func testPutPreference(t *testing.T, w *world) {
	w.prefer(t, "ada", "comments", notify.Mail, true)
	w.now = w.now.Add(time.Hour)
	p := w.prefer(t, "ada", "comments", notify.Mail, false)
	assert.Equal(t, w.preferences(t, "", "ada"), []notify.Preference{p})
}

func testPutPreferenceRace(t *testing.T, w *world) {
	race(t, func(ctx context.Context, n int) (int, error) {
		return 0, w.Store.PutPreference(ctx, notify.Preference{UserID: "ada", Category: "comments", Channel: notify.Mail, Enabled: n%2 == 0, UpdatedAt: w.now})
	})
	assert.Len(t, w.preferences(t, "", "ada"), 1)
}

func testDropPreference(t *testing.T, w *world) {
	w.prefer(t, "ada", "comments", notify.Mail, true)
	kept := []notify.Preference{
		w.prefer(t, "ada", "comments", notify.InApp, false), w.prefer(t, "ada", "news", notify.Mail, true), w.prefer(t, "bob", "comments", notify.Mail, true),
	}
	for range 2 { // none is no error
		assert.NoError(t, w.Store.DropPreference(t.Context(), "ada", "comments", notify.Mail))
	}
	assert.Equal(t, w.preferences(t, "", "ada", "bob"), kept)
}

func testForget(t *testing.T, w *world) {
	w.add(t, "ada")
	w.add(t, "ada", func(i *notify.Item) { i.InApp, i.Key = false, "the key" })
	bobs := w.add(t, "bob")
	w.prefer(t, "ada", "comments", notify.Mail, true)
	his := w.prefer(t, "bob", "comments", notify.Mail, true)
	assert.NoError(t, w.Store.ForgetItems(t.Context(), "ada"))
	assert.Len(t, w.list(t, "ada"), 0)
	assert.Len(t, w.preferences(t, "", "ada"), 1)
	assert.NoError(t, w.Store.ForgetPreferences(t.Context(), "ada"))
	assert.Equal(t, w.preferences(t, "", "ada", "bob"), []notify.Preference{his})
	assert.Equal(t, w.list(t, "bob"), []notify.Item{bobs})
	w.add(t, "ada", func(i *notify.Item) { i.Key = "the key" }) // which is free again
}
