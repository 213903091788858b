package authtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// Env is a store under test and the one change that the package does not make
// itself yet.
type Env struct {
	Store auth.Store
	// Ban bans a user.
	Ban func(ctx context.Context, userID string) error
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at auth.Store.
// Each call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, group := range [][]clause{userClauses(), signUpClauses(), guessClauses(), budgetClauses(), deviceClauses(), factorClauses(), kindClauses(), commonClauses()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, &world{Env: open(t), now: epoch()})
			})
		}
	}
}

// epoch has microseconds, and a fraction that ends in zeros, because formats
// differ there.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 120000, time.UTC) }

// racers is how many goroutines try at the same time.
const racers = 16

// clause is one sentence of the contract.
type clause struct {
	name string
	test func(t *testing.T, w *world)
}

// world is an Env with the moves that clauses share.
type world struct {
	Env
	now time.Time
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func (w *world) describe(email string) auth.User {
	return auth.User{
		ID: newID(), Email: email, Display: "Typed." + email, Name: "Ada", Image: "https://example.com/ada.png",
		EmailVerified: true, EmailProof: auth.ProofHost, SecurityVersion: 1, CreatedAt: w.now, UpdatedAt: w.now.Add(time.Microsecond),
	}
}

func (w *world) user(t *testing.T, email string) auth.User {
	t.Helper()
	user := w.describe(email)
	assert.NoError(t, w.Store.CreateUser(t.Context(), user, []byte("sealed")))
	return user
}

func (w *world) signUp(t *testing.T, email string, created time.Time) auth.SignUp {
	t.Helper()
	p := auth.SignUp{
		ID: newID(), UserID: newID(), Email: email, Display: "Typed." + email, Name: "Ada", Image: "https://example.com/a.png",
		Password: []byte("sealed"), BrowserHash: []byte("browser"), CreatedAt: created, ExpiresAt: created.Add(24 * time.Hour),
	}
	assert.NoError(t, w.addSignUp(t.Context(), p))
	return p
}

// race calls fn from many goroutines at once and returns how many succeeded and
// the errors of the others.
func race(t *testing.T, fn func(ctx context.Context) error) (won int, lost []error) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for range racers {
		group.Go(func() {
			<-start
			err := fn(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				lost = append(lost, err)
			}
		})
	}
	close(start)
	group.Wait()
	return won, lost
}

var errTakeBack = errors.New("take it back")

func commonClauses() []clause {
	return []clause{
		{"InTx commits, takes back on an error, and nests as savepoints", testTransactions},
		{"InTx takes back on a panic", testPanic},
		{"an outage is an error and not an absence", testOutage},
		{"a cancelled ctx ends every call", testCancelled},
	}
}

func testTransactions(t *testing.T, w *world) {
	err := w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.True(t, w.Store.InTransaction(ctx), "the transaction is seen")
		assert.NoError(t, w.Store.CreateUser(ctx, w.describe("kept@example.com"), nil))
		inner := w.Store.InTx(ctx, func(ctx context.Context) error {
			assert.NoError(t, w.Store.CreateUser(ctx, w.describe("inner@example.com"), nil))
			return errTakeBack
		})
		assert.ErrorIs(t, inner, errTakeBack)
		return nil
	})
	assert.NoError(t, err)
	err = w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, w.Store.CreateUser(ctx, w.describe("outer@example.com"), nil))
		return errTakeBack
	})
	assert.ErrorIs(t, err, errTakeBack)
	assert.False(t, w.Store.InTransaction(t.Context()), "no transaction is left")
	_, _, err = w.Store.UserByEmail(t.Context(), "kept@example.com")
	assert.NoError(t, err)
	for _, email := range []string{"inner@example.com", "outer@example.com"} {
		_, _, err = w.Store.UserByEmail(t.Context(), email)
		assert.ErrorIs(t, err, auth.ErrUserNotFound)
	}
}

func testPanic(t *testing.T, w *world) {
	func() {
		defer func() { assert.Equal(t, recover(), any("stop")) }()
		_ = w.Store.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, w.Store.CreateUser(ctx, w.describe("a@example.com"), nil))
			panic("stop")
		})
	}()
	_, _, err := w.Store.UserByEmail(t.Context(), "a@example.com")
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
	w.user(t, "b@example.com")
}

// calls are all methods that read or write, for the clauses that hold for each.
func (w *world) calls() map[string]func(ctx context.Context) error {
	s, key := w.Store, auth.GuessKey{Factor: "f", Account: []byte("a")}
	return map[string]func(ctx context.Context) error{
		"CreateUser":      func(ctx context.Context) error { return s.CreateUser(ctx, w.describe("x@example.com"), []byte("p")) },
		"UserByEmail":     func(ctx context.Context) error { _, _, err := s.UserByEmail(ctx, "x@example.com"); return err },
		"UserByID":        func(ctx context.Context) error { _, err := s.UserByID(ctx, "x"); return err },
		"ReplacePassword": func(ctx context.Context) error { _, err := s.ReplacePassword(ctx, "x", nil, nil, w.now); return err },
		"ClaimSuperuser":  func(ctx context.Context) error { _, err := s.ClaimSuperuser(ctx, "x", "x", w.now); return err },
		"AddSignUp": func(ctx context.Context) error {
			return s.AddSignUp(ctx, auth.SignUp{ID: "x", CreatedAt: w.now, ExpiresAt: w.now, BrowserHash: []byte("b")})
		},
		"NewestSignUp":     func(ctx context.Context) error { _, err := s.NewestSignUp(ctx, "x", w.now); return err },
		"SignUpByID":       func(ctx context.Context) error { _, err := s.SignUpByID(ctx, "x", w.now); return err },
		"ClaimSignUp":      func(ctx context.Context) error { return s.ClaimSignUp(ctx, "x", "x", w.now) },
		"PruneSignUps":     func(ctx context.Context) error { _, err := s.PruneSignUps(ctx, w.now, 1); return err },
		"Charge":           func(ctx context.Context) error { _, err := s.Charge(ctx, key, auth.Pace{Free: 5}, w.now); return err },
		"Refund":           func(ctx context.Context) error { return s.Refund(ctx, key) },
		"PruneGuesses":     func(ctx context.Context) error { _, err := s.PruneGuesses(ctx, w.now, 1); return err },
		"Spend":            func(ctx context.Context) error { _, err := s.Spend(ctx, allowance(1), w.now); return err },
		"ForgetGuesses":    func(ctx context.Context) error { return s.ForgetGuesses(ctx, key) },
		"AddDevice":        func(ctx context.Context) error { return s.AddDevice(ctx, w.device("x", "s", w.now), "", 1) },
		"DeviceBySelector": func(ctx context.Context) error { _, err := s.DeviceBySelector(ctx, "s", w.now); return err },
		"PruneDevices":     func(ctx context.Context) error { _, err := s.PruneDevices(ctx, w.now, 1); return err },
		"PruneBudgets":     func(ctx context.Context) error { _, err := s.PruneBudgets(ctx, w.now, 1); return err },
		"InTx":             func(ctx context.Context) error { return s.InTx(ctx, func(context.Context) error { return nil }) },
		"Hold": func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error { return s.Hold(ctx, "x") })
		},
		"RaiseVersion": func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error { _, err := s.RaiseVersion(ctx, "x"); return err })
		},
		"Admit": func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error {
				_, err := s.Admit(ctx, auth.Admission{UserID: "x", SecurityVersion: 1, Guess: key, At: w.now})
				return err
			})
		},
		"SetSecondFactor": func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error { return s.SetSecondFactor(ctx, "x", w.now) })
		},
		"AddChallenge": func(ctx context.Context) error {
			return s.AddChallenge(ctx, auth.Challenge{ID: "x", CreatedAt: w.now, ExpiresAt: w.now, ProvenAt: w.now})
		},
		"ChallengeBySelector": func(ctx context.Context) error { _, err := s.ChallengeBySelector(ctx, "x", 1, w.now); return err },
		"TryChallenge":        func(ctx context.Context) error { _, err := s.TryChallenge(ctx, "x", 1, w.now); return err },
		"ConsumeChallenge":    func(ctx context.Context) error { _, err := s.ConsumeChallenge(ctx, "x", w.now); return err },
		"DropChallenges":      func(ctx context.Context) error { return s.DropChallenges(ctx, "x") },
		"PruneChallenges":     func(ctx context.Context) error { _, err := s.PruneChallenges(ctx, w.now, 1); return err },
	}
}

func testOutage(t *testing.T, w *world) {
	w.Break()
	for name, call := range w.calls() {
		if err := call(t.Context()); !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v, want problem.ErrUnavailable", name, err)
		}
	}
}

func testCancelled(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range w.calls() {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
}
