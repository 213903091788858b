package audit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/internal/cursor"
)

// The bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// Query selects entries. Its zero value selects those without an organization. Empty
// fields select all.
type Query struct {
	// All selects those of every organization and of none.
	All            bool
	OrganizationID string
	// ActorID is a user who acted, also one who was impersonated.
	ActorID string
	// Action and Event are names as they were recorded.
	Action, Event string
	Target        Target
	Outcome       Outcome
	// From and Until bound the time of recording: From <= At < Until.
	From, Until time.Time
}

func (q Query) filter(limit int) Filter {
	f := Filter{
		All: q.All, OrganizationID: q.OrganizationID, ActorID: q.ActorID, Action: q.Action, Event: q.Event,
		Target: q.Target, Outcome: q.Outcome, Limit: limit,
	}
	if !q.From.IsZero() {
		f.FromID = FirstID(q.From)
	}
	if !q.Until.IsZero() {
		f.UntilID = FirstID(q.Until)
	}
	return f
}

// scope is what a cursor of the query belongs to.
func (q Query) scope() cursor.Scope {
	f := q.filter(0)
	return cursor.Scope{
		strconv.FormatBool(q.All), q.OrganizationID, q.ActorID, q.Action, q.Event, q.Target.Type, q.Target.ID,
		string(q.Outcome), f.FromID, f.UntilID,
	}
}

// Page is a piece of a list.
type Page struct {
	Items []Record
	// Next is the cursor of the next page, empty on the last.
	Next string
}

// List returns the entries that q selects, the newest first, from the cursor on or,
// with an empty one, from the first: limit many, 50 for 0 and 200 at most. A cursor
// works for the same query only. Who may read them is the caller's to judge.
//
// Errors: cursor.ErrInvalid, those of the keys and of the store.
func (s *Service) List(ctx context.Context, q Query, limit int, after string) (Page, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	f := q.filter(limit + 1)
	if after != "" {
		position, err := s.cursors.Decode(ctx, q.scope(), after, 1)
		if err != nil {
			return Page{}, fmt.Errorf("audit: list: %w", err)
		}
		f.After = position[0]
	}
	records, err := s.read(ctx, f)
	if err != nil {
		return Page{}, fmt.Errorf("audit: list: %w", err)
	}
	page := Page{Items: records}
	if len(records) > limit {
		page.Items = records[:limit]
		page.Next, err = s.cursors.Encode(ctx, q.scope(), page.Items[limit-1].ID)
	}
	return page, err
}

func (s *Service) read(ctx context.Context, f Filter) ([]Record, error) {
	rows, err := s.store.List(ctx, f)
	if err != nil {
		return nil, err
	}
	records := make([]Record, 0, len(rows))
	for _, r := range rows {
		record, err := s.genuine(ctx, r)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// exportPage is how many entries of an export are in memory.
const exportPage = 500

// Export calls fn with every entry that q selects and that was recorded before it began,
// the oldest first, with constant memory, and returns how many there were. An error of
// fn ends it.
func (s *Service) Export(ctx context.Context, q Query, fn func(r Record) error) (n int64, err error) {
	// It ends, however fast others write, and however slowly fn reads.
	if end := s.now().Add(time.Microsecond); q.Until.IsZero() || q.Until.After(end) {
		q.Until = end
	}
	f := q.filter(exportPage)
	f.OldestFirst = true
	for {
		records, err := s.read(ctx, f)
		if err != nil {
			return n, fmt.Errorf("audit: export: %w", err)
		}
		for _, r := range records {
			if err := fn(r); err != nil {
				return n, fmt.Errorf("audit: export: %w", err)
			}
			n++
		}
		if len(records) < exportPage {
			return n, nil
		}
		f.After = records[len(records)-1].ID
	}
}
