package tenon_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// A linked account signs in, whatever its address is by now.
func TestR19_ALinkedAccountSignsInWhateverItsAddressIs(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		w.browser(t).social(i)
		assert.Equal(t, w.count(t, "tenon_users WHERE email = 'ada@example.com' AND email_proof = 'provider:acme' AND name = 'Ada at Acme'"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links WHERE provider = 'acme' AND subject = '1'"), 1)
		assert.Equal(t, w.count(t, "tenon_organizations"), 1) // the default one, as everybody has
		w.later()
		for _, account := range []oauthtest.Account{
			{Subject: "1", Email: "moved@elsewhere.example"}, {Subject: "1"}, {Subject: "1", Email: email, Verified: true},
		} {
			i.SetAccount(account)
			b := w.browser(t)
			b.arrives(b.social(i), "/")
			session, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
			assert.Equal(t, session["provider"], any("acme"))
		}
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links WHERE last_used_at > created_at"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels = 'provider:acme'"), 4)
	})
}

// The same subject at another issuer is somebody else.
func TestR19_TheSubjectAloneIsNobody(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		i, evil := &idp{Provider: oauthtest.NewProvider(t, db.Now)}, &idp{Provider: oauthtest.NewProvider(t, db.Now)}
		w := newWorld(t, db, i.into(func(c *oauth.Config) {
			c.Providers = append(c.Providers, oauth.Provider{Provider: evil.Provider.Provider("evil")})
		}))
		i.is("1", email)
		evil.is("1", email)
		b := w.browser(t)
		b.arrives(b.social(i), "/")
		stranger := w.browser(t)
		got := stranger.comeBack(evil.Visit(stranger.begin("evil", nil)))
		assert.Contains(t, got.body, "Check your mail")
		assert.False(t, stranger.isSignedIn(), "the stranger is in")
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	})
}

// A mailbox that both proved is one account: it keeps its password, and its owner is told.
func TestR19_AProvenMailboxIsLinkedToItsUser(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		var linked []oauth.Linked
		i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
		w := newWorld(t, db, i.into(func(c *oauth.Config) {
			c.Hooks.AccountLinked = func(_ context.Context, e oauth.Linked) error { linked = append(linked, e); return nil }
		}))
		owner := w.signedIn(t, email)
		i.is("1", strings.ToUpper(email[:3])+email[3:])
		b := w.browser(t)
		b.arrives(b.social(i), "/")
		assert.Equal(t, b.idOf(), owner.idOf())
		assert.Equal(t, w.lastMail(t, email), oauth.MailLinked)
		assert.Equal(t, len(linked), 1)
		assert.True(t, linked[0].Automatic && linked[0].Link.UserID == owner.idOf() && linked[0].Client.IP.IsValid(), "the hook is told")
		assert.True(t, owner.isSignedIn(), "the owner stays signed in")
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users WHERE email_proof = 'mail'"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	})
}

// refusedAs fails the test unless the callback was answered by a page that says code's text
// and its status, and wrote nothing.
func (w *world) refusedAs(t *testing.T, b *browser, status int, says string, do func() answer) {
	t.Helper()
	before := w.protected(t)
	got := do()
	if got.StatusCode != status || !strings.Contains(got.body, says) || !strings.Contains(got.body, "<html") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	assert.False(t, b.isSignedIn(), "signed in")
	assert.Equal(t, w.protected(t), before)
	assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	assert.Equal(t, w.count(t, "tenon_oauth_attachments"), 0)
}

func TestR19_WhereLinksAreExplicitNobodyIsLinked(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.user(t, email)
		i.is("1", email)
		b := w.browser(t)
		w.refusedAs(t, b, http.StatusForbidden, "connect this service in your settings", func() answer { return b.social(i) })
		got := b.comeBack(i.Visit(b.begin("acme", map[string]any{"errorCallbackURL": "/oops?x=1"})))
		assert.Equal(t, got.Header.Get("Location"), "/oops?error=ACCOUNT_NOT_LINKED&x=1")
		i.is("2", "new@example.com") // links nobody, and so is let in
		b.arrives(b.social(i), "/")
	}, func(c *oauth.Config) { c.ExplicitLinks = true })
}

func TestR19_ASuperuserIsNotLinkedByAProvidersWord(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.user(t, email)
		_, err := w.db.Statement("UPDATE tenon_users SET superuser = TRUE").Exec(t.Context())
		assert.NoError(t, err)
		i.is("1", email)
		b := w.browser(t)
		w.refusedAs(t, b, http.StatusForbidden, "connect this service in your settings", func() answer { return b.social(i) })
	})
}

// The reserved address is proven by our own mail alone, whoever says what (rules R19, R33).
func TestR19_TheReservedAddressIsAsIfTyped(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
		w := newWorld(t, db, i.into(), withRoot)
		i.is("1", rootEmail)
		b := w.browser(t)
		assert.Contains(t, b.social(i).body, "Check your mail")
		assert.Equal(t, w.count(t, "tenon_users"), 0)
		assert.Equal(t, b.post("/verify-email?token="+w.link(t, rootEmail), map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users WHERE superuser AND email_proof = 'mail'"), 1)
		b.arrives(b.social(i), "/")
	})
}

// An imported superuser who never proved the mailbox proves it by our mail, too.
func TestR19_AnUnprovenSuperuserIsAsIfTyped(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.imported(t, email)
		_, err := w.db.Statement("UPDATE tenon_users SET superuser = TRUE").Exec(t.Context())
		assert.NoError(t, err)
		i.is("1", email)
		b := w.browser(t)
		assert.Contains(t, b.social(i).body, "Check your mail")
		assert.Equal(t, w.count(t, "tenon_users WHERE email_verified"), 0)
		assert.False(t, b.isSignedIn(), "signed in")
	})
}

// A second factor is asked for, and the account stays unlinked before and after.
func TestR2_ASecondFactorIsAskedForAndNothingIsLinked(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		a := w.enrol(t, w.signedIn(t, email))
		i.is("1", email)
		b := w.browser(t)
		before := w.rowsOfSessions(t)
		got := b.comeBack(i.Visit(b.begin("acme", map[string]any{"callbackURL": "/in?x=1"})))
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.Equal(t, got.Header.Get("Location"), "/api/auth/two-factor/challenge")
		assert.Equal(t, w.rowsOfSessions(t), before)
		assert.False(t, b.isSignedIn(), "signed in")
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
		met := b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)})
		assert.Equal(t, met.decode(t)["url"], any("/in?x=1"))
		assert.True(t, b.isSignedIn(), "after both factors")
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels = 'provider:acme totp'"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	})
}

// Who exists unproven loses what strangers may have put there (rule R4).
func TestR4_AnUnprovenUserIsStrippedBeforeTheyAreLinked(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		user := w.imported(t, email)
		assert.NoError(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			return i.store(w).AddLink(ctx, oauth.Link{
				ID: "0192f0c1-7b6e-7d2a-8d3e-000000000001", UserID: user.ID, Provider: "acme", Identity: oauth.Identity{Issuer: i.URL, Subject: "stranger"},
				CreatedAt: w.db.Now(), LastUsedAt: w.db.Now(),
			})
		}))
		stranger := w.browser(t)
		i.SetAccount(oauthtest.Account{Subject: "stranger", Email: "x@elsewhere.example"})
		assert.Equal(t, stranger.social(i).StatusCode, http.StatusUnauthorized) // a link lets nobody in whose address is not proven
		i.is("1", email)
		b := w.browser(t)
		b.arrives(b.social(i), "/")
		assert.Equal(t, b.idOf(), user.ID)
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, w.count(t, "tenon_oauth_links WHERE subject = '1'"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		assert.Equal(t, w.count(t, "tenon_users WHERE email_proof = 'provider:acme'"), 1)
	})
}

// An import that brought the link, too: its owner proves the mailbox by it.
func TestR4_AnUnprovenUserWithALinkProvesTheMailboxByIt(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		user := w.imported(t, email)
		assert.NoError(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			return i.store(w).AddLink(ctx, oauth.Link{
				ID: "0192f0c1-7b6e-7d2a-8d3e-000000000001", UserID: user.ID, Provider: "acme", Identity: oauth.Identity{Issuer: i.URL, Subject: "1"},
				CreatedAt: w.db.Now(), LastUsedAt: w.db.Now(),
			})
		}))
		i.is("1", email)
		b := w.browser(t)
		b.arrives(b.social(i), "/")
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	})
}

func TestAProviderMayMakeNoNewUsers(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.user(t, email)
		for _, account := range []oauthtest.Account{
			{Subject: "1", Email: "new@example.com", Verified: true},
			{Subject: "1", Email: "new@elsewhere.example", Verified: true},
			{Subject: "1", Email: email}, // known, and not proven: told nothing else
		} {
			i.SetAccount(account)
			b := w.browser(t)
			w.refusedAs(t, b, http.StatusForbidden, "There is no account for this sign-in", func() answer { return b.social(i) })
			got := b.comeBack(i.Visit(b.begin("acme", map[string]any{"errorCallbackURL": "/oops", "requestSignUp": true})))
			assert.Equal(t, got.Header.Get("Location"), "/oops?error=SIGNUP_DISABLED")
		}
		i.is("1", email)
		b := w.browser(t)
		b.arrives(b.social(i), "/")
	}, func(c *oauth.Config) { c.Providers[0].NoSignUp = true })
}

func TestAnAccountWithoutAnAddressIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.SetAccount(oauthtest.Account{Subject: "1"})
		b := w.browser(t)
		w.refusedAs(t, b, http.StatusForbidden, "Allow us to read it there, and sign in again.", func() answer { return b.social(i) })
	})
}

// A banned user is told no more than that, and is not linked either.
func TestABannedUserDoesNotComeInByAProvider(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.user(t, email)
		w.ban(t, "ada@example.com")
		i.is("1", email)
		b := w.browser(t)
		w.refusedAs(t, b, http.StatusUnauthorized, "cannot be signed in to at the moment", func() answer { return b.social(i) })
		_, err := w.db.Statement("UPDATE tenon_users SET banned_at = NULL").Exec(t.Context())
		assert.NoError(t, err)
		b.arrives(b.social(i), "/")
		w.ban(t, "ada@example.com")
		linked := w.browser(t)
		assert.Equal(t, linked.social(i).StatusCode, http.StatusUnauthorized)
		assert.False(t, linked.isSignedIn(), "banned and in")
	})
}

// The hooks of the host are asked and told as for everybody else.
func TestNewUsersOfProvidersPassTheHostsHooks(t *testing.T) {
	t.Parallel()
	no := errors.New("the host says no")
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		veto, told := no, []string(nil)
		tell := func(what string) { told = append(told, what) }
		hooks := func(c *tenon.Config) {
			c.AuthHooks = auth.Hooks{
				BeforeSignUp:  func(context.Context, auth.BeforeSignUp) error { tell("before"); return veto },
				UserCreated:   func(_ context.Context, e auth.UserCreated) error { tell("created " + e.User.EmailProof); return nil },
				BeforeSession: func(_ context.Context, e auth.BeforeSession) error { tell("session " + e.Channels[0]); return nil },
				SignedIn:      func(_ context.Context, e auth.SignedIn) error { tell("in " + e.Channels[0]); return nil },
			}
		}
		i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
		w := newWorld(t, db, i.into(), hooks)
		i.is("1", email)
		b := w.browser(t)
		assert.Equal(t, b.social(i).StatusCode, http.StatusInternalServerError) // an error of the host's own
		assert.Equal(t, w.count(t, "tenon_users")+w.count(t, "tenon_oauth_links")+w.count(t, "tenon_sessions"), 0)
		veto, told = nil, nil
		b.arrives(b.social(i), "/")
		assert.Equal(t, told, []string{"before", "created provider:acme", "session provider:acme", "in provider:acme"})
	})
}

func TestNewUsersGoWhereNewUsersGo(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b, body := w.browser(t), map[string]any{"callbackURL": "/in", "newUserCallbackURL": "/welcome"}
		b.arrives(b.comeBack(i.Visit(b.begin("acme", body))), "/welcome")
		again := w.browser(t)
		again.arrives(again.comeBack(i.Visit(again.begin("acme", body))), "/in")
	})
}

// unproven is an account whose address its provider does not prove.
func unproven(subject, address string) oauthtest.Account {
	return oauthtest.Account{Subject: subject, Email: address, Verified: true, Name: "Stranger"}
}

// Known and unknown, banned and waiting: whoever comes with an address that is not proven
// gets the same bytes after the same statements (rules R4, R7).
func TestR7_UnprovenAddressesAreAlike(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.Bend(func(k *oauthtest.Knobs) { k.Claims = func(c map[string]any) { c["email_verified"] = "true" } })
		everybody := w.everybody(t)
		w.browser(t).social(i) // discovery and keys are known from here on
		n := 0
		w.alike(t, "page", everybody, func(b *browser, to string) answer {
			n++
			i.SetAccount(unproven("page-"+string(rune('a'+n)), to))
			return b.social(i)
		})
		w.alike(t, "redirect", everybody, func(b *browser, to string) answer {
			n++
			i.SetAccount(unproven("redirect-"+string(rune('a'+n)), to))
			return b.comeBack(i.Visit(b.begin("acme", map[string]any{"errorCallbackURL": "/oops"})))
		})
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	})
}

// Only the browser that came from the provider keeps the account by the mailed link.
func TestR5_OnlyTheSameBrowserKeepsTheAttachedAccount(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		const here, there = "here@elsewhere.example", "there@elsewhere.example"
		i.SetAccount(unproven("1", here))
		b := w.browser(t)
		got := b.social(i)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Contains(t, got.body, here)
		assert.Equal(t, w.count(t, "tenon_users")+w.count(t, "tenon_oauth_links"), 0)
		assert.Equal(t, b.post("/verify-email?token="+w.link(t, here), map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_oauth_links WHERE subject = '1'"), 1)
		b.arrives(b.social(i), "/")

		i.SetAccount(unproven("2", there))
		attacker := w.browser(t)
		attacker.social(i)
		owner, secret := w.browser(t), w.link(t, there)
		assert.Equal(t, owner.post("/verify-email", map[string]any{"token": secret}).code(t), "SIGN_UP_PROOF_REQUIRED")
		assert.Equal(t, owner.post("/verify-email", map[string]any{"token": secret, "newPassword": newPassword}).StatusCode, http.StatusOK)
		assert.Equal(t, owner.signInWith(there, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_oauth_links WHERE subject = '2'"), 0)
		assert.Equal(t, w.count(t, "tenon_oauth_attachments"), 0)
		w.later()
		assert.Contains(t, attacker.social(i).body, "Check your mail")
		assert.False(t, attacker.isSignedIn(), "the attacker is in")
	})
}

// Whose account it became meanwhile keeps it; the sign-up is proven all the same.
func TestAnAttachedAccountThatWasLinkedElsewhereStaysThere(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		const late = "late@elsewhere.example"
		i.SetAccount(unproven("1", late))
		b := w.browser(t)
		b.social(i)
		i.is("1", email)
		first := w.browser(t)
		first.arrives(first.social(i), "/")
		assert.Equal(t, b.post("/verify-email?token="+w.link(t, late), map[string]any{}).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users"), 2)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		b.arrives(b.social(i), "/")
		assert.Equal(t, b.idOf(), first.idOf())
	})
}

// A failing statement leaves nothing of a callback but the used state.
func TestPromise1_ResolvingIsAllOrNothing(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		w.user(t, email)
		i.is("warm", "warm@example.com")
		w.browser(t).social(i)
		for name, account := range map[string]oauthtest.Account{
			"linked": {Subject: "warm"}, "adopted": {Subject: "1", Email: email, Verified: true},
			"new": {Subject: "2", Email: "new@example.com", Verified: true}, "waiting": unproven("3", "typed@elsewhere.example"),
		} {
			i.SetAccount(account)
			for k := 1; ; k++ {
				b := w.browser(t)
				back := i.Visit(b.begin("acme", nil))
				before := w.rowsWithout(t, "tenon_one_time_tokens")
				bundbtest.FaultsOf(w.DB).FailAt(k)
				got := b.comeBack(back)
				bundbtest.FaultsOf(w.DB).Disarm()
				if got.StatusCode < http.StatusInternalServerError {
					break
				}
				if k > 200 || before != w.rowsWithout(t, "tenon_one_time_tokens") {
					t.Fatalf("%s: statement %d: %d and something stays", name, k, got.StatusCode)
				}
			}
		}
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 3)
	})
}
