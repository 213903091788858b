package tenon_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

// later passes the time in which one mail of a kind goes to an address.
func (w *world) later() { bundbtest.ClockOf(w.db).Advance(2 * time.Minute) }

// magicLink asks for a link and returns its secret.
func (w *world) magicLink(t testing.TB, b *browser, to string) string {
	t.Helper()
	w.later()
	got := b.post("/sign-in/magic-link", map[string]any{"email": to})
	assert.Equal(t, got.StatusCode, http.StatusOK)
	return w.link(t, to)
}

func (b *browser) sendCode(to, purpose string) answer {
	b.t.Helper()
	return b.post("/email-otp/send-verification-otp", map[string]any{"email": to, "type": purpose})
}

// mailedCode asks for a code and returns it.
func (w *world) mailedCode(t testing.TB, b *browser, to, purpose string) string {
	t.Helper()
	w.later()
	assert.Equal(t, b.sendCode(to, purpose).StatusCode, http.StatusOK)
	assert.NoError(t, w.Drain(context.WithoutCancel(t.Context())))
	message, ok := w.mailbox.Last(to)
	if !ok || len(message.Code) != 6 {
		t.Fatalf("no code was mailed to %s", to)
	}
	return message.Code
}

func (b *browser) useLink(secret string) answer {
	b.t.Helper()
	return b.post("/magic-link/verify?token="+secret, map[string]any{})
}

func (b *browser) useCode(to, code string) answer {
	b.t.Helper()
	return b.post("/sign-in/email-otp", map[string]any{"email": to, "otp": code})
}

// otherCode is a code that is not this one.
func otherCode(code string) string {
	last := code[5]
	if last++; last > '9' {
		last = '0'
	}
	return code[:5] + string(last)
}

func (a answer) user(t testing.TB) map[string]any {
	t.Helper()
	user, _ := a.decode(t)["user"].(map[string]any)
	return user
}

func TestSignInByLinkAndByCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		b := w.browser(t)
		in := b.useLink(w.magicLink(t, b, email))
		assert.Equal(t, in.StatusCode, http.StatusOK)
		assert.Equal(t, in.decode(t)["token"], nil)
		assert.Equal(t, in.user(t)["email"], any(email))
		described, _ := in.decode(t)["session"].(map[string]any)
		assert.Equal(t, len(described), 8)
		seen, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
		for field, value := range described {
			assert.Equal(t, seen[field], value)
		}
		b = w.browser(t)
		code := w.mailedCode(t, b, email, "sign-in")
		assert.Equal(t, b.useCode(email, otherCode(code)).code(t), "INVALID_OTP")
		assert.Equal(t, b.useCode(strings.ToUpper(email), " "+code+" ").StatusCode, http.StatusOK)
		assert.Contains(t, b.get("/get-session").body, email)
		assert.Equal(t, b.useCode(email, code).code(t), "INVALID_OTP") // once
		assert.Equal(t, w.count(t, "tenon_users"), 1)
	})
}

func TestSignUpByLinkAndByCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		w.later()
		b.post("/sign-in/magic-link", map[string]any{
			"email": email, "name": "Ada Lovelace", "callbackURL": "/in", "newUserCallbackURL": "/welcome", "metadata": map[string]any{"a": 1},
		})
		in := b.post("/magic-link/verify?newUserCallbackURL=%2Fwelcome&callbackURL=%2Fin&token="+w.link(t, email), map[string]any{})
		assert.Equal(t, in.user(t)["name"], any("Ada Lovelace"))
		assert.Equal(t, in.user(t)["emailVerified"], any(true))
		assert.Equal(t, in.decode(t)["url"], any("/welcome"))
		b = w.browser(t)
		code := w.mailedCode(t, b, "bob@example.com", "sign-in")
		in = b.post("/sign-in/email-otp", map[string]any{"email": "bob@example.com", "otp": code, "name": "Bob", "image": "https://example.com/b.png"})
		assert.Equal(t, in.user(t)["name"], any("Bob"))
		assert.Equal(t, in.user(t)["image"], any("https://example.com/b.png"))
		for _, table := range []string{"tenon_users", "tenon_organizations", "tenon_members"} {
			assert.Equal(t, w.count(t, table), 2)
		}
	})
}

// Nothing that a stranger typed becomes the mailbox owner's: no password of a
// sign-up that waits, no name that was sent with a request for a link.
func TestR5_NothingTypedByAStrangerIsAdopted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		stranger, owner := w.browser(t), w.browser(t)
		stranger.signUp(email)
		w.later()
		stranger.post("/sign-in/magic-link", map[string]any{"email": email, "name": "Mallory"})
		in := owner.useLink(w.link(t, email))
		assert.Equal(t, in.StatusCode, http.StatusOK)
		assert.Equal(t, in.user(t)["name"], any("Ada"))
		assert.Equal(t, stranger.signIn(email).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, w.count(t, "tenon_sign_ups"), 0)
		assert.Equal(t, w.count(t, "tenon_credentials"), 0)
	})
}

// A code proves the address of a sign-up in the browser that signed up, with what
// was typed there, and nowhere else.
func TestR5_ACodeKeepsThePasswordOfItsBrowserOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, other := w.browser(t), w.browser(t)
		b.signUp(email)
		elsewhere := w.mailedCode(t, other, email, "email-verification")
		got := other.post("/email-otp/verify-email", map[string]any{"email": email, "otp": elsewhere})
		assert.Equal(t, got.code(t), "SIGN_UP_PROOF_REQUIRED")
		code := w.mailedCode(t, b, email, "email-verification")
		got = b.post("/email-otp/verify-email", map[string]any{"email": email, "otp": code})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Equal(t, got.decode(t)["status"], any(true))
		assert.Equal(t, got.user(t)["emailVerified"], any(true))
		assert.Equal(t, b.cookie("session"), "")
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
	})
}

// Users who existed unproven lose password and sessions when the mailbox is proven
// by a link or a code.
func TestR4_ProofOfTheMailboxTakesAwayWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	verified, databases := 0, 0
	each(t, func(t *testing.T, w *world) {
		mu.Lock()
		databases++
		mu.Unlock()
		for i, prove := range []func(b *browser, to string) answer{
			func(b *browser, to string) answer { return b.useLink(w.magicLink(t, b, to)) },
			func(b *browser, to string) answer { return b.useCode(to, w.mailedCode(t, b, to, "sign-in")) },
			func(b *browser, to string) answer {
				return b.post("/email-otp/verify-email", map[string]any{"email": to, "otp": w.mailedCode(t, b, to, "email-verification")})
			},
		} {
			to := fmt.Sprintf("imported%d@example.com", i)
			user := w.imported(t, to)
			b := w.browser(t)
			got := prove(b, to)
			assert.Equal(t, got.StatusCode, http.StatusOK)
			assert.Equal(t, got.user(t)["id"], any(user.ID))
			assert.Equal(t, got.user(t)["emailVerified"], any(true))
			assert.Equal(t, w.browser(t).signIn(to).StatusCode, http.StatusUnauthorized)
			assert.Equal(t, w.count(t, "tenon_users WHERE id = ? AND email_verified AND security_version = 2", user.ID), 1)
			assert.Equal(t, strings.Contains(b.get("/get-session").body, to), i < 2)
		}
	}, func(c *tenon.Config) {
		c.AuthHooks.UserVerified = func(context.Context, auth.UserVerified) error {
			mu.Lock()
			defer mu.Unlock()
			verified++
			return nil
		}
	})
	t.Cleanup(func() { assert.Equal(t, verified, 3*databases) })
}

var linkField = regexp.MustCompile(`name="link" value="([^"]+)"`)

// followLink opens a mailed link as a browser does and returns the page behind it.
func (b *browser) followLink(query string) answer {
	b.t.Helper()
	parked := b.page("/magic-link/verify?" + query)
	assert.Equal(b.t, parked.StatusCode, http.StatusSeeOther)
	assert.NotContains(b.t, parked.Header.Get("Location"), "tnn_")
	return b.page("/magic-link/" + parked.Header.Get("Location"))
}

func (b *browser) submitLink(page answer) answer {
	b.t.Helper()
	found := linkField.FindStringSubmatch(page.body)
	if found == nil {
		b.t.Fatalf("the page has no form:\n%s", page.body)
	}
	values := url.Values{"_nonce": nonce.FindStringSubmatch(page.body)[1:2], "link": found[1:2]}
	return b.form("/magic-link/verify?"+page.Request.URL.RawQuery, values)
}

func TestR24_TheLinksPage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		b := w.browser(t)
		secret := w.magicLink(t, b, email)
		query := "callbackURL=%2Fin&errorCallbackURL=%2Foops&token=" + secret
		scanner := w.browser(t)
		for range 3 {
			got := scanner.get("/magic-link/verify?" + query)
			assert.Equal(t, got.code(t), "CONFIRM_WITH_POST")
			scanner.followLink(query)
		}
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
		page := b.followLink(query)
		assert.Contains(t, page.body, email)
		assert.NotContains(t, page.body, secret)
		assert.NotContains(t, page.body, "another browser")
		done := b.submitLink(page)
		assert.Equal(t, done.StatusCode, http.StatusSeeOther)
		assert.Equal(t, done.Header.Get("Location"), "/in")
		assert.Contains(t, b.get("/get-session").body, email)
		assert.Equal(t, b.followLink(query).Header.Get("Location"), "/oops?error=INVALID_TOKEN")
		assert.Contains(t, b.followLink("token="+secret).body, "not valid any more")
	})
}

// Whoever is led to open somebody else's link is told what it does.
func TestR24_ALinkOpenedElsewhereSaysSo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, "eve@example.com")
		victim := w.signedIn(t, email)
		attacker := w.browser(t)
		secret := w.magicLink(t, attacker, "eve@example.com")
		page := victim.followLink("token=" + secret)
		for _, told := range []string{"another browser", "eve@example.com", "signed in as " + email} {
			assert.Contains(t, page.body, told)
		}
		script := victim.request(http.MethodPost, "/magic-link/verify?token="+secret, "application/json", strings.NewReader(`{}`))
		script.Header.Set("Origin", base)
		assert.Equal(t, victim.do(script).code(t), "OTHER_BROWSER")
		assert.Contains(t, victim.get("/get-session").body, email)
		script.Body = readCloser{strings.NewReader(`{"confirm":true}`)}
		script.ContentLength = int64(len(`{"confirm":true}`))
		assert.Equal(t, victim.do(script).StatusCode, http.StatusOK)
		assert.Contains(t, victim.get("/get-session").body, "eve@example.com")
		mine := w.magicLink(t, attacker, "eve@example.com")
		script = attacker.request(http.MethodPost, "/magic-link/verify?token="+mine, "application/json", nil)
		script.Header.Set("Origin", base)
		assert.Equal(t, attacker.do(script).StatusCode, http.StatusOK) // the browser that asked needs no more
	})
}

// The page showed one account, and another link was opened meanwhile.
func TestR24_TheButtonSignsInWhomItNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, attacker := w.browser(t), w.browser(t)
		page := b.followLink("token=" + w.magicLink(t, b, email))
		b.followLink("token=" + w.magicLink(t, attacker, "eve@example.com"))
		got := b.submitLink(page)
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Contains(t, got.body, "eve@example.com")
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	})
}

func TestMagicLinkTargetsAreJudged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for _, field := range []string{"callbackURL", "newUserCallbackURL", "errorCallbackURL"} {
			for _, target := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"} {
				assert.Equal(t, b.post("/sign-in/magic-link", map[string]any{"email": email, field: target}).code(t), "INVALID_CALLBACK_URL")
				query := "/magic-link/verify?token=x&" + field + "=" + url.QueryEscape(target)
				assert.Equal(t, b.page(query).StatusCode, http.StatusForbidden)
				assert.Equal(t, b.post(query, map[string]any{}).code(t), "INVALID_CALLBACK_URL")
			}
		}
	})
}

func TestR7_RequestsForLinksAndCodesAreAlike(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]passwordless.Policy{
		"sign-up": {ResetByCode: true}, "no sign-up": {NoSignUp: true, ResetByCode: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				all := w.everybody(t)
				asks := map[string]func(b *browser, to string) answer{
					"link": func(b *browser, to string) answer {
						return b.post("/sign-in/magic-link", map[string]any{"email": to})
					},
				}
				for _, purpose := range []string{"sign-in", "email-verification", "forget-password"} {
					asks[purpose] = func(b *browser, to string) answer { return b.sendCode(to, purpose) }
				}
				for kind, ask := range asks {
					ask(w.browser(t), "warm@example.com")
					w.alike(t, kind+", first", all, ask)
					w.alike(t, kind+", over the budget", all, ask)
					bundbtest.ClockOf(w.db).Advance(2 * time.Hour)
					ask(w.browser(t), "warm@example.com") // keys are read again
					w.alike(t, kind+", later", all, ask)
				}
			}, func(c *tenon.Config) { c.Passwordless = policy })
		})
	}
}

// What the guesses at a code are answered does not tell either whether there is a
// code: after one request and after several, within the budget and over it.
func TestR7_GuessesAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		all := w.everybody(t)
		browsers := map[string]*browser{}
		for _, to := range all {
			browsers[to] = w.browser(t)
		}
		guess := func(path string, more map[string]any) func(b *browser, to string) answer {
			return func(_ *browser, to string) answer {
				body := map[string]any{"email": to, "otp": "000000"}
				for name, value := range more {
					body[name] = value
				}
				return browsers[to].post(path, body)
			}
		}
		guess("/sign-in/email-otp", nil)(nil, all[0])
		for round := range 3 {
			for _, purpose := range []string{"sign-in", "email-verification"} {
				w.alike(t, "ask", all, func(_ *browser, to string) answer { return browsers[to].sendCode(to, purpose) })
			}
			for i := range 3 {
				name := fmt.Sprintf("round %d, guess %d: ", round, i)
				w.alike(t, name+"sign-in", all, guess("/sign-in/email-otp", nil))
				w.alike(t, name+"verify", all, guess("/email-otp/verify-email", nil))
				w.alike(t, name+"check", all, guess("/email-otp/check-verification-otp", map[string]any{"type": "sign-in"}))
			}
			bundbtest.ClockOf(w.db).Advance(time.Duration(7*round) * time.Minute)
		}
	}, func(c *tenon.Config) { c.Passwordless.NoSignUp = true })
}

func TestNoSignUpLetsNobodyNewIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		b.post("/sign-in/magic-link", map[string]any{"email": email})
		b.sendCode(email, "sign-in")
		assert.NoError(t, w.Drain(t.Context()))
		assert.Len(t, w.mailbox.Messages(), 0)
		link := func() string {
			w.cfg.Passwordless.NoSignUp = false
			open, err := tenon.New(w.cfg)
			assert.NoError(t, err)
			closed := w.App
			w.App = open
			defer func() { w.App = closed }()
			return w.magicLink(t, b, email)
		}()
		assert.Equal(t, b.useLink(link).code(t), "INVALID_TOKEN") // switched off since
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	}, func(c *tenon.Config) { c.Passwordless.NoSignUp = true })
}

// The host's veto holds for every way to become a user.
func TestBeforeSignUpIsAskedForLinksAndCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		assert.Equal(t, b.useLink(w.magicLink(t, b, email)).code(t), "INVALID_NAME")
		assert.Equal(t, b.useCode(email, w.mailedCode(t, b, email, "sign-in")).code(t), "INVALID_NAME")
		assert.Equal(t, w.count(t, "tenon_users"), 0)
	}, func(c *tenon.Config) {
		c.AuthHooks.BeforeSignUp = func(context.Context, auth.BeforeSignUp) error { return auth.ErrInvalidName }
	})
}

func TestABannedUserComesInByNoMail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.ban(t, "ada@example.com")
		b := w.browser(t)
		assert.Equal(t, b.useLink(w.magicLink(t, b, email)).code(t), "INVALID_TOKEN")
		assert.Equal(t, b.useCode(email, w.mailedCode(t, b, email, "sign-in")).code(t), "INVALID_OTP")
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
	})
}

// A link or a code is for the account as it was when it was asked for.
func TestR1_AChangeOfTheAccountEndsLinksAndCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		b := w.browser(t)
		link, code := w.magicLink(t, b, email), w.mailedCode(t, b, email, "sign-in")
		reset := w.newResetLink(t, email)
		assert.Equal(t, b.reset(reset, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.useLink(link).code(t), "INVALID_TOKEN")
		assert.Equal(t, b.useCode(email, code).code(t), "INVALID_OTP")
		// A link for somebody new is none for the user that the address has become.
		early := w.magicLink(t, b, "bob@example.com")
		w.user(t, "bob@example.com")
		assert.Equal(t, b.useLink(early).code(t), "INVALID_TOKEN")
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
	})
}

func TestPromise4_SixtyFourConsumersOfOneMagicLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		for _, to := range []string{email, "new@example.com"} {
			link := w.magicLink(t, w.browser(t), to)
			assert.Equal(t, w.race(t, token.ErrInvalid, func(ctx context.Context) error {
				_, err := w.Passwordless.UseLink(ctx, passwordless.UseLinkParams{Token: link})
				return err
			}), 1)
		}
		assert.Equal(t, w.count(t, "tenon_users"), 2)
		assert.Equal(t, w.count(t, "tenon_sessions"), 2)
	})
}

func TestASVS_6_5_5_LinksAndCodesWorkForTenMinutes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		clock, b := bundbtest.ClockOf(w.db), w.browser(t)
		w.user(t, email)
		link, code := w.magicLink(t, b, email), ""
		clock.Advance(10 * time.Minute)
		assert.Equal(t, b.useLink(link).code(t), "INVALID_TOKEN")
		code = w.mailedCode(t, b, email, "sign-in")
		clock.Advance(10 * time.Minute)
		assert.Equal(t, b.useCode(email, code).code(t), "INVALID_OTP")
		link = w.magicLink(t, b, email)
		clock.Advance(10*time.Minute - time.Second)
		assert.Equal(t, b.useLink(link).StatusCode, http.StatusOK)
		code = w.mailedCode(t, b, email, "sign-in")
		clock.Advance(10*time.Minute - time.Second)
		assert.Equal(t, b.useCode(email, code).StatusCode, http.StatusOK)
	})
}

// A token of another kind is no magic link, whatever is written over its kind, and
// a magic link is nothing else.
func TestCVE_2026_114607_PurposesDoNotMix(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, "bob@example.com")
		b := w.browser(t)
		b.signUp(email)
		verify := w.link(t, email)
		reset := w.newResetLink(t, "bob@example.com")
		magic := w.magicLink(t, b, "bob@example.com")
		for _, raw := range []string{verify, reset, b.cookie("browser"), b.cookie("flow")} {
			for _, forged := range []string{raw, raw[:4] + "mag" + raw[7:]} {
				assert.Equal(t, b.useLink(forged).code(t), "INVALID_TOKEN")
			}
		}
		assert.Equal(t, b.post("/verify-email?token="+magic, map[string]any{}).code(t), "INVALID_TOKEN")
		assert.Equal(t, b.reset(magic, newPassword).code(t), "INVALID_TOKEN")
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
		assert.Equal(t, b.useLink(magic).StatusCode, http.StatusOK)
	})
}

func TestPromise1_PasswordlessIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			w.later()
			_, err := w.Passwordless.SendLink(ctx, passwordless.LinkParams{Email: email})
			return err
		})
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			w.later()
			_, err := w.Passwordless.SendCode(ctx, passwordless.SendCodeParams{Email: email, Purpose: passwordless.PurposeSignIn})
			return err
		})
		w.imported(t, "eve@example.com")
		for _, to := range []string{email, "eve@example.com"} { // somebody new, and somebody unproven
			bundbtest.ClockOf(w.db).Advance(time.Hour)
			link := w.magicLink(t, b, to)
			bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
				_, err := w.Passwordless.UseLink(ctx, passwordless.UseLinkParams{Token: link})
				return err
			})
		}
		assert.Equal(t, w.count(t, "tenon_sessions"), 2)
	})
}

func TestR8_CodesAreNotGuessedAtInTransactions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		p := passwordless.CodeParams{Email: email, Code: w.mailedCode(t, b, email, "sign-in"), Flow: b.cookie("flow")}
		assert.ErrorIs(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
			_, err := w.Passwordless.SignIn(ctx, passwordless.SignInParams{CodeParams: p})
			return err
		}), auth.ErrInTransaction)
	})
}

// A dump of the database shows no code, no link and no flow; nor does the log.
func TestPromise3_NoCodeIsReadableAtRest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, "bob@example.com")
		b := w.browser(t)
		secrets := map[string]string{
			"magic link": w.magicLink(t, b, email), "reset link": w.newResetLink(t, "bob@example.com"),
		}
		code := w.mailedCode(t, b, email, "sign-in")
		b.useCode(email, otherCode(code))
		secrets["flow"] = b.cookie("flow")
		dump, logged := string(bundbtest.Dump(t, w.db)), w.logs.String()
		for name, secret := range secrets {
			for form, text := range forms(secret) {
				if strings.Contains(dump, string(text)) || strings.Contains(logged, string(text)) {
					t.Errorf("the %s can be read %s", name, form)
				}
			}
		}
		// Six digits occur by chance, so they are looked for as a word of their own.
		word := regexp.MustCompile(`(^|[^0-9A-Za-z.])` + code + `($|[^0-9A-Za-z])`)
		if at := word.FindString(dump + logged); at != "" {
			t.Errorf("the code can be read: %q", at)
		}
		assert.Contains(t, dump, "tenon_codes")
	})
}

func TestMaintainForgetsCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.mailedCode(t, w.browser(t), email, "sign-in")
		assert.NoError(t, w.Maintain(t.Context()))
		assert.Equal(t, w.count(t, "tenon_codes"), 1)
		bundbtest.ClockOf(w.db).Advance(61 * time.Minute)
		assert.NoError(t, w.Maintain(t.Context()))
		assert.Equal(t, w.count(t, "tenon_codes"), 0)
	})
}

// Nothing that was mailed outlives the user, and nothing of it is left in the
// database (rules R1, R3).
func TestR3_LinksAndCodesGoWithTheirUser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, old := w.signedIn(t, email), w.browser(t)
		link, code, reset := w.magicLink(t, old, email), w.mailedCode(t, old, email, "sign-in"), w.newResetLink(t, email)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_codes")+w.count(t, "tenon_one_time_tokens WHERE consumed_at IS NULL"), 0)
		assert.Equal(t, old.useLink(link).code(t), "INVALID_TOKEN")
		assert.Equal(t, old.useCode(email, code).code(t), "INVALID_OTP")
		assert.Equal(t, old.reset(reset, newPassword).code(t), "INVALID_TOKEN")
		assert.Equal(t, old.useCode(email, w.mailedCode(t, old, email, "sign-in")).StatusCode, http.StatusOK)
	})
}

// A deletion between proof and door wins.
func TestR3_ADeletionAgainstLinksDoesNotDeadlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.Postgres(t, tenon.Schemas()...))
	for i := range 6 {
		to := fmt.Sprintf("user%d@example.com", i)
		b := w.signedIn(t, to)
		link, reset := w.magicLink(t, b, to), w.newResetLink(t, to)
		assert.Equal(t, b.signIn(to).StatusCode, http.StatusOK)
		var group sync.WaitGroup
		for _, act := range []func() answer{
			func() answer { return b.post("/delete-user", map[string]any{"password": password}) },
			func() answer { return w.browser(t).useLink(link) },
			func() answer { return w.browser(t).reset(reset, newPassword) },
		} {
			group.Go(func() {
				if got := act(); got.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
			})
		}
		group.Wait()
		assert.Equal(t, w.count(t, "tenon_sessions AS s WHERE revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = s.user_id)"), 0)
	}
}
