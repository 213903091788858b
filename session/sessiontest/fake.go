package sessiontest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tenon-go/tenon/internal/faketx"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

// UserState is a user as a lookup sees one.
type UserState struct {
	session.User
	SecurityVersion int64
	// Banned users have no session, and neither have users that are Gone.
	Banned, Gone bool
}

// Fake is a session.Store in memory. It is safe for concurrent use; its
// transactions run one after the other.
type Fake struct {
	now func() time.Time
	mem *faketx.DB[state]

	watching sync.Mutex
	watchers []func(session.Revocation)
}

type state struct {
	rows  map[string]row // by id
	users map[string]UserState
	roles map[membership]string
	// policies are organizations', by id
	policies map[string]principal.SecondFactorPolicy
	versions map[string]int64
	log      []session.LoggedRevocation
	last     int64 // id of log
}

type row struct {
	session.Record
	revokedAt time.Time
	salt      []byte
	rotatedAt time.Time
	replays   int
	failures  int
}

type membership struct{ organizationID, userID string }

var _ session.Store = (*Fake)(nil)

// NewFake returns an empty Fake whose clock is now, or the system's if now is
// nil.
func NewFake(now func() time.Time) *Fake {
	if now == nil {
		now = time.Now
	}
	return &Fake{now: now, mem: faketx.New(
		state{rows: map[string]row{}, users: map[string]UserState{}, roles: map[membership]string{}, policies: map[string]principal.SecondFactorPolicy{}, versions: map[string]int64{}},
		func(s state) state {
			return state{
				rows: maps.Clone(s.rows), users: maps.Clone(s.users), roles: maps.Clone(s.roles), policies: maps.Clone(s.policies),
				versions: maps.Clone(s.versions),
				log:      slices.Clone(s.log), last: s.last,
			}
		})}
}

// PutUser inserts or replaces a user.
func (f *Fake) PutUser(ctx context.Context, u UserState) error {
	return f.mem.Do(ctx, func(s *state) error {
		s.users[u.ID] = u
		return nil
	})
}

// PutRole sets the user's role in the organization; an empty role ends the
// membership.
func (f *Fake) PutRole(ctx context.Context, organizationID, userID, role string) error {
	return f.mem.Do(ctx, func(s *state) error {
		s.roles[membership{organizationID, userID}] = role
		return nil
	})
}

// PutPolicy sets what the organization demands of its members.
func (f *Fake) PutPolicy(ctx context.Context, organizationID string, p principal.SecondFactorPolicy) error {
	return f.mem.Do(ctx, func(s *state) error {
		s.policies[organizationID] = p
		return nil
	})
}

// SetDown makes every call fail like an unreachable database, or work again.
func (f *Fake) SetDown(down bool) {
	if down {
		f.mem.Fail(problem.ErrUnavailable)
		return
	}
	f.mem.Fail(nil)
}

// InTx implements session.Store.
func (f *Fake) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return f.mem.InTx(ctx, fn)
}

// InTransaction implements session.Store.
func (f *Fake) InTransaction(ctx context.Context) bool { return f.mem.InTransaction(ctx) }

// Now implements session.Store.
func (f *Fake) Now() time.Time { return f.now().UTC().Truncate(time.Microsecond) }

// CreateSession implements session.Store.
func (f *Fake) CreateSession(ctx context.Context, r session.Record) error {
	return f.mem.Do(ctx, func(s *state) error {
		if _, ok := s.rows[r.ID]; ok {
			return session.ErrDuplicate
		}
		if _, ok := s.bySelector(r.Selector); ok {
			return session.ErrDuplicate
		}
		r.Channels, r.FreshChannels = slices.Clone(r.Channels), slices.Clone(r.FreshChannels)
		r.Verifier.MAC = slices.Clone(r.Verifier.MAC)
		r.Bearer = r.Generation > 0
		s.rows[r.ID] = row{Record: r}
		return nil
	})
}

// FindSession implements session.Store.
func (f *Fake) FindSession(ctx context.Context, selector string) (found session.Found, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, _ := s.bySelector(selector)
		found, err = s.find(r, false)
		return err
	})
	return found, err
}

// FindSessionByID implements session.Store.
func (f *Fake) FindSessionByID(ctx context.Context, id string) (found session.Found, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		found, err = s.find(s.rows[id], true)
		return err
	})
	return found, err
}

// FindActor implements session.Store.
func (f *Fake) FindActor(ctx context.Context, id string) (found session.Found, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		found, err = s.find(s.rows[id], false)
		return err
	})
	return found, err
}

// SessionOwner implements session.Store.
func (f *Fake) SessionOwner(ctx context.Context, id string) (userID string, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[id]
		if !ok || !r.revokedAt.IsZero() {
			return session.ErrSessionNotFound
		}
		userID = r.UserID
		return nil
	})
	return userID, err
}

// TouchSession implements session.Store.
func (f *Fake) TouchSession(ctx context.Context, t session.Touch) error {
	return f.mem.Do(ctx, func(s *state) error {
		r, ok := s.rows[t.ID]
		if !ok || !r.revokedAt.IsZero() || !r.Live(t.SeenAt) || r.LastSeenAt.After(t.Before) {
			return nil
		}
		r.LastSeenAt, r.IdleEndsAt = t.SeenAt, t.IdleEndsAt
		if r.IdleEndsAt.After(r.EndsAt) {
			r.IdleEndsAt = r.EndsAt
		}
		s.rows[t.ID] = r
		return nil
	})
}

// ListSessions implements session.Store.
func (f *Fake) ListSessions(ctx context.Context, userID string, now time.Time, limit int) (list []session.Session, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for _, r := range s.rows {
			if r.UserID == userID && s.admits(r) && r.Live(now) {
				list = append(list, r.Session)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b session.Session) int {
		return cmp.Or(b.LastSeenAt.Compare(a.LastSeenAt), cmp.Compare(b.ID, a.ID))
	})
	return list[:min(limit, len(list))], err
}

// EndSessions implements session.Store.
func (f *Fake) EndSessions(ctx context.Context, e session.Ending) (ids []string, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		spared := s.latest(e)
		for id, r := range s.rows {
			if r.UserID != e.UserID || !r.revokedAt.IsZero() || e.ID != "" && e.ID != id || r.spares(e) {
				continue
			}
			if e.KeepLatest > 0 && (spared[id] || !e.At.Before(r.IdleEndsAt)) {
				continue
			}
			if id == e.KeepID && (e.KeepVersion == 0 || r.SecurityVersion == e.KeepVersion-1) {
				r.SecurityVersion = max(r.SecurityVersion, e.KeepVersion)
			} else {
				r.revokedAt = e.At
				ids = append(ids, id)
			}
			s.rows[id] = r
		}
		return nil
	})
	slices.Sort(ids)
	return ids, err
}

// latest returns the sessions that e.KeepLatest spares.
func (s *state) latest(e session.Ending) map[string]bool {
	var live []row
	for _, r := range s.rows {
		if r.UserID == e.UserID && r.revokedAt.IsZero() && e.At.Before(r.IdleEndsAt) {
			live = append(live, r)
		}
	}
	slices.SortFunc(live, func(a, b row) int {
		return cmp.Or(b.LastSeenAt.Compare(a.LastSeenAt), cmp.Compare(b.ID, a.ID))
	})
	spared := map[string]bool{}
	for _, r := range live[:min(e.KeepLatest, len(live))] {
		spared[r.ID] = true
	}
	return spared
}

// PruneSessions implements session.Store.
func (f *Fake) PruneSessions(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.mem.Do(ctx, func(s *state) error {
		for id, r := range s.rows {
			over := r.IdleEndsAt.Before(before) || !r.revokedAt.IsZero() && r.revokedAt.Before(before)
			if over && n < limit {
				delete(s.rows, id)
				n++
			}
		}
		return nil
	})
	return n, err
}

// DeleteSessions implements session.Store.
func (f *Fake) DeleteSessions(ctx context.Context, userID string) error {
	return f.mem.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.rows, func(_ string, r row) bool { return r.UserID == userID })
		return nil
	})
}

// find returns what a lookup reads of a row, the zero one included.
func (s *state) find(r row, bearer bool) (found session.Found, err error) {
	if !s.admits(r) || r.Bearer != bearer {
		return found, session.ErrNoSession
	}
	found.Session = r.Session
	found.Session.Channels, found.Session.FreshChannels = slices.Clone(r.Channels), slices.Clone(r.FreshChannels)
	found.User = s.users[r.UserID].User
	found.Role = s.roles[membership{r.OrganizationID, r.UserID}]
	if found.Role != "" {
		found.SecondFactorPolicy, found.RolesVersion = s.policies[r.OrganizationID], s.versions[r.OrganizationID]
	}
	found.Verifier = r.Verifier
	return found, nil
}

func (s *state) bySelector(selector string) (row, bool) {
	for _, r := range s.rows {
		if r.Selector == selector {
			return r, true
		}
	}
	return row{}, false
}

// admits reports whether the row and its user let the session be.
func (s *state) admits(r row) bool {
	u, ok := s.users[r.UserID]
	return ok && r.revokedAt.IsZero() && !u.Banned && !u.Gone && u.SecurityVersion == r.SecurityVersion
}

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
