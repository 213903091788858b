package tenon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
)

const trustCookie = "tenon_dev_trust_device"

// trusting returns a browser that its enrolled user trusts, signed in by two steps.
func (w *world) trusting(t testing.TB, a *authenticator, to string) *browser {
	t.Helper()
	b := w.browser(t)
	assert.Equal(t, b.signIn(to).decode(t)["twoFactorRedirect"], any(true))
	got := b.post("/two-factor/verify-totp", map[string]any{"code": a.code(t), "trustDevice": true})
	if got.StatusCode != http.StatusOK || b.cookie("trust_device") == "" {
		t.Fatalf("trust: %d %s", got.StatusCode, got.body)
	}
	return b
}

// having is a browser with the cookie of a trusted device and nothing else.
func (w *world) having(t testing.TB, trust string) *browser {
	t.Helper()
	b := w.browser(t)
	jar := assert.Must(cookiejar.New(nil))(t)
	jar.SetCookies(assert.Must(url.Parse(base))(t), []*http.Cookie{{Name: trustCookie, Value: trust, Path: "/"}})
	b.client.Jar = jar
	return b
}

// asked reports whether the browser is asked for a second factor when it signs in.
func (b *browser) asked(to string) bool {
	b.t.Helper()
	got := b.signIn(to)
	assert.Equal(b.t, got.StatusCode, http.StatusOK)
	return got.decode(b.t)["twoFactorRedirect"] == any(true)
}

func (b *browser) trustedDevices() []map[string]any {
	b.t.Helper()
	var list []map[string]any
	got := b.get("/two-factor/list-trusted-devices")
	assert.NoError(b.t, json.Unmarshal([]byte(got.body), &list))
	return list
}

// A trusted device is spared the question; its token turns with each use, and one that
// comes back ends the trust (rule R11).
func TestR11_ATrustedDevicesTokenTurnsAndAReplayEndsTheTrust(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		var replayed atomic.Int64
		w := newWorld(t, db, func(c *tenon.Config) {
			c.AuthHooks.TrustReplayed = func(context.Context, auth.TrustReplayed) error { replayed.Add(1); return nil }
		})
		a := w.enrol(t, w.signedIn(t, email))
		b := w.trusting(t, a, email)
		first := b.cookie("trust_device")
		assert.False(t, b.asked(email), "a trusted device is asked")
		second := b.cookie("trust_device")
		assert.True(t, first != second, "the token turns")
		assert.Len(t, b.trustedDevices(), 1)
		thief := w.having(t, first)
		assert.True(t, thief.asked(email), "a replaced token works")
		assert.Equal(t, replayed.Load(), 1)
		assert.Len(t, b.trustedDevices(), 0) // it committed, though nobody was let in
		assert.True(t, w.having(t, second).asked(email), "the trust goes on")
		assert.Equal(t, replayed.Load(), 1)
	})
}

// What ends a trust: 30 days, whatever its use, and every change of what protects the
// account (rules R1, R11).
func TestR11_ATrustEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, w *world, a *authenticator, b *browser){
		"30 days in use": func(t *testing.T, w *world, _ *authenticator, b *browser) {
			for range 3 {
				bundbtest.ClockOf(w.db).Advance(twofactor.TrustLife/3 - time.Second)
				assert.False(t, b.asked(email), "it ended early")
			}
			bundbtest.ClockOf(w.db).Advance(3 * time.Second)
		},
		"another password": func(t *testing.T, w *world, _ *authenticator, _ *browser) {
			assert.NoError(t, w.reset(bundbtest.Outside(t.Context()), password))
		},
		"revoked": func(t *testing.T, _ *world, _ *authenticator, b *browser) {
			id := b.trustedDevices()[0]["id"]
			assert.Equal(t, b.post("/two-factor/revoke-trusted-device", map[string]any{"id": id}).StatusCode, http.StatusOK)
			assert.Equal(t, b.post("/two-factor/revoke-trusted-device", map[string]any{"id": id}).StatusCode, http.StatusNotFound)
		},
		"recovery codes replaced": func(t *testing.T, _ *world, _ *authenticator, b *browser) {
			assert.Equal(t, b.post("/two-factor/generate-backup-codes", map[string]any{"password": password}).StatusCode, http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				a := w.enrol(t, w.signedIn(t, email))
				b := w.trusting(t, a, email)
				trust := b.cookie("trust_device")
				end(t, w, a, b)
				if current := b.cookie("trust_device"); current != "" {
					trust = current
				}
				assert.True(t, w.having(t, trust).asked(email), "the trust goes on")
			})
		})
	}
}

// Of the neighbour's trusted devices one sees and ends nothing (promise 7), and they
// are nothing for another user.
func TestPromise7_TrustedDevicesAreTheirUsers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const other = "eve@example.com"
		a, eve := w.enrol(t, w.signedIn(t, email)), w.enrol(t, w.signedIn(t, other))
		b, e := w.trusting(t, a, email), w.trusting(t, eve, other)
		list := b.trustedDevices()
		assert.Len(t, list, 1)
		got := e.post("/two-factor/revoke-trusted-device", map[string]any{"id": list[0]["id"]})
		never := e.post("/two-factor/revoke-trusted-device", map[string]any{"id": "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"})
		assert.Equal(t, shape(got), shape(never))
		assert.Equal(t, got.StatusCode, http.StatusNotFound)
		assert.True(t, w.having(t, b.cookie("trust_device")).asked(other), "another user's trust works")
		assert.False(t, b.asked(email), "another user's attempt ended the trust")
		assert.Equal(t, w.count(t, "tenon_trusted_devices"), 2)
	})
}

// A trusted device proves nothing (rule R11): assurance 1, nothing sensitive, no
// powers, no organization that does not say otherwise.
func TestR11_ATrustedDeviceProvesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, rootEmail))
		b := w.trusting(t, a, rootEmail)
		assert.Equal(t, b.get("/admin/list-users").StatusCode, http.StatusOK)
		described, _ := b.get("/get-session").decode(t)["session"].(map[string]any)
		set := func(b *browser, accept bool) answer {
			return b.post("/organization/set-second-factor-policy", map[string]any{
				"organizationId": described["activeOrganizationId"], "required": true, "acceptTrustedDevices": accept,
			})
		}
		assert.Equal(t, set(b, false).StatusCode, http.StatusOK)
		c := w.having(t, b.cookie("trust_device"))
		assert.False(t, c.asked(rootEmail), "it is asked")
		site := w.Middleware(principal.Require(principal.RequireOrganization)(http.HandlerFunc(greet)))
		assert.Equal(t, c.atHost(site).code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, c.get("/admin/list-users").code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, c.post("/change-email", map[string]any{"newEmail": newEmail}).code(t), "SESSION_NOT_FRESH")
		assert.NotContains(t, c.post("/step-up", map[string]any{"password": password}).body, "freshUntil")
		assert.Equal(t, w.count(t, "tenon_sessions WHERE channels = 'password' AND trusted_until IS NOT NULL AND revoked_at IS NULL"), 1)
		assert.Equal(t, set(b, true).StatusCode, http.StatusOK)
		assert.Equal(t, c.atHost(site).StatusCode, http.StatusOK)
		assert.Equal(t, c.get("/admin/list-users").code(t), "SECOND_FACTOR_REQUIRED")
		assert.Equal(t, c.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
		assert.Equal(t, c.get("/admin/list-users").StatusCode, http.StatusOK)
	}, withRoot)
}

// In bearer mode nothing is trusted, and a trust is not used up (rule R16).
func TestR11_BearersHaveNoTrustedDevices(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		b := w.trusting(t, a, email)
		tokens := func(b *browser, path string, body map[string]any) answer {
			r := b.request(http.MethodPost, path, "application/json", bytes.NewReader(assert.Must(json.Marshal(body))(t)))
			r.Header.Set("X-Token-Mode", "bearer")
			return b.do(r)
		}
		got := tokens(w.having(t, b.cookie("trust_device")), "/sign-in/email", credentials(email, password)).decode(t)
		assert.Equal(t, got["twoFactorRedirect"], any(true))
		d := w.browser(t)
		met := tokens(d, "/two-factor/verify-totp", map[string]any{"code": a.code(t), "challengeToken": got["challengeToken"], "trustDevice": true})
		assert.Equal(t, met.StatusCode, http.StatusOK)
		assert.Equal(t, d.cookie("trust_device"), "")
		assert.Equal(t, w.count(t, "tenon_trusted_devices"), 1)
		assert.False(t, b.asked(email), "the trust was used up")
	})
}

// Of 64 who use one token at one moment, one is let in, and the copies end the trust.
func TestR11_SixtyFourUsersOfOneTrustedToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		raw := w.trusting(t, a, email).cookie("trust_device")
		user, _, err := authbun.New(w.DB).UserByEmail(t.Context(), "ada@example.com")
		assert.NoError(t, err)
		var won atomic.Int64
		var group sync.WaitGroup
		slots := make(chan struct{}, 16)
		for range 64 {
			group.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				ctx := bundbtest.Flow(bundbtest.Outside(t.Context()))
				assert.NoError(t, w.DB.InTx(ctx, func(ctx context.Context) error {
					trust, err := w.TwoFactor.Trusts(ctx, auth.TrustedAttempt{UserID: user.ID, SecurityVersion: user.SecurityVersion, Raw: raw})
					if !trust.Token.IsZero() {
						won.Add(1)
					}
					return err
				}))
			})
		}
		group.Wait()
		assert.Equal(t, won.Load(), 1)
		assert.Equal(t, w.count(t, "tenon_trusted_devices"), 0)
	})
}

// An eleventh trusted device takes the place of the oldest.
func TestAUserTrustsTenDevices(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		first := w.trusting(t, a, email)
		user, _, err := authbun.New(w.DB).UserByEmail(t.Context(), "ada@example.com")
		assert.NoError(t, err)
		for range 10 {
			bundbtest.ClockOf(w.db).Advance(time.Second)
			assert.NoError(t, w.DB.InTx(t.Context(), func(ctx context.Context) error {
				_, err := w.TwoFactor.Trust(ctx, user, auth.Client{})
				return err
			}))
		}
		assert.Equal(t, w.count(t, "tenon_trusted_devices"), 10)
		assert.True(t, first.asked(email), "the oldest goes on")
	})
}

func TestPromise1_TrustedDevicesAreAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		b := w.trusting(t, a, email)
		raw := b.cookie("trust_device")
		user, _, err := authbun.New(w.DB).UserByEmail(t.Context(), "ada@example.com")
		assert.NoError(t, err)
		inTx := func(fn func(ctx context.Context) error) func(ctx context.Context) error {
			return func(ctx context.Context) error { return w.DB.InTx(ctx, fn) }
		}
		bundbtest.RequireAtomic(t, w.DB, inTx(func(ctx context.Context) error {
			_, err := w.TwoFactor.Trust(ctx, user, auth.Client{})
			return err
		}))
		caller := account.Caller{Principal: &principal.Principal{UserID: user.ID, SessionID: "s"}, SecurityVersion: user.SecurityVersion}
		revoked := w.trusting(t, a, email).trustedDevices()[0]["id"].(string)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error { return w.TwoFactor.RevokeTrusted(ctx, caller, revoked) })
		attempt := auth.TrustedAttempt{UserID: user.ID, SecurityVersion: user.SecurityVersion, Raw: raw}
		for range 2 { // a rotation, then a replay
			bundbtest.RequireAtomic(t, w.DB, inTx(func(ctx context.Context) error {
				_, err := w.TwoFactor.Trusts(ctx, attempt)
				return err
			}))
		}
	})
}

// What a person types does not make a trusted device, and is no error either.
func TestR11_HostileTokensOfTrustedDevices(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		b := w.trusting(t, a, email)
		raw := b.cookie("trust_device")
		for _, junk := range []string{"x", ".", raw[:36], raw[:37], raw[37:], "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77" + raw[36:], raw + "x", b.cookie("device")} {
			assert.True(t, w.having(t, junk).asked(email), "junk is trusted")
		}
		assert.False(t, b.asked(email), "junk ended the trust")
		names := slices.Collect(func(yield func(string) bool) {
			for _, d := range b.trustedDevices() {
				for name := range d {
					if !yield(name) {
						return
					}
				}
			}
		})
		slices.Sort(names)
		assert.Equal(t, names, []string{"createdAt", "device", "expiresAt", "id", "ipAddress", "lastUsedAt"})
	})
}

// Every way to meet a challenge that proves two factors makes a trusted device; a mailed
// code proves none (rule R11).
func TestR11_WhichSecondStepsMakeATrustedDevice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := w.enrol(t, w.signedIn(t, email))
		c := w.browser(t)
		c.signIn(email)
		assert.Equal(t, c.post("/two-factor/verify-backup-code", map[string]any{"code": a.codes[0], "trustDevice": true}).StatusCode, http.StatusOK)
		assert.False(t, c.asked(email), "after a recovery code")
		d := w.browser(t)
		d.signIn(email)
		assert.Equal(t, d.post("/two-factor/verify-totp", map[string]any{"code": a.code(t)}).StatusCode, http.StatusOK)
		assert.True(t, d.asked(email), "nobody asked for it")

		_, key := w.secured(t, "bob@example.com")
		half := w.halfway(t, "bob@example.com")
		_, raw := half.options()
		got := half.post("/passkey/verify-authentication", map[string]any{"response": json.RawMessage(key.Get(t, raw)), "trustDevice": true})
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.False(t, half.asked("bob@example.com"), "after a passkey")

		const mailed = "eve@example.com"
		e := w.signedIn(t, mailed)
		assert.Equal(t, e.post("/two-factor/enable", map[string]any{"password": password, "method": "otp"}).StatusCode, http.StatusOK)
		f := w.browser(t)
		assert.True(t, f.asked(mailed), "a mailed code is asked for")
		assert.Equal(t, f.post("/two-factor/send-otp", map[string]any{}).StatusCode, http.StatusOK)
		assert.NoError(t, w.Drain(t.Context()))
		message, _ := w.mailbox.Last(mailed)
		met := f.post("/two-factor/verify-otp", map[string]any{"code": message.Code, "trustDevice": true})
		assert.Equal(t, met.StatusCode, http.StatusOK)
		assert.Equal(t, f.cookie("trust_device"), "")
		assert.True(t, f.asked(mailed), "after a mailed code")
	}, withPasskeys, func(c *tenon.Config) { c.TwoFactor.MailCodes = true })
}
