package tenon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// CVE-2025-6014, -6015 (Vault): a used code worked again with a space around it, and
// each spelling of a code had a limit of its own.
func TestCVE_2025_6014_ASpellingIsNoOtherCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.browser(t)
		code := w.mailedCode(t, b, email, "sign-in")
		assert.Equal(t, b.useCode(email, code).StatusCode, http.StatusOK)
		for _, spelling := range []string{code, " " + code, code + "\n", "\t" + code + " ", "0" + code, code + "\u200b"} {
			got := b.useCode(email, spelling).code(t)
			assert.True(t, got == "INVALID_OTP" || got == "VALIDATION_ERROR", got)
		}
		b = w.browser(t)
		code = otherCode(w.mailedCode(t, b, email, "sign-in"))
		for _, spelling := range []string{code, " " + code, code + " ", "  " + code, " " + code + " "} {
			assert.Equal(t, b.useCode(strings.ToUpper(email), spelling).code(t), "INVALID_OTP")
		}
		message, _ := w.mailbox.Last(email)
		assert.Equal(t, b.useCode(email, message.Code).code(t), "INVALID_OTP") // five tries, however spelled
	})
}

// CVE-2026-9798 (Keycloak): one of the ways to guess was not limited. All routes that
// ask for the own password share one counter.
func TestCVE_2026_9798_EveryWayToGuessHasOneLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		sessions := []*browser{b, b.second(), b.second()}
		wrong := map[string]map[string]any{
			"/verify-password": {"password": "not this one"}, "/step-up": {"password": "not this one"},
			"/delete-user":     {"password": "not this one"},
			"/change-password": {"currentPassword": "not this one", "newPassword": newPassword},
		}
		checked, i := 0, 0
		for range 3 {
			for path, body := range wrong {
				got := sessions[i%len(sessions)].post(path, body)
				if got.code(t) == "INVALID_PASSWORD" {
					checked++
				} else {
					assert.Equal(t, got.code(t), "TOO_MANY_ATTEMPTS")
				}
				i++
			}
		}
		assert.Equal(t, checked, 5)
		for path, body := range wrong {
			right := map[string]any{}
			for name, value := range body {
				right[name] = value
				if value == "not this one" {
					right[name] = password
				}
			}
			assert.Equal(t, sessions[2].post(path, right).code(t), "TOO_MANY_ATTEMPTS")
		}
	})
}

// CVE-2026-55987 (Gitea): another way in made a disabled account live again. No proof
// of the mailbox lifts a ban.
func TestCVE_2026_55987_NoProofLiftsABan(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		w.ban(t, "ada@example.com")
		b := w.browser(t)
		assert.Equal(t, b.reset(w.newResetLink(t, email), newPassword).StatusCode, http.StatusOK)
		b.post("/email-otp/verify-email", map[string]any{"email": email, "otp": w.mailedCode(t, b, email, "email-verification")})
		b.useLink(w.magicLink(t, b, email))
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		b.useCode(email, w.mailedCode(t, b, email, "sign-in"))
		b.signUp(email)
		assert.Equal(t, b.signInWith(email, newPassword).code(t), "INVALID_EMAIL_OR_PASSWORD")
		assert.Equal(t, w.count(t, "tenon_users WHERE banned_at IS NOT NULL"), 1)
		assert.Equal(t, w.count(t, "tenon_sessions"), 0)
		assert.Equal(t, w.count(t, "tenon_users"), 1)
	})
}

// CVE-2026-55670 (ZITADEL): what was left of a deleted user opened the account of the
// next one. Here the address is free again, and nothing else of it.
func TestCVE_2026_55670_NothingOfADeletedUserIsTheNextOnes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		other, p := b.second(), w.signedInProgram(t, email)
		device, first := b.cookie("device"), b.idOf()
		link, reset := w.magicLink(t, other, email), w.newResetLink(t, email)
		code := w.mailedCode(t, other, email, "sign-in")
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/delete-user", map[string]any{"password": password}).StatusCode, http.StatusOK)
		bundbtest.ClockOf(w.db).Advance(2 * time.Minute)
		next := w.signedIn(t, email)
		assert.NotEqual(t, next.idOf(), first)
		before := w.count(t, "tenon_sessions")
		assert.False(t, other.isSignedIn(), "nor a session")
		assert.Equal(t, p.exchange().StatusCode, http.StatusUnauthorized)
		assert.Equal(t, p.call(http.MethodGet, "/list-sessions", nil).StatusCode, http.StatusUnauthorized)
		assert.Equal(t, other.useLink(link).code(t), "INVALID_TOKEN")
		assert.Equal(t, other.useCode(email, code).code(t), "INVALID_OTP")
		assert.Equal(t, other.reset(reset, newPassword).code(t), "INVALID_TOKEN")
		assert.Equal(t, w.count(t, "tenon_sessions"), before)
		_, err := w.Auth.KnownDevice(t.Context(), device)
		assert.ErrorIs(t, err, auth.ErrDeviceNotFound)
		assert.Equal(t, next.get("/user/get?userId="+first).StatusCode, http.StatusNotFound)
	})
}

// GHSA-xg6x-h9c9-2m83 and GHSA-4qvm-r4pr-v3wg (better-auth, its convex adapter): a
// cookie, a cache entry or a token was there before the last factor was asked for.
// Until the door has opened there is none: here the host's veto keeps it shut.
func TestGHSA_xg6x_h9c9_2m83_NothingIsThereBeforeTheDoorOpened(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		var shut atomic.Bool
		w := newWorld(t, db, func(c *tenon.Config) {
			c.SessionCache = new(sessioncache.Config)
			c.AuthHooks.BeforeSession = func(context.Context, auth.BeforeSession) error {
				if shut.Load() {
					return auth.ErrInvalidName
				}
				return nil
			}
		})
		w.user(t, email)
		b, p := w.browser(t), &program{browser: w.browser(t)}
		link, code := w.magicLink(t, b, email), w.mailedCode(t, b, email, "sign-in")
		shut.Store(true)
		answers := []answer{
			b.signIn(email), b.useLink(link), b.useCode(email, code),
			p.send(http.MethodPost, "/sign-in/email", credentials(email, password), http.Header{"X-Token-Mode": {"bearer"}}),
		}
		for _, got := range answers {
			assert.Equal(t, got.code(t), "INVALID_NAME")
			assert.NotContains(t, got.body, "Token")
			assert.NotContains(t, strings.Join(got.Header.Values("Set-Cookie"), ""), "session")
		}
		assert.Equal(t, b.cookie("session")+b.cookie("device"), "")
		for _, table := range []string{"tenon_sessions", "tenon_devices"} {
			assert.Equal(t, w.count(t, table), 0)
		}
		_, err := w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password})
		assert.NoError(t, err)
		assert.Equal(t, w.count(t, "tenon_sessions"), 0) // a proof is no session
	})
}

// CVE-2026-82466 (Rodauth): who came in was the session's user, not the credential's.
func TestCVE_2026_82466_TheCredentialSaysWhoComesIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		w.user(t, "bob@example.com")
		enter := map[string]func() answer{
			"link":     func() answer { return b.useLink(w.magicLink(t, b, "bob@example.com")) },
			"code":     func() answer { return b.useCode("bob@example.com", w.mailedCode(t, b, "bob@example.com", "sign-in")) },
			"password": func() answer { return b.signIn("bob@example.com") },
		}
		for name, as := range enter {
			assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
			got := as()
			if got.user(t)["email"] != any("bob@example.com") || !strings.Contains(b.get("/get-session").body, "bob@example.com") {
				t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
			}
		}
		// Nor is anybody's password set but the link's own user's.
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.reset(w.newResetLink(t, "bob@example.com"), newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, w.browser(t).signInWith("bob@example.com", newPassword).StatusCode, http.StatusOK)
	})
}

// CVE-2026-33503 (Kratos), -33504 (Hydra): what pages through a list reached the SQL.
// Here columns, orders and operators are a closed set, and values are parameters.
func TestCVE_2026_33503_ListsTakeNoSQL(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		root := w.signedIn(t, rootEmail)
		w.user(t, email)
		for _, field := range []string{"sortBy", "sortDirection", "searchField", "searchOperator", "filterField", "filterOperator", "limit", "offset"} {
			for _, value := range []string{"password", "email;--", "u.email) --", "1; DROP TABLE tenon_users", "(SELECT 1)", "-1", "1e9", "0x10"} {
				got := root.get("/admin/list-users?searchValue=a&filterValue=a&" + field + "=" + url.QueryEscape(value))
				assert.Equal(t, got.StatusCode, http.StatusUnprocessableEntity)
			}
		}
		for _, value := range []string{"' OR '1'='1", `" OR ""="`, "%", "_", "a' --", "\\", "!", "%' ESCAPE '!"} {
			got := root.get("/admin/list-users?searchValue=" + url.QueryEscape(value))
			assert.Equal(t, got.decode(t)["total"], any(float64(0)))
		}
	}, withRoot)
}

// ASVS 8.2.2 and CVE-2025-71400 (better-auth): every route gets every id of another
// user in every field, and does what it does for ids that nobody has.
func TestASVS8_2_2_EveryRouteWithTheIDsOfOthers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		bob, p := w.signedIn(t, "bob@example.com"), w.signedInProgram(t, "bob@example.com")
		ids := []string{bob.idOf(), w.text(t, "SELECT MIN(id) FROM tenon_sessions"), w.text(t, "SELECT id FROM tenon_organizations WHERE owner_id = ?", bob.idOf())}
		const nobody = "01a20000-0000-7000-8000-000000000000"
		before, walked := w.protected(t), 0
		for _, route := range w.fields(t) {
			for _, id := range ids {
				theirs, unknown := w.asAda(t, route, id), w.asAda(t, route, nobody)
				got, want := challenge.ReplaceAllString(shape(theirs, id), "X"), challenge.ReplaceAllString(shape(unknown, nobody), "X")
				if got != want {
					t.Errorf("%s %s with %s:\n%.400s\nand with nobody's\n%.400s", route.method, route.path, id, got, want)
				}
				assert.NotContains(t, theirs.body, "bob@example.com")
				walked++
			}
		}
		assert.True(t, walked > 150, fmt.Sprint("the table was walked: ", walked))
		after := w.protected(t)
		for _, row := range before {
			theirs := strings.HasPrefix(row, bob.idOf()) || strings.HasPrefix(row, ids[1])
			assert.True(t, !theirs || slices.Contains(after, row), "it was changed: "+row)
		}
		assert.True(t, bob.isSignedIn(), "he notices nothing")
		assert.Equal(t, p.exchange().StatusCode, http.StatusOK)
	}, everything)
}

// challenge is what a passkey signs, new each time.
var challenge = regexp.MustCompile(`"challenge":"[^"]*"`)

// asAda sends id to a route in a new session of hers, which is the only one, with
// nothing counted against her.
func (w *world) asAda(t *testing.T, route described, id string) answer {
	t.Helper()
	for _, statement := range []string{
		"DELETE FROM tenon_sessions WHERE user_id IN (SELECT id FROM tenon_users WHERE email = 'ada@example.com')",
		"DELETE FROM tenon_guesses", "DELETE FROM tenon_mail_budgets", "DELETE FROM tenon_sign_ups",
	} {
		_, err := w.db.Statement(statement).Exec(t.Context())
		assert.NoError(t, err)
	}
	ada := w.browser(t)
	assert.Equal(t, ada.signIn(email).StatusCode, http.StatusOK)
	return ada.send(route, id)
}

// text reads one value.
func (w *world) text(t *testing.T, query string, args ...any) (value string) {
	t.Helper()
	assert.NoError(t, w.db.Statement(query).QueryRow(t.Context(), args...).Scan(&value))
	return value
}

// described is a route with the names of what it takes.
type described struct {
	operation
	query, body []string
}

// fields returns all routes as the document describes them.
func (w *world) fields(t *testing.T) (all []described) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody struct {
				Content map[string]struct{ Schema json.RawMessage }
			}
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	assert.NoError(t, json.Unmarshal([]byte(w.browser(t).get("/openapi.json").body), &document))
	for path, methods := range document.Paths {
		for method, route := range methods {
			d := described{operation: operation{strings.ToUpper(method), path}}
			for _, parameter := range route.Parameters {
				if parameter.In == "query" {
					d.query = append(d.query, parameter.Name)
				}
			}
			for _, content := range route.RequestBody.Content {
				d.body = append(d.body, properties(t, content.Schema, document.Components.Schemas)...)
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b described) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// properties are the names of a schema's fields.
func properties(t *testing.T, raw json.RawMessage, named map[string]json.RawMessage) (names []string) {
	t.Helper()
	var schema struct {
		Ref        string `json:"$ref"`
		Properties map[string]json.RawMessage
	}
	assert.NoError(t, json.Unmarshal(raw, &schema))
	if schema.Ref != "" {
		return properties(t, named[schema.Ref[strings.LastIndexByte(schema.Ref, '/')+1:]], named)
	}
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// send sends id in every field of a route that could hold one.
func (b *browser) send(d described, id string) answer {
	b.t.Helper()
	query, body := url.Values{}, map[string]any{}
	for _, name := range d.query {
		query.Set(name, id)
	}
	for _, name := range d.body {
		switch name {
		case "email", "newEmail":
			body[name] = "someone@example.com"
		case "type":
			body[name] = "sign-in"
		case "rememberMe", "confirm", "revokeOtherSessions", "callbackURL", "data", "role", "banExpiresIn", "image":
		default:
			body[name] = id
		}
	}
	path := d.path + "?" + query.Encode()
	if d.method == http.MethodGet {
		return b.get(path)
	}
	return b.post(path, body)
}
