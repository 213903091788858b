package tenon_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// tricks are what no ceremony may fall for.
func tricks() map[string]passkeytest.Tricks {
	challenge := strings.Repeat("A", 43)
	return map[string]passkeytest.Tricks{
		"no user present": {NoUP: true}, "no user verified": {NoUV: true}, "another page": {Origin: "https://evil.example"},
		"a page on another port": {Origin: "http://localhost:9999"}, "another scheme": {Origin: "https://localhost:8080"},
		"a subdomain": {Origin: "http://evil.localhost:8080"}, "another site": {RPID: "evil.example"}, "another challenge": {Challenge: challenge},
		"in a frame of another site": {CrossOrigin: true}, "cut off": {Truncate: 1}, "cut in the middle": {Truncate: 20}, "another id": {OtherID: true},
	}
}

func TestR11_RegistrationFallsForNoTrick(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		all := tricks()
		all["the other ceremony"] = passkeytest.Tricks{Type: "webauthn.get"}
		for name, trick := range all {
			a := passkeytest.New(base)
			a.Tricks = trick
			if got := b.addPasskey(a); got.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.count(t, "tenon_passkeys"), 0)
		assert.True(t, b.isSignedIn(), "nothing was changed")
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
	}, withPasskeys)
}

func TestR11_SignInFallsForNoTrick(t *testing.T) {
	t.Parallel()
	var failed []auth.SignInFailed
	var mu sync.Mutex
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		_, bobs := w.withPasskey(t, "bob@example.com")
		bobsHandle := handleOf(t, w.browser(t).assertion(bobs))
		all := tricks()
		all["the other ceremony"] = passkeytest.Tricks{Type: "webauthn.create"}
		all["bogus signature"] = passkeytest.Tricks{BogusSignature: true}
		all["other eligibility for backup"] = passkeytest.Tricks{FlipBE: true}
		all["another user's handle"] = passkeytest.Tricks{Handle: bobsHandle}
		all["a handle of nobody"] = passkeytest.Tricks{Handle: make([]byte, 32)}
		all["no handle"] = passkeytest.Tricks{NoHandle: true}
		sessions := w.count(t, "tenon_sessions")
		for name, trick := range all {
			a.Tricks = trick
			visitor := w.browser(t)
			got := visitor.signInByPasskey(a)
			code := got.code(t)
			if got.StatusCode != http.StatusUnauthorized && code != "CHALLENGE_NOT_FOUND" || visitor.cookie("session") != "" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
		assert.Equal(t, w.count(t, "tenon_passkeys WHERE last_used_at IS NOT NULL"), 0)
		a.Tricks = passkeytest.Tricks{}
		visitor := w.browser(t)
		assert.Equal(t, visitor.signInByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, visitor.idOf(), b.idOf())
	}, withPasskeys, func(c *tenon.Config) {
		c.AuthHooks.SignInFailed = func(_ context.Context, e auth.SignInFailed) error {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, e)
			return nil
		}
	})
	t.Cleanup(func() {
		if len(failed) < 15 || failed[0].Factor != "passkey" {
			t.Errorf("%d failures were told: %+v", len(failed), failed)
		}
	})
}

// handleOf reads the user handle out of an assertion.
func handleOf(t testing.TB, response json.RawMessage) []byte {
	t.Helper()
	var r struct {
		Response struct {
			UserHandle string `json:"userHandle"`
		} `json:"response"`
	}
	assert.NoError(t, json.Unmarshal(response, &r))
	return assert.Must(base64.RawURLEncoding.DecodeString(r.Response.UserHandle))(t)
}

// CVE-2026-82466: a sign-in by passkey took the account of the session.
func TestCVE_2026_82466_IdentityComesFromTheCredential(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, a := w.withPasskey(t, email)
		bob, bobs := w.withPasskey(t, "bob@example.com")
		adaID, bobID := ada.idOf(), bob.idOf()
		assert.Equal(t, ada.signInByPasskey(bobs).StatusCode, http.StatusOK)
		assert.Equal(t, ada.idOf(), bobID)
		assert.Equal(t, bob.signInByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, bob.idOf(), adaID)
	}, withPasskeys)
}

// CVE-2025-71400: anybody could delete any passkey by its id.
func TestCVE_2025_71400_APasskeyOfANeighbourIsNotThere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, a := w.withPasskey(t, email)
		bob, _ := w.withPasskey(t, "bob@example.com")
		id, _ := ada.passkeys()[0]["id"].(string)
		for path, body := range map[string]map[string]any{
			"/passkey/delete-passkey": {}, "/passkey/update-passkey": {"name": "mine"},
		} {
			var shapes []string
			for _, target := range []string{id, "0195c7a0-0000-7000-8000-000000000000"} {
				body["id"] = target
				got := bob.post(path, body)
				assert.Equal(t, got.StatusCode, http.StatusNotFound)
				assert.Equal(t, got.code(t), "PASSKEY_NOT_FOUND")
				shapes = append(shapes, shape(got))
			}
			assert.Equal(t, shapes[0], shapes[1])
		}
		assert.True(t, bob.isSignedIn(), "nothing was changed")
		assert.Len(t, bob.passkeys(), 1)
		assert.Len(t, ada.passkeys(), 1)

		// Nor does it step up another's session, or come to another's account.
		options := bob.get("/passkey/generate-step-up-options")
		assert.NotContains(t, options.body, ada.passkeys()[0]["credentialID"].(string))
		var o passkey.RequestOptions
		assert.NoError(t, json.Unmarshal([]byte(options.body), &o))
		o.AllowCredentials = nil
		open, err := json.Marshal(o)
		assert.NoError(t, err)
		got := bob.post("/passkey/verify-step-up", map[string]any{"response": json.RawMessage(a.Get(t, open))})
		assert.Equal(t, got.code(t), "AUTHENTICATION_FAILED")
		made := bob.registration(passkeytest.New(base))
		assert.Equal(t, ada.register(made).code(t), "CHALLENGE_NOT_FOUND")
	}, withPasskeys)
}

// A credential belongs to one user.
func TestAPasskeyIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, a := w.withPasskey(t, email)
		bob := w.signedIn(t, "bob@example.com")
		_, err := w.db.Statement("UPDATE tenon_passkeys SET user_id = ?").Exec(t.Context(), "somebody")
		assert.NoError(t, err)
		stolen := passkeytest.New(base)
		made := bob.registration(stolen)
		_, err = w.db.Statement("UPDATE tenon_passkeys SET credential_id = ?").Exec(t.Context(), stolen.NewestID())
		assert.NoError(t, err)
		got := bob.register(made)
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Equal(t, got.code(t), "PREVIOUSLY_REGISTERED")
		assert.True(t, bob.isSignedIn() && ada.isSignedIn() && a.Has() == 1, "nothing was changed")
	}, withPasskeys)
}

// HackerOne 3780149: the counter was not saved.
func TestAClonedPasskeyIsRefusedAndTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, err := w.db.Raw(t.Context()).ExecContext(t.Context(), "CREATE TABLE clones (passkey_id text, counter integer)")
		assert.NoError(t, err)
		w.cfg.Passkeys = passkeybun.New(passkey.Config{Hooks: passkey.Hooks{
			PasskeyCloned: func(ctx context.Context, e passkey.Cloned) error {
				assert.True(t, w.DB.InTransaction(ctx), "the hook has a transaction")
				_, err := w.db.Statement("INSERT INTO clones VALUES (?, ?)").Exec(ctx, e.Passkey.ID, e.Counter)
				return err
			},
		}})
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		w.App = app
		b, a := w.withPasskey(t, email)
		clone := a.Clone()
		for range 3 {
			assert.Equal(t, w.browser(t).signInByPasskey(a).StatusCode, http.StatusOK)
		}
		sessions := w.count(t, "tenon_sessions")
		for _, do := range []func() answer{
			func() answer { return w.browser(t).signInByPasskey(clone) },
			func() answer { return b.stepUpByPasskey(clone) },
		} {
			assert.Equal(t, do().code(t), "AUTHENTICATION_FAILED")
		}
		assert.Equal(t, w.signCount(t), 3)
		assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
		assert.Equal(t, w.count(t, "clones WHERE counter < 3"), 2)
		zero := uint32(0)
		clone.Tricks.Counter = &zero
		assert.Equal(t, w.browser(t).signInByPasskey(clone).code(t), "AUTHENTICATION_FAILED")
		assert.Equal(t, w.browser(t).signInByPasskey(a).StatusCode, http.StatusOK)
		assert.Equal(t, w.signCount(t), 4)
		same, told := uint32(4), w.count(t, "clones")
		clone.Tricks.Counter = &same
		assert.Equal(t, w.browser(t).signInByPasskey(clone).code(t), "AUTHENTICATION_FAILED")
		assert.Equal(t, w.count(t, "clones"), told+1)
	}, withPasskeys)
}

// Synced passkeys count zero, for ever, and may cease to be backed up.
func TestSyncedPasskeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		a.Synced = true
		assert.Equal(t, b.addPasskey(a).StatusCode, http.StatusOK)
		for _, dropped := range []bool{false, true, false} {
			a.Tricks.DropBS = dropped
			assert.Equal(t, b.signInByPasskey(a).StatusCode, http.StatusOK)
			have := b.passkeys()[0]
			assert.Equal(t, have["deviceType"], any("multiDevice"))
			assert.Equal(t, have["backedUp"], any(!dropped))
			assert.Equal(t, have["counter"], any(0.0))
		}
	}, withPasskeys)
}

// All of them have the same answer, or the same counter: one gets a session.
func TestOneOf64RacersSignsIn(t *testing.T) {
	t.Parallel()
	for _, sameAnswer := range []bool{true, false} {
		each(t, func(t *testing.T, w *world) {
			_, a := w.withPasskey(t, email)
			sessions := w.count(t, "tenon_sessions")
			one := uint32(1)
			a.Tricks.Counter = &one
			visitor := w.browser(t)
			answers := make(chan json.RawMessage, 64)
			for response := visitor.assertion(a); len(answers) < cap(answers); {
				answers <- response
				if !sameAnswer {
					response = visitor.assertion(a)
				}
			}
			won := w.race(t, errRefused, func(ctx context.Context) error {
				got := visitor.authenticate(<-answers)
				if got.StatusCode == http.StatusUnauthorized || got.StatusCode == http.StatusBadRequest {
					return errRefused
				}
				assert.Equal(t, got.StatusCode, http.StatusOK)
				return nil
			})
			assert.Equal(t, won, 1)
			assert.Equal(t, w.count(t, "tenon_sessions"), sessions+1)
		}, withPasskeys)
	}
}

var errRefused = errors.New("refused")

// What happens to the account between the proof and the session (rule R1).
func TestR1_APasskeyStalledBeforeTheDoor(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"reset or enrolment": "UPDATE tenon_users SET security_version = security_version + 1",
		"ban":                "UPDATE tenon_users SET banned_at = created_at",
		"deletion":           "DELETE FROM tenon_users",
		"deleted passkey":    "DELETE FROM tenon_passkeys",
		"used passkey":       "UPDATE tenon_passkeys SET sign_count = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				_, a := w.withPasskey(t, email)
				visitor := w.browser(t)
				response := visitor.assertion(a)
				sessions := w.count(t, "tenon_sessions")
				barrier := bundbtest.FaultsOf(w.DB).StallOn("BEGIN", 1)
				done := make(chan answer, 1)
				go func() { done <- visitor.authenticate(response) }()
				barrier.Wait(t)
				_, err := w.db.Statement(change).Exec(bundbtest.Outside(t.Context()))
				assert.NoError(t, err)
				barrier.Release()
				got := <-done
				assert.Equal(t, got.StatusCode, http.StatusUnauthorized)
				assert.Equal(t, got.code(t), "AUTHENTICATION_FAILED")
				assert.Equal(t, w.count(t, "tenon_sessions"), sessions)
				assert.Equal(t, visitor.cookie("session"), "")
			}, withPasskeys)
		})
	}
}

// Without a password, and with nothing by mail, the last passkey stays.
func TestTheLastWayInStays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		noMail, password, another bool
		want                      int
	}{
		"nothing else": {noMail: true, want: http.StatusConflict}, "a password": {noMail: true, password: true, want: http.StatusOK},
		"another passkey": {noMail: true, another: true, want: http.StatusOK}, "links and codes by mail": {want: http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b, a := w.withPasskey(t, email)
				if c.another {
					assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
				}
				if !c.password {
					_, err := w.db.Statement("DELETE FROM tenon_credentials").Exec(t.Context())
					assert.NoError(t, err)
				}
				id, _ := b.passkeys()[0]["id"].(string)
				got := b.post("/passkey/delete-passkey", map[string]any{"id": id})
				assert.Equal(t, got.StatusCode, c.want)
				if c.want == http.StatusConflict {
					assert.Equal(t, got.code(t), "LAST_WAY_IN")
					assert.True(t, b.isSignedIn(), "nothing was changed")
					assert.Equal(t, w.browser(t).signInByPasskey(a).StatusCode, http.StatusOK)
				}
			}, withPasskeys, func(cfg *tenon.Config) {
				cfg.Passwordless = passwordless.Policy{NoLinks: c.noMail, NoCodes: c.noMail}
			})
		})
	}
}

// Sensitive routes want a fresh proof (rule R12), and a passkey is one.
func TestR12_PasskeysNeedAFreshProofAndAreOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		made := b.registration(passkeytest.New(base))
		bundbtest.ClockOf(w.db).Advance(11 * time.Minute)
		id, _ := b.passkeys()[0]["id"].(string)
		for name, got := range map[string]answer{
			"options": b.get("/passkey/generate-register-options"), "registration": b.register(made),
			"deletion": b.post("/passkey/delete-passkey", map[string]any{"id": id}),
		} {
			if got.StatusCode != http.StatusForbidden || got.code(t) != "SESSION_NOT_FRESH" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		before := b.cookie("session")
		got := b.stepUpByPasskey(a)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.True(t, got.decode(t)["freshUntil"] != nil, "it says until when")
		assert.NotEqual(t, b.cookie("session"), before)
		assert.False(t, w.with(t, before).isSignedIn(), "the earlier token opens nothing")
		assert.Equal(t, w.signCount(t), 1)
		assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
	}, withPasskeys)
}

func TestR12_TheFifthWrongPasskeyEndsTheSession(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		a.Tricks.BogusSignature = true
		for i := range 5 {
			assert.True(t, b.isSignedIn(), "not yet")
			want := "AUTHENTICATION_FAILED"
			if i == 4 {
				want = "SESSION_ENDED"
			}
			assert.Equal(t, b.stepUpByPasskey(a).code(t), want)
		}
		assert.False(t, b.isSignedIn(), "the session is over")
		nobody := w.signedIn(t, "bob@example.com")
		assert.Equal(t, nobody.get("/passkey/generate-step-up-options").code(t), "NO_PASSKEY")
	}, withPasskeys)
}

// Modes do not bleed (rule R16).
func TestR16_PasskeysInBearerMode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, a := w.withPasskey(t, email)
		bearer := http.Header{"X-Token-Mode": {"bearer"}}
		p := &program{browser: w.browser(t)}
		options := p.send(http.MethodGet, "/passkey/generate-authenticate-options", nil, bearer)
		held, _ := options.decode(t)["ceremonyToken"].(string)
		assert.True(t, strings.HasPrefix(held, "tnn_flw_"), "a token for the answer")
		assert.Equal(t, options.Header.Get("Set-Cookie"), "")
		body := map[string]any{"response": json.RawMessage(a.Get(t, []byte(options.body))), "ceremonyToken": held}
		got := p.send(http.MethodPost, "/passkey/verify-authentication", body, bearer)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		p.keep(t, got)
		assert.Equal(t, p.call(http.MethodGet, "/passkey/list-user-passkeys", nil).StatusCode, http.StatusOK)

		// A bearer's options get no cookie, and a browser's no tokens.
		options = p.send(http.MethodGet, "/passkey/generate-authenticate-options", nil, bearer)
		body["response"], body["ceremonyToken"] = json.RawMessage(a.Get(t, []byte(options.body))), options.decode(t)["ceremonyToken"]
		assert.Equal(t, p.post("/passkey/verify-authentication", body).code(t), "CHALLENGE_NOT_FOUND")
		visitor := &program{browser: w.browser(t)}
		response := visitor.assertion(a)
		got = visitor.send(http.MethodPost, "/passkey/verify-authentication", map[string]any{"response": response}, bearer)
		assert.Equal(t, got.code(t), "CHALLENGE_NOT_FOUND")
	}, withPasskeys)
}

func TestPasskeysAreBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		late := b.registration(passkeytest.New(base))
		for range 2 {
			assert.Equal(t, b.addPasskey(passkeytest.New(base)).StatusCode, http.StatusOK)
		}
		got := b.get("/passkey/generate-register-options")
		assert.Equal(t, got.StatusCode, http.StatusConflict)
		assert.Equal(t, got.code(t), "TOO_MANY_PASSKEYS")
		assert.Equal(t, b.register(late).code(t), "CHALLENGE_NOT_FOUND") // each raised the version
	}, func(c *tenon.Config) { c.Passkeys = passkeybun.New(passkey.Config{MaxPerUser: 2}) })
}

// What hung on an account before its mailbox was proven goes (rule R4), and nothing
// is left of one that was deleted.
func TestR4_PasskeysGoWithWhatTheyHungOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		_, err := w.db.Statement("UPDATE tenon_users SET email_verified = ?").Exec(t.Context(), false)
		assert.NoError(t, err)
		assert.Equal(t, w.browser(t).signInByPasskey(a).code(t), "AUTHENTICATION_FAILED")
		visitor := w.browser(t)
		assert.Equal(t, visitor.useLink(w.magicLink(t, visitor, email)).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_passkeys")+w.count(t, "tenon_passkey_handles"), 0)
		assert.False(t, b.isSignedIn(), "sessions go, too")

		bob, _ := w.withPasskey(t, "bob@example.com")
		w.withPasskey(t, "carol@example.com")
		bob.get("/passkey/generate-register-options")
		assert.Equal(t, bob.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, "tenon_passkeys"), 1)
		w.noOrphans(t)
		for table, where := range map[string]string{"tenon_passkeys": "", "tenon_passkey_handles": "", "tenon_passkey_ceremonies": "x.user_id <> '' AND "} {
			orphans := table + " AS x WHERE " + where + "NOT EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = x.user_id)"
			assert.Equal(t, w.count(t, orphans), 0)
		}
	}, withPasskeys)
}

// The base URL decides what passkeys work for, and is judged at the start.
func TestPasskeyConfigIsJudgedAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base string
		cfg  passkey.Config
		want string
	}{
		"an address":        {"http://127.0.0.1:8080", passkey.Config{}, "IP address"},
		"another domain":    {"https://app.example.com", passkey.Config{RPID: "example.org"}, "RPID"},
		"a part of a label": {"https://app.example.com", passkey.Config{RPID: "ample.com"}, "RPID"},
		"a top level":       {"https://app.example.com", passkey.Config{RPID: "com"}, "RPID"},
		"a path":            {"https://app.example.com", passkey.Config{Origins: []string{"https://example.com/"}}, "Origins"},
		"plain http":        {"https://app.example.com", passkey.Config{Origins: []string{"http://example.com"}}, "Origins"},
		"too many":          {"https://app.example.com", passkey.Config{MaxPerUser: 1000}, "MaxPerUser"},
		"a domain above":    {"https://app.example.com", passkey.Config{RPID: "example.com", Origins: []string{"https://www.example.com", "android:apk-key-hash:Xy3Z"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newWorld(t, bundbtest.SQLite(t)).cfg
			cfg.BaseURL, cfg.Passkeys = c.base, passkeybun.New(c.cfg)
			_, err := tenon.New(cfg)
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v", err)
			}
		})
	}
}
