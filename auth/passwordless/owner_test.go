package passwordless_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

const newEmail = "Lovelace@example.com"

// moves records where accounts are moved to, and uses the proof up as it must.
type moves struct {
	to  []string
	err error
}

func (m *moves) move(w *world) func(ctx context.Context, to auth.Address, consume func(ctx context.Context) error) error {
	return func(ctx context.Context, to auth.Address, consume func(ctx context.Context) error) error {
		return w.store.InTx(ctx, func(ctx context.Context) error {
			if err := consume(ctx); err != nil {
				return err
			}
			m.to = append(m.to, to.Display)
			return m.err
		})
	}
}

func TestR12_AStepUpCodeBelongsToItsSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	code := w.ownersCode(t, user)
	session := w.owner(user).SessionID
	for name, c := range map[string][3]string{
		"another session": {user.ID, "another", code}, "another code": {user.ID, session, other(code)}, "nobody": {"nobody", session, code},
		"nonsense": {user.ID, session, "x"},
	} {
		if err := w.CheckStepUpCode(t.Context(), c[0], c[1], c[2]); !errors.Is(err, passwordless.ErrInvalidCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.NoError(t, w.CheckStepUpCode(t.Context(), user.ID, session, code))
	assert.ErrorIs(t, w.CheckStepUpCode(t.Context(), user.ID, session, code), passwordless.ErrInvalidCode)
	code = w.ownersCode(t, user)
	w.change(t, user)
	assert.ErrorIs(t, w.CheckStepUpCode(t.Context(), user.ID, session, code), passwordless.ErrInvalidCode)
}

// A code of one kind is none of the other, and lets nobody in.
func TestCodesOfASessionAreForOneThing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{ResetByCode: true})
	user := w.user(t, adaEmail, true)
	code := w.ownersCode(t, user)
	p := w.code(t, adaEmail, passwordless.PurposeVerifyEmail)
	p.Code = code
	_, err := w.signIn(t, p)
	assert.ErrorIs(t, err, passwordless.ErrInvalidCode)
	assert.ErrorIs(t, w.ResetPassword(t.Context(), p, newPassword), passwordless.ErrInvalidCode)
	m := new(moves)
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(user), adaEmail, code, m.move(w)), passwordless.ErrInvalidCode)
	assert.Len(t, m.to, 0)
	assert.Len(t, w.sessions.started, 0)
}

func TestWhoIsNoOwnerGetsNoCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	for name, c := range map[string]struct {
		change func(o *passwordless.Owner)
		want   error
	}{
		"nobody":     {func(o *passwordless.Owner) { o.UserID = "" }, problem.ErrUnauthenticated},
		"no session": {func(o *passwordless.Owner) { o.SessionID = "" }, problem.ErrUnauthenticated},
		"no version": {func(o *passwordless.Owner) { o.SecurityVersion = 0 }, problem.ErrUnauthenticated},
		"before":     {func(o *passwordless.Owner) { o.SecurityVersion++ }, auth.ErrStale},
		"gone":       {func(o *passwordless.Owner) { o.UserID = "gone" }, auth.ErrStale},
	} {
		o := w.owner(user)
		c.change(&o)
		for what, err := range map[string]error{
			"step up": w.SendStepUp(t.Context(), o),
			"request": w.RequestEmail(t.Context(), passwordless.RequestEmailParams{Owner: o, NewEmail: newEmail}),
			"change":  w.ChangeEmail(t.Context(), o, newEmail, "000000", nil),
		} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	assert.Len(t, w.mailbox.Messages(), 0)
	none := newWorld(t, passwordless.Policy{NoCodes: true})
	assert.ErrorIs(t, none.SendStepUp(t.Context(), none.owner(none.user(t, adaEmail, true))), passwordless.ErrPurpose)
	_, err := none.SendCode(t.Context(), passwordless.SendCodeParams{Email: adaEmail, Purpose: passwordless.PurposeSignIn})
	assert.ErrorIs(t, err, passwordless.ErrPurpose)
}

// request asks to move with a code of the present mailbox.
func (w *world) request(t *testing.T, user auth.User, to string) error {
	t.Helper()
	p := w.code(t, user.Display, passwordless.PurposeVerifyEmail)
	return w.RequestEmail(t.Context(), passwordless.RequestEmailParams{Owner: w.owner(user), NewEmail: to, Code: p.Code, Flow: p.Flow})
}

func TestR10_AnAddressIsChangedByBothMailboxes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user, bob := w.user(t, adaEmail, true), w.user(t, bobEmail, true)
	for to, want := range map[string]error{"nonsense": auth.ErrInvalidEmail, "ADA@example.com": passwordless.ErrSameEmail} {
		assert.ErrorIs(t, w.request(t, user, to), want)
	}
	p := w.code(t, bobEmail, passwordless.PurposeVerifyEmail) // not the owner's mailbox
	stranger := passwordless.RequestEmailParams{Owner: w.owner(user), NewEmail: newEmail, Code: p.Code, Flow: p.Flow}
	assert.ErrorIs(t, w.RequestEmail(t.Context(), stranger), passwordless.ErrInvalidCode)
	w.now = w.now.Add(2 * time.Hour)
	assert.NoError(t, w.request(t, user, newEmail))
	code, m := w.mailed(t, newEmail), new(moves)
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(user), "nonsense", code, m.move(w)), auth.ErrInvalidEmail)
	elsewhere := w.owner(user)
	elsewhere.SessionID = "another"
	for _, c := range []struct {
		owner passwordless.Owner
		to    string
	}{{elsewhere, newEmail}, {w.owner(bob), newEmail}, {w.owner(user), "third@example.com"}} {
		assert.ErrorIs(t, w.ChangeEmail(t.Context(), c.owner, c.to, code, m.move(w)), passwordless.ErrInvalidCode)
	}
	assert.NoError(t, w.ChangeEmail(t.Context(), w.owner(user), newEmail, code, m.move(w)))
	assert.Equal(t, m.to, []string{newEmail})
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(user), newEmail, code, m.move(w)), passwordless.ErrInvalidCode)
}

// An address that is somebody's gets no code: its owner is told that somebody asked,
// and who asked learns nothing. What move refuses leaves the code.
func TestR7_ATakenAddressIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	w.user(t, bobEmail, true)
	assert.NoError(t, w.request(t, user, bobEmail))
	notice, mailed := w.mailbox.Last(bobEmail)
	assert.True(t, mailed && notice.Code == "", "whose address it is learns that somebody asked, and gets no code")
	w.now = w.now.Add(time.Hour)
	assert.NoError(t, w.request(t, user, newEmail))
	m := &moves{err: auth.ErrAddressTaken}
	code := w.mailed(t, newEmail)
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(user), newEmail, code, m.move(w)), passwordless.ErrInvalidCode)
	m.err = errors.New("the host says no")
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(user), newEmail, code, m.move(w)), m.err)
	m.err = nil
	assert.NoError(t, w.ChangeEmail(t.Context(), w.owner(user), newEmail, code, m.move(w)))
}

func TestR1_AChangeEndsCodesOfItsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passwordless.Policy{})
	user := w.user(t, adaEmail, true)
	assert.NoError(t, w.request(t, user, newEmail))
	w.change(t, user)
	m := new(moves)
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(user), newEmail, w.mailed(t, newEmail), m.move(w)), auth.ErrStale)
	after := assert.Must(w.store.UserByID(t.Context(), user.ID))(t)
	assert.ErrorIs(t, w.ChangeEmail(t.Context(), w.owner(after), newEmail, w.mailed(t, newEmail), m.move(w)), passwordless.ErrInvalidCode)
	assert.Len(t, m.to, 0)
}
