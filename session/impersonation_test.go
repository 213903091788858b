package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// impersonated is a world in which root acts as u1.
func impersonated(t *testing.T) (w *world, own, acting session.Grant) {
	t.Helper()
	w = newWorld(t, nil)
	w.user("root", func(u *sessiontest.UserState) { u.Superuser = true })
	own = w.start(w.facts("root"))
	facts := w.facts("u1")
	facts.ActorID, facts.ActorSessionID, facts.Channels = "root", own.Session.ID, []string{"impersonation"}
	return w, own, w.start(facts)
}

func TestR22_AnImpersonatedSessionIsShortNeverFreshAndNoSuperusers(t *testing.T) {
	t.Parallel()
	w, _, acting := impersonated(t)
	w.user("u1", func(u *sessiontest.UserState) { u.Superuser = true }) // promoted meanwhile
	p := w.live(acting).Principal()
	assert.Equal(t, []any{p.UserID, p.ImpersonatorID, p.Superuser, len(p.FreshChannels)}, []any{"u1", "root", false, 0})
	assert.False(t, session.Fresh(p, w.clock.Now(), 1000*time.Hour), "nobody proved to be the user")
	assert.Equal(t, acting.Session.EndsAt, acting.Session.CreatedAt.Add(time.Hour))
	for range 2 { // use does not prolong it
		w.clock.advance(29 * time.Minute)
		w.live(acting)
	}
	w.clock.advance(2 * time.Minute)
	w.dead(acting)
}

func TestR22_AnImpersonatedSessionEndsWithItsActor(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, own session.Grant){
		"signs out":      func(w *world, own session.Grant) { assert.NoError(t, w.svc.SignOut(t.Context(), own.Token.Reveal())) },
		"everywhere":     func(w *world, _ session.Grant) { assert.Must(w.svc.RevokeAll(t.Context(), "root"))(t) },
		"loses the role": func(w *world, _ session.Grant) { w.user("root", nil) },
		"is banned": func(w *world, _ session.Grant) {
			w.user("root", func(u *sessiontest.UserState) { u.Superuser, u.Banned = true, true })
		},
		"changes something": func(w *world, _ session.Grant) {
			w.user("root", func(u *sessiontest.UserState) { u.Superuser, u.SecurityVersion = true, 2 })
		},
		"idles": func(w *world, _ session.Grant) { w.clock.advance(59 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, own, acting := impersonated(t)
			if name == "idles" {
				w = newWorld(t, func(c *session.Config) { c.Idle = 30 * time.Minute })
				w.user("root", func(u *sessiontest.UserState) { u.Superuser = true })
				own = w.start(w.facts("root"))
				w.clock.advance(25 * time.Minute)
				facts := w.facts("u1")
				facts.ActorID, facts.ActorSessionID = "root", own.Session.ID
				acting = w.start(facts)
				w.live(acting)
				w.clock.advance(6 * time.Minute)
				w.dead(acting)
				return
			}
			w.live(acting)
			end(w, own)
			w.dead(acting)
		})
	}
}

func TestR22_WhatCannotBeImpersonated(t *testing.T) {
	t.Parallel()
	w, own, acting := impersonated(t)
	for name, change := range map[string]func(*door.Facts){
		"oneself":           func(f *door.Facts) { f.ActorID, f.ActorSessionID = "u1", own.Session.ID },
		"by a bearer":       func(f *door.Facts) { f.ActorID, f.ActorSessionID, f.Bearer = "root", own.Session.ID, true },
		"without a session": func(f *door.Facts) { f.ActorID = "root" },
		"without an actor":  func(f *door.Facts) { f.ActorSessionID = own.Session.ID },
	} {
		facts := w.facts("u1")
		change(&facts)
		if _, err := w.tryStart(door.NewPass(facts)); err == nil {
			t.Errorf("%s: a session was started", name)
		}
	}
	// Somebody who is impersonated impersonates nobody, and another's session does not serve.
	w.user("u2", func(u *sessiontest.UserState) { u.Superuser = true })
	for _, c := range [][2]string{{"u1", acting.Session.ID}, {"u2", own.Session.ID}} {
		facts := w.facts("u3")
		w.user("u3", nil)
		facts.ActorID, facts.ActorSessionID = c[0], c[1]
		w.dead(w.start(facts))
	}
}

func TestR22_ActingAndGoingOnAsOneself(t *testing.T) {
	t.Parallel()
	w, own, acting := impersonated(t)
	h := w.handler("https://example.com")
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/admin/impersonate-user", http.NoBody)
	r.Header.Set("Cookie", hostCookie+"="+own.Token.Reveal())
	h.Impersonate(rec, r, acting)
	cookies := map[string]string{}
	for _, c := range rec.Result().Cookies() {
		cookies[c.Name] = c.Value
	}
	assert.Equal(t, cookies, map[string]string{hostCookie: acting.Token.Reveal(), "__Host-tenon_actor": own.Token.Reveal()})
	assert.Contains(t, rec.Body.String(), `"impersonatedBy":"root"`)
	both := func(r *http.Request) { r.Header.Add("Cookie", "__Host-tenon_actor="+own.Token.Reveal()) }
	want(t, call(t, h, http.MethodPost, "/revoke-sessions", "{}", acting.Token.Reveal(), both), http.StatusForbidden, "")
	want(t, call(t, h, http.MethodPost, "/admin/stop-impersonating", "{}", own.Token.Reveal(), both), http.StatusBadRequest, "")
	w.live(acting)
	res := call(t, h, http.MethodPost, "/admin/stop-impersonating", "{}", acting.Token.Reveal(), both)
	assert.Equal(t, res.StatusCode, http.StatusOK)
	assert.Contains(t, bodyOf(t, res), `"id":"root"`)
	w.dead(acting)
	w.live(own)
	for _, c := range res.Cookies() {
		assert.True(t, c.Name == hostCookie && c.Value == own.Token.Reveal() || c.Name == "__Host-tenon_actor" && c.MaxAge < 0, c.String())
	}
}

func TestSigningOutWhileActingSignsBothOut(t *testing.T) {
	t.Parallel()
	w, own, acting := impersonated(t)
	h := w.handler("https://example.com")
	both := func(r *http.Request) { r.Header.Add("Cookie", "__Host-tenon_actor="+own.Token.Reveal()) }
	assert.Equal(t, call(t, h, http.MethodPost, "/sign-out", "{}", acting.Token.Reveal(), both).StatusCode, http.StatusOK)
	w.dead(acting)
	w.dead(own)
}

// A stranger's cookie does not become the session of who stops.
func TestStoppingGoesOnInTheActorsOwnSessionOnly(t *testing.T) {
	t.Parallel()
	w, _, acting := impersonated(t)
	w.user("u2", nil)
	other := w.start(w.facts("u2"))
	h := w.handler("https://example.com")
	res := call(t, h, http.MethodPost, "/admin/stop-impersonating", "{}", acting.Token.Reveal(),
		func(r *http.Request) { r.Header.Add("Cookie", "__Host-tenon_actor="+other.Token.Reveal()) })
	assert.Equal(t, res.StatusCode, http.StatusUnauthorized)
	for _, c := range res.Cookies() {
		assert.True(t, c.MaxAge < 0, "the cookie is cleared: "+c.String())
	}
	w.dead(acting)
}

func TestSuperusersManageOtherPeoplesSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("root", func(u *sessiontest.UserState) { u.Superuser = true })
	root, ada := w.start(w.facts("root")), w.start(w.facts("u1"))
	second := w.start(w.facts("u1"))
	h := w.handler("https://example.com")
	post := func(path, body string, by session.Grant) *http.Response {
		return call(t, h, http.MethodPost, "/admin/"+path, body, by.Token.Reveal())
	}
	for _, path := range []string{"list-user-sessions", "revoke-user-session", "revoke-user-sessions"} {
		assert.Equal(t, post(path, `{"userId":"u1"}`, ada).StatusCode, http.StatusForbidden)
	}
	list := bodyOf(t, post("list-user-sessions", `{"userId":"u1"}`, root))
	assert.Equal(t, strings.Count(list, `"userId":"u1"`), 2)
	assert.False(t, strings.Contains(list, ada.Token.Reveal()), "no secret is listed")
	want(t, post("revoke-user-session", `{"sessionToken":"`+ada.Session.ID+`"}`, root), http.StatusOK, `{"success":true}`)
	w.dead(ada)
	w.live(second)
	for _, id := range []string{ada.Session.ID, "x", "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"} {
		assert.Equal(t, post("revoke-user-session", `{"sessionToken":"`+id+`"}`, root).StatusCode, http.StatusNotFound)
	}
	want(t, post("revoke-user-sessions", `{"userId":"u1"}`, root), http.StatusOK, `{"success":true}`)
	w.dead(second)
}
