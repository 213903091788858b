package session_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

const multiCookie = hostCookie + "_multi-"

// tab is a browser of a site on which several users may be signed in.
type tab struct {
	w    *world
	h    *session.Handler
	jar  http.CookieJar
	site *url.URL
}

func (w *world) tab(change func(*session.HandlerConfig)) *tab {
	w.t.Helper()
	cfg := session.HandlerConfig{BaseURL: "https://app.example.com", MultiSession: true, MaxPerBrowser: 3}
	if change != nil {
		change(&cfg)
	}
	return &tab{
		w: w, h: assert.Must(session.NewHandler(w.svc, cfg))(w.t), jar: assert.Must(cookiejar.New(nil))(w.t),
		site: assert.Must(url.Parse("https://app.example.com"))(w.t),
	}
}

// request carries the browser's cookies.
func (b *tab) request(method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(b.w.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range b.jar.Cookies(b.site) {
		r.AddCookie(c)
	}
	return r
}

// answer stores the cookies that were set.
func (b *tab) answer(rec *httptest.ResponseRecorder) *http.Response {
	res := rec.Result()
	b.jar.SetCookies(b.site, res.Cookies())
	return res
}

func (b *tab) call(method, path, body string) *http.Response {
	rec := httptest.NewRecorder()
	b.h.ServeHTTP(rec, b.request(method, path, body))
	return b.answer(rec)
}

// signIn is what package auth does after a sign-in.
func (b *tab) signIn(user string) session.Grant {
	b.w.t.Helper()
	grant := b.w.start(b.w.facts(user))
	rec := httptest.NewRecorder()
	b.h.AddSession(rec, b.request("POST", "/sign-in/email", "{}"), grant)
	b.answer(rec)
	return grant
}

// who returns the active user, "" for nobody.
func (b *tab) who() string {
	b.w.t.Helper()
	var answer *struct{ User struct{ ID string } }
	assert.NoError(b.w.t, json.Unmarshal([]byte(bodyOf(b.w.t, b.call("GET", "/get-session", ""))), &answer))
	if answer == nil {
		return ""
	}
	return answer.User.ID
}

// listed returns "user session" lines, the active one with a star.
func (b *tab) listed() []string {
	b.w.t.Helper()
	res := b.call("GET", "/multi-session/list-device-sessions", "")
	assert.Equal(b.w.t, res.StatusCode, 200)
	assert.Len(b.w.t, res.Cookies(), 0)
	body := bodyOf(b.w.t, res)
	for _, c := range b.jar.Cookies(b.site) {
		assert.NotContains(b.w.t, body, c.Value[8:])
	}
	var answer []struct {
		Session struct {
			ID, Token string
			Current   bool
		}
		User struct{ ID string }
	}
	assert.NoError(b.w.t, json.Unmarshal([]byte(body), &answer))
	lines := []string{}
	for _, s := range answer {
		assert.Equal(b.w.t, s.Session.Token, s.Session.ID)
		lines = append(lines, s.User.ID+map[bool]string{true: "*"}[s.Session.Current])
	}
	return lines
}

// cookies returns the names of the browser's cookies of several sessions.
func (b *tab) cookies() (ids []string) {
	for _, c := range b.jar.Cookies(b.site) {
		if id, ok := strings.CutPrefix(c.Name, multiCookie); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (w *world) users(n int) {
	for i := range n {
		w.user(fmt.Sprintf("u%d", i+1), nil)
	}
}

func named(g session.Grant) string { return `{"sessionToken":"` + g.Session.ID + `"}` }

func TestMultiSessionAddsListsAndSwitches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(3)
	b := w.tab(nil)
	assert.Equal(t, b.listed(), []string{})
	one := b.signIn("u1")
	two := b.signIn("u2")
	assert.Equal(t, b.who(), "u2")
	assert.Equal(t, b.listed(), []string{"u2*", "u1"})
	w.live(one)

	res := b.call("POST", "/multi-session/set-active", named(one))
	body := bodyOf(t, res)
	assert.Equal(t, res.StatusCode, 200)
	assert.Contains(t, body, `"id":"`+one.Session.ID+`"`)
	assert.Contains(t, body, `"current":true`)
	assert.Contains(t, body, `"user":{"id":"u1"`)
	assert.NotContains(t, body, one.Token.Reveal()[8:])
	assert.Equal(t, b.who(), "u1")
	assert.Equal(t, b.listed(), []string{"u1*", "u2"})
	want(t, b.call("POST", "/multi-session/set-active", named(one)), 200, "")
	want(t, b.call("POST", "/multi-session/set-active", `{}`), 422, "")
	want(t, b.call("POST", "/multi-session/set-active", `{"sessionToken":"x","more":1}`), 422, "")

	// Two tabs switch at once: whatever order the answers arrive in, none is lost.
	first, second := httptest.NewRecorder(), httptest.NewRecorder()
	toTwo, toOne := b.request("POST", "/multi-session/set-active", named(two)), b.request("POST", "/multi-session/set-active", named(one))
	b.h.ServeHTTP(first, toTwo)
	b.h.ServeHTTP(second, toOne)
	b.answer(second)
	b.answer(first)
	assert.Equal(t, b.listed(), []string{"u2*", "u1"})
}

func TestR16_SetActivePicksAmongThisBrowsersCookiesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(3)
	b, other := w.tab(nil), w.tab(nil)
	mine, elsewhere, stranger := b.signIn("u1"), other.signIn("u1"), other.signIn("u2")
	refused := func(name string, r *http.Request) {
		t.Helper()
		rec := httptest.NewRecorder()
		b.h.ServeHTTP(rec, r)
		if rec.Code != 401 || !strings.Contains(rec.Body.String(), `"INVALID_SESSION_TOKEN"`) || len(rec.Result().Cookies()) != 0 {
			t.Errorf("%s: %d %s %v", name, rec.Code, rec.Body, rec.Result().Cookies())
		}
	}
	for name, id := range map[string]string{
		"a stranger's": stranger.Session.ID, "my own in another browser": elsewhere.Session.ID,
		"unknown": uuid.NewString(), "nonsense": "x", "a token": mine.Token.Reveal(),
	} {
		refused(name, b.request("POST", "/multi-session/set-active", `{"sessionToken":"`+id+`"}`))
	}
	forged := func(name, value string, id string) *http.Request {
		r := b.request("POST", "/multi-session/set-active", `{"sessionToken":"`+id+`"}`)
		r.Header.Add("Cookie", multiCookie+name+"="+value)
		return r
	}
	victim := stranger.Session.ID
	raw := stranger.Token.Reveal()
	refused("no token", forged(victim, "x", victim))
	refused("a wrong secret", forged(victim, withChecksum(raw[:24]+mine.Token.Reveal()[24:56]), victim))
	refused("my token under the stranger's id", forged(victim, mine.Token.Reveal(), victim))
	refused("a live token under another name", forged(uuid.NewString(), elsewhere.Token.Reveal(), elsewhere.Session.ID))
	refused("the id in capitals", forged(strings.ToUpper(victim), raw, strings.ToUpper(victim)))
	twice := forged(victim, raw, victim)
	twice.Header.Add("Cookie", multiCookie+victim+"="+raw)
	refused("there twice", twice)
	dev := b.request("POST", "/multi-session/set-active", `{"sessionToken":"`+victim+`"}`)
	dev.Header.Add("Cookie", "tenon_dev_session_multi-"+victim+"="+raw)
	refused("another base URL's name", dev)
	for _, header := range []string{"Authorization", "X-Api-Key"} {
		r := b.request("POST", "/multi-session/set-active", named(mine))
		r.Header.Set(header, "Bearer x")
		refused("with "+header, r)
	}
	assert.Equal(t, b.who(), "u1")
}

func TestMultiSessionDropsTheOldestOfTheBrowserAndTheSameUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(6)
	b, other := w.tab(nil), w.tab(nil)
	far := other.signIn("u1")
	var grants []session.Grant
	for i := range 5 {
		w.clock.advance(time.Second)
		grants = append(grants, b.signIn(fmt.Sprintf("u%d", i+1)))
	}
	assert.Equal(t, b.listed(), []string{"u5*", "u3", "u4"})
	assert.Equal(t, b.cookies(), []string{grants[2].Session.ID, grants[3].Session.ID, grants[4].Session.ID})
	w.dead(grants[0])
	w.dead(grants[1])
	w.live(far)

	again := b.signIn("u3")
	assert.Equal(t, b.listed(), []string{"u3*", "u4", "u5"})
	w.dead(grants[2])
	assert.Len(t, b.cookies(), 3)
	w.live(again)

	// One that ended elsewhere keeps no place, and its cookie goes.
	assert.NoError(t, w.svc.Revoke(t.Context(), "u4", grants[3].Session.ID))
	assert.Equal(t, b.listed(), []string{"u3*", "u5"})
	w.clock.advance(time.Second)
	b.signIn("u6")
	assert.Equal(t, b.listed(), []string{"u6*", "u5", "u3"})
	assert.False(t, slices.Contains(b.cookies(), grants[3].Session.ID), "a dead session's cookie goes")
}

func TestMultiSessionRevokeAndSignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(4)
	b := w.tab(nil)
	one, two := b.signIn("u1"), b.signIn("u2")
	w.clock.advance(2 * time.Minute)
	three := b.signIn("u3")
	other := w.tab(nil)
	foreign := other.signIn("u4")
	want(t, b.call("POST", "/multi-session/revoke", named(foreign)), 401, "")
	w.live(foreign)
	want(t, b.call("POST", "/multi-session/revoke", named(one)), 200, `{"status":true}`)
	w.dead(one)
	assert.Equal(t, b.listed(), []string{"u3*", "u2"})

	want(t, b.call("POST", "/multi-session/revoke", named(three)), 200, `{"status":true}`)
	w.dead(three)
	assert.Equal(t, b.who(), "u2")
	want(t, b.call("POST", "/multi-session/revoke", named(two)), 200, `{"status":true}`)
	assert.Equal(t, b.who(), "")
	assert.Len(t, b.jar.Cookies(b.site), 0)
	want(t, b.call("POST", "/multi-session/revoke", named(two)), 401, "")

	four, five := b.signIn("u1"), b.signIn("u2")
	want(t, b.call("POST", "/sign-out", `{}`), 200, `{"success":true}`)
	w.dead(five)
	w.live(four)
	assert.Equal(t, b.who(), "")
	assert.Equal(t, b.listed(), []string{"u1"})
	want(t, b.call("POST", "/multi-session/set-active", named(five)), 401, "")
	want(t, b.call("POST", "/multi-session/set-active", named(four)), 200, "")
	assert.Equal(t, b.who(), "u1")
	want(t, b.call("POST", "/revoke-sessions", `{}`), 200, "")
	assert.Len(t, b.jar.Cookies(b.site), 0)
}

func TestMultiSessionFollowsElevationAndReplacement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(3)
	b := w.tab(nil)
	one, two := b.signIn("u1"), b.signIn("u2")
	want(t, b.call("POST", "/multi-session/set-active", named(one)), 200, "")
	elevated := w.elevate(one, "totp")
	rec := httptest.NewRecorder()
	b.h.SetCookie(rec, elevated)
	b.answer(rec)
	assert.Equal(t, b.listed(), []string{"u1*", "u2"})
	want(t, b.call("POST", "/multi-session/set-active", named(two)), 200, "")
	want(t, b.call("POST", "/multi-session/set-active", named(elevated)), 200, "")
	assert.Equal(t, b.who(), "u1")

	// A host that wants one session only replaces it, and the others stay.
	next := w.start(w.facts("u3"))
	rec = httptest.NewRecorder()
	b.h.ReplaceSession(rec, b.request("POST", "/", ""), next)
	b.answer(rec)
	w.dead(elevated)
	assert.Equal(t, b.listed(), []string{"u3*", "u2"})
	assert.Len(t, b.cookies(), 2)
}

func TestMultiSessionTakesOverTheSessionFromBeforeItWasOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(3)
	b := w.tab(func(c *session.HandlerConfig) { c.MultiSession = false })
	one := b.signIn("u1")
	assert.Len(t, b.cookies(), 0)
	want(t, b.call("GET", "/multi-session/list-device-sessions", ""), 404, "")
	want(t, b.call("POST", "/multi-session/set-active", named(one)), 404, "")
	b.h = w.tab(nil).h
	assert.Equal(t, b.listed(), []string{"u1*"})
	b.signIn("u2")
	assert.Equal(t, b.listed(), []string{"u2*", "u1"})
	b.h = w.tab(func(c *session.HandlerConfig) { c.MultiSession = false }).h
	b.signIn("u3")
	assert.Equal(t, b.who(), "u3")
	b.h = w.tab(nil).h
	want(t, b.call("POST", "/multi-session/set-active", named(one)), 200, "")
	assert.Equal(t, b.listed(), []string{"u1*", "u3"})
}

func TestMultiSessionDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(2)
	b := w.tab(nil)
	one := b.signIn("u1")
	b.signIn("u2")
	w.fake.SetDown(true)
	for _, res := range []*http.Response{
		b.call("GET", "/multi-session/list-device-sessions", ""),
		b.call("POST", "/multi-session/set-active", named(one)),
		b.call("POST", "/multi-session/revoke", named(one)),
	} {
		want(t, res, 503, "")
		assert.Len(t, res.Cookies(), 0)
	}
	w.fake.SetDown(false)
	assert.Equal(t, b.listed(), []string{"u2*", "u1"})
}

func TestMultiSessionLooksUpNoMoreThanItMayHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := w.tab(nil)
	r := b.request("GET", "/multi-session/list-device-sessions", "")
	for range 100 {
		r.AddCookie(&http.Cookie{Name: multiCookie + uuid.Must(uuid.NewV7()).String(), Value: w.start(w.facts("u1")).Token.Reveal()})
		r.AddCookie(&http.Cookie{Name: multiCookie + "x", Value: "junk"})
	}
	before := w.store.finds.Load()
	b.h.ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, w.store.finds.Load()-before, 6)
}

func TestMultiSessionIsValidated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for n, ok := range map[int]bool{-1: false, 0: true, 1: false, 2: true, 20: true, 21: false} {
		_, err := session.NewHandler(w.svc, session.HandlerConfig{BaseURL: "https://app.example.com", MultiSession: true, MaxPerBrowser: n})
		assert.Equal(t, err == nil, ok)
	}
}

// What somebody planted before the sign-in is no session afterwards.
func TestCVE2024_28197_APresetCookieIsNotTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.users(2)
	preset := w.start(w.facts("u2")).Token.Reveal() // the attacker's own session
	for _, multi := range []bool{false, true} {
		b := w.tab(func(c *session.HandlerConfig) { c.MultiSession = multi })
		b.jar.SetCookies(b.site, []*http.Cookie{{Name: hostCookie, Value: preset, Secure: true, Path: "/"}})
		grant := b.signIn("u1")
		assert.Equal(t, b.who(), "u1")
		assert.NotEqual(t, grant.Token.Reveal(), preset)
		both := b.request("GET", "/get-session", "")
		both.Header.Add("Cookie", hostCookie+"="+preset)
		rec := httptest.NewRecorder()
		b.h.ServeHTTP(rec, both)
		assert.Equal(t, rec.Body.String(), "null\n")
	}
}
