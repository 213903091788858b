package authtest

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

func userClauses() []clause {
	return []clause{
		{"CreateUser keeps every field and the sealed hash", testCreateUser},
		{"CreateUser refuses an address that a user has, and the transaction goes on", testAddressTaken},
		{"of concurrent CreateUser for one address one succeeds", testCreateUserRace},
		{"UserByID and UserByEmail say ErrUserNotFound", testUserNotFound},
		{"Hold finds users only", testHold},
		{"RaiseVersion raises the version by one", testRaiseVersion},
		{"Admit admits the user's version only", testAdmit},
		{"Admit takes back the guess that was right", testAdmitRefunds},
		{"SetPassword sets, replaces and takes away", testSetPassword},
		{"SetVerified records a proof once", testSetVerified},
		{"Admit does not admit a banned user", testBanned},
		{"ReplacePassword compares and sets", testReplacePassword},
		{"of concurrent ReplacePassword one succeeds", testReplacePasswordRace},
		{"ClaimSuperuser acts once for an address", testClaimSuperuser},
	}
}

func testCreateUser(t *testing.T, w *world) {
	want := w.describe("ada@example.com")
	want.Superuser, want.LastSignInAt = true, w.now.Add(time.Minute)
	assert.NoError(t, w.Store.CreateUser(t.Context(), want, []byte("sealed")))
	bare := w.describe("bare@example.com")
	bare.Image = ""
	assert.NoError(t, w.Store.CreateUser(t.Context(), bare, nil))
	for _, c := range []struct {
		user     auth.User
		password string
	}{{want, "sealed"}, {bare, ""}} {
		got, password, err := w.Store.UserByEmail(t.Context(), c.user.Email)
		assert.NoError(t, err)
		assert.Equal(t, got, c.user)
		assert.Equal(t, string(password), c.password)
		got, err = w.Store.UserByID(t.Context(), c.user.ID)
		assert.NoError(t, err)
		assert.Equal(t, got, c.user)
	}
}

func testAddressTaken(t *testing.T, w *world) {
	w.user(t, "ada@example.com")
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		taken := w.Store.CreateUser(ctx, w.describe("ada@example.com"), []byte("other"))
		assert.ErrorIs(t, taken, auth.ErrAddressTaken)
		return w.Store.CreateUser(ctx, w.describe("bob@example.com"), nil)
	})
	assert.NoError(t, err)
	_, password, err := w.Store.UserByEmail(t.Context(), "ada@example.com")
	assert.NoError(t, err)
	assert.Equal(t, string(password), "sealed")
}

func testCreateUserRace(t *testing.T, w *world) {
	won, lost := race(t, func(ctx context.Context) error {
		return w.Store.CreateUser(ctx, w.describe("ada@example.com"), []byte("p"))
	})
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, auth.ErrAddressTaken)
	}
}

func testUserNotFound(t *testing.T, w *world) {
	w.user(t, "ada@example.com")
	_, _, err := w.Store.UserByEmail(t.Context(), "bob@example.com")
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
	_, err = w.Store.UserByID(t.Context(), newID())
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testHold(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	assert.Error(t, w.Store.Hold(t.Context(), user.ID))
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, w.Store.Hold(ctx, user.ID))
		assert.ErrorIs(t, w.Store.Hold(ctx, newID()), auth.ErrUserNotFound)
		return nil
	})
	assert.NoError(t, err)
}

func (w *world) raise(t *testing.T, id string) (version int64) {
	t.Helper()
	err := w.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		version, err = w.Store.RaiseVersion(ctx, id)
		return err
	})
	assert.NoError(t, err)
	return version
}

func testRaiseVersion(t *testing.T, w *world) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	for want := int64(2); want < 5; want++ {
		assert.Equal(t, w.raise(t, user.ID), want)
	}
	_, err := w.Store.RaiseVersion(t.Context(), user.ID)
	assert.Error(t, err)
	err = w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.RaiseVersion(ctx, newID())
		return err
	})
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
	for id, want := range map[string]int64{user.ID: 4, other.ID: 1} {
		got, err := w.Store.UserByID(t.Context(), id)
		assert.NoError(t, err)
		assert.Equal(t, got.SecurityVersion, want)
	}
}

func (w *world) admit(t *testing.T, id string, version int64) error {
	t.Helper()
	return w.admitGuess(t, auth.Admission{UserID: id, SecurityVersion: version})
}

func (w *world) admitGuess(t *testing.T, a auth.Admission) error {
	t.Helper()
	a.At = w.now.Add(time.Hour)
	return w.Store.InTx(t.Context(), func(ctx context.Context) error { _, err := w.Store.Admit(ctx, a); return err })
}

func testAdmit(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	_, err := w.Store.Admit(t.Context(), auth.Admission{UserID: user.ID, SecurityVersion: 1, At: w.now})
	assert.Error(t, err) // outside a transaction
	assert.NoError(t, w.admit(t, user.ID, 1))
	got, err := w.Store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, got.LastSignInAt, w.now.Add(time.Hour))
	assert.Equal(t, w.raise(t, user.ID), 2)
	assert.ErrorIs(t, w.admit(t, user.ID, 1), auth.ErrNotAdmitted)
	assert.NoError(t, w.admit(t, user.ID, 2))
	assert.ErrorIs(t, w.admit(t, newID(), 1), auth.ErrNotAdmitted)
}

func testBanned(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	assert.NoError(t, w.Ban(t.Context(), user.ID))
	assert.ErrorIs(t, w.admit(t, user.ID, 1), auth.ErrNotAdmitted)
}

func testAdmitRefunds(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	key, other, once := guessKey("a"), guessKey("b"), auth.Pace{Free: 1, Cap: 1}
	for _, k := range []auth.GuessKey{key, other} {
		assert.Equal(t, w.charge(t, k, once, 0), 0)
	}
	stale := auth.Admission{UserID: user.ID, SecurityVersion: 2, Guess: key, At: w.now}
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.Admit(ctx, stale)
		assert.ErrorIs(t, err, auth.ErrNotAdmitted)
		return nil // the caller commits all the same
	}))
	assert.True(t, w.charge(t, key, once, 0) > 0, "who is not admitted gets nothing back")
	assert.NoError(t, w.admitGuess(t, auth.Admission{UserID: user.ID, SecurityVersion: 1, Guess: key}))
	assert.True(t, w.charge(t, other, once, 0) > 0, "the other account's guess stays")
	assert.Equal(t, w.charge(t, key, once, 0), 0)
	assert.True(t, w.charge(t, key, once, 0) > 0, "one guess was taken back")
}

func (w *world) setPassword(t *testing.T, id, sealed string) error {
	t.Helper()
	return w.Store.InTx(t.Context(), func(ctx context.Context) error {
		return w.Store.SetPassword(ctx, id, []byte(sealed), w.now)
	})
}

func testSetVerified(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	unproven := user
	unproven.ID, unproven.Email, unproven.EmailVerified = newID(), "bob@example.com", false
	assert.NoError(t, w.Store.CreateUser(t.Context(), unproven, nil))
	for _, c := range []struct {
		id   string
		want bool
	}{{user.ID, false}, {unproven.ID, true}, {unproven.ID, false}} {
		changed, err := w.Store.SetVerified(t.Context(), c.id, "provider:x", w.now.Add(time.Hour))
		assert.NoError(t, err)
		assert.Equal(t, changed, c.want)
	}
	got, err := w.Store.UserByID(t.Context(), unproven.ID)
	assert.NoError(t, err)
	assert.True(t, got.EmailVerified, "the address is proven")
	assert.Equal(t, got.EmailProof, "provider:x")
	assert.Equal(t, got.UpdatedAt, w.now.Add(time.Hour))
	got, err = w.Store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, got.EmailProof, user.EmailProof)
	_, err = w.Store.SetVerified(t.Context(), newID(), "mail", w.now)
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testSetPassword(t *testing.T, w *world) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	assert.Error(t, w.Store.SetPassword(t.Context(), user.ID, []byte("x"), w.now)) // no transaction
	for _, sealed := range []string{"second", "", "third", "fourth"} {
		assert.NoError(t, w.setPassword(t, user.ID, sealed))
		for id, want := range map[string]string{user.ID: sealed, other.ID: "sealed"} {
			got, err := w.Store.Password(t.Context(), id)
			assert.NoError(t, err)
			assert.Equal(t, string(got), want)
		}
	}
	_, err := w.Store.Password(t.Context(), newID())
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testReplacePassword(t *testing.T, w *world) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	for _, c := range []struct {
		old, sealed string
		want        bool
	}{{"sealed", "second", true}, {"sealed", "third", false}, {"second", "fourth", true}} {
		ok, err := w.Store.ReplacePassword(t.Context(), user.ID, []byte(c.old), []byte(c.sealed), w.now)
		assert.NoError(t, err)
		assert.Equal(t, ok, c.want)
	}
	for email, want := range map[string]string{user.Email: "fourth", other.Email: "sealed"} {
		_, password, err := w.Store.UserByEmail(t.Context(), email)
		assert.NoError(t, err)
		assert.Equal(t, string(password), want)
	}
}

func testReplacePasswordRace(t *testing.T, w *world) {
	user := w.user(t, "ada@example.com")
	won, lost := race(t, func(ctx context.Context) error {
		ok, err := w.Store.ReplacePassword(ctx, user.ID, []byte("sealed"), []byte(newID()), w.now)
		if err == nil && !ok {
			return errTakeBack
		}
		return err
	})
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, errTakeBack)
	}
}

func testClaimSuperuser(t *testing.T, w *world) {
	first, second := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	for _, c := range []struct {
		user auth.User
		want bool
	}{{first, true}, {second, false}} {
		claimed, err := w.Store.ClaimSuperuser(t.Context(), "boss@example.com", c.user.ID, w.now)
		assert.NoError(t, err)
		assert.Equal(t, claimed, c.want)
		got, err := w.Store.UserByID(t.Context(), c.user.ID)
		assert.NoError(t, err)
		assert.Equal(t, got.Superuser, c.want)
	}
}
