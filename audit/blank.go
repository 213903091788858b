package audit

import (
	"context"
	"time"
)

// eventErased is the event of the entry that [Service.Erase] leaves.
const eventErased = "PersonalDataErased"

const (
	// erasureSlack is how far the clocks of two processes may be apart: a row of the one
	// may seem to be from after the erasure by the other.
	erasureSlack = time.Minute
	// erasureTries is how many entries are read to find one that is genuine.
	erasureTries = 10
	// maxErasures bounds what a walk remembers.
	maxErasures = 1000
)

// erasures are when users, and other targets, were last erased, as far as a walk has
// asked.
type erasures struct {
	of map[Target]time.Time
	// since is from when on every erasure is still in the trail.
	since time.Time
}

// blank reports whether the personal fields of a row are gone although no erasure was
// recorded of anybody to whom they belonged, nor of what they are about.
func (w *walk) blank(ctx context.Context, r Row) (bool, error) {
	if w.erased.of == nil {
		if err := w.beginErasures(ctx); err != nil {
			return false, err
		}
	}
	if r.At.Before(w.erased.since) {
		return false, nil // the erasure may be pruned by now
	}
	for _, target := range []Target{{TargetUser, r.Actor.UserID}, {TargetUser, r.Actor.ImpersonatorID}, r.Target} {
		at, err := w.erasureOf(ctx, target)
		if err != nil || !at.Add(erasureSlack).Before(r.At) {
			return false, err
		}
	}
	return true, nil
}

// beginErasures finds out how far back erasures are known: they are pruned like every
// entry, in a chain of their own.
func (w *walk) beginErasures(ctx context.Context) error {
	w.erased.of = map[Target]time.Time{}
	chains, err := w.store.Chains(ctx, "", false, 1) // the first is that of no organization
	if err != nil || len(chains) == 0 || chains[0].OrganizationID != "" || chains[0].Base.Count == 0 {
		return err
	}
	genuine, err := w.signed(ctx, "", chains[0].Base, domainCheckpoint)
	if genuine {
		w.erased.since = chains[0].Base.At.Add(erasureSlack - max(w.cfg.Retention, minRetention))
	}
	return err
}

// erasureOf returns when it was last erased, and the zero time for never.
func (w *walk) erasureOf(ctx context.Context, target Target) (time.Time, error) {
	at, known := w.erased.of[target]
	if known || target.ID == "" {
		return at, nil
	}
	rows, err := w.store.List(ctx, Filter{Event: eventErased, Target: target, Limit: erasureTries})
	if err != nil {
		return at, err
	}
	for _, r := range rows {
		record, err := w.genuine(ctx, r)
		if err != nil {
			return at, err
		}
		if !record.Damaged {
			at = r.At
			break
		}
	}
	if len(w.erased.of) >= maxErasures {
		clear(w.erased.of)
	}
	w.erased.of[target] = at
	return at, nil
}
