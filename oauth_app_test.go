package tenon_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const verifier = "a-verifier-that-only-this-client-knows-0123456789"

func s256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// eachApp is eachIDP, for an App that sends people to myapp:// as well.
func eachApp(t *testing.T, fn func(t *testing.T, w *world, i *idp), change ...func(*oauth.Config)) {
	t.Helper()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		i := &idp{Provider: oauthtest.NewProvider(t, db.Now)}
		fn(t, newWorld(t, db, i.into(change...), func(c *tenon.Config) { c.RedirectTargets = []string{"myapp://"} }), i)
	})
}

// beginBearer starts a flow of a bearer client.
func (b *browser) beginBearer(t *testing.T, body map[string]any) string {
	t.Helper()
	got := b.bearer(t, "/sign-in/social", body)
	assert.Equal(t, got.StatusCode, http.StatusOK)
	assert.Len(t, got.Cookies(), 0)
	to, _ := got.decode(t)["url"].(string)
	return to
}

// flowOfApp is what an app begins with.
func flowOfApp() map[string]any {
	return map[string]any{"provider": "acme", "callbackURL": "myapp://in?x=1", "errorCallbackURL": "myapp://oops", "codeChallenge": s256(verifier)}
}

// handedOff goes to the provider and back in the system's browser, and returns the code
// that the app gets.
func (w *world) handedOff(t *testing.T, i *idp, b *browser) string {
	t.Helper()
	system := w.browser(t)
	got := system.comeBack(i.Visit(b.beginBearer(t, flowOfApp())))
	to, err := url.Parse(got.Header.Get("Location"))
	assert.NoError(t, err)
	if got.StatusCode != http.StatusSeeOther || to.Scheme != "myapp" || to.Query().Get("x") != "1" {
		t.Fatalf("%d %s %s", got.StatusCode, to, got.body)
	}
	assert.Len(t, got.Cookies(), 0)
	return to.Query().Get("code")
}

// An app gets its session for a code and the verifier that it kept; no token is in a URL,
// and no session exists before (rule R16).
func TestR16_AnAppGetsItsTokensForItsVerifier(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		code := w.handedOff(t, i, b)
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
		exchange := func(code, verifier string) answer {
			return b.post("/oauth/exchange", map[string]any{"code": code, "codeVerifier": verifier})
		}
		for _, wrong := range []string{strings.Repeat("a", 43), s256(verifier), verifier + "0", "short"} {
			assert.Equal(t, exchange(code, wrong).code(t), "INVALID_TOKEN")
		}
		assert.Equal(t, exchange("x"+code[1:], verifier).code(t), "INVALID_TOKEN")
		got := exchange(code, verifier) // wrong ones used nothing up
		(&program{browser: b}).keep(t, got)
		assert.Equal(t, w.count(t, "tenon_sessions"), 1)
		assert.Equal(t, exchange(code, verifier).code(t), "INVALID_TOKEN")
		late := w.handedOff(t, i, b)
		bundbtest.ClockOf(w.db).Advance(61 * time.Second)
		assert.Equal(t, exchange(late, verifier).code(t), "INVALID_TOKEN")
		// A page of a browser gets no tokens that way either.
		r := b.request(http.MethodPost, "/oauth/exchange", "application/json", strings.NewReader(`{"code":"x","codeVerifier":"x"}`))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		assert.Equal(t, b.do(r).code(t), "BEARER_ORIGIN_NOT_ALLOWED")
	})
}

func TestR16_SixteenExchangesOfOneCodeMakeOneSession(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		code, won := w.handedOff(t, i, b), 0
		for _, status := range w.sixteen(func(int) int {
			return b.post("/oauth/exchange", map[string]any{"code": code, "codeVerifier": verifier}).StatusCode
		}) {
			if status == http.StatusOK {
				won++
			}
		}
		assert.Equal(t, won, 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), 1)
	})
}

func TestR16_AppsMustTieTheFlowToThemselves(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, _ *idp) {
		b := w.browser(t)
		for name, change := range map[string]func(body map[string]any){
			"no challenge": func(m map[string]any) { delete(m, "codeChallenge") }, "no target": func(m map[string]any) { delete(m, "callbackURL") },
			"a plain verifier": func(m map[string]any) { m["codeChallenge"] = verifier },
			"padding":          func(m map[string]any) { m["codeChallenge"] = s256(verifier) + "=" },
		} {
			body := flowOfApp()
			change(body)
			if got := b.bearer(t, "/sign-in/social", body); got.code(t) != "CODE_CHALLENGE_REQUIRED" {
				t.Errorf("%s: %s", name, got.body)
			}
		}
		assert.Equal(t, b.post("/sign-in/social", flowOfApp()).code(t), "CODE_CHALLENGE_REQUIRED")
	})
}

// A code that waited while the account changed is worth nothing (rule R1), nor is one of a
// user who is banned.
func TestR1_ACodeDoesNotOutliveAReset(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"reset": "UPDATE tenon_users SET security_version = security_version + 1", "ban": "UPDATE tenon_users SET banned_at = created_at",
		"deletion": "DELETE FROM tenon_users",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachApp(t, func(t *testing.T, w *world, i *idp) {
				i.is("1", email)
				b := w.browser(t)
				code := w.handedOff(t, i, b)
				_, err := w.db.Statement(change).Exec(t.Context())
				assert.NoError(t, err)
				got := b.post("/oauth/exchange", map[string]any{"code": code, "codeVerifier": verifier})
				assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
				assert.Equal(t, got.code(t), "SIGN_IN_REFUSED")
				assert.Equal(t, w.count(t, "tenon_sessions"), 0)
			})
		})
	}
}

// Whose browser the flow of an app ends in nobody knows: it is left nothing by which a
// mailed link would keep what is attached (rule R5).
func TestR5_AnAppsFlowLeavesNoBrowserThatKeepsTheAccount(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.SetAccount(unproven("mallory", "victim@elsewhere.example"))
		victim := w.browser(t)
		victim.signUp("other@elsewhere.example") // has a cookie of sign-ups already
		got := victim.comeBack(i.Visit(w.browser(t).beginBearer(t, flowOfApp())))
		assert.Equal(t, got.Header.Get("Location"), "myapp://oops?error=EMAIL_NOT_VERIFIED")
		assert.Len(t, got.Cookies(), 0)
		link := w.link(t, "victim@elsewhere.example")
		assert.Equal(t, victim.post("/verify-email", map[string]any{"token": link}).code(t), "SIGN_UP_PROOF_REQUIRED")
		assert.Equal(t, victim.post("/verify-email", map[string]any{"token": link, "newPassword": newPassword}).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	})
}

// The pathway matrix for providers: whoever has a second factor gets its challenge, and
// nothing of a session, by all three ways; every marked route is one of them.
func TestR2_EveryWayInByAProviderMeetsTheSecondFactor(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		a := w.enrol(t, w.signedIn(t, email))
		i.is("1", email)
		marked := 0
		for pattern := range w.FirstFactors() {
			if askProvider(pattern) {
				marked++
			}
		}
		assert.Equal(t, marked, 3)

		b := w.browser(t)
		before := w.rowsOfSessions(t)
		got := b.post("/sign-in/social", map[string]any{"provider": "acme", "callbackURL": "/in", "idToken": b.idToken(t, i)})
		w.nothingOfASession(t, "ID token", b, got, before)
		met := b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)})
		assert.True(t, met.StatusCode == http.StatusOK && b.isSignedIn(), met.body)

		app := w.browser(t)
		before = w.rowsOfSessions(t)
		code := w.handedOff(t, i, app)
		got = app.post("/oauth/exchange", map[string]any{"code": code, "codeVerifier": verifier})
		w.nothingOfASession(t, "exchange", app, got, before)
		assert.Len(t, got.Cookies(), 0)
		met = app.bearer(t, "/two-factor/verify-totp", map[string]any{"code": a.code(t), "challengeToken": got.decode(t)["challengeToken"]})
		assert.True(t, met.decode(t)["accessToken"] != nil, "tokens after two factors")
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 0)
	})
}

// idToken is what an app got from the provider's SDK for a fresh nonce.
func (b *browser) idToken(t *testing.T, i *idp) map[string]any {
	t.Helper()
	got := b.post("/oauth/create-nonce", map[string]any{"provider": "acme"}).decode(t)
	nonce, _ := got["nonce"].(string)
	assert.True(t, strings.HasSuffix(got["expiresAt"].(string), "Z"), "it says until when")
	return map[string]any{"token": i.IDToken(nonce), "nonce": nonce}
}

func (b *browser) native(token map[string]any) answer {
	b.t.Helper()
	return b.post("/sign-in/social", map[string]any{"provider": "acme", "idToken": token})
}

func TestR20_AnIDTokenIsGoodOnceForItsNonce(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		token := b.idToken(t, i)
		got := b.native(token)
		body := got.decode(t)
		user, _ := body["user"].(map[string]any)
		assert.True(t, b.isSignedIn() && body["redirect"] == any(false) && body["token"] == nil && user["email"] == any(email), got.body)
		i.told.take()
		refuse := func(name, code string, token map[string]any) {
			t.Helper()
			other := w.browser(t)
			if got := other.native(token); got.StatusCode != http.StatusUnauthorized || got.code(t) != code || other.isSignedIn() {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
			assert.Equal(t, i.told.take(), []string{"acme sign-in " + code})
		}
		refuse("again", "INVALID_TOKEN", token)
		fresh := b.idToken(t, i)
		refuse("another token's nonce", "INVALID_TOKEN", map[string]any{"token": token["token"], "nonce": fresh["nonce"]})
		refuse("no nonce", "INVALID_TOKEN", map[string]any{"token": i.IDToken("")})
		refuse("a nonce of its own", "INVALID_TOKEN", map[string]any{"token": i.IDToken("mine"), "nonce": "mine"})
		others, _ := b.post("/oauth/create-nonce", map[string]any{"provider": "other"}).decode(t)["nonce"].(string)
		refuse("another provider's nonce", "INVALID_TOKEN", map[string]any{"token": i.IDToken(others), "nonce": others})
		late := b.idToken(t, i)
		bundbtest.ClockOf(w.db).Advance(10*time.Minute + time.Second)
		refuse("too late", "INVALID_TOKEN", map[string]any{"token": i.IDToken(late["nonce"].(string)), "nonce": late["nonce"]})
		// Apple's SDK has the app hash the nonce.
		hashed := b.idToken(t, i)
		sum := sha256.Sum256([]byte(hashed["nonce"].(string)))
		hashed["token"] = i.IDToken(hex.EncodeToString(sum[:]))
		again := w.browser(t)
		assert.Equal(t, again.native(hashed).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
	})
}

func TestR20_SixteenUsesOfOneIDTokenMakeOneSession(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		b := w.browser(t)
		token, won := b.idToken(t, i), 0
		browsers := make([]*browser, 16)
		for n := range browsers {
			browsers[n] = w.browser(t)
		}
		for _, status := range w.sixteen(func(n int) int { return browsers[n].native(token).StatusCode }) {
			if status == http.StatusOK {
				won++
			}
		}
		assert.Equal(t, won, 1)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), 1)
	})
}

// Every lie about an ID token is refused from an app as it is from the token endpoint.
func TestR20_AnAppsIDTokenMustBeTrue(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		for name, bend := range map[string]func(){
			"another audience": func() { i.Claim("aud", "evil-app") }, "another issuer": func() { i.Claim("iss", "https://evil.example") },
			"twelve minutes old": func() { i.Claim("iat", w.db.Now().Add(-12*time.Minute).Unix()) },
			"another key": func() {
				key := oauthtest.NewKey(t)
				i.Bend(func(k *oauthtest.Knobs) {
					k.Sign = func(payload []byte) string { return oauthtest.Signed(key, "ES256", "key-1", nil, payload) }
				})
			},
			"no subject": func() { i.Claim("sub", nil) }, "another access token's": func() { i.Claim("at_hash", "x") },
		} {
			i.Bend(func(k *oauthtest.Knobs) { k.Claims, k.Sign = nil, nil })
			bend()
			b := w.browser(t)
			token := b.idToken(t, i)
			token["accessToken"] = "access"
			if got := b.native(token); got.StatusCode != http.StatusUnauthorized || b.isSignedIn() {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.count(t, "tenon_users"), 0)
		i.Bend(func(k *oauthtest.Knobs) { k.Claims, k.Sign = nil, nil })
		b := w.browser(t)
		assert.Equal(t, b.native(b.idToken(t, i)).StatusCode, http.StatusOK)
	})
}

// An app that comes with an address that is not proven hears the same whoever has it.
func TestR7_UnprovenAddressesOfAppsAreAlike(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		everybody := w.everybody(t)
		warm := w.browser(t)
		warm.native(warm.idToken(t, i))
		n := 0
		w.alike(t, "ID token", everybody, func(b *browser, to string) answer {
			n++
			i.SetAccount(oauthtest.Account{Subject: "s" + string(rune('a'+n)), Email: to})
			got := b.native(b.idToken(t, i))
			assert.Equal(t, got.StatusCode, http.StatusForbidden)
			assert.Equal(t, got.code(t), "EMAIL_NOT_VERIFIED")
			return got
		})
	})
}

func TestIDTokensAreForProvidersThatHaveThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for _, got := range []answer{
			b.post("/oauth/create-nonce", map[string]any{"provider": "github"}),
			b.post("/sign-in/social", map[string]any{"provider": "nobody", "idToken": map[string]any{"token": "x"}}),
		} {
			assert.Equal(t, got.StatusCode, http.StatusNotFound)
		}
	}, func(c *tenon.Config) {
		c.OAuth = oauthbun.New(oauth.Config{Providers: []oauth.Provider{{Provider: provider.GitHub("client", token.NewSecret("secret"))}}})
	})
}

// Every field of the official client's schema is taken, and nothing else (rule R26).
func TestR26_EveryFieldOfTheOfficialClient(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		b := w.browser(t)
		body := map[string]any{
			"provider": "acme", "callbackURL": "/in", "newUserCallbackURL": "/new", "errorCallbackURL": "/oops", "disableRedirect": true,
			"scopes": []string{"calendar", "openid"}, "requestSignUp": true, "loginHint": email,
			"additionalParams": map[string]any{"hd": "example.com", "client_id": "evil"}, "additionalData": map[string]any{"a": []any{1, nil}},
		}
		got := b.post("/sign-in/social", body)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		fields := got.decode(t)
		assert.Equal(t, len(fields), 2)
		assert.Equal(t, fields["redirect"], any(false))
		to, err := url.Parse(fields["url"].(string))
		assert.NoError(t, err)
		asked := to.Query()
		assert.Equal(t, asked.Get("scope"), "openid email profile calendar")
		assert.Equal(t, asked.Get("login_hint"), email)
		assert.Equal(t, asked.Get("client_id"), oauthtest.ClientID)
		assert.Equal(t, asked.Get("redirect_uri"), mount+"/callback/acme")
		assert.Equal(t, asked.Get("code_challenge_method"), "S256")
		assert.False(t, asked.Has("hd"), "what goes along is the server's to say")
		assert.Equal(t, got.Header.Get("Location"), "")

		for _, wrong := range []struct {
			name, code string
			value      any
		}{
			{"scopes", "INVALID_SCOPES", []string{"two words"}},
			{"callbackURL", "INVALID_CALLBACK_URL", "https://evil.example"},
			{"newUserCallbackURL", "INVALID_CALLBACK_URL", "//evil.example"},
			{"errorCallbackURL", "INVALID_CALLBACK_URL", "javascript:alert(1)"},
			{"provider", "PROVIDER_NOT_FOUND", "nobody"},
			{"surprise", "VALIDATION_ERROR", 1},
			{"callbackURL", "REQUEST_TOO_LONG", "/" + strings.Repeat("a", 2040)},
		} {
			body := map[string]any{"provider": "acme", wrong.name: wrong.value}
			if got := b.post("/sign-in/social", body); got.code(t) != wrong.code {
				t.Errorf("%s: %s", wrong.name, got.body)
			}
		}
		token := b.idToken(t, i)
		token["accessToken"], token["refreshToken"], token["expiresAt"] = "access", "refresh", 1790000000.5
		token["user"] = map[string]any{"name": map[string]any{"firstName": "Ada", "lastName": "L"}, "email": "evil@example.com"}
		assert.Equal(t, b.native(token).code(t), "EMAIL_NOT_VERIFIED") // Ann's address, not the one beside the token
	})
}

// No secret of a flow can be read afterwards: in rows, logs, bodies, headers of answers, or
// in what the host's hooks and other pages are told (promise 3).
func TestPromise3_NoSecretOfAFlowIsReadable(t *testing.T) {
	t.Parallel()
	eachApp(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		var secrets []string
		var answers []answer
		keep := func(got answer) answer { answers = append(answers, got); return got }
		b := w.browser(t)
		flow := func(id string, claims func()) *url.URL {
			claims()
			to, err := url.Parse(b.begin(id, map[string]any{"errorCallbackURL": ""}))
			assert.NoError(t, err)
			secrets = append(secrets, to.Query().Get("state"), to.Query().Get("nonce"))
			return i.Visit(to.String())
		}
		keep(b.comeBack(flow("acme", func() {})))
		keep(b.comeBack(flow("acme", func() { i.SetAccount(unproven("2", "typed@elsewhere.example")) })))
		keep(b.comeBack(at(flow("acme", func() {}), func(q url.Values) { q.Set("iss", "https://evil.example") })))
		keep(w.browser(t).comeBack(flow("acme", func() {})))
		keep(b.comeBack(flow("other", func() { i.Claim("nonce", "wrong") })))
		i.Bend(func(k *oauthtest.Knobs) { k.Claims = nil })
		i.is("1", email)
		token := b.idToken(t, i)
		secrets = append(secrets, token["nonce"].(string))
		keep(b.native(token))
		keep(b.native(token))
		code := w.handedOff(t, i, w.browser(t))
		secrets = append(secrets, code, verifier, b.cookie("oauth"))
		for _, form := range i.Forms("authorization_code") {
			secrets = append(secrets, form.Get("code_verifier"))
		}
		secrets = append(secrets, i.Secrets()...)
		assert.True(t, len(secrets) > 20, "there are secrets to look for")
		var said strings.Builder
		for _, got := range answers {
			said.WriteString(got.body + got.Header.Get("Location") + got.Header.Get("Link") + got.Header.Get("Refresh"))
			if !strings.Contains(got.Header.Get("Content-Type"), "json") {
				assert.Equal(t, got.Header.Get("Referrer-Policy"), "no-referrer")
			}
		}
		for _, e := range i.told.all {
			said.WriteString(e.Reason)
		}
		dump := string(bundbtest.Dump(t, w.db))
		assert.Contains(t, dump, "typed@elsewhere.example")
		for _, secret := range secrets {
			for form, text := range forms(secret) {
				for where, all := range map[string]string{"rows": dump, "logs": w.logs.String(), "answers": said.String()} {
					if strings.Contains(all, string(text)) {
						t.Errorf("%.12s… can be read in the %s %s", secret, where, form)
					}
				}
			}
		}
	}, func(c *oauth.Config) { c.Providers[0].KeepTokens = true })
}
