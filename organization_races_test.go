package tenon_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

// inPostgres runs fn where one transaction can wait for another.
func inPostgres(t *testing.T, fn func(t *testing.T, w *world), change ...func(*tenon.Config)) {
	t.Helper()
	t.Parallel()
	fn(t, newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...), change...))
}

// Somebody joins while the organization is deleted: whoever is a member by then is gone
// from it with everybody else, and is told (rule R3).
func TestR3_ADeletionTakesThoseAlongWhoJustJoined(t *testing.T) {
	var told []string
	inPostgres(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		org, boss, joining := owner.organization(), w.principalOf(t, owner), w.principalOf(t, guest)
		id, _ := owner.invites(guestEmail)
		w.overlap(t, func(ctx context.Context) error {
			if _, err := w.Invitations.Accept(ctx, invitation.AcceptParams{Caller: joining, ID: id}); err != nil {
				return err
			}
			_, err := w.Organizations.SetActive(ctx, joining, org)
			return err
		}, func(ctx context.Context) error {
			_, err := w.Organizations.Delete(ctx, boss, org)
			return err
		})
		assert.Equal(t, w.count(t, "tenon_organizations WHERE id = ?", org), 0)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE organization_id = ?", org), 0)
		assert.True(t, slices.Contains(told, joining.UserID), "the hooks know everybody who was a member")
	}, func(c *tenon.Config) {
		c.TenancyHooks.OrganizationDeleted = func(_ context.Context, e tenancy.OrganizationDeleted) error {
			told = e.UserIDs()
			return nil
		}
	})
}

// Where an organization can only be deleted by somebody who is alone in it, nobody who
// just joined goes with it.
func TestAnOrganizationIsDeletedOnlyByWhoIsAlone(t *testing.T) {
	inPostgres(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		org, boss, user := owner.organization(), w.principalOf(t, owner), guest.idOf()
		var refused error
		w.overlap(t, func(ctx context.Context) error {
			_, err := w.Organizations.Join(ctx, tenancy.JoinParams{OrganizationID: org, UserID: user, Role: "member"})
			return err
		}, func(ctx context.Context) error {
			_, refused = w.Organizations.Delete(ctx, boss, org)
			return nil
		})
		assert.ErrorIs(t, refused, tenancy.ErrHasMembers)
		assert.Equal(t, w.members(t, org), 1)
	}, func(c *tenon.Config) { c.Organizations.Deletion = tenancy.DeleteAlone })
}

// A role is renamed while somebody gets it: the rename is refused, because a member whose
// role exists no more would get whatever is made under the old name next.
func TestARoleIsNotRenamedUnderWhoGetsIt(t *testing.T) {
	inPostgres(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		org, boss, user := owner.organization(), w.principalOf(t, owner), guest.idOf()
		_, err := w.Organizations.CreateRole(t.Context(), boss, org, "helper", tenancy.Permissions{})
		assert.NoError(t, err)
		var refused error
		w.overlap(t, func(ctx context.Context) error {
			_, err := w.Organizations.Join(ctx, tenancy.JoinParams{OrganizationID: org, UserID: user, Role: "helper"})
			return err
		}, func(ctx context.Context) error {
			_, refused = w.Organizations.UpdateRole(ctx, tenancy.UpdateRoleParams{
				Caller: boss, OrganizationID: org, Role: tenancy.RoleRef{Name: "helper"}, Name: "assistant",
			})
			return nil
		})
		assert.ErrorIs(t, refused, tenancy.ErrRoleInUse)
		assert.Equal(t, w.count(t, "tenon_organization_roles WHERE name = 'helper'"), 1)
	})
}

// Somebody signs in while they are removed: no session is left that acts in the
// organization, and would again if they came back (rule R3).
func TestR3_ASessionDoesNotStartInAnOrganizationThatTheUserLeaves(t *testing.T) {
	inPostgres(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		org, boss, user := owner.organization(), w.principalOf(t, owner), guest.idOf()
		place := w.enlist(t, guest, org, "member")
		guest.choose(org).must(t, http.StatusOK, "")
		barrier := bundbtest.FaultsOf(w.DB).StallOn("INSERT INTO tenon_sessions", 1)
		phone, signedIn, removed := w.browser(t), make(chan int, 1), make(chan error, 1)
		go func() { signedIn <- phone.signIn(guestEmail).StatusCode }()
		barrier.Wait(t)
		go func() {
			_, err := w.Organizations.RemoveMember(bundbtest.Flow(context.WithoutCancel(t.Context())), boss, org, place)
			removed <- err
		}()
		w.untilSomebodyWaits(t, removed)
		barrier.Release()
		assert.Equal(t, <-signedIn, http.StatusOK)
		assert.NoError(t, <-removed)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE organization_id = ? AND user_id = ?", org, user), 0)
	})
}

// A team is chosen while its member is taken out of it, or while it is deleted: no
// session is left that acts in it.
func TestNoSessionKeepsATeamThatItsUserLeaves(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(ctx context.Context, w *world, boss *principal.Principal, teamID, userID string) error{
		"removed": func(ctx context.Context, w *world, boss *principal.Principal, teamID, userID string) error {
			return w.Teams.RemoveMember(ctx, boss, boss.OrganizationID, teamID, userID)
		},
		"deleted": func(ctx context.Context, w *world, boss *principal.Principal, teamID, _ string) error {
			return w.Teams.Remove(ctx, boss, boss.OrganizationID, teamID)
		},
	} {
		for _, joins := range []bool{false, true} { // in the same transaction
			if joins && name == "removed" {
				continue // who is not in it yet is not taken out
			}
			t.Run(fmt.Sprintf("%s %v", name, joins), func(t *testing.T) {
				inPostgres(t, func(t *testing.T, w *world) {
					owner := w.signedIn(t, email)
					id, boss := owner.makesTeam("One"), w.principalOf(t, owner)
					guest := w.brought(t, owner, guestEmail, "member", nil)
					chooser := w.principalOf(t, guest)
					join := func(ctx context.Context) error {
						_, err := w.Teams.AddMember(ctx, boss, boss.OrganizationID, id, chooser.UserID)
						return err
					}
					if !joins {
						assert.NoError(t, join(t.Context()))
					}
					w.overlap(t, func(ctx context.Context) error {
						if joins {
							if err := join(ctx); err != nil {
								return err
							}
						}
						if _, err := w.Teams.Choose(ctx, chooser, boss.OrganizationID, id); err != nil {
							return err
						}
						return w.Sessions.SetTeam(ctx, chooser.UserID, chooser.SessionID, boss.OrganizationID, id)
					}, func(ctx context.Context) error { return leave(ctx, w, boss, id, chooser.UserID) })
					assert.Equal(t, w.count(t, "tenon_team_members"), 0)
					assert.Equal(t, w.count(t, "tenon_sessions WHERE team_id IS NOT NULL"), 0)
				})
			})
		}
	}
}

// Whoever invites or makes a team is not in a deadlock with whoever changes their role,
// the organization's slug, or the organization.
func TestInvitingDoesNotDeadlockWithWhatChangesTheInviter(t *testing.T) {
	t.Parallel()
	type act = func(ctx context.Context, w *world, boss, admin *principal.Principal, place string) error
	slug := "another-slug"
	work := map[string]act{
		"invite": func(ctx context.Context, w *world, boss, admin *principal.Principal, _ string) error {
			_, err := w.Invitations.Invite(ctx, invitation.InviteParams{
				Caller: admin, OrganizationID: boss.OrganizationID, Email: "x@example.com", Roles: []string{"member"},
			})
			return err
		},
		"create a team": func(ctx context.Context, w *world, boss, admin *principal.Principal, _ string) error {
			_, err := w.Teams.Create(ctx, admin, boss.OrganizationID, "One")
			return err
		},
	}
	changes := map[string]act{
		"demote": func(ctx context.Context, w *world, boss, _ *principal.Principal, place string) error {
			_, err := w.Organizations.UpdateMemberRole(ctx, tenancy.UpdateMemberRoleParams{
				Caller: boss, OrganizationID: boss.OrganizationID, MemberID: place, Roles: []string{"member"},
			})
			return err
		},
		"rename": func(ctx context.Context, w *world, boss, _ *principal.Principal, _ string) error {
			_, err := w.Organizations.Update(ctx, tenancy.UpdateParams{Caller: boss, OrganizationID: boss.OrganizationID, Slug: &slug})
			return err
		},
		"delete": func(ctx context.Context, w *world, boss, _ *principal.Principal, _ string) error {
			_, err := w.Organizations.Delete(ctx, boss, boss.OrganizationID)
			return err
		},
	}
	for name, first := range work {
		for other, second := range changes {
			t.Run(name+" and "+other, func(t *testing.T) {
				inPostgres(t, func(t *testing.T, w *world) {
					owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
					boss, admin := w.principalOf(t, owner), w.principalOf(t, guest)
					place := w.enlist(t, guest, boss.OrganizationID, "admin")
					barrier := bundbtest.FaultsOf(w.DB).StallOn("FROM tenon_organizations AS o WHERE o.id = $1 FOR NO KEY UPDATE", 1)
					done := make(chan error, 1)
					go func() { done <- first(bundbtest.Flow(context.WithoutCancel(t.Context())), w, boss, admin, place) }()
					barrier.Wait(t)
					go func() {
						done <- second(bundbtest.Flow(context.WithoutCancel(t.Context())), w, boss, admin, place)
					}()
					w.untilSomebodyWaits(t, done)
					barrier.Release()
					for range 2 {
						assert.NoError(t, <-done)
					}
				})
			})
		}
	}
}

// untilSomebodyWaits returns when a transaction waits for a lock, or when somebody is
// done who did not have to.
func (w *world) untilSomebodyWaits(t *testing.T, done chan error) {
	t.Helper()
	for waiting := 0; waiting == 0 && len(done) == 0; {
		assert.NoError(t, w.db.Statement("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").
			QueryRow(bundbtest.Outside(t.Context())).Scan(&waiting))
	}
}

// An acceptance holds its user once, before it asks anything: with a deletion it leaves
// no member behind who is nobody (rule R3), whichever comes first.
func TestR3_ADeletedUserAcceptsNothing(t *testing.T) {
	t.Parallel()
	for _, deletionFirst := range []bool{true, false} {
		t.Run(fmt.Sprint(deletionFirst), func(t *testing.T) {
			inPostgres(t, func(t *testing.T, w *world) {
				owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
				joining := w.principalOf(t, guest)
				id, _ := owner.invites(guestEmail)
				accept := func(ctx context.Context) error {
					_, err := w.Invitations.Accept(ctx, invitation.AcceptParams{Caller: joining, ID: id})
					return err
				}
				remove := func(ctx context.Context) error {
					return w.Auth.DeleteUser(ctx, auth.Deletion{UserID: joining.UserID})
				}
				if deletionFirst {
					w.overlap(t, remove, accept)
				} else {
					w.overlap(t, accept, remove)
				}
				assert.Equal(t, w.count(t, "tenon_users"), 1)
				assert.Equal(t, w.count(t, "tenon_members WHERE user_id = ?", joining.UserID), 0)
				w.noOrphans(t)
			})
		})
	}
}
