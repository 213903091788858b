package authtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
)

func kindClauses() []clause {
	return []clause{
		{"PasswordKinds counts nothing while nothing is marked", testNoKinds},
		{"PasswordKinds counts marks, and under none the rest", testKinds},
		{"a password that is set or replaced bears no mark", testKindsGo},
		{"PasswordKinds keeps to the most frequent kinds", testManyKinds},
		{"MarkImported joins the transaction", testMarkJoins},
	}
}

func (w *world) mark(t *testing.T, userID, kind string) {
	t.Helper()
	assert.NoError(t, w.Store.MarkImported(t.Context(), userID, kind))
}

func (w *world) kinds(t *testing.T) password.Mix {
	t.Helper()
	mix, err := w.Store.PasswordKinds(t.Context())
	assert.NoError(t, err)
	return mix
}

func testNoKinds(t *testing.T, w *world) {
	assert.Equal(t, len(w.kinds(t)), 0)
	user := w.user(t, "ada@example.com")
	bare := w.describe("bare@example.com")
	assert.NoError(t, w.Store.CreateUser(t.Context(), bare, nil))
	w.mark(t, bare.ID, "$2b$10$16$23") // no password, no mark
	w.mark(t, newID(), "$2b$10$16$23")
	assert.Equal(t, w.kinds(t)["$2b$10$16$23"], 0)
	w.mark(t, user.ID, "")
	assert.Equal(t, w.kinds(t).Pick(1<<63), "")
}

func testKinds(t *testing.T, w *world) {
	for i, kind := range []string{"a", "b", "a", "", "", "a"} {
		if user := w.user(t, fmt.Sprintf("u%d@example.com", i)); kind != "" {
			w.mark(t, user.ID, kind)
		}
	}
	assert.Equal(t, w.kinds(t), password.Mix{"": 2, "a": 3, "b": 1})
}

func testKindsGo(t *testing.T, w *world) {
	set, replaced, taken, stays := w.user(t, "a@example.com"), w.user(t, "b@example.com"), w.user(t, "c@example.com"), w.user(t, "d@example.com")
	for _, user := range []string{set.ID, replaced.ID, taken.ID, stays.ID} {
		w.mark(t, user, "a")
	}
	assert.NoError(t, w.setPassword(t, set.ID, "new"))
	assert.NoError(t, w.setPassword(t, taken.ID, ""))
	ok, err := w.Store.ReplacePassword(t.Context(), replaced.ID, []byte("sealed"), []byte("new"), w.now)
	assert.NoError(t, err)
	assert.True(t, ok, "replaced")
	ok, err = w.Store.ReplacePassword(t.Context(), stays.ID, []byte("other"), []byte("new"), w.now)
	assert.NoError(t, err)
	assert.False(t, ok, "another hash")
	assert.Equal(t, w.kinds(t), password.Mix{"": 2, "a": 1})
}

func testManyKinds(t *testing.T, w *world) {
	for i := range 40 {
		w.mark(t, w.user(t, fmt.Sprintf("u%d@example.com", i)).ID, fmt.Sprintf("kind %02d", i))
	}
	w.mark(t, w.user(t, "again@example.com").ID, "kind 39")
	mix := w.kinds(t)
	assert.Equal(t, mix["kind 39"], 2)
	assert.Equal(t, len(mix), 33) // with the rest
}

func testMarkJoins(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, w.Store.MarkImported(ctx, user.ID, "a"))
		mix, err := w.Store.PasswordKinds(ctx)
		assert.NoError(t, err)
		assert.Equal(t, mix, password.Mix{"": 0, "a": 1})
		return errTakeBack
	})
	assert.ErrorIs(t, err, errTakeBack)
	assert.Equal(t, w.kinds(t)["a"], 0)
}
