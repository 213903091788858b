package tenon_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/token"
)

// Somebody proved the password at the door while its owner did what must keep them
// out (rule R1).
func TestR1_AParkedSignInOutlivesNoChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, w *world, c account.Caller) error{
		"password": func(t *testing.T, w *world, c account.Caller) error {
			_, _, err := w.Account.ChangePassword(t.Context(), c, account.PasswordParams{Current: password, New: newPassword})
			return err
		},
		"address": func(t *testing.T, w *world, c account.Caller) error {
			ctx := t.Context()
			assert.NoError(t, w.Account.RequestEmail(ctx, c, account.EmailParams{New: newEmail}))
			_, err := w.Account.ConfirmEmail(ctx, w.link(t, email), "", auth.Client{})
			assert.NoError(t, err)
			_, err = w.Account.VerifyEmail(ctx, account.VerifyEmailParams{Token: w.link(t, newEmail)})
			return err
		},
		"deletion": func(t *testing.T, w *world, c account.Caller) error {
			return w.Account.DeleteByPassword(t.Context(), c, password)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				c := w.caller(t, w.signedIn(t, email))
				attempt, err := w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password})
				assert.NoError(t, err)
				bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
				assert.NoError(t, change(t, w, c))
				sessions := w.count(t, "tenon_sessions")
				_, err = w.Auth.Complete(t.Context(), attempt)
				assert.ErrorIs(t, err, auth.ErrNotAdmitted)
				assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
			})
		})
	}
}

// A change that was permitted before another one committed changes nothing: the
// thief who knew the old password does not take the account back (rule R1).
func TestR1_AParkedChangeOutlivesNoOther(t *testing.T) {
	t.Parallel()
	for name, parked := range map[string]func(ctx context.Context, w *world, c account.Caller) error{
		"password": func(ctx context.Context, w *world, c account.Caller) error {
			_, _, err := w.Account.ChangePassword(ctx, c, account.PasswordParams{Current: password, New: "the thief's choice"})
			return err
		},
		"deletion": func(ctx context.Context, w *world, c account.Caller) error {
			return w.Account.DeleteByPassword(ctx, c, password)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b := w.signedIn(t, email)
				thief := w.caller(t, b.second())
				hasher := parkingHasher{passwordtest.New(t), make(chan struct{}), make(chan struct{})}
				elsewhere := *w
				elsewhere.cfg.Passwords = hasher
				app, err := tenon.New(elsewhere.cfg)
				assert.NoError(t, err)
				elsewhere.App = app
				done := make(chan error, 1)
				go func() { done <- parked(bundbtest.Flow(context.WithoutCancel(t.Context())), &elsewhere, thief) }()
				<-hasher.parked
				_, _, err = w.Account.ChangePassword(t.Context(), w.caller(t, b), account.PasswordParams{Current: password, New: newPassword})
				assert.NoError(t, err)
				close(hasher.gate)
				err = <-done
				assert.True(t, errors.Is(err, auth.ErrStale), fmt.Sprint(err))
				assert.Equal(t, w.browser(t).signInWith(email, newPassword).StatusCode, http.StatusOK)
			})
		})
	}
}

// parkingHasher waits when it has verified a password.
type parkingHasher struct {
	*passwordtest.Hasher
	parked, gate chan struct{}
}

func (h parkingHasher) Verify(ctx context.Context, hash, prepared string) (match, rehash bool, err error) {
	match, rehash, err = h.Hasher.Verify(ctx, hash, prepared)
	h.parked <- struct{}{}
	<-h.gate
	return match, rehash, err
}

// Of 64 who open the link to the new address at once one moves the account.
func TestSixtyFourConsumersOfOneChangeHaveOneWinner(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		leave := b.askToMove(t, newEmail)
		won := w.race(t, token.ErrInvalid, func(ctx context.Context) error {
			_, err := w.Account.ConfirmEmail(ctx, leave, "", auth.Client{})
			return err
		})
		assert.Equal(t, won, 1)
		enter := w.link(t, newEmail)
		won = w.race(t, token.ErrInvalid, func(ctx context.Context) error {
			_, err := w.Account.VerifyEmail(ctx, account.VerifyEmailParams{Token: enter})
			return err
		})
		assert.Equal(t, won, 1)
		assert.Equal(t, w.count(t, "tenon_users WHERE security_version = 2 AND email = 'ada.new@example.com'"), 1)
	})
}

// Five users who proved the same address at once: it belongs to one. More are not
// mailed within the life of a link.
func TestOfManyMovesToOneAddressOneSucceeds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		links := make(chan string, 5)
		for i := range cap(links) {
			to := fmt.Sprintf("user%d@example.com", i)
			c := w.caller(t, w.signedIn(t, to))
			bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
			assert.NoError(t, w.Account.RequestEmail(t.Context(), c, account.EmailParams{New: newEmail}))
			_, err := w.Account.ConfirmEmail(t.Context(), w.link(t, to), "", auth.Client{})
			assert.NoError(t, err)
			links <- w.link(t, newEmail)
		}
		var group sync.WaitGroup
		won := make(chan bool, cap(links))
		for range cap(links) {
			group.Go(func() {
				_, err := w.Account.VerifyEmail(bundbtest.Flow(t.Context()), account.VerifyEmailParams{Token: <-links})
				if err == nil {
					won <- true
				} else if !errors.Is(err, token.ErrInvalid) {
					t.Errorf("a loser got %v", err)
				}
			})
		}
		group.Wait()
		assert.Equal(t, len(won), 1)
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada.new@example.com'"), 1)
		assert.Equal(t, w.count(t, "tenon_users"), 5)
	})
}

// Whoever writes a row that refers to a user, against the user's deletion: no row is
// left behind (rule R3). The one is parked where it has done its work and not
// committed, and the other begins.
func TestR3_DeletionAgainstWhoeverRefersToTheUser(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]func(ctx context.Context, w *world, userID string) error{
		"session start": func(ctx context.Context, w *world, _ string) error {
			_, err := w.Auth.Complete(ctx, w.attempt)
			return err
		},
		"create organization": func(ctx context.Context, w *world, userID string) error {
			return w.DB.InTx(ctx, func(ctx context.Context) error {
				_, err := w.Organizations.CreateDefault(ctx, userID, "Another")
				return err
			})
		},
		"another link": func(ctx context.Context, w *world, _ string) error {
			return w.Account.RequestEmail(ctx, w.moving, account.EmailParams{New: newEmail})
		},
		"invite": func(ctx context.Context, w *world, userID string) error {
			_, err := w.Invitations.Invite(ctx, invitation.InviteParams{
				Caller: w.moving.Principal, OrganizationID: w.moving.Principal.OrganizationID, Email: "new@example.com", Roles: []string{"member"},
			})
			return err
		},
		"notification": func(ctx context.Context, w *world, userID string) error {
			return w.Notifications.Send(ctx, notify.Notification{Category: notify.CategoryBilling, Type: "plan.ended", Title: "Your plan ended", Recipients: []string{userID}})
		},
		"preference": func(ctx context.Context, w *world, userID string) error {
			_, err := w.Notifications.SetPreference(ctx, userID, notify.CategoryOrganization, notify.InApp, false)
			return err
		},
	} {
		for _, first := range []string{"deletion", "other"} {
			t.Run(name+" after "+first, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...))
				w.moving = w.caller(t, w.signedIn(t, email))
				bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
				attempt, err := w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password})
				assert.NoError(t, err)
				w.attempt = attempt
				remove := func(ctx context.Context) error {
					return w.Auth.DeleteUser(ctx, auth.Deletion{UserID: w.moving.Principal.UserID})
				}
				refer := func(ctx context.Context) error { return other(ctx, w, w.moving.Principal.UserID) }
				if first == "deletion" {
					w.overlap(t, remove, refer)
				} else {
					w.overlap(t, refer, remove)
				}
				assert.Equal(t, w.count(t, "tenon_users"), 0)
				w.noOrphans(t)
			})
		}
	}
}

// overlap parks first before it commits, starts second, and lets first go on when
// second waits for it, or is done. Neither may fail for reasons of its own.
func (w *world) overlap(t *testing.T, first, second func(ctx context.Context) error) {
	t.Helper()
	gate, parked := make(chan struct{}), make(chan struct{})
	results := make(chan error, 2)
	go func() {
		// Users are deleted in the system's scope.
		ctx := w.DB.AsSystem(bundbtest.Outside(context.WithoutCancel(t.Context())))
		results <- w.DB.InTx(ctx, func(ctx context.Context) error {
			err := first(ctx)
			close(parked)
			<-gate
			return err
		})
	}()
	<-parked
	finished := make(chan struct{})
	go func() {
		results <- second(bundbtest.Flow(context.WithoutCancel(t.Context())))
		close(finished)
	}()
	for waiting := 0; waiting == 0; {
		assert.NoError(t, w.db.Statement("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").
			QueryRow(bundbtest.Outside(t.Context())).Scan(&waiting))
		select {
		case <-finished:
			waiting = 1
		default:
		}
	}
	close(gate)
	for range 2 {
		err := <-results
		if kind := problem.KindOf(err); err != nil && (kind == problem.Internal || kind == problem.Unavailable) {
			t.Errorf("one of two failed: %v", err)
		}
	}
	<-finished
}

// Everything that people do with their accounts at once, on few accounts: nothing
// deadlocks, and nothing is left behind.
func TestManyChangesOfFewAccountsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		callers := make([]account.Caller, 3)
		for i := range callers {
			callers[i] = w.caller(t, w.signedIn(t, fmt.Sprintf("user%d@example.com", i)))
		}
		var group sync.WaitGroup
		for i := range 12 {
			c, to := callers[i%3], fmt.Sprintf("user%d@example.com", i%3)
			group.Go(func() {
				ctx := bundbtest.Flow(t.Context())
				for round := range 4 {
					w.harmless(t, w.Account.RequestEmail(ctx, c, account.EmailParams{New: fmt.Sprintf("new%d@example.com", i%2)}))
					w.harmless(t, w.Account.RequestDeletion(ctx, c, ""))
					bundbtest.ClockOf(w.db).Advance(time.Minute)
					w.harmless(t, w.Drain(ctx))
					for _, mailbox := range []string{to, "new0@example.com", "new1@example.com"} {
						if message, ok := w.mailbox.Last(mailbox); ok && len(message.Links) > 0 {
							secret := tokenOf(t, message.Links[0])
							_, err := w.Account.ConfirmEmail(ctx, secret, "", auth.Client{})
							w.harmless(t, err)
							_, err = w.Account.VerifyEmail(ctx, account.VerifyEmailParams{Token: secret, Caller: c})
							w.harmless(t, err)
							if round == 3 {
								w.harmless(t, w.Account.DeleteByLink(ctx, c, secret))
							}
						}
					}
					_, _, err := w.Auth.SignIn(ctx, auth.SignInParams{Email: to, Password: password})
					w.harmless(t, err)
					_, err = w.Sessions.RevokeOthers(ctx, c.Principal.UserID, c.Principal.SessionID)
					if !errors.Is(err, auth.ErrUserNotFound) {
						w.harmless(t, err)
					}
				}
			})
		}
		group.Wait()
		w.noOrphans(t)
	}, func(cfg *tenon.Config) { cfg.OwnerPolicy = tenancy.DeleteOrganizations })
}
