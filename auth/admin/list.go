package admin

import (
	"context"
	"fmt"
)

// Bounds of a list.
const (
	defaultLimit = 100
	maxLimit     = 500
	maxOffset    = 1_000_000
)

// Get returns one user. Errors: auth.ErrUserNotFound.
func (s *Service) Get(ctx context.Context, userID string) (Record, error) {
	r, err := s.store.Record(ctx, userID)
	if err != nil {
		return Record{}, fmt.Errorf("admin: get a user: %w", err)
	}
	return r, nil
}

// List returns the users that q selects, 100 unless it says otherwise and 500 at
// most, and how many there are in all. q.Now is set.
func (s *Service) List(ctx context.Context, q Query) ([]Record, int, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)
	q.Offset = min(max(q.Offset, 0), maxOffset)
	if q.OrderBy == "" {
		q.OrderBy = FieldCreatedAt
	}
	q.Now = s.now()
	list, total, err := s.store.Records(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("admin: list users: %w", err)
	}
	return list, total, nil
}
