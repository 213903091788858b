package tenancybun_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

// company is one organization in a database.
type company struct {
	db  *bundb.DB
	svc *tenancy.Service
	tenancy.Organization
}

// sessions remembers nothing.
type sessions struct{}

func (sessions) SetOrganization(context.Context, string, string, string) error { return nil }

func found(t *testing.T, db *bundb.DB) *company {
	t.Helper()
	svc := assert.Must(tenancy.New(tenancybun.New(db), tenancy.Config{Users: everybody{}, Sessions: sessions{}}))(t)
	return &company{db: db, svc: svc, Organization: assert.Must(create(t.Context(), db, svc, "Company"))(t)}
}

func as(userID string) *principal.Principal {
	return &principal.Principal{UserID: userID, SessionID: "s", Assurance: 1}
}

// member adds a user with the role.
func (c *company) member(t *testing.T, role string) tenancy.Member {
	t.Helper()
	return assert.Must(c.svc.Join(t.Context(), tenancy.JoinParams{OrganizationID: c.ID, UserID: uuid.NewString(), Role: role}))(t)
}

func (c *company) setRole(ctx context.Context, by, memberID, role string) error {
	_, err := c.svc.UpdateMemberRole(ctx, tenancy.UpdateMemberRoleParams{
		Caller: as(by), OrganizationID: c.ID, MemberID: memberID, Roles: []string{role},
	})
	return err
}

func (c *company) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	assert.NoError(t, c.db.Statement(query).QueryRow(bundbtest.Outside(t.Context()), args...).Scan(&n))
	return n
}

// owners fails the test unless there is one owner, who the organization says it is.
func (c *company) owners(t *testing.T) {
	t.Helper()
	assert.Equal(t, c.count(t, "SELECT count(*) FROM tenon_members WHERE organization_id = ? AND role = 'owner'", c.ID), 1)
	assert.Equal(t, c.count(t, `SELECT count(*) FROM tenon_organizations AS o JOIN tenon_members AS m
ON m.organization_id = o.id AND m.user_id = o.owner_id AND m.role = 'owner' WHERE o.id = ?`, c.ID), 1)
}

// race runs all at once, each a flow of its own, and returns their errors.
func race(t *testing.T, all ...func(ctx context.Context) error) []error {
	t.Helper()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, fn := range all {
		wg.Go(func() {
			<-start
			errs[i] = fn(bundbtest.Flow(t.Context()))
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// Sixteen admins demote each other, all at the same time. Whoever was demoted first
// demotes nobody: one is left, and nobody waits for anybody who waits for them.
func TestADemotionThatCommitsFirstWins(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		c := found(t, db)
		admins := make([]tenancy.Member, 16)
		for i := range admins {
			admins[i] = c.member(t, "admin")
		}
		var all []func(context.Context) error
		for _, by := range admins {
			all = append(all, func(ctx context.Context) error {
				for _, whom := range admins {
					if whom.ID == by.ID {
						continue
					}
					if err := c.setRole(ctx, by.UserID, whom.ID, "member"); err != nil {
						return err
					}
				}
				return nil
			})
		}
		survivors := 0
		for _, err := range race(t, all...) {
			if err == nil {
				survivors++
			} else {
				assert.ErrorIs(t, err, tenancy.NotAllowed("member", "update"))
			}
		}
		assert.Equal(t, survivors, 1)
		assert.Equal(t, c.count(t, "SELECT count(*) FROM tenon_members WHERE organization_id = ? AND role = 'admin'", c.ID), 1)
		c.owners(t)
	})
}

// Offers, acceptances, removals and demotions of the same people at the same time end
// with one owner, and with nobody stuck.
func TestR31_OneOwnerWhateverRaces(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		c := found(t, db)
		heirs := []tenancy.Member{c.member(t, "admin"), c.member(t, "member"), c.member(t, "admin")}
		expected := []error{
			nil, tenancy.ErrNoOffer, tenancy.ErrNotOwner, tenancy.ErrNotFound, tenancy.ErrMemberNotFound, tenancy.ErrUseTransfer,
			tenancy.ErrOnlyOwner, tenancy.NotAllowed("member", "update"), tenancy.NotAllowed("member", "delete"),
		}
		var all []func(context.Context) error
		for i, heir := range heirs {
			all = append(all,
				func(ctx context.Context) error {
					_, err := c.svc.OfferOwnership(ctx, as(c.OwnerID), c.ID, heir.UserID)
					return err
				},
				func(ctx context.Context) error {
					_, err := c.svc.AcceptOwnership(ctx, as(heir.UserID), c.ID)
					return err
				},
				func(ctx context.Context) error {
					_, err := c.svc.AcceptOwnership(ctx, as(heir.UserID), c.ID)
					return err
				},
				func(ctx context.Context) error { return c.setRole(ctx, c.OwnerID, heir.ID, "member") },
				func(ctx context.Context) error {
					if i > 0 {
						return c.setRole(ctx, heirs[0].UserID, heir.ID, "admin")
					}
					_, err := c.svc.Leave(ctx, as(c.OwnerID), c.ID)
					return err
				})
		}
		all = append(all, func(ctx context.Context) error {
			_, err := c.svc.RemoveMember(ctx, as(heirs[0].UserID), c.ID, heirs[2].ID)
			return err
		})
		for range 4 {
			for i, err := range race(t, all...) {
				known := false
				for _, want := range expected {
					known = known || problem.CodeOf(err) == problem.CodeOf(want)
				}
				if !known {
					t.Errorf("%d: %v", i, err)
				}
			}
			c.owners(t)
		}
	})
}

func TestR3_DeletionAgainstJoining(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		c := found(t, db)
		all := []func(context.Context) error{
			func(ctx context.Context) error { _, err := c.svc.Delete(ctx, as(c.OwnerID), c.ID); return err },
		}
		for range 15 {
			all = append(all, func(ctx context.Context) error {
				_, err := c.svc.Join(ctx, tenancy.JoinParams{OrganizationID: c.ID, UserID: uuid.NewString(), Role: "member"})
				return err
			})
		}
		errs := race(t, all...)
		assert.NoError(t, errs[0])
		for _, err := range errs[1:] {
			if err != nil {
				assert.ErrorIs(t, err, tenancy.ErrNotFound)
			}
		}
		assert.Equal(t, c.count(t, "SELECT count(*) FROM tenon_members WHERE organization_id = ?", c.ID), 0)
	})
}

// A role goes, or somebody gets it; never both.
func TestARoleIsDeletedOrGiven(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		c := found(t, db)
		m := c.member(t, "member")
		for i := range 8 {
			name := fmt.Sprintf("role_%d", i)
			assert.Must(c.svc.CreateRole(t.Context(), as(c.OwnerID), c.ID, name, tenancy.Permissions{}))(t)
			errs := race(t,
				func(ctx context.Context) error {
					return c.svc.DeleteRole(ctx, as(c.OwnerID), c.ID, tenancy.RoleRef{Name: name})
				},
				func(ctx context.Context) error {
					_, err := c.svc.Join(ctx, tenancy.JoinParams{OrganizationID: c.ID, UserID: uuid.NewString(), Role: name})
					return err
				},
				func(ctx context.Context) error { return c.setRole(ctx, c.OwnerID, m.ID, name) },
			)
			exists := c.count(t, "SELECT count(*) FROM tenon_organization_roles WHERE organization_id = ? AND name = ?", c.ID, name)
			held := c.count(t, "SELECT count(*) FROM tenon_members WHERE organization_id = ? AND role = ?", c.ID, name)
			if (errs[0] == nil) != (exists == 0) || exists == 0 && held > 0 {
				t.Errorf("%v: %d roles, %d members", errs, exists, held)
			}
			for j, want := range []error{tenancy.ErrRoleInUse, tenancy.ErrRoleNotFound, tenancy.ErrRoleNotFound} {
				if errs[j] != nil {
					assert.ErrorIs(t, errs[j], want)
				}
			}
		}
	})
}

// A place that somebody acts on is neither changed nor ended meanwhile.
func TestAHeldMembershipStays(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	c := found(t, db)
	m := c.member(t, "admin")
	lock := func(query, id string) error {
		var got string
		return db.Statement(query).QueryRow(bundbtest.Outside(t.Context()), id).Scan(&got)
	}
	const change = "SELECT id FROM tenon_members WHERE id = ? FOR NO KEY UPDATE NOWAIT"
	const govern = "SELECT id FROM tenon_organizations WHERE id = ? FOR NO KEY UPDATE NOWAIT"
	const join = "SELECT id FROM tenon_organizations WHERE id = ? FOR KEY SHARE NOWAIT"
	const destroy = "SELECT id FROM tenon_organizations WHERE id = ? FOR UPDATE NOWAIT"
	taken := func(err error) bool {
		var locked interface{ SQLState() string }
		return errors.As(err, &locked) && locked.SQLState() == "55P03"
	}
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		_, _, err := c.svc.Authorize(ctx, as(m.UserID), c.ID, "invitation", "create")
		assert.True(t, taken(lock(change, m.ID)), "the actor's place is held")
		assert.True(t, taken(lock(destroy, c.ID)), "the organization is held, too")
		assert.NoError(t, lock(govern, c.ID))
		return err
	}))
	role := assert.Must(c.svc.CreateRole(t.Context(), as(c.OwnerID), c.ID, "deputy", tenancy.Permissions{}))(t)
	const remove = "SELECT id FROM tenon_organization_roles WHERE id = ? FOR UPDATE NOWAIT"
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		_, err := c.svc.ResolveRoles(ctx, c.Organization, "member", "deputy")
		assert.True(t, taken(lock(remove, role.ID)), "a role that is about to be given is not deleted")
		return err
	}))
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		err := tenancybun.New(db).Choose(ctx, c.ID, m.UserID, db.Now())
		assert.True(t, taken(lock(destroy, c.ID)) && taken(lock(change, m.ID)), "what a session is about to act in stays")
		return err
	}))
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		_, _, err := tenancybun.New(db).LockOrganization(ctx, c.ID, m.UserID)
		assert.True(t, taken(lock(govern, c.ID)), "the organization is locked")
		assert.NoError(t, lock(join, c.ID))
		return err
	}))
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		_, _, err := tenancybun.New(db).LockOrganization(ctx, c.ID, uuid.NewString())
		assert.ErrorIs(t, err, tenancy.ErrNotFound)
		assert.NoError(t, lock(govern, c.ID)) // a stranger locks nothing
		return nil
	}))
}

// The organization is taken before the place in it: who waits for one holds nothing of
// the other, and a deletion, which takes them in this order, deadlocks with nobody.
func TestAMembershipIsHeldInTheOrderOfLocks(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	c := found(t, db)
	m := c.member(t, "admin")
	held := make(chan error, 1)
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		var pid, waiting int
		assert.NoError(t, db.Statement("SELECT pg_backend_pid() FROM tenon_organizations WHERE id = ? FOR UPDATE").QueryRow(ctx, c.ID).Scan(&pid))
		go func() {
			held <- db.InTx(bundbtest.Flow(context.WithoutCancel(t.Context())), func(ctx context.Context) error {
				_, _, err := tenancybun.New(db).HoldMembership(ctx, c.ID, m.UserID)
				return err
			})
		}()
		for waiting == 0 {
			const query = "SELECT count(*) FROM pg_stat_activity WHERE CAST(? AS integer) = ANY (pg_blocking_pids(pid))"
			assert.NoError(t, db.Statement(query).QueryRow(bundbtest.Outside(t.Context()), pid).Scan(&waiting))
		}
		var id string
		return db.Statement("SELECT id FROM tenon_members WHERE id = ? FOR UPDATE NOWAIT").QueryRow(ctx, m.ID).Scan(&id)
	}))
	assert.NoError(t, <-held)
}

func TestPromise1_EveryChangeIsAtomic(t *testing.T) {
	t.Parallel()
	name := "Renamed"
	for what, op := range map[string]func(t *testing.T, c *company) func(context.Context) error{
		"create": func(_ *testing.T, c *company) func(context.Context) error {
			return func(ctx context.Context) error {
				_, _, err := c.svc.Create(ctx, tenancy.CreateParams{Caller: as(c.OwnerID), Name: "N", Slug: "n"})
				return err
			}
		},
		"update": func(_ *testing.T, c *company) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := c.svc.Update(ctx, tenancy.UpdateParams{Caller: as(c.OwnerID), OrganizationID: c.ID, Name: &name})
				return err
			}
		},
		"delete": func(t *testing.T, c *company) func(context.Context) error {
			c.member(t, "admin")
			return func(ctx context.Context) error { _, err := c.svc.Delete(ctx, as(c.OwnerID), c.ID); return err }
		},
		"join": func(_ *testing.T, c *company) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := c.svc.Join(ctx, tenancy.JoinParams{OrganizationID: c.ID, UserID: "u", Role: "member"})
				return err
			}
		},
		"role": func(t *testing.T, c *company) func(context.Context) error {
			m := c.member(t, "member")
			return func(ctx context.Context) error { return c.setRole(ctx, c.OwnerID, m.ID, "admin") }
		},
		"remove": func(t *testing.T, c *company) func(context.Context) error {
			m := c.member(t, "member")
			return func(ctx context.Context) error {
				_, err := c.svc.RemoveMember(ctx, as(c.OwnerID), c.ID, m.ID)
				return err
			}
		},
		"leave": func(t *testing.T, c *company) func(context.Context) error {
			m := c.member(t, "member")
			return func(ctx context.Context) error { _, err := c.svc.Leave(ctx, as(m.UserID), c.ID); return err }
		},
		"set active": func(_ *testing.T, c *company) func(context.Context) error {
			return func(ctx context.Context) error { _, err := c.svc.SetActive(ctx, as(c.OwnerID), c.ID); return err }
		},
		"offer": func(t *testing.T, c *company) func(context.Context) error {
			m := c.member(t, "member")
			return func(ctx context.Context) error {
				_, err := c.svc.OfferOwnership(ctx, as(c.OwnerID), c.ID, m.UserID)
				return err
			}
		},
		"accept": func(t *testing.T, c *company) func(context.Context) error {
			m := c.member(t, "member")
			assert.Must(c.svc.OfferOwnership(t.Context(), as(c.OwnerID), c.ID, m.UserID))(t)
			return func(ctx context.Context) error { _, err := c.svc.AcceptOwnership(ctx, as(m.UserID), c.ID); return err }
		},
		"create a role": func(_ *testing.T, c *company) func(context.Context) error {
			return func(ctx context.Context) error {
				_, err := c.svc.CreateRole(ctx, as(c.OwnerID), c.ID, "r", tenancy.Permissions{"team": {"create"}})
				return err
			}
		},
		"delete a role": func(t *testing.T, c *company) func(context.Context) error {
			assert.Must(c.svc.CreateRole(t.Context(), as(c.OwnerID), c.ID, "r", tenancy.Permissions{}))(t)
			return func(ctx context.Context) error {
				return c.svc.DeleteRole(ctx, as(c.OwnerID), c.ID, tenancy.RoleRef{Name: "r"})
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
				bundbtest.RequireAtomic(t, db, op(t, found(t, db)))
			})
		})
	}
}
