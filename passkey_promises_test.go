package tenon_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// elevations is what passkeys need of sessions, for a service that a test makes.
type elevations struct{ account.Sessions }

// passkeyService is the service behind the routes of w, with hooks.
func (w *world) passkeyService(t testing.TB, hooks passkey.Hooks) *passkey.Service {
	t.Helper()
	svc, err := passkey.New(passkeybun.NewStore(w.DB), passkey.Config{
		Auth: w.Auth, Users: authbun.New(w.DB), Sessions: elevations{}, BaseURL: base, Now: w.db.Now, Hooks: hooks,
	})
	assert.NoError(t, err)
	return svc
}

// answerTo is what an authenticator says to options of a service.
func answerTo(t testing.TB, options any, a func(t testing.TB, raw []byte) []byte) []byte {
	t.Helper()
	return a(t, assert.Must(json.Marshal(options))(t))
}

// begun is a sign-in that was answered and not yet sent.
func begun(t testing.TB, svc *passkey.Service, a *passkeytest.Authenticator) passkey.Answer {
	t.Helper()
	options, browser, err := svc.BeginSignIn(t.Context(), "", false)
	assert.NoError(t, err)
	return passkey.Answer{Browser: browser.Reveal(), Response: answerTo(t, options, a.Get)}
}

func TestPromise1_PasskeysAreAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		svc := w.passkeyService(t, passkey.Hooks{})
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, _, err := svc.BeginSignIn(ctx, "", false)
			return err
		})
		proved, err := svc.Prove(t.Context(), begun(t, svc, a))
		assert.NoError(t, err)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := svc.Enter(ctx, proved)
			return err
		})
		assert.Equal(t, w.signCount(t), 1)

		c := w.caller(t, b)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := svc.BeginRegistration(ctx, c, "")
			return err
		})
		options, err := svc.BeginRegistration(t.Context(), c, "")
		assert.NoError(t, err)
		response := answerTo(t, options, passkeytest.New(base).Create)
		var added passkey.Passkey
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			// Inside one transaction the ceremony comes back with it.
			return w.DB.InTx(ctx, func(ctx context.Context) error {
				added, err = svc.Register(ctx, c, response, "Second")
				return err
			})
		})
		assert.Equal(t, w.count(t, "tenon_passkeys"), 2)
		c = w.caller(t, b)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error { return svc.Delete(ctx, c, added.ID) })
		assert.Equal(t, w.count(t, "tenon_passkeys"), 1)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error { return svc.Forget(ctx, c.Principal.UserID) })
	}, withPasskeys)
}

// A hook that says no leaves nothing behind, and what must leave a trace refuses to
// run where the trace could be rolled back (rule R8).
func TestPromise1_PasskeysAndTheHostsTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		no := errors.New("the host says no")
		svc := w.passkeyService(t, passkey.Hooks{
			PasskeyAdded:   func(context.Context, passkey.Added) error { return no },
			PasskeyRemoved: func(context.Context, passkey.Removed) error { return no },
		})
		c := w.caller(t, b)
		options, err := svc.BeginRegistration(t.Context(), c, "")
		assert.NoError(t, err)
		_, err = svc.Register(t.Context(), c, answerTo(t, options, passkeytest.New(base).Create), "")
		assert.ErrorIs(t, err, no)
		have, err := svc.List(t.Context(), c)
		assert.NoError(t, err)
		assert.Len(t, have, 1)
		assert.ErrorIs(t, svc.Delete(t.Context(), c, have[0].ID), no)
		assert.True(t, b.isSignedIn() && len(b.passkeys()) == 1, "nothing was changed")

		answer := begun(t, svc, a)
		assert.ErrorIs(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			_, err := svc.StepUp(ctx, c, answer.Response)
			assert.ErrorIs(t, err, auth.ErrInTransaction)
			_, err = svc.SignIn(ctx, answer)
			return err
		}), auth.ErrInTransaction)
		proved, err := svc.Prove(t.Context(), answer)
		assert.NoError(t, err)
		assert.ErrorIs(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			_, err := svc.Enter(ctx, proved)
			assert.NoError(t, err)
			return no
		}), no)
		assert.Equal(t, w.signCount(t), 0)
		result, err := svc.Enter(t.Context(), proved)
		assert.NoError(t, err)
		assert.Equal(t, result.User.ID, b.idOf())
		_, err = svc.Enter(t.Context(), proved)
		assert.ErrorIs(t, err, passkey.ErrAuthenticationFailed)
	}, withPasskeys)
}

// Whoever signs in, steps up, adds and deletes at the same time gets an answer:
// nobody waits for somebody who waits for them.
func TestPasskeysDoNotDeadlock(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		a.Synced = true
		assert.Equal(t, b.addPasskey(a).StatusCode, http.StatusOK)
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				own := a.Clone()
				for range 6 {
					visitor := w.browser(t)
					if got := visitor.signInByPasskey(own); got.StatusCode >= 500 {
						t.Errorf("sign in: %s", got.body)
					}
					options := visitor.get("/passkey/generate-step-up-options")
					if options.StatusCode != http.StatusOK {
						continue // somebody ended the session
					}
					got := visitor.post("/passkey/verify-step-up", map[string]any{"response": json.RawMessage(own.Get(t, []byte(options.body)))})
					if got.StatusCode >= 500 {
						t.Errorf("step up: %s", got.body)
					}
					if i > 1 {
						continue
					}
					options = visitor.get("/passkey/generate-register-options")
					if options.StatusCode != http.StatusOK {
						continue
					}
					got = visitor.register(passkeytest.New(base).Create(t, []byte(options.body)))
					if got.StatusCode >= 500 {
						t.Errorf("add: %s", got.body)
					}
					if id, ok := got.decode(t)["id"].(string); ok {
						if got := visitor.post("/passkey/delete-passkey", map[string]any{"id": id}); got.StatusCode >= 500 {
							t.Errorf("delete: %s", got.body)
						}
					}
				}
			})
		}
		group.Wait()
		assert.Equal(t, w.browser(t).signInByPasskey(a).StatusCode, http.StatusOK)
	}, withPasskeys)
}

// Of two who delete the last two passkeys at once one keeps theirs.
func TestTwoDeletionsLeaveOneWayIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, _ := w.withPasskey(t, email)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		_, err := w.db.Statement("DELETE FROM tenon_credentials").Exec(t.Context())
		assert.NoError(t, err)
		svc, c := w.passkeyService(t, passkey.Hooks{}), w.caller(t, b)
		have, err := svc.List(t.Context(), c)
		assert.NoError(t, err)
		var group sync.WaitGroup
		for _, p := range have {
			group.Go(func() {
				if err := svc.Delete(t.Context(), c, p.ID); err != nil && !errors.Is(err, passkey.ErrLastWayIn) && !errors.Is(err, auth.ErrStale) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		assert.Equal(t, w.count(t, "tenon_passkeys"), 1)
	}, withPasskeys)
}

// A host that leaves the feature out has nothing of it (promise 11).
func TestPromise11_WithoutPasskeysThereIsNothingOfThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for _, o := range w.operations(t) {
			if strings.Contains(o.path, "passkey") {
				t.Error(o.path)
			}
		}
		assert.Equal(t, w.browser(t).get("/passkey/generate-authenticate-options").StatusCode, http.StatusNotFound)
		assert.NotContains(t, bundbtest.SchemaText(t, w.db), "passkey")
		var none tenon.Feature
		assert.Equal(t, len(tenon.Schemas(none)), len(tenon.Schemas()))
		assert.Equal(t, len(tenon.Schemas(passkeybun.New(passkey.Config{}))), len(tenon.Schemas())+1)
	})
}

// The tables are there and empty before anybody has a passkey; after all is said
// nothing in them opens anything (promise 3).
func TestPromise3_NoSecretOfPasskeysIsReadable(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(passkeybun.New(passkey.Config{})), func(t *testing.T, db *bundb.DB) {
		w := newWorld(t, db, withPasskeys)
		b, a := w.withPasskey(t, email)
		b.assertion(a)
		held := b.cookie("passkey")
		assert.True(t, len(held) > 40, "there is a cookie to look for")
		dump := string(bundbtest.Dump(t, w.db))
		for form, text := range forms(held) {
			if strings.Contains(dump, string(text)) {
				t.Errorf("the cookie of a ceremony is in the database %s", form)
			}
		}
		assert.NotContains(t, w.logs.String(), held)
	})
}
