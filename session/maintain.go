package session

import (
	"context"
	"fmt"
	"time"
)

const (
	// keepEnded leaves ended sessions in the table for whoever must find out
	// what happened yesterday.
	keepEnded  = 24 * time.Hour
	pruneBatch = 1000
)

// Maintain deletes the sessions that ended more than a day ago, a thousand a
// statement, until none is left or ctx ends. Call it every hour or so; several
// processes may call it at once.
func (s *Service) Maintain(ctx context.Context) error {
	before := s.now().Add(-keepEnded)
	for {
		n, err := s.store.PruneSessions(ctx, before, pruneBatch)
		if err != nil {
			return fmt.Errorf("session: maintain: %w", err)
		}
		if n < pruneBatch {
			return nil
		}
	}
}
