package twofactor_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
)

// ASVS 6.5.1, 6.5.2: ten codes of 125 bits, each good once, and those shown are those
// that validate.
func TestEveryRecoveryCodeThatWasShownWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	assert.Len(t, a.codes, 10)
	seen := map[string]bool{}
	for i, code := range a.codes {
		assert.True(t, regexp.MustCompile(`^[A-Z2-7]{5}(-[A-Z2-7]{5}){4}$`).MatchString(code), code)
		assert.False(t, seen[code], "codes differ")
		seen[code] = true
		typed := []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), " " + strings.ReplaceAll(code, "-", " ") + "\n"}[i%4]
		w.now = w.now.Add(time.Minute)
		assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, typed))
		w.now = w.now.Add(time.Minute)
		if i < 9 {
			assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, code), twofactor.ErrInvalidRecoveryCode)
		}
		w.now = w.now.Add(time.Hour)
	}
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, a.codes[0]), twofactor.ErrNoRecoveryCodes)
	assert.Len(t, w.sessions.started, 10)
	assert.Equal(t, w.sessions.started[0].Channels, []string{auth.ChannelPassword, auth.ChannelRecovery})
}

func TestHostileSpellingsAreNoRecoveryCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	code := a.codes[0]
	wide := strings.Map(func(r rune) rune {
		if r == '-' {
			return r
		}
		return r + 0xFEE0
	}, code)
	for _, hostile := range []string{"", wide, code[1:], code + "A", code + "\x00", code + strings.Repeat(" ", 90), "–" + code, strings.ReplaceAll(code, "-", "_")} {
		w.now = w.now.Add(time.Hour)
		assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, hostile), twofactor.ErrInvalidRecoveryCode)
	}
	w.now = w.now.Add(time.Hour)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, code))
}

// CVE-2025-64175: the code of somebody else, in whoever's sign-in.
func TestCVE202564175_AnotherUsersRecoveryCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	eve := w.create("eve@example.com", adaPassword)
	c := w.callerOf(eve.ID, true)
	enabled := assert.Must(w.Enable(t.Context(), c, twofactor.EnableParams{Password: adaPassword}))(t)
	hers := w.shown(enabled)
	_, _, err := w.VerifyInSession(t.Context(), c, hers.code())
	assert.NoError(t, err)
	w.now = w.now.Add(time.Minute)
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, hers.codes[0]), twofactor.ErrInvalidRecoveryCode)
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, hers.code()), twofactor.ErrInvalidCode)
	_, _, err = w.RecoverInSession(t.Context(), w.callerOf(eve.ID, true), a.codes[0])
	assert.ErrorIs(t, err, twofactor.ErrInvalidRecoveryCode)
	_, _, err = w.RecoverInSession(t.Context(), w.callerOf(eve.ID, true), hers.codes[0])
	assert.NoError(t, err)
}

func TestTheOwnerIsToldOfEveryRecoveryCodeAndWhenFewAreLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	for i := range 10 {
		w.now = w.now.Add(time.Second) // far above every budget of mails
		assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, a.codes[i]))
	}
	used, low := 0, 0
	for _, subject := range w.mailed() {
		switch subject {
		case "A recovery code was used at this service":
			used++
		case "Few recovery codes are left at this service":
			low++
		}
	}
	assert.Equal(t, used, 6) // nine to four are left
	assert.Equal(t, low, 4)  // three to none
	last, _ := w.mailbox.Last(adaEmail)
	assert.Contains(t, last.Text, "Codes left: 0")
}

func TestRegeneratingReplacesAllRecoveryCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, a.codes[0]))
	w.sessions.ended = nil
	shown := assert.Must(w.GenerateRecoveryCodes(t.Context(), w.caller(true), adaPassword))(t)
	assert.Len(t, shown, 10)
	assert.Equal(t, w.sessions.ended, []string{w.user.ID + " but session"})
	for _, code := range a.codes {
		w.now = w.now.Add(time.Hour)
		assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodRecovery, code), twofactor.ErrInvalidRecoveryCode)
	}
	w.now = w.now.Add(time.Hour)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, shown[9]))
}

func TestR12_StepUpByASecondFactorOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.enrolled()
	w.sessions.elevated = nil
	step := func(p account.StepUpParams) error { return second(w.account.StepUp(t.Context(), w.caller(false), p)) }
	for name, p := range map[string]account.StepUpParams{"password": {Password: adaPassword}, "mailed code": {Code: "123456"}} {
		if err := step(p); err == nil || errors.Is(err, account.ErrProofMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Len(t, w.sessions.elevated, 0)
	assert.ErrorIs(t, step(account.StepUpParams{TOTPCode: a.code(), Password: adaPassword}), account.ErrProofMissing)
	assert.NoError(t, step(account.StepUpParams{TOTPCode: a.code()}))
	assert.NoError(t, step(account.StepUpParams{BackupCode: a.codes[0]}))
	assert.Equal(t, []string{w.sessions.elevated[0].Channel, w.sessions.elevated[1].Channel}, []string{auth.ChannelTOTP, auth.ChannelRecovery})
	for range 4 {
		assert.ErrorIs(t, step(account.StepUpParams{TOTPCode: a.wrong()}), twofactor.ErrInvalidCode)
	}
	assert.ErrorIs(t, step(account.StepUpParams{BackupCode: a.codes[0]}), account.ErrSessionEnded) // the fifth, and a used one
}

// mailCodes is a port that mails nothing.
type mailCodes struct {
	sent int
	used bool
	err  error
}

func (m *mailCodes) SendSecondStep(context.Context, auth.Challenge, auth.Client) error {
	m.sent++
	return nil
}

func (m *mailCodes) CheckSecondStep(context.Context, auth.Challenge, string, auth.Client) (func(ctx context.Context) error, error) {
	return func(context.Context) error { m.used = true; return nil }, m.err
}

func withMail(m *mailCodes) func(*twofactor.Config) {
	return func(c *twofactor.Config) { c.Policy.MailCodes, c.Codes = true, m }
}

func TestR11_MailedCodesAreOptIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Enable(t.Context(), w.caller(true), twofactor.EnableParams{Method: auth.MethodMailCode, Password: adaPassword})
	assert.ErrorIs(t, err, twofactor.ErrMailCodesOff)
	w.enrolled()
	c := w.challenge()
	assert.ErrorIs(t, w.SendCode(t.Context(), c, client()), twofactor.ErrMailCodesOff)
	assert.ErrorIs(t, w.meet(c, auth.MethodMailCode, "123456"), twofactor.ErrMailCodesOff)
}

func TestR11_AMailedCodeIsAWeakSecondStep(t *testing.T) {
	t.Parallel()
	codes := new(mailCodes)
	w := newWorld(t, withMail(codes))
	enabled := assert.Must(w.Enable(t.Context(), w.caller(true), twofactor.EnableParams{Method: auth.MethodMailCode, Password: adaPassword}))(t)
	assert.True(t, enabled.URI.IsZero() && len(enabled.RecoveryCodes) == 10, "recovery codes alone")
	c := w.challenge()
	assert.NoError(t, w.SendCode(t.Context(), c, client()))
	assert.Equal(t, codes.sent, 1)
	assert.NoError(t, w.meet(c, auth.MethodMailCode, "123456"))
	assert.True(t, codes.used, "the code is used up")
	assert.Equal(t, w.sessions.started[0].Channels, []string{auth.ChannelPassword, auth.ChannelMailbox})
	assert.Equal(t, door.Assurance(w.sessions.started[0].Channels), 1)
	// It is no second factor where one is needed, and so does not lock its owner out.
	assert.False(t, w.caller(true).Principal.SecondFactor, "counted as a second factor")

	// An app takes its place.
	a := w.enrolled()
	c = w.challenge()
	assert.ErrorIs(t, w.SendCode(t.Context(), c, client()), twofactor.ErrMailCodeNotOffered)
	assert.ErrorIs(t, w.meet(c, auth.MethodMailCode, "123456"), twofactor.ErrMailCodeNotOffered)
	assert.True(t, w.caller(true).Principal.SecondFactor, "an app is one")
	_, err := w.Enable(t.Context(), w.caller(true), twofactor.EnableParams{Method: auth.MethodMailCode, Password: adaPassword})
	assert.ErrorIs(t, err, twofactor.ErrTOTPFirst)
	assert.NoError(t, w.meet(c, auth.MethodTOTP, a.code()))
}

func TestR11_NoMailedCodeBesideAPasskeyOrAfterTheMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withMail(new(mailCodes)))
	assert.Must(w.Enable(t.Context(), w.caller(true), twofactor.EnableParams{Method: auth.MethodMailCode, Password: adaPassword}))(t)
	c := w.challenge()
	after := c
	after.Channels = []string{auth.ChannelMailbox}
	assert.ErrorIs(t, w.SendCode(t.Context(), after, client()), twofactor.ErrMailCodeNotOffered)
	assert.ErrorIs(t, w.meet(after, auth.MethodMailCode, "123456"), twofactor.ErrMailCodeNotOffered)
	w.passkeys = 1
	assert.ErrorIs(t, w.meet(c, auth.MethodMailCode, "123456"), twofactor.ErrMailCodeNotOffered)
	assert.Len(t, w.sessions.started, 0)
}

func TestPasskeysAsTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := twofactor.EnableParams{Method: auth.MethodPasskey, Password: adaPassword}
	_, err := w.Enable(t.Context(), w.caller(true), by)
	assert.ErrorIs(t, err, twofactor.ErrNoPasskey)
	w.passkeys = 2
	enabled := assert.Must(w.Enable(t.Context(), w.caller(true), by))(t)
	assert.Len(t, enabled.RecoveryCodes, 10)
	assert.Equal(t, assert.Must(w.Factors(t.Context(), w.user.ID))(t), auth.Factors{RecoveryCodes: 10, Passkeys: 2})
	assert.ErrorIs(t, w.meet(w.challenge(), auth.MethodTOTP, "123456"), twofactor.ErrNotEnrolled)
	assert.NoError(t, w.meet(w.challenge(), auth.MethodRecovery, enabled.RecoveryCodes[0]))
}
