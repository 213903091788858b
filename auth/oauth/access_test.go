package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

// granting is a Service that keeps tokens of an honest provider.
type granting struct {
	*oauth.Service
	store   oauth.Store
	keys    *crypto.Keyring
	idp     *oauthtest.Provider
	client  *provider.Client
	advance func(time.Duration)
	now     func() time.Time

	mu    sync.Mutex
	ended []oauth.GrantEnded
	hook  error
}

func newGranting(t *testing.T, store oauth.Store, clock *bundbtest.Clock, change ...func(*oauth.Config)) *granting {
	t.Helper()
	g := &granting{store: store, keys: cryptotest.NewKeyring(t), advance: clock.Advance, now: clock.Now}
	g.idp = oauthtest.NewProvider(t, clock.Now)
	g.client = assert.Must(provider.New(g.idp.Provider("acme"), g.idp.Config()))(t)
	k := newKeeping(t)
	cfg := oauth.Config{
		Providers: []oauth.Provider{{Provider: g.idp.Provider("acme"), KeepTokens: true}}, Client: g.idp.Config(),
		Auth: k.auth, Users: authtest.NewFake(), Sessions: k, Keys: g.keys, Now: clock.Now,
		Tokens:       assert.Must(token.New(tokentest.NewFake(), token.Config{Peppers: g.keys, Now: clock.Now}))(t),
		RedirectBase: "https://example.com/api/auth/callback/",
		Hooks: oauth.Hooks{GrantEnded: func(ctx context.Context, e oauth.GrantEnded) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			assert.True(t, store.InTransaction(ctx), "the transaction is open")
			g.ended = append(g.ended, e)
			return g.hook
		}},
	}
	for _, f := range change {
		f(&cfg)
	}
	g.Service = assert.Must(oauth.New(store, cfg))(t)
	return g
}

// eachGranting runs fn on both databases.
func eachGranting(t *testing.T, fn func(t *testing.T, g *granting, db *bundb.DB)) {
	t.Helper()
	bundbtest.Each(t, []bundb.Schema{oauthbun.Schema()}, func(t *testing.T, db *bundb.DB) {
		fn(t, newGranting(t, oauthbun.NewStore(db), bundbtest.ClockOf(db)), db)
	})
}

// connect links an account of the user, with what the provider grants for it now.
func (g *granting) connect(t *testing.T, userID string) oauth.Link {
	t.Helper()
	const to = "https://example.com/api/auth/callback/acme"
	verifier := provider.NewVerifier()
	q := g.idp.Visit(assert.Must(g.client.AuthCodeURL(t.Context(), provider.AuthRequest{
		State: "s", Nonce: "n", Verifier: verifier, RedirectURI: to,
	}))(t)).Query()
	got := assert.Must(g.client.Exchange(t.Context(), provider.Callback{
		Code: token.NewSecret(q.Get("code")), Issuer: q.Get("iss"), Verifier: verifier, Nonce: "n", RedirectURI: to,
	}))(t)
	l := oauth.Link{
		ID: uuid.Must(uuid.NewV7()).String(), UserID: userID, Provider: "acme", CreatedAt: g.now(),
		Identity: oauth.Identity{Issuer: got.Identity.Issuer, Subject: got.Identity.Subject},
	}
	assert.NoError(t, g.store.AddLink(t.Context(), l))
	grant := oauth.Grant{
		LinkID: l.ID, UserID: userID, Scopes: got.Tokens.Scopes, AccessEndsAt: got.Tokens.ExpiresAt, CreatedAt: g.now(), UpdatedAt: g.now(),
	}
	grant.Access = assert.Must(g.keys.Seal(t.Context(), oauth.AccessField(l.ID), []byte(got.Tokens.Access.Reveal())))(t)
	if !got.Tokens.Refresh.IsZero() {
		grant.Refresh = assert.Must(g.keys.Seal(t.Context(), oauth.RefreshField(l.ID), []byte(got.Tokens.Refresh.Reveal())))(t)
	}
	assert.NoError(t, g.store.PutGrant(t.Context(), grant))
	return l
}

func (g *granting) refreshes() int { return len(g.idp.Forms("refresh_token")) }

func (g *granting) row(t *testing.T, l oauth.Link) oauth.Grant {
	t.Helper()
	return assert.Must(g.store.FindGrant(t.Context(), l.UserID, l.ID))(t)
}

// together runs call 32 times at once and returns the tokens, and the errors.
func together(t *testing.T, call func(ctx context.Context) (oauth.Access, error)) (tokens map[string]int, errs []error) {
	t.Helper()
	tokens = map[string]int{}
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 32 {
		group.Go(func() {
			<-start
			a, err := call(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			tokens[a.Token.Reveal()]++
		})
	}
	close(start)
	group.Wait()
	return tokens, errs
}

func TestATokenIsHandedOutUntilAMinuteBeforeItsEnd(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		l := g.connect(t, "ada")
		first := assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
		assert.Equal(t, first.Link, l)
		assert.Equal(t, first.Scopes, []string{"openid", "email", "profile"})
		assert.Equal(t, first.EndsAt, g.row(t, l).AccessEndsAt)
		_ = assert.Must(g.client.UserInfo(t.Context(), first.Token))(t) // the provider takes it
		g.advance(59*time.Minute - time.Second)
		again := assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
		assert.True(t, again.Token.Equal(first.Token) && g.refreshes() == 0, "the provider was asked early")
		g.advance(time.Second)
		next := assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
		assert.False(t, next.Token.Equal(first.Token), "the same token")
		assert.True(t, next.EndsAt.After(g.now().Add(59*time.Minute)) && g.refreshes() == 1, "a new one")
		_ = assert.Must(g.client.UserInfo(t.Context(), next.Token))(t)
	})
}

// Thirty-two callers find an expired token of a provider that takes a refresh token that
// comes twice for theft.
func TestOneOfManyCallersRefreshesAndAllGetTheNewToken(t *testing.T) {
	t.Parallel()
	for name, anew := range map[string]bool{"expired": false, "made anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
				g.idp.Bend(func(k *oauthtest.Knobs) { k.Rotate = true })
				l := g.connect(t, "ada")
				old := assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t).Token.Reveal()
				call := func(ctx context.Context) (oauth.Access, error) { return g.RefreshAccess(ctx, "ada", l.ID) }
				if !anew {
					g.advance(2 * time.Hour)
					call = func(ctx context.Context) (oauth.Access, error) { return g.AccessToken(ctx, "ada", l.ID) }
				}
				tokens, errs := together(t, call)
				assert.Len(t, errs, 0)
				if !anew { // whoever came after it was made wants another one, with right
					assert.Equal(t, g.refreshes(), 1)
					assert.Equal(t, len(tokens), 1)
				}
				assert.Equal(t, tokens[old], 0)
				g.advance(2 * time.Hour) // the chain of refresh tokens is whole
				_ = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
			})
		})
	}
}

// looking tells of every look at a grant.
type looking struct {
	oauth.Store
	looks chan struct{}
}

func (l looking) FindGrant(ctx context.Context, userID, linkID string) (oauth.Grant, error) {
	g, err := l.Store.FindGrant(ctx, userID, linkID)
	l.looks <- struct{}{}
	return g, err
}

func TestWhoAsksWhileATokenIsMadeAnewGetsThatOne(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, []bundb.Schema{oauthbun.Schema()}, func(t *testing.T, db *bundb.DB) {
		looks := make(chan struct{}, 100)
		g := newGranting(t, looking{oauthbun.NewStore(db), looks}, bundbtest.ClockOf(db))
		l := g.connect(t, "ada")
		second := make(chan oauth.Access, 1)
		g.idp.Bend(func(k *oauthtest.Knobs) {
			k.Answer = func(map[string]any) {
				g.idp.Bend(func(k *oauthtest.Knobs) { k.Answer = nil })
				<-looks // the first caller's
				go func() {
					a, err := g.RefreshAccess(t.Context(), "ada", l.ID)
					assert.NoError(t, err)
					second <- a
				}()
				<-looks
			}
		})
		first := assert.Must(g.RefreshAccess(t.Context(), "ada", l.ID))(t)
		assert.True(t, first.Token.Equal((<-second).Token), "the same token")
		assert.Equal(t, g.refreshes(), 1)
	})
}

func TestInItsLastMinuteTheOldTokenServesWhileOneRefreshes(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Rotate = true })
		l := g.connect(t, "ada")
		old := assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t).Token.Reveal()
		g.advance(59*time.Minute + time.Second)
		tokens, errs := together(t, func(ctx context.Context) (oauth.Access, error) { return g.AccessToken(ctx, "ada", l.ID) })
		assert.Len(t, errs, 0)
		assert.Equal(t, g.refreshes(), 1)
		delete(tokens, old)
		assert.Equal(t, len(tokens), 1)
	})
}

// A provider whose tokens live for less than two minutes is not asked by every call.
func TestShortTokensAreUsedForHalfTheirLife(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Rotate, k.AccessFor = true, 20*time.Second })
		l := g.connect(t, "ada")
		g.advance(9 * time.Second)
		_ = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
		assert.Equal(t, g.refreshes(), 0)
		g.advance(time.Hour)
		tokens, errs := together(t, func(ctx context.Context) (oauth.Access, error) { return g.AccessToken(ctx, "ada", l.ID) })
		assert.Len(t, errs, 0)
		assert.Equal(t, []int{len(tokens), g.refreshes()}, []int{1, 1})
	})
}

func TestARevokedGrantIsMarkedAndNobodyAsksAgain(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		l := g.connect(t, "ada")
		g.idp.EndGrants()
		g.advance(time.Hour)
		tokens, errs := together(t, func(ctx context.Context) (oauth.Access, error) { return g.AccessToken(ctx, "ada", l.ID) })
		assert.Equal(t, len(tokens), 0)
		for _, err := range errs {
			assert.ErrorIs(t, err, oauth.ErrGrantEnded)
			assert.ErrorIs(t, err, provider.ErrGrantEnded)
			assert.Equal(t, problem.KindOf(err), problem.Conflict)
		}
		assert.Equal(t, g.refreshes(), 1)
		assert.Equal(t, g.ended, []oauth.GrantEnded{{LinkID: l.ID, UserID: "ada", Provider: "acme"}})
		g.advance(24 * time.Hour)
		for range 3 {
			_, err := g.AccessToken(t.Context(), "ada", l.ID)
			assert.ErrorIs(t, err, oauth.ErrGrantEnded)
			_, err = g.RefreshAccess(t.Context(), "ada", l.ID)
			assert.ErrorIs(t, err, oauth.ErrGrantEnded)
			_, err = g.Info(t.Context(), "ada", l.ID)
			assert.ErrorIs(t, err, oauth.ErrGrantEnded)
		}
		assert.Equal(t, []int{g.refreshes(), len(g.ended), g.idp.Called("/userinfo")}, []int{1, 1, 0})
	})
}

func TestAMarkThatAHookRefusesIsNotMade(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		l := g.connect(t, "ada")
		g.idp.EndGrants()
		g.advance(time.Hour)
		g.hook = errors.New("stop")
		_, err := g.AccessToken(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, g.hook)
		assert.True(t, g.row(t, l).EndedAt.IsZero(), "not marked")
	})
}

// An outage decides nothing. Its turn is the pause until somebody asks again, and until the
// end of the old token that serves.
func TestAnOutageEndsNoGrant(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		l := g.connect(t, "ada")
		down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Handlers = map[string]http.HandlerFunc{"/token": down} })
		g.advance(59*time.Minute + time.Second)
		called := g.idp.Called("/token")
		_, err := g.AccessToken(t.Context(), "ada", l.ID)
		assert.Equal(t, problem.KindOf(err), problem.Unavailable)
		for range 3 {
			_ = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
		}
		assert.Equal(t, g.idp.Called("/token")-called, 1)
		g.advance(30 * time.Second) // the turn is over
		_, err = g.AccessToken(t.Context(), "ada", l.ID)
		assert.Equal(t, problem.KindOf(err), problem.Unavailable)
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Handlers = nil })
		g.advance(30 * time.Second)
		assert.False(t, assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t).EndsAt.Before(g.now()), "a new one")
		assert.Len(t, g.ended, 0)
	})
}

// Whoever hangs up while the provider answers loses nothing: a rotated refresh token is
// kept.
func TestACallerWhoHangsUpDoesNotCostTheGrant(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Rotate = true })
		l := g.connect(t, "ada")
		g.advance(time.Hour)
		ctx, hangUp := context.WithCancel(t.Context())
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Answer = func(map[string]any) { hangUp() } })
		_, _ = g.AccessToken(ctx, "ada", l.ID)
		assert.ErrorIs(t, ctx.Err(), context.Canceled)
		_ = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
		assert.Equal(t, g.refreshes(), 1)
	})
}

func TestWhoWaitsForTheTurnWaitsForABoundedTime(t *testing.T) {
	t.Parallel()
	store, clock := oauthtest.NewFake(), bundbtest.NewClock()
	g := newGranting(t, store, clock)
	l := g.connect(t, "ada")
	g.advance(time.Hour)
	won, err := store.ClaimRefresh(t.Context(), l.ID, 1, g.now(), g.now().Add(30*time.Second))
	assert.True(t, won && err == nil, "somebody has the turn")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := g.AccessToken(t.Context(), "ada", l.ID)
		assert.Equal(t, problem.KindOf(err), problem.Unavailable)
		assert.True(t, time.Since(began) > 4*time.Second && time.Since(began) < 6*time.Second, "five seconds")
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		began = time.Now()
		_, err = g.AccessToken(ctx, "ada", l.ID)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Since(began), time.Second)
	})
	assert.Equal(t, g.refreshes(), 0)
	g.advance(30 * time.Second) // whoever had it is gone
	_ = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
}

// Two are at the provider, because the first was given up: what the second one kept counts.
func TestAnOvertakenRefreshKeepsNothing(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"with new tokens": false, "with an end": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachGranting(t, func(t *testing.T, g *granting, _ *bundb.DB) {
				l := g.connect(t, "ada")
				g.advance(time.Hour)
				var second oauth.Access
				g.idp.Bend(func(k *oauthtest.Knobs) {
					k.Handlers = map[string]http.HandlerFunc{"/token": func(w http.ResponseWriter, _ *http.Request) {
						g.idp.Bend(func(k *oauthtest.Knobs) { k.Handlers = nil })
						g.advance(time.Minute)
						second = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
						w.Header().Set("Content-Type", "application/json")
						if ends {
							w.WriteHeader(http.StatusBadRequest)
							_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
							return
						}
						_, _ = w.Write([]byte(`{"access_token":"overtaken","token_type":"Bearer","expires_in":3600}`))
					}}
				})
				first := assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
				assert.True(t, first.Token.Equal(second.Token), "the token that is kept")
				assert.True(t, g.row(t, l).EndedAt.IsZero() && len(g.ended) == 0, "the grant goes on")
			})
		})
	}
}

func TestTokensAreGoneWithTheirLink(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, db *bundb.DB) {
		l := g.connect(t, "ada")
		g.advance(time.Hour)
		g.idp.Bend(func(k *oauthtest.Knobs) { // taken away while the provider is asked
			k.Answer = func(map[string]any) {
				_, err := g.store.RemoveLink(t.Context(), "ada", l.ID)
				assert.NoError(t, err)
			}
		})
		_, err := g.AccessToken(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, oauth.ErrNoGrant)
		_, err = g.AccessToken(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
		assert.NotContains(t, string(bundbtest.Dump(t, db)), l.ID)
	})
}

func TestTokensAreSealedForTheirRowAndColumn(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, db *bundb.DB) {
		g.idp.Bend(func(k *oauthtest.Knobs) { k.Rotate = true })
		l := g.connect(t, "ada")
		g.idp.SetAccount(oauthtest.Account{Subject: "bob"})
		bobs := g.connect(t, "bob")
		g.advance(time.Hour)
		for _, each := range []oauth.Link{l, bobs} {
			_ = assert.Must(g.AccessToken(t.Context(), each.UserID, each.ID))(t) // sealed by the service
		}
		dump := string(bundbtest.Dump(t, db))
		assert.True(t, len(g.idp.Secrets()) >= 8, "there are secrets to look for")
		for _, secret := range g.idp.Secrets() {
			assert.NotContains(t, dump, secret)
		}
		for _, swap := range []struct{ sql, from string }{
			{"UPDATE tenon_oauth_grants SET access_token = (SELECT access_token FROM tenon_oauth_grants WHERE link_id = ?) WHERE link_id = ?", bobs.ID},
			{"UPDATE tenon_oauth_grants SET access_token = (SELECT refresh_token FROM tenon_oauth_grants WHERE link_id = ?) WHERE link_id = ?", l.ID},
		} {
			_, err := db.Statement(swap.sql).Exec(t.Context(), swap.from, l.ID)
			assert.NoError(t, err)
			_, err = g.AccessToken(t.Context(), "ada", l.ID)
			assert.ErrorIs(t, err, crypto.ErrAuthentication)
			_, err = g.Info(t.Context(), "ada", l.ID)
			assert.ErrorIs(t, err, crypto.ErrAuthentication)
		}
		_, err := db.Statement("UPDATE tenon_oauth_grants SET refresh_token = (SELECT refresh_token FROM tenon_oauth_grants WHERE link_id = ?) WHERE link_id = ?").
			Exec(t.Context(), bobs.ID, l.ID)
		assert.NoError(t, err)
		before := g.refreshes()
		_, err = g.RefreshAccess(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, crypto.ErrAuthentication)
		assert.Equal(t, g.refreshes(), before)
	})
}

func TestTokensAreTheOwnersAndOfProvidersThatKeepThem(t *testing.T) {
	t.Parallel()
	store, clock := oauthtest.NewFake(), bundbtest.NewClock()
	g := newGranting(t, store, clock)
	l := g.connect(t, "ada")
	bare := oauth.Link{ID: "bare", UserID: "ada", Provider: "acme", Identity: oauth.Identity{Subject: "bare"}}
	gone := oauth.Link{ID: "gone", UserID: "ada", Provider: "gone", Identity: oauth.Identity{Subject: "gone"}}
	assert.NoError(t, store.AddLink(t.Context(), bare))
	assert.NoError(t, store.AddLink(t.Context(), gone))
	for _, c := range []struct {
		userID, id string
		want       error
	}{
		{"bob", l.ID, oauth.ErrNotFound},
		{"", l.ID, oauth.ErrNotFound},
		{"ada", "x", oauth.ErrNotFound},
		{"ada", "", oauth.ErrNotFound},
		{"ada", bare.ID, oauth.ErrNoGrant},
		{"ada", gone.ID, oauth.ErrUnknownProvider},
	} {
		_, err := g.AccessToken(t.Context(), c.userID, c.id)
		assert.ErrorIs(t, err, c.want)
		_, err = g.RefreshAccess(t.Context(), c.userID, c.id)
		assert.ErrorIs(t, err, c.want)
		_, err = g.Info(t.Context(), c.userID, c.id)
		assert.ErrorIs(t, err, c.want)
	}
	assert.NoError(t, store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := g.AccessToken(ctx, "ada", l.ID)
		assert.ErrorIs(t, err, auth.ErrInTransaction)
		_, err = g.Info(ctx, "ada", l.ID)
		assert.ErrorIs(t, err, auth.ErrInTransaction)
		return nil
	}))
	store.Fail(problem.ErrUnavailable)
	_, err := g.AccessToken(t.Context(), "ada", l.ID)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	store.Fail(nil)
	forgetful := newGranting(t, store, clock, func(c *oauth.Config) { c.Providers[0].KeepTokens = false })
	_, err = forgetful.AccessToken(t.Context(), "ada", l.ID)
	assert.ErrorIs(t, err, oauth.ErrNoGrant)
}

func TestATokenThatCannotBeRenewedServesToItsEnd(t *testing.T) {
	t.Parallel()
	g := newGranting(t, oauthtest.NewFake(), bundbtest.NewClock())
	g.idp.Bend(func(k *oauthtest.Knobs) { k.Answer = func(doc map[string]any) { doc["refresh_token"] = nil } })
	l := g.connect(t, "ada")
	_, err := g.RefreshAccess(t.Context(), "ada", l.ID)
	assert.ErrorIs(t, err, oauth.ErrNoRefreshToken)
	g.advance(time.Hour - time.Second)
	_ = assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t)
	_ = assert.Must(g.Info(t.Context(), "ada", l.ID))(t)
	g.advance(time.Second)
	_, err = g.AccessToken(t.Context(), "ada", l.ID)
	assert.ErrorIs(t, err, oauth.ErrGrantEnded)
	assert.Len(t, g.ended, 0)

	g.idp.SetAccount(oauthtest.Account{Subject: "for ever"})
	g.idp.Bend(func(k *oauthtest.Knobs) { k.Answer, k.AccessFor = nil, -1 })
	l = g.connect(t, "ada")
	g.advance(1000 * time.Hour)
	assert.True(t, assert.Must(g.AccessToken(t.Context(), "ada", l.ID))(t).EndsAt.IsZero(), "no end")
	assert.Equal(t, g.refreshes(), 0)
	_ = assert.Must(g.RefreshAccess(t.Context(), "ada", l.ID))(t)
	assert.Equal(t, g.refreshes(), 1)
}

func TestScopesAreThoseOfTheNewestToken(t *testing.T) {
	t.Parallel()
	g := newGranting(t, oauthtest.NewFake(), bundbtest.NewClock())
	l := g.connect(t, "ada")
	g.idp.Bend(func(k *oauthtest.Knobs) { k.Answer = func(doc map[string]any) { doc["scope"] = nil } })
	assert.Equal(t, assert.Must(g.RefreshAccess(t.Context(), "ada", l.ID))(t).Scopes, []string{"openid", "email", "profile"})
	g.idp.Bend(func(k *oauthtest.Knobs) { k.Answer = func(doc map[string]any) { doc["scope"] = "openid" } })
	assert.Equal(t, assert.Must(g.RefreshAccess(t.Context(), "ada", l.ID))(t).Scopes, []string{"openid"})
	assert.Equal(t, g.row(t, l).Scopes, []string{"openid"})
}

// Rule R23: the GET changes nothing, whatever it finds.
func TestR23_InfoAsksTheProviderAndRenewsNothing(t *testing.T) {
	t.Parallel()
	eachGranting(t, func(t *testing.T, g *granting, db *bundb.DB) {
		l := g.connect(t, "ada")
		before := string(bundbtest.Dump(t, db))
		got := assert.Must(g.Info(t.Context(), "ada", l.ID))(t)
		assert.Equal(t, got.Link, l)
		assert.Equal(t, []string{got.Identity.Subject, got.Identity.Email}, []string{l.Identity.Subject, "ann@acme.example"})
		assert.Equal(t, string(got.Profile["sub"]), `"`+l.Identity.Subject+`"`)
		for _, bend := range []func(doc map[string]any){
			func(doc map[string]any) { doc["sub"] = "somebody else" }, func(doc map[string]any) { doc["sub"] = nil },
		} {
			g.idp.Bend(func(k *oauthtest.Knobs) { k.UserInfo = bend })
			_, err := g.Info(t.Context(), "ada", l.ID)
			assert.ErrorIs(t, err, oauth.ErrAccessEnded)
		}
		g.idp.EndGrants()
		_, err := g.Info(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, oauth.ErrAccessEnded)
		called := g.idp.Called("/userinfo")
		g.advance(time.Hour)
		_, err = g.Info(t.Context(), "ada", l.ID)
		assert.ErrorIs(t, err, oauth.ErrAccessEnded)
		assert.Equal(t, []int{g.idp.Called("/userinfo"), g.refreshes()}, []int{called, 0})
		g.idp.Close()
		assert.Equal(t, string(bundbtest.Dump(t, db)), before)
	})
}
