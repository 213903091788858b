package tenon_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

// brought is an ID token that an app got, ready for the service.
func (i *idp) brought(t *testing.T) oauth.NativeParams {
	t.Helper()
	nonce, err := i.svc.NewNonce(t.Context(), "acme")
	assert.NoError(t, err)
	return oauth.NativeParams{Provider: "acme", IDToken: token.NewSecret(i.IDToken(nonce.Value.Reveal())), Nonce: nonce.Value.Reveal()}
}

// accounts are one for each row of the table of whose account it is that lets somebody in,
// or waits.
func accounts() map[string]oauthtest.Account {
	return map[string]oauthtest.Account{
		"linked": {Subject: "warm"}, "adopted": {Subject: "1", Email: email, Verified: true}, "stripped": {Subject: "4", Email: "ee@example.com", Verified: true},
		"new": {Subject: "2", Email: "new@example.com", Verified: true}, "waiting": unproven("3", "typed@elsewhere.example"),
	}
}

// One transaction finishes: a failure at any statement leaves nothing, the nonce and the
// token included, so that the same call succeeds afterwards.
func TestPromise1_SigningInByAProviderIsAtomic(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		w.user(t, email)
		w.imported(t, "ee@example.com")
		i.is("warm", "warm@example.com")
		w.browser(t).social(i)
		for _, account := range accounts() {
			i.SetAccount(account)
			p := i.brought(t)
			_, err := i.svc.SignInNative(t.Context(), oauth.NativeParams{Provider: "acme", IDToken: token.NewSecret("x"), Nonce: p.Nonce}) // reads the keys
			assert.True(t, err != nil, "no ID token")
			bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
				_, err := i.svc.SignInNative(ctx, p)
				return err
			})
		}
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 4)
		i.SetAccount(oauthtest.Account{Subject: "warm"})
		code := w.handedOff(t, i, w.browser(t))
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := i.svc.Redeem(ctx, oauth.RedeemParams{Code: code, Verifier: verifier})
			return err
		})
	})
}

// Whoever asks a provider does not hold the host's transaction open meanwhile.
func TestPromise1_NobodyAsksAProviderInsideATransaction(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		caller := w.caller(t, w.signedIn(t, email))
		for _, call := range []func(ctx context.Context) error{
			func(ctx context.Context) error {
				_, err := i.svc.Begin(ctx, oauth.BeginParams{Provider: "acme"})
				return err
			},
			func(ctx context.Context) error {
				_, err := i.svc.Callback(ctx, oauth.CallbackParams{Provider: "acme"})
				return err
			},
			func(ctx context.Context) error {
				_, err := i.svc.SignInNative(ctx, oauth.NativeParams{Provider: "acme"})
				return err
			},
			func(ctx context.Context) error {
				return i.svc.LinkNative(ctx, caller, oauth.NativeParams{Provider: "acme"})
			},
			func(ctx context.Context) error {
				_, err := i.svc.BeginLink(ctx, caller, oauth.BeginParams{Provider: "acme"})
				return err
			},
			func(ctx context.Context) error {
				_, err := i.svc.BeginStepUp(ctx, caller, oauth.BeginParams{Provider: "acme"})
				return err
			},
		} {
			assert.ErrorIs(t, w.DB.InTx(t.Context(), call), auth.ErrInTransaction)
		}
		assert.Equal(t, i.Called("/keys")+i.Called("/token")+i.Called("/.well-known/openid-configuration"), 0)
	})
}

// No transaction is open while the provider is asked: on SQLite nobody else could write.
func TestPromise1_NoTransactionIsOpenWhileTheProviderAnswers(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b, other := w.browser(t), w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		status := 0
		i.Bend(func(k *oauthtest.Knobs) {
			k.Answer = func(map[string]any) { status = other.signUp("meanwhile@example.com").StatusCode }
		})
		b.arrives(b.comeBack(back), "/")
		assert.Equal(t, status, http.StatusOK)
	})
}

// A user who is deleted at the same time leaves no link behind, whether the account is
// about to be linked to them or was: the address is free again, and a new user gets it
// (rule R3).
func TestR3_ALinkOutlivesNoUser(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, tenon.Schemas()...)
	i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
	w := newWorld(t, db, i.into())
	i.is("1", email)
	w.user(t, email)
	for range 3 {
		id, p := w.text(t, "SELECT id FROM tenon_users"), i.brought(t)
		w.overlap(t, func(ctx context.Context) error {
			return w.Auth.DeleteUser(ctx, auth.Deletion{UserID: id, ActorID: id})
		}, func(ctx context.Context) error {
			_, err := i.svc.SignInNative(ctx, p)
			return err
		})
		assert.Equal(t, w.count(t, "tenon_oauth_links l WHERE NOT EXISTS (SELECT FROM tenon_users u WHERE u.id = l.user_id)"), 0)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		assert.NotEqual(t, w.text(t, "SELECT id FROM tenon_users"), id)
	}
}
