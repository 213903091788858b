package tenon_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// Nothing of a sign-in by a provider, and nothing that trusts a browser, is in the trail:
// no state, no code, no token, no cookie.
func TestPromise3_NoSecretOfAProviderIsInTheTrail(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		b := w.signedIn(t, email)
		secrets := map[string]string{}
		i.is("1", email)
		page := b.begin("acme", nil)
		back := i.Visit(page)
		for name, values := range back.Query() {
			secrets["callback "+name] = values[0]
		}
		for _, c := range b.client.Jar.Cookies(back) {
			secrets["cookie "+c.Name] = c.Value
		}
		b.comeBack(back)
		assert.True(t, b.isSignedIn(), "by the provider")
		again := i.Visit(b.begin("acme", nil))
		refused := *again
		query := refused.Query()
		query.Set("state", "made-up-by-somebody-else")
		refused.RawQuery = query.Encode()
		b.comeBack(&refused)
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		a := w.enrol(t, b)
		secrets["trust"] = w.trusting(t, a, email).cookie("trust_device")
		secrets["uri"] = a.secret.Reveal()
		var told bytes.Buffer
		assert.NoError(t, json.NewEncoder(&told).Encode(w.trail(t, everywhere())))
		for _, event := range []string{"AccountLinked", "DeviceTrusted"} {
			assert.Contains(t, told.String(), event)
		}
		for name, secret := range secrets {
			if len(secret) < 12 { // a name of the provider, not a secret
				continue
			}
			for form, text := range forms(secret) {
				if bytes.Contains(told.Bytes(), text) {
					t.Errorf("the %s is in the trail %s", name, form)
				}
			}
		}
		assert.True(t, len(secrets) > 4, "there are some")
	})
}

// Where the trail cannot be written nothing happens that it would have to tell.
func TestR30_WithoutItsEntryNothingIsChanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		o := b.active()
		place := w.enlist(t, bob, o, "member")
		other := w.browser(t)
		assert.Equal(t, other.signIn(email).StatusCode, http.StatusOK)
		for path, body := range map[string]map[string]any{
			"/change-password":                       {"currentPassword": password, "newPassword": newPassword},
			"/update-user":                           {"name": "Else"},
			"/organization/create":                   {"name": "O", "slug": "o"},
			"/organization/update":                   {"data": map[string]any{"name": "Else"}},
			"/organization/update-member-role":       {"organizationId": o, "memberId": place, "role": "admin"},
			"/organization/remove-member":            {"organizationId": o, "memberIdOrEmail": place},
			"/organization/invite-member":            {"email": "eve@example.com", "role": "member"},
			"/organization/create-role":              {"role": "reader", "permission": map[string]any{"ac": []string{"read"}}},
			"/organization/create-team":              {"name": "T"},
			"/organization/transfer-ownership":       {"organizationId": o, "userId": bob.idOf()},
			"/organization/set-second-factor-policy": {"organizationId": o, "required": true},
			"/organization/delete":                   {"organizationId": o},
			"/sign-out":                              {},
			"/revoke-other-sessions":                 {},
			"/sign-in/email":                         credentials(email, password),
		} {
			before := w.rowsWithout(t, "tenon_guesses") // which is charged apart
			bundbtest.FaultsOf(w.DB).FailOn("tenon_audit_entries")
			got := b.post(path, body)
			bundbtest.FaultsOf(w.DB).Disarm()
			if got.StatusCode < http.StatusInternalServerError || w.rowsWithout(t, "tenon_guesses") != before {
				t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
			}
		}
	})
}

// A user agent of any length and with any bytes is kept as one line of bounded text, and
// comes out of lists and exports as it was kept: a line stays a line.
func TestAHostileUserAgentStaysInItsLine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		r := b.request(http.MethodPost, "/sign-in/email", "application/json", strings.NewReader(`{"email":"`+email+`","password":"`+password+`"}`))
		r.Header["User-Agent"] = []string{"=HYPERLINK(\"http://evil.example\")\r\n{\"end\":{\"items\":0}}\u2028\x00\xff" + strings.Repeat("\U0001F600", 5000)}
		assert.Equal(t, b.do(r).StatusCode, http.StatusOK)
		lines := strings.Split(strings.TrimSuffix(b.get("/audit/export").body, "\n"), "\n")
		for _, line := range lines {
			assert.True(t, json.Valid([]byte(line)) && len(line) < 4000 && !strings.ContainsAny(line, "\r\x00\u2028"), line)
		}
		assert.Contains(t, strings.Join(lines, ""), "HYPERLINK")
		assert.Equal(t, strings.Count(strings.Join(lines, "\n"), "\n{\"end\":"), 1)
		for _, e := range w.trail(t, audit.Query{Event: "SignedIn"}) {
			assert.True(t, len(e.UserAgent) <= 512, "bounded")
		}
	}, func(c *tenon.Config) { c.Superuser = email })
}

// Filters that no row can match, and texts that a database does not take, are answered,
// not failed at.
func TestOddFiltersOfTheTrailAreAnswered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		for _, query := range []string{
			"actorId=%00", "actorId=%ff", "targetId=%00a&targetType=%00", "event=%27%3B--", "action=%25", "organizationId=%00", "cursor=%00",
			"from=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59.999Z", "from=9999-12-31T23:59:59.999Z&until=0001-01-01T00:00:00Z", "limit=0", "limit=201",
			"limit=-1", "limit=99999999999999999999", "outcome=maybe", "cursor=" + strings.Repeat("A", 2000),
		} {
			for _, path := range []string{"/audit/list", "/audit/export", "/organization/list-audit"} {
				if got := b.get(path + "?" + query); got.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%s?%s: %d %s", path, query, got.StatusCode, got.body)
				}
			}
		}
		assert.Equal(t, b.get("/audit/verify?organizationId=%00").StatusCode < 500, true)
		ids := map[string]any{"ids": []string{"\x00", "\xff", strings.Repeat("x", 5000)}}
		assert.Equal(t, b.post("/notification/mark-read", ids).StatusCode < 500, true)
		for _, before := range []string{"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"} {
			assert.Equal(t, b.post("/notification/mark-all-read", map[string]any{"before": before}).StatusCode, http.StatusOK)
		}
	}, func(c *tenon.Config) { c.Superuser = email })
}

// Whoever deletes their account over HTTP leaves no address behind: neither the one from
// which they did it, nor the one to which they were invited.
func TestADeletionLeavesNothingPersonalBehind(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ada, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		id := bob.idOf()
		_, secret := ada.invites("bob@example.com")
		bob.post(pathAccept, map[string]any{"token": secret}).must(t, http.StatusOK, "")
		ada.invites("other@example.com")
		assert.Equal(t, bob.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		var told bytes.Buffer
		all := w.trail(t, everywhere())
		assert.NoError(t, json.NewEncoder(&told).Encode(all))
		assert.NotContains(t, told.String(), "bob@example.com")
		assert.Contains(t, told.String(), "other@example.com")
		for _, r := range all {
			theirs := r.Actor.UserID == id || r.Target == audit.Target{Type: audit.TargetUser, ID: id}
			if theirs && (r.IP.IsValid() || r.UserAgent != "" || r.After != nil) {
				t.Errorf("%s still knows %v %q %v", r.Event, r.IP, r.UserAgent, r.After)
			}
		}
		assert.NoError(t, w.Drain(t.Context()))
		summary, err := w.Audit.VerifyAll(t.Context(), func(r audit.Report) error {
			assert.Len(t, r.Findings, 0)
			return nil
		})
		assert.NoError(t, err)
		assert.True(t, summary.Valid(), "each erasure is recorded")
	})
}
