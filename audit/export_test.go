package audit

import (
	"context"
	"errors"
	"time"
)

// SetVerified sets how many rows one page of a verification looks at.
func (s *Service) SetVerified(n int64) { s.verified = n }

// SetStallFor sets how long an export waits for its client.
func (h *Handler) SetStallFor(d time.Duration) { h.stallFor = d }

// Work has one sealer look for rows so many times, as Run does.
func (s *Service) Work(ctx context.Context, times int) error {
	w, err := s.newSealer()
	for range times {
		err = errors.Join(err, w.work(ctx))
	}
	return errors.Join(err, w.release(ctx))
}
