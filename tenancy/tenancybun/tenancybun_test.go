package tenancybun_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

func schemas() []bundb.Schema { return []bundb.Schema{tenancybun.Schema()} }

type swapped struct{ *tenancybun.Store }

func TestStore(t *testing.T) {
	t.Parallel()
	watch := tenants(t, excusedOrganizations()...).Lint(t)
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenancytest.TestStore(t, func(t *testing.T) tenancytest.Env {
				db := open(t, schemas()...)
				watch(db)
				broken := bundbtest.Broken(t, db)
				store := &swapped{tenancybun.New(db)}
				return tenancytest.Env{Store: store, Join: func(ctx context.Context, m tenancy.Member) error { return join(ctx, db, m) }, Break: func() { store.Store = tenancybun.New(broken) }}
			})
		})
	}
}

// join adds a member.
func join(ctx context.Context, db *bundb.DB, m tenancy.Member) error {
	_, err := db.Statement("INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) VALUES (?, ?, ?, ?, ?)").
		Exec(ctx, m.ID, m.OrganizationID, m.UserID, m.Role, m.CreatedAt)
	return err
}

// everybody are users who are never gone.
type everybody struct{}

func (everybody) Hold(context.Context, string) error { return nil }

func newService(t *testing.T, db *bundb.DB) *tenancy.Service {
	t.Helper()
	return assert.Must(tenancy.New(tenancybun.New(db), tenancy.Config{Users: everybody{}}))(t)
}

func create(ctx context.Context, db *bundb.DB, svc *tenancy.Service, name string) (o tenancy.Organization, err error) {
	err = db.InTx(ctx, func(ctx context.Context) error {
		o, err = svc.CreateDefault(ctx, uuid.NewString(), name)
		return err
	})
	return o, err
}

func TestCreateDefaultIsAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc := newService(t, db)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			_, err := create(ctx, db, svc, "Ada's organization")
			return err
		})
	})
}

func TestConcurrentDefaultsOfOneNameGetDistinctSlugs(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc := newService(t, db)
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			slugs = map[string]bool{}
		)
		for range 16 {
			wg.Go(func() {
				o, err := create(bundbtest.Flow(t.Context()), db, svc, "Ada's organization")
				if err != nil {
					t.Errorf("create: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				slugs[o.Slug] = strings.HasPrefix(o.Slug, "adas-organization-")
			})
		}
		wg.Wait()
		assert.Equal(t, len(slugs), 16)
		assert.False(t, slugs[""], "each has a slug")
	})
}

func TestR31_TheDatabaseAllowsExactlyOneOwner(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		o := assert.Must(create(t.Context(), db, newService(t, db), "Ada"))(t)
		other := uuid.NewString()
		add := exec{
			"INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) VALUES (?, ?, ?, ?, ?)",
			[]any{uuid.NewString(), o.ID, other, "member", db.Now()},
		}
		assert.NoError(t, run(t, db, add))
		for name, steps := range map[string][]exec{
			"the owner leaves":      {{"DELETE FROM tenon_members WHERE user_id = ?", []any{o.OwnerID}}},
			"the owner is demoted":  {{"UPDATE tenon_members SET role = 'admin' WHERE user_id = ?", []any{o.OwnerID}}},
			"a second owner":        {{"UPDATE tenon_members SET role = 'owner' WHERE user_id = ?", []any{other}}},
			"a second owner's list": {{"UPDATE tenon_members SET role = 'admin,owner' WHERE user_id = ?", []any{other}}},
			"an owner without role": {{"UPDATE tenon_organizations SET owner_id = ?", []any{other}}},
			"a stranger owns":       {{"UPDATE tenon_organizations SET owner_id = ?", []any{uuid.NewString()}}},
			"nobody owns":           {{"UPDATE tenon_organizations SET owner_id = NULL", nil}},
			"another owner's role":  {{"UPDATE tenon_organizations SET owner_role = 'member'", nil}},
			"a second membership":   {{add.query, []any{uuid.NewString(), o.ID, other, "admin", db.Now()}}},
			"a place in nothing":    {{add.query, []any{uuid.NewString(), uuid.NewString(), other, "member", db.Now()}}},
		} {
			if err := run(t, db, steps...); err == nil {
				t.Errorf("%s: the database allows it", name)
			}
		}
		assert.NoError(t, run(t, db, // a transfer
			exec{"UPDATE tenon_members SET role = 'admin' WHERE user_id = ?", []any{o.OwnerID}},
			exec{"UPDATE tenon_members SET role = 'owner' WHERE user_id = ?", []any{other}},
			exec{"UPDATE tenon_organizations SET owner_id = ? WHERE id = ?", []any{other, o.ID}}))
		assert.NoError(t, run(t, db, exec{"DELETE FROM tenon_organizations WHERE id = ?", []any{o.ID}}))
		assert.ErrorIs(t, db.InTx(t.Context(), func(ctx context.Context) error {
			_, err := tenancybun.New(db).HoldFirst(ctx, other)
			return err
		}), tenancy.ErrNotFound)
	})
}

type exec struct {
	query string
	args  []any
}

func run(t *testing.T, db *bundb.DB, steps ...exec) error {
	t.Helper()
	return db.InTx(t.Context(), func(ctx context.Context) error {
		for _, step := range steps {
			if _, err := db.Statement(step.query).Exec(ctx, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestR3_AHeldOrganizationIsNotDeleted(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	store := tenancybun.New(db)
	o := assert.Must(create(t.Context(), db, newService(t, db), "Ada"))(t)
	lock := func() error { // what a deletion begins with
		var id string
		return db.Statement("SELECT id FROM tenon_organizations WHERE id = ? FOR UPDATE NOWAIT").
			QueryRow(bundbtest.Outside(t.Context()), o.ID).Scan(&id)
	}
	for _, hold := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := store.HoldOrganization(ctx, o.ID); return err },
		func(ctx context.Context) error {
			_, err := store.HoldFirst(ctx, o.OwnerID)
			return err
		},
	} {
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			assert.NoError(t, hold(ctx))
			var locked interface{ SQLState() string }
			assert.True(t, errors.As(lock(), &locked) && locked.SQLState() == "55P03", "the row is held")
			return nil
		}))
		assert.NoError(t, lock())
	}
}

func TestR3_WhoWaitsForADeletionGetsTheNextOrganization(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	store, svc := tenancybun.New(db), newService(t, db)
	first := assert.Must(create(t.Context(), db, svc, "First"))(t)
	second := assert.Must(create(t.Context(), db, svc, "Second"))(t)
	assert.NoError(t, run(t, db, exec{
		"INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) VALUES (?, ?, ?, 'member', ?)",
		[]any{uuid.NewString(), second.ID, first.OwnerID, db.Now()},
	}))
	got := make(chan string, 1)
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		assert.Must(db.Statement("DELETE FROM tenon_organizations WHERE id = ?").Exec(ctx, first.ID))(t)
		go func() {
			var id string
			_ = db.InTx(bundbtest.Outside(t.Context()), func(ctx context.Context) (err error) {
				id, err = store.HoldFirst(ctx, first.OwnerID)
				return err
			})
			got <- id
		}()
		for waiting := 0; waiting == 0; { // until the other transaction meets the lock
			if err := db.Statement("SELECT count(*) FROM pg_locks WHERE NOT granted").QueryRow(ctx).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	}))
	assert.Equal(t, <-got, second.ID)
}

func TestMigrationsGoUpAndDownAndUp(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		for range 2 {
			assert.Must(db.Migrate(t.Context(), tenancybun.Schema()))(t)
			assert.Must(create(t.Context(), db, newService(t, db), "Ada"))(t)
			assert.Must(db.Rollback(t.Context(), tenancybun.Schema(), 0))(t)
			_, err := create(t.Context(), db, newService(t, db), "Ada")
			assert.Error(t, err)
		}
	})
}

func TestPromise1_ThePolicyIsAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc := newService(t, db)
		o := assert.Must(create(t.Context(), db, svc, "Ada"))(t)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			_, err := svc.SetSecondFactorPolicy(ctx, tenancy.SecondFactorParams{
				OrganizationID: o.ID, Caller: &principal.Principal{UserID: o.OwnerID, Assurance: 2}, Required: true,
			})
			return err
		})
	})
}
