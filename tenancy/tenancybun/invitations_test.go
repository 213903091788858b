package tenancybun_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

type swappedInvitations struct{ *tenancybun.Invitations }

func TestInvitations(t *testing.T) {
	t.Parallel()
	watch := tenants(t, excusedInvitations()...).Lint(t)
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenancytest.TestInvitations(t, func(t *testing.T) tenancytest.InvitationsEnv {
				db := open(t, schemas()...)
				watch(db)
				broken := bundbtest.Broken(t, db)
				store := &swappedInvitations{tenancybun.NewInvitations(db)}
				return tenancytest.InvitationsEnv{
					Env: tenancytest.Env{
						Store: tenancybun.New(db), Join: func(ctx context.Context, m tenancy.Member) error { return join(ctx, db, m) },
						Break: func() { store.Invitations = tenancybun.NewInvitations(broken) },
					},
					Invitations: store,
				}
			})
		})
	}
}

// teamStore has another name than one of its methods.
type teamStore = tenancybun.Teams

type swappedTeams struct{ *teamStore }

func TestTeams(t *testing.T) {
	t.Parallel()
	watch := tenants(t, excusedTeams()...).Lint(t)
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenancytest.TestTeams(t, func(t *testing.T) tenancytest.TeamsEnv {
				db := open(t, schemas()...)
				watch(db)
				broken := bundbtest.Broken(t, db)
				store := &swappedTeams{tenancybun.NewTeams(db)}
				return tenancytest.TeamsEnv{
					Env: tenancytest.Env{
						Store: tenancybun.New(db), Join: func(ctx context.Context, m tenancy.Member) error { return join(ctx, db, m) },
						Break: func() { store.teamStore = tenancybun.NewTeams(broken) },
					},
					Teams: store,
				}
			})
		})
	}
}
