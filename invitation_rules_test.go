package tenon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/invited"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
	"github.com/tenon-go/tenon/token"
)

var errNoSeat = problem.New(problem.QuotaExceeded, "NO_SEAT", "There is no seat left.")

// seats is a host's own count of members, taken in the transaction that makes one.
func seats(c *tenon.Config) {
	c.TenancyHooks.BeforeMemberJoined = func(ctx context.Context, e tenancy.MemberJoined) error {
		if e.Member.Role == tenancy.RoleOwner {
			return nil
		}
		taken, err := c.DB.Statement("UPDATE seats SET used = used + 1 WHERE organization_id = ? AND used < 2").Exec(ctx, e.Organization.ID)
		if err != nil {
			return err
		}
		if n, err := taken.RowsAffected(); err != nil || n == 0 {
			return errNoSeat
		}
		return nil
	}
}

// principalOf is who a browser is signed in as.
func (w *world) principalOf(t *testing.T, b *browser) *principal.Principal {
	t.Helper()
	return w.caller(t, b).Principal
}

// Seat limit 2, 5 invitations, 3 concurrent accepts of each over HTTP: 2 members, 2
// seats, 2 of everything that is written about it, 3 invitations still pending.
func TestPromise5_SeatsAreNeverOverAdmitted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		assert.Must(w.db.Statement("CREATE TABLE seats (organization_id TEXT PRIMARY KEY, used INTEGER NOT NULL)").Exec(t.Context()))(t)
		owner := w.signedIn(t, email)
		org := owner.organization()
		assert.Must(w.db.Statement("INSERT INTO seats (organization_id, used) VALUES (?, 0)").Exec(t.Context(), org))(t)
		ids, guests := map[string]string{}, map[string]*browser{}
		for i := range 5 {
			to := fmt.Sprintf("guest%d@example.com", i)
			guests[to] = w.signedIn(t, to)
			ids[to], _ = owner.invites(to)
		}
		var (
			group sync.WaitGroup
			mu    sync.Mutex
			won   = map[string]int{}
			start = make(chan struct{})
		)
		for to, guest := range guests {
			for range 3 {
				group.Go(func() {
					<-start
					got := guest.post(pathAccept, map[string]any{"invitationId": ids[to]})
					mu.Lock()
					defer mu.Unlock()
					code := ""
					if got.StatusCode != http.StatusOK {
						code = got.code(t)
					}
					switch code {
					case "":
						won[to]++
					case "NO_SEAT", "INVITATION_NOT_FOUND":
					default:
						t.Errorf("%s: %d %s", to, got.StatusCode, got.body)
					}
				})
			}
		}
		close(start)
		group.Wait()
		assert.Equal(t, len(won), 2)
		for to, n := range won {
			assert.Equal(t, n, 1)
			assert.Equal(t, w.count(t, "tenon_invitations WHERE status = 'accepted' AND email = ?", to), 1)
		}
		assert.Equal(t, w.members(t, org), 2)
		assert.Equal(t, w.count(t, "seats WHERE used = 2"), 1)
		assert.Equal(t, w.pending(t), 3)
		for _, event := range []string{"InvitationAccepted", "MemberJoined"} { // the owner joined, too
			assert.Equal(t, w.count(t, "tenon_audit_entries WHERE organization_id = ? AND event = ? AND actor_id <> ?", org, event, owner.idOf()), 2)
		}
		assert.Equal(t, w.count(t, "tenon_notifications WHERE organization_id = ?", org), 2)
		assert.Equal(t, w.count(t, "tenon_notifications WHERE organization_id = ? AND user_id = ? AND type = 'organization.member-joined'", org, owner.idOf()), 2)
	}, seats)
}

func TestR21_OfConcurrentAcceptsOneSucceeds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		_, secret := owner.invites(guestEmail)
		caller := w.principalOf(t, guest)
		assert.Equal(t, w.race(t, token.ErrInvalid, func(ctx context.Context) error {
			_, err := w.Invitations.Accept(ctx, invitation.AcceptParams{Caller: caller, Token: secret})
			return err
		}), 1)
		assert.Equal(t, w.members(t, owner.organization()), 1)
	})
}

// newcomers is the service that App keeps behind its handler.
func (w *world) newcomers(t *testing.T) *invited.Service {
	t.Helper()
	return assert.Must(invited.New(authbun.New(w.DB), invited.Config{
		Users: w.Auth, Invitations: offers{w}, SignInURL: base, Now: w.db.Now,
	}))(t)
}

type offers struct{ w *world }

func (o offers) Offer(ctx context.Context, secret string) (invited.Offer, error) {
	offer, err := o.w.Invitations.Peek(ctx, secret)
	return invited.Offer{
		InvitationID: offer.Invitation.ID, OrganizationID: offer.Organization.ID, Organization: offer.Organization.Name,
		Email: offer.Invitation.Address.Display,
	}, err
}

func (o offers) Welcome(ctx context.Context, secret, userID string) error {
	_, err := o.w.Invitations.Welcome(ctx, secret, userID)
	return err
}

func TestR21_OfConcurrentSignUpsByAnInvitationOneMakesAUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		_, secret := owner.invites(guestEmail)
		svc := w.newcomers(t)
		sessions := w.count(t, "tenon_sessions")
		assert.Equal(t, w.race(t, token.ErrInvalid, func(ctx context.Context) error {
			result, err := svc.Enter(ctx, invited.Params{Secret: secret})
			if err == nil && result.Known { // the user was there when it looked
				return token.ErrInvalid
			}
			return err
		}), 1)
		assert.Equal(t, w.count(t, "tenon_users"), 2)
		assert.Equal(t, w.members(t, owner.organization()), 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions+1)
	})
}

func TestPromise1_InvitationsAndTeamsAreAtomic(t *testing.T) {
	t.Parallel()
	type prepare = func(t *testing.T, w *world, owner, guest *browser) func(ctx context.Context) error
	drop := func(_ any, err error) error { return err }
	for name, prepared := range map[string]prepare{
		"invite": func(t *testing.T, w *world, owner, _ *browser) func(ctx context.Context) error {
			p := invitation.InviteParams{Caller: w.principalOf(t, owner), OrganizationID: owner.organization(), Email: "x@example.com", Roles: []string{"member"}}
			return func(ctx context.Context) error { return drop(w.Invitations.Invite(ctx, p)) }
		},
		"invite again": func(t *testing.T, w *world, owner, _ *browser) func(ctx context.Context) error {
			owner.invites("x@example.com")
			w.later()
			p := invitation.InviteParams{
				Caller: w.principalOf(t, owner), OrganizationID: owner.organization(), Email: "x@example.com", Roles: []string{"admin"}, Resend: true,
			}
			return func(ctx context.Context) error { return drop(w.Invitations.Invite(ctx, p)) }
		},
		"accept": func(t *testing.T, w *world, owner, guest *browser) func(ctx context.Context) error {
			teamID, _ := owner.post("/organization/create-team", map[string]any{"name": "One"}).decode(t)["id"].(string)
			id, _ := owner.invites(guestEmail, map[string]any{"teamId": teamID})
			p := invitation.AcceptParams{Caller: w.principalOf(t, guest), ID: id}
			return func(ctx context.Context) error { return drop(w.Invitations.Accept(ctx, p)) }
		},
		"sign up": func(t *testing.T, w *world, owner, _ *browser) func(ctx context.Context) error {
			_, secret := owner.invites("x@example.com")
			svc := w.newcomers(t)
			return func(ctx context.Context) error {
				return drop(svc.Enter(ctx, invited.Params{Secret: secret, Password: password}))
			}
		},
		"delete the organization": func(t *testing.T, w *world, owner, guest *browser) func(ctx context.Context) error {
			caller := w.principalOf(t, owner)
			made := assert.Must(w.Teams.Create(t.Context(), caller, caller.OrganizationID, "One"))(t)
			id, _ := owner.invites(guestEmail, map[string]any{"teamId": made.ID})
			guest.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
			owner.invites("x@example.com")
			return func(ctx context.Context) error {
				return drop(w.Organizations.Delete(ctx, caller, caller.OrganizationID))
			}
		},
		"reject": func(t *testing.T, w *world, owner, guest *browser) func(ctx context.Context) error {
			id, _ := owner.invites(guestEmail)
			p := invitation.RejectParams{Caller: w.principalOf(t, guest), ID: id}
			return func(ctx context.Context) error { return drop(w.Invitations.Reject(ctx, p)) }
		},
		"cancel": func(t *testing.T, w *world, owner, _ *browser) func(ctx context.Context) error {
			id, _ := owner.invites(guestEmail)
			caller := w.principalOf(t, owner)
			return func(ctx context.Context) error { return drop(w.Invitations.Cancel(ctx, caller, id)) }
		},
		"create team": func(t *testing.T, w *world, owner, _ *browser) func(ctx context.Context) error {
			caller := w.principalOf(t, owner)
			return func(ctx context.Context) error {
				return drop(w.Teams.Create(ctx, caller, caller.OrganizationID, "One"))
			}
		},
		"change team": func(t *testing.T, w *world, owner, _ *browser) func(ctx context.Context) error {
			caller := w.principalOf(t, owner)
			made := assert.Must(w.Teams.Create(t.Context(), caller, caller.OrganizationID, "One"))(t)
			return func(ctx context.Context) error {
				return w.DB.InTx(ctx, func(ctx context.Context) error {
					return errors.Join(
						drop(w.Teams.Rename(ctx, caller, made.OrganizationID, made.ID, "Two")),
						drop(w.Teams.AddMember(ctx, caller, made.OrganizationID, made.ID, caller.UserID)),
						w.Teams.RemoveMember(ctx, caller, made.OrganizationID, made.ID, caller.UserID),
						w.Teams.Remove(ctx, caller, made.OrganizationID, made.ID))
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				w.cfg.TeamHooks.MemberAdded = func(context.Context, team.MemberChanged) error { return nil }
				op := prepared(t, w, w.signedIn(t, email), w.signedIn(t, guestEmail))
				bundbtest.RequireAtomic(t, w.DB, op)
			})
		})
	}
}

// A demotion or a removal of the inviter that commits first wins; one that comes later
// waits for whoever accepts (rule R21).
func TestR21_AnAcceptanceWaitsForTheInvitersDemotion(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"demoted": "UPDATE tenon_members SET role = 'member' WHERE role = 'admin'",
		"removed": "DELETE FROM tenon_members WHERE role = 'admin'",
		"deleted": "DELETE FROM tenon_organizations WHERE id = (SELECT organization_id FROM tenon_members WHERE role = 'admin')",
	} {
		for _, first := range []string{"change", "accept"} {
			t.Run(name+" after "+first, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...))
				owner, admin, guest := w.signedIn(t, email), w.signedIn(t, "cem@example.com"), w.signedIn(t, guestEmail)
				org := owner.organization()
				id, _ := owner.invites("cem@example.com", map[string]any{"role": "admin"})
				admin.post(pathAccept, map[string]any{"invitationId": id}).must(t, http.StatusOK, "")
				id, _ = admin.invites(guestEmail)
				caller := w.principalOf(t, guest)
				accept := func(ctx context.Context) error {
					_, err := w.Invitations.Accept(ctx, invitation.AcceptParams{Caller: caller, ID: id})
					return err
				}
				apply := func(ctx context.Context) error {
					_, err := w.DB.Statement(change).Exec(rowscope.Within(ctx, org))
					return err
				}
				accepted := "tenon_members WHERE user_id = '" + caller.UserID + "' AND role = 'member'"
				if first == "accept" {
					w.overlap(t, accept, apply)
				} else {
					w.overlap(t, apply, accept)
				}
				want := 0
				if first == "accept" && name != "deleted" {
					want = 1
				}
				assert.Equal(t, w.count(t, accepted), want)
				assert.Equal(t, w.pending(t) == 0, want == 1 || name == "deleted")
			})
		}
	}
}

// The secret is in the mail and nowhere else.
func TestR21_TheSecretIsNowhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var events strings.Builder
		note := func(e any) error {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&events, "%#v\n", e)
			return nil
		}
		w.cfg.InvitationHooks = invitation.Hooks{
			BeforeInvited: func(_ context.Context, e invitation.Invited) error { return note(e) },
			Invited:       func(_ context.Context, e invitation.Invited) error { return note(e) },
			Accepted:      func(_ context.Context, e invitation.Joined) error { return note(e) },
			Rejected:      func(_ context.Context, e invitation.Declined) error { return note(e) },
			Canceled:      func(_ context.Context, e invitation.Withdrawn) error { return note(e) },
		}
		w.cfg.TenancyHooks.MemberJoined = func(_ context.Context, e tenancy.MemberJoined) error { return note(e) }
		w.cfg.AuthHooks.UserCreated = func(_ context.Context, e auth.UserCreated) error { return note(e) }
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		before := owner.invite("queued@example.com") // its mail waits in the database
		queued := bundbtest.Dump(t, w.db)
		secrets := map[string]string{"queued": w.link(t, "queued@example.com")}
		id, known := owner.invites(guestEmail)
		secrets["known"] = known
		_, secrets["new"] = owner.invites("new@example.com")
		_, secrets["declined"] = owner.invites("no@example.com")
		seen := before.body + owner.get("/organization/list-invitations").body + guest.get("/organization/list-user-invitations").body +
			guest.get("/organization/get-invitation?id="+id).body + owner.get("/organization/get-full-organization").body
		seen += guest.post(pathAccept, map[string]any{"token": known}).body + w.browser(t).post(pathAccept, map[string]any{"token": secrets["new"]}).body
		seen += w.browser(t).post("/organization/reject-invitation", map[string]any{"token": secrets["declined"]}).body
		for _, e := range []string{"BeforeInvited", "Invited{", "Joined{", "Declined{", "MemberJoined{", "InvitationID"} {
			if e != "BeforeInvited" {
				assert.Contains(t, events.String(), e)
			}
		}
		for name, secret := range secrets {
			for form, text := range forms(secret) {
				for where, all := range map[string][]byte{
					"the database": bundbtest.Dump(t, w.db), "the outbox": queued, "an answer": []byte(seen), "an event": []byte(events.String()),
					"the log": []byte(w.logs.String()),
				} {
					if bytes.Contains(all, text) {
						t.Errorf("the %s secret is in %s %s", name, where, form)
					}
				}
			}
		}
	})
}

// Whoever acts as somebody else accepts nothing for them (rule R22), and keys neither.
func TestR22_NobodyAcceptsForSomebodyElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest, root := w.signedIn(t, email), w.signedIn(t, guestEmail), w.signedIn(t, rootEmail)
		id, secret := owner.invites(guestEmail)
		root.admin("impersonate-user", map[string]any{"userId": guest.idOf()}).must(t, http.StatusOK, "")
		for _, path := range []string{pathAccept, "/organization/reject-invitation"} {
			for _, body := range []map[string]any{{"invitationId": id}, {"token": secret}} {
				root.post(path, body).must(t, http.StatusForbidden, "IMPERSONATION_NOT_ALLOWED")
			}
		}
		assert.Equal(t, w.pending(t), 1)
	}, withRoot)
}

// An existing account that never proved its address is nobody: whoever has the mailbox
// takes it over, and what was there before is gone (rule R4).
func TestR4_AnInvitationProvesAnImportedUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner := w.signedIn(t, email)
		user := w.imported(t, guestEmail)
		_, secret := owner.invites(guestEmail)
		b := w.browser(t)
		b.post(pathAccept, map[string]any{"token": secret, "password": newPassword}).must(t, http.StatusOK, "")
		assert.Equal(t, b.idOf(), user.ID)
		assert.Equal(t, b.organization(), owner.organization())
		assert.Equal(t, w.browser(t).signIn(guestEmail).StatusCode, http.StatusUnauthorized) // the password from before
		assert.Equal(t, w.browser(t).post("/sign-in/email", credentials(guestEmail, newPassword)).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users"), 2)
	})
}
