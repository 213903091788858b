package tenon_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

// refuses fails the test unless a callback ended on a page that says why, the refusal was
// told to the host, and the browser has no other session than before.
func (p *providers) refuses(t testing.TB, b *browser, back *url.URL, status int, code string) {
	t.Helper()
	before, heard := b.cookie("session"), len(p.refused)
	got := b.comeBack(back)
	if got.StatusCode != status || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, `<p class="notice" role="alert">`) {
		t.Errorf("want %d %s: %d to %q: %s", status, code, got.StatusCode, got.Header.Get("Location"), got.body)
	}
	if len(p.refused) != heard+1 || p.refused[heard].Code != code {
		t.Errorf("want %s: the host heard %+v", code, p.refused[heard:])
	}
	assert.Equal(t, b.cookie("session"), before)
}

// What an attacker began, with an account of their own at the provider, ends in no other
// browser: neither is the victim signed in as the attacker, nor may the attacker sign in
// as the victim. Nothing of the attacker's or the victim's own flow is used up.
func TestR20_ACallbackOfAnotherBrowserIsRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/sign-in/social", "/link-social"} {
		eachAcme(t, func(t *testing.T, w *world, p *providers) {
			victim, eve := w.signedIn(t, email), w.signedIn(t, "eve@example.com")
			ada := victim.idOf()
			own := victim.leave("/link-social", "acme")
			p.is("eve", "eve@example.com")
			planted := p.acme.Visit(eve.leave(path, "acme"))
			p.refuses(t, victim, planted, http.StatusBadRequest, "STATE_MISMATCH")
			p.refuses(t, w.browser(t), planted, http.StatusBadRequest, "STATE_MISMATCH")
			// With the victim's own state, the attacker's code does not fit.
			mixed := p.acme.Visit(eve.leave(path, "acme"))
			query := mixed.Query()
			query.Set("state", assert.Must(url.Parse(own))(t).Query().Get("state"))
			mixed.RawQuery = query.Encode()
			p.refuses(t, victim, mixed, http.StatusUnauthorized, "OAUTH_CODE_REFUSED")
			assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
			assert.Equal(t, victim.idOf(), ada)
			eve.comeBack(planted).arrived(t)
			assert.Equal(t, w.count(t, "tenon_oauth_links WHERE user_id = ?", eve.idOf()), 1)
		})
	}
}

// What may become of a session while its user is at the provider, or while the provider
// is asked.
func changesOfSessions() map[string]func(t *testing.T, w *world, b *browser) {
	return map[string]func(t *testing.T, w *world, b *browser){
		"signed out": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.post("/sign-out", map[string]any{}).StatusCode, http.StatusOK)
		},
		"revoked from another device": func(t *testing.T, w *world, b *browser) {
			other := w.browser(t)
			assert.Equal(t, other.signIn(email).StatusCode, http.StatusOK)
			assert.Equal(t, other.post("/revoke-other-sessions", map[string]any{}).StatusCode, http.StatusOK)
			assert.False(t, b.isSignedIn(), "the session ended")
		},
		"another session of the user": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		},
		"somebody else's session": func(t *testing.T, w *world, b *browser) {
			w.signedIn(t, "bob@example.com")
			assert.Equal(t, b.signIn("bob@example.com").StatusCode, http.StatusOK)
		},
		"the password was changed": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
			assert.True(t, b.isSignedIn(), "the session goes on")
		},
		"a passkey was added": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		},
		"another account was linked": func(t *testing.T, w *world, b *browser) {
			_, err := w.db.Statement("UPDATE tenon_users SET security_version = security_version + 1 WHERE email = 'ada@example.com'").Exec(bundbtest.Outside(t.Context()))
			assert.NoError(t, err)
		},
		"banned": func(t *testing.T, w *world, _ *browser) {
			_, err := w.db.Statement("UPDATE tenon_users SET banned_at = created_at, security_version = security_version + 1").Exec(bundbtest.Outside(t.Context()))
			assert.NoError(t, err)
		},
		"deleted": func(t *testing.T, _ *world, b *browser) {
			assert.Equal(t, b.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		},
	}
}

func TestR20_ALinkEndsInTheSessionThatAskedForIt(t *testing.T) {
	t.Parallel()
	for name, change := range changesOfSessions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				b := w.signedIn(t, email)
				back := p.acme.Visit(b.leave("/link-social", "acme"))
				change(t, w, b)
				p.refuses(t, b, back, http.StatusUnauthorized, "SESSION_CHANGED")
				assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
				assert.Equal(t, p.acme.Called("/token"), 0)
			}, withPasskeys)
		})
	}
}

// The same while the provider takes its time over the code.
func TestR1_ALinkStalledAtTheProviderDies(t *testing.T) {
	t.Parallel()
	changes := changesOfSessions()
	delete(changes, "another session of the user") // what a browser does meanwhile is another request's
	delete(changes, "somebody else's session")
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAcme(t, func(t *testing.T, w *world, p *providers) {
				b, once := w.signedIn(t, email), new(sync.Once)
				back := p.acme.Visit(b.leave("/link-social", "acme"))
				p.acme.Bend(func(k *oauthtest.Knobs) {
					k.Answer = func(map[string]any) {
						once.Do(func() {
							// In a browser of its own: the one that waits must not get another cookie.
							change(t, w, w.with(t, b.cookie("session")))
						})
					}
				})
				got := b.comeBack(back)
				assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
				assert.Equal(t, p.refused[0].Code, "SESSION_CHANGED")
				assert.Equal(t, w.count(t, "tenon_oauth_links")+w.count(t, "tenon_oauth_grants"), 0)
			}, withPasskeys)
		})
	}
}

func TestR20_ALinkIsFinishedWhileItsSessionIsFresh(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b, clock := w.signedIn(t, email), bundbtest.ClockOf(w.db)
		clock.Advance(9 * time.Minute)
		late := p.acme.Visit(b.leave("/link-social", "acme"))
		clock.Advance(2 * time.Minute)
		p.refuses(t, b, late, http.StatusUnauthorized, "SESSION_CHANGED")
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
		b.comeBack(late).arrived(t) // nothing was used up, and it is the same session

		old := p.loose.Visit(b.leave("/link-social", "loose"))
		clock.Advance(time.Hour)
		assert.Equal(t, b.post("/step-up", map[string]any{"password": password}).StatusCode, http.StatusOK)
		p.refuses(t, b, old, http.StatusBadRequest, "STATE_MISMATCH")
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	})
}

// A superuser who acts as a user links nothing, neither to the user nor, with a flow from
// before, to themselves.
func TestR22_WhoActsAsAUserLinksNothing(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		ada := w.signedIn(t, email).idOf()
		root := w.signedIn(t, rootEmail)
		back := p.acme.Visit(root.leave("/link-social", "acme"))
		assert.Equal(t, root.admin("impersonate-user", map[string]any{"userId": ada}).StatusCode, http.StatusOK)
		p.refuses(t, root, back, http.StatusUnauthorized, "SESSION_CHANGED")
		for path, body := range map[string]map[string]any{
			"/link-social": {"provider": "acme"}, "/unlink-account": {"accountId": "x"}, "/oauth/step-up": {"provider": "acme"},
		} {
			got := root.post(path, body)
			assert.Equal(t, got.StatusCode, http.StatusForbidden)
			assert.Contains(t, "IMPERSONATION_NOT_ALLOWED SESSION_NOT_FRESH", got.code(t))
		}
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	}, withRoot)
}

// A neighbour's link is not there (promise 7).
func TestALinkOfANeighbourIsNotThere(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		ada, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		ada.walk(p, "/link-social", "acme").arrived(t)
		p.refuses(t, bob, p.acme.Visit(bob.leave("/link-social", "acme")), http.StatusConflict, "LINKED_ACCOUNT_ALREADY_EXISTS")
		id, _ := ada.accounts()[1]["id"].(string)
		var shapes []string
		for _, target := range []string{id, "0195c7a0-0000-7000-8000-000000000000", "nonsense"} {
			got := bob.post("/unlink-account", map[string]any{"accountId": target})
			assert.Equal(t, got.StatusCode, http.StatusNotFound)
			assert.Equal(t, got.code(t), "ACCOUNT_NOT_FOUND")
			shapes = append(shapes, shape(got))
		}
		assert.Equal(t, shapes, []string{shapes[0], shapes[0], shapes[0]})
		assert.True(t, bob.isSignedIn() && ada.isSignedIn(), "nothing was changed")
		assert.Equal(t, []int{len(ada.accounts()), len(bob.accounts()), len(p.linked)}, []int{2, 1, 1})
		assert.NotContains(t, bob.get("/list-accounts").body, id)
	})
}

// One identity, many users who bring it at once: it is one's.
func TestOneOfManyUsersLinksAnIdentity(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		var all []*browser
		var backs []*url.URL
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			b := w.signedIn(t, name+"@example.com")
			all, backs = append(all, b), append(backs, p.acme.Visit(b.leave("/link-social", "acme")))
		}
		var group sync.WaitGroup
		done := make(chan int, len(all))
		for i, b := range all {
			group.Go(func() { done <- b.comeBack(backs[i]).StatusCode })
		}
		group.Wait()
		close(done)
		codes := map[int]int{}
		for code := range done {
			codes[code]++
		}
		assert.Equal(t, codes, map[int]int{http.StatusSeeOther: 1, http.StatusConflict: len(all) - 1})
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		for _, b := range all { // who lost, lost nothing else
			assert.True(t, b.isSignedIn(), "the session goes on")
		}
	})
}

// Taking an account away ends what is under way with it.
func TestR1_UnlinkingKillsFlowsInFlight(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.signedIn(t, email)
		b.walk(p, "/link-social", "loose").arrived(t)
		link := p.acme.Visit(b.leave("/link-social", "acme"))

		// While somebody signs in with it, and the provider takes its time.
		visitor := w.browser(t)
		back := p.loose.Visit(visitor.leave("/sign-in/social", "loose"))
		p.loose.Bend(func(k *oauthtest.Knobs) {
			k.Answer = func(map[string]any) { assert.Equal(t, b.unlink("loose").StatusCode, http.StatusOK) }
		})
		got := visitor.comeBack(back)
		assert.Equal(t, got.StatusCode, http.StatusOK) // as somebody new, whose address is not proven
		assert.Contains(t, got.body, "Check your mail")
		assert.False(t, visitor.isSignedIn(), "the account is gone")
		p.refuses(t, b, link, http.StatusUnauthorized, "SESSION_CHANGED")
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	})
}

// Whoever has a link and a passkey and nothing else, and takes both away at once, keeps
// one of them.
func TestTheLastLinkAndTheLastPasskeyGoOneAtATime(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		for range 16 {
			b := w.byAcme(t, p)
			assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
			link, passkey := b.accounts()[0]["id"], b.passkeys()[0]["id"]
			var group sync.WaitGroup
			codes := make([]int, 2)
			group.Go(func() { codes[0] = b.post("/unlink-account", map[string]any{"accountId": link}).StatusCode })
			group.Go(func() { codes[1] = b.post("/passkey/delete-passkey", map[string]any{"id": passkey}).StatusCode })
			group.Wait()
			left := w.count(t, "tenon_oauth_links") + w.count(t, "tenon_passkeys")
			if left != 1 || (codes[0] == http.StatusOK) == (codes[1] == http.StatusOK) {
				t.Fatalf("%d ways in are left, the answers were %v", left, codes)
			}
			_, err := w.db.Statement("DELETE FROM tenon_passkeys").Exec(t.Context())
			assert.NoError(t, err)
			_, err = w.db.Statement("DELETE FROM tenon_oauth_links").Exec(t.Context())
			assert.NoError(t, err)
		}
	}, withPasskeys, noMail)
}

// What else there is decides whether the last passkey, and the last link, may go.
func TestLinksAndPasskeysAreWaysInForEachOther(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		assert.Equal(t, b.unlink("acme").code(t), "FAILED_TO_UNLINK_LAST_ACCOUNT")
		assert.True(t, b.isSignedIn(), "nothing was changed")
		assert.Len(t, p.unlinked, 0)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		id := b.passkeys()[0]["id"]
		assert.Equal(t, b.post("/passkey/delete-passkey", map[string]any{"id": id}).StatusCode, http.StatusOK)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		assert.Equal(t, b.unlink("acme").StatusCode, http.StatusOK)
		id = b.passkeys()[0]["id"]
		assert.Equal(t, b.post("/passkey/delete-passkey", map[string]any{"id": id}).code(t), "LAST_WAY_IN")

		// A link of a provider that is not configured any more is no way in.
		b.walk(p, "/link-social", "loose").arrived(t)
		_, err := w.db.Statement("UPDATE tenon_oauth_links SET provider = 'gone'").Exec(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, b.post("/passkey/delete-passkey", map[string]any{"id": id}).code(t), "LAST_WAY_IN")
	}, withPasskeys, noMail)
}

func TestPromise1_LinkingIsAllOrNothing(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.signedIn(t, email)
		c := w.caller(t, b)
		nonce := assert.Must(p.svc.NewNonce(t.Context(), "acme"))(t).Value.Reveal()
		app := oauth.NativeParams{Provider: "acme", Nonce: nonce, IDToken: token.NewSecret(p.acme.IDToken(nonce))}
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error { return p.svc.LinkNative(ctx, c, app) })
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		c = w.caller(t, b)
		id, _ := b.accounts()[1]["id"].(string)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error { return p.svc.Unlink(ctx, c, id) })
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	})
}
