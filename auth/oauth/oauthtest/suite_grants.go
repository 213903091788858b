package oauthtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/internal/assert"
)

func grantClauses() clauses {
	return clauses{
		"PutGrant keeps every field":                                testPutGrant,
		"PutGrant puts everything but CreatedAt in place":           testPutGrantAgain,
		"PutGrant without Refresh leaves that of a living grant":    testPutGrantKeeps,
		"PutGrant wants the user's own link":                        testPutGrantForeign,
		"every PutGrant raises the generation, concurrent ones too": testPutGrantRace,
		"no grant outlives its link":                                testPutGrantRemoved,
		"FindGrant finds the user's own":                            testFindGrant,
	}
}

func refreshClauses() clauses {
	return clauses{
		"ClaimRefresh wants the generation, no end and nobody's turn": testClaimRefresh,
		"of concurrent ClaimRefreshes one succeeds":                   testClaimRefreshRace,
		"ClaimRefresh commits alone":                                  testClaimRefreshAlone,
		"FinishRefresh replaces tokens, scopes and times":             testFinishRefresh,
		"FinishRefresh of another generation changes nothing":         testFinishStale,
		"of concurrent FinishRefreshes one succeeds":                  testFinishRace,
		"FinishRefresh with an end only marks":                        testFinishEnded,
	}
}

func (w *world) newGrant(l oauth.Link) oauth.Grant {
	return oauth.Grant{
		LinkID: l.ID, UserID: l.UserID, Access: []byte{0xac, 0, 0xff}, Refresh: []byte{0x4e, 0, 0xff}, Scopes: []string{"openid", "email"},
		AccessEndsAt: w.now.Add(time.Hour), CreatedAt: w.now, UpdatedAt: w.now,
	}
}

// put adds a grant for l and returns it as it is kept.
func (w *world) put(t *testing.T, l oauth.Link) oauth.Grant {
	t.Helper()
	g := w.newGrant(l)
	assert.NoError(t, w.Store.PutGrant(t.Context(), g))
	g.Generation = 1
	return g
}

func (w *world) grant(t *testing.T, l oauth.Link) oauth.Grant {
	t.Helper()
	g, err := w.Store.FindGrant(t.Context(), l.UserID, l.ID)
	assert.NoError(t, err)
	return g
}

// other returns g with every token, scope and time changed.
func other(g oauth.Grant) oauth.Grant {
	g.Access, g.Refresh, g.Scopes = []byte("other access"), []byte("other refresh"), []string{"calendar"}
	g.AccessEndsAt, g.UpdatedAt = g.AccessEndsAt.Add(time.Minute), g.UpdatedAt.Add(time.Minute)
	return g
}

func testPutGrant(t *testing.T, w *world) {
	l, bare := w.link(t, "ada"), w.link(t, "ada")
	g := w.newGrant(l)
	g.Generation, g.RefreshingUntil, g.EndedAt = 99, w.now, w.now.Add(time.Second)
	assert.NoError(t, w.Store.PutGrant(t.Context(), g))
	g.Generation, g.RefreshingUntil = 1, time.Time{}
	assert.Equal(t, w.grant(t, l), g)

	little := oauth.Grant{LinkID: bare.ID, UserID: "ada", Access: []byte("access"), CreatedAt: w.now, UpdatedAt: w.now}
	assert.NoError(t, w.Store.PutGrant(t.Context(), little))
	got := w.grant(t, bare)
	assert.Len(t, got.Refresh, 0)
	assert.Len(t, got.Scopes, 0)
	got.Refresh, got.Scopes, little.Generation = nil, nil, 1
	assert.Equal(t, got, little)
}

func testPutGrantAgain(t *testing.T, w *world) {
	l, neighbour := w.link(t, "ada"), w.link(t, "ada")
	g, kept := w.put(t, l), w.put(t, neighbour)
	assert.NoError(t, lost(w.Store.ClaimRefresh(t.Context(), l.ID, 1, w.now, w.now.Add(time.Minute))))
	next := other(g)
	next.Generation, next.CreatedAt, next.EndedAt = 0, w.now.Add(time.Hour), w.now.Add(time.Second)
	assert.NoError(t, w.Store.PutGrant(t.Context(), next))
	next.Generation, next.CreatedAt = 2, g.CreatedAt
	assert.Equal(t, w.grant(t, l), next)

	// All that can be empty becomes empty, since the grant had ended, and begins anew.
	bare := oauth.Grant{LinkID: l.ID, UserID: "ada", Access: []byte("a"), UpdatedAt: w.now}
	assert.NoError(t, w.Store.PutGrant(t.Context(), bare))
	got := w.grant(t, l)
	assert.Len(t, got.Refresh, 0)
	assert.Len(t, got.Scopes, 0)
	assert.True(t, got.AccessEndsAt.IsZero() && got.EndedAt.IsZero() && got.Generation == 3, "the times and the generation")
	assert.Equal(t, w.grant(t, neighbour), kept)
}

func testPutGrantKeeps(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.put(t, l)
	again := other(g)
	again.Refresh = nil
	assert.NoError(t, w.Store.PutGrant(t.Context(), again))
	again.Refresh, again.Generation = g.Refresh, 2
	assert.Equal(t, w.grant(t, l), again)

	ended := again
	ended.EndedAt = w.now
	assert.NoError(t, lost(w.Store.FinishRefresh(t.Context(), ended)))
	again.Refresh = nil
	assert.NoError(t, w.Store.PutGrant(t.Context(), again))
	assert.Len(t, w.grant(t, l).Refresh, 0)
}

func testPutGrantForeign(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.put(t, l)
	own := w.newLink("bob")
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		for _, c := range [][2]string{{"bob", l.ID}, {"", l.ID}, {"ada", newID()}, {"ada", ""}} {
			foreign := other(g)
			foreign.UserID, foreign.LinkID = c[0], c[1]
			assert.ErrorIs(t, w.Store.PutGrant(ctx, foreign), oauth.ErrNotFound)
		}
		return w.Store.AddLink(ctx, own) // the transaction goes on
	}))
	assert.Equal(t, w.list(t, "bob"), []oauth.Link{own})
	assert.Equal(t, w.grant(t, l), g)
}

func testPutGrantRace(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.newGrant(l)
	assert.Equal(t, race(t, nil, func(ctx context.Context) error { return w.Store.PutGrant(ctx, g) }), 16)
	assert.Equal(t, w.grant(t, l).Generation, int64(16))
}

// testPutGrantRemoved puts and removes at once, again and again.
func testPutGrantRemoved(t *testing.T, w *world) {
	for range 16 {
		l := w.link(t, "ada")
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 2 {
			group.Go(func() {
				<-start
				if err := w.Store.PutGrant(t.Context(), w.newGrant(l)); err != nil {
					assert.ErrorIs(t, err, oauth.ErrNotFound)
				}
			})
		}
		group.Go(func() {
			<-start
			_, err := w.Store.RemoveLink(t.Context(), "ada", l.ID)
			assert.NoError(t, err)
		})
		close(start)
		group.Wait()
		_, err := w.Store.FindGrant(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
	}
}

func testFindGrant(t *testing.T, w *world) {
	l, without := w.link(t, "ada"), w.link(t, "ada")
	w.put(t, l)
	for _, c := range [][2]string{{"bob", l.ID}, {"", l.ID}, {"ada", without.ID}, {"ada", newID()}, {"ada", ""}} {
		_, err := w.Store.FindGrant(t.Context(), c[0], c[1])
		assert.ErrorIs(t, err, oauth.ErrNotFound)
	}
	w.grant(t, l)
}

func testClaimRefresh(t *testing.T, w *world) {
	l, neighbour := w.link(t, "ada"), w.link(t, "ada")
	g, kept := w.put(t, l), w.put(t, neighbour)
	until := w.now.Add(30 * time.Second)
	claim := func(id string, generation int64, now time.Time) bool {
		t.Helper()
		won, err := w.Store.ClaimRefresh(t.Context(), id, generation, now, now.Add(30*time.Second))
		assert.NoError(t, err)
		return won
	}
	assert.False(t, claim(newID(), 1, w.now), "no such grant")
	assert.False(t, claim(l.ID, 0, w.now), "an earlier generation")
	assert.False(t, claim(l.ID, 2, w.now), "a later generation")
	assert.Equal(t, w.grant(t, l), g)
	assert.True(t, claim(l.ID, 1, w.now), "the first")
	g.RefreshingUntil = until
	assert.Equal(t, w.grant(t, l), g)
	assert.False(t, claim(l.ID, 1, w.now), "somebody has the turn")
	assert.False(t, claim(l.ID, 1, until.Add(-time.Microsecond)), "somebody has the turn still")
	assert.True(t, claim(l.ID, 1, until), "the turn is over")
	assert.Equal(t, w.grant(t, neighbour), kept)

	ended := w.grant(t, l)
	ended.EndedAt = w.now
	assert.NoError(t, lost(w.Store.FinishRefresh(t.Context(), ended)))
	assert.False(t, claim(l.ID, 1, until.Add(time.Hour)), "the grant has ended")
}

func testClaimRefreshRace(t *testing.T, w *world) {
	l := w.link(t, "ada")
	w.put(t, l)
	assert.Equal(t, race(t, errLost, func(ctx context.Context) error {
		return lost(w.Store.ClaimRefresh(ctx, l.ID, 1, w.now, w.now.Add(30*time.Second)))
	}), 1)
}

func testClaimRefreshAlone(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.put(t, l)
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.ClaimRefresh(ctx, l.ID, 1, w.now, w.now.Add(time.Second))
		return err
	}), auth.ErrInTransaction)
	assert.Equal(t, w.grant(t, l), g)
}

func testFinishRefresh(t *testing.T, w *world) {
	l, neighbour := w.link(t, "ada"), w.link(t, "ada")
	g, kept := w.put(t, l), w.put(t, neighbour)
	assert.NoError(t, lost(w.Store.ClaimRefresh(t.Context(), l.ID, 1, w.now, w.now.Add(time.Second))))
	next := other(g)
	next.UserID, next.CreatedAt, next.RefreshingUntil = "bob", w.now.Add(time.Hour), w.now.Add(time.Hour)
	assert.NoError(t, lost(w.Store.FinishRefresh(t.Context(), next)))
	next.UserID, next.CreatedAt, next.RefreshingUntil, next.Generation = "ada", g.CreatedAt, time.Time{}, 2
	assert.Equal(t, w.grant(t, l), next)
	assert.Equal(t, w.grant(t, neighbour), kept)

	bare := oauth.Grant{LinkID: l.ID, Access: []byte("a"), Generation: 2, UpdatedAt: w.now}
	assert.NoError(t, lost(w.Store.FinishRefresh(t.Context(), bare)))
	got := w.grant(t, l)
	assert.True(t, got.AccessEndsAt.IsZero() && len(got.Refresh) == 0 && len(got.Scopes) == 0, "what is empty becomes empty")
}

func testFinishStale(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.put(t, l)
	for _, change := range []func(*oauth.Grant){
		func(g *oauth.Grant) { g.Generation = 0 },
		func(g *oauth.Grant) { g.Generation = 2 },
		func(g *oauth.Grant) { g.LinkID = newID() },
		func(g *oauth.Grant) { g.Generation, g.EndedAt = 2, w.now },
	} {
		stale := other(g)
		change(&stale)
		done, err := w.Store.FinishRefresh(t.Context(), stale)
		assert.NoError(t, err)
		assert.False(t, done, "a refresh of something else")
	}
	assert.Equal(t, w.grant(t, l), g)
}

func testFinishRace(t *testing.T, w *world) {
	l := w.link(t, "ada")
	g := w.put(t, l)
	var mu sync.Mutex
	var winner []byte
	assert.Equal(t, race(t, errLost, func(ctx context.Context) error {
		mine := other(g)
		mine.Access = []byte(newID())
		err := lost(w.Store.FinishRefresh(ctx, mine))
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			winner = mine.Access
		}
		return err
	}), 1)
	assert.True(t, slices.Equal(w.grant(t, l).Access, winner), "the winner's token is kept")
}

func testFinishEnded(t *testing.T, w *world) {
	l, neighbour := w.link(t, "ada"), w.link(t, "ada")
	g, kept := w.put(t, l), w.put(t, neighbour)
	assert.NoError(t, lost(w.Store.ClaimRefresh(t.Context(), l.ID, 1, w.now, w.now.Add(time.Second))))
	ended := other(g)
	ended.EndedAt = w.now.Add(time.Minute)
	stop := errors.New("stop")
	assert.ErrorIs(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { // joins the caller's transaction
		assert.NoError(t, lost(w.Store.FinishRefresh(ctx, ended)))
		return stop
	}), stop)
	assert.True(t, w.grant(t, l).EndedAt.IsZero(), "rolled back")
	assert.NoError(t, lost(w.Store.FinishRefresh(t.Context(), ended)))
	g.EndedAt, g.UpdatedAt = ended.EndedAt, ended.UpdatedAt
	assert.Equal(t, w.grant(t, l), g)
	assert.Equal(t, w.grant(t, neighbour), kept)
}
