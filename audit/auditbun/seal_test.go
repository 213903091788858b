package auditbun_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/internal/assert"
)

// Sixty-four writers and two sealers, all at once: no fork, no gap.
func TestR30_SixtyFourWritersMakeNoFork(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const writers, each = 64, 12
		organizations := []string{"a", "b", "c", ""}
		done := make(chan struct{})
		var writing, sealing sync.WaitGroup
		for range 2 {
			other := w.service(t, auditbun.New(bundbtest.Reopen(t, w.db)))
			sealing.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						if err := other.Drain(bundbtest.Flow(t.Context())); err != nil {
							t.Errorf("drain: %v", err)
							return
						}
					}
				}
			})
		}
		for i := range writers {
			writing.Go(func() {
				for range each {
					if err := w.Record(bundbtest.Flow(t.Context()), entry(organizations[i%len(organizations)])); err != nil {
						t.Errorf("record: %v", err)
					}
				}
			})
		}
		writing.Wait()
		close(done)
		sealing.Wait()
		w.drain(t)
		for _, o := range organizations {
			w.valid(t, o, writers*each/int64(len(organizations)))
		}
		all, err := w.Roster(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, all, audit.Summary{Chains: 4})
	})
}

// A transaction that stays open holds nobody up, and its row is linked when it is
// there. SQLite has one writer, so there is nothing to show.
func TestR30_AnOpenTransactionDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.Postgres(t, cryptobun.Schema(), auditbun.Schema()))
	opened, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- w.db.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			e := entry("org")
			e.Event = "Slow"
			if err := w.Record(ctx, e); err != nil {
				return err
			}
			close(opened)
			<-end
			return nil
		})
	}()
	<-opened
	for range 5 {
		w.clock.Advance(time.Second)
		w.record(t, "org", 2)
		w.drain(t)
		report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org"})
		assert.NoError(t, err)
		assert.True(t, report.Valid && report.Tail.Count == 0, "nothing that is committed waits")
	}
	w.valid(t, "org", 10)
	close(end)
	assert.NoError(t, <-ended)
	w.drain(t)
	w.valid(t, "org", 11)
	page, err := w.List(t.Context(), audit.Query{OrganizationID: "org", Event: "Slow"}, 1, "")
	assert.NoError(t, err)
	assert.Equal(t, page.Items[0].Seq, 11)
}

// paused is a store whose process stops right after it got the lease.
type paused struct {
	*auditbun.Store
	got, resume chan struct{}
}

func (p paused) Acquire(ctx context.Context, holder string, now, until time.Time) (audit.Lease, error) {
	lease, err := p.Store.Acquire(ctx, holder, now, until)
	if err == nil {
		close(p.got)
		<-p.resume
	}
	return lease, err
}

// A sealer pauses with the lease in its hand for longer than it lasts; another one
// takes over. The first wakes up and must write nothing.
func TestR30_AnExpiredSealerWritesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 20)
		p := paused{auditbun.New(bundbtest.Reopen(t, w.db)), make(chan struct{}), make(chan struct{})}
		late := w.service(t, p)
		done := make(chan error)
		go func() { done <- late.Drain(bundbtest.Flow(t.Context())) }()
		<-p.got
		w.drain(t) // the lease lasts: nothing happens
		_, err := w.store.Chain(t.Context(), "org")
		assert.ErrorIs(t, err, audit.ErrNoChain)
		w.clock.Advance(time.Minute)
		w.drain(t)
		w.valid(t, "org", 20)
		w.record(t, "org", 5)
		before := bundbtest.Dump(t, w.db)
		close(p.resume)
		assert.NoError(t, <-done)
		assert.Equal(t, string(bundbtest.Dump(t, w.db)), string(before))
		w.drain(t)
		w.valid(t, "org", 25)
	})
}

// Whatever statement fails, what is sealed is whole, and the next sealer goes on.
func TestR30_ASealerThatFailsAnywhereLeavesAWholeChain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var n int64
		failed := true
		for k := 1; failed; k++ {
			w.record(t, "a", 2)
			w.record(t, "b", 2)
			n += 2
			w.clock.Advance(2 * time.Minute)
			faults := bundbtest.FaultsOf(w.db)
			faults.FailAt(k)
			failed = w.Drain(bundbtest.Flow(t.Context())) != nil
			faults.Disarm()
			for _, o := range []string{"a", "b"} {
				assert.Len(t, w.findings(t.Context(), t, o), 0)
			}
			assert.True(t, k < 60, "it ends")
		}
		w.clock.Advance(time.Minute)
		w.drain(t)
		w.valid(t, "a", n)
		w.valid(t, "b", n)
	})
}

// A chain that was tampered with is not continued, which would sign what is forged,
// and holds no other up.
func TestR30_AForgedHeadIsNotContinued(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "a", 10)
		w.record(t, "b", 10)
		w.drain(t)
		w.exec(t.Context(), t, "DELETE FROM "+entries+" WHERE organization_id = 'a' AND seq > 5",
			"UPDATE tenon_audit_chains SET head_count = 5 WHERE organization_id = 'a'")
		w.record(t, "a", 300)
		w.record(t, "b", 3)
		w.drain(t)
		w.valid(t, "b", 13)
		found := w.findings(t.Context(), t, "a")
		assert.Equal(t, found[0], one(audit.HeadForged, 5))
		assert.Contains(t, w.logs.String(), "AUDIT_TAMPERED")
		tail, err := w.store.Tail(t.Context(), "a")
		assert.NoError(t, err)
		assert.Equal(t, tail.Count, 300)
	})
}

func TestR30_HeadsAreAnchored(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.heads.fail = errors.New("the notary is out")
		w.record(t, "a", 2)
		assert.ErrorIs(t, w.Drain(t.Context()), w.heads.fail)
		w.valid(t, "a", 2) // sealed all the same
		w.heads.fail = nil
		w.drain(t)
		w.record(t, "a", 1)
		w.record(t, "", 1)
		w.drain(t)
		assert.Len(t, w.heads.all, 2) // a again within a minute: not yet
		w.clock.Advance(audit.DefaultAnchorEvery)
		w.drain(t)
		w.drain(t)
		var counts []int64
		for _, h := range w.heads.all {
			counts = append(counts, h.Count)
		}
		assert.Equal(t, counts, []int64{2, 1, 3})
	})
}

func TestR30_TheDefaultAnchorIsALineOfTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.SQLite(t, cryptobun.Schema(), auditbun.Schema()), func(c *audit.Config) { c.Anchor = nil })
	w.record(t, "org", 3)
	w.drain(t)
	report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org"})
	assert.NoError(t, err)
	assert.Contains(t, w.logs.String(), "head="+report.Head.String())
}

// Run seals by itself, and ends with its ctx.
func TestRunSeals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		sealed := make(chan struct{})
		svc := w.service(t, w.store, func(c *audit.Config) {
			c.SealEvery = time.Millisecond
			c.Anchor = func(context.Context, audit.Head) error { close(sealed); return nil }
		})
		done := make(chan error)
		go func() { done <- svc.Run(ctx) }()
		assert.NoError(t, w.Record(bundbtest.Flow(t.Context()), entry("org")))
		<-sealed
		cancel()
		assert.NoError(t, <-done)
		w.valid(t, "org", 1)
		w.record(t, "org", 1)
		w.drain(t) // the lease was given back
		w.valid(t, "org", 2)
	})
}

// The key takes its turn, rows are sealed anew, and the chain stays what it is.
func TestRotatedKeysVerify(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 3)
		w.drain(t)
		old, err := w.keys.RotateDEK(t.Context(), audit.Purpose, "")
		assert.NoError(t, err)
		w.record(t, "org", 3)
		w.drain(t)
		w.valid(t, "org", 6)
		report, err := w.keys.Reencrypt(t.Context(), crypto.ReencryptOptions{})
		assert.NoError(t, err)
		assert.Equal(t, report.Changed, 3)
		w.valid(t, "org", 6)
		assert.NotEqual(t, old, "")
		counts, err := auditbun.KIDs(w.db).Count(t.Context())
		assert.NoError(t, err)
		assert.Len(t, keysOf(counts), 2)
	})
}

func keysOf(counts map[string]int64) (all []string) {
	for kid := range counts {
		all = append(all, kid)
	}
	return all
}
