package tenancytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/team"
)

// Teams is a team.Store in the memory and the transactions of a Fake.
type Teams struct{ *Fake }

var _ team.Store = Teams{}

// CreateTeam implements team.Store.
func (f Teams) CreateTeam(ctx context.Context, t team.Team, limit int) error {
	return f.mem.Do(ctx, func(s *state) error {
		if _, ok := s.organizations[t.OrganizationID]; !ok {
			return tenancy.ErrNotFound
		}
		n := 0
		for _, other := range s.teams {
			if other.OrganizationID != t.OrganizationID {
				continue
			}
			if n++; other.Name == t.Name {
				return team.ErrNameTaken
			}
		}
		if limit > 0 && n >= limit {
			return team.ErrTooManyTeams
		}
		s.teams[t.ID] = t
		return nil
	})
}

// RenameTeam implements team.Store.
func (f Teams) RenameTeam(ctx context.Context, organizationID, id, name string, now time.Time) (t team.Team, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		found, ok := s.teams[id]
		if !ok || found.OrganizationID != organizationID {
			return team.ErrNotFound
		}
		for _, other := range s.teams {
			if other.OrganizationID == organizationID && other.Name == name && other.ID != id {
				return team.ErrNameTaken
			}
		}
		found.Name, found.UpdatedAt = name, now
		s.teams[id], t = found, found
		return nil
	})
	return t, err
}

// DeleteTeam implements team.Store.
func (f Teams) DeleteTeam(ctx context.Context, organizationID, id string) (userIDs []string, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		if t, ok := s.teams[id]; !ok || t.OrganizationID != organizationID {
			return team.ErrNotFound
		}
		for _, m := range s.places {
			if m.TeamID == id && s.isMember(organizationID, m.UserID) {
				userIDs = append(userIDs, m.UserID)
			}
		}
		delete(s.teams, id)
		maps.DeleteFunc(s.places, func(_ string, m team.Member) bool { return m.TeamID == id })
		return nil
	})
	return userIDs, err
}

// list returns the teams that fit, the oldest first.
func (f Teams) list(ctx context.Context, fits func(s *state, t team.Team) bool) (list []team.Team, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, t := range s.teams {
			if fits(s, t) {
				list = append(list, t)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b team.Team) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// Teams implements team.Store.
func (f Teams) Teams(ctx context.Context, organizationID string, ids ...string) ([]team.Team, error) {
	return f.list(ctx, func(_ *state, t team.Team) bool {
		return t.OrganizationID == organizationID && (len(ids) == 0 || slices.Contains(ids, t.ID))
	})
}

// isMember reports whether the user is a member of the organization.
func (s *state) isMember(organizationID, userID string) bool {
	for _, m := range s.members {
		if m.OrganizationID == organizationID && m.UserID == userID {
			return true
		}
	}
	return false
}

// FindForMember implements team.Store.
func (f Teams) FindForMember(ctx context.Context, userID, id string) (team.Team, error) {
	list, err := f.list(ctx, func(s *state, t team.Team) bool { return t.ID == id && s.isMember(t.OrganizationID, userID) })
	if err == nil && len(list) == 0 {
		err = team.ErrNotFound
	}
	if err != nil {
		return team.Team{}, err
	}
	return list[0], nil
}

// place returns the user's place in a team.
func (s *state) place(organizationID, teamID, userID string) (team.Member, bool) {
	for _, m := range s.places {
		if m.OrganizationID == organizationID && m.TeamID == teamID && m.UserID == userID {
			return m, true
		}
	}
	return team.Member{}, false
}

// AddMember implements team.MemberStore. In the database a place in a team ends with
// the place in the organization; here nobody else is told, so it is looked up.
func (f Teams) AddMember(ctx context.Context, m team.Member, limit int) (added team.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		if !s.isMember(m.OrganizationID, m.UserID) {
			return tenancy.ErrNotFound
		}
		if t, ok := s.teams[m.TeamID]; !ok || t.OrganizationID != m.OrganizationID {
			return team.ErrNotFound
		}
		var found bool
		if added, found = s.place(m.OrganizationID, m.TeamID, m.UserID); found {
			return nil
		}
		n := 0
		for _, other := range s.places {
			if other.TeamID == m.TeamID && s.isMember(other.OrganizationID, other.UserID) {
				n++
			}
		}
		if limit > 0 && n >= limit {
			return team.ErrTeamFull
		}
		s.places[m.ID], added = m, m
		return nil
	})
	return added, err
}

// HoldMember implements team.MemberStore.
func (f Teams) HoldMember(ctx context.Context, organizationID, teamID, userID string) (m team.Member, err error) {
	if !f.InTransaction(ctx) {
		return team.Member{}, tenancy.ErrNoTransaction
	}
	err = f.mem.Do(ctx, func(s *state) error {
		var found bool
		if m, found = s.place(organizationID, teamID, userID); !found || !s.isMember(organizationID, userID) {
			return team.ErrNotMember
		}
		return nil
	})
	return m, err
}

// RemoveMember implements team.MemberStore.
func (f Teams) RemoveMember(ctx context.Context, organizationID, teamID, userID string) (gone team.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		var found bool
		if gone, found = s.place(organizationID, teamID, userID); !found {
			return team.ErrNotMember
		}
		delete(s.places, gone.ID)
		return nil
	})
	return gone, err
}

// Members implements team.MemberStore.
func (f Teams) Members(ctx context.Context, organizationID, teamID string) (list []team.Member, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, m := range s.places {
			if m.OrganizationID == organizationID && m.TeamID == teamID && s.isMember(organizationID, m.UserID) {
				list = append(list, m)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b team.Member) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// TeamsOf implements team.MemberStore.
func (f Teams) TeamsOf(ctx context.Context, userID, organizationID string) ([]team.Team, error) {
	return f.list(ctx, func(s *state, t team.Team) bool {
		_, in := s.place(t.OrganizationID, t.ID, userID)
		return in && s.isMember(t.OrganizationID, userID) && (organizationID == "" || t.OrganizationID == organizationID)
	})
}
