package sessiontest

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

// Env is a store under test and the world that its lookups see.
type Env struct {
	Store session.Store
	// PutUser inserts or replaces a user; one that is Gone is removed.
	PutUser func(ctx context.Context, u UserState) error
	// PutRole sets a membership; an empty role ends it.
	PutRole func(ctx context.Context, organizationID, userID, role string) error
	// PutPolicy sets what the organization demands of its members.
	PutPolicy func(ctx context.Context, organizationID string, p principal.SecondFactorPolicy) error
	// PutRolesVersion sets the version of the organization's own roles, which is 0 where
	// nothing was put.
	PutRolesVersion func(ctx context.Context, organizationID string, version int64) error
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at session.Store.
// Each call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	groups := [][]clause{
		createClauses(), familyClauses(), findClauses(), touchClauses(), scopeClauses(), endClauses(), elevateClauses(), listClauses(),
		revocationClauses(), txClauses(),
	}
	for _, group := range groups {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := &world{Env: open(t)}
				w.now = w.Store.Now()
				c.test(t, w)
			})
		}
	}
}

// clause is one sentence of the contract.
type clause struct {
	name string
	test func(*testing.T, *world)
}

// world is an Env with the few moves that all clauses make.
type world struct {
	Env
	now   time.Time
	count int
}

// user puts a user under version 1 and returns the id.
func (w *world) user(t *testing.T) string {
	t.Helper()
	u := w.describe()
	assert.NoError(t, w.PutUser(t.Context(), u))
	return u.ID
}

func (w *world) describe() UserState {
	w.count++
	return UserState{
		User: session.User{
			ID:            newID(),
			Email:         fmt.Sprintf("Ada%d@example.com", w.count),
			Name:          "Ada Lovelace",
			Image:         "https://example.com/ada.png",
			EmailVerified: true,
			CreatedAt:     w.now.Add(-time.Hour),
			UpdatedAt:     w.now.Add(-time.Minute),
		},
		SecurityVersion: 1,
	}
}

// record describes a session that lives for an hour, idle after ten minutes.
func (w *world) record(userID string) session.Record {
	w.count++
	return session.Record{
		Session: session.Session{
			ID:              newID(),
			UserID:          userID,
			SecurityVersion: 1,
			Channels:        []string{"password"},
			ProvenAt:        w.now,
			FreshAt:         w.now,
			FreshChannels:   []string{"password"},
			IP:              netip.MustParseAddr("192.0.2.7"),
			UserAgent:       "curl/8.5.0",
			CreatedAt:       w.now,
			LastSeenAt:      w.now,
			IdleEndsAt:      w.now.Add(10 * time.Minute),
			EndsAt:          w.now.Add(time.Hour),
		},
		Selector: fmt.Sprintf("selector%08d", w.count),
		Verifier: token.Verifier{KID: "k1", MAC: make([]byte, 32)},
	}
}

// create stores what record describes after change.
func (w *world) create(t *testing.T, userID string, change func(*session.Record)) session.Record {
	t.Helper()
	r := w.record(userID)
	if change != nil {
		change(&r)
	}
	assert.NoError(t, w.Store.CreateSession(t.Context(), r))
	return r
}

// find returns what a lookup of r reads.
func (w *world) find(t *testing.T, r session.Record) session.Found {
	t.Helper()
	found, err := w.Store.FindSession(t.Context(), r.Selector)
	assert.NoError(t, err)
	return found
}

// dead fails the test if a lookup of r reads anything.
func (w *world) dead(t *testing.T, r session.Record) {
	t.Helper()
	_, err := w.Store.FindSession(t.Context(), r.Selector)
	assert.ErrorIs(t, err, session.ErrNoSession)
}

// end ends sessions now and returns their ids.
func (w *world) end(t *testing.T, e session.Ending) []string {
	t.Helper()
	e.At = w.now
	ids, err := w.Store.EndSessions(t.Context(), e)
	assert.NoError(t, err)
	return ids
}

// same fails the test unless two sessions agree in every field. Times are
// compared as moments, which is what a store owes.
func same(t *testing.T, got, want session.Session) {
	t.Helper()
	for name, pair := range map[string][2]time.Time{
		"ProvenAt":   {got.ProvenAt, want.ProvenAt},
		"FreshAt":    {got.FreshAt, want.FreshAt},
		"CreatedAt":  {got.CreatedAt, want.CreatedAt},
		"LastSeenAt": {got.LastSeenAt, want.LastSeenAt},
		"IdleEndsAt": {got.IdleEndsAt, want.IdleEndsAt},
		"EndsAt":     {got.EndsAt, want.EndsAt},
		"Trusted":    {got.TrustedUntil, want.TrustedUntil},
	} {
		sameTime(t, name, pair[0], pair[1])
	}
	got.FreshAt, got.TrustedUntil = want.FreshAt, want.TrustedUntil
	got.ProvenAt, got.CreatedAt, got.LastSeenAt, got.IdleEndsAt, got.EndsAt = want.ProvenAt, want.CreatedAt, want.LastSeenAt, want.IdleEndsAt, want.EndsAt
	assert.Equal(t, got, want)
}

func sameTime(t *testing.T, name string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("%s = %v, want %v in UTC", name, got, want.UTC())
	}
}

// newID returns a fresh UUIDv7. It can fail only where the system has no
// randomness, and then nothing else works either.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// fill returns n bytes that differ from each other.
func fill(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*37 + 11)
	}
	return b
}

// long is text of n bytes with letters outside ASCII.
func long(n int) string { return "é" + hex.EncodeToString(fill(n))[:n-2] }
