package tenon_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// signedInByCode signs somebody in by a code: somebody new, without a password.
func (w *world) signedInByCode(t testing.TB, to string) *browser {
	t.Helper()
	b := w.browser(t)
	assert.Equal(t, b.useCode(to, w.mailedCode(t, b, to, "sign-in")).StatusCode, http.StatusOK)
	return b
}

func (b *browser) requestEmail(to, code string) answer {
	b.t.Helper()
	return b.post("/email-otp/request-email-change", map[string]any{"newEmail": to, "otp": code})
}

func (b *browser) changeEmail(to, code string) answer {
	b.t.Helper()
	return b.post("/email-otp/change-email", map[string]any{"newEmail": to, "otp": code})
}

func TestR10_AnAddressIsChangedByCodesOfBothMailboxes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const next = "lovelace@example.com"
		b := w.signedIn(t, email)
		other := w.browser(t)
		other.signIn(email)
		for _, none := range []answer{b.requestEmail(next, ""), b.requestEmail(next, "000000"), b.changeEmail(next, "000000")} {
			assert.Equal(t, none.code(t), "INVALID_OTP")
		}
		present := w.mailedCode(t, b, email, "email-verification")
		assert.Equal(t, other.requestEmail(next, present).code(t), "INVALID_OTP") // another flow
		assert.Equal(t, b.requestEmail("ADA@example.com", present).code(t), "EMAIL_UNCHANGED")
		assert.Equal(t, b.requestEmail(next, present).StatusCode, http.StatusOK)
		assert.Equal(t, b.requestEmail(next, present).code(t), "INVALID_OTP") // once
		assert.NoError(t, w.Drain(t.Context()))
		message, _ := w.mailbox.Last(next)
		assert.Equal(t, other.changeEmail(next, message.Code).code(t), "INVALID_OTP") // another session
		assert.Equal(t, b.changeEmail("third@example.com", message.Code).code(t), "INVALID_OTP")
		assert.Equal(t, b.changeEmail(next, message.Code).StatusCode, http.StatusOK)
		assert.Contains(t, b.get("/get-session").body, next)
		assert.Equal(t, other.get("/get-session").body, "null\n")
		assert.Equal(t, w.browser(t).signIn(next).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusUnauthorized)
		assert.NoError(t, w.Drain(t.Context()))
		told, _ := w.mailbox.Last(email)
		assert.Equal(t, told.Kind, account.MailEmailChanged)
	})
}

// Whether the new address is somebody's shows in nothing: only mail differs, and its
// owner is told as by the links of change-email.
func TestR7_AnAddressThatIsTakenLooksFree(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, "aa@example.com")
		w.imported(t, "cc@example.com")
		w.browser(t).signUp("dd@example.com")
		shapes, counts := map[string]string{}, map[string]int{}
		for _, next := range []string{"aa@example.com", "bb@example.com", "cc@example.com", "dd@example.com"} {
			bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
			b := w.signedInByCode(t, "me"+next)
			present := w.mailedCode(t, b, "me"+next, "email-verification")
			b.requestEmail("warm@example.com", otherCode(present))
			counts[next] = bundbtest.FaultsOf(w.DB).Count(func() {
				shapes[next] = shape(b.requestEmail(next, present), next) + shape(b.changeEmail(next, "000000"), next)
			})
		}
		for next := range shapes {
			if shapes[next] != shapes["bb@example.com"] || counts[next] != counts["bb@example.com"] {
				t.Errorf("%s: %d statements, %s; bb: %d, %s", next, counts[next], shapes[next], counts["bb@example.com"], shapes["bb@example.com"])
			}
		}
		for next, kind := range map[string]string{
			"aa@example.com": auth.MailEmailTaken, "bb@example.com": passwordless.MailConfirmCode,
			"cc@example.com": auth.MailEmailTaken, "dd@example.com": passwordless.MailConfirmCode,
		} {
			assert.Equal(t, w.lastMail(t, next), kind)
		}
		told, _ := w.mailbox.Last("aa@example.com")
		assert.Equal(t, told.Code, "")
		assert.Len(t, told.Links, 0)
		assert.NotContains(t, told.Text+told.HTML, "meaa@example.com")
	})
}

// Rule R6: whoever has an address is told once a day that others want it, whichever
// way those ask.
func TestR6_TheOwnerOfATakenAddressIsToldOnceADay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const taken = "bob@example.com"
		w.user(t, taken)
		b := w.signedIn(t, email)
		told := func() (n int) {
			assert.NoError(t, w.Drain(t.Context()))
			for _, message := range w.mailbox.Messages() {
				if message.Kind == auth.MailEmailTaken {
					n++
				}
			}
			return n
		}
		for range 2 {
			assert.Equal(t, b.confirmMove(b.askToMove(t, taken)).StatusCode, http.StatusOK)
			assert.Equal(t, b.requestEmail(taken, w.mailedCode(t, b, email, "email-verification")).StatusCode, http.StatusOK)
		}
		assert.Equal(t, told(), 1)
		bundbtest.ClockOf(w.db).Advance(24 * time.Hour)
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, b.requestEmail(taken, w.mailedCode(t, b, email, "email-verification")).StatusCode, http.StatusOK)
		assert.Equal(t, told(), 2)
	})
}

// What changes the account ends the codes of its sessions (rule R1).
func TestR1_AChangeOfTheAccountEndsCodesOfItsSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.requestEmail("lovelace@example.com", w.mailedCode(t, b, email, "email-verification")).StatusCode, http.StatusOK)
		assert.NoError(t, w.Drain(t.Context()))
		message, _ := w.mailbox.Last("lovelace@example.com")
		changed := b.post("/change-password", map[string]any{"currentPassword": password, "newPassword": newPassword})
		assert.Equal(t, changed.StatusCode, http.StatusOK)
		assert.Equal(t, b.changeEmail("lovelace@example.com", message.Code).code(t), "INVALID_OTP")
	})
}

// Who has no password proves the mailbox again; who has one does not get around it
// by a code (rule R12).
func TestR12_AStepUpByCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const bare = "bob@example.com"
		b, second := w.signedInByCode(t, bare), w.signedInByCode(t, bare)
		bundbtest.ClockOf(w.db).Advance(15 * time.Minute)
		assert.Equal(t, b.requestEmail("x@example.com", "000000").code(t), "SESSION_NOT_FRESH")
		code := w.mailedCode(t, b, bare, "step-up")
		for _, refused := range []answer{
			second.post("/step-up", map[string]any{"code": code}), b.post("/step-up", map[string]any{"code": otherCode(code)}), b.useCode(bare, code),
		} {
			assert.Equal(t, refused.code(t), "INVALID_OTP")
		}
		assert.Equal(t, b.post("/step-up", map[string]any{"code": code}).StatusCode, http.StatusOK)
		assert.Equal(t, b.requestEmail("x@example.com", "000000").code(t), "INVALID_OTP")
		assert.Equal(t, b.post("/step-up", map[string]any{"code": code}).code(t), "INVALID_OTP") // once

		with := w.signedIn(t, email)
		code = w.mailedCode(t, with, email, "step-up")
		assert.Equal(t, with.post("/step-up", map[string]any{"code": code}).code(t), "CODE_NOT_AVAILABLE")
		assert.Equal(t, with.sendCode(bare, "step-up").StatusCode, http.StatusForbidden)
		assert.Equal(t, w.browser(t).sendCode(email, "step-up").StatusCode, http.StatusUnauthorized)
	})
}
