package oauthtest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// Env is a store under test.
type Env struct {
	Store oauth.Store
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// world is an Env with the moves that clauses share.
type world struct {
	Env
	now time.Time
}

type clauses map[string]func(t *testing.T, w *world)

// TestStore holds the stores that open returns to the contract at oauth.Store. Each call
// of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	all := clauses{
		"a rollback takes everything back":           testRollback,
		"an outage is an error and not an absence":   testOutage,
		"a cancelled ctx ends every call":            testCancelled,
		"times come back as UTC with microseconds":   testTimes,
		"what is returned is the caller's to change": testCopies,
	}
	for _, part := range []clauses{linkClauses(), onceClauses(), grantClauses(), refreshClauses()} {
		maps.Copy(all, part)
	}
	for name, test := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &world{Env: open(t), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)})
		})
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// race runs call 16 times at once, and returns how many succeeded. The others must fail
// with want.
func race(t *testing.T, want error, call func(ctx context.Context) error) (won int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 16 {
		group.Go(func() {
			<-start
			err := call(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				assert.ErrorIs(t, err, want)
			}
		})
	}
	close(start)
	group.Wait()
	return won
}

var errLost = errors.New("oauthtest: lost")

func lost(ok bool, err error) error {
	if err == nil && !ok {
		return errLost
	}
	return err
}

func testRollback(t *testing.T, w *world) {
	l, a := w.link(t, "ada"), w.attach(t)
	g := w.put(t, l)
	stop := errors.New("stop")
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.True(t, w.Store.InTransaction(ctx), "there is one")
		assert.NoError(t, w.Store.AddLink(ctx, w.newLink("bob")))
		assert.NoError(t, lost(w.Store.UseLink(ctx, "ada", l.ID, "new@example.com", w.now)))
		_, err := w.Store.ClaimAttachment(ctx, a.SignUpID, w.now)
		assert.NoError(t, err)
		assert.NoError(t, w.Store.SpendIDToken(ctx, []byte("hash"), w.now))
		assert.NoError(t, w.Store.PutGrant(ctx, g))
		assert.NoError(t, w.Store.Forget(ctx, "ada"))
		return stop
	}), stop)
	assert.False(t, w.Store.InTransaction(t.Context()), "there is none")
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{l})
	assert.Len(t, w.list(t, "bob"), 0)
	assert.Equal(t, w.grant(t, l), g)
	_, err := w.Store.ClaimAttachment(t.Context(), a.SignUpID, w.now)
	assert.NoError(t, err)
	assert.NoError(t, w.Store.SpendIDToken(t.Context(), []byte("hash"), w.now))
}

// calls are all calls of a store.
func calls(s oauth.Store, now time.Time) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"InTx":           func(ctx context.Context) error { return s.InTx(ctx, func(context.Context) error { return nil }) },
		"AddLink":        func(ctx context.Context) error { return s.AddLink(ctx, oauth.Link{ID: "x", CreatedAt: now}) },
		"LinkByIdentity": func(ctx context.Context) error { _, err := s.LinkByIdentity(ctx, oauth.Identity{}); return err },
		"Links":          func(ctx context.Context) error { _, err := s.Links(ctx, "ada"); return err },
		"UseLink":        func(ctx context.Context) error { _, err := s.UseLink(ctx, "ada", "x", "", now); return err },
		"RemoveLink":     func(ctx context.Context) error { _, err := s.RemoveLink(ctx, "ada", "x"); return err },
		"Forget":         func(ctx context.Context) error { return s.Forget(ctx, "ada") },
		"AddAttachment": func(ctx context.Context) error {
			return s.AddAttachment(ctx, oauth.Attachment{SignUpID: "x", CreatedAt: now, ExpiresAt: now})
		},
		"ClaimAttachment":  func(ctx context.Context) error { _, err := s.ClaimAttachment(ctx, "x", now); return err },
		"PruneAttachments": func(ctx context.Context) error { _, err := s.PruneAttachments(ctx, now, 1); return err },
		"PutGrant":         func(ctx context.Context) error { return s.PutGrant(ctx, oauth.Grant{LinkID: "x", UserID: "ada"}) },
		"FindGrant":        func(ctx context.Context) error { _, err := s.FindGrant(ctx, "ada", "x"); return err },
		"ClaimRefresh":     func(ctx context.Context) error { _, err := s.ClaimRefresh(ctx, "x", 1, now, now); return err },
		"FinishRefresh": func(ctx context.Context) error {
			_, err := s.FinishRefresh(ctx, oauth.Grant{LinkID: "x", Access: []byte("a"), UpdatedAt: now})
			return err
		},
		"SpendIDToken":  func(ctx context.Context) error { return s.SpendIDToken(ctx, []byte("x"), now) },
		"PruneIDTokens": func(ctx context.Context) error { _, err := s.PruneIDTokens(ctx, now, 1); return err },
	}
}

func testOutage(t *testing.T, w *world) {
	w.Break()
	for name, call := range calls(w.Store, w.now) {
		if err := call(t.Context()); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testCancelled(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(w.Store, w.now) {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// testTimes gives every time in a zone of its own. What comes back is equal by ==, so it
// is the same microsecond in UTC.
func testTimes(t *testing.T, w *world) {
	east := time.FixedZone("east", 5*60*60)
	l := w.newLink("ada")
	l.LastUsedAt = w.now.Add(time.Hour)
	given := l
	given.CreatedAt, given.LastUsedAt = l.CreatedAt.In(east), l.LastUsedAt.In(east)
	assert.NoError(t, w.Store.AddLink(t.Context(), given))
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{l})

	later := w.now.Add(2*time.Hour + time.Microsecond)
	assert.NoError(t, lost(w.Store.UseLink(t.Context(), "ada", l.ID, l.Email, later.In(east))))
	assert.Equal(t, w.list(t, "ada")[0].LastUsedAt, later)

	g := w.newGrant(l)
	put := g
	put.AccessEndsAt, put.CreatedAt, put.UpdatedAt = g.AccessEndsAt.In(east), g.CreatedAt.In(east), g.UpdatedAt.In(east)
	assert.NoError(t, w.Store.PutGrant(t.Context(), put))
	g.Generation = 1
	assert.Equal(t, w.grant(t, l), g)
	until := w.now.Add(time.Minute)
	assert.NoError(t, lost(w.Store.ClaimRefresh(t.Context(), l.ID, 1, w.now.In(east), until.In(east))))
	assert.Equal(t, w.grant(t, l).RefreshingUntil, until)

	a := w.newAttachment()
	waits := a
	waits.CreatedAt, waits.ExpiresAt = a.CreatedAt.In(east), a.ExpiresAt.In(east)
	assert.NoError(t, w.Store.AddAttachment(t.Context(), waits))
	got, err := w.Store.ClaimAttachment(t.Context(), a.SignUpID, a.ExpiresAt.Add(-time.Microsecond).In(east))
	assert.NoError(t, err)
	assert.Equal(t, got, a)
}

func testCopies(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.put(t, l)
	got := w.grant(t, l)
	got.Access[0]++
	got.Refresh[0]++
	got.Scopes[0] = "everything"
	assert.Equal(t, w.grant(t, l), g)
}
