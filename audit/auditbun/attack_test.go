package auditbun_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/internal/assert"
)

// Whoever blanks what was sealed of a row hides who did it and from where. An erasure
// is recorded, and a row without one was changed.
func TestR30_ABlankedRowIsNoErasure(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 10)
		bob := entry("org")
		bob.Actor.UserID, bob.Target = "bob", audit.Target{Type: audit.TargetUser, ID: "cyd"}
		assert.NoError(t, w.Record(t.Context(), bob))
		w.drain(t)
		blank := at("personal = NULL", 8)
		w.attack(t, func(ctx context.Context) {
			assert.Equal(t, w.findings(ctx, t, "org"), []audit.Finding{one(audit.Changed, 8)})
		}, blank)
		assert.Must(w.Erase(t.Context(), "cyd"))(t) // the eleventh
		w.drain(t)
		w.valid(t, "org", 11)
		w.attack(t, func(ctx context.Context) { // another's erasure permits nothing
			assert.Equal(t, w.findings(ctx, t, "org"), []audit.Finding{one(audit.Changed, 8)})
		}, blank)
		w.attack(t, func(ctx context.Context) { // nor does one that somebody wrote
			assert.Equal(t, w.findings(ctx, t, "org"), []audit.Finding{one(audit.Changed, 8), one(audit.Changed, 11)})
		}, blank, "UPDATE "+entries+" SET target_id = 'ada' WHERE event = 'PersonalDataErased'")
		w.attack(t, func(ctx context.Context) { // and one that is gone is missed
			assert.Equal(t, w.findings(ctx, t, "org"), []audit.Finding{one(audit.Changed, 11)})
		}, "DELETE FROM "+entries+" WHERE event = 'PersonalDataErased'")
	})
}

// Two heads of one length that were both made here are the traces of an older state
// that was put back, whichever of them is the chain's now.
func TestR30_TwoKnownHeadsOfOneLengthAreAFork(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 10)
		w.drain(t)
		w.exec(t.Context(), t, "CREATE TABLE kept AS SELECT * FROM tenon_audit_chains")
		w.record(t, "org", 5)
		w.clock.Advance(2 * time.Minute)
		w.drain(t)
		w.exec(t.Context(), t, "DELETE FROM "+entries+" WHERE seq > 10", "DELETE FROM tenon_audit_chains", "INSERT INTO tenon_audit_chains SELECT * FROM kept")
		w.record(t, "org", 5)
		w.clock.Advance(2 * time.Minute)
		w.drain(t)
		assert.Len(t, w.heads.all, 3)
		first, second := w.heads.all[1], w.heads.all[2]
		assert.Equal(t, first.Count, second.Count)
		for _, known := range [][]audit.Head{{first, second}, {second, first}} {
			assert.Equal(t, w.findings(t.Context(), t, "org", known...), []audit.Finding{one(audit.Forked, 15)})
		}
		// Retention does not prune the proof away as long as the row is the last that went.
		w.clock.Advance(2 * month)
		assert.NoError(t, w.service(t, w.store, func(c *audit.Config) { c.Retention = month }).Maintain(t.Context()))
		assert.Equal(t, w.findings(t.Context(), t, "org", first), []audit.Finding{one(audit.Forked, 15)})
	})
}

// A row that is neither waiting nor in the chain is one that somebody put aside: lists
// would show it, and nobody would miss it later.
func TestR30_ARowThatWasPutAsideIsNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 3)
		w.drain(t)
		for _, place := range []string{"0", "-1", "-9223372036854775808"} {
			w.record(t, "org", 1)
			w.attack(t, func(ctx context.Context) {
				found := w.findings(ctx, t, "org")
				if len(found) != 1 || found[0].Kind != audit.Stray {
					t.Errorf("at %s: %v", place, found)
				}
			}, "UPDATE "+entries+" SET seq = "+place+" WHERE seq IS NULL AND organization_id = 'org'")
			w.drain(t)
		}
	})
}

// The trail is sealed although somebody took the lease for a century, or a clock that
// was wrong for a moment did.
func TestR30_ALeaseThatNoSealerTakesIsNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 3)
		w.drain(t)
		w.exec(t.Context(), t, "UPDATE tenon_audit_sealer SET holder = 'eve', token = token + 1, expires_at = '2120-01-01 00:00:00+00:00'")
		w.record(t, "org", 2)
		w.drain(t)
		w.valid(t, "org", 5)
	})
}

// Heads reach the anchor whatever the database says of earlier ones.
func TestR30_AnchoringCannotBeSwitchedOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 3)
		w.drain(t)
		for i, lie := range []string{"anchored_count = 1000000", "anchored_at = '2120-01-01 00:00:00+00:00'"} {
			w.exec(t.Context(), t, "UPDATE tenon_audit_chains SET "+lie)
			w.record(t, "org", 1)
			w.clock.Advance(2 * time.Minute)
			w.drain(t)
			assert.Len(t, w.heads.all, i+2)
		}
		w.drain(t)
		assert.Len(t, w.heads.all, 3) // and not again and again
	})
}

// What was not made here is not handed out as if it were, and holds no other up.
func TestR30_AForgedHeadIsNotAnchored(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "a", 1)
		w.record(t, "b", 1)
		w.drain(t)
		w.exec(t.Context(), t, "UPDATE tenon_audit_chains SET head_count = 1000000 WHERE organization_id = 'a'")
		w.record(t, "b", 1)
		w.clock.Advance(2 * time.Minute)
		w.heads.all = nil
		w.drain(t)
		assert.Len(t, w.heads.all, 1)
		assert.Equal(t, w.heads.all[0].OrganizationID, "b")
		assert.Contains(t, w.logs.String(), "AUDIT_TAMPERED")
	})
}

// An anchor that refuses one head gets the others.
func TestR30_OneHeadThatIsRefusedHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "a", 1)
		w.record(t, "b", 1)
		refused := errors.New("not this one")
		var got []string
		svc := w.service(t, w.store, func(c *audit.Config) {
			c.Anchor = func(ctx context.Context, h audit.Head) error {
				_, bounded := ctx.Deadline()
				assert.True(t, bounded, "rows do not wait for ever for one that hangs")
				if h.OrganizationID == "a" {
					return refused
				}
				got = append(got, h.OrganizationID)
				return nil
			}
		})
		assert.ErrorIs(t, svc.Drain(t.Context()), refused)
		assert.Equal(t, got, []string{"b"})
	})
}

// What waits is counted wherever it is, also where nothing was ever sealed.
func TestR30_WhatWaitsAnywhereIsReported(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "old", 2)
		w.drain(t)
		w.record(t, "old", 1)
		w.record(t, "new", 3)
		w.clock.Advance(time.Minute)
		all, err := w.Roster(t.Context())
		assert.NoError(t, err)
		assert.True(t, all.Valid(), "nothing is wrong with what is sealed")
		assert.Equal(t, all.Tail.Count, 4)
		assert.Equal(t, all.TailAge, time.Minute+3*time.Microsecond)
	})
}

// A chain that is verified in parts has what it has as a whole, wherever the parts end.
func TestR30_PartsFindWhatTheWholeDoes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 40)
		w.drain(t)
		statements := append(swap(11, 31), cut("= 6"), at("outcome = 'failure'", 9), cut("BETWEEN 15 AND 17"),
			at("prev = "+w.forged()+", link = "+w.forged(), 20), cut("> 38"))
		w.attackAll(t, func(ctx context.Context) {
			whole := w.findings(ctx, t, "org")
			assert.Len(t, whole, 7)
			for limit := int64(1); limit < 9; limit++ {
				var parts []audit.Finding
				p := audit.VerifyParams{OrganizationID: "org", Limit: limit}
				for range 100 {
					report := assert.Must(w.Verify(ctx, p))(t)
					assert.True(t, report.Checked <= limit, "it is a part")
					for _, f := range report.Findings {
						f.ID = ""
						parts = append(parts, f)
					}
					if p.From = report.Next; p.From.Seq == 0 {
						break
					}
				}
				if !equal(parts, whole) {
					t.Errorf("%d rows at a time: %+v, want %+v", limit, parts, whole)
				}
			}
		}, statements...)
	})
}
