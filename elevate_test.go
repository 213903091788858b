package tenon_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

// Sign-ins of one user at the same moment never leave more sessions than may be:
// the door holds the user's row from its first statement on.
func TestASVS7_1_2_RacingSignInsKeepToTheLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		for range 6 {
			var attempts []auth.Attempt
			for range 4 { // more would have to wait for the guesses that they charge
				attempts = append(attempts, assert.Must(w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password}))(t))
			}
			grants := make(chan auth.Grant, len(attempts))
			var wg sync.WaitGroup
			for _, a := range attempts {
				wg.Go(func() {
					outcome, err := w.Auth.Complete(bundbtest.Outside(t.Context()), a)
					if err != nil {
						t.Errorf("a sign-in failed: %v", err)
					}
					grants <- outcome.Grant
				})
			}
			wg.Wait()
			close(grants)
			opened := 0
			for g := range grants {
				if _, err := w.Sessions.Lookup(t.Context(), g.Token.Reveal()); err == nil {
					opened++
				}
			}
			assert.Equal(t, opened, 2)
			assert.Equal(t, w.count(t, "tenon_sessions WHERE revoked_at IS NULL"), 2)
		}
	}, func(c *tenon.Config) { c.Sessions.MaxPerUser = 2 })
}

func TestOneMoreSignInIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		attempt := func(t *testing.T) auth.Attempt {
			return assert.Must(w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password}))(t)
		}
		a := attempt(t)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := w.Auth.Complete(ctx, a)
			return err
		})
		assert.Equal(t, b.get("/get-session").body, "null\n")
		assert.Equal(t, w.count(t, "tenon_sessions WHERE revoked_at IS NULL"), 1)
	}, func(c *tenon.Config) { c.Sessions.MaxPerUser = 1 })
}

func TestSessionsTakeNISTsLifetimes(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db, func(c *tenon.Config) { c.Sessions = session.NIST() })
		b := w.signedIn(t, email)
		identity := assert.Must(w.Sessions.Lookup(t.Context(), b.cookie("session")))(t)
		s := identity.Session
		assert.Equal(t, s.EndsAt.Sub(s.CreatedAt), session.NIST().Absolute)
		assert.Equal(t, identity.Principal().FreshChannels, []string{auth.ChannelPassword})
	})
}

// With MultiSession a sign-in adds, and the routes are there; the whole matrix is
// in package session, and the official client's in conformance.
func TestMultiSessionIsWiredWhereTheHostWantsIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for i := range 3 {
			to := fmt.Sprintf("user%d@example.com", i)
			w.user(t, to)
			assert.Equal(t, b.signIn(to).StatusCode, http.StatusOK)
		}
		assert.Equal(t, w.count(t, "tenon_sessions WHERE revoked_at IS NULL"), 2)
		got := b.get("/multi-session/list-device-sessions")
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Contains(t, got.body, "user2@example.com")
		assert.Contains(t, got.body, "user1@example.com")
		assert.NotContains(t, got.body, "user0@example.com")
		assert.NotContains(t, got.body, b.cookie("session")[8:])
		paths := w.operations(t)
		assert.True(t, slices.Contains(paths, operation{"POST", "/multi-session/set-active"}), "the document lists the route")
	}, func(c *tenon.Config) { c.MultiSession, c.MaxSessionsPerBrowser = true, 2 })
}

// The whole way of a step-up: an old proof is refused, the password makes it
// fresh, and the token from before opens nothing.
func TestASVS7_2_4_AStepUpReplacesTheToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		change := func() answer { return b.post("/change-email", map[string]any{"newEmail": "grace@example.com"}) }
		bundbtest.ClockOf(w.db).Advance(11 * time.Minute)
		stale := change()
		assert.Equal(t, stale.StatusCode, http.StatusForbidden)
		assert.Equal(t, stale.code(t), "SESSION_NOT_FRESH")
		before := b.cookie("session")
		stepped := b.post("/step-up", map[string]any{"password": password})
		assert.Equal(t, stepped.StatusCode, http.StatusOK)
		after := b.cookie("session")
		assert.NotEqual(t, after, before)
		assert.NotContains(t, stepped.body, after[8:])
		_, err := w.Sessions.Lookup(t.Context(), before)
		assert.ErrorIs(t, err, session.ErrNoSession)
		assert.Equal(t, change().StatusCode, http.StatusOK)
		bundbtest.ClockOf(w.db).Advance(11 * time.Minute)
		assert.Equal(t, change().code(t), "SESSION_NOT_FRESH")
	})
}

func TestR12_FiveWrongPasswordsEndTheSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, other := w.signedIn(t, email), w.browser(t)
		assert.Equal(t, other.signIn(email).StatusCode, http.StatusOK)
		for range 5 {
			assert.True(t, b.get("/get-session").body != "null\n", "the session lives")
			got := b.post("/step-up", map[string]any{"password": "not this one"})
			assert.True(t, got.StatusCode >= 400, "a wrong password proves nothing")
		}
		assert.Equal(t, b.get("/get-session").body, "null\n")
		assert.True(t, other.get("/get-session").body != "null\n", "the user's other session lives")
	})
}
