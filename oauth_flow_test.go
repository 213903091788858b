package tenon_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// at returns back with other parameters.
func at(back *url.URL, change func(q url.Values)) *url.URL {
	u, q := *back, back.Query()
	change(q)
	u.RawQuery = q.Encode()
	return &u
}

// refusals collects what Hooks.SignInRefused is told, as provider, purpose and code.
type refusals struct {
	mu  sync.Mutex
	all []oauth.Refused
}

func (r *refusals) hear(_ context.Context, e oauth.Refused) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	return nil
}

// take returns the codes of what was told since the last call.
func (r *refusals) take() (codes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.all {
		codes = append(codes, e.Provider+" "+e.Purpose+" "+e.Code)
	}
	r.all = nil
	return codes
}

// What is not this browser's, this path's, or good any more is refused, alike, and uses
// nothing up: after all of it the owner of the flow signs in.
func TestR20_AStateIsGoodOnceInItsBrowserAtItsProvider(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b, stranger := w.browser(t), w.browser(t)
		stranger.begin("acme", nil)
		back := i.Visit(b.begin("acme", map[string]any{"errorCallbackURL": "/oops"}))
		state := back.Query().Get("state")
		swapped := at(back, func(url.Values) {})
		swapped.Path = strings.Replace(back.Path, "acme", "other", 1)
		i.told.take()
		pages := map[string]bool{}
		refuse := func(name string, who *browser, to *url.URL) {
			t.Helper()
			got := who.comeBack(to)
			pages[shape(got)] = true
			if got.StatusCode != http.StatusBadRequest || !strings.Contains(got.body, "was not started in this browser") || who.isSignedIn() {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
			if codes := i.told.take(); len(codes) != 1 || !strings.HasSuffix(codes[0], " STATE_MISMATCH") {
				t.Errorf("%s: the hook is told %v", name, codes)
			}
		}
		refuse("another browser", stranger, back)
		refuse("a browser without flows", w.browser(t), back)
		refuse("another provider's path", b, swapped)
		for name, other := range map[string]string{
			"none": "", "another kind": strings.Replace(state, "tnn_oas", "tnn_oan", 1), "changed": state[:40] + strings.Repeat("A", len(state)-40), "junk": "%00",
		} {
			refuse(name, b, at(back, func(q url.Values) { q.Set("state", other) }))
		}
		refuse("twice", b, at(back, func(q url.Values) { q.Add("state", state) }))
		assert.Equal(t, i.Called("/token"), 0)
		b.arrives(b.comeBack(back), "/")
		got := b.comeBack(back)
		assert.Equal(t, got.StatusCode, http.StatusBadRequest)
		pages[shape(got)] = true
		assert.Equal(t, len(pages), 1) // all of them alike

		late := w.browser(t)
		back = i.Visit(late.begin("acme", nil))
		bundbtest.ClockOf(w.db).Advance(10*time.Minute + time.Second)
		i.told.take()
		refuse("too late", late, back)
	})
}

// A secret of another purpose is no state, and a state is nothing elsewhere.
func TestR20_AStateIsNothingElsewhere(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		b := w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		nonce, _ := b.post("/oauth/create-nonce", map[string]any{"provider": "acme"}).decode(t)["nonce"].(string)
		magic := w.magicLink(t, b, email)
		for _, secret := range []string{nonce, magic, b.cookie("oauth")} {
			assert.Equal(t, b.comeBack(at(back, func(q url.Values) { q.Set("state", secret) })).StatusCode, http.StatusBadRequest)
		}
		state := back.Query().Get("state")
		for path, body := range map[string]map[string]any{
			"/magic-link/verify": {"token": state}, "/verify-email": {"token": state},
			"/oauth/exchange": {"code": state, "codeVerifier": strings.Repeat("a", 43)},
			"/sign-in/social": {"provider": "acme", "idToken": map[string]any{"token": i.IDToken(state), "nonce": state}},
		} {
			got := b.post(path, body)
			assert.True(t, got.StatusCode >= 400 && got.StatusCode < 500, path)
		}
		assert.False(t, b.isSignedIn(), "signed in")
	})
}

// The code of one flow is none in another: the provider refuses it for the verifier.
func TestTheCodeOfAnotherFlowIsRefused(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("attacker", "mallory@example.com")
		attackers := i.Visit(w.browser(t).begin("acme", nil))
		i.is("1", email)
		b := w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		i.told.take()
		got := b.comeBack(at(back, func(q url.Values) { q.Set("code", attackers.Query().Get("code")) }))
		assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
		assert.Contains(t, got.body, "was used before. Start again.")
		assert.Equal(t, i.told.take(), []string{"acme sign-in OAUTH_CODE_REFUSED"})
		assert.False(t, b.isSignedIn(), "signed in")
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	})
}

func TestWhoSaysNoAtTheProviderIsToldSo(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.Deny("access_denied")
		b := w.browser(t)
		got := b.social(i)
		assert.Equal(t, got.StatusCode, http.StatusForbidden)
		assert.Contains(t, got.body, "cancelled at the sign-in service")
		got = b.comeBack(i.Visit(b.begin("acme", map[string]any{"errorCallbackURL": "myapp://in"})))
		assert.Equal(t, got.Header.Get("Location"), "myapp://in?error=OAUTH_ACCESS_DENIED")
		assert.Equal(t, i.told.take(), []string{"acme sign-in OAUTH_ACCESS_DENIED", "acme sign-in OAUTH_ACCESS_DENIED"})
	})
}

// A provider that is down decides nothing: no hook is told, and nobody is in.
func TestAProviderThatIsDownIs503(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		b := w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		i.Close()
		got := b.comeBack(back)
		assert.Equal(t, got.StatusCode, http.StatusServiceUnavailable)
		assert.Contains(t, got.body, "cannot be reached at the moment")
		assert.NotEqual(t, got.Header.Get("Retry-After"), "")
		assert.Len(t, i.told.take(), 0)
		assert.False(t, b.isSignedIn(), "signed in")
	})
}

// Sixteen answers of one browser to one flow make one user, one link and one session.
func TestADoubleSubmittedCallbackMakesOneUser(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		codes := w.sixteen(func(int) int { return b.comeBack(back).StatusCode })
		slices.Sort(codes)
		assert.Equal(t, codes[0], http.StatusSeeOther)
		for _, code := range codes[1:] {
			assert.Equal(t, code, http.StatusBadRequest)
		}
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), 1)
		assert.Equal(t, i.Called("/token"), 1)
	})
}

// sixteen runs fn that often at the same time.
func (w *world) sixteen(fn func(n int) int) []int {
	codes := make([]int, 16)
	start := make(chan struct{})
	var group sync.WaitGroup
	for n := range codes {
		group.Go(func() {
			<-start
			codes[n] = fn(n)
		})
	}
	close(start)
	group.Wait()
	return codes
}

// Sixteen flows of one new account make one user, whom all of them sign in.
func TestSixteenFlowsOfOneNewAccountMakeOneUser(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		browsers, backs := make([]*browser, 16), make([]*url.URL, 16)
		for n := range browsers {
			browsers[n] = w.browser(t)
			backs[n] = i.Visit(browsers[n].begin("acme", nil))
		}
		for _, code := range w.sixteen(func(n int) int { return browsers[n].comeBack(backs[n]).StatusCode }) {
			assert.Equal(t, code, http.StatusSeeOther)
		}
		for _, b := range browsers {
			assert.True(t, b.isSignedIn(), "all are in")
		}
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), 16)
	})
}

// The same with sixteen flows of accounts that have one address in common: one is linked
// to the user that the other made.
func TestSixteenAccountsOfOneMailboxMakeOneUser(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		browsers, backs := make([]*browser, 16), make([]*url.URL, 16)
		for n := range browsers {
			i.is("subject-"+string(rune('a'+n)), email)
			browsers[n] = w.browser(t)
			backs[n] = i.Visit(browsers[n].begin("acme", nil))
		}
		for _, code := range w.sixteen(func(n int) int { return browsers[n].comeBack(backs[n]).StatusCode }) {
			assert.Equal(t, code, http.StatusSeeOther)
		}
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), 16)
	})
}

// A reset, a ban or a deletion between the proof and the session: no session (rule R1).
func TestR1_NothingInFlightAtAProviderOutlivesAReset(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"reset": "UPDATE tenon_users SET security_version = security_version + 1",
		"ban":   "UPDATE tenon_users SET banned_at = created_at",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := bundbtest.Postgres(t, tenon.Schemas()...)
			i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
			w := newWorld(t, db, i.into())
			i.is("1", email)
			w.browser(t).social(i)
			b := w.browser(t)
			back := i.Visit(b.begin("acme", nil))
			barrier := bundbtest.FaultsOf(w.DB).StallOn("second_factor_at IS NOT NULL", 1)
			done := make(chan answer, 1)
			go func() { done <- b.comeBack(back) }()
			barrier.Wait(t)
			_, err := db.Statement(change).Exec(bundbtest.Outside(t.Context()))
			assert.NoError(t, err)
			barrier.Release()
			got := <-done
			assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
			assert.Contains(t, got.body, "it was changed while you did")
			assert.Equal(t, b.cookie("session"), "")
			assert.Equal(t, w.count(t, "tenon_sessions"), 1)
		})
	}
}

// The form of another site comes without cookies; the GET does it all (rule R20).
func TestR20_APostedCallbackReadsNothingButItsForm(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b, provider := w.browser(t), w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		posted := back.Query()
		posted.Set("user", `{"name":{"firstName":"Ada"}}`)
		want := posted.Encode()
		posted.Set("session_state", "what providers add")
		before := bundbtest.Dump(t, w.db)
		r := provider.request(http.MethodPost, "/callback/acme?code=other", "application/x-www-form-urlencoded", strings.NewReader(posted.Encode()))
		r.Header.Set("Origin", i.URL)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		got := provider.do(r)
		assert.Equal(t, got.StatusCode, http.StatusSeeOther)
		assert.Equal(t, got.Header.Get("Location"), mount+"/callback/acme?"+want)
		assert.Equal(t, got.Header.Get("Referrer-Policy"), "no-referrer")
		assert.Equal(t, len(got.Cookies()), 0)
		assert.Equal(t, string(bundbtest.Dump(t, w.db)), string(before))
		to, err := url.Parse(got.Header.Get("Location"))
		assert.NoError(t, err)
		b.arrives(b.comeBack(to), "/")
		assert.Equal(t, provider.post("/callback/nobody", map[string]any{}).StatusCode, http.StatusNotFound)
	})
}

// Beside another credential the cookie of a flow counts for nothing (rule R16).
func TestR16_CookiesCountForNothingBesideOtherCredentials(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		back := i.Visit(b.begin("acme", nil))
		r := b.request(http.MethodGet, "/callback/acme?"+back.RawQuery, "", nil)
		r.Header.Set("X-Api-Key", "x")
		assert.True(t, b.do(r).StatusCode >= 400, "refused")
		b.arrives(b.comeBack(back), "/")
	})
}

// Several flows of one browser go on side by side.
func TestTwoTabsSignInSideBySide(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		b := w.browser(t)
		i.is("1", email)
		first := i.Visit(b.begin("acme", map[string]any{"callbackURL": "/first"}))
		second := i.Visit(b.begin("acme", map[string]any{"callbackURL": "/second"}))
		b.arrives(b.comeBack(second), "/second")
		b.arrives(b.comeBack(first), "/first")
	})
}
