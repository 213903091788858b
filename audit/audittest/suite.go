package audittest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/internal/assert"
)

// Env is a store under test.
type Env struct {
	Store audit.Store
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// TestStore holds the stores that open returns to the contract at audit.Store. Each
// call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, group := range [][]clause{entryClauses(), sealClauses(), chainClauses(), txClauses()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := &world{Env: open(t)}
				w.now = w.Store.Now()
				c.test(t, w)
			})
		}
	}
}

// clause is one sentence of the contract.
type clause struct {
	name string
	test func(*testing.T, *world)
}

// world is an Env with the few moves that all clauses make.
type world struct {
	Env
	now   time.Time
	count int
}

// describe returns a row of an organization whose id is above those of earlier ones.
func (w *world) describe(organizationID string) audit.Row {
	w.count++
	return audit.Row{
		ID: fmt.Sprintf("%08d", w.count) + uuid.NewString(), OrganizationID: organizationID,
		At: w.now.Add(time.Duration(w.count) * time.Microsecond), Action: "authz_change", Event: "MemberJoined", Outcome: audit.Success,
		Actor:  audit.Actor{UserID: "user", ImpersonatorID: "superuser", APIKeyID: "key", SessionID: "session"},
		Target: audit.Target{Type: "thing", ID: "id"}, Personal: []byte{1, 0, 255}, PersonalHash: []byte{2, 0}, KID: "kid", MAC: []byte{3, byte(w.count)},
	}
}

// insert stores n rows of an organization.
func (w *world) insert(t *testing.T, organizationID string, n int) []audit.Row {
	t.Helper()
	all := make([]audit.Row, n)
	for i := range all {
		all[i] = w.describe(organizationID)
		assert.NoError(t, w.Store.Insert(t.Context(), all[i]))
	}
	return all
}

// list returns every row of an organization, the oldest first.
func (w *world) list(t *testing.T, organizationID string) []audit.Row {
	t.Helper()
	all, err := w.Store.List(t.Context(), audit.Filter{OrganizationID: organizationID, OldestFirst: true, Limit: 1000})
	assert.NoError(t, err)
	return all
}

// same fails the test unless the rows are equal, times in UTC included.
func same(t *testing.T, got, want []audit.Row) {
	t.Helper()
	assert.Len(t, got, len(want))
	for i := range got {
		if !got[i].At.Equal(want[i].At) || got[i].At.Location() != time.UTC {
			t.Errorf("row %d: at %v, want %v in UTC", i, got[i].At, want[i].At)
		}
		got[i].At = want[i].At
		assert.Equal(t, got[i], want[i])
	}
}

func head(organizationID string, count int64, at time.Time) audit.Head {
	return audit.Head{OrganizationID: organizationID, Count: count, Hash: []byte{9, byte(count)}, At: at, KID: "kid", MAC: []byte{8, byte(count)}}
}

// extend links rows after the number from.
func (w *world) extend(ctx context.Context, from int64, rows ...audit.Row) error {
	o := rows[0].OrganizationID
	var links []audit.Link
	for i, r := range rows {
		links = append(links, audit.Link{ID: r.ID, Seq: from + int64(i) + 1, Prev: []byte{7, byte(i)}, Link: []byte{6, byte(i)}, KID: "kid2"})
	}
	return w.Store.InTx(ctx, func(ctx context.Context) error {
		return w.Store.Extend(ctx, head(o, from, w.now), head(o, from+int64(len(rows)), w.now), links)
	})
}

func entryClauses() []clause {
	return []clause{
		{"insert keeps every field", func(t *testing.T, w *world) {
			full := w.insert(t, "org", 1)
			bare := audit.Row{ID: "0000000" + uuid.NewString(), At: w.now, Action: "a", Outcome: audit.Failure, KID: "k", MAC: []byte{0}}
			assert.NoError(t, w.Store.Insert(t.Context(), bare))
			same(t, w.list(t, ""), []audit.Row{bare})
			same(t, w.list(t, "org"), full)
		}},
		{"list selects by every field", testFilters},
		{"list goes both ways from a row on", func(t *testing.T, w *world) {
			all := w.insert(t, "org", 5)
			w.insert(t, "other", 2)
			older, err := w.Store.List(t.Context(), audit.Filter{OrganizationID: "org", After: all[3].ID, Limit: 2})
			assert.NoError(t, err)
			same(t, older, []audit.Row{all[2], all[1]})
			newer, err := w.Store.List(t.Context(), audit.Filter{OrganizationID: "org", After: all[1].ID, OldestFirst: true, Limit: 2})
			assert.NoError(t, err)
			same(t, newer, all[2:4])
			every, err := w.Store.List(t.Context(), audit.Filter{All: true, Limit: 100})
			assert.NoError(t, err)
			assert.Len(t, every, 7)
		}},
		{"erase drops the personal part of one user's rows and nothing else", testErase},
	}
}

func testFilters(t *testing.T, w *world) {
	w.insert(t, "org", 3)
	odd := w.describe("org")
	odd.Actor.UserID, odd.Action, odd.Event, odd.Outcome, odd.Target = "eve", "authz_fail", "Refused", audit.Failure, audit.Target{Type: "route", ID: "x"}
	assert.NoError(t, w.Store.Insert(t.Context(), odd))
	late := w.insert(t, "org", 1)[0]
	for name, f := range map[string]audit.Filter{
		"actor": {ActorID: "eve"}, "action": {Action: "authz_fail"}, "event": {Event: "Refused"}, "outcome": {Outcome: audit.Failure},
		"target type": {Target: audit.Target{Type: "route"}}, "target id": {Target: audit.Target{ID: "x"}},
		"ids": {FromID: odd.ID, UntilID: late.ID},
	} {
		f.OrganizationID, f.Limit = "org", 10
		got, err := w.Store.List(t.Context(), f)
		assert.NoError(t, err)
		if len(got) != 1 || got[0].ID != odd.ID {
			t.Errorf("%s: %d rows", name, len(got))
		}
	}
}

func testErase(t *testing.T, w *world) {
	rows := w.insert(t, "org", 4)
	acted, acting, target, other := w.describe("org"), w.describe(""), w.describe("other"), w.describe("org")
	acted.Actor.UserID, acting.Actor.ImpersonatorID = "ada", "ada"
	target.Target = audit.Target{Type: audit.TargetUser, ID: "ada"}
	other.Target = audit.Target{Type: "project", ID: "ada"}
	for _, r := range []audit.Row{acted, acting, target, other} {
		assert.NoError(t, w.Store.Insert(t.Context(), r))
	}
	assert.NoError(t, w.extend(t.Context(), 0, acted))
	n, err := w.Store.Erase(t.Context(), "ada")
	assert.NoError(t, err)
	assert.Equal(t, n, 3)
	n, err = w.Store.Erase(t.Context(), "ada")
	assert.NoError(t, err)
	assert.Equal(t, n, 0)
	acted.Personal, acting.Personal, target.Personal = nil, nil, nil
	acted.Seq, acted.Prev, acted.Link, acted.LinkKID = 1, []byte{7, 0}, []byte{6, 0}, "kid2"
	same(t, w.list(t, "org"), append(rows, acted, other))
	same(t, w.list(t, ""), []audit.Row{acting})
	same(t, w.list(t, "other"), []audit.Row{target})
	n, err = w.Store.Erase(t.Context(), "ada", audit.Target{Type: "project", ID: "ada"}, audit.Target{Type: "project", ID: "none"})
	assert.NoError(t, err)
	assert.Equal(t, n, 1)
	other.Personal = nil
	same(t, w.list(t, "org"), append(rows, acted, other))
}

func sealClauses() []clause {
	return []clause{
		{"a lease excludes other holders until it ends", testLease},
		{"16 concurrent holders get one lease", leaseRace},
		{"a fence wants the newest lease, in time, in a transaction", testFence},
		{"unsealed lists what has no number, in the order of ids", func(t *testing.T, w *world) {
			a, b := w.insert(t, "a", 3), w.insert(t, "b", 2)
			assert.NoError(t, w.extend(t.Context(), 0, a[1]))
			got, err := w.Store.Unsealed(t.Context(), nil, 3)
			assert.NoError(t, err)
			assert.Equal(t, got, pending(a[0], a[2], b[0]))
			got, err = w.Store.Unsealed(t.Context(), []string{"a", "c"}, 10)
			assert.NoError(t, err)
			assert.Equal(t, got, pending(b...))
		}},
		{"extend links rows and moves the head", testExtend},
		{"extend refuses what is not as it was read", testExtendRefused},
		{"16 concurrent extensions of one chain have one winner", extendRace},
	}
}

func pending(rows ...audit.Row) []audit.Pending {
	var all []audit.Pending
	for _, r := range rows {
		all = append(all, audit.Pending{ID: r.ID, OrganizationID: r.OrganizationID, MAC: r.MAC})
	}
	return all
}

func testLease(t *testing.T, w *world) {
	ctx, later := t.Context(), w.now.Add(time.Minute)
	a, err := w.Store.Acquire(ctx, "a", w.now, later)
	assert.NoError(t, err)
	assert.Equal(t, a.Holder, "a")
	_, err = w.Store.Acquire(ctx, "b", later.Add(-time.Microsecond), later.Add(time.Minute))
	assert.ErrorIs(t, err, audit.ErrLeased)
	again, err := w.Store.Acquire(ctx, "a", w.now, later)
	assert.NoError(t, err)
	assert.True(t, again.Token > a.Token, "tokens grow")
	b, err := w.Store.Acquire(ctx, "b", later, later.Add(time.Minute))
	assert.NoError(t, err)
	assert.True(t, b.Token > again.Token, "tokens grow")
	assert.NoError(t, w.Store.Release(ctx, again)) // it is not the newest
	_, err = w.Store.Acquire(ctx, "c", later, later.Add(time.Minute))
	assert.ErrorIs(t, err, audit.ErrLeased)
	assert.NoError(t, w.Store.Release(ctx, b))
	c, err := w.Store.Acquire(ctx, "c", later, later.Add(time.Minute))
	assert.NoError(t, err)
	assert.True(t, c.Token > b.Token, "tokens grow")
	_, err = w.Store.Acquire(ctx, "d", w.now, w.now.Add(time.Minute)) // c's lasts for exactly two minutes from now
	assert.ErrorIs(t, err, audit.ErrLeased)
	_, err = w.Store.Acquire(ctx, "d", w.now.Add(-time.Microsecond), w.now.Add(time.Minute-time.Microsecond))
	assert.NoError(t, err)
}

func leaseRace(t *testing.T, w *world) {
	var wg sync.WaitGroup
	var winners atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			_, err := w.Store.Acquire(t.Context(), fmt.Sprint(i), w.now, w.now.Add(time.Minute))
			if err == nil {
				winners.Add(1)
				return
			}
			assert.ErrorIs(t, err, audit.ErrLeased)
		})
	}
	wg.Wait()
	assert.Equal(t, winners.Load(), 1)
}

func testFence(t *testing.T, w *world) {
	until := w.now.Add(time.Minute)
	first, err := w.Store.Acquire(t.Context(), "a", w.now, until)
	assert.NoError(t, err)
	assert.ErrorIs(t, w.Store.Fence(t.Context(), first, w.now, until), audit.ErrNoTransaction)
	fence := func(l audit.Lease, now, until time.Time) error {
		return w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.Fence(ctx, l, now, until) })
	}
	assert.NoError(t, fence(first, w.now, until.Add(time.Minute)))
	assert.NoError(t, fence(first, until, until.Add(time.Minute))) // it was made longer
	assert.ErrorIs(t, fence(first, until.Add(time.Minute), until.Add(time.Hour)), audit.ErrLeaseLost)
	second, err := w.Store.Acquire(t.Context(), "b", until.Add(time.Minute), until.Add(time.Hour))
	assert.NoError(t, err)
	assert.ErrorIs(t, fence(first, w.now, until), audit.ErrLeaseLost)
	assert.ErrorIs(t, fence(audit.Lease{Holder: "c", Token: second.Token}, w.now, until), audit.ErrLeaseLost)
	assert.NoError(t, fence(second, until.Add(time.Minute), until.Add(time.Hour)))
}

func testExtend(t *testing.T, w *world) {
	rows := w.insert(t, "org", 3)
	w.insert(t, "other", 1)
	_, err := w.Store.Chain(t.Context(), "org")
	assert.ErrorIs(t, err, audit.ErrNoChain)
	assert.NoError(t, w.extend(t.Context(), 0, rows[2], rows[0]))
	assert.NoError(t, w.extend(t.Context(), 2, rows[1]))
	c, err := w.Store.Chain(t.Context(), "org")
	assert.NoError(t, err)
	assert.True(t, c.Head.At.Equal(w.now), "the time of the head")
	c.Head.At = w.now
	assert.Equal(t, c, audit.Chain{OrganizationID: "org", Head: head("org", 3, w.now)})
	linked, err := w.Store.Linked(t.Context(), "org", 0, 10)
	assert.NoError(t, err)
	rows[2].Seq, rows[2].Prev, rows[2].Link, rows[2].LinkKID = 1, []byte{7, 0}, []byte{6, 0}, "kid2"
	rows[0].Seq, rows[0].Prev, rows[0].Link, rows[0].LinkKID = 2, []byte{7, 1}, []byte{6, 1}, "kid2"
	rows[1].Seq, rows[1].Prev, rows[1].Link, rows[1].LinkKID = 3, []byte{7, 0}, []byte{6, 0}, "kid2"
	same(t, linked, []audit.Row{rows[2], rows[0], rows[1]})
	linked, err = w.Store.Linked(t.Context(), "org", 2, 1)
	assert.NoError(t, err)
	same(t, linked, []audit.Row{rows[0]})
}

func testExtendRefused(t *testing.T, w *world) {
	ctx := t.Context()
	rows, other := w.insert(t, "org", 4), w.insert(t, "other", 1)
	assert.ErrorIs(t, w.Store.Extend(ctx, head("org", 0, w.now), head("org", 1, w.now), nil), audit.ErrNoTransaction)
	assert.NoError(t, w.extend(ctx, 0, rows[0], rows[1]))
	before := w.list(t, "org")
	assert.ErrorIs(t, w.extend(ctx, 0, rows[2]), audit.ErrChainMoved) // the chain exists
	assert.ErrorIs(t, w.extend(ctx, 1, rows[2]), audit.ErrChainMoved) // it has two
	assert.ErrorIs(t, w.extend(ctx, 5, rows[2]), audit.ErrChainMoved)
	assert.ErrorIs(t, w.extend(ctx, 2, rows[1]), audit.ErrChainMoved)           // it is linked
	assert.ErrorIs(t, w.extend(ctx, 2, rows[2], other[0]), audit.ErrChainMoved) // it is another's
	gone := rows[2]
	gone.ID = "gone"
	assert.ErrorIs(t, w.extend(ctx, 2, rows[2], gone), audit.ErrChainMoved)
	taken := []audit.Link{{ID: rows[2].ID, Seq: 2, Link: []byte{1}, KID: "k"}}
	assert.ErrorIs(t, w.Store.InTx(ctx, func(ctx context.Context) error {
		return w.Store.Extend(ctx, head("org", 2, w.now), head("org", 3, w.now), taken)
	}), audit.ErrChainMoved)
	same(t, w.list(t, "org"), before)
	assert.NoError(t, w.extend(ctx, 2, rows[2]))
}

func extendRace(t *testing.T, w *world) {
	rows := w.insert(t, "org", 17)
	assert.NoError(t, w.extend(t.Context(), 0, rows[16]))
	var wg sync.WaitGroup
	var winners atomic.Int64
	for _, r := range rows[:16] {
		wg.Go(func() {
			err := w.extend(t.Context(), 1, r)
			if err == nil {
				winners.Add(1)
				return
			}
			assert.ErrorIs(t, err, audit.ErrChainMoved)
		})
	}
	wg.Wait()
	assert.Equal(t, winners.Load(), 1)
}

func chainClauses() []clause {
	return []clause{
		{"chains are listed by organization", testChains},
		{"the tail counts what waits and knows the oldest", func(t *testing.T, w *world) {
			tail, err := w.Store.Tail(t.Context(), "org")
			assert.NoError(t, err)
			assert.Equal(t, tail, audit.Tail{})
			rows := w.insert(t, "org", 3)
			w.insert(t, "other", 1)
			assert.NoError(t, w.extend(t.Context(), 0, rows[0]))
			tail, err = w.Store.Tail(t.Context(), "org")
			assert.NoError(t, err)
			assert.True(t, tail.Count == 2 && tail.Since.Equal(rows[1].At), "two rows since the second")
			tail, err = w.Store.TailOfAll(t.Context())
			assert.NoError(t, err)
			assert.True(t, tail.Count == 3 && tail.Since.Equal(rows[1].At), "three of all")
		}},
		{"the roster is kept beside the lease", testRoster},
		{"prune deletes up to the new base", testPrune},
		{"a head is anchored until it moves", testAnchored},
	}
}

func testChains(t *testing.T, w *world) {
	for _, o := range []string{"b", "", "a", "c"} {
		assert.NoError(t, w.extend(t.Context(), 0, w.insert(t, o, 1)[0]))
	}
	for _, c := range []struct {
		after string
		from  bool
		limit int
		want  string
	}{{"", false, 10, "/a/b/c"}, {"", true, 10, "a/b/c"}, {"a", true, 1, "b"}, {"c", true, 10, ""}, {"", false, 2, "/a"}} {
		got, err := w.Store.Chains(t.Context(), c.after, c.from, c.limit)
		assert.NoError(t, err)
		var names [][]byte
		for _, chain := range got {
			names = append(names, []byte(chain.OrganizationID))
		}
		assert.Equal(t, string(bytes.Join(names, []byte("/"))), c.want)
	}
}

func testRoster(t *testing.T, w *world) {
	r, chains, err := w.Store.Roster(t.Context())
	assert.NoError(t, err)
	assert.True(t, r.KID == "" && r.Chains == 0 && r.MAC == nil && chains == 0, "nothing was ever sealed")
	lease, err := w.Store.Acquire(t.Context(), "a", w.now, w.now.Add(time.Minute))
	assert.NoError(t, err)
	want := audit.Roster{Chains: 7, KID: "kid", MAC: []byte{1, 0}}
	assert.ErrorIs(t, w.Store.SetRoster(t.Context(), want), audit.ErrNoTransaction)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.SetRoster(ctx, want) }))
	assert.NoError(t, w.Store.Release(t.Context(), lease))
	_, err = w.Store.Acquire(t.Context(), "b", w.now, w.now.Add(time.Minute))
	assert.NoError(t, err)
	assert.NoError(t, w.extend(t.Context(), 0, w.insert(t, "org", 1)[0]))
	r, chains, err = w.Store.Roster(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, r, want)
	assert.Equal(t, chains, 1)
}

func testPrune(t *testing.T, w *world) {
	rows, other := w.insert(t, "org", 5), w.insert(t, "other", 3)
	assert.NoError(t, w.extend(t.Context(), 0, rows[:4]...))
	assert.NoError(t, w.extend(t.Context(), 0, other...))
	prune := func(from, to int64) error {
		return w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.Prune(ctx, from, head("org", to, w.now)) })
	}
	assert.ErrorIs(t, w.Store.Prune(t.Context(), 0, head("org", 1, w.now)), audit.ErrNoTransaction)
	assert.ErrorIs(t, prune(1, 2), audit.ErrChainMoved)
	assert.ErrorIs(t, prune(0, 5), audit.ErrChainMoved) // above the head
	assert.Len(t, w.list(t, "org"), 5)
	assert.NoError(t, prune(0, 2))
	assert.ErrorIs(t, prune(0, 3), audit.ErrChainMoved)
	left := w.list(t, "org")
	assert.Len(t, left, 3)
	assert.Equal(t, left[0].ID, rows[2].ID)
	assert.Len(t, w.list(t, "other"), 3)
	c, err := w.Store.Chain(t.Context(), "org")
	assert.NoError(t, err)
	assert.True(t, c.Base.At.Equal(w.now), "the time of the base")
	c.Base.At, c.Head.At = w.now, w.now
	assert.Equal(t, c, audit.Chain{OrganizationID: "org", Head: head("org", 4, w.now), Base: head("org", 2, w.now)})
}

func testAnchored(t *testing.T, w *world) {
	a, b := w.insert(t, "a", 2), w.insert(t, "b", 1)
	assert.NoError(t, w.extend(t.Context(), 0, a[0]))
	assert.NoError(t, w.extend(t.Context(), 0, b[0]))
	now := w.now.Add(time.Hour)
	due := func(before time.Time) int {
		t.Helper()
		all, err := w.Store.Unanchored(t.Context(), before, now, 10)
		assert.NoError(t, err)
		return len(all)
	}
	assert.Equal(t, due(w.now.Add(-time.Hour)), 2)
	assert.NoError(t, w.Store.Anchored(t.Context(), head("a", 1, w.now), w.now))
	assert.NoError(t, w.Store.Anchored(t.Context(), head("b", 1, w.now), w.now))
	assert.Equal(t, due(w.now.Add(time.Hour)), 0)
	assert.NoError(t, w.extend(t.Context(), 1, a[1]))
	assert.Equal(t, due(w.now.Add(-time.Microsecond)), 0)
	assert.Equal(t, due(w.now), 1)
	assert.NoError(t, w.Store.Anchored(t.Context(), head("a", 1, w.now), w.now.Add(time.Hour))) // an older head
	assert.Equal(t, due(w.now), 1)
	assert.NoError(t, w.Store.Anchored(t.Context(), head("a", 9, w.now), w.now)) // the head was longer, it says
	assert.Equal(t, due(w.now), 1)
	assert.NoError(t, w.Store.Anchored(t.Context(), head("a", 2, w.now), w.now))
	assert.Equal(t, due(w.now), 0)
	assert.NoError(t, w.extend(t.Context(), 2, w.insert(t, "a", 1)...))
	assert.NoError(t, w.Store.Anchored(t.Context(), head("a", 9, w.now), now.Add(time.Microsecond))) // in the future
	assert.Equal(t, due(w.now), 1)
}
