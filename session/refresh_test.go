package session_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/internal/family"
	"github.com/tenon-go/tenon/session/sessiontest"
)

func (w *world) bearerFacts() door.Facts {
	facts := w.facts("u1")
	facts.Bearer = true
	return facts
}

func (w *world) refresh(raw string) (session.Pair, error) { return w.svc.Refresh(w.t.Context(), raw) }

// next refreshes and returns the successor.
func (w *world) next(raw string) string {
	w.t.Helper()
	return assert.Must(w.refresh(raw))(w.t).Refresh.Reveal()
}

func (w *world) refuses(raw string) {
	w.t.Helper()
	_, err := w.refresh(raw)
	assert.ErrorIs(w.t, err, session.ErrNoRefresh)
}

// keysOf returns what a thief of all keys has.
func (w *world) keysOf(kid string) family.Keys {
	w.t.Helper()
	key := func(label string) []byte {
		return assert.Must(w.keys.Subkey(w.t.Context(), crypto.PurposeToken, label, kid))(w.t)
	}
	return family.Keys{KID: kid, Next: key(family.LabelNext), Tag: key(family.LabelTag), Verifier: key(family.LabelVerifier)}
}

func TestLifetimesOfABearerSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	now := w.clock.Now().Truncate(time.Microsecond)
	day := 24 * time.Hour
	grant := w.start(w.bearerFacts())
	assert.True(t, grant.Session.Bearer, "the session says what it is")
	assert.Equal(t, grant.Session.EndsAt, now.Add(90*day))
	assert.Equal(t, grant.Pair.RefreshEndsAt, now.Add(30*day))
	assert.Equal(t, grant.Pair.AccessEndsAt, now.Add(10*time.Minute))
	raw := grant.Pair.Refresh.Reveal()
	for range 3 {
		w.clock.advance(29 * day)
		raw = w.next(raw)
	}
	w.clock.advance(3*day - 5*time.Minute)
	pair := assert.Must(w.refresh(raw))(t)
	assert.Equal(t, pair.RefreshEndsAt, now.Add(90*day)) // the absolute end
	assert.Equal(t, pair.AccessEndsAt, now.Add(90*day))
	w.clock.advance(5 * time.Minute)
	w.refuses(pair.Refresh.Reveal())
	_, err := w.svc.LookupAccess(t.Context(), pair.Access.Reveal())
	assert.ErrorIs(t, err, session.ErrNoSession)

	idle := w.start(w.bearerFacts()).Pair.Refresh.Reveal()
	w.clock.advance(30 * day)
	w.refuses(idle)
	facts := w.bearerFacts()
	facts.BrowserOnly = true
	assert.Equal(t, w.start(facts).Pair.RefreshEndsAt, w.clock.Now().Truncate(time.Microsecond).Add(day))
}

func TestUseOfAnAccessTokenKeepsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *session.Config) { c.BearerIdle, c.AccessLife = 5*time.Minute, 10*time.Minute })
	grant := w.start(w.bearerFacts())
	w.clock.advance(4 * time.Minute)
	assert.Must(w.svc.LookupAccess(t.Context(), grant.Pair.Access.Reveal()))(t)
	w.clock.advance(4 * time.Minute)
	w.next(grant.Pair.Refresh.Reveal())
	w.clock.advance(5 * time.Minute)
	_, err := w.svc.LookupAccess(t.Context(), grant.Pair.Access.Reveal())
	assert.ErrorIs(t, err, session.ErrNoSession)
}

func TestBearerConfigIsValidated(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*session.Config){
		"access too short": func(c *session.Config) { c.AccessLife = time.Second },
		"access too long":  func(c *session.Config) { c.AccessLife = time.Hour + 1 },
		"idle too short":   func(c *session.Config) { c.BearerIdle = time.Second },
		"idle too long":    func(c *session.Config) { c.BearerIdle, c.BearerAbsolute = 2*time.Hour, time.Hour },
		"absolute":         func(c *session.Config) { c.BearerAbsolute = 401 * 24 * time.Hour },
	} {
		cfg := session.Config{Peppers: &peppers{}}
		change(&cfg)
		if _, err := session.New(sessiontest.NewFake(nil), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestR16_WithoutAccessTokensThereAreNoBearerSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	raw := w.start(w.bearerFacts()).Pair
	off := assert.Must(session.New(w.store, session.Config{Peppers: w.keys}))(t)
	assert.False(t, off.Bearer(), "there are none")
	_, err := off.StartTrusted(t.Context(), session.TrustedStart{UserID: "u1", SecurityVersion: 1, Bearer: true})
	assert.ErrorIs(t, err, session.ErrBearerUnavailable)
	_, err = off.Refresh(t.Context(), raw.Refresh.Reveal())
	assert.ErrorIs(t, err, session.ErrBearerUnavailable)
	_, err = off.LookupAccess(t.Context(), raw.Access.Reveal())
	assert.ErrorIs(t, err, session.ErrNoSession)
	h := assert.Must(session.NewHandler(off, session.HandlerConfig{BaseURL: "https://app.example.com"}))(t)
	want(t, call(t, h, http.MethodPost, "/token/refresh", `{"refreshToken":"`+raw.Refresh.Reveal()+`"}`, ""), 403, "")
	w.next(raw.Refresh.Reveal())
}

// A clock that is behind that of the process which rotated must not take the owner
// for a thief: it waits until it has caught up, as the one clock does (rule R32).
func TestR14_AClockThatIsALittleBehindWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	raw := w.start(w.bearerFacts()).Pair.Refresh.Reveal()
	child := w.next(raw)
	behind := 3
	other := assert.Must(session.New(w.store, session.Config{
		Peppers: w.keys, AccessTokens: w.access,
		Now: func() time.Time {
			behind-- // it catches up while it waits
			return w.clock.Now().Add(-time.Duration(max(behind, 0)) * time.Millisecond)
		},
	}))(t)
	pair := assert.Must(other.Refresh(t.Context(), raw))(t)
	assert.Equal(t, pair.Refresh.Reveal(), child)
	w.next(child)
}

func TestR14_AClockThatDoesNotCatchUpIsNoGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	raw := w.start(w.bearerFacts()).Pair.Refresh.Reveal()
	child := w.next(raw)
	w.clock.advance(-2 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.svc.Refresh(ctx, raw)
	assert.False(t, err == nil || errors.Is(err, session.ErrNoRefresh), "a caller who went away decides nothing")
	w.refuses(raw)
	w.refuses(child)
}

// Anybody can write a token with a good checksum. Only its tag says that it was
// handed out, and without it an older generation ends nothing.
func TestR14_AFailedTagChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.bearerFacts())
	raw := w.next(w.next(grant.Pair.Refresh.Reveal()))
	newest := assert.Must(family.Parse(raw))(t)
	before := assert.Must(w.fake.FindFamily(t.Context(), grant.Session.ID))(t)
	keys := w.keysOf(newest.KID)
	keys.Tag = keys.Next // not the right one
	forged := assert.Must(family.First(rand.Reader, grant.Session.ID, keys))(t)
	for range 4 {
		w.refuses(forged.Text().Reveal())
		assert.NoError(t, w.svc.RevokeRefresh(t.Context(), forged.Text().Reveal()))
		forged = assert.Must(forged.Next(make([]byte, family.SaltSize), keys))(t)
	}
	assert.Equal(t, assert.Must(w.fake.FindFamily(t.Context(), grant.Session.ID))(t), before)
	w.next(raw)
}

// Who has a dump of the database and all keys can end a family, and no more: the
// child cannot be made without the parent's secret, and a parent with another
// secret is not answered.
func TestR14_AllKeysDoNotBuyTheChild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.bearerFacts())
	parent := assert.Must(family.Parse(grant.Pair.Refresh.Reveal()))(t)
	keys := w.keysOf(parent.KID)
	forged := assert.Must(family.First(rand.Reader, grant.Session.ID, keys))(t)
	w.refuses(forged.Text().Reveal()) // as the newest token
	child := w.next(grant.Pair.Refresh.Reveal())
	w.refuses(forged.Text().Reveal()) // as the parent, inside the grace
	assert.Contains(t, w.log.String(), "the keys may be known to others")
	row := assert.Must(w.fake.FindFamily(t.Context(), grant.Session.ID))(t)
	own := assert.Must(forged.Next(row.Salt, keys))(t)
	assert.NotEqual(t, own.Text().Reveal(), child)
	w.refuses(own.Text().Reveal())
	w.next(child)
}

func TestR14_AnOutageDecidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	raw := w.start(w.bearerFacts()).Pair.Refresh.Reveal()
	for name, outage := range map[string]func(bool){"database": w.fake.SetDown, "keys": w.keys.down.Store, "access tokens": w.access.SetDown} {
		outage(true)
		_, err := w.refresh(raw)
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, session.ErrNoRefresh) {
			t.Errorf("%s down: %v", name, err)
		}
		if name != "access tokens" {
			assert.ErrorIs(t, w.svc.RevokeRefresh(t.Context(), raw), problem.ErrUnavailable)
		}
		w.refuses("junk")
		outage(false)
		w.next(raw)
	}
}

func TestR14_AHookThatFailsTakesTheEndBack(t *testing.T) {
	t.Parallel()
	failure := errors.New("no")
	fail := true
	w := newWorld(t, func(c *session.Config) {
		c.Hooks.RefreshReused = func(context.Context, session.RefreshReused) error {
			if fail {
				return failure
			}
			return nil
		}
	})
	raw := w.start(w.bearerFacts()).Pair.Refresh.Reveal()
	newest := w.next(w.next(raw))
	_, err := w.refresh(raw)
	assert.ErrorIs(t, err, failure)
	newest = w.next(newest)
	fail = false
	w.refuses(raw)
	w.refuses(newest)
}

func TestADestroyedKeyMakesItsTokensWorthless(t *testing.T) {
	t.Parallel()
	keys := cryptotest.NewKeyring(t)
	w := newWorld(t, func(c *session.Config) { c.Peppers = keys })
	grant := w.start(w.bearerFacts())
	raw := grant.Pair.Refresh.Reveal()
	kid := assert.Must(family.Parse(raw))(t).KID
	assert.Must(keys.RotateDEK(t.Context(), crypto.PurposeToken, ""))(t)
	child := w.next(raw)
	_, err := keys.DestroyKey(t.Context(), kid, true)
	assert.NoError(t, err)
	w.refuses(raw)
	w.next(child)
}

func TestR15_AnAccessTokenOpensItsOwnSessionOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u2", nil)
	grant := w.start(w.bearerFacts())
	good := assert.Must(w.access.Verify(t.Context(), grant.Pair.Access.Reveal()))(t)
	for name, change := range map[string]func(*session.AccessClaims){
		"another's subject":   func(c *session.AccessClaims) { c.Subject = "u2" },
		"no subject":          func(c *session.AccessClaims) { c.Subject = "" },
		"an older epoch":      func(c *session.AccessClaims) { c.Epoch = 0 },
		"a younger epoch":     func(c *session.AccessClaims) { c.Epoch = 2 },
		"another session":     func(c *session.AccessClaims) { c.SessionID = w.start(w.facts("u1")).Session.ID },
		"no session":          func(c *session.AccessClaims) { c.SessionID = "" },
		"an expired one":      func(c *session.AccessClaims) { c.ExpiresAt = w.clock.Now() },
		"the session of none": func(c *session.AccessClaims) { c.SessionID = "019546a3-0f20-7abc-8def-0123456789ab" },
	} {
		claims := good
		change(&claims)
		raw := assert.Must(w.access.Mint(t.Context(), claims))(t)
		if _, err := w.svc.LookupAccess(t.Context(), raw.Reveal()); !errors.Is(err, session.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw := assert.Must(w.access.Mint(t.Context(), good))(t)
	found := assert.Must(w.svc.LookupAccess(t.Context(), raw.Reveal()))(t)
	assert.Equal(t, found.Principal().SessionID, grant.Session.ID)
}

func TestR16_AnAuthorizationHeaderNamesOneSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	site := h.Middleware(http.HandlerFunc(whoami))
	grant, cookie := w.start(w.bearerFacts()), w.start(w.facts("u1")).Token.Reveal()
	access := grant.Pair.Access.Reveal()
	mine := "u1 " + grant.Session.ID
	for name, c := range map[string]struct {
		headers http.Header
		want    string
	}{
		"plain":          {http.Header{"Authorization": {"Bearer " + access}}, mine},
		"other letters":  {http.Header{"Authorization": {"bEARER " + access}}, mine},
		"twice":          {http.Header{"Authorization": {"Bearer " + access, "Bearer " + access}}, "-"},
		"other scheme":   {http.Header{"Authorization": {"Basic " + access}}, "-"},
		"no scheme":      {http.Header{"Authorization": {access}}, "-"},
		"two spaces":     {http.Header{"Authorization": {"Bearer  " + access}}, "-"},
		"more":           {http.Header{"Authorization": {"Bearer " + access + " x"}}, "-"},
		"with a key":     {http.Header{"Authorization": {"Bearer " + access}, "X-Api-Key": {"k"}}, "-"},
		"a refresh":      {http.Header{"Authorization": {"Bearer " + grant.Pair.Refresh.Reveal()}}, "-"},
		"a cookie's":     {http.Header{"Authorization": {"Bearer " + cookie}}, "-"},
		"longer than it": {http.Header{"Authorization": {"Bearer " + strings.Repeat("a", 9<<10)}}, "-"},
	} {
		res := call(t, site, "GET", "/", "", cookie, func(r *http.Request) {
			for key, values := range c.headers {
				r.Header[key] = values
			}
		})
		if got := bodyOf(t, res); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	with := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+access) }
	w.fake.SetDown(true)
	want(t, call(t, h.Middleware(h), "GET", "/list-sessions", "", "", with), 503, "")
	want(t, call(t, h, "POST", "/sign-out", `{}`, "", with), 503, "")
	w.fake.SetDown(false)
	res := call(t, h, "POST", "/revoke-session", `{"token":"`+grant.Session.ID+`"}`, "", with)
	want(t, res, 200, `{"status":true}`)
	assert.Equal(t, res.Header.Get("Set-Cookie"), "")
	want(t, call(t, site, "GET", "/", "", "", with), 200, "-")
}

func TestR16_ACookieHandlerSetsNoneForABearerSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	h := w.handler("https://app.example.com")
	before, grant := w.start(w.facts("u1")), w.start(w.bearerFacts())
	res := call(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "no-store")
		h.SetCookie(rw, grant)
		h.ReplaceSession(rw, r, grant)
	}), "GET", "/", "", before.Token.Reveal())
	assert.Equal(t, len(res.Header.Values("Set-Cookie")), 0)
	w.live(before)
}
