package auditbun_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/internal/cursor"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/token"
)

func TestPromise1_AnEntryCommitsWithItsChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), "CREATE TABLE projects (id text)")
		assert.NoError(t, err)
		n := 0
		bundbtest.RequireAtomic(t, w.db, func(ctx context.Context) error {
			n++
			return w.db.InTx(ctx, func(ctx context.Context) error {
				if _, err := w.db.Statement("INSERT INTO projects (id) VALUES (?)").Exec(ctx, fmt.Sprint(n)); err != nil {
					return err
				}
				return w.Record(ctx, entry("org"))
			})
		})
		w.drain(t)
		w.valid(t, "org", 1)
	})
}

func TestPromise1_AnErasureIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 3)
		bundbtest.RequireAtomic(t, w.db, func(ctx context.Context) error {
			_, err := w.Erase(ctx, "ada")
			return err
		})
	})
}

// A failure stays although its cause is rolled back, and does not wait for the
// transaction that waits for it.
func TestAFailureIsRecordedApart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		stop := errors.New("stop")
		err := w.db.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, w.Record(ctx, entry("org")))
			statements := bundbtest.FaultsOf(w.db).Count(func() {
				assert.ErrorIs(t, w.RecordFailure(ctx, entry("org")), audit.ErrInTransaction)
			})
			assert.Equal(t, statements, 0)
			return stop
		})
		assert.ErrorIs(t, err, stop)
		assert.NoError(t, w.RecordFailure(t.Context(), entry("org")))
		page, err := w.List(t.Context(), audit.Query{OrganizationID: "org"}, 0, "")
		assert.NoError(t, err)
		assert.Len(t, page.Items, 1)
		assert.Equal(t, page.Items[0].Outcome, audit.Failure)
	})
}

func TestAnEntryIsReadAsItWasRecorded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := principal.NewContext(t.Context(), &principal.Principal{UserID: "ada", SessionID: "s", ImpersonatorID: "root"})
		ctx = client.NewContext(ctx, client.Info{IP: netip.MustParseAddr("2001:db8::1"), UserAgent: "agent"})
		e := entry("org")
		e.Actor, e.Before, e.After["secret"] = audit.Actor{}, map[string]any{"role": "member"}, token.NewSecret("tnn_secret")
		assert.NoError(t, w.Record(ctx, e))
		e.Actor = audit.Actor{UserID: "bob", SessionID: "his"}
		e.IP, e.UserAgent = netip.MustParseAddr("192.0.2.7"), "other"
		assert.NoError(t, w.Record(ctx, e))
		page, err := w.List(ctx, audit.Query{OrganizationID: "org"}, 0, "")
		assert.NoError(t, err)
		other, own := page.Items[0], page.Items[1]
		assert.Equal(t, own.Actor, audit.Actor{UserID: "ada", SessionID: "s", ImpersonatorID: "root"})
		assert.Equal(t, own.IP.String()+own.UserAgent, "2001:db8::1agent")
		assert.Equal(t, fmt.Sprint(own.Before, own.After), "map[role:member] map[n:12345678901234567 role:admin secret:[redacted]]")
		assert.Equal(t, other.Actor, audit.Actor{UserID: "bob", SessionID: "his"})
		assert.Equal(t, other.IP.String()+other.UserAgent, "192.0.2.7other")
		assert.True(t, own.At.Equal(w.clock.Now()) && own.Seq == 0 && !own.Damaged && !own.Erased, "and is new")
	})
}

func TestWhatIsStoredInClearIsJudged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for name, change := range map[string]func(e *audit.Entry){
			"no action":  func(e *audit.Entry) { e.Action = "" },
			"outcome":    func(e *audit.Entry) { e.Outcome = "maybe" },
			"NUL":        func(e *audit.Entry) { e.Target.ID = "a\x00b" },
			"no UTF-8":   func(e *audit.Entry) { e.Actor.UserID = "\xff" },
			"long":       func(e *audit.Entry) { e.Target.Type = strings.Repeat("a", 257) },
			"huge":       func(e *audit.Entry) { e.After = map[string]any{"a": strings.Repeat("a", 65<<10)} },
			"not fields": func(e *audit.Entry) { e.Before = map[string]any{"a": func() {}} },
		} {
			e := entry("org")
			change(&e)
			if err := w.Record(t.Context(), e); !errors.Is(err, audit.ErrInvalidEntry) {
				t.Errorf("%s: %v", name, err)
			}
		}
		e := entry("org")
		e.UserAgent = "\x00\xff" + strings.Repeat("a", 9000)
		e.After = map[string]any{"\x00": "\xff\x00"}
		assert.NoError(t, w.Record(t.Context(), e))
		w.drain(t)
		w.valid(t, "org", 1)
	})
}

// What is personal goes, and the chain stays whole. What is left does not help those
// who try what it could have been.
func TestR30_AnErasureKeepsTheChain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := client.NewContext(t.Context(), client.Info{IP: netip.MustParseAddr("192.0.2.9"), UserAgent: "agent"})
		for _, actor := range []string{"ada", "ada", "bob"} {
			e := entry("org")
			e.Actor.UserID = actor
			assert.NoError(t, w.Record(ctx, e))
		}
		w.drain(t)
		hash := func() []byte {
			rows, err := w.store.Linked(t.Context(), "org", 0, 10)
			assert.NoError(t, err)
			assert.NotEqual(t, string(rows[0].PersonalHash), string(rows[1].PersonalHash)) // equal entries
			return rows[0].PersonalHash
		}
		before := hash()
		n, err := w.Erase(ctx, "ada")
		assert.NoError(t, err)
		assert.Equal(t, n, 2)
		assert.Equal(t, string(hash()), string(before))
		w.drain(t)
		report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org"})
		assert.NoError(t, err)
		assert.True(t, report.Valid && report.Erased == 2 && report.Checked == 3, "whole, two erased")
		page, err := w.List(t.Context(), audit.Query{OrganizationID: "org"}, 0, "")
		assert.NoError(t, err)
		for _, r := range page.Items {
			erased := r.Actor.UserID == "ada"
			assert.False(t, r.Damaged, "it is what was recorded")
			assert.True(t, r.Erased == erased && r.IP.IsValid() != erased && (r.After == nil) == erased && r.Action == "authz_change", "only what is personal is gone")
		}
		self, err := w.List(t.Context(), audit.Query{Event: "PersonalDataErased"}, 0, "")
		assert.NoError(t, err)
		assert.Len(t, self.Items, 1)
		assert.True(t, !self.Items[0].IP.IsValid() && self.Items[0].Target.ID == "ada", "the erasure says whose, and not from where")
		for _, nobody := range []string{"", "eve"} {
			n, err := w.Erase(ctx, nobody)
			assert.NoError(t, err)
			assert.Equal(t, n, 0)
		}
	})
}

const month = 30 * 24 * time.Hour

func TestR30_RetentionLeavesASignedCheckpoint(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		keeping := w.service(t, w.store, func(c *audit.Config) { c.Retention = month })
		w.record(t, "org", 600)
		w.record(t, "idle", 2)
		w.drain(t)
		w.clock.Advance(month - time.Hour)
		w.record(t, "org", 10)
		w.drain(t)
		assert.NoError(t, keeping.Maintain(t.Context()))
		w.valid(t, "org", 610)
		w.clock.Advance(2 * time.Hour)
		assert.NoError(t, w.Maintain(t.Context())) // without a retention nothing goes
		w.valid(t, "org", 610)
		assert.NoError(t, keeping.Maintain(t.Context()))
		report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org"})
		assert.NoError(t, err)
		assert.True(t, report.Valid && report.Base.Count == 600 && report.Checked == 10, "ten are left")
		report, err = w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "idle"})
		assert.NoError(t, err)
		assert.True(t, report.Valid && report.Base.Count == 2 && report.Checked == 0, "none is left")
		w.record(t, "org", 5)
		w.record(t, "idle", 5)
		w.drain(t)
		w.valid(t, "org", 615)
		w.valid(t, "idle", 7)
		w.attack(t, func(ctx context.Context) {
			assert.Equal(t, w.findings(ctx, t, "org"), []audit.Finding{one(audit.Removed, 601)})
		}, cut("= 601"))
		w.attack(t, func(ctx context.Context) {
			assert.Equal(t, w.findings(ctx, t, "org")[0].Kind, audit.CheckpointForged)
		}, cut("<= 605"), "UPDATE tenon_audit_chains SET base_count = 605 WHERE organization_id = 'org'")
		w.attack(t, func(ctx context.Context) { // a checkpoint that was true once
			assert.Equal(t, w.findings(ctx, t, "idle")[0].Kind, audit.CheckpointForged)
		}, "UPDATE tenon_audit_chains SET base_count = 0 WHERE organization_id = 'idle'")
	})
}

// What was tampered with is not pruned: it would be gone with its traces.
func TestR30_RetentionDestroysNoEvidence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		keeping := w.service(t, w.store, func(c *audit.Config) { c.Retention = month })
		w.record(t, "org", 20)
		w.record(t, "other", 20)
		w.drain(t)
		w.exec(t.Context(), t, cut("= 7"), at("actor_id = 'eve'", 9))
		w.clock.Advance(2 * month)
		assert.NoError(t, keeping.Maintain(t.Context()))
		assert.Equal(t, w.findings(t.Context(), t, "org"), []audit.Finding{one(audit.Removed, 7), one(audit.Changed, 9)})
		assert.Contains(t, w.logs.String(), "not pruned")
		report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "other"})
		assert.NoError(t, err)
		assert.Equal(t, report.Base.Count, 20)
	})
}

func TestPromise1_PruningIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		keeping := w.service(t, w.store, func(c *audit.Config) { c.Retention = month })
		w.record(t, "org", 20)
		w.drain(t)
		w.clock.Advance(2 * month)
		_, err := keeping.Roster(t.Context()) // the keys are in the cache now
		assert.NoError(t, err)
		bundbtest.RequireAtomic(t, w.db, keeping.Maintain)
		w.valid(t, "org", 20)
	})
}

func TestListsGoFromPageToPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 25)
		from := w.clock.Now()
		w.record(t, "other", 3)
		w.clock.Advance(time.Hour)
		until := w.clock.Now()
		w.record(t, "org", 5)
		q := audit.Query{OrganizationID: "org"}
		var times []time.Time
		for after, pages := "", 0; pages == 0 || after != ""; pages++ {
			page, err := w.List(t.Context(), q, 7, after)
			assert.NoError(t, err)
			for _, r := range page.Items {
				times = append(times, r.At)
			}
			after = page.Next
		}
		assert.Len(t, times, 30)
		for i := 1; i < len(times); i++ {
			assert.True(t, times[i].Before(times[i-1]), "the newest first")
		}
		count := func(q audit.Query) int {
			n, err := w.Export(t.Context(), q, func(audit.Record) error { return nil })
			assert.NoError(t, err)
			return int(n)
		}
		assert.Equal(t, count(audit.Query{All: true, Until: until}), 28)
		assert.Equal(t, count(audit.Query{All: true, From: until}), 5)
		assert.Equal(t, count(audit.Query{OrganizationID: "org", From: from, Until: from.Add(time.Microsecond)}), 1)
		assert.Equal(t, count(audit.Query{All: true, ActorID: "bob"}), 0)
	})
}

// A cursor works for the query that it was made for, and nothing else.
func TestCursorsAreAuthenticated(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 5)
		w.record(t, "other", 5)
		q := audit.Query{OrganizationID: "org", Action: "authz_change"}
		page, err := w.List(t.Context(), q, 2, "")
		assert.NoError(t, err)
		for name, change := range map[string]func(q *audit.Query){
			"another's": func(q *audit.Query) { q.OrganizationID = "other" }, "all": func(q *audit.Query) { q.All = true },
			"action": func(q *audit.Query) { q.Action = "" }, "time": func(q *audit.Query) { q.From = w.clock.Now() },
			"target": func(q *audit.Query) { q.Target.ID = "x" },
		} {
			other := q
			change(&other)
			if _, err := w.List(t.Context(), other, 2, page.Next); !errors.Is(err, cursor.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		forged := []byte(page.Next)
		forged[len(forged)/2] ^= 1
		_, err = w.List(t.Context(), q, 2, string(forged))
		assert.ErrorIs(t, err, cursor.ErrInvalid)
		_, _, err = w.VerifyPage(t.Context(), 1, page.Next)
		assert.ErrorIs(t, err, cursor.ErrInvalid)
	})
}

// An export holds a page in memory, however much there is.
func TestAnExportReadsPageByPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 1203)
		reading := &widest{Store: w.store}
		svc := w.service(t, reading)
		last, n := time.Time{}, 0
		total, err := svc.Export(t.Context(), audit.Query{OrganizationID: "org"}, func(r audit.Record) error {
			assert.True(t, r.At.After(last), "the oldest first")
			last = r.At
			n++
			return nil
		})
		assert.NoError(t, err)
		assert.True(t, total == 1203 && n == 1203, "all of them")
		assert.True(t, reading.rows <= 500 && reading.calls == 3, "in three pages")
		stop := errors.New("the client is gone")
		_, err = svc.Export(t.Context(), audit.Query{All: true}, func(audit.Record) error { return stop })
		assert.ErrorIs(t, err, stop)
	})
}

// widest counts what is read at once.
type widest struct {
	audit.Store
	rows, calls int
}

func (s *widest) List(ctx context.Context, f audit.Filter) ([]audit.Row, error) {
	rows, err := s.Store.List(ctx, f)
	s.rows, s.calls = max(s.rows, len(rows)), s.calls+1
	return rows, err
}
