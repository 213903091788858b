package tenon_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// moving is what may differ between two answers: ids, times and secrets.
var moving = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|20\d\d-\d\d-\d\dT[0-9:.]+Z|[A-Z2-7]{26}|tnn_[a-z]{3}_\w+`)

// shape is an answer without what may differ.
func shape(a answer, emails ...string) string {
	a.Header.Del("Date")
	text := fmt.Sprint(a.StatusCode, a.Header, a.body)
	for _, e := range emails {
		text = strings.ReplaceAll(text, e, "EMAIL")
	}
	return moving.ReplaceAllString(text, "X")
}

func TestR4_R7_KnownAndUnknownAddressesAreAlike(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const known, unknown, banned = "aa@example.com", "bb@example.com", "cc@example.com"
		w.user(t, known)
		w.user(t, banned)
		bundbtest.ClockOf(w.db).Advance(25 * time.Hour)
		_, err := w.db.Statement("UPDATE tenon_users SET banned_at = ? WHERE email = ?").Exec(t.Context(), w.db.Now(), banned)
		assert.NoError(t, err)
		// The decoy and the cached keys are there from the first sign-in on.
		w.browser(t).signIn("warm@example.com")
		faults := bundbtest.FaultsOf(w.DB)
		for _, step := range []struct {
			name string
			do   func(b *browser, to string) answer
		}{
			{"sign in before", func(b *browser, to string) answer { return b.post("/sign-in/email", credentials(to, "not this one")) }},
			{"sign up", func(b *browser, to string) answer { return b.signUp(to) }},
			{"sign in after", func(b *browser, to string) answer { return b.post("/sign-in/email", credentials(to, "not this one")) }},
			{"resend at once", func(b *browser, to string) answer {
				return b.post("/send-verification-email", map[string]any{"email": to})
			}},
			{"resend later", func(b *browser, to string) answer {
				bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
				return b.post("/send-verification-email", map[string]any{"email": to})
			}},
		} {
			shapes, counts := map[string]string{}, map[string]int{}
			for _, to := range []string{known, unknown, banned} {
				b := w.browser(t)
				counts[to] = faults.Count(func() { shapes[to] = shape(step.do(b, to), to) })
			}
			for _, to := range []string{unknown, banned} {
				if shapes[to] != shapes[known] {
					t.Errorf("%s: %s answers\n%s\nand %s\n%s", step.name, known, shapes[known], to, shapes[to])
				}
				if counts[to] != counts[known] {
					t.Errorf("%s: %d statements for %s, %d for %s", step.name, counts[known], known, counts[to], to)
				}
			}
		}
	})
}

func TestR4_SignUpThenSignInWithTheSamePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const known, unknown = "aa@example.com", "bb@example.com"
		owner := w.user(t, known)
		w.browser(t).signIn("warm@example.com")
		shapes, counts := map[string]string{}, map[string]int{}
		for _, to := range []string{known, unknown} {
			b := w.browser(t)
			body := credentials(to, "typed by a stranger")
			body["name"] = "Stranger"
			counts[to] = bundbtest.FaultsOf(w.DB).Count(func() {
				shapes[to] = shape(b.post("/sign-up/email", body), to) + shape(b.post("/sign-in/email", credentials(to, "typed by a stranger")), to)
			})
		}
		assert.Equal(t, shapes[unknown], shapes[known])
		assert.Equal(t, counts[unknown], counts[known])
		assert.Equal(t, owner.signIn(known).StatusCode, http.StatusOK)
	})
}

func TestR4_SixteenSignUpsAndProofsMakeOneUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		browsers := make([]*browser, 16)
		var group sync.WaitGroup
		for i := range browsers {
			browsers[i] = w.browser(t)
			group.Go(func() { assert.Equal(t, browsers[i].signUp(email).StatusCode, http.StatusOK) })
		}
		group.Wait()
		assert.Equal(t, w.count(t, "tenon_sign_ups"), 5)
		links := make(chan string, 16)
		for i := range 16 { // at most five sign-ups wait, so links repeat
			bundbtest.ClockOf(w.db).Advance(13 * time.Minute)
			if i < 4 {
				assert.Equal(t, browsers[i].signUp(email).StatusCode, http.StatusOK)
			}
			links <- w.link(t, email)
		}
		for _, b := range browsers {
			group.Go(func() {
				got := b.post("/verify-email?token="+<-links, map[string]any{"newPassword": password})
				if got.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
			})
		}
		group.Wait()
		for table, want := range map[string]int{"tenon_users": 1, "tenon_sign_ups": 0, "tenon_organizations": 1, "tenon_members": 1} {
			assert.Equal(t, w.count(t, table), want)
		}
	})
}

func TestR8_AThousandRacers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		counter := &countingHasher{Hasher: passwordtest.New(t)}
		w.cfg.Passwords = counter
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		slots := make(chan struct{}, 64) // the machine's, not the attacker's
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				_, _, err := app.Auth.SignIn(bundbtest.Flow(t.Context()), auth.SignInParams{Email: email, Password: "not this one"})
				assert.Error(t, err)
			})
		}
		group.Wait()
		assert.Equal(t, counter.count(), 5)
	})
}

type countingHasher struct {
	*passwordtest.Hasher
	mu       sync.Mutex
	verified int
}

func (h *countingHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	h.mu.Lock()
	h.verified++
	h.mu.Unlock()
	return h.Hasher.Verify(ctx, hash, prepared)
}

func (h *countingHasher) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.verified
}

// stallingHasher stalls the next transaction when a password has been verified.
type stallingHasher struct {
	*passwordtest.Hasher
	faults  *bundbtest.Faults
	stalled chan *bundbtest.Barrier
}

func (h stallingHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	match, rehash, err = h.Hasher.Verify(ctx, hash, prepared)
	h.stalled <- h.faults.StallOn("BEGIN", 1)
	return match, rehash, err
}

// signInStalled lets a browser sign in, and returns when the password is proven
// and the door waits to open.
func (w *world) signInStalled(t *testing.T, b *browser) (*bundbtest.Barrier, <-chan answer) {
	t.Helper()
	hasher := stallingHasher{passwordtest.New(t), bundbtest.FaultsOf(w.DB), make(chan *bundbtest.Barrier, 1)}
	w.cfg.Passwords = hasher
	app, err := tenon.New(w.cfg)
	assert.NoError(t, err)
	w.App = app
	done := make(chan answer, 1)
	go func() { done <- b.signIn(email) }()
	barrier := <-hasher.stalled
	barrier.Wait(t)
	return barrier, done
}

// What happens to the account between the proof and the session.
func TestR1_StallBetweenVerifyAndComplete(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"reset or enrolment": "UPDATE tenon_users SET security_version = security_version + 1 WHERE email = ?",
		"ban":                "UPDATE tenon_users SET banned_at = created_at WHERE email = ?",
		"deletion":           "DELETE FROM tenon_users WHERE email = ?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b := w.user(t, email)
				barrier, done := w.signInStalled(t, b)
				_, err := w.db.Statement(change).Exec(bundbtest.Outside(t.Context()), "ada@example.com")
				assert.NoError(t, err)
				barrier.Release()
				got := <-done
				assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
				assert.Equal(t, got.code(t), "INVALID_EMAIL_OR_PASSWORD")
				assert.Equal(t, w.count(t, "tenon_sessions"), 0)
				assert.Equal(t, b.cookie("session"), "")
			})
		})
	}
}

// On PostgreSQL a change that comes after the guard waits for the session, and
// the session that it then finds is dead.
func TestR1_StallAfterTheGuard(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, tenon.Schemas()...)
	w := newWorld(t, db)
	b := w.user(t, email)
	barrier := bundbtest.FaultsOf(w.DB).StallOn("INSERT INTO tenon_sessions", 1)
	done, changed := make(chan answer), make(chan error)
	go func() { done <- b.signIn(email) }()
	barrier.Wait(t)
	go func() {
		_, err := db.Statement("UPDATE tenon_users SET security_version = security_version + 1 WHERE email = ?").
			Exec(bundbtest.Outside(context.WithoutCancel(t.Context())), "ada@example.com")
		changed <- err
	}()
	barrier.Release()
	assert.Equal(t, (<-done).StatusCode, http.StatusOK)
	assert.NoError(t, <-changed)
	assert.Equal(t, b.get("/get-session").body, "null\n")
}

// staleHasher says that every hash is out of date.
type staleHasher struct{ *passwordtest.Hasher }

func (h staleHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	match, _, err = h.Hasher.Verify(ctx, hash, prepared)
	return match, true, err
}

func TestR1_ARehashStalledAcrossAResetDoesNotReviveThePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		w.cfg.Passwords = staleHasher{passwordtest.New(t)}
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		barrier := bundbtest.FaultsOf(w.DB).StallOn("UPDATE tenon_credentials", 1)
		done := make(chan answer)
		go func() { done <- b.signIn(email) }()
		barrier.Wait(t)
		assert.NoError(t, w.reset(bundbtest.Outside(t.Context()), "a new password"))
		barrier.Release()
		assert.Equal(t, (<-done).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, b.post("/sign-in/email", credentials(email, "a new password")).StatusCode, http.StatusOK)
	})
}

// reset does what a reset of the password will do: another hash and a raised
// version, in one transaction.
func (w *world) reset(ctx context.Context, to string) error {
	return w.DB.InTx(ctx, func(ctx context.Context) error {
		user, _, err := authbun.New(w.DB).UserByEmail(ctx, strings.ToLower(email))
		if err != nil {
			return err
		}
		hash, err := w.cfg.Passwords.Hash(ctx, to)
		if err != nil {
			return err
		}
		sealed, err := w.Keys.Seal(ctx, auth.PasswordField("tenon_credentials", user.ID), []byte(hash))
		if err != nil {
			return err
		}
		if _, err := w.db.Statement("UPDATE tenon_credentials SET password = ? WHERE user_id = ?").Exec(ctx, sealed, user.ID); err != nil {
			return err
		}
		_, err = authbun.New(w.DB).RaiseVersion(ctx, user.ID)
		return err
	})
}
