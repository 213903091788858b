package tenon_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// atProvider is the id, in list-accounts, of an account at a provider.
func (b *browser) atProvider(id string) string {
	b.t.Helper()
	for _, a := range b.accounts() {
		if a["providerId"] == id {
			text, _ := a["id"].(string)
			return text
		}
	}
	b.t.Fatalf("there is no account at %s", id)
	return ""
}

// accessRoutes asks each of the three routes with the same selection.
func (b *browser) accessRoutes(selection map[string]any) []answer {
	b.t.Helper()
	query := "/account-info?"
	for name, value := range selection {
		text, _ := value.(string)
		query += name + "=" + text + "&"
	}
	return []answer{
		b.post("/get-access-token", selection), b.post("/refresh-token", selection), b.get(query[:len(query)-1]),
	}
}

func TestOwnersGetTheTokensOfTheirProviders(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		p.acme.Bend(func(k *oauthtest.Knobs) { k.Rotate = true })
		b := w.byAcme(t, p)
		chosen := map[string]any{"accountId": b.atProvider("acme")}
		got := b.post("/get-access-token", chosen).decode(t)
		first := got["accessToken"]
		assert.True(t, slices.Contains(p.acme.Secrets(), first.(string)), "the provider's token")
		delete(got, "accessToken")
		ends := bundbtest.ClockOf(w.db).Now().Add(time.Hour).Format("2006-01-02T15:04:05.000Z")
		assert.Equal(t, got, map[string]any{
			"tokenType": "Bearer", "accessTokenExpiresAt": ends, "scopes": []any{"openid", "email", "profile"}, "idToken": nil,
		})

		got = b.post("/refresh-token", chosen).decode(t)
		assert.NotEqual(t, got["accessToken"], first)
		delete(got, "accessToken")
		assert.Equal(t, got, map[string]any{
			"tokenType": "Bearer", "accessTokenExpiresAt": ends, "refreshToken": nil, "refreshTokenExpiresAt": nil,
			"scope": "openid,email,profile", "idToken": nil, "providerId": "acme", "accountId": chosen["accountId"],
		})

		got = b.get("/account-info?accountId=" + b.atProvider("acme")).decode(t)
		assert.Equal(t, got["user"], any(map[string]any{
			"id": "ada", "name": "Ada at Acme", "email": email, "image": nil, "emailVerified": true,
		}))
		assert.Equal(t, got["account"], any(map[string]any{"id": chosen["accountId"], "providerId": "acme", "accountId": "ada"}))
		assert.Equal(t, got["data"], any(map[string]any{"sub": "ada", "name": "Ada at Acme", "email": email, "email_verified": true}))

		dump, logged := string(bundbtest.Dump(t, w.db)), w.logs.String()
		for _, secret := range p.acme.Secrets() {
			assert.NotContains(t, dump, secret)
			assert.NotContains(t, logged, secret)
		}
	})
}

// Thirty-two requests at once, at a provider that takes a refresh token that comes twice
// for theft.
func TestConcurrentRequestsRefreshOnce(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		p.acme.Bend(func(k *oauthtest.Knobs) { k.Rotate, k.AccessFor = true, 10*time.Minute })
		b := w.byAcme(t, p)
		chosen := map[string]any{"accountId": b.atProvider("acme")}
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		var mu sync.Mutex
		var group sync.WaitGroup
		tokens := map[any]int{}
		for range 32 {
			group.Go(func() {
				got := b.post("/get-access-token", chosen)
				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, got.StatusCode, http.StatusOK)
				tokens[got.decode(t)["accessToken"]]++
			})
		}
		group.Wait()
		assert.Equal(t, []int{len(tokens), len(p.acme.Forms("refresh_token"))}, []int{1, 1})
	})
}

var requestID = regexp.MustCompile(`"requestId":"[^"]*"`)

// bytes is what a client can tell apart.
func (a answer) bytes() string {
	header := a.Header.Clone()
	for _, name := range []string{"X-Request-Id", "Date"} {
		header.Del(name)
	}
	text := a.Status + requestID.ReplaceAllString(a.body, "")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		text += "\n" + name + ": " + header.Get(name)
	}
	return text
}

// Rule R7: what is a neighbour's was never there.
func TestR7_TheNeighboursTokensAreNotFound(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		mine := b.atProvider("acme")
		p.is("bob", "bob@example.com")
		bob := w.byAcme(t, p)
		theirs := bob.atProvider("acme")
		called := p.acme.Called("/token") + p.acme.Called("/userinfo")
		never := "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"
		want := b.accessRoutes(map[string]any{"accountId": never})
		for _, selection := range []map[string]any{
			{"accountId": theirs},
			{"accountId": "ada"},
			{"accountId": "x"},
			{"accountId": theirs, "userId": bob.idOf()},
			{"accountId": mine, "userId": bob.idOf()},
			{"accountId": mine, "userId": "x"},
		} {
			for i, got := range b.accessRoutes(selection) {
				assert.Equal(t, got.StatusCode, http.StatusNotFound)
				assert.Equal(t, got.code(t), "ACCOUNT_NOT_FOUND")
				assert.Equal(t, got.bytes(), want[i].bytes())
			}
		}
		assert.Equal(t, b.post("/get-access-token", map[string]any{"useAccountCookie": true}).bytes(), want[0].bytes())
		assert.Equal(t, b.post("/get-access-token", map[string]any{}).StatusCode, http.StatusUnprocessableEntity)
		for _, got := range b.accessRoutes(map[string]any{"accountId": mine, "userId": b.idOf()}) {
			assert.Equal(t, got.StatusCode, http.StatusOK)
		}
		called++ // refresh-token asks
		assert.Equal(t, p.acme.Called("/token")+p.acme.Called("/userinfo"), called+1)
		for _, got := range w.browser(t).accessRoutes(map[string]any{"accountId": mine}) {
			assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
		}
	})
}

// Rule R22: whoever acts as a user does not act for them elsewhere.
func TestR22_WhoActsAsAUserGetsNoneOfTheirProvidersTokens(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		mine := b.atProvider("acme")
		root := w.signedIn(t, rootEmail)
		assert.Equal(t, root.admin("impersonate-user", map[string]any{"userId": b.idOf()}).StatusCode, http.StatusOK)
		assert.Equal(t, root.idOf(), b.idOf())
		called := p.acme.Called("/token") + p.acme.Called("/userinfo")
		for _, got := range root.accessRoutes(map[string]any{"accountId": mine}) {
			assert.Equal(t, got.StatusCode, http.StatusForbidden)
			assert.NotContains(t, got.body, "provider-access-token")
		}
		assert.Equal(t, p.acme.Called("/token")+p.acme.Called("/userinfo"), called)
	}, withRoot)
}

func TestAnEndedGrantIsConnectedAgain(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		chosen := map[string]any{"accountId": b.atProvider("acme")}
		p.acme.EndGrants()
		for range 2 {
			got := b.post("/refresh-token", chosen)
			assert.Equal(t, []any{got.StatusCode, got.code(t)}, []any{http.StatusConflict, "OAUTH_GRANT_ENDED"})
		}
		assert.Len(t, p.acme.Forms("refresh_token"), 1)
		assert.True(t, b.isSignedIn(), "the session is another matter")
		b.walk(p, "/sign-in/social", "acme").arrived(t)
		assert.Equal(t, b.post("/get-access-token", chosen).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/refresh-token", chosen).StatusCode, http.StatusOK)
	})
}

// Rule R28: the tokens outlive the key that they were sealed under, a grant without a
// refresh token included.
func TestR28_TheTokensOfProvidersMoveToANewKey(t *testing.T) {
	t.Parallel()
	eachAcme(t, func(t *testing.T, w *world, p *providers) {
		b := w.byAcme(t, p)
		p.acme.Bend(func(k *oauthtest.Knobs) { k.Answer = func(doc map[string]any) { doc["refresh_token"] = nil } })
		p.is("bob", "bob@example.com")
		bob := w.byAcme(t, p)
		old := w.sealing(t)
		_, err := w.Keys.RotateDEK(t.Context(), crypto.PurposeData, "")
		assert.NoError(t, err)
		_, err = w.Keys.Reencrypt(t.Context(), crypto.ReencryptOptions{})
		assert.NoError(t, err)
		assert.Equal(t, len(old), 3)
		for i, now := range w.sealing(t) {
			assert.NotEqual(t, now, old[i])
		}
		for _, each := range []*browser{b, bob} {
			assert.Equal(t, each.post("/get-access-token", map[string]any{"accountId": each.atProvider("acme")}).StatusCode, http.StatusOK)
		}
		assert.Equal(t, b.post("/refresh-token", map[string]any{"accountId": b.atProvider("acme")}).StatusCode, http.StatusOK)
	})
}

// sealing is the sealed tokens of all grants.
func (w *world) sealing(t *testing.T) (all []string) {
	t.Helper()
	rows, err := w.db.Raw(t.Context()).QueryContext(t.Context(), `SELECT access_token FROM tenon_oauth_grants
		UNION ALL SELECT refresh_token FROM tenon_oauth_grants WHERE refresh_token IS NOT NULL`)
	assert.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var sealed []byte
		assert.NoError(t, rows.Scan(&sealed))
		all = append(all, string(sealed))
	}
	assert.NoError(t, rows.Err())
	return all
}
