package notifytest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/problem"
)

// Env is a store under test.
type Env struct {
	Store notify.Store
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// world is an Env with the moves that clauses share.
type world struct {
	Env
	now time.Time
}

// TestStore holds the stores that open returns to the contract at notify.Store. Each
// call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, w *world){
		"Add keeps every field":                                               testAdd,
		"Add inserts what the recipient has none of yet":                      testAddTaken,
		"of concurrent Adds of a key one inserts":                             testAddRace,
		"concurrent Adds of one key to the same users do not deadlock":        testAddManyRace,
		"List is the user's, the newest first":                                testList,
		"List goes on after a position, at one time as well":                  testListAfter,
		"nothing but Add sees what is not in-app":                             testHidden,
		"CountUnread counts the user's unread":                                testCount,
		"MarkRead marks the user's own, once":                                 testMarkRead,
		"concurrent MarkReads mark each item once":                            testMarkReadRace,
		"MarkAllRead marks what was created before":                           testMarkAllRead,
		"what is sent during MarkAllRead and not before it stays unread":      testMarkAllReadRace,
		"MarkRead and MarkAllRead at once do not deadlock":                    testMarkBothRace,
		"PruneItems deletes the oldest, at most so many":                      testPrune,
		"Preferences are those of the users and the category":                 testPreferences,
		"PutPreference replaces every field":                                  testPutPreference,
		"concurrent PutPreferences leave one":                                 testPutPreferenceRace,
		"DropPreference deletes one choice":                                   testDropPreference,
		"ForgetItems and ForgetPreferences delete the user's, and only these": testForget,
		"a rollback takes everything back":                                    testRollback,
		"an outage is an error and not an absence":                            testOutage,
		"a cancelled ctx ends every call":                                     testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &world{Env: open(t), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)})
		})
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// item makes an item of a user, one microsecond younger than the one before.
func (w *world) item(userID string, change ...func(i *notify.Item)) notify.Item {
	w.now = w.now.Add(time.Microsecond)
	id := newID()
	i := notify.Item{
		ID: id, UserID: userID, Category: "comments", Type: "comment.created", OrganizationID: "acme", Key: "key " + id,
		Title: "Title 'ü' ?", Body: "one\ntwo", Link: "/x?a=1&b=2", Data: json.RawMessage(`{"a":{"b":[1,"ü"]}}`), InApp: true, CreatedAt: w.now,
	}
	for _, f := range change {
		f(&i)
	}
	return i
}

// add adds what item makes.
func (w *world) add(t *testing.T, userID string, change ...func(i *notify.Item)) notify.Item {
	t.Helper()
	i := w.item(userID, change...)
	assert.Equal(t, assert.Must(w.Store.Add(t.Context(), []notify.Item{i}))(t), []string{i.ID})
	return i
}

func (w *world) list(t *testing.T, userID string) []notify.Item {
	t.Helper()
	return assert.Must(w.Store.List(t.Context(), notify.Query{UserID: userID, Limit: 1000}))(t)
}

func (w *world) unread(t *testing.T, userID string) []notify.Item {
	t.Helper()
	items := assert.Must(w.Store.List(t.Context(), notify.Query{UserID: userID, Unread: true, Limit: 1000}))(t)
	assert.Equal(t, assert.Must(w.Store.CountUnread(t.Context(), userID))(t), len(items))
	return items
}

// race runs call 16 times at once and returns the sum of what the calls return.
func race(t *testing.T, call func(ctx context.Context, n int) (int, error)) (sum int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for n := range 16 {
		group.Go(func() {
			<-start
			got, err := call(t.Context(), n)
			mu.Lock()
			defer mu.Unlock()
			assert.NoError(t, err)
			sum += got
		})
	}
	close(start)
	group.Wait()
	return sum
}

func testAdd(t *testing.T, w *world) {
	full := w.add(t, "ada", func(i *notify.Item) { i.ReadAt = i.CreatedAt.Add(time.Hour) })
	bare := w.add(t, "ada", func(i *notify.Item) { i.OrganizationID, i.Body, i.Link, i.Data = "", "", "", nil })
	assert.Equal(t, w.list(t, "ada"), []notify.Item{bare, full})
	var many []notify.Item
	for range 250 {
		many = append(many, w.item("bob"))
	}
	assert.Len(t, assert.Must(w.Store.Add(t.Context(), many))(t), 250)
	slices.Reverse(many)
	assert.Equal(t, w.list(t, "bob"), many)
	assert.Len(t, assert.Must(w.Store.Add(t.Context(), nil))(t), 0)
}

func testAddTaken(t *testing.T, w *world) {
	first := w.add(t, "ada", func(i *notify.Item) { i.Key = "the key" })
	again := w.item("ada", func(i *notify.Item) { i.Key, i.Title = "the key", "changed" })
	bobs := w.item("bob", func(i *notify.Item) { i.Key = "the key" })
	twice := w.item("bob", func(i *notify.Item) { i.Key = "the key" })
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		added, err := w.Store.Add(ctx, []notify.Item{again, bobs, twice})
		assert.NoError(t, err)
		assert.Equal(t, added, []string{bobs.ID})
		added, err = w.Store.Add(ctx, []notify.Item{again})
		assert.NoError(t, err)
		assert.Len(t, added, 0)
		return w.Store.PutPreference(ctx, notify.Preference{UserID: "ada", Category: "x", Channel: notify.Mail, UpdatedAt: w.now}) // it goes on
	}))
	assert.Equal(t, w.list(t, "ada"), []notify.Item{first})
	assert.Equal(t, w.list(t, "bob"), []notify.Item{bobs})
	elsewhere := w.add(t, "ada", func(i *notify.Item) { i.Key, i.OrganizationID = "the key", "another" })
	nowhere := w.add(t, "ada", func(i *notify.Item) { i.Key, i.OrganizationID = "the key", "" })
	assert.Equal(t, w.list(t, "ada"), []notify.Item{nowhere, elsewhere, first})
}

func testAddRace(t *testing.T, w *world) {
	base := w.item("ada", func(i *notify.Item) { i.Key = "raced" })
	assert.Equal(t, race(t, func(ctx context.Context, _ int) (int, error) {
		mine := base
		mine.ID = newID()
		added, err := w.Store.Add(ctx, []notify.Item{mine})
		return len(added), err
	}), 1)
	assert.Len(t, w.list(t, "ada"), 1)
}

func testAddManyRace(t *testing.T, w *world) {
	users := []string{"ada", "bob", "cyd", "dan", "eve"}
	assert.Equal(t, race(t, func(ctx context.Context, _ int) (n int, err error) {
		err = w.Store.InTx(ctx, func(ctx context.Context) error {
			for _, user := range users { // one by one, as a host's transaction may
				added, err := w.Store.Add(ctx, []notify.Item{{ID: newID(), UserID: user, Key: "raced", InApp: true, CreatedAt: w.now}})
				if err != nil {
					return err
				}
				n += len(added)
			}
			return nil
		})
		return n, err
	}), len(users))
}

func testList(t *testing.T, w *world) {
	old, read, young := w.add(t, "ada"), w.add(t, "ada", func(i *notify.Item) { i.ReadAt = i.CreatedAt }), w.add(t, "ada")
	bobs := w.add(t, "bob")
	assert.Equal(t, w.list(t, "ada"), []notify.Item{young, read, old})
	assert.Equal(t, w.unread(t, "ada"), []notify.Item{young, old})
	assert.Equal(t, w.list(t, "bob"), []notify.Item{bobs})
	assert.Len(t, w.list(t, "nobody"), 0)
	assert.Equal(t, assert.Must(w.Store.List(t.Context(), notify.Query{UserID: "ada", Limit: 2}))(t), []notify.Item{young, read})
}

func testListAfter(t *testing.T, w *world) {
	var all []notify.Item
	at := w.now
	for n := range 9 {
		all = append(all, w.add(t, "ada", func(i *notify.Item) {
			i.CreatedAt = at.Add(time.Duration(n/4) * time.Second) // four at one time
			if n%2 == 0 {
				i.ReadAt = i.CreatedAt
			}
		}))
	}
	slices.Reverse(all)
	for _, unread := range []bool{false, true} {
		want := slices.DeleteFunc(slices.Clone(all), func(i notify.Item) bool { return unread && !i.ReadAt.IsZero() })
		var got []notify.Item
		for after := (notify.Position{}); ; {
			page := assert.Must(w.Store.List(t.Context(), notify.Query{UserID: "ada", Unread: unread, After: after, Limit: 2}))(t)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			last := page[len(page)-1]
			after = notify.Position{CreatedAt: last.CreatedAt, ID: last.ID}
		}
		assert.Equal(t, got, want)
	}
}

func testHidden(t *testing.T, w *world) {
	hidden := w.add(t, "ada", func(i *notify.Item) { i.InApp = false })
	assert.Len(t, w.list(t, "ada"), 0)
	assert.Len(t, w.unread(t, "ada"), 0)
	assert.Equal(t, assert.Must(w.Store.MarkRead(t.Context(), "ada", []string{hidden.ID}, w.now))(t), 0)
	assert.Equal(t, assert.Must(w.Store.MarkAllRead(t.Context(), "ada", w.now.Add(time.Hour), w.now))(t), 0)
	again := w.item("ada", func(i *notify.Item) { i.Key = hidden.Key })
	assert.Len(t, assert.Must(w.Store.Add(t.Context(), []notify.Item{again}))(t), 0)
	assert.Equal(t, assert.Must(w.Store.PruneItems(t.Context(), w.now.Add(time.Hour), 9))(t), 1)
}

func testCount(t *testing.T, w *world) {
	assert.Len(t, w.unread(t, "ada"), 0)
	w.add(t, "ada")
	w.add(t, "ada", func(i *notify.Item) { i.ReadAt = w.now })
	w.add(t, "bob")
	w.add(t, "ada")
	assert.Len(t, w.unread(t, "ada"), 2)
	assert.Len(t, w.unread(t, "bob"), 1)
}

var errStop = errors.New("notifytest: stop")

func testRollback(t *testing.T, w *world) {
	i := w.add(t, "ada")
	p := w.prefer(t, "ada", "comments", notify.Mail, true)
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		for name, call := range calls(w.Store, w.item("bob"), i) {
			if err := call(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return errStop
	}), errStop)
	assert.Equal(t, w.list(t, "ada"), []notify.Item{i})
	assert.Len(t, w.list(t, "bob"), 0)
	assert.Equal(t, w.preferences(t, "", "ada", "bob"), []notify.Preference{p})
}

// calls are all calls of a store: fresh is added, known is there.
func calls(s notify.Store, fresh, known notify.Item) map[string]func(ctx context.Context) error {
	ignore := func(_ any, err error) error { return err }
	at := known.CreatedAt.Add(time.Hour)
	return map[string]func(ctx context.Context) error{
		"Add": func(ctx context.Context) error { return ignore(s.Add(ctx, []notify.Item{fresh})) },
		"List": func(ctx context.Context) error {
			return ignore(s.List(ctx, notify.Query{UserID: known.UserID, Limit: 1}))
		},
		"CountUnread": func(ctx context.Context) error { return ignore(s.CountUnread(ctx, known.UserID)) },
		"MarkRead":    func(ctx context.Context) error { return ignore(s.MarkRead(ctx, known.UserID, []string{known.ID}, at)) },
		"MarkAllRead": func(ctx context.Context) error { return ignore(s.MarkAllRead(ctx, known.UserID, at, at)) },
		"PruneItems":  func(ctx context.Context) error { return ignore(s.PruneItems(ctx, at, 9)) },
		"ForgetItems": func(ctx context.Context) error { return s.ForgetItems(ctx, known.UserID) },
		"Preferences": func(ctx context.Context) error { return ignore(s.Preferences(ctx, "", known.UserID)) },
		"PutPreference": func(ctx context.Context) error {
			return s.PutPreference(ctx, notify.Preference{UserID: fresh.UserID, Category: "x", Channel: notify.InApp, UpdatedAt: at})
		},
		"DropPreference": func(ctx context.Context) error {
			return s.DropPreference(ctx, known.UserID, known.Category, notify.Mail)
		},
		"ForgetPreferences": func(ctx context.Context) error { return s.ForgetPreferences(ctx, known.UserID) },
	}
}

func testOutage(t *testing.T, w *world) {
	known, fresh := w.add(t, "ada"), w.item("ada")
	w.Break()
	for name, call := range calls(w.Store, fresh, known) {
		if err := call(t.Context()); !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testCancelled(t *testing.T, w *world) {
	known, fresh := w.add(t, "ada"), w.item("ada")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(w.Store, fresh, known) {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Equal(t, w.list(t, "ada"), []notify.Item{known})
}
