package notify

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/internal/cursor"
)

// The lengths of pages.
const (
	DefaultLimit = 20
	MaxLimit     = 100
	// MaxIDs is how many notifications one MarkRead may name.
	MaxIDs = 100
)

// ListParams say which notifications List returns.
type ListParams struct {
	UserID string
	// Unread leaves out what was read.
	Unread bool
	// Limit is the length of a page, MaxLimit at most. Defaults to DefaultLimit.
	Limit int
	// Cursor is the Next of the page before. Empty is the start.
	Cursor string
}

// Page is a part of a list.
type Page struct {
	Items []Item
	// Next is the cursor of what follows. It is empty on the last page.
	Next string
}

// List returns the user's notifications, the newest first. Errors: cursor.ErrInvalid
// (code INVALID_CURSOR) for a cursor of another user, of another filter or of nobody.
func (s *Service) List(ctx context.Context, p ListParams) (Page, error) {
	if p.Limit <= 0 {
		p.Limit = DefaultLimit
	}
	query := Query{UserID: p.UserID, Unread: p.Unread, Limit: min(p.Limit, MaxLimit) + 1}
	scope := cursor.Scope{p.UserID, strconv.FormatBool(p.Unread)}
	if p.Cursor != "" {
		var err error
		if query.After, err = s.position(ctx, scope, p.Cursor); err != nil {
			return Page{}, err
		}
	}
	items, err := s.store.List(ctx, query)
	if err != nil {
		return Page{}, fmt.Errorf("notify: list: %w", err)
	}
	page := Page{Items: items}
	if len(items) == query.Limit {
		page.Items = items[:query.Limit-1]
		last := page.Items[len(page.Items)-1]
		page.Next, err = s.cursors.Encode(ctx, scope, strconv.FormatInt(last.CreatedAt.UnixMicro(), 10), last.ID)
	}
	return page, err
}

func (s *Service) position(ctx context.Context, scope cursor.Scope, raw string) (Position, error) {
	parts, err := s.cursors.Decode(ctx, scope, raw, 2)
	if err != nil {
		return Position{}, err
	}
	at, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return Position{}, cursor.ErrInvalid.With(err)
	}
	return Position{CreatedAt: time.UnixMicro(at).UTC(), ID: parts[1]}, nil
}

// UnreadCount returns how many notifications the user has not read.
func (s *Service) UnreadCount(ctx context.Context, userID string) (int, error) {
	n, err := s.store.CountUnread(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("notify: count: %w", err)
	}
	return n, nil
}

// MarkRead marks the user's notifications with the ids as read, and returns how many
// were not read before. Ids of other users' notifications and of none change nothing,
// and cannot be told apart. Errors: ErrTooManyIDs.
func (s *Service) MarkRead(ctx context.Context, userID string, ids ...string) (int, error) {
	switch {
	case len(ids) > MaxIDs:
		return 0, ErrTooManyIDs
	case len(ids) == 0:
		return 0, nil
	}
	n, err := s.store.MarkRead(ctx, userID, ids, s.now())
	if err != nil {
		return 0, fmt.Errorf("notify: mark as read: %w", err)
	}
	return n, nil
}

// MarkAllRead marks what was created before the given time as read, and returns how
// many were not read before. Name the time of what the user has seen: what was sent
// since stays unread.
func (s *Service) MarkAllRead(ctx context.Context, userID string, before time.Time) (int, error) {
	now := s.now()
	if end := now.Add(time.Microsecond); before.After(end) {
		before = end // nothing is newer than now, and databases differ about distant years
	}
	n, err := s.store.MarkAllRead(ctx, userID, before.UTC(), now)
	if err != nil {
		return 0, fmt.Errorf("notify: mark all as read: %w", err)
	}
	return n, nil
}
