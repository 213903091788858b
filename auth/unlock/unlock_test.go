package unlock_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/unlock"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func TestNewHandlerNeedsItsParts(t *testing.T) {
	t.Parallel()
	_, err := unlock.NewHandler(nil, unlock.HandlerConfig{BaseURL: base})
	assert.Error(t, err)
	_, err = unlock.NewHandler(newWorld(t).Service, unlock.HandlerConfig{BaseURL: "http://example.com"})
	assert.Error(t, err)
}

// Rule R9: the link unlocks once, for everybody who knows the password, and says so
// to hooks. It signs nobody in.
func TestR9_TheLinkUnlocksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail)
	raw := w.lock(t, adaEmail)
	assert.ErrorIs(t, w.guess(t, adaEmail, adaPassword), auth.ErrLocked)
	for range 3 {
		got, err := w.Unlockable(t.Context(), raw)
		assert.NoError(t, err)
		assert.Equal(t, got.ID, user.ID)
	}
	got, err := w.UnlockByMail(t.Context(), raw)
	assert.NoError(t, err)
	assert.Equal(t, got.ID, user.ID)
	assert.Equal(t, w.unlocked, []auth.UserUnlocked{{UserID: user.ID, ActorID: user.ID}})
	assert.NoError(t, w.guess(t, adaEmail, adaPassword))
	_, err = w.UnlockByMail(t.Context(), raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	_, err = w.Unlockable(t.Context(), raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	after := assert.Must(w.store.UserByID(t.Context(), user.ID))(t)
	assert.Equal(t, after.SecurityVersion, user.SecurityVersion) // no credential changed
}

// A link unlocks the account that it was mailed for, and no other.
func TestTheLinkIsForItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail)
	w.user(t, "bob@example.com")
	raw := w.lock(t, adaEmail)
	w.lock(t, "bob@example.com")
	_, err := w.UnlockByMail(t.Context(), raw)
	assert.NoError(t, err)
	assert.ErrorIs(t, w.guess(t, "bob@example.com", adaPassword), auth.ErrLocked)
	assert.NoError(t, w.guess(t, adaEmail, adaPassword))
}

func TestLinksThatUnlockNothing(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, w *world, user auth.User, raw string) string{
		"a day passed": func(_ *testing.T, w *world, _ auth.User, raw string) string {
			w.now = w.now.Add(24 * time.Hour)
			return raw
		},
		"the account changed (R1)": func(t *testing.T, w *world, user auth.User, raw string) string {
			assert.NoError(t, w.Secure(t.Context(), auth.Change{UserID: user.ID}, func(context.Context, auth.User) error { return nil }))
			return raw
		},
		"the user is gone": func(t *testing.T, w *world, user auth.User, raw string) string {
			assert.NoError(t, w.DeleteUser(t.Context(), auth.Deletion{UserID: user.ID}))
			return raw
		},
		"cut":              func(_ *testing.T, _ *world, _ auth.User, raw string) string { return raw[:len(raw)-1] },
		"longer":           func(_ *testing.T, _ *world, _ auth.User, raw string) string { return raw + "0" },
		"of another kind":  func(_ *testing.T, _ *world, _ auth.User, raw string) string { return raw[:4] + "rst" + raw[7:] },
		"nothing":          func(*testing.T, *world, auth.User, string) string { return "" },
		"of another thing": func(t *testing.T, w *world, _ auth.User, _ string) string { return w.verifyLink(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			user := w.user(t, adaEmail)
			raw := meanwhile(t, w, user, w.lock(t, adaEmail))
			_, peeked := w.Unlockable(t.Context(), raw)
			_, used := w.UnlockByMail(t.Context(), raw)
			assert.ErrorIs(t, peeked, token.ErrInvalid)
			assert.ErrorIs(t, used, token.ErrInvalid)
			assert.ErrorIs(t, w.guess(t, adaEmail, adaPassword), auth.ErrLocked)
			assert.Len(t, w.unlocked, 0)
			answer := w.post(t, "/unlock-account?token="+url.QueryEscape(raw), "{}")
			assert.Equal(t, answer.Code, http.StatusBadRequest)
			assert.Contains(t, answer.Body.String(), "INVALID_TOKEN")
		})
	}
}

// verifyLink returns the secret of a link of another purpose.
func (w *world) verifyLink(t *testing.T) string {
	t.Helper()
	_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Eve", Email: "eve@example.com", Password: adaPassword})
	assert.NoError(t, err)
	message, _ := w.mailbox.Last("eve@example.com")
	return assert.Must(url.Parse(message.Links[0]))(t).Query().Get("token")
}

func TestPromise4_OfManyWhoUseOneLinkOneUnlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail)
	raw := w.lock(t, adaEmail)
	var group sync.WaitGroup
	results := make(chan error, 64)
	for range cap(results) {
		group.Go(func() { _, err := w.UnlockByMail(t.Context(), raw); results <- err })
	}
	group.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, token.ErrInvalid) {
			t.Errorf("a loser got %v", err)
		}
	}
	assert.Equal(t, won, 1)
	assert.Len(t, w.unlocked, 1)
}

// Rule R6: whoever goes on guessing has the owner mailed once in six hours, and the
// first link works all the time.
func TestR6_OneMailInSixHours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail)
	raw := w.lock(t, adaEmail)
	first := w.now
	for w.now = first; w.now.Before(first.Add(6*time.Hour - time.Minute)); w.now = w.now.Add(10 * time.Minute) {
		assert.ErrorIs(t, w.guess(t, adaEmail, "not this one"), auth.ErrLocked)
	}
	assert.Len(t, w.mailbox.Messages(), 1)
	w.now = first.Add(6 * time.Hour)
	assert.ErrorIs(t, w.guess(t, adaEmail, "not this one"), auth.ErrLocked)
	assert.Len(t, w.mailbox.Messages(), 2)
	_, err := w.UnlockByMail(t.Context(), raw)
	assert.NoError(t, err)
}

// Rule R7: nobody is mailed for an address that is nobody's, and the answer is the
// same.
func TestR7_AnAddressThatIsNobodysIsLockedAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.user(t, adaEmail)
	w.lock(t, adaEmail)
	refused := func(email string) problem.Error {
		return *assert.ErrorAs[*problem.Error](t, w.guess(t, email, "not this one"))
	}
	known := refused(adaEmail)
	mails := len(w.mailbox.Messages())
	for range 500 {
		err := w.guess(t, "nobody@example.com", "not this one")
		if errors.Is(err, auth.ErrLocked) {
			break
		}
		if wait, ok := errors.AsType[*problem.Error](err); ok {
			w.now = w.now.Add(wait.RetryAfter)
		}
	}
	unknown := refused("nobody@example.com")
	assert.Equal(t, []any{unknown.Code, unknown.Message, unknown.RetryAfter}, []any{known.Code, known.Message, known.RetryAfter})
	assert.Len(t, w.mailbox.Messages(), mails)
	assert.NoError(t, w.Unlock(t.Context(), user.ID, "a superuser"))
	assert.Equal(t, w.unlocked, []auth.UserUnlocked{{UserID: user.ID, ActorID: "a superuser"}})
	assert.NoError(t, w.guess(t, adaEmail, adaPassword))
	assert.ErrorIs(t, w.Unlock(t.Context(), "nobody", "a superuser"), auth.ErrUserNotFound)
}

// A transaction of the host takes the unlocking back, and leaves the link.
func TestUnlockingJoinsTheTransactionOfTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail)
	raw, stop := w.lock(t, adaEmail), errors.New("stop")
	assert.ErrorIs(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.UnlockByMail(ctx, raw)
		assert.NoError(t, err)
		return stop
	}), stop)
	assert.ErrorIs(t, w.guess(t, adaEmail, adaPassword), auth.ErrLocked)
	_, err := w.UnlockByMail(t.Context(), raw)
	assert.NoError(t, err)
}

func TestPromise12_AnOutageIsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail)
	raw := w.lock(t, adaEmail)
	w.store.Fail(problem.ErrUnavailable)
	assert.Equal(t, w.post(t, "/unlock-account", `{"token":"`+raw+`"}`).Code, http.StatusServiceUnavailable)
	w.page(t, "/unlock-account?token="+raw)
	answer := w.page(t, "/unlock-account")
	assert.Equal(t, answer.Code, http.StatusServiceUnavailable)
	assert.NotContains(t, answer.Body.String(), raw)
	assert.Equal(t, w.cookies["__Host-tenon_unlock"], raw) // another try will do
	w.store.Fail(nil)
	assert.Equal(t, w.post(t, "/unlock-account", `{"token":"`+raw+`"}`).Code, http.StatusOK)
}

var nonce = regexp.MustCompile(`name="_nonce" value="([^"]+)"`)

// Rule R24: opening the link consumes nothing, the page has no secret, its button
// unlocks.
func TestR24_ThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, adaEmail)
	raw := w.lock(t, adaEmail)
	scanned := w.send(t, http.MethodGet, "/unlock-account?token="+raw, "", http.Header{})
	assert.Equal(t, []string{scanned.Header().Get("Allow"), http.StatusText(scanned.Code)}, []string{"POST", "Method Not Allowed"})
	for range 3 {
		parked := w.page(t, "/unlock-account?token="+raw)
		assert.Equal(t, []any{parked.Code, parked.Header().Get("Location")}, []any{http.StatusSeeOther, "unlock-account"})
	}
	shown := w.page(t, "/unlock-account")
	assert.Contains(t, shown.Body.String(), adaEmail)
	assert.NotContains(t, shown.Body.String(), raw)
	assert.ErrorIs(t, w.guess(t, adaEmail, adaPassword), auth.ErrLocked)
	assert.Equal(t, w.form(t, url.Values{}).Code, http.StatusForbidden) // no nonce
	values := url.Values{"_nonce": nonce.FindStringSubmatch(shown.Body.String())[1:2]}
	done := w.form(t, values)
	assert.Equal(t, []any{done.Code, done.Header().Get("Location")}, []any{http.StatusSeeOther, "unlock-account?done=1"})
	assert.Contains(t, w.page(t, "/unlock-account?done=1").Body.String(), "unlocked")
	assert.Equal(t, w.cookies["__Host-tenon_unlock"], "")
	assert.NoError(t, w.guess(t, adaEmail, adaPassword))
	again := w.form(t, values) // pressed twice
	assert.Equal(t, again.Code, http.StatusBadRequest)
	w.page(t, "/unlock-account?token="+raw)
	dead := w.page(t, "/unlock-account")
	assert.Contains(t, dead.Body.String(), "not valid any more")
	assert.Equal(t, w.cookies["__Host-tenon_unlock"], "")
}

func TestProgramsPostTheSecret(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(w *world, raw string) (path, body string){
		"body":  func(_ *world, raw string) (string, string) { return "/unlock-account", `{"token":"` + raw + `"}` },
		"query": func(_ *world, raw string) (string, string) { return "/unlock-account?token=" + raw, "" },
	} {
		w := newWorld(t)
		w.user(t, adaEmail)
		path, body := send(w, w.lock(t, adaEmail))
		answer := w.post(t, path, body)
		var got map[string]any
		assert.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
		if answer.Code != http.StatusOK || len(got) != 1 || got["status"] != true || len(answer.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
		assert.NoError(t, w.guess(t, adaEmail, adaPassword))
	}
	w := newWorld(t)
	for _, body := range []string{`{"token":1}`, `{"token":"` + strings.Repeat("x", 201) + `"}`, `{"user":"x"}`} {
		assert.Equal(t, w.post(t, "/unlock-account", body).Code, http.StatusUnprocessableEntity)
	}
	assert.Equal(t, w.post(t, "/unlock-account?token=a&token=b", "").Code, http.StatusUnprocessableEntity)
}
