package tenon_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/problem"
)

func TestPromise1_SignUpIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		n := 0
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			n++
			_, err := w.Auth.SignUp(ctx, auth.SignUpParams{Name: "Ada", Email: fmt.Sprintf("ada%d@example.com", n), Password: password})
			return err
		})
		assert.NoError(t, w.Drain(t.Context()))
		assert.Len(t, w.mailbox.Messages(), 1) // no mail of those that were rolled back
	})
}

func TestPromise1_ProofIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		result, err := w.Auth.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: email, Password: password})
		assert.NoError(t, err)
		link := w.link(t, email)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := w.Auth.VerifyEmail(ctx, auth.VerifyEmailParams{Token: link, Browser: result.Browser.Reveal()})
			return err
		})
		assert.Equal(t, w.count(t, "tenon_organizations"), 1)
	})
}

func TestPromise1_CompleteIsAtomic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		attempt, err := w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password})
		assert.NoError(t, err)
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := w.Auth.Complete(ctx, attempt)
			return err
		})
		assert.Equal(t, w.count(t, "tenon_sessions"), 1)
	})
}

// The host's own row, the user and the organization commit together or not at all.
func TestPromise1_TheHostsRowsJoin(t *testing.T) {
	t.Parallel()
	refusal := errors.New("the host says no")
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		_, err := db.Raw(t.Context()).ExecContext(t.Context(), "CREATE TABLE profiles (user_id text)")
		assert.NoError(t, err)
		refuse := true
		w := newWorld(t, db, func(c *tenon.Config) {
			c.AuthHooks.UserCreated = func(ctx context.Context, e auth.UserCreated) error {
				if _, err := c.DB.Statement("INSERT INTO profiles (user_id) VALUES (?)").Exec(ctx, e.User.ID); err != nil {
					return err
				}
				if refuse {
					return refusal
				}
				return nil
			}
		})
		b := w.browser(t)
		b.signUp(email)
		link := "/verify-email?token=" + w.link(t, email)
		assert.Equal(t, b.post(link, map[string]any{}).StatusCode, http.StatusInternalServerError)
		for _, table := range []string{"profiles", "tenon_users", "tenon_organizations"} {
			assert.Equal(t, w.count(t, table), 0)
		}
		refuse = false
		assert.Equal(t, b.post(link, map[string]any{}).StatusCode, http.StatusOK)
		for _, table := range []string{"profiles", "tenon_users", "tenon_organizations"} {
			assert.Equal(t, w.count(t, table), 1)
		}
	})
}

func TestPromise1_SignUpJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		stop := errors.New("stop")
		err := w.DB.InTx(t.Context(), func(ctx context.Context) error {
			_, err := w.Auth.SignUp(ctx, auth.SignUpParams{Name: "Ada", Email: email, Password: password})
			assert.NoError(t, err)
			_, _, err = w.Auth.SignIn(ctx, auth.SignInParams{Email: email, Password: password})
			assert.ErrorIs(t, err, auth.ErrInTransaction)
			return stop
		})
		assert.ErrorIs(t, err, stop)
		assert.Equal(t, w.count(t, "tenon_sign_ups"), 0)
		assert.NoError(t, w.Drain(t.Context()))
		assert.Len(t, w.mailbox.Messages(), 0)
	})
}

// secrets are what a thief of the database would look for.
func (w *world) secrets(t *testing.T, b *browser) map[string]string {
	t.Helper()
	secrets := map[string]string{"password": password, "session": b.cookie("session"), "browser": b.cookie("browser")}
	for i, m := range w.mailbox.Messages() {
		for _, link := range m.Links {
			_, raw, _ := strings.Cut(link, "token=")
			secrets[fmt.Sprintf("link %d", i)] = raw
		}
	}
	for name, secret := range secrets {
		if secret == "" {
			t.Fatalf("there is no %s to look for", name)
		}
	}
	return secrets
}

// forms are the ways in which a secret could be stored readable: whole, without
// its public beginning, and encoded.
func forms(secret string) map[string][]byte {
	plain := []byte(secret)
	all := map[string][]byte{"in clear": plain, "in hex": []byte(hex.EncodeToString(plain))}
	for name, encoding := range map[string]*base64.Encoding{"in base64": base64.RawStdEncoding, "in base64url": base64.RawURLEncoding} {
		for skip := range 3 { // wherever it starts in what was encoded
			encoded := encoding.EncodeToString(plain[skip:])
			all[fmt.Sprintf("%s from %d", name, skip)] = []byte(encoded[:len(encoded)-2])
		}
	}
	if strings.HasPrefix(secret, "tnn_") {
		// kind, selector, secret, checksum: the selector is public.
		all["the secret part"] = plain[len("tnn_xxx_")+16 : len(plain)-6]
	}
	return all
}

func TestPromise3_NoSecretIsReadableAtRest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other := w.browser(t)
		other.signUp("waiting@example.com")
		w.link(t, "waiting@example.com")
		b.post("/sign-in/email", credentials(email, "not this one"))
		dump := bundbtest.Dump(t, w.db)
		for name, secret := range w.secrets(t, b) {
			for form, text := range forms(secret) {
				if bytes.Contains(dump, text) {
					t.Errorf("the %s is in the database %s", name, form)
				}
			}
		}
		if bytes.Contains(dump, []byte("$argon2id$")) {
			t.Error("a password hash is not sealed")
		}
		// The test must be able to see what is there.
		if !bytes.Contains(dump, []byte("waiting@example.com")) {
			t.Error("the dump does not show what is stored")
		}
	})
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		b.post("/sign-in/email", credentials(email, "not this one"))
		b.post("/verify-email?token="+w.link(t, email), map[string]any{})
		bundbtest.FaultsOf(w.DB).FailAt(1)
		b.signUp("bob@example.com")
		logged := w.logs.String()
		assert.Contains(t, logged, `"level"`)
		for name, secret := range w.secrets(t, b) {
			for form, text := range forms(secret) {
				if strings.Contains(logged, string(text)) {
					t.Errorf("the %s is in the log %s", name, form)
				}
			}
		}
	})
}

func TestPromise12_OutageFailsClosedAndRecovers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		down := *w
		down.cfg.DB = bundbtest.Broken(t, w.DB)
		app, err := tenon.New(down.cfg)
		assert.NoError(t, err)
		down.App = app
		out := &browser{t: t, w: &down, client: &http.Client{Jar: b.client.Jar, Transport: inProcess{w: &down}}}
		for name, got := range map[string]answer{
			"sign in":       out.signIn(email),
			"sign up":       out.signUp("bob@example.com"),
			"get session":   out.get("/get-session"),
			"list sessions": out.get("/list-sessions"),
			"sign out":      out.post("/sign-out", map[string]any{}),
			"resend":        out.post("/send-verification-email", map[string]any{"email": email}),
		} {
			if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		assert.NotEqual(t, b.cookie("session"), "")
		assert.Equal(t, b.get("/list-sessions").StatusCode, http.StatusOK)
	})
}

func TestPromise12_ACutConnectionRecoversWithoutRestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		for k := 1; k <= 4; k++ {
			bundbtest.FaultsOf(w.DB).CutAt(k)
			got := b.signIn(email)
			if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("cut at %d: %d %s", k, got.StatusCode, got.body)
			}
			bundbtest.FaultsOf(w.DB).Disarm()
		}
		bundbtest.ClockOf(w.db).Advance(time.Minute)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
	})
}

func TestR28_KeysAreNeverMadeAnewInSilence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		before := bundbtest.Dump(t, w.db)
		w.cfg.KMS = cryptotest.NewKMS("test:another")
		app, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		_, err = app.Migrate(t.Context())
		assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
		assert.ErrorIs(t, app.Run(t.Context()), crypto.ErrKeyringMissing)
		assert.Error(t, app.Ready(t.Context()))
		_, err = tenon.DevelopmentKMS(t.Context(), w.db, t.TempDir()+"/new.keys")
		assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
		assert.True(t, bytes.Equal(before, bundbtest.Dump(t, w.db)), "nothing was written")
	})
}

func TestR2_StartWithoutAPassIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, err := w.Auth.Complete(t.Context(), auth.Attempt{})
		assert.Equal(t, problem.KindOf(err), problem.Unauthenticated)
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
	})
}

func TestReadySaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		cfg := tenon.Config{DB: db, KMS: cryptotest.NewKMS("test:"), Mailer: new(mailtest.Mailbox), BaseURL: base}
		app, err := tenon.New(cfg)
		assert.NoError(t, err)
		assert.ErrorIs(t, app.Ready(t.Context()), tenon.ErrPending)
		_, err = app.Migrate(t.Context())
		assert.NoError(t, err)
		assert.NoError(t, app.Ready(t.Context()))
		again, err := app.Migrate(t.Context())
		assert.NoError(t, err)
		assert.Len(t, again, 0)
	})
}

func TestNewNamesEveryMissingField(t *testing.T) {
	t.Parallel()
	_, err := tenon.New(tenon.Config{})
	for _, field := range []string{"DB", "KMS", "Mailer", "BaseURL"} {
		assert.Contains(t, fmt.Sprint(err), field)
	}
}
