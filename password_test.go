package tenon_test

import (
	"net/http"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	passwords "github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
)

// bcryptHash is that of password, made by libxcrypt with the cost 4.
const bcryptHash = "$2y$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS"

func TestASVS62TheRoutesJudgeNewPasswords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		for typed, want := range map[string]string{
			"fourteen chars":            "PASSWORD_TOO_SHORT",
			"passwordpassword":          "PASSWORD_TOO_COMMON",
			"grace.hopper's nanosecond": "PASSWORD_TOO_SIMILAR",
			"mortise works password":    "PASSWORD_TOO_SIMILAR",
		} {
			answer := b.post("/sign-up/email", map[string]any{"name": "Grace", "email": "grace.hopper@example.com", "password": typed})
			assert.Equal(t, answer.StatusCode, http.StatusBadRequest)
			assert.Equal(t, answer.code(t), want)
			assert.NotContains(t, answer.body, typed)
		}
		assert.Equal(t, w.count(t, "tenon_sign_ups"), 0)
		b.signUp(email)
		page := w.browser(t)
		page.open("/verify-email?token=" + w.link(t, email))
		form := page.page("/verify-email?new=1")
		assert.Contains(t, form.body, `minlength="15"`)
		assert.Contains(t, form.body, "At least 15 characters")
	}, func(c *tenon.Config) { c.PasswordPolicy, c.ProductName = passwords.NIST(), "Mortise Works" })
}

func TestAnImportedUserSignsInAndGetsAHashOfOurs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, err := w.Auth.CreateUser(t.Context(), auth.NewUser{Email: email, Name: "Ada", EmailVerified: true, PasswordHash: bcryptHash})
		assert.NoError(t, err)
		assert.Equal(t, w.browser(t).signInWith(email, "not this one").StatusCode, http.StatusUnauthorized)
		assert.Equal(t, w.browser(t).signInWith("nobody@example.com", password).StatusCode, http.StatusUnauthorized)
		marked := "tenon_credentials WHERE kind <> ''"
		assert.Equal(t, w.count(t, marked), 1)
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, w.count(t, marked), 0)
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusOK)
	})
}

func TestNewRefusesAPasswordPolicyThatIsWrong(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.cfg.PasswordPolicy.MinLength = 6
		_, err := tenon.New(w.cfg)
		assert.Error(t, err)
		assert.Contains(t, err.Error(), "MinLength")
	})
}
