package tenon_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// A superuser resets the factors of a user who lost them: nothing of them works on,
// everything in flight is dead, and the owner and the trail are told (rules R1, R12).
func TestASuperuserResetsSecondFactors(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		events := make(chan auth.SecondFactorReset, 8)
		w := newWorld(t, db, withRoot, func(c *tenon.Config) {
			c.AuthHooks.SecondFactorReset = func(_ context.Context, e auth.SecondFactorReset) error { events <- e; return nil }
		})
		ada := w.signedIn(t, email)
		root := w.signedIn(t, rootEmail)
		a := w.enrol(t, ada)
		trusted := w.trusting(t, a, email)
		id, rootID := ada.idOf(), root.idOf()
		halfway := w.browser(t)
		assert.True(t, halfway.asked(email), "a second factor is asked for")

		got := root.admin("reset-second-factor", map[string]any{"userId": id})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		event := <-events
		event.Client = auth.Client{}
		assert.Equal(t, event, auth.SecondFactorReset{UserID: id, ActorID: rootID})
		assert.Equal(t, w.lastMail(t, email), twofactor.MailReset)
		assert.False(t, ada.isSignedIn() || trusted.isSignedIn(), "a session goes on")
		assert.Equal(t, halfway.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).code(t), "INVALID_TWO_FACTOR_COOKIE")
		assert.Equal(t, w.count(t, "tenon_totp")+w.count(t, "tenon_recovery_codes")+w.count(t, "tenon_users WHERE second_factor_at IS NOT NULL"), 0)
		assert.False(t, w.browser(t).asked(email), "the factor is off")
		again := w.enrol(t, ada.signInAgain(email))
		assert.True(t, w.having(t, trusted.cookie("trust_device")).asked(email), "an old trust works on")
		assert.True(t, again != nil, "they enrol anew")

		assert.Equal(t, root.admin("reset-second-factor", map[string]any{"userId": rootID}).code(t), "YOU_CANNOT_RESET_YOUR_OWN_SECOND_FACTOR")
		assert.Equal(t, ada.admin("reset-second-factor", map[string]any{"userId": rootID}).StatusCode, http.StatusForbidden)
		assert.Equal(t, root.admin("reset-second-factor", map[string]any{"userId": "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"}).StatusCode, http.StatusNotFound)
		bundbtest.ClockOf(w.db).Advance(11 * time.Minute)
		assert.Equal(t, root.admin("reset-second-factor", map[string]any{"userId": id}).code(t), "SESSION_NOT_FRESH")
	})
}

// signInAgain signs in and returns b.
func (b *browser) signInAgain(to string) *browser {
	b.t.Helper()
	assert.Equal(b.t, b.signIn(to).StatusCode, http.StatusOK)
	return b
}

// Passkeys go along, unless they are to stay as a way in.
func TestAResetTakesPasskeysUnlessTheyAreToStay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		root := w.signedIn(t, rootEmail)
		b, key := w.secured(t, email)
		id := b.idOf()
		keep := map[string]any{"userId": id, "keepPasskeys": true}
		assert.Equal(t, root.admin("reset-second-factor", keep).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signInByPasskey(key).StatusCode, http.StatusOK)
		assert.Equal(t, root.admin("reset-second-factor", keep).code(t), "TWO_FACTOR_NOT_ENABLED")
		assert.Equal(t, root.admin("reset-second-factor", map[string]any{"userId": id}).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signInByPasskey(key).StatusCode, http.StatusUnauthorized)
		assert.False(t, w.browser(t).asked(email), "the factor is off")
	}, withRoot, withPasskeys)
}

func TestPromise1_AResetOfSecondFactorsIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		id := b.idOf()
		w.trusting(t, w.enrol(t, b), email)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			return w.TwoFactor.Reset(ctx, twofactor.ResetParams{UserID: id, ActorID: "root"})
		})
	})
}
