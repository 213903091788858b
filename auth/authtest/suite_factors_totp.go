package authtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

// factorWorld is a store of users with their second factors.
type factorWorld struct {
	*world
	Store interface {
		auth.Store
		twofactor.Store
	}
}

// factorClause is one sentence of the contract.
type factorClause struct {
	name string
	test func(t *testing.T, w *factorWorld)
}

// TestFactorStore holds the stores that open returns, which must implement
// twofactor.Store besides auth.Store, to the contract there.
func TestFactorStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, c := range append(trustClauses(), []factorClause{
		{"SetMailFactor is kept, in a transaction only", testSetMailFactor},
		{"PutEnrolment keeps every field, in a transaction only", testPutEnrolment},
		{"PutEnrolment takes the place of the unconfirmed one and its codes only", testPutEnrolmentReplaces},
		{"ConfirmEnrolment takes the place of everything before it", testConfirmEnrolment},
		{"ConfirmEnrolment confirms what waits, and nothing else", testConfirmEnrolmentRefuses},
		{"of concurrent ConfirmEnrolment one confirms", testConfirmEnrolmentRace},
		{"AcceptStep only rises", testAcceptStep},
		{"of concurrent AcceptStep with one step one accepts", testAcceptStepRace},
		{"DropFactors deletes all of one user", testDropFactors},
		{"DeleteUser deletes the factors along", testDeleteUserDropsFactors},
		{"PruneEnrolments deletes old unconfirmed ones, up to its limit", testPruneEnrolments},
		{"PutRecoveryCodes takes the place of the valid ones", testPutRecoveryCodes},
		{"UseRecoveryCode uses one valid code of its user once", testUseRecoveryCode},
		{"of concurrent UseRecoveryCode one uses it", testUseRecoveryCodeRace},
		{"a rollback takes back what was put, confirmed and used", testFactorsRollBack},
		{"an outage is not 'not found', a cancelled ctx ends every call", testFactorOutage},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := open(t)
			w := &factorWorld{world: &world{Env: env, now: epoch()}}
			w.Store = env.Store.(interface {
				auth.Store
				twofactor.Store
			})
			c.test(t, w)
		})
	}
}

func (w *factorWorld) describeEnrolment(userID string) twofactor.Enrolment {
	return twofactor.Enrolment{
		ID: newID(), UserID: userID, SessionID: "session", SecurityVersion: 3, Secret: []byte("sealed"),
		Algorithm: totp.SHA512, Digits: 8, Period: time.Minute, LastStep: 7, CreatedAt: w.now,
	}
}

func (w *factorWorld) describeCodes(userID string, macs ...string) (codes []twofactor.RecoveryCode) {
	for _, mac := range macs {
		codes = append(codes, twofactor.RecoveryCode{
			ID: newID(), UserID: userID, Verifier: token.Verifier{KID: "kid", MAC: []byte(mac)}, CreatedAt: w.now,
		})
	}
	return codes
}

// enrol leaves an unconfirmed enrolment with recovery codes.
func (w *factorWorld) enrol(t *testing.T, userID string, macs ...string) twofactor.Enrolment {
	t.Helper()
	e := w.describeEnrolment(userID)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		return w.Store.PutEnrolment(ctx, e, w.describeCodes(userID, macs...))
	}))
	return e
}

func (w *factorWorld) confirm(t *testing.T, userID, id string, step int64) (confirmed bool) {
	t.Helper()
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		confirmed, err = w.Store.ConfirmEnrolment(ctx, userID, id, step, w.now.Add(time.Minute))
		return err
	}))
	return confirmed
}

func (w *factorWorld) enrolment(t *testing.T, userID string, confirmed bool) twofactor.Enrolment {
	t.Helper()
	return assert.Must(w.Store.EnrolmentOf(t.Context(), userID, confirmed))(t)
}

func (w *factorWorld) none(t *testing.T, userID string, confirmed bool) {
	t.Helper()
	_, err := w.Store.EnrolmentOf(t.Context(), userID, confirmed)
	assert.ErrorIs(t, err, twofactor.ErrNotEnrolled)
}

func (w *factorWorld) use(t *testing.T, userID, mac string) bool {
	t.Helper()
	return assert.Must(w.Store.UseRecoveryCode(t.Context(), userID, token.Verifier{KID: "kid", MAC: []byte(mac)}, w.now))(t)
}

func (w *factorWorld) left(t *testing.T, userID string) int {
	t.Helper()
	return assert.Must(w.Store.RecoveryKeys(t.Context(), userID))(t)["kid"]
}

func testSetMailFactor(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	set := func(id string, on bool) error {
		return w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.SetMailFactor(ctx, id, on) })
	}
	is := func(id string, want bool) {
		t.Helper()
		assert.Equal(t, assert.Must(w.Store.MailFactor(t.Context(), id))(t), want)
	}
	assert.Error(t, w.Store.SetMailFactor(t.Context(), user.ID, true))
	assert.ErrorIs(t, set(newID(), true), auth.ErrUserNotFound)
	is(user.ID, false)
	assert.NoError(t, set(user.ID, true))
	is(user.ID, true)
	is(other.ID, false)
	is(newID(), false)
	assert.NoError(t, set(user.ID, false))
	is(user.ID, false)
}

func testPutEnrolment(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	assert.Error(t, w.Store.PutEnrolment(t.Context(), w.describeEnrolment(user.ID), nil))
	w.none(t, user.ID, false)
	want := w.enrol(t, user.ID, "a", "b")
	assert.Equal(t, w.enrolment(t, user.ID, false), want)
	w.none(t, user.ID, true)
	assert.Equal(t, w.left(t, user.ID), 0)
	assert.False(t, w.use(t, user.ID, "a"), "a code is valid before its enrolment is confirmed")
}

func testPutEnrolmentReplaces(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	kept := w.enrol(t, user.ID, "old")
	assert.True(t, w.confirm(t, user.ID, kept.ID, 9), "confirmed")
	theirs := w.enrol(t, other.ID, "theirs")
	w.enrol(t, user.ID, "dropped")
	want := w.enrol(t, user.ID, "new")
	assert.Equal(t, w.enrolment(t, user.ID, false), want)
	assert.Equal(t, w.enrolment(t, user.ID, true).ID, kept.ID)
	assert.Equal(t, w.enrolment(t, other.ID, false), theirs)
	assert.Equal(t, w.left(t, user.ID), 1)
	assert.True(t, w.confirm(t, user.ID, want.ID, 9), "confirmed")
	assert.False(t, w.use(t, user.ID, "dropped"), "a code of a replaced enrolment")
	assert.False(t, w.use(t, user.ID, "old"), "a code of the enrolment before")
	assert.True(t, w.use(t, user.ID, "new"), "a code of the confirmed enrolment")
}

func testConfirmEnrolment(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	want := w.enrol(t, user.ID, "a")
	assert.True(t, w.confirm(t, user.ID, want.ID, 42), "confirmed")
	want.ConfirmedAt, want.LastStep = w.now.Add(time.Minute), 42
	assert.Equal(t, w.enrolment(t, user.ID, true), want)
	w.none(t, user.ID, false)
	assert.Equal(t, w.left(t, user.ID), 1)
	assert.True(t, w.use(t, user.ID, "a"), "valid")
}

func testConfirmEnrolmentRefuses(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	kept := w.enrol(t, user.ID, "a")
	_, err := w.Store.ConfirmEnrolment(t.Context(), user.ID, kept.ID, 1, w.now)
	assert.Error(t, err) // no transaction
	assert.False(t, w.confirm(t, other.ID, kept.ID, 1), "another user's")
	assert.False(t, w.confirm(t, user.ID, newID(), 1), "unknown")
	assert.True(t, w.confirm(t, user.ID, kept.ID, 5), "confirmed")
	assert.False(t, w.confirm(t, user.ID, kept.ID, 6), "confirmed before")
	got := w.enrolment(t, user.ID, true)
	assert.True(t, got.ID == kept.ID && got.LastStep == 5, "nothing was changed")
	assert.Equal(t, w.left(t, user.ID), 1)
}

func testConfirmEnrolmentRace(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	e := w.enrol(t, user.ID, "a")
	won, _ := race(t, func(ctx context.Context) error {
		return w.Store.InTx(ctx, func(ctx context.Context) error {
			if _, err := w.Store.LockUser(ctx, user.ID); err != nil {
				return err
			}
			return orLost(w.Store.ConfirmEnrolment(ctx, user.ID, e.ID, 1, w.now))
		})
	})
	assert.Equal(t, won, 1)
	assert.Equal(t, w.left(t, user.ID), 1)
}

var errLost = errors.New("lost")

func orLost(ok bool, err error) error {
	if err == nil && !ok {
		return errLost
	}
	return err
}

func testAcceptStep(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	e := w.enrol(t, user.ID)
	accept := func(userID, id string, step int64) bool {
		return assert.Must(w.Store.AcceptStep(t.Context(), userID, id, step))(t)
	}
	assert.False(t, accept(user.ID, e.ID, 100), "an unconfirmed enrolment accepts a code")
	w.confirm(t, user.ID, e.ID, 50)
	for _, c := range []struct {
		step int64
		want bool
	}{{49, false}, {50, false}, {51, true}, {51, false}, {50, false}, {53, true}, {52, false}, {1 << 40, true}} {
		assert.Equal(t, accept(user.ID, e.ID, c.step), c.want)
	}
	assert.False(t, accept(other.ID, e.ID, 1<<41), "another user's")
	assert.False(t, accept(user.ID, newID(), 1<<41), "another enrolment's")
	assert.Equal(t, w.enrolment(t, user.ID, true).LastStep, int64(1<<40))
}

func testAcceptStepRace(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	e := w.enrol(t, user.ID)
	w.confirm(t, user.ID, e.ID, 1)
	won, lost := race(t, func(ctx context.Context) error {
		return w.Store.InTx(ctx, func(ctx context.Context) error { return orLost(w.Store.AcceptStep(ctx, user.ID, e.ID, 2)) })
	})
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, errLost)
	}
}

func testDropFactors(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	for _, id := range []string{user.ID, other.ID} {
		e := w.enrol(t, id, "a")
		w.confirm(t, id, e.ID, 1)
		w.enrol(t, id, "b")
	}
	assert.NoError(t, w.Store.DropFactors(t.Context(), user.ID))
	w.none(t, user.ID, true)
	w.none(t, user.ID, false)
	assert.Equal(t, w.left(t, user.ID), 0)
	assert.NoError(t, w.Store.DropFactors(t.Context(), user.ID))
	w.enrolment(t, other.ID, true)
	w.enrolment(t, other.ID, false)
	assert.Equal(t, w.left(t, other.ID), 1)
}

func testDeleteUserDropsFactors(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	e := w.enrol(t, user.ID, "a")
	w.confirm(t, user.ID, e.ID, 1)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := w.Store.LockUser(ctx, user.ID); err != nil {
			return err
		}
		return w.Store.DeleteUser(ctx, user.ID, user.SecurityVersion)
	}))
	w.none(t, user.ID, true)
	assert.False(t, w.use(t, user.ID, "a"), "the code of a user who is gone")
}

func testPruneEnrolments(t *testing.T, w *factorWorld) {
	var waiting []auth.User
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		user := w.user(t, email)
		w.enrol(t, user.ID, "code")
		waiting = append(waiting, user)
	}
	confirmed := w.user(t, "d@example.com")
	w.confirm(t, confirmed.ID, w.enrol(t, confirmed.ID, "code").ID, 1)
	prune := func(before time.Time, want int) {
		t.Helper()
		assert.Equal(t, assert.Must(w.Store.PruneEnrolments(t.Context(), before, 2))(t), want)
	}
	prune(w.now, 0)
	prune(w.now.Add(time.Microsecond), 2)
	prune(w.now.Add(time.Microsecond), 1)
	prune(w.now.Add(time.Hour), 0)
	for _, user := range waiting {
		w.none(t, user.ID, false)
	}
	w.enrolment(t, confirmed.ID, true)
	assert.Equal(t, w.left(t, confirmed.ID), 1)
}

func testPutRecoveryCodes(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	put := func(userID string, macs ...string) {
		t.Helper()
		assert.NoError(t, w.Store.PutRecoveryCodes(t.Context(), userID, w.describeCodes(userID, macs...)))
	}
	put(user.ID, "a", "b", "c")
	put(other.ID, "a")
	waiting := w.enrol(t, user.ID, "waiting")
	assert.True(t, w.use(t, user.ID, "a"), "valid")
	put(user.ID, "d", "e")
	assert.Equal(t, w.left(t, user.ID), 2)
	assert.False(t, w.use(t, user.ID, "b"), "replaced")
	assert.True(t, w.use(t, user.ID, "e"), "valid")
	assert.Equal(t, w.left(t, other.ID), 1)
	assert.True(t, w.confirm(t, user.ID, waiting.ID, 1), "confirmed")
	assert.True(t, w.use(t, user.ID, "waiting"), "those of an unconfirmed enrolment stay")
}

func testUseRecoveryCode(t *testing.T, w *factorWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	assert.NoError(t, w.Store.PutRecoveryCodes(t.Context(), user.ID, w.describeCodes(user.ID, "a", "b")))
	assert.False(t, w.use(t, other.ID, "a"), "CVE-2025-64175: another user's code")
	assert.False(t, w.use(t, user.ID, "x"), "unknown")
	kid := token.Verifier{KID: "other", MAC: []byte("a")}
	assert.False(t, assert.Must(w.Store.UseRecoveryCode(t.Context(), user.ID, kid, w.now))(t), "under another key")
	assert.True(t, w.use(t, user.ID, "a"), "valid")
	assert.False(t, w.use(t, user.ID, "a"), "used")
	assert.Equal(t, w.left(t, user.ID), 1)
}

func testUseRecoveryCodeRace(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	assert.NoError(t, w.Store.PutRecoveryCodes(t.Context(), user.ID, w.describeCodes(user.ID, "a", "b")))
	won, lost := race(t, func(ctx context.Context) error {
		return orLost(w.Store.UseRecoveryCode(ctx, user.ID, token.Verifier{KID: "kid", MAC: []byte("a")}, w.now))
	})
	assert.Equal(t, won, 1)
	for _, err := range lost {
		assert.ErrorIs(t, err, errLost)
	}
	assert.Equal(t, w.left(t, user.ID), 1)
}

func testFactorsRollBack(t *testing.T, w *factorWorld) {
	user := w.user(t, "ada@example.com")
	e := w.enrol(t, user.ID, "waiting")
	assert.NoError(t, w.Store.PutRecoveryCodes(t.Context(), user.ID, w.describeCodes(user.ID, "a")))
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.Must(w.Store.UseRecoveryCode(ctx, user.ID, token.Verifier{KID: "kid", MAC: []byte("a")}, w.now))(t)
		assert.Must(w.Store.ConfirmEnrolment(ctx, user.ID, e.ID, 5, w.now))(t)
		assert.Must(w.Store.AcceptStep(ctx, user.ID, e.ID, 6))(t)
		assert.NoError(t, w.Store.DropFactors(ctx, user.ID))
		assert.NoError(t, w.Store.PutEnrolment(ctx, w.describeEnrolment(user.ID), nil))
		return errTakeBack
	})
	assert.ErrorIs(t, err, errTakeBack)
	assert.Equal(t, w.enrolment(t, user.ID, false), e)
	w.none(t, user.ID, true)
	assert.True(t, w.use(t, user.ID, "a"), "not used")
}

func testFactorOutage(t *testing.T, w *factorWorld) {
	s := w.Store
	calls := map[string]func(ctx context.Context) error{
		"PutEnrolment": func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error { return s.PutEnrolment(ctx, w.describeEnrolment("u"), nil) })
		},
		"TrustedByID":      func(ctx context.Context) error { _, err := s.TrustedByID(ctx, "u", "d", w.now); return err },
		"ListTrusted":      func(ctx context.Context) error { _, err := s.ListTrusted(ctx, "u", w.now); return err },
		"DropTrusted":      func(ctx context.Context) error { _, err := s.DropTrusted(ctx, "u", "d"); return err },
		"PruneTrusted":     func(ctx context.Context) error { _, err := s.PruneTrusted(ctx, w.now, 1); return err },
		"MailFactor":       func(ctx context.Context) error { _, err := s.MailFactor(ctx, "u"); return err },
		"EnrolmentOf":      func(ctx context.Context) error { _, err := s.EnrolmentOf(ctx, "u", true); return err },
		"AcceptStep":       func(ctx context.Context) error { _, err := s.AcceptStep(ctx, "u", "e", 1); return err },
		"DropFactors":      func(ctx context.Context) error { return s.DropFactors(ctx, "u") },
		"PruneEnrolments":  func(ctx context.Context) error { _, err := s.PruneEnrolments(ctx, w.now, 1); return err },
		"PutRecoveryCodes": func(ctx context.Context) error { return s.PutRecoveryCodes(ctx, "u", w.describeCodes("u", "a")) },
		"RecoveryKeys":     func(ctx context.Context) error { _, err := s.RecoveryKeys(ctx, "u"); return err },
		"UseRecoveryCode": func(ctx context.Context) error {
			_, err := s.UseRecoveryCode(ctx, "u", token.Verifier{}, w.now)
			return err
		},
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		if err := call(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	w.Break()
	for name, call := range calls {
		if err := call(t.Context()); !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v, want problem.ErrUnavailable", name, err)
		}
	}
}
