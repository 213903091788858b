package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestDeleteUserInItsOrder(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(what string) error { order = append(order, what); return nil }
	refusal := errors.New("no")
	var refuse bool
	w := newWorld(t, func(c *auth.Config) {
		c.Hooks.BeforeUserDeleted = func(_ context.Context, e auth.BeforeUserDeleted) error {
			if refuse {
				return refusal
			}
			return note("before " + e.User.Email)
		}
		c.Hooks.UserDeleted = func(ctx context.Context, e auth.UserDeleted) error {
			return note("deleted by " + e.ActorID)
		}
	})
	user := w.ada(t)
	remove := func(d auth.Deletion) error {
		d.UserID, d.ActorID = user.ID, "boss"
		return w.DeleteUser(t.Context(), d)
	}
	assert.ErrorIs(t, remove(auth.Deletion{From: 2}), auth.ErrStale)
	assert.ErrorIs(t, remove(auth.Deletion{Permit: func(context.Context) error { return refusal }}), refusal)
	refuse = true
	assert.ErrorIs(t, remove(auth.Deletion{}), refusal)
	refuse = false
	assert.Len(t, order, 0)
	assert.Len(t, w.sessions.ended, 0)
	assert.NoError(t, remove(auth.Deletion{From: 1, Permit: func(context.Context) error { return note("permitted") }}))
	assert.Equal(t, order, []string{"permitted", "before " + adaKey, "deleted by boss"})
	assert.Equal(t, w.sessions.ended, []string{user.ID + ` but "" at 2`})
	assert.ErrorIs(t, remove(auth.Deletion{}), auth.ErrUserNotFound)
	_, err := w.UpdateProfile(t.Context(), user.ID, user.ID, auth.Profile{})
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}
