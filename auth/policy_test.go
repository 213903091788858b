package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// stolen is a breach service that knows one password, or none while it is down.
type stolen struct {
	password string
	down     error
}

func (s stolen) Breached(_ context.Context, prepared string) (bool, error) {
	return prepared == s.password, s.down
}

// policyOf sets the policy of a world.
func policyOf(p password.Policy) func(*auth.Config) {
	return func(cfg *auth.Config) { cfg.PasswordPolicy = p }
}

func TestASVS62EveryWayToSetAPasswordIsJudgedAlike(t *testing.T) {
	t.Parallel()
	policy := password.Policy{MinLength: 15, Products: []string{"Tenon"}, Breaches: stolen{password: "a password that was stolen"}}
	w := newWorld(t, policyOf(policy))
	w.signUp(t)
	link := w.link(t)
	ways := map[string]func(typed string) error{
		"sign-up": func(typed string) error {
			_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Ada Lovelace", Email: "lovelace@example.com", Password: typed})
			return err
		},
		"replacement": func(typed string) error {
			_, err := w.VerifyEmail(t.Context(), auth.VerifyEmailParams{Token: link, NewPassword: typed, Name: "Ada Lovelace"})
			return err
		},
		"change": func(typed string) error {
			_, err := w.NewPassword(t.Context(), auth.User{ID: "u", Display: "lovelace@example.com", Name: "Ada Lovelace"}, typed)
			return err
		},
	}
	for name, set := range ways {
		for typed, want := range map[string]error{
			"fourteen chars":             password.ErrTooShort,
			"fifteen\tcharact":           password.ErrNotText,
			"passwordpassword":           password.ErrTooCommon,
			"lovelace and the engine":    password.ErrTooSimilar,
			"mortise and tenon joints":   password.ErrTooSimilar,
			"a password that was stolen": password.ErrCompromised,
		} {
			err := set(typed)
			assert.True(t, errors.Is(err, want), name+" with "+typed)
			assert.Equal(t, problem.KindOf(err), problem.Invalid)
		}
	}
	// A refusal has used up nothing.
	assert.NoError(t, ways["replacement"]("sixteen fine characters"))
	assert.NoError(t, ways["sign-up"]("sixteen fine characters"))
	assert.NoError(t, ways["change"]("sixteen fine characters"))
}

func TestR7_APolicysAnswerTellsNothingAboutWhoExists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ada(t)
	mails := len(w.mailbox.Messages())
	w.store.Fail(errors.New("the store was asked"))
	for _, typed := range []string{"short", "password1", "ada 1234"} {
		for _, email := range []string{adaEmail, "ada@example.org"} {
			// Nobody is looked up: that the store fails is not noticed.
			_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: email, Password: typed})
			assert.Equal(t, problem.KindOf(err), problem.Invalid)
		}
	}
	_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: adaEmail, Password: adaPassword})
	assert.Equal(t, problem.KindOf(err), problem.Internal)
	assert.Equal(t, len(w.mailbox.Messages()), mails)
}

func TestAnOutageOfTheBreachServiceSetsNoPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policyOf(password.Policy{Breaches: stolen{down: errors.New("no route")}}))
	_, err := w.SignUp(t.Context(), auth.SignUpParams{Name: "Ada", Email: adaEmail, Password: adaPassword})
	assert.Equal(t, problem.KindOf(err), problem.Unavailable)
	assert.Equal(t, len(w.mailbox.Messages()), 0)
}

func TestThePolicyJudgesOnlyWhatIsSet(t *testing.T) {
	t.Parallel()
	// Whoever has a password goes on signing in with it when the policy grows.
	w := newWorld(t)
	w.ada(t)
	stricter, err := auth.New(oneDatabase{w.store, w.tokens}, w.config(policyOf(password.NIST())))
	assert.NoError(t, err)
	_, _, err = stricter.SignIn(t.Context(), auth.SignInParams{Email: adaEmail, Password: adaPassword, Client: client()})
	assert.NoError(t, err)
	assert.Equal(t, stricter.PasswordPolicy().Least(false), 15)
}

func TestNewRefusesAPolicyThatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := auth.New(oneDatabase{w.store, w.tokens}, w.config(policyOf(password.Policy{MinLength: 6})))
	assert.Error(t, err)
	assert.Contains(t, err.Error(), "MinLength")
}
