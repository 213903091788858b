package session_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
	"github.com/tenon-go/tenon/token"
)

func TestASVS7_3_1_IdleSessionsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	used, unused := w.start(w.facts("u1")), w.start(w.facts("u1"))
	w.clock.advance(6 * 24 * time.Hour)
	w.live(used)
	w.clock.advance(24*time.Hour - time.Microsecond)
	w.live(unused)
	left := w.start(w.facts("u1"))
	w.clock.advance(7*24*time.Hour - time.Microsecond)
	w.live(left)
	w.dead(used)
	w.clock.advance(7 * 24 * time.Hour)
	w.dead(left)
}

func TestASVS7_3_2_NoActivityPassesTheAbsoluteEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	for range 29 {
		w.clock.advance(24 * time.Hour)
		identity := w.live(grant)
		assert.False(t, identity.Session.IdleEndsAt.After(grant.Session.EndsAt), "the idle end stays before the end")
		assert.Equal(t, identity.Session.EndsAt, grant.Session.EndsAt)
	}
	w.clock.advance(24*time.Hour - time.Microsecond)
	w.live(grant)
	w.clock.advance(time.Microsecond)
	w.dead(grant)
}

func TestUseIsRecordedOnceAMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	for range 180 {
		w.clock.advance(time.Second)
		w.live(grant)
	}
	assert.Equal(t, w.store.touches.Load(), 3)
	assert.Equal(t, w.live(grant).Session.LastSeenAt, w.clock.Now().Truncate(time.Microsecond))
}

func TestLookupSurvivesAFailedRecordOfUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	w.clock.advance(time.Hour)
	w.store.touchErr = errors.New("disk full")
	identity := w.live(grant)
	assert.Equal(t, identity.Session.LastSeenAt, grant.Session.LastSeenAt)
	assert.Contains(t, w.log.String(), "disk full")
	assert.NotContains(t, w.log.String(), grant.Token.Reveal())
}

func TestEveryAlteredTokenIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	raw := grant.Token.Reveal()
	w.live(grant)
	before := w.store.finds.Load()
	for i := range len(raw) {
		for _, c := range []byte("0aZ_ \x00\xff") {
			if c != raw[i] {
				w.refuse(raw[:i] + string([]byte{c}) + raw[i+1:])
			}
		}
		w.refuse(raw[:i])
		w.refuse(raw[i+1:])
	}
	for _, extra := range []string{"0", "=", " ", "\n", "\x00", "; x=y", raw} {
		w.refuse(raw + extra)
		w.refuse(extra + raw)
	}
	assert.Equal(t, w.store.finds.Load(), before) // the checksum caught them all
}

func (w *world) refuse(raw string) {
	w.t.Helper()
	identity, err := w.svc.Lookup(w.t.Context(), raw)
	if !errors.Is(err, session.ErrNoSession) || identity != nil {
		w.t.Errorf("Lookup(%q) = %v, %v", raw, identity, err)
	}
}

func TestForgedSecretsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant, other := w.start(w.facts("u1")), w.start(w.facts("u1"))
	// The selector of one with the secret of another, and a checksum that fits.
	a, b := grant.Token.Reveal(), other.Token.Reveal()
	forged := withChecksum(a[:24] + b[24:56])
	assert.True(t, forged[:24] == a[:24], "the selector is real")
	_, err := token.Parse(session.Kind, forged)
	assert.NoError(t, err)
	w.refuse(forged)
	for _, kind := range []token.Kind{token.KindVerify, token.KindAPIKey} {
		w.refuse(withChecksum(token.Brand + "_" + string(kind) + a[7:56]))
	}
}

func TestFailuresAreOneError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	texts := map[string]bool{}
	try := func(raw string) {
		_, err := w.svc.Lookup(t.Context(), raw)
		texts[fmt.Sprintf("%T %v", err, err)] = true
	}
	try("")
	try("junk")
	raw := grant.Token.Reveal()
	try(withChecksum(raw[:30] + "00000" + raw[35:56]))
	w.user("u1", func(u *sessiontest.UserState) { u.Banned = true })
	try(raw)
	w.user("u1", nil)
	w.clock.advance(31 * 24 * time.Hour)
	try(raw)
	assert.Equal(t, len(texts), 1)
}

func TestR1_ANewSecurityVersionEndsEverySession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	w.user("u1", func(u *sessiontest.UserState) { u.SecurityVersion = 2 })
	w.dead(grant)
	w.user("u1", func(u *sessiontest.UserState) { u.Banned = true })
	w.dead(grant)
	w.user("u1", func(u *sessiontest.UserState) { u.Gone = true })
	w.dead(grant)
}

func TestPromise12_AnOutageIsNotASignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	for name, outage := range map[string]func(bool){"database": w.fake.SetDown, "keys": w.keys.down.Store} {
		outage(true)
		identity, err := w.lookup(grant)
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, session.ErrNoSession) || identity != nil {
			t.Errorf("%s down: %v, %v", name, identity, err)
		}
		w.refuse("junk")
		outage(false)
		w.live(grant)
	}
}

func TestR18_TheRoleIsReadWithEveryLookup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	facts := w.facts("u1")
	facts.OrganizationID = "o1"
	grant := w.start(facts)
	for _, role := range []string{"member", "admin", "", "owner"} {
		assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", role))
		got := w.live(grant).Principal()
		assert.Equal(t, got.Role, role)
		assert.Equal(t, got.OrganizationID != "", role != "")
	}
}

func TestR11_AssuranceOfEveryPairOfChannels(t *testing.T) {
	t.Parallel()
	second := map[string]bool{"totp": true, "recovery": true, "passkey:a": true, "passkey:b": true}
	all := []string{"password", "mailbox", "provider:acme", "provider:other", "totp", "recovery", "passkey:a", "passkey:b"}
	for _, a := range all {
		assert.Equal(t, session.Session{Channels: []string{a}}.Assurance(), 1)
		for _, b := range all {
			want := 1
			if a != b && second[b] {
				want = 2
			}
			if got := (session.Session{Channels: []string{a, b}}).Assurance(); got != want {
				t.Errorf("%s then %s: assurance %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestR15_AnAccessTokensSessionIsReadFromItsRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	facts := w.facts("u1")
	facts.OrganizationID, facts.Bearer = "o1", true
	grant := w.start(facts)
	find := func(id string, epoch int64) (*session.Identity, error) {
		return w.svc.LookupSession(t.Context(), id, epoch)
	}
	refused := func(id string, epoch int64) {
		t.Helper()
		identity, err := find(id, epoch)
		assert.True(t, identity == nil, "no identity")
		assert.ErrorIs(t, err, session.ErrNoSession)
	}
	assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", "admin"))
	assert.Equal(t, assert.Must(find(grant.Session.ID, 1))(t).Principal().Role, "admin")
	assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", ""))
	assert.Equal(t, assert.Must(find(grant.Session.ID, 1))(t).Principal().OrganizationID, "")
	refused(grant.Session.ID, 0)
	refused(grant.Session.ID, 2)
	refused("", 1)
	refused(grant.Pair.Refresh.Reveal(), 1)
	refused(w.start(w.facts("u1")).Session.ID, 1)

	w.fake.SetDown(true)
	_, err := find(grant.Session.ID, 1)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	w.fake.SetDown(false)
	w.user("u1", func(u *sessiontest.UserState) { u.SecurityVersion = 2 })
	refused(grant.Session.ID, 1)
	refused(grant.Session.ID, 2)
	w.user("u1", nil)
	assert.NoError(t, w.svc.Revoke(t.Context(), "u1", grant.Session.ID))
	refused(grant.Session.ID, 1)
	idle := w.start(facts)
	w.clock.advance(30 * 24 * time.Hour)
	refused(idle.Session.ID, 1)
}

func TestTouchRecordsTheUseOfARememberedSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	known := w.live(grant)
	assert.True(t, w.svc.Touch(t.Context(), known) == known, "seen less than a minute ago")
	w.clock.advance(time.Minute)
	before := *known
	used := w.svc.Touch(t.Context(), known)
	assert.Equal(t, used.Session.LastSeenAt, w.clock.Now().Truncate(time.Microsecond))
	assert.Equal(t, *known, before)
	first, second := used.Principal(), used.Principal()
	assert.True(t, first == second, "the principal is made once")
	assert.Equal(t, w.live(grant).Session.LastSeenAt, used.Session.LastSeenAt)
}
