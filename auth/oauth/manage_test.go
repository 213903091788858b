package oauth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

// keeping is a Service with fakes around it, for what owners do with their links.
type keeping struct {
	*oauth.Service
	config   oauth.Config
	links    *oauthtest.Fake
	auth     *auth.Service
	mailbox  *mailtest.Mailbox
	ended    []string
	unlinked []oauth.Unlinked
	other    bool
	now      time.Time
}

// joined is users, tokens and links with transactions in common.
type joined struct {
	*authtest.Fake
	tokens *tokentest.Fake
	links  *oauthtest.Fake
}

func (d joined) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.Fake.InTx(ctx, func(ctx context.Context) error {
		return d.tokens.InTx(ctx, func(ctx context.Context) error { return d.links.InTx(ctx, fn) })
	})
}

func (k *keeping) Start(context.Context, door.Pass) (auth.Grant, error) {
	return auth.Grant{SessionID: "session"}, nil
}

func (k *keeping) EndOthers(_ context.Context, userID, keepID string, _ int64) error {
	k.ended = append(k.ended, userID+" but "+keepID)
	return nil
}

func (k *keeping) Elevate(context.Context, *principal.Principal, door.Proof) (auth.Grant, error) {
	return auth.Grant{}, errors.New("nobody steps up")
}

func (k *keeping) RecordStepUpFailure(context.Context, *principal.Principal) (bool, error) {
	return false, errors.New("nobody steps up")
}

func newKeeping(t *testing.T) *keeping {
	t.Helper()
	k := &keeping{links: oauthtest.NewFake(), mailbox: new(mailtest.Mailbox), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return k.now }
	store := joined{authtest.NewFake(), tokentest.NewFake(), k.links}
	keys := cryptotest.NewKeyring(t)
	tokens, err := token.New(store.tokens, token.Config{Peppers: keys, Now: clock})
	assert.NoError(t, err)
	k.auth, err = auth.New(store, auth.Config{
		Keys: keys, Sessions: k, Tokens: tokens, Outbox: k.mailbox, Passwords: passwordtest.New(t),
		LinkBase: "https://example.com/api/auth", Now: clock,
	})
	assert.NoError(t, err)
	acme := provider.OpenID("acme", "https://login.acme.example", "id", token.NewSecret("a client secret of more than thirty-two bytes"))
	acme.Name = "Acme"
	k.config = oauth.Config{
		Providers: []oauth.Provider{{Provider: acme, KeepTokens: true}},
		Auth:      k.auth, Users: store, Sessions: k, Tokens: tokens, Keys: keys, Now: clock,
		RedirectBase: "https://example.com/api/auth/callback/",
		OtherWays:    func(context.Context, auth.User) (bool, error) { return k.other, nil },
		Hooks: oauth.Hooks{AccountUnlinked: func(_ context.Context, e oauth.Unlinked) error {
			k.unlinked = append(k.unlinked, e)
			return nil
		}},
	}
	k.Service, err = oauth.New(k.links, k.config)
	assert.NoError(t, err)
	return k
}

// user makes a user and returns them as a caller who is fresh.
func (k *keeping) user(t *testing.T, email, typed string) account.Caller {
	t.Helper()
	n := auth.NewUser{Email: email, Name: "Ada", EmailVerified: true}
	if typed != "" {
		n.PasswordHash = assert.Must(passwordtest.New(t).Hash(t.Context(), typed))(t)
	}
	user := assert.Must(k.auth.CreateUser(t.Context(), n))(t)
	return account.Caller{Principal: &principal.Principal{UserID: user.ID, SessionID: "session"}, SecurityVersion: 1, Fresh: true}
}

// link gives a user an account at a provider.
func (k *keeping) link(t *testing.T, c account.Caller, id, provider, subject string) oauth.Link {
	t.Helper()
	k.now = k.now.Add(time.Second)
	l := oauth.Link{
		ID: id, UserID: c.Principal.UserID, Provider: provider, CreatedAt: k.now,
		Identity: oauth.Identity{Issuer: "https://login." + provider + ".example", Subject: subject},
	}
	assert.NoError(t, k.links.AddLink(t.Context(), l))
	return l
}

func TestAccountsListLinksWithTheirScopes(t *testing.T) {
	t.Parallel()
	k := newKeeping(t)
	c, other := k.user(t, "ada@example.com", ""), k.user(t, "bob@example.com", "")
	first, second := k.link(t, c, "1", "acme", "s-1"), k.link(t, c, "2", "gone", "s-2")
	k.link(t, other, "3", "acme", "s-3")
	used := k.now.Add(time.Hour)
	_, err := k.links.UseLink(t.Context(), first.UserID, first.ID, "", used)
	assert.NoError(t, err)
	grant := oauth.Grant{LinkID: first.ID, UserID: first.UserID, Access: []byte("sealed"), Scopes: []string{"openid", "email"}, CreatedAt: k.now, UpdatedAt: k.now}
	assert.NoError(t, k.links.PutGrant(t.Context(), grant))
	want := []account.Account{
		{ID: "1", ProviderID: "acme", AccountID: "s-1", UserID: first.UserID, Scopes: grant.Scopes, CreatedAt: first.CreatedAt, UpdatedAt: used},
		{ID: "2", ProviderID: "gone", AccountID: "s-2", UserID: first.UserID, CreatedAt: second.CreatedAt, UpdatedAt: second.CreatedAt},
	}
	assert.Equal(t, assert.Must(k.Accounts(t.Context(), first.UserID))(t), want)

	grant.EndedAt, grant.Generation = used, 1
	done, err := k.links.FinishRefresh(t.Context(), grant)
	assert.True(t, done && err == nil, "the grant ended")
	want[0].Scopes = nil
	assert.Equal(t, assert.Must(k.Accounts(t.Context(), first.UserID))(t), want)
	k.links.Fail(problem.ErrUnavailable)
	_, err = k.Accounts(t.Context(), first.UserID)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

// What is left decides whether a link may go: a password, a link of a provider that is
// still configured, or another way in.
func TestUnlinkKeepsAWayIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		password, second, gone, other bool
		want                          error
	}{
		"nothing else": {want: oauth.ErrLastWayIn}, "a password": {password: true}, "another link": {second: true},
		"a passkey, or links by mail": {other: true}, "a link of a provider that is gone": {gone: true, want: oauth.ErrLastWayIn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeeping(t)
			typed := map[bool]string{true: "correct horse battery"}[c.password]
			ada := k.user(t, "ada@example.com", typed)
			l := k.link(t, ada, "1", "acme", "s-1")
			if c.second {
				k.link(t, ada, "2", "acme", "s-2")
			}
			if c.gone {
				k.link(t, ada, "2", "gone", "s-2")
			}
			k.other = c.other
			assert.ErrorIs(t, k.Unlink(t.Context(), ada, l.ID), c.want)
			_, err := k.links.LinkByIdentity(t.Context(), l.Identity)
			if c.want != nil {
				assert.NoError(t, err)
				assert.Equal(t, len(k.ended)+len(k.unlinked)+len(k.mailbox.Messages()), 0)
				return
			}
			assert.ErrorIs(t, err, oauth.ErrNotFound)
			assert.Equal(t, k.ended, []string{ada.Principal.UserID + " but session"})
			assert.Equal(t, k.unlinked, []oauth.Unlinked{{Link: l}})
			told, _ := k.mailbox.Last("ada@example.com")
			assert.Contains(t, told.Text, "An account at Acme was disconnected")
			// What was permitted before is not any more (rule R1).
			assert.ErrorIs(t, k.Unlink(t.Context(), ada, l.ID), auth.ErrStale)
		})
	}
}

func TestUnlinkIsForTheFreshOwner(t *testing.T) {
	t.Parallel()
	k := newKeeping(t)
	ada, eve := k.user(t, "ada@example.com", "correct horse battery"), k.user(t, "eve@example.com", "correct horse battery")
	l := k.link(t, ada, "1", "acme", "s-1")
	assert.ErrorIs(t, k.Unlink(t.Context(), eve, l.ID), oauth.ErrNotFound)
	assert.ErrorIs(t, k.Unlink(t.Context(), eve, "never"), oauth.ErrNotFound)
	for name, c := range map[string]struct {
		change func(*account.Caller)
		want   error
	}{
		"stale":        {func(c *account.Caller) { c.Fresh = false }, account.ErrNotFresh},
		"nobody":       {func(c *account.Caller) { c.Principal = nil }, problem.ErrUnauthenticated},
		"impersonated": {func(c *account.Caller) { c.Principal.ImpersonatorID = "root" }, problem.ErrForbidden},
		"a key":        {func(c *account.Caller) { c.Principal.APIKeyID = "key" }, problem.ErrForbidden},
		"old version":  {func(c *account.Caller) { c.SecurityVersion = 7 }, auth.ErrStale},
	} {
		asks, p := ada, *ada.Principal
		asks.Principal = &p
		c.change(&asks)
		if err := k.Unlink(t.Context(), asks, l.ID); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Equal(t, assert.Must(k.Ways(t.Context(), l.UserID))(t), 1)
}

// An issuer and a subject are one person. Where an issuer was copied to another server, or
// subjects are read from elsewhere, they would be another's.
func TestR19_OneIssuerIsOneServer(t *testing.T) {
	t.Parallel()
	first := provider.Provider{
		ID: "first", Issuer: "https://idp.example", ClientID: "c", AuthURL: "https://idp.example/a", TokenURL: "https://idp.example/t",
		UserInfoURL: "https://idp.example/u",
	}
	for name, change := range map[string]func(p *provider.Provider){
		"another client":      func(p *provider.Provider) { p.ClientID = "d" },
		"another token URL":   func(p *provider.Provider) { p.TokenURL = "https://evil.example/t" },
		"another profile URL": func(p *provider.Provider) { p.UserInfoURL = "https://evil.example/u" },
		"another subject":     func(p *provider.Provider) { p.Fields.Subject = []string{"id"} },
		"discovered":          func(p *provider.Provider) { p.AuthURL, p.TokenURL, p.UserInfoURL = "", "", "" },
	} {
		second := first
		second.ID = "second"
		change(&second)
		k := newKeeping(t)
		cfg := k.config
		cfg.Providers = []oauth.Provider{{Provider: first}, {Provider: second}}
		_, err := oauth.New(k.links, cfg)
		if (err == nil) != (name == "another client") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
