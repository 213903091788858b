package authtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// accountWorld is a store of users with what they change themselves.
type accountWorld struct {
	*world
	Store interface {
		auth.Store
		account.Store
	}
}

// TestAccountStore holds the stores that open returns, which must implement
// account.Store besides auth.Store, to the contracts at account.Store and
// auth.ProfileStore.
func TestAccountStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, w *accountWorld)
	}{
		{"UpdateProfile sets what is named", testUpdateProfile},
		{"LockUser finds users, in a transaction only", testLockUser},
		{"DeleteUser deletes one version of one user with the password", testDeleteUser},
		{"of concurrent DeleteUser one succeeds", testDeleteUserRace},
		{"SetEmail moves a user to a proven address", testSetEmail},
		{"SetEmail refuses an address that a user has, and the transaction goes on", testSetEmailTaken},
		{"of concurrent SetEmail to one address one succeeds", testSetEmailRace},
		{"PasswordSetAt follows the password", testPasswordSetAt},
		{"an outage is not 'not found'", testAccountOutage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := open(t)
			w := &accountWorld{world: &world{Env: env, now: epoch()}}
			w.Store = env.Store.(interface {
				auth.Store
				account.Store
			})
			c.test(t, w)
		})
	}
}

func testUpdateProfile(t *testing.T, w *accountWorld) {
	want, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	name, image, empty := "Ada L.", "https://example.com/new.png", ""
	for i, p := range []auth.Profile{{Name: &name}, {Image: &image}, {Image: &empty}, {}} {
		if p.Name != nil {
			want.Name = *p.Name
		}
		if p.Image != nil {
			want.Image = *p.Image
		}
		want.UpdatedAt = w.now.Add(time.Duration(i+1) * time.Hour)
		got, err := w.Store.UpdateProfile(t.Context(), want.ID, p, want.UpdatedAt)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
		got, err = w.Store.UserByID(t.Context(), want.ID)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
	got, err := w.Store.UserByID(t.Context(), other.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, other)
	_, err = w.Store.UpdateProfile(t.Context(), newID(), auth.Profile{Name: &name}, w.now)
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testLockUser(t *testing.T, w *accountWorld) {
	user := w.user(t, "ada@example.com")
	_, err := w.Store.LockUser(t.Context(), user.ID)
	assert.Error(t, err)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		got, err := w.Store.LockUser(ctx, user.ID)
		assert.NoError(t, err)
		assert.Equal(t, got, user)
		_, err = w.Store.LockUser(ctx, newID())
		assert.ErrorIs(t, err, auth.ErrUserNotFound)
		return nil
	}))
}

func (w *accountWorld) delete(ctx context.Context, id string, version int64) error {
	return w.Store.InTx(ctx, func(ctx context.Context) error {
		if _, err := w.Store.LockUser(ctx, id); err != nil {
			return err
		}
		return w.Store.DeleteUser(ctx, id, version)
	})
}

func testDeleteUser(t *testing.T, w *accountWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	assert.Error(t, w.Store.DeleteUser(t.Context(), user.ID, 1)) // no transaction
	assert.ErrorIs(t, w.delete(t.Context(), user.ID, 2), auth.ErrUserNotFound)
	assert.NoError(t, w.delete(t.Context(), user.ID, 1))
	assert.ErrorIs(t, w.delete(t.Context(), user.ID, 1), auth.ErrUserNotFound)
	_, err := w.Store.Password(t.Context(), user.ID)
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
	at, err := w.Store.PasswordSetAt(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.True(t, at.IsZero(), "the password went along")
	assert.NoError(t, w.Store.CreateUser(t.Context(), user, nil)) // address and id are free again
	got, err := w.Store.Password(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Len(t, got, 0)
	_, err = w.Store.UserByID(t.Context(), other.ID)
	assert.NoError(t, err)
}

func testDeleteUserRace(t *testing.T, w *accountWorld) {
	user := w.user(t, "ada@example.com")
	won, lost := race(t, func(ctx context.Context) error { return w.delete(ctx, user.ID, 1) })
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, auth.ErrUserNotFound)
	}
}

// newAddress is where users of the suite move to.
func newAddress(t *testing.T) auth.Address {
	t.Helper()
	address, err := auth.ParseAddress("New@Example.com")
	assert.NoError(t, err)
	return address
}

func (w *accountWorld) setEmail(ctx context.Context, id string, to auth.Address) error {
	return w.Store.InTx(ctx, func(ctx context.Context) error { return w.Store.SetEmail(ctx, id, to, w.now.Add(time.Hour)) })
}

func testSetEmail(t *testing.T, w *accountWorld) {
	want := w.describe("ada@example.com")
	want.EmailVerified, want.EmailProof = false, ""
	assert.NoError(t, w.Store.CreateUser(t.Context(), want, []byte("sealed")))
	other, to := w.user(t, "bob@example.com"), newAddress(t)
	assert.Error(t, w.Store.SetEmail(t.Context(), want.ID, to, w.now)) // no transaction
	assert.NoError(t, w.setEmail(t.Context(), want.ID, to))
	want.Email, want.Display, want.EmailVerified, want.EmailProof, want.UpdatedAt = to.Key, to.Display, true, auth.ProofMail, w.now.Add(time.Hour)
	got, password, err := w.Store.UserByEmail(t.Context(), to.Key)
	assert.NoError(t, err)
	assert.Equal(t, got, want)
	assert.Equal(t, string(password), "sealed")
	_, _, err = w.Store.UserByEmail(t.Context(), "ada@example.com")
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
	got, err = w.Store.UserByID(t.Context(), other.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, other)
	assert.ErrorIs(t, w.setEmail(t.Context(), newID(), auth.Address{Key: "free@example.com"}), auth.ErrUserNotFound)
}

func testSetEmailTaken(t *testing.T, w *accountWorld) {
	user, owner := w.user(t, "ada@example.com"), w.user(t, "new@example.com")
	name := "still here"
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.SetEmail(ctx, user.ID, newAddress(t), w.now), auth.ErrAddressTaken)
		_, err := w.Store.UpdateProfile(ctx, user.ID, auth.Profile{Name: &name}, w.now)
		return err
	}))
	got, err := w.Store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, got.Email+" "+got.Name, "ada@example.com "+name)
	got, err = w.Store.UserByID(t.Context(), owner.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, owner)
}

func testSetEmailRace(t *testing.T, w *accountWorld) {
	to := newAddress(t)
	users := make(chan auth.User, racers)
	for i := range racers {
		users <- w.user(t, string(rune('a'+i))+"@example.com")
	}
	won, lost := race(t, func(ctx context.Context) error { return w.setEmail(ctx, (<-users).ID, to) })
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, auth.ErrAddressTaken)
	}
}

func testPasswordSetAt(t *testing.T, w *accountWorld) {
	user := w.user(t, "ada@example.com")
	for _, c := range []struct {
		sealed string
		want   time.Time
	}{{"second", w.now.Add(time.Minute)}, {"", time.Time{}}, {"third", w.now.Add(time.Hour)}} {
		assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
			return w.Store.SetPassword(ctx, user.ID, []byte(c.sealed), c.want)
		}))
		at, err := w.Store.PasswordSetAt(t.Context(), user.ID)
		assert.NoError(t, err)
		assert.Equal(t, at, c.want)
	}
	at, err := w.Store.PasswordSetAt(t.Context(), newID())
	assert.NoError(t, err)
	assert.True(t, at.IsZero(), "nobody has a password")
}

func testAccountOutage(t *testing.T, w *accountWorld) {
	w.Break()
	in := func(call func(ctx context.Context) error) error { return w.Store.InTx(t.Context(), call) }
	_, profileErr := w.Store.UpdateProfile(t.Context(), "x", auth.Profile{}, w.now)
	_, setErr := w.Store.PasswordSetAt(t.Context(), "x")
	for name, err := range map[string]error{
		"UpdateProfile": profileErr, "PasswordSetAt": setErr,
		"LockUser":   in(func(ctx context.Context) error { _, err := w.Store.LockUser(ctx, "x"); return err }),
		"DeleteUser": in(func(ctx context.Context) error { return w.Store.DeleteUser(ctx, "x", 1) }),
		"SetEmail":   in(func(ctx context.Context) error { return w.Store.SetEmail(ctx, "x", auth.Address{}, w.now) }),
	} {
		if !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v, want problem.ErrUnavailable", name, err)
		}
	}
}
