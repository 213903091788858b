package session_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

func TestASVS7_4_1_SignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant, other := w.start(w.facts("u1")), w.start(w.facts("u1"))
	for range 2 { // the second is a session that is gone
		assert.NoError(t, w.svc.SignOut(t.Context(), grant.Token.Reveal()))
		w.dead(grant)
	}
	assert.NoError(t, w.svc.SignOut(t.Context(), "junk"))
	assert.NoError(t, w.svc.SignOut(t.Context(), ""))
	w.live(other)
	w.fake.SetDown(true)
	assert.Error(t, w.svc.SignOut(t.Context(), other.Token.Reveal()))
	w.fake.SetDown(false)
	w.live(other)
}

func TestSignOutNeedsTheWholeToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	grant := w.start(w.facts("u1"))
	raw := grant.Token.Reveal()
	assert.NoError(t, w.svc.SignOut(t.Context(), withChecksum(raw[:24]+raw[8:40])))
	w.live(grant)
}

func TestASVS7_5_2_OwnersEndTheirOwnSessionsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u2", nil)
	mine, theirs := w.start(w.facts("u1")), w.start(w.facts("u2"))
	errs := map[string]bool{}
	for _, id := range []string{theirs.Session.ID, uuid.NewString(), "", "x", theirs.Session.ID + "\x00"} {
		err := w.svc.Revoke(t.Context(), "u1", id)
		assert.ErrorIs(t, err, session.ErrSessionNotFound)
		errs[err.Error()] = true
	}
	assert.Equal(t, len(errs), 1)
	w.live(theirs)
	assert.NoError(t, w.svc.Revoke(t.Context(), "u1", mine.Session.ID))
	w.dead(mine)
	assert.ErrorIs(t, w.svc.Revoke(t.Context(), "u1", mine.Session.ID), session.ErrSessionNotFound)
}

func TestR1_RevokeUserKeepsTheCallersSessionUnderTheNewVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	kept, other := w.start(w.facts("u1")), w.start(w.facts("u1"))
	err := w.store.InTx(t.Context(), func(ctx context.Context) error {
		version, err := w.fake.RaiseVersion(ctx, "u1")
		if err != nil {
			return err
		}
		return w.svc.RevokeUser(ctx, "u1", kept.Session.ID, version)
	})
	assert.NoError(t, err)
	assert.Equal(t, w.live(kept).Session.SecurityVersion, 2)
	w.dead(other)
	assert.ErrorIs(t, w.svc.RevokeUser(t.Context(), "u1", kept.Session.ID, 3), session.ErrNoTransaction)
	w.live(kept)
}

func TestR1_AStalledKeepDoesNotOutliveAReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	thief := w.start(w.facts("u1"))
	change := func(keep string) {
		assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
			version, err := w.fake.RaiseVersion(ctx, "u1")
			if err != nil {
				return err
			}
			return w.svc.RevokeUser(ctx, "u1", keep, version)
		}))
	}
	// The version rose without the sessions being ended yet: the thief's is dead,
	// and a change that wants to keep it cannot bring it back.
	assert.Must(w.fake.RaiseVersion(t.Context(), "u1"))(t)
	change(thief.Session.ID)
	w.dead(thief)
	change(thief.Session.ID)
	w.dead(thief)
}

func TestRevokeOthersRaisesTheVersionFirst(t *testing.T) {
	t.Parallel()
	var order []string
	w := newWorld(t, nil)
	w.svc = assert.Must(session.New(w.store, session.Config{
		Peppers: w.keys,
		Users:   recorded{w.fake, &order},
		Hooks: session.Hooks{SessionRevoked: func(context.Context, session.SessionRevoked) error {
			order = append(order, "revoked")
			return nil
		}},
	}))(t)
	kept, other := w.start(w.facts("u1")), w.start(w.facts("u1"))
	assert.Equal(t, assert.Must(w.svc.RevokeOthers(t.Context(), "u1", kept.Session.ID))(t), 1)
	assert.Equal(t, order, []string{"raised", "revoked"})
	w.live(kept)
	w.dead(other)
	// What was in flight under the old version comes too late.
	w.dead(w.start(w.facts("u1")))
	assert.Equal(t, assert.Must(w.svc.RevokeAll(t.Context(), "u1"))(t), 2)
	w.dead(kept)
}

type recorded struct {
	*sessiontest.Fake
	order *[]string
}

func (r recorded) RaiseVersion(ctx context.Context, userID string) (int64, error) {
	*r.order = append(*r.order, "raised")
	return r.Fake.RaiseVersion(ctx, userID)
}

func TestHooksRunInsideTheTransaction(t *testing.T) {
	t.Parallel()
	errVeto := errors.New("veto")
	var started, revoked []string
	veto := false
	note := session.Hooks{
		SessionStarted: func(_ context.Context, e session.SessionStarted) error {
			started = append(started, e.Session.ID)
			return nil
		},
		SessionRevoked: func(_ context.Context, e session.SessionRevoked) error {
			revoked = append(revoked, e.UserID+" "+e.SessionID)
			return nil
		},
	}
	refuse := session.Hooks{
		SessionStarted: func(context.Context, session.SessionStarted) error {
			if veto {
				return errVeto
			}
			return nil
		},
		SessionRevoked: func(context.Context, session.SessionRevoked) error {
			if veto {
				return errVeto
			}
			return nil
		},
	}
	w := newWorld(t, func(c *session.Config) { c.Hooks = session.JoinHooks(session.Hooks{}, note, refuse, session.Hooks{}) })
	grant := w.start(w.facts("u1"))
	assert.Equal(t, started, []string{grant.Session.ID})
	veto = true
	_, err := w.tryStart(door.NewPass(w.facts("u1")))
	assert.ErrorIs(t, err, errVeto)
	assert.ErrorIs(t, w.svc.Revoke(t.Context(), "u1", grant.Session.ID), errVeto)
	w.live(grant)
	assert.Len(t, assert.Must(w.svc.List(t.Context(), "u1", ""))(t), 1)
	veto = false
	assert.NoError(t, w.svc.Revoke(t.Context(), "u1", grant.Session.ID))
	assert.True(t, slices.Contains(revoked, "u1 "+grant.Session.ID), "the hook heard of it")
}

func TestListShowsDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.user("u2", nil)
	w.start(w.facts("u2"))
	old := w.start(w.facts("u1"))
	w.clock.advance(time.Minute)
	facts := w.facts("u1")
	facts.UserAgent = "curl/8.5.0"
	current := w.start(facts)
	devices := assert.Must(w.svc.List(t.Context(), "u1", current.Session.ID))(t)
	assert.Len(t, devices, 2)
	assert.Equal(t, devices[0], session.Device{Session: current.Session, Name: "curl", Current: true})
	assert.Equal(t, devices[1], session.Device{Session: old.Session, Name: "Firefox on Windows"})
}

func TestSetOrganizationIsReadBack(t *testing.T) {
	t.Parallel()
	var held []string
	gone := errors.New("gone")
	w := newWorld(t, func(c *session.Config) {
		c.Organizations = holder(func(id string) error {
			held = append(held, id)
			if id == "gone" {
				return gone
			}
			return nil
		})
	})
	grant := w.start(w.facts("u1"))
	assert.NoError(t, w.fake.PutRole(t.Context(), "o1", "u1", "member"))
	assert.NoError(t, w.svc.SetOrganization(t.Context(), "u1", grant.Session.ID, "o1"))
	assert.Equal(t, w.live(grant).Session.OrganizationID, "o1")
	assert.ErrorIs(t, w.svc.SetOrganization(t.Context(), "u1", grant.Session.ID, "gone"), gone)
	assert.ErrorIs(t, w.svc.SetOrganization(t.Context(), "u2", grant.Session.ID, "o1"), session.ErrSessionNotFound)
	assert.Equal(t, w.live(grant).Session.OrganizationID, "o1")
	assert.NoError(t, w.svc.SetOrganization(t.Context(), "u1", grant.Session.ID, ""))
	assert.Equal(t, w.live(grant).Session.OrganizationID, "")
	facts := w.facts("u1")
	facts.OrganizationID = "gone"
	_, err := w.tryStart(door.NewPass(facts))
	assert.ErrorIs(t, err, gone) // R3: no session refers to what is gone
	assert.Equal(t, held, []string{"default of u1", "o1", "gone", "o1", "gone"})
}

func TestASessionStartsInTheDefaultOrganization(t *testing.T) {
	t.Parallel()
	failure := errors.New("the first membership cannot be read")
	w := newWorld(t, func(c *session.Config) {
		c.Organizations = holder(func(id string) error {
			if id == "default of u2" {
				return failure
			}
			return nil
		})
	})
	assert.Equal(t, w.start(w.facts("u1")).Session.OrganizationID, "default")
	_, err := w.tryStart(door.NewPass(w.facts("u2")))
	assert.ErrorIs(t, err, failure)
}

type holder func(string) error

func (h holder) Hold(_ context.Context, id string) error { return h(id) }

func (h holder) HoldDefault(_ context.Context, userID string) (string, error) {
	return "default", h("default of " + userID)
}

func TestStartTrustedHoldsTheUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.svc = assert.Must(session.New(w.store, session.Config{Peppers: w.keys, Users: w.fake}))(t)
	grant := assert.Must(w.svc.StartTrusted(t.Context(), session.TrustedStart{UserID: "u1", SecurityVersion: 1}))(t)
	identity := w.live(grant)
	assert.Equal(t, identity.Session.Channels, []string{"host"})
	assert.Equal(t, identity.Principal().Assurance, 1)
	for _, user := range []string{"", "nobody"} {
		_, err := w.svc.StartTrusted(t.Context(), session.TrustedStart{UserID: user, SecurityVersion: 1})
		assert.Error(t, err)
	}
}

// GHSA-2vg6-77g8-24mp: sessions survived the deletion of their user.
func TestForgetUserEndsAndDeletes(t *testing.T) {
	t.Parallel()
	var ended []string
	w := newWorld(t, func(c *session.Config) {
		c.Hooks.SessionRevoked = func(_ context.Context, e session.SessionRevoked) error {
			ended = append(ended, e.SessionID)
			return nil
		}
	})
	w.user("u2", nil)
	first, other := w.start(w.facts("u1")), w.start(w.facts("u2"))
	assert.ErrorIs(t, w.svc.ForgetUser(t.Context(), "u1"), session.ErrNoTransaction)
	assert.NoError(t, w.fake.InTx(t.Context(), func(ctx context.Context) error { return w.svc.ForgetUser(ctx, "u1") }))
	assert.Equal(t, ended, []string{first.Session.ID})
	assert.ErrorIs(t, w.svc.Revoke(t.Context(), "u1", first.Session.ID), session.ErrSessionNotFound)
	w.live(other)
}

func TestMaintainDropsWhatEndedADayAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	batches := &pruned{Store: w.store}
	w.svc = assert.Must(session.New(batches, session.Config{Peppers: w.keys}))(t)
	live := w.start(w.facts("u1"))
	ended := w.start(w.facts("u1"))
	assert.NoError(t, w.svc.SignOut(t.Context(), ended.Token.Reveal()))
	for range 2 {
		w.clock.advance(12 * time.Hour)
		assert.NoError(t, w.svc.Maintain(t.Context()))
		assert.Len(t, assert.Must(w.svc.RecentRevocations(t.Context(), time.Time{}, 9))(t), 1)
	}
	w.clock.advance(time.Microsecond)
	assert.NoError(t, w.svc.Maintain(t.Context()))
	assert.Len(t, assert.Must(w.svc.RecentRevocations(t.Context(), time.Time{}, 9))(t), 0)
	batches.calls = 0
	assert.NoError(t, w.svc.Maintain(t.Context()))
	assert.Equal(t, batches.before, w.clock.Now().Truncate(time.Microsecond).Add(-24*time.Hour))
	w.live(live)
	batches.full = 3
	assert.NoError(t, w.svc.Maintain(t.Context()))
	assert.Equal(t, batches.calls, 1+4)
	w.fake.SetDown(true)
	assert.Error(t, w.svc.Maintain(t.Context()))
}

// pruned pretends that some batches were full.
type pruned struct {
	session.Store
	before      time.Time
	calls, full int
}

func (p *pruned) PruneSessions(ctx context.Context, before time.Time, limit int) (int, error) {
	p.before = before
	p.calls++
	if p.full > 0 {
		p.full--
		return limit, nil
	}
	return p.Store.PruneSessions(ctx, before, limit)
}
