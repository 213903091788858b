package sessiontest

import (
	"context"
	"slices"

	"github.com/tenon-go/tenon/session"
)

// PutRolesVersion sets the version of the organization's own roles.
func (f *Fake) PutRolesVersion(ctx context.Context, organizationID string, version int64) error {
	return f.mem.Do(ctx, func(s *state) error {
		s.versions[organizationID] = version
		return nil
	})
}

// setScope changes the user's unrevoked session if change says that it may.
func (f *Fake) setScope(ctx context.Context, userID, id string, change func(r *row) bool) error {
	return f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[id]
		if !ok || r.UserID != userID || !r.revokedAt.IsZero() || !change(&r) {
			return session.ErrSessionNotFound
		}
		s.rows[id] = r
		return nil
	})
}

// SetOrganization implements session.Store.
func (f *Fake) SetOrganization(ctx context.Context, userID, id, organizationID string) error {
	return f.setScope(ctx, userID, id, func(r *row) bool {
		if r.OrganizationID != organizationID {
			r.TeamID = ""
		}
		r.OrganizationID = organizationID
		return true
	})
}

// SetTeam implements session.Store.
func (f *Fake) SetTeam(ctx context.Context, userID, id, organizationID, teamID string) error {
	return f.setScope(ctx, userID, id, func(r *row) bool {
		r.TeamID = teamID
		return r.OrganizationID == organizationID && organizationID != ""
	})
}

// LeaveOrganization implements session.Store.
func (f *Fake) LeaveOrganization(ctx context.Context, organizationID string, userIDs []string) error {
	return f.leave(ctx, userIDs, func(r *row) {
		if r.OrganizationID == organizationID {
			r.OrganizationID, r.TeamID = "", ""
		}
	})
}

// LeaveTeam implements session.Store.
func (f *Fake) LeaveTeam(ctx context.Context, teamID string, userIDs []string) error {
	return f.leave(ctx, userIDs, func(r *row) {
		if r.TeamID == teamID {
			r.TeamID = ""
		}
	})
}

func (f *Fake) leave(ctx context.Context, userIDs []string, change func(r *row)) error {
	return f.mem.Do(ctx, func(s *state) error {
		for id, r := range s.rows {
			if slices.Contains(userIDs, r.UserID) && r.revokedAt.IsZero() {
				change(&r)
				s.rows[id] = r
			}
		}
		return nil
	})
}
