package session

import (
	"context"
	"fmt"
)

// maxListed bounds a list; who has more sessions ends them all at once.
const maxListed = 500

// Device is a session as its owner sees it in a list.
type Device struct {
	Session Session
	// Name says in words where the session is, such as "Firefox on Windows". It
	// is made of fixed words only.
	Name string
	// Current marks the session that asks.
	Current bool
}

// List returns the user's live sessions, the most recently used first, 500 at
// most (ASVS 7.5.2). currentID marks the one that asks.
func (s *Service) List(ctx context.Context, userID, currentID string) ([]Device, error) {
	sessions, err := s.store.ListSessions(ctx, userID, s.now(), maxListed)
	if err != nil {
		return nil, fmt.Errorf("session: list: %w", err)
	}
	devices := make([]Device, 0, len(sessions))
	for _, found := range sessions {
		devices = append(devices, Device{
			Session: found,
			Name:    DeviceName(found.UserAgent),
			Current: found.ID == currentID,
		})
	}
	return devices, nil
}
