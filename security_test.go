package tenon_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/ratelimit"
)

// documentedLimits reads the first two columns of the table under a heading of
// docs/security.md.
func documentedLimits(t *testing.T, heading string) map[string]string {
	t.Helper()
	_, rest, found := strings.Cut(string(assert.Must(os.ReadFile("docs/security.md"))(t)), "### "+heading+"\n")
	assert.True(t, found, "the heading is there")
	section, _, _ := strings.Cut(rest, "\n#")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(section, -1) {
		rows[m[1]] = m[2]
	}
	return rows
}

// inWords writes a rule as the document does.
func inWords(rule ratelimit.Rule) string {
	var parts []string
	for _, l := range rule {
		parts = append(parts, fmt.Sprintf("%d in %v", l.Quota, l.Window))
	}
	return strings.Join(parts, ", ")
}

// ASVS 6.1.1: what is documented of the limits is what they are.
func TestASVS6_1_1_TheDocumentedRatesAreTheDefaults(t *testing.T) {
	t.Parallel()
	want := map[string]string{"known device": inWords(tenon.DeviceRule())}
	for class, rule := range tenon.DefaultRateLimits() {
		want[class] = inWords(rule)
	}
	assert.Equal(t, documentedLimits(t, "Requests of one client"), want)
}

// CVE-2025-61928: whose account it is was read from the body. Here a body that
// names somebody does not make up for a session that is not there.
func TestCVE_2025_61928_IdentityComesFromTheSessionAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		id := w.signedIn(t, email).idOf()
		before, walked := bundbtest.Dump(t, w.db), 0
		public := w.LimitClasses()
		for _, o := range w.operations(t) {
			b := w.browser(t)
			r := b.request(o.method, o.path+"?userId="+id, "application/json", strings.NewReader(`{"userId":"`+id+`","user":{"id":"`+id+`"}}`))
			got := b.do(r)
			_, open := public[o.method+" "+o.path]
			if !open && got.StatusCode != http.StatusUnauthorized || strings.Contains(got.body, email) {
				t.Errorf("%s %s: %d %s", o.method, o.path, got.StatusCode, got.body)
			}
			if !open {
				walked++
			}
		}
		assert.True(t, walked > 20, "the table was walked")
		assert.True(t, bytes.Equal(before, bundbtest.Dump(t, w.db)), "nothing was changed")
	}, everything)
}

// ASVS 14.2.1: what opens a session is a cookie or a header, never a part of a URL.
func TestASVS14_2_1_NoCredentialWorksInAURL(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, p := w.signedIn(t, email), w.signedInProgram(t, email)
		for _, raw := range []string{b.cookie("session"), p.access, p.refresh} {
			for _, name := range []string{"token", "access_token", "session", "sessionToken", "tenon_dev_session", "Authorization", "authorization"} {
				for _, value := range []string{raw, "Bearer%20" + raw} {
					stranger := w.browser(t)
					assert.NotContains(t, stranger.get("/get-session?"+name+"="+value).body, email)
					assert.Equal(t, stranger.get("/list-sessions?"+name+"="+value).StatusCode, http.StatusUnauthorized)
				}
			}
		}
		answer := b.signIn(email)
		assert.NotContains(t, answer.Header.Get("Location")+answer.body, b.cookie("session"))
	})
}

// ASVS 6.2.10: passwords do not expire.
func TestASVS6_2_10_PasswordsDoNotExpire(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		bundbtest.ClockOf(w.db).Advance(10 * 365 * 24 * time.Hour)
		assert.NoError(t, w.Maintain(t.Context()))
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
	})
}

// ASVS 16.4.1: nothing that strangers send is in the log, so it can forge none of it.
func TestASVS16_4_1_NothingSentIsInTheLog(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		const forged = "\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\n"
		b := w.browser(t)
		for _, o := range w.operations(t) {
			r := b.request(o.method, o.path, "application/json", strings.NewReader(`{"email":"forged@example.com"}`))
			r.Header["User-Agent"], r.Header["X-Request-Id"] = []string{forged}, []string{forged}
			r.Header.Set("Cookie", "tenon_dev_session=forged")
			bundbtest.FaultsOf(w.DB).FailAt(1) // a failure has a record
			b.do(r)
			bundbtest.FaultsOf(w.DB).Disarm()
		}
		assert.Contains(t, w.logs.String(), `"route"`)
		assert.NotContains(t, w.logs.String(), "forged")
	}, everything)
}
