package tenon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// trail returns every entry, the oldest first.
func (w *world) trail(t testing.TB, q audit.Query) (all []audit.Record) {
	t.Helper()
	_, err := w.Audit.Export(w.DB.AsSystem(bundbtest.Outside(t.Context())), q, func(r audit.Record) error {
		all = append(all, r)
		return nil
	})
	assert.NoError(t, err)
	return all
}

func everywhere() audit.Query { return audit.Query{All: true} }

// events returns the names of entries, in their order.
func events(all []audit.Record) (names []string) {
	for _, r := range all {
		names = append(names, r.Event)
	}
	return names
}

// Every hook of every package writes one entry, but for those that may veto: these
// write nothing. A new hook fails this test until it has its line in audit.go.
func TestEveryHookHasItsLineInTheTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		for name, hooks := range w.AuditHooks() {
			v := reflect.ValueOf(hooks)
			for i := range v.NumField() {
				field := v.Type().Field(i)
				at := name + "." + field.Name
				switch veto := strings.HasPrefix(field.Name, "Before"); {
				case veto && !v.Field(i).IsNil():
					t.Errorf("%s may veto, and writes before it is known what happens", at)
				case veto:
				case v.Field(i).IsNil():
					t.Errorf("%s has no line", at)
				default:
					before := w.count(t, "tenon_audit_entries")
					out := v.Field(i).Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.New(field.Type.In(1)).Elem()})
					if err, _ := out[0].Interface().(error); err != nil || w.count(t, "tenon_audit_entries") != before+1 {
						t.Errorf("%s writes %d entries: %v", at, w.count(t, "tenon_audit_entries")-before, err)
					}
				}
			}
		}
		for _, r := range w.trail(t, everywhere()) {
			if r.Action == "" || r.Event == "" || r.Target.Type == "" || r.Damaged {
				t.Errorf("%+v says too little", r)
			}
		}
	})
}

// A package that begins to tell something is found here, and then listed in AuditHooks
// or beside the feature that it is.
func TestEveryPackageWithHooksIsInTheTrail(t *testing.T) {
	t.Parallel()
	var found []string
	assert.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "\ntype Hooks struct") {
			found = append(found, filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	}))
	assert.Equal(t, found, []string{"auth", "auth/oauth", "auth/passkey", "session", "tenancy", "tenancy/invitation", "tenancy/team"})
}

func TestTheJourneyIsInTheTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.user(t, email)
		b.post("/sign-in/email", credentials(email, "not this one"))
		b.post("/sign-in/email", credentials("nobody@example.com", "not this one"))
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		id := b.idOf()
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		assert.Equal(t, b.post("/sign-out", map[string]any{}).StatusCode, http.StatusOK)
		all := w.trail(t, audit.Query{})
		assert.Equal(t, strings.Join(events(all), " "), "UserCreated SignUpProven SignInFailed SignInFailed SessionStarted SignedIn"+
			" PasswordChanged OwnerTold SessionElevated SessionRevoked")
		known, unknown := all[2], all[3]
		assert.Equal(t, known.Target, audit.Target{Type: audit.TargetUser, ID: id})
		assert.Equal(t, unknown.Target.ID, "")
		for _, r := range all {
			assert.Equal(t, r.IP.String(), "192.0.2.1")
			assert.Equal(t, r.Outcome == audit.Failure, r.Action == "authn_login_fail")
		}
		assert.Equal(t, all[6].Actor.UserID, id)
		assert.NotEqual(t, all[6].Actor.SessionID, "")
		own := w.text(t, "SELECT id FROM tenon_organizations")
		assert.Equal(t, events(w.trail(t, audit.Query{OrganizationID: own})), []string{"OrganizationCreated", "MemberJoined"})
		assert.NoError(t, w.Drain(t.Context()))
		summary, err := w.Audit.VerifyAll(w.DB.AsSystem(t.Context()), func(r audit.Report) error {
			assert.Equal(t, r.Tail.Count, 0)
			return nil
		})
		assert.NoError(t, err)
		assert.Equal(t, summary, audit.Summary{Chains: 2})
	})
}

// Promise 1 for the trail: an entry commits with its change or not at all.
func TestPromise1_TheTrailTellsOnlyWhatHappened(t *testing.T) {
	t.Parallel()
	refusal := errors.New("the host says no")
	var refuse sync.Map // whom, since both databases run at once
	each(t, func(t *testing.T, w *world) {
		w.user(t, email)
		before := len(w.trail(t, everywhere()))
		attempt, err := w.Auth.ProvePassword(t.Context(), auth.SignInParams{Email: email, Password: password})
		assert.NoError(t, err)
		refuse.Store(attempt.UserID(), true)
		_, err = w.Auth.Complete(t.Context(), attempt)
		assert.ErrorIs(t, err, refusal)
		assert.Len(t, w.trail(t, everywhere()), before)
		err = w.DB.InTx(t.Context(), func(ctx context.Context) error {
			assert.ErrorIs(t, w.Audit.RecordFailure(ctx, audit.Entry{Action: "authz_fail"}), audit.ErrInTransaction)
			assert.NoError(t, w.Audit.Record(ctx, audit.Entry{Action: "sensitive_update"}))
			return refusal
		})
		assert.ErrorIs(t, err, refusal)
		assert.NoError(t, w.Audit.RecordFailure(t.Context(), audit.Entry{Action: "authz_fail"}))
		all := w.trail(t, everywhere())
		assert.Len(t, all, before+1)
		assert.Equal(t, all[before].Outcome, audit.Failure)
		refuse.Delete(attempt.UserID())
		bundbtest.RequireAtomic(t, w.DB, func(ctx context.Context) error {
			_, err := w.Auth.Complete(ctx, attempt)
			return err
		})
	}, func(c *tenon.Config) {
		c.AuthHooks.SignedIn = func(_ context.Context, e auth.SignedIn) error {
			if _, no := refuse.Load(e.UserID); no {
				return refusal
			}
			return nil
		}
	})
}

// Promise 3 for the trail: what it seals is readable to whoever reads it, and there is
// no secret in it.
func TestPromise3_NoSecretIsInTheTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, key := w.signedIn(t, email), passkeytest.New(base)
		p := w.signedInProgram(t, email)
		secrets := map[string]string{"refresh token": p.refresh, "access token": p.access, "wrong password": "not this one"}
		for name, raw := range w.mailedSecrets(t, b) {
			secrets["link "+name] = raw
		}
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, b.addPasskey(key).StatusCode, http.StatusOK)
		bundbtest.ClockOf(w.db).Advance(time.Hour)
		other := w.browser(t)
		secrets["code"] = w.mailedCode(t, other, email, "sign-in")
		assert.Equal(t, other.useCode(email, secrets["code"]).StatusCode, http.StatusOK)
		assert.Equal(t, b.signInByPasskey(key).StatusCode, http.StatusOK)
		a := w.enrol(t, b)
		secrets["second factor"] = a.secret.Reveal()
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		secrets["new password"] = newPassword
		for _, name := range []string{"session", "browser", "device"} {
			secrets["cookie "+name] = b.cookie(name)
			assert.NotEqual(t, b.cookie(name), "")
		}
		for i, code := range a.codes {
			secrets[fmt.Sprint("recovery code ", i)] = code
		}
		var told bytes.Buffer
		assert.NoError(t, json.NewEncoder(&told).Encode(w.trail(t, everywhere())))
		assert.Contains(t, told.String(), email) // what is sealed was opened
		dump := bundbtest.Dump(t, w.db)
		for name, secret := range secrets {
			secret, _, _ = strings.Cut(secret, "&")
			for form, text := range forms(secret) {
				if bytes.Contains(told.Bytes(), text) && len(text) > 6 || bytes.Contains(dump, text) && len(text) > 6 {
					t.Errorf("the %s is in the trail %s", name, form)
				}
			}
		}
		assert.True(t, len(secrets) > 12, "every kind of secret was made")
		rows := w.text(t, "SELECT count(*) FROM tenon_audit_entries WHERE personal IS NOT NULL")
		assert.NotEqual(t, rows, "0")
	}, withPasskeys)
}

// Addresses, agents and fields are sealed at rest.
func TestPersonalFieldsOfTheTrailAreSealed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		assert.NoError(t, w.Audit.Record(t.Context(), audit.Entry{
			Action: "sensitive_update", UserAgent: "a browser like no other", After: map[string]any{"email": "somebody@example.net"},
		}))
		dump := string(bundbtest.Dump(t, w.db))
		assert.Contains(t, dump, "sensitive_update")
		assert.NotContains(t, dump, "like no other")
		assert.NotContains(t, dump, "somebody@example.net")
	})
}

func TestADeletedUserIsErasedFromTheTrail(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]bool{"by default": false, "unless they are to stay": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, w *world) {
				b, other := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
				id := b.idOf()
				assert.NoError(t, w.Drain(t.Context()))
				assert.NoError(t, w.Auth.DeleteUser(t.Context(), auth.Deletion{UserID: id, ActorID: id}))
				assert.NoError(t, w.Drain(t.Context()))
				erased := 0
				for _, r := range w.trail(t, everywhere()) {
					if r.Actor.UserID == id || r.Target.ID == id {
						assert.False(t, r.Damaged, "it verifies")
						if r.Erased {
							erased++
						} else if !keep && (r.IP.IsValid() || r.After["email"] != nil) {
							t.Errorf("%s still knows %v %v", r.Event, r.IP, r.After)
						}
					} else {
						assert.False(t, r.Erased, "others stay")
					}
				}
				assert.Equal(t, erased > 4, !keep)
				summary, err := w.Audit.VerifyAll(w.DB.AsSystem(t.Context()), func(audit.Report) error { return nil })
				assert.NoError(t, err)
				assert.True(t, summary.Valid(), "the chains are whole")
				assert.True(t, other.isSignedIn(), "nobody else is concerned")
			}, func(c *tenon.Config) { c.Audit = &tenon.AuditConfig{KeepPersonal: keep} })
		})
	}
}

// Who asks for a change that they may not make is recorded; who reads is not, since no
// GET writes; and nobody fills the trail that way.
func TestRefusalsAreInTheTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		refused := audit.Query{All: true, Event: "Refused"}
		assert.Equal(t, b.get("/admin/list-users").StatusCode, http.StatusForbidden)
		assert.Equal(t, w.browser(t).post("/admin/ban-user", map[string]any{"userId": "x"}).StatusCode, http.StatusUnauthorized)
		assert.Len(t, w.trail(t, refused), 0)
		assert.Equal(t, b.post("/admin/ban-user", map[string]any{"userId": "x"}).StatusCode, http.StatusForbidden)
		all := w.trail(t, refused)
		assert.Len(t, all, 1)
		r := all[0]
		assert.Equal(t, r.Action, "authz_fail")
		assert.Equal(t, r.Outcome, audit.Failure)
		assert.Equal(t, r.Target, audit.Target{Type: "route", ID: "POST /admin/ban-user"})
		assert.Equal(t, r.Actor.UserID, b.idOf())
		assert.Equal(t, r.After["code"], any("FORBIDDEN"))
		for range 50 {
			b.post("/admin/ban-user", map[string]any{"userId": "x"})
		}
		n := len(w.trail(t, refused))
		assert.True(t, n > 1 && n <= 20, fmt.Sprint(n, " of 51"))
		w.later()
		r2 := b.request(http.MethodPost, "/admin/ban-user", "application/json", strings.NewReader(`{"userId":"x"}`))
		gone, hangUp := context.WithCancel(r2.Context())
		b.client.Transport = hangingUp{inProcess{w: w}, gone, hangUp}
		b.do(r2)
		assert.Len(t, w.trail(t, refused), n+1)
	})
}

// hangingUp is a client that is gone as soon as the answer begins.
type hangingUp struct {
	inProcess
	gone   context.Context //nolint:containedctx // the client's
	hangUp context.CancelFunc
}

func (h hangingUp) RoundTrip(r *http.Request) (*http.Response, error) {
	served := httptest.NewRequestWithContext(h.gone, r.Method, r.URL.RequestURI(), r.Body)
	served.Header, served.Host, served.RemoteAddr = r.Header.Clone(), r.URL.Host, "192.0.2.1:4711"
	recorder := httptest.NewRecorder()
	h.w.Handler().ServeHTTP(hungUp{recorder, h.hangUp}, served)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

type hungUp struct {
	*httptest.ResponseRecorder
	hangUp context.CancelFunc
}

func (w hungUp) WriteHeader(status int) {
	w.ResponseRecorder.WriteHeader(status)
	w.hangUp()
}

// Whoever is refused in an organization that only the body names is in the trail of that
// one, and not of the one that is active.
func TestARefusalIsInTheTrailOfItsOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		o, own := owner.active(), bob.active()
		w.enlist(t, bob, o, "member")
		refused := func(organizationID string) int {
			return len(w.trail(t, audit.Query{OrganizationID: organizationID, Event: "Refused"}))
		}
		changes := map[string]map[string]any{
			"update": {"organizationId": o, "data": map[string]any{"name": "Mine"}}, "delete": {"organizationId": o},
			"invite-member": {"organizationId": o, "email": "eve@example.com", "role": "member"}, "set-second-factor-policy": {"organizationId": o, "required": true},
			"create-team": {"organizationId": o, "name": "T"},
		}
		for path, body := range changes {
			before := refused(o)
			got := bob.post("/organization/"+path, body)
			if got.StatusCode != http.StatusForbidden || refused(o) != before+1 {
				t.Errorf("%s: %d %s, %d entries", path, got.StatusCode, got.body, refused(o)-before)
			}
		}
		assert.Equal(t, refused(own), 0)
		eve := w.signedIn(t, "eve@example.com")
		eve.post("/organization/update", changes["update"])
		assert.Equal(t, refused(o), len(changes)) // no stranger writes into it
	})
}

// Refusals by a host's route are there, too, and reading is not.
func TestRefusalsByAHostsRoutesAreInTheTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, bob := w.signedIn(t, email), w.signedIn(t, "bob@example.com")
		o := owner.active()
		w.enlist(t, bob, o, "member")
		mux := http.NewServeMux()
		mux.Handle("/app/invoices/{id}", w.RequirePermission("invoices", "write")(http.HandlerFunc(whereAmI)))
		assert.Equal(t, bob.call(mux, "/app/invoices/7?organizationId="+o, nil).code(t), "YOU_ARE_NOT_ALLOWED")
		refused := audit.Query{OrganizationID: o, Event: "Refused"}
		assert.Len(t, w.trail(t, refused), 0)
		for method, who := range map[string]*browser{http.MethodPut: owner, http.MethodPost: bob, strings.Repeat("X", 999): bob} {
			r := httptest.NewRequestWithContext(t.Context(), method, base+"/app/invoices/7?organizationId="+o, http.NoBody)
			r.Header.Set("Cookie", "tenon_dev_session="+who.cookie("session"))
			mux.ServeHTTP(httptest.NewRecorder(), r)
		}
		all := w.trail(t, refused)
		assert.Len(t, all, 2)
		targets := map[string]bool{}
		for _, r := range all {
			assert.Equal(t, r.Actor.UserID, bob.idOf())
			assert.Equal(t, r.After["permission"], any("invoices:write"))
			targets[r.Target.ID] = true
		}
		assert.Equal(t, targets, map[string]bool{"POST /app/invoices/{id}": true, "/app/invoices/{id}": true})
	}, withInvoices)
}

func TestTheTrailHasItsReaders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, member, stranger := w.signedIn(t, email), w.signedIn(t, "bob@example.com"), w.signedIn(t, "eve@example.com")
		o := w.text(t, "SELECT id FROM tenon_organizations WHERE owner_id = ?", owner.idOf())
		w.join(t, owner.idOf(), member.idOf(), "member")
		for _, path := range []string{"/audit/list", "/audit/verify", "/audit/export", "/organization/list-audit"} {
			own := owner.get(path)
			assert.Equal(t, own.StatusCode, http.StatusOK)
			assert.Contains(t, own.body, o)
			assert.Equal(t, owner.get(path+"?organizationId="+o).StatusCode, http.StatusOK)
			assert.Equal(t, w.browser(t).get(path).StatusCode, http.StatusUnauthorized)
			assert.Equal(t, member.get(path+"?organizationId="+o).StatusCode, http.StatusForbidden)
			unknown, neighbour := stranger.get(path+"?organizationId=no-such-id"), stranger.get(path+"?organizationId="+o)
			assert.Equal(t, neighbour.StatusCode, http.StatusNotFound)
			assert.Equal(t, shape(neighbour, ""), shape(unknown, ""))
			assert.NotContains(t, stranger.get(path).body, o)
		}
		page := owner.get("/audit/list?limit=1&event=MemberJoined").decode(t)
		items, _ := page["items"].([]any)
		assert.Len(t, items, 1)
		assert.NotContains(t, owner.get("/audit/list").body, "SignedIn") // sign-ins are nobody's organization's
	})
}

func TestSuperusersReadEverybodysTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		w.signedIn(t, "bob@example.com")
		o := w.text(t, "SELECT id FROM tenon_organizations WHERE owner_id <> ?", b.idOf())
		all := b.get("/audit/list?limit=200")
		assert.Equal(t, all.StatusCode, http.StatusOK)
		assert.Contains(t, all.body, o)
		assert.Contains(t, all.body, "SignedIn")
		assert.Contains(t, b.get("/audit/list?organizationId="+o).body, "OrganizationCreated")
		assert.NoError(t, w.Drain(t.Context()))
		verified := b.get("/audit/verify?limit=2").decode(t)
		assert.Equal(t, verified["valid"], any(true))
		next, _ := verified["nextCursor"].(string)
		assert.NotEqual(t, next, "")
		rest := b.get("/audit/verify?limit=2&cursor=" + next).decode(t)
		items, _ := rest["items"].([]any)
		assert.Len(t, items, 1)
		assert.Equal(t, b.get("/audit/list?cursor="+next).code(t), "INVALID_CURSOR")
		lines := strings.Split(strings.TrimSpace(b.get("/audit/export").body), "\n")
		assert.Equal(t, lines[len(lines)-1], fmt.Sprintf(`{"end":{"items":%d}}`, len(lines)-1))
		assert.Len(t, w.trail(t, everywhere()), len(lines)-1)
		bundbtest.ClockOf(w.db).Advance(2 * time.Hour)
		assert.Equal(t, b.get("/audit/list").code(t), "SESSION_NOT_FRESH")
	}, func(c *tenon.Config) { c.Superuser = email })
}

func TestATrailThatIsOffHasNoRoutes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, b.get("/audit/list").StatusCode, http.StatusNotFound)
		assert.Equal(t, w.count(t, "tenon_audit_entries"), 0)
		assert.NoError(t, w.Maintain(t.Context()))
		assert.NoError(t, w.Auth.DeleteUser(t.Context(), auth.Deletion{UserID: b.idOf()}))
	}, func(c *tenon.Config) { c.Audit = &tenon.AuditConfig{Off: true} })
}

func TestMaintainPrunesTheTrail(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.signedIn(t, email)
		assert.NoError(t, w.Drain(t.Context()))
		assert.NoError(t, w.Maintain(t.Context()))
		assert.NotEqual(t, w.count(t, "tenon_audit_entries"), 0)
		bundbtest.ClockOf(w.db).Advance(31 * 24 * time.Hour)
		assert.NoError(t, w.Maintain(t.Context()))
		assert.Equal(t, w.count(t, "tenon_audit_entries"), 0)
		w.signedIn(t, "bob@example.com")
		assert.NoError(t, w.Drain(t.Context()))
		summary, err := w.Audit.VerifyAll(w.DB.AsSystem(t.Context()), func(audit.Report) error { return nil })
		assert.NoError(t, err)
		assert.True(t, summary.Valid(), "it goes on from the checkpoint")
	}, func(c *tenon.Config) { c.Audit = &tenon.AuditConfig{Retention: 30 * 24 * time.Hour} })
}
