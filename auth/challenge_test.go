package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/token"
)

// factors answers what every user has enrolled.
type factors struct {
	has     auth.Factors
	err     error
	trusted string // the token of a trusted device
	asked   []auth.TrustedAttempt
	made    []string // trusted devices, by their users
}

func (f *factors) Factors(context.Context, string) (auth.Factors, error) { return f.has, f.err }

func (f *factors) Trusts(_ context.Context, t auth.TrustedAttempt) (auth.Trust, error) {
	f.asked = append(f.asked, t)
	if f.err != nil || t.Raw != f.trusted {
		return auth.Trust{}, f.err
	}
	return f.trust()
}

func (f *factors) Trust(_ context.Context, user auth.User, _ auth.Client) (auth.Trust, error) {
	f.made = append(f.made, user.ID)
	return f.trust()
}

func (f *factors) trust() (auth.Trust, error) {
	next, err := token.Generate(nil, token.KindTrust)
	return auth.Trust{Token: next.Secret(), Until: trustEnds()}, err
}

func trustEnds() time.Time { return time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) }

// enrolled is a world in which Ada has a second factor.
func enrolled(t *testing.T, f auth.Factors) (*world, *factors, auth.User) {
	t.Helper()
	asked := &factors{has: f, trusted: "trusted"}
	w := newWorld(t, func(c *auth.Config) { c.SecondFactors = asked })
	user := w.ada(t)
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		return w.store.SetSecondFactor(ctx, user.ID, w.clock.Now())
	}))
	user, err := w.store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	return w, asked, user
}

// begin proves Ada's password and wants a challenge for it.
func (w *world) begin(t *testing.T, change ...func(*auth.SignInParams)) auth.Challenged {
	t.Helper()
	p := auth.SignInParams{Email: adaEmail, Password: adaPassword, CallbackURL: "/next", Client: client()}
	for _, f := range change {
		f(&p)
	}
	_, outcome, err := w.SignIn(t.Context(), p)
	assert.NoError(t, err)
	assert.True(t, outcome.Challenged(), "a challenge")
	assert.Equal(t, outcome.Grant, auth.Grant{})
	return outcome.Challenge
}

func (w *world) challenge(t *testing.T, c auth.Challenged) auth.Challenge {
	t.Helper()
	found, _, err := w.FindChallenge(t.Context(), c.Token.Reveal(), c.Bearer)
	assert.NoError(t, err)
	return found
}

func (w *world) proven(user auth.User, channel string) door.Proof {
	return door.NewProof(door.Proven{UserID: user.ID, SecurityVersion: user.SecurityVersion, Channel: channel, At: w.clock.Now()})
}

// Which ways lead on after which first factor, for everything that can be enrolled.
func TestR11_StepsAreAFunctionOfWhatIsProvenAndEnrolled(t *testing.T) {
	t.Parallel()
	all := auth.Factors{TOTP: true, RecoveryCodes: 3, Passkeys: 1, MailCode: true}
	mail := auth.Factors{MailCode: true, RecoveryCodes: 1}
	passkey, verified := door.PasskeyChannel("a", false), door.PasskeyChannel("a", true)
	for _, c := range []struct {
		channels string
		enrolled auth.Factors
		methods  string
		done     bool
	}{
		{"password", all, "totp passkey backup_code", false},
		{"mailbox", all, "totp passkey backup_code", false},
		{"provider:acme", all, "totp passkey backup_code", false},
		{passkey, all, "totp backup_code", false},
		{verified, all, "", true},
		{"password totp", all, "", true},
		{"password recovery", all, "", true},
		{"mailbox " + passkey, all, "", true},
		{"password mailbox", all, "totp passkey backup_code", false}, // a mailed code is none beside what is stronger
		{"password", mail, "otp backup_code", false},
		{"provider:acme", mail, "otp backup_code", false},
		{"provider:acme provider:other", all, "totp passkey backup_code", false}, // two providers are no second factor
		{"provider:acme totp", all, "", true},
		{"provider:acme mailbox", mail, "", true},
		{"mailbox", mail, "backup_code", false}, // the mailbox is not two channels
		{"mailbox mailbox", mail, "backup_code", false},
		{passkey, mail, "otp backup_code", false},
		{"password mailbox", mail, "", true},
		{"mailbox password", mail, "backup_code", false},
		{"password mailbox", auth.Factors{MailCode: true, Passkeys: 1}, "passkey", false},
		{"password mailbox", auth.Factors{MailCode: true, TOTP: true}, "totp", false},
		{"password", auth.Factors{Passkeys: 1}, "passkey", false},
		{passkey, auth.Factors{Passkeys: 2}, "", false},
		{passkey + " " + door.PasskeyChannel("b", false), auth.Factors{Passkeys: 2}, "", true},
		{"password", auth.Factors{}, "", false}, // fails closed: there is no way on
		{"totp", all, "totp passkey backup_code", false},
	} {
		methods, done := auth.Steps(strings.Fields(c.channels), c.enrolled)
		if got := strings.Join(methods, " "); got != c.methods || done != c.done {
			t.Errorf("%s with %+v: %q, %v; want %q, %v", c.channels, c.enrolled, got, done, c.methods, c.done)
		}
	}
}

// Until the second factor is proven there is nothing of a session.
func TestR2_AFirstFactorAloneOpensNothing(t *testing.T) {
	t.Parallel()
	w, _, user := enrolled(t, auth.Factors{TOTP: true, RecoveryCodes: 2})
	begun := w.begin(t)
	assert.Len(t, w.sessions.passes, 0)
	assert.Equal(t, begun.Methods, []string{"totp", "backup_code"})
	assert.Equal(t, begun.ExpiresAt, w.clock.Now().Add(5*time.Minute))
	got, err := w.store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.True(t, got.LastSignInAt.IsZero(), "nobody has signed in")

	c := w.challenge(t, begun)
	w.clock.Advance(time.Minute)
	met, outcome, err := w.MeetChallenge(t.Context(), c, w.proven(user, "totp"), auth.MeetParams{Client: client()})
	assert.NoError(t, err)
	assert.Equal(t, met.ID, user.ID)
	assert.Equal(t, []any{outcome.Challenged(), outcome.CallbackURL, outcome.Grant.UserID}, []any{false, "/next", user.ID})
	assert.Len(t, w.sessions.passes, 1)
	assert.Equal(t, w.sessions.passes[0].Channels, []string{"password", "totp"})
	assert.Equal(t, w.sessions.passes[0].ProvenAt, w.clock.Now())

	_, _, err = w.MeetChallenge(t.Context(), c, w.proven(user, "totp"), auth.MeetParams{})
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	_, _, err = w.FindChallenge(t.Context(), begun.Token.Reveal(), false)
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	assert.Len(t, w.sessions.passes, 1)
}

func TestAChallengeKeepsWhatTheFirstFactorFixed(t *testing.T) {
	t.Parallel()
	w, _, user := enrolled(t, auth.Factors{TOTP: true})
	begun := w.begin(t, func(p *auth.SignInParams) { p.Bearer, p.BrowserOnly = true, true })
	assert.True(t, begun.Bearer, "R16: its token is in the client's hands")
	_, _, err := w.FindChallenge(t.Context(), begun.Token.Reveal(), false)
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	_, _, err = w.MeetChallenge(t.Context(), w.challenge(t, begun), w.proven(user, "totp"), auth.MeetParams{})
	assert.NoError(t, err)
	assert.Equal(t, []bool{w.sessions.passes[0].Bearer, w.sessions.passes[0].BrowserOnly}, []bool{true, true})
}

func TestAChallengeEndsAfterFiveTriesAndFiveMinutes(t *testing.T) {
	t.Parallel()
	w, _, user := enrolled(t, auth.Factors{TOTP: true})
	begun := w.begin(t)
	c := w.challenge(t, begun)
	assert.ErrorIs(t, w.store.InTx(t.Context(), func(ctx context.Context) error { return w.TryChallenge(ctx, c) }), auth.ErrInTransaction)
	for range 5 {
		assert.NoError(t, w.TryChallenge(t.Context(), c))
	}
	assert.ErrorIs(t, w.TryChallenge(t.Context(), c), auth.ErrNoChallenge)
	_, _, err := w.FindChallenge(t.Context(), begun.Token.Reveal(), false)
	assert.ErrorIs(t, err, auth.ErrNoChallenge)

	c = w.challenge(t, w.begin(t))
	w.clock.Advance(5 * time.Minute)
	assert.ErrorIs(t, w.TryChallenge(t.Context(), c), auth.ErrNoChallenge)
	_, _, err = w.MeetChallenge(t.Context(), c, w.proven(user, "totp"), auth.MeetParams{})
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	assert.Len(t, w.sessions.passes, 0)
}

// The right proof of somebody else, the wrong kind of proof, and a proof from before
// the account changed complete nothing.
func TestR11_OnlyTheUsersOwnSecondChannelMeetsAChallenge(t *testing.T) {
	t.Parallel()
	w, _, user := enrolled(t, auth.Factors{TOTP: true, Passkeys: 1, RecoveryCodes: 1, MailCode: true})
	c := w.challenge(t, w.begin(t))
	stranger, stale := user, user
	stranger.ID, stale.SecurityVersion = "somebody", 2
	for name, proof := range map[string]door.Proof{
		"none": {}, "a stranger's": w.proven(stranger, "totp"), "another version's": w.proven(stale, "totp"),
		"the password again": w.proven(user, "password"), "a mailed code": w.proven(user, "mailbox"), "a provider": w.proven(user, "provider:acme"),
	} {
		_, _, err := w.MeetChallenge(t.Context(), c, proof, auth.MeetParams{})
		if !errors.Is(err, auth.ErrNotAdmitted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Len(t, w.sessions.passes, 0)
	for _, channel := range []string{"totp", "recovery", "passkey:1"} {
		_, _, err := w.MeetChallenge(t.Context(), w.challenge(t, w.begin(t)), w.proven(user, channel), auth.MeetParams{})
		assert.NoError(t, err)
	}
	assert.Len(t, w.sessions.passes, 3)
}

func TestR1_AChallengeDiesWithWhatProtectsTheAccount(t *testing.T) {
	t.Parallel()
	w, _, user := enrolled(t, auth.Factors{TOTP: true})
	begun := w.begin(t)
	c := w.challenge(t, begun)
	assert.NoError(t, w.Secure(t.Context(), auth.Change{UserID: user.ID}, func(context.Context, auth.User) error { return nil }))
	_, _, err := w.FindChallenge(t.Context(), begun.Token.Reveal(), false)
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	_, _, err = w.MeetChallenge(t.Context(), c, w.proven(user, "totp"), auth.MeetParams{})
	assert.ErrorIs(t, err, auth.ErrNoChallenge)
	user.SecurityVersion++
	_, _, err = w.MeetChallenge(t.Context(), c, w.proven(user, "totp"), auth.MeetParams{})
	assert.ErrorIs(t, err, auth.ErrNotAdmitted)
	assert.Len(t, w.sessions.passes, 0)
}

// A trusted device skips the question and proves nothing.
func TestR11_ATrustedDeviceSkipsTheQuestionOnly(t *testing.T) {
	t.Parallel()
	w, asked, user := enrolled(t, auth.Factors{TOTP: true})
	w.begin(t, func(p *auth.SignInParams) { p.TrustedDevice = "somebody else's" })
	p := auth.SignInParams{Email: adaEmail, Password: adaPassword, TrustedDevice: "trusted", Client: client()}
	_, outcome, err := w.SignIn(t.Context(), p)
	assert.NoError(t, err)
	assert.False(t, outcome.Challenged(), "no question")
	assert.True(t, outcome.Grant.TrustedDevice.Token.Reveal() != "", "its token is replaced")
	assert.Equal(t, w.sessions.passes[0].Channels, []string{"password"})
	assert.Equal(t, w.sessions.passes[0].TrustedUntil, trustEnds())
	assert.Equal(t, asked.asked[1], auth.TrustedAttempt{UserID: user.ID, SecurityVersion: 1, Raw: "trusted", Client: client()})
	got, err := w.store.UserByID(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, got.LastSignInAt, w.clock.Now())
}

// What the door asks about factors fails closed.
func TestPromise12_TheSecondFactorsOutageOpensNothing(t *testing.T) {
	t.Parallel()
	w, asked, _ := enrolled(t, auth.Factors{TOTP: true})
	asked.err = errors.New("down")
	for _, trusted := range []string{"", "trusted"} {
		_, outcome, err := w.SignIn(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword, TrustedDevice: trusted})
		assert.ErrorIs(t, err, asked.err)
		assert.Equal(t, outcome, auth.Outcome{})
	}
	deaf, err := auth.New(oneDatabase{w.store, w.tokens}, w.config(func(c *auth.Config) { c.SecondFactors = nil }))
	assert.NoError(t, err)
	_, _, err = deaf.SignIn(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword})
	assert.Error(t, err)
	assert.Len(t, w.sessions.passes, 0)
}

func TestOneOfManyMeetsAChallenge(t *testing.T) {
	t.Parallel()
	w, _, user := enrolled(t, auth.Factors{TOTP: true})
	c := w.challenge(t, w.begin(t))
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			_, _, err := w.MeetChallenge(t.Context(), c, w.proven(user, "totp"), auth.MeetParams{})
			if err != nil && !errors.Is(err, auth.ErrNoChallenge) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	assert.Len(t, w.sessions.passes, 1)
}

// The three kinds of answers to a first factor that is not enough: a browser's
// script, a page, a program.
func TestR25_AnswersToAFirstFactor(t *testing.T) {
	t.Parallel()
	w, _, _ := enrolled(t, auth.Factors{TOTP: true})
	h, err := auth.NewHandler(w.Service, auth.HandlerConfig{
		BaseURL: "https://example.com", SecondFactorPage: "/second", BearerMode: true,
		SetSession: func(http.ResponseWriter, *http.Request, auth.Grant) { t.Error("a session was handed over") },
	})
	assert.NoError(t, err)
	answer := func(bearer, page bool) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		begun := w.begin(t, func(p *auth.SignInParams) { p.Bearer = bearer })
		h.Answer(rec, httptest.NewRequest(http.MethodPost, "/", http.NoBody), auth.Answer{Outcome: auth.Outcome{Challenge: begun}, Page: page})
		return rec
	}
	rec := answer(false, false)
	assert.Equal(t, strings.TrimSpace(rec.Body.String()), `{"twoFactorRedirect":true,"twoFactorMethods":["totp"]}`)
	cookie := rec.Result().Cookies()[0]
	assert.Equal(t, []any{cookie.Name, cookie.HttpOnly, cookie.Secure, cookie.MaxAge}, []any{"__Host-tenon_two_factor", true, true, 300})
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.AddCookie(cookie)
	_, methods, err := h.Challenge(r, "")
	assert.NoError(t, err)
	assert.Equal(t, methods, []string{"totp"})
	_, _, err = h.Challenge(httptest.NewRequest(http.MethodPost, "/", http.NoBody), cookie.Value)
	assert.ErrorIs(t, err, auth.ErrNoChallenge) // R16: a cookie's value is nothing in a body
	r.Header.Set("Authorization", "Bearer x")
	_, _, err = h.Challenge(r, "")
	assert.ErrorIs(t, err, auth.ErrNoChallenge)

	rec = answer(false, true)
	assert.Equal(t, []any{rec.Code, rec.Header().Get("Location"), len(rec.Result().Cookies())}, []any{http.StatusSeeOther, "/second", 1})

	rec = answer(true, false)
	assert.Len(t, rec.Result().Cookies(), 0)
	var body struct{ ChallengeToken string }
	assert.NoError(t, json.Unmarshal(rec.Body.Bytes(), &body))
	_, _, err = h.Challenge(httptest.NewRequest(http.MethodPost, "/", http.NoBody), body.ChallengeToken)
	assert.NoError(t, err)
}

// NIST SP 800-63B-4 §3.1.1.2: 15 characters alone, 8 beside a second factor. A mailed
// code is none.
func TestNISTPasswordsMayBeShorterBesideASecondFactor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has   auth.Factors
		short error
	}{
		{auth.Factors{TOTP: true}, nil},
		{auth.Factors{Passkeys: 1}, nil},
		{auth.Factors{MailCode: true, RecoveryCodes: 1}, password.ErrTooShort},
		{auth.Factors{}, password.ErrTooShort},
	} {
		w, asked, user := enrolled(t, c.has)
		nist, err := auth.New(oneDatabase{w.store, w.tokens}, w.config(func(cfg *auth.Config) { cfg.PasswordPolicy = password.NIST() }))
		assert.NoError(t, err)
		_, err = nist.NewPassword(t.Context(), user, "violet tram")
		assert.Equal(t, errors.Is(err, password.ErrTooShort), c.short != nil)
		assert.Equal(t, err == nil, c.short == nil)
		alone := user
		alone.SecondFactorAt = time.Time{}
		_, err = nist.NewPassword(t.Context(), alone, "violet tram")
		assert.ErrorIs(t, err, password.ErrTooShort)
		asked.err = errors.New("down")
		_, err = nist.NewPassword(t.Context(), user, "violet tram")
		assert.ErrorIs(t, err, asked.err)
	}
}
