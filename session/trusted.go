package session

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tenon-go/tenon/internal/door"
)

// TrustedStart describes a session that the host itself vouches for.
// Its fields mean what they mean in [Session].
type TrustedStart struct {
	UserID          string
	SecurityVersion int64
	// OrganizationID defaults to the user's default organization.
	OrganizationID string
	// Channels defaults to one channel named "host".
	Channels    []string
	BrowserOnly bool
	Bearer      bool
	IP          netip.Addr
	UserAgent   string
}

// StartTrusted makes a session without a pass, for a host that has its own
// sign-in and composes this package alone: the host says that the user proved
// who they are just now and that nothing forbids them to sign in. It opens a
// transaction, or joins the one in ctx, and holds the user through
// Config.Users. A host that uses package auth never calls it, and package tenon
// doesn't (rule R2).
func (s *Service) StartTrusted(ctx context.Context, start TrustedStart) (Grant, error) {
	if start.UserID == "" {
		return Grant{}, ErrNoPass
	}
	facts := door.Facts{
		UserID:          start.UserID,
		SecurityVersion: start.SecurityVersion,
		OrganizationID:  start.OrganizationID,
		Channels:        slices.Clone(start.Channels),
		ProvenAt:        s.now(),
		BrowserOnly:     start.BrowserOnly,
		Bearer:          start.Bearer,
		IP:              start.IP,
		UserAgent:       start.UserAgent,
	}
	if len(facts.Channels) == 0 {
		facts.Channels = []string{"host"}
	}
	var grant Grant
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		if s.cfg.Users != nil {
			if err := s.cfg.Users.Hold(ctx, facts.UserID); err != nil {
				return fmt.Errorf("session: start: %w", err)
			}
		}
		var err error
		grant, err = s.start(ctx, facts)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}
