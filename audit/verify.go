package audit

import (
	"cmp"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind says what is wrong with a chain.
type Kind string

// What [Service.Verify] finds.
const (
	// Changed is a row whose fields are not those that were recorded, or whose personal
	// fields are gone although no erasure of them was recorded.
	Changed Kind = "changed"
	// Recomputed is a row whose fields, MAC and link were all written by somebody
	// without the key.
	Recomputed Kind = "recomputed"
	// Reordered is a row that was recorded as it is, at a place that is not its own.
	Reordered Kind = "reordered"
	// Forked is a row that was sealed as it is, after another row than the one before
	// it now: an older state was put back and went on from there.
	Forked Kind = "forked"
	// Removed are rows between others that are gone.
	Removed Kind = "removed"
	// Truncated are rows at the end that are gone.
	Truncated Kind = "truncated"
	// Stray is a row before the beginning of the chain, or after its end: the head or
	// the checkpoint is older than the rows, or the number is one that no sealer gives.
	Stray Kind = "stray"
	// HeadForged is a head, CheckpointForged a checkpoint, that was not made here.
	HeadForged       Kind = "head_forged"
	CheckpointForged Kind = "checkpoint_forged"
)

// Finding is one thing that is wrong, with the numbers of the rows that it is about:
// From to To, which are the same for a single row. ID is that row's.
type Finding struct {
	Kind     Kind
	From, To int64
	ID       string
}

// maxFindings bounds a report.
const maxFindings = 1000

// Report is what [Service.Verify] found out about one chain.
type Report struct {
	OrganizationID string
	// Valid says that nothing is wrong with what is sealed.
	Valid bool
	// Head is the end of the chain, Base its beginning: the checkpoint that retention
	// left, or the zero value.
	Head, Base Head
	// Checked is how many rows were looked at, and Erased how many of them have lost
	// their personal fields.
	Checked, Erased int64
	// Tail is what is not sealed yet, and TailAge how long the oldest of it has waited.
	Tail    Tail
	TailAge time.Duration
	// Findings are in the order of the rows, 1000 at most; More says that there are
	// others.
	Findings []Finding
	More     bool
	// Next is where to go on, for a report on a part: VerifyParams.From of the next call.
	// It is the zero value where the end was reached.
	Next Place
}

// Place is a row up to which a chain was verified: its number, and its link, which is
// empty where that row was not what was sealed.
type Place struct {
	Seq  int64
	Link []byte
}

func (r *Report) add(f Finding) {
	r.Valid = false
	if len(r.Findings) >= maxFindings {
		r.More = true
		return
	}
	r.Findings = append(r.Findings, f)
}

// VerifyParams say what to verify.
type VerifyParams struct {
	// OrganizationID is whose chain; "" is that of the rows without one.
	OrganizationID string
	// Known are heads that Config.Anchor was given earlier, of this chain: it must have
	// grown out of each. Those from before the checkpoint are not compared any more.
	Known []Head
	// From is the Next of an earlier report, to go on behind what that is about. The
	// result is valid if all are. Defaults to the beginning.
	From Place
	// Limit is how many rows one call looks at, at most. Defaults to all.
	Limit int64
}

// verifyAttempts is how often a chain may be pruned while it is read.
const verifyAttempts = 5

// errPruned means that the chain was pruned while it was read.
var errPruned = errors.New("audit: pruned meanwhile")

// Verify reads a chain from its beginning, with constant memory, and names what is
// wrong: rows that were changed, removed, reordered, cut off or written anew without
// the key. Rows that are not sealed yet are not judged: Report.Tail says how many there
// are and how old. A chain that has never begun is valid.
//
// Errors: ErrInvalidHead for a known head that was not made here, those of the keys
// and of the store. What is wrong with the chain is no error.
func (s *Service) Verify(ctx context.Context, p VerifyParams) (Report, error) {
	known, err := s.known(ctx, p)
	if err != nil {
		return Report{}, err
	}
	for range verifyAttempts {
		report, err := s.verify(ctx, p, known)
		if errors.Is(err, errPruned) {
			continue
		}
		if err != nil {
			return Report{}, fmt.Errorf("audit: verify: %w", err)
		}
		return report, nil
	}
	return Report{}, fmt.Errorf("audit: verify: %w", errPruned)
}

// known returns the hashes that are known, by their numbers. Two of one number are the
// traces of a fork, and neither must hide the other.
func (s *Service) known(ctx context.Context, p VerifyParams) (map[int64][][]byte, error) {
	known := map[int64][][]byte{}
	for _, h := range p.Known {
		genuine, err := s.signed(ctx, p.OrganizationID, h, domainHead)
		if err != nil {
			return nil, err
		}
		if !genuine {
			return nil, fmt.Errorf("audit: verify: %w", ErrInvalidHead)
		}
		known[h.Count] = append(known[h.Count], h.Hash)
	}
	return known, nil
}

func (s *Service) verify(ctx context.Context, p VerifyParams, known map[int64][][]byte) (Report, error) {
	report := Report{OrganizationID: p.OrganizationID, Valid: true}
	chain, err := s.store.Chain(ctx, p.OrganizationID)
	if err != nil && !errors.Is(err, ErrNoChain) {
		return Report{}, err
	}
	exists := err == nil
	chain.OrganizationID, report.Head, report.Base = p.OrganizationID, chain.Head, chain.Base
	if exists {
		if err := s.ends(ctx, chain, &report); err != nil {
			return Report{}, err
		}
	}
	w := s.newWalk(chain, &report, p.From)
	if w.known = known; w.contradicts(chain.Base.Count, chain.Base.Hash) {
		report.add(Finding{Kind: Forked, From: chain.Base.Count, To: chain.Base.Count})
	}
	complete, err := w.all(ctx, p)
	if err != nil {
		return Report{}, err
	}
	w.end(complete)
	if report.Tail, err = s.store.Tail(ctx, p.OrganizationID); err != nil {
		return Report{}, err
	}
	report.TailAge = s.age(report.Tail)
	return report, s.unmoved(ctx, chain, exists)
}

// age is how long the oldest row of a tail has waited.
func (s *Service) age(t Tail) time.Duration {
	if t.Count == 0 {
		return 0
	}
	return max(0, s.now().Sub(t.Since))
}

// ends judges the head and the checkpoint.
func (s *Service) ends(ctx context.Context, c Chain, report *Report) error {
	for _, end := range []struct {
		head   Head
		domain string
		kind   Kind
	}{{c.Base, domainCheckpoint, CheckpointForged}, {c.Head, domainHead, HeadForged}} {
		genuine, err := s.signed(ctx, c.OrganizationID, end.head, end.domain)
		if err != nil {
			return err
		}
		if !genuine || end.head.Count > c.Head.Count {
			report.add(Finding{Kind: end.kind, From: end.head.Count, To: end.head.Count})
		}
	}
	return nil
}

// unmoved returns errPruned if the chain's beginning is not what it was.
func (s *Service) unmoved(ctx context.Context, c Chain, exists bool) error {
	now, err := s.store.Chain(ctx, c.OrganizationID)
	if errors.Is(err, ErrNoChain) && !exists {
		return nil
	}
	if err == nil && (now.Base.Count != c.Base.Count || !exists) {
		return errPruned
	}
	return err
}

// walk goes along one chain.
type walk struct {
	*Service
	chain  Chain
	known  map[int64][][]byte
	report *Report
	next   int64  // the number that is expected
	prev   []byte // the link of the row before
	sure   bool   // whether prev is what was sealed
	erased erasures
}

// newWalk begins behind a place, or at the checkpoint if that is further on.
func (s *Service) newWalk(c Chain, report *Report, from Place) *walk {
	w := &walk{Service: s, chain: c, report: report, next: c.Base.Count + 1, prev: c.Base.Hash, sure: true}
	if from.Seq > c.Base.Count {
		w.next, w.prev, w.sure = from.Seq+1, from.Link, len(from.Link) > 0
	}
	return w
}

// contradicts reports whether a known head of that length has another hash.
func (w *walk) contradicts(seq int64, hash []byte) bool {
	return slices.ContainsFunc(w.known[seq], func(known []byte) bool { return !hmac.Equal(known, hash) })
}

// verifyPage is how many rows are in memory.
const verifyPage = 500

// all reads every row with a number, those outside the chain's ends included, and
// reports whether it came to the end before the limit.
func (w *walk) all(ctx context.Context, p VerifyParams) (complete bool, err error) {
	from := int64(math.MinInt64)
	if p.From.Seq > 0 {
		from = p.From.Seq + 1
	}
	limit := cmp.Or(p.Limit, math.MaxInt64)
	for {
		page := int(min(verifyPage, limit-w.report.Checked))
		rows, err := w.store.Linked(ctx, w.chain.OrganizationID, from, page)
		if err != nil {
			return false, err
		}
		for _, r := range rows {
			from = r.Seq + 1
			if r.Seq > w.chain.Head.Count {
				return true, w.beyond(ctx, r)
			}
			if err := w.row(ctx, r); err != nil {
				return false, err
			}
		}
		if len(rows) < page {
			return true, nil
		}
		if w.report.Checked >= limit {
			return false, nil
		}
	}
}

// beyond judges rows after the head: a sealer may have been at work meanwhile.
func (w *walk) beyond(ctx context.Context, r Row) error {
	now, err := w.store.Chain(ctx, w.chain.OrganizationID)
	if err != nil && !errors.Is(err, ErrNoChain) {
		return err
	}
	if r.Seq > now.Head.Count {
		w.report.add(Finding{Stray, r.Seq, r.Seq, r.ID})
	}
	return nil
}

// row judges one row.
func (w *walk) row(ctx context.Context, r Row) error {
	w.report.Checked++
	if r.Seq <= w.chain.Base.Count {
		w.report.add(Finding{Stray, r.Seq, r.Seq, r.ID})
		return nil
	}
	if r.Seq > w.next {
		w.report.add(Finding{Kind: Removed, From: w.next, To: r.Seq - 1})
		w.sure = false
	}
	record, err := w.genuine(ctx, r)
	if err != nil {
		return err
	}
	blank := false
	if record.Erased {
		w.report.Erased++
		if blank, err = w.blank(ctx, r); err != nil {
			return err
		}
	}
	link := Link{ID: r.ID, Seq: r.Seq, Prev: r.Prev, Link: r.Link, KID: r.LinkKID}
	linked, err := w.check(ctx, r.LinkKID, r.Link, linkMessage(r.OrganizationID, link, r.MAC))
	if err != nil {
		return err
	}
	if kind := w.judge(r, !record.Damaged && !blank, linked); kind != "" {
		w.report.add(Finding{kind, r.Seq, r.Seq, r.ID})
	}
	w.next, w.prev, w.sure = r.Seq+1, r.Link, linked
	return nil
}

// judge says what is wrong with a row: as it was recorded or not, linked at its place
// or not.
func (w *walk) judge(r Row, recorded, linked bool) Kind {
	switch {
	case !recorded && !linked:
		return Recomputed
	case !recorded:
		return Changed
	case !linked:
		return Reordered
	case w.sure && !hmac.Equal(r.Prev, w.prev):
		return Forked
	}
	if w.contradicts(r.Seq, r.Link) {
		return Forked
	}
	return ""
}

// end judges where the rows stop, if that is the end.
func (w *walk) end(complete bool) {
	last, count := w.next-1, w.chain.Head.Count
	for known := range w.known {
		count = max(count, known)
	}
	switch {
	case !complete:
		w.report.Next = Place{Seq: last}
		if w.sure {
			w.report.Next.Link = w.prev
		}
	case last < count:
		w.report.add(Finding{Kind: Truncated, From: w.next, To: count})
	case w.sure && last == w.chain.Head.Count && !hmac.Equal(w.prev, w.chain.Head.Hash):
		w.report.add(Finding{Kind: HeadForged, From: last, To: last})
	}
	slices.SortStableFunc(w.report.Findings, func(a, b Finding) int { return int(min(max(a.From-b.From, -1), 1)) })
}
