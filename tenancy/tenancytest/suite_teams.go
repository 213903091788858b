package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/team"
)

// TeamsEnv is a team.Store under test, with the store of its organizations.
type TeamsEnv struct {
	Env

	Teams team.Store
}

// TestTeams holds the stores that open returns to the contract at team.Store. Each
// call of open yields an empty store.
func TestTeams(t *testing.T, open func(t *testing.T) TeamsEnv) {
	t.Helper()
	for name, test := range map[string]func(*teaming, *testing.T){
		"create keeps every field, and lists are in order": (*teaming).testCreate,
		"a name is one team's, in one organization":        (*teaming).testNames,
		"16 concurrent creations do not pass the limit":    (*teaming).testLimit,
		"rename changes the name and the time":             (*teaming).testRename,
		"members are the organization's, once":             (*teaming).testMembers,
		"16 concurrent members do not pass the limit":      (*teaming).testFull,
		"16 concurrent additions of one make one place":    (*teaming).testAddRace,
		"promise 7 the neighbour's is not found":           (*teaming).testNeighbours,
		"places end with the team and the membership":      (*teaming).testEnds,
		"an outage is not \"not found\"":                   (*teaming).testDown,
		"a cancelled context changes nothing":              (*teaming).testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := open(t)
			w := &teaming{world: &world{Env: env.Env}, store: env.Teams}
			w.now = env.Store.Now()
			test(w, t)
		})
	}
}

// teaming is a world with teams.
type teaming struct {
	*world

	store team.Store
}

func (w *teaming) describe(o tenancy.Organization, name string) team.Team {
	return team.Team{ID: newID(), OrganizationID: o.ID, Name: name, CreatedAt: w.now, UpdatedAt: w.now}
}

func (w *teaming) make(t *testing.T, o tenancy.Organization, name string) team.Team {
	t.Helper()
	made := w.describe(o, name)
	assert.NoError(t, w.store.CreateTeam(t.Context(), made, 0))
	return made
}

func (w *teaming) place(made team.Team, userID string) team.Member {
	return team.Member{ID: newID(), OrganizationID: made.OrganizationID, TeamID: made.ID, UserID: userID, CreatedAt: w.now}
}

func (w *teaming) teams(t *testing.T, organizationID string, ids ...string) []team.Team {
	t.Helper()
	return assert.Must(w.store.Teams(t.Context(), organizationID, ids...))(t)
}

func (w *teaming) testCreate(t *testing.T) {
	o, _ := w.create(t, newID())
	assert.Len(t, w.teams(t, o.ID), 0)
	late := w.describe(o, "Ünïcode & Söhne")
	late.CreatedAt, late.UpdatedAt = w.now.Add(time.Microsecond), w.now.Add(time.Second)
	assert.NoError(t, w.store.CreateTeam(t.Context(), late, 1))
	early := w.make(t, o, "early")
	assert.Equal(t, w.teams(t, o.ID), []team.Team{early, late})
	assert.Equal(t, w.teams(t, o.ID, late.ID, newID()), []team.Team{late})
	assert.ErrorIs(t, w.store.CreateTeam(t.Context(), w.describe(tenancy.Organization{ID: newID()}, "x"), 0), tenancy.ErrNotFound)
}

func (w *teaming) testNames(t *testing.T) {
	o, _ := w.create(t, newID())
	other, _ := w.create(t, newID())
	first := w.make(t, o, "one")
	w.make(t, other, "one")
	second := w.describe(o, "two")
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.store.CreateTeam(ctx, w.describe(o, "one"), 0), team.ErrNameTaken)
		assert.NoError(t, w.store.CreateTeam(ctx, second, 0))
		_, err := w.store.RenameTeam(ctx, o.ID, second.ID, "one", w.now)
		assert.ErrorIs(t, err, team.ErrNameTaken)
		_, err = w.store.RenameTeam(ctx, o.ID, first.ID, "one", w.now) // its own
		return err
	}))
	assert.Len(t, w.teams(t, o.ID), 2)
	assert.Equal(t, compete(t, team.ErrNameTaken, func(int) error {
		return w.store.CreateTeam(t.Context(), w.describe(o, "three"), 0)
	}), 1)
}

func (w *teaming) testLimit(t *testing.T) {
	o, _ := w.create(t, newID())
	assert.Equal(t, compete(t, team.ErrTooManyTeams, func(n int) error {
		return w.store.CreateTeam(t.Context(), w.describe(o, fmt.Sprint(n)), 3)
	}), 3)
	assert.Len(t, w.teams(t, o.ID), 3)
}

func (w *teaming) testRename(t *testing.T) {
	o, _ := w.create(t, newID())
	made, bystander := w.make(t, o, "one"), w.make(t, o, "two")
	got, err := w.store.RenameTeam(t.Context(), o.ID, made.ID, "three", w.now.Add(time.Minute))
	assert.NoError(t, err)
	made.Name, made.UpdatedAt = "three", w.now.Add(time.Minute)
	assert.Equal(t, got, made)
	assert.Equal(t, w.teams(t, o.ID, made.ID), []team.Team{made})
	assert.Equal(t, w.teams(t, o.ID, bystander.ID), []team.Team{bystander})
}

func (w *teaming) testMembers(t *testing.T) {
	o, owner := w.create(t, newID())
	made := w.make(t, o, "one")
	late := w.place(made, owner.UserID)
	late.CreatedAt = w.now.Add(time.Second)
	got, err := w.store.AddMember(t.Context(), late, 1)
	assert.NoError(t, err)
	assert.Equal(t, got, late)
	again, err := w.store.AddMember(t.Context(), w.place(made, owner.UserID), 1)
	assert.NoError(t, err)
	assert.Equal(t, again, late) // the place that there is, whatever the limit
	_, err = w.store.AddMember(t.Context(), w.place(made, newID()), 0)
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	member := w.join(t, o.ID, newID(), "member", time.Second)
	_, err = w.store.AddMember(t.Context(), w.place(made, member.UserID), 1)
	assert.ErrorIs(t, err, team.ErrTeamFull)
	early, err := w.store.AddMember(t.Context(), w.place(made, member.UserID), 2)
	assert.NoError(t, err)
	assert.Equal(t, assert.Must(w.store.Members(t.Context(), o.ID, made.ID))(t), []team.Member{early, late})
	w.make(t, o, "two")
	for organization, want := range map[string]int{"": 1, o.ID: 1, newID(): 0} {
		assert.Len(t, assert.Must(w.store.TeamsOf(t.Context(), member.UserID, organization))(t), want)
	}
	gone, err := w.store.RemoveMember(t.Context(), o.ID, made.ID, member.UserID)
	assert.NoError(t, err)
	assert.Equal(t, gone, early)
	_, err = w.store.RemoveMember(t.Context(), o.ID, made.ID, member.UserID)
	assert.ErrorIs(t, err, team.ErrNotMember)
	assert.Equal(t, assert.Must(w.store.Members(t.Context(), o.ID, made.ID))(t), []team.Member{late})
}

func (w *teaming) testFull(t *testing.T) {
	o, _ := w.create(t, newID())
	made := w.make(t, o, "one")
	users := make([]string, 16)
	for n := range users {
		users[n] = w.join(t, o.ID, newID(), "member", time.Second).UserID
	}
	assert.Equal(t, compete(t, team.ErrTeamFull, func(n int) error {
		_, err := w.store.AddMember(t.Context(), w.place(made, users[n]), 3)
		return err
	}), 3)
	assert.Len(t, assert.Must(w.store.Members(t.Context(), o.ID, made.ID))(t), 3)
}

func (w *teaming) testAddRace(t *testing.T) {
	o, owner := w.create(t, newID())
	made := w.make(t, o, "one")
	assert.Equal(t, compete(t, nil, func(int) error {
		_, err := w.store.AddMember(t.Context(), w.place(made, owner.UserID), 1)
		return err
	}), 16)
	assert.Len(t, assert.Must(w.store.Members(t.Context(), o.ID, made.ID))(t), 1)
}

func (w *teaming) testNeighbours(t *testing.T) {
	o, owner := w.create(t, newID())
	other, neighbour := w.create(t, newID())
	made := w.make(t, o, "one")
	_, err := w.store.AddMember(t.Context(), w.place(made, owner.UserID), 0)
	assert.NoError(t, err)
	w.join(t, other.ID, owner.UserID, "member", time.Second) // a member of both
	astray := w.place(made, owner.UserID)
	astray.OrganizationID = other.ID
	for name, call := range map[string]func() error{
		"rename": func() error {
			_, err := w.store.RenameTeam(t.Context(), other.ID, made.ID, "two", w.now)
			return err
		},
		"delete": func() error {
			_, err := w.store.DeleteTeam(t.Context(), other.ID, made.ID)
			return err
		},
		"find": func() error {
			_, err := w.store.FindForMember(t.Context(), neighbour.UserID, made.ID)
			return err
		},
		"add": func() error {
			_, err := w.store.AddMember(t.Context(), astray, 0)
			return err
		},
	} {
		if err := call(); !errors.Is(err, team.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.store.RemoveMember(t.Context(), other.ID, made.ID, owner.UserID)
	assert.ErrorIs(t, err, team.ErrNotMember)
	assert.ErrorIs(t, w.hold(t, w.place(team.Team{ID: made.ID, OrganizationID: other.ID}, owner.UserID)), team.ErrNotMember)
	assert.ErrorIs(t, w.hold(t, w.place(made, newID())), team.ErrNotMember)
	assert.NoError(t, w.hold(t, w.place(made, owner.UserID)))
	_, err = w.store.HoldMember(t.Context(), o.ID, made.ID, owner.UserID)
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
	assert.Len(t, assert.Must(w.store.Members(t.Context(), other.ID, made.ID))(t), 0)
	assert.Len(t, w.teams(t, other.ID, made.ID), 0)
	found, err := w.store.FindForMember(t.Context(), owner.UserID, made.ID)
	assert.NoError(t, err)
	assert.Equal(t, found, made)
	assert.Len(t, assert.Must(w.store.Members(t.Context(), o.ID, made.ID))(t), 1)
}

// hold asks for a place in a transaction.
func (w *teaming) hold(t *testing.T, m team.Member) error {
	t.Helper()
	return w.Store.InTx(t.Context(), func(ctx context.Context) error {
		held, err := w.store.HoldMember(ctx, m.OrganizationID, m.TeamID, m.UserID)
		if err == nil {
			assert.Equal(t, [2]string{held.TeamID, held.UserID}, [2]string{m.TeamID, m.UserID})
		}
		return err
	})
}

func (w *teaming) testEnds(t *testing.T) {
	o, owner := w.create(t, newID())
	one, two := w.make(t, o, "one"), w.make(t, o, "two")
	member := w.join(t, o.ID, newID(), "member", time.Second)
	for _, made := range []team.Team{one, two} {
		for _, user := range []string{owner.UserID, member.UserID} {
			_, err := w.store.AddMember(t.Context(), w.place(made, user), 0)
			assert.NoError(t, err)
		}
	}
	gone, err := w.store.DeleteTeam(t.Context(), o.ID, one.ID)
	assert.NoError(t, err)
	want := []string{owner.UserID, member.UserID}
	slices.Sort(gone)
	slices.Sort(want)
	assert.Equal(t, gone, want)
	_, err = w.store.DeleteTeam(t.Context(), o.ID, one.ID)
	assert.ErrorIs(t, err, team.ErrNotFound)
	assert.Len(t, assert.Must(w.store.TeamsOf(t.Context(), member.UserID, ""))(t), 1)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := w.Store.RemoveMemberships(ctx, member.UserID)
		return err
	}))
	assert.Len(t, assert.Must(w.store.TeamsOf(t.Context(), member.UserID, ""))(t), 0)
	assert.Len(t, assert.Must(w.store.Members(t.Context(), o.ID, two.ID))(t), 1)
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.DeleteOrganization(ctx, o.ID) }))
	assert.Len(t, w.teams(t, o.ID), 0)
	assert.Len(t, assert.Must(w.store.TeamsOf(t.Context(), owner.UserID, ""))(t), 0)
}

// calls are all methods, by name.
func (w *teaming) calls(made, free team.Team, m team.Member) map[string]func(ctx context.Context) error {
	drop := func(_ any, err error) error { return err }
	return map[string]func(ctx context.Context) error{
		"create": func(ctx context.Context) error { return w.store.CreateTeam(ctx, free, 0) },
		"rename": func(ctx context.Context) error {
			return drop(w.store.RenameTeam(ctx, made.OrganizationID, made.ID, "x", w.now))
		},
		"delete": func(ctx context.Context) error { return drop(w.store.DeleteTeam(ctx, made.OrganizationID, made.ID)) },
		"hold": func(ctx context.Context) error {
			return w.store.InTx(ctx, func(ctx context.Context) error {
				return drop(w.store.HoldMember(ctx, m.OrganizationID, m.TeamID, m.UserID))
			})
		},
		"teams": func(ctx context.Context) error { return drop(w.store.Teams(ctx, made.OrganizationID)) },
		"find":  func(ctx context.Context) error { return drop(w.store.FindForMember(ctx, m.UserID, made.ID)) },
		"add":   func(ctx context.Context) error { return drop(w.store.AddMember(ctx, m, 0)) },
		"remove": func(ctx context.Context) error {
			return drop(w.store.RemoveMember(ctx, m.OrganizationID, m.TeamID, m.UserID))
		},
		"members": func(ctx context.Context) error { return drop(w.store.Members(ctx, made.OrganizationID, made.ID)) },
		"of":      func(ctx context.Context) error { return drop(w.store.TeamsOf(ctx, m.UserID, "")) },
	}
}

func (w *teaming) testDown(t *testing.T) {
	o, owner := w.create(t, newID())
	made := w.make(t, o, "one")
	w.Break()
	for name, call := range w.calls(made, w.describe(o, "two"), w.place(made, owner.UserID)) {
		err := call(t.Context())
		if !errors.Is(err, problem.ErrUnavailable) || problem.KindOf(err) == problem.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (w *teaming) testCancelled(t *testing.T) {
	o, owner := w.create(t, newID())
	made := w.make(t, o, "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range w.calls(made, w.describe(o, "two"), w.place(made, owner.UserID)) {
		if err := call(ctx); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	assert.Equal(t, w.teams(t, o.ID), []team.Team{made})
	assert.Len(t, assert.Must(w.store.Members(t.Context(), o.ID, made.ID))(t), 0)
}
