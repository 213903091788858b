package auth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

// documentedLimits reads the first two columns of the table under a heading of
// docs/security.md.
func documentedLimits(t *testing.T, heading string) map[string]string {
	t.Helper()
	_, rest, found := strings.Cut(string(assert.Must(os.ReadFile("../docs/security.md"))(t)), "### "+heading+"\n")
	assert.True(t, found, "the heading is there")
	section, _, _ := strings.Cut(rest, "\n#")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(section, -1) {
		rows[m[1]] = m[2]
	}
	return rows
}

// inWords writes a pace as the document does.
func inWords(p auth.Pace) string {
	var parts []string
	if p.Step > 0 {
		parts = append(parts, fmt.Sprintf("%d at once, then a wait of %v that doubles up to %v", p.Free, p.Step, p.MaxWait))
	}
	parts = append(parts, fmt.Sprintf("%d at most", p.Cap))
	if p.Decay > 0 {
		parts = append(parts, fmt.Sprintf("one forgotten each %v", p.Decay))
	}
	if p.Window > 0 {
		parts = append(parts, fmt.Sprintf("all forgotten after %v", p.Window))
	}
	if p.Latch {
		parts = append(parts, "none forgotten at the cap")
	}
	return strings.Join(parts, "; ")
}

// ASVS 6.1.1: what is documented of guessing is how it is paced.
func TestASVS6_1_1_TheDocumentedPacesAreTheDefaults(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for name, pace := range auth.Paces() {
		want[name] = inWords(pace)
	}
	assert.Equal(t, documentedLimits(t, "Guesses at one account"), want)
}

func TestASVS6_1_1_TheDocumentedMailBudgetIsTheDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to := assert.Must(auth.ParseAddress(adaEmail))(t)
	want := map[string]string{}
	for _, a := range assert.Must(w.MailAllowances(t.Context(), to, client()))(t) {
		want[strings.Replace(a.Scope, auth.MailVerifyEmail, "kind", 1)] = fmt.Sprintf("%d in %v", a.Limit, a.Window)
	}
	assert.Equal(t, documentedLimits(t, "Mails to one address"), want)
}

// ASVS 16.3.1: a sign-in and a failed one each have one event, a guess that was not
// checked has none, and a sign-in whose event cannot be written does not happen.
func TestASVS16_3_1_EachOutcomeOfASignInHasOneEvent(t *testing.T) {
	t.Parallel()
	var heard []string
	var refuse error
	w := newWorld(t, func(cfg *auth.Config) {
		cfg.Hooks.SignedIn = func(_ context.Context, e auth.SignedIn) error {
			heard = append(heard, "in "+e.UserID+" from "+e.Client.IP.String())
			return refuse
		}
		cfg.Hooks.SignInFailed = func(_ context.Context, e auth.SignInFailed) error {
			heard = append(heard, "failed "+e.UserID+" by "+e.Factor+" from "+e.Client.IP.String())
			return nil
		}
	})
	user := w.ada(t)
	heard = nil
	for range 7 {
		_, err := w.signIn(t, "not this one")
		assert.Error(t, err)
	}
	failed := "failed " + user.ID + " by password from 192.0.2.1"
	assert.Equal(t, heard, []string{failed, failed, failed, failed, failed})
	w.clock.Advance(auth.Paces()["own password when signed in"].MaxWait)
	heard = nil
	assert.NoError(t, func() error { _, err := w.signIn(t, adaPassword); return err }())
	assert.Equal(t, heard, []string{"in " + user.ID + " from 192.0.2.1"})
	refuse = errors.New("the log is full")
	w.clock.Advance(auth.Paces()["own password when signed in"].MaxWait)
	_, err := w.signIn(t, adaPassword)
	assert.ErrorIs(t, err, refuse)
}
