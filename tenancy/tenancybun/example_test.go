package tenancybun_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
)

// What docs/organizations.md shows, so that it compiles and does what it says.

func documented(cfg *tenon.Config) {
	admin := tenancy.Statements() // what the built-in admin may do …
	admin["organization"] = []string{"update"}
	admin["invoices"] = []string{"read", "write"} // … and ours
	cfg.Organizations = tenancy.Config{
		Statements: tenancy.Permissions{"invoices": {"read", "write"}},
		Roles: map[string]tenancy.Permissions{
			tenancy.RoleAdmin:  admin,
			tenancy.RoleMember: {"ac": {"read"}, "invoices": {"read"}},
			"billing":          {"invoices": {"read", "write"}},
		},
		Deletion: tenancy.DeleteAlone,
	}
	cfg.OwnerPolicy = tenancy.TransferToAdmin
	cfg.Invitations = tenon.InvitationPolicy{Life: 7 * 24 * time.Hour, SkipDefaultOrganization: true}
	cfg.Teams = tenon.TeamPolicy{MaxTeams: 20, MaxMembers: 50}
}

func routes(app *tenon.App, mux *http.ServeMux, list, dashboard http.Handler) {
	mux.Handle("GET /invoices", app.RequirePermission("invoices", "read")(list))
	mux.Handle("GET /organizations/{organizationId}/invoices", app.RequirePermission("invoices", "read")(list))
	mux.Handle("GET /dashboard", app.RequireOrganization(dashboard))
}

func handler(w http.ResponseWriter, r *http.Request) {
	me, _ := principal.FromContext(r.Context())
	fmt.Fprintln(w, me.OrganizationID, me.Role, me.Can("invoices", "write"))
}

func createInvoice(ctx context.Context, app *tenon.App, me *principal.Principal, id string) error {
	return app.DB.InTx(ctx, func(ctx context.Context) error {
		// Held until the commit: a demotion that committed first wins, a later one waits.
		o, _, err := app.Organizations.Authorize(ctx, me, me.OrganizationID, "invoices", "write")
		if err != nil {
			return err
		}
		_, err = app.DB.Statement("INSERT INTO invoices (id, organization_id) VALUES (?, ?)").Exec(ctx, id, o.ID)
		return err
	})
}

func inYourOwn(ctx context.Context, app *tenon.App, me *principal.Principal, tx *sql.Tx) error {
	ctx, committed := app.DB.WithSQLTx(ctx, tx) // a transaction that you began yourself
	if _, _, err := app.Organizations.Authorize(ctx, me, me.OrganizationID, "invoices", "write"); err != nil {
		return err // and roll back
	}
	// … your own rows …
	if err := tx.Commit(); err != nil {
		return err
	}
	committed() // wakes who waits for the commit
	return nil
}

func seats(cfg *tenon.Config, db *bundb.DB, errNoSeat error) {
	take := db.Statement(`INSERT INTO seats (organization_id, used) VALUES (?, 1)
		ON CONFLICT (organization_id) DO UPDATE SET used = seats.used + 1 WHERE seats.used < 3`)
	give := db.Statement("UPDATE seats SET used = used - 1 WHERE organization_id = ?")
	forget := db.Statement("DELETE FROM seats WHERE organization_id = ?")
	cfg.TenancyHooks = tenancy.Hooks{
		BeforeMemberJoined: func(ctx context.Context, e tenancy.MemberJoined) error {
			taken, err := take.Exec(ctx, e.Organization.ID)
			if err != nil {
				return err
			}
			if n, err := taken.RowsAffected(); err != nil || n == 1 {
				return err
			}
			return errNoSeat // nobody joins, and the invitation stays open
		},
		MemberLeft: func(ctx context.Context, e tenancy.MemberLeft) error {
			_, err := give.Exec(ctx, e.Member.OrganizationID)
			return err
		},
		OrganizationDeleted: func(ctx context.Context, e tenancy.OrganizationDeleted) error {
			_, err := forget.Exec(ctx, e.Organization.ID)
			return err
		},
	}
}

func TestTheDocumentedProgramWorks(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		errNoSeat := problem.New(problem.QuotaExceeded, "NO_SEAT", "The plan has no seat left.")
		kms := assert.Must(tenon.DevelopmentKMS(t.Context(), db, t.TempDir()+"/tenon.keys"))(t)
		cfg := tenon.Config{DB: db, KMS: kms, Mailer: new(mailtest.Mailbox), BaseURL: "http://localhost:8080", Passwords: passwordtest.New(t), Logger: slog.New(slog.DiscardHandler)}
		documented(&cfg)
		seats(&cfg, db, errNoSeat)
		app := assert.Must(tenon.New(cfg))(t)
		assert.Must(app.Migrate(t.Context()))(t)
		for _, table := range []string{"invoices (id text PRIMARY KEY, organization_id text NOT NULL)", "seats (organization_id text PRIMARY KEY, used bigint NOT NULL)"} {
			assert.Must(db.Raw(t.Context()).ExecContext(t.Context(), "CREATE TABLE "+table))(t)
		}
		owner, people := newcomer(t, app, "owner"), map[string]*principal.Principal{}
		for _, name := range []string{"billing", "member", "late"} {
			people[name] = newcomer(t, app, name)
		}
		var o tenancy.Organization
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) (err error) {
			o, err = app.Organizations.CreateDefault(ctx, owner.UserID, "Acme")
			return err
		}))
		for name, role := range map[string]string{"billing": "billing", "member": "member"} {
			assert.NoError(t, accept(t, app, owner, o.ID, people[name], role))
		}
		assert.ErrorIs(t, accept(t, app, owner, o.ID, people["late"], "member"), errNoSeat)
		pending := 0
		assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_invitations WHERE status = 'pending'").QueryRow(t.Context()).Scan(&pending))
		assert.Equal(t, pending, 1)
		assert.NoError(t, createInvoice(t.Context(), app, app.Organizations.Scope(t.Context(), people["billing"], o.ID), "1"))
		assert.ErrorIs(t, createInvoice(t.Context(), app, app.Organizations.Scope(t.Context(), people["member"], o.ID), "2"), principal.ErrNotPermitted)
		assert.ErrorIs(t, createInvoice(t.Context(), app, people["late"], "3"), tenancy.ErrNotFound)
		tx := assert.Must(db.Bun().DB.BeginTx(t.Context(), nil))(t)
		assert.NoError(t, inYourOwn(t.Context(), app, app.Organizations.Scope(t.Context(), people["billing"], o.ID), tx))

		mux := http.NewServeMux()
		routes(app, mux, http.HandlerFunc(handler), http.HandlerFunc(handler))
		for _, path := range []string{"/invoices", "/dashboard", "/organizations/" + o.ID + "/invoices"} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			assert.Equal(t, w.Code, http.StatusUnauthorized)
		}
	})
}

// newcomer is a user with a proven address.
func newcomer(t *testing.T, app *tenon.App, name string) *principal.Principal {
	t.Helper()
	now := app.DB.Now()
	_, err := app.DB.Statement("INSERT INTO tenon_users (id, email, email_display, email_verified, name, image, superuser, security_version, created_at, updated_at) "+
		"VALUES (?, ?, ?, ?, ?, '', ?, 1, ?, ?)").Exec(t.Context(), name, name+"@example.com", name+"@example.com", true, name, false, now, now)
	assert.NoError(t, err)
	return &principal.Principal{UserID: name, Assurance: 1}
}

// accept invites somebody, who accepts.
func accept(t *testing.T, app *tenon.App, owner *principal.Principal, organizationID string, guest *principal.Principal, role string) error {
	t.Helper()
	i := assert.Must(app.Invitations.Invite(t.Context(), invitation.InviteParams{
		Caller: owner, OrganizationID: organizationID, Email: guest.UserID + "@example.com", Roles: []string{role},
	}))(t)
	_, err := app.Invitations.Accept(t.Context(), invitation.AcceptParams{Caller: guest, ID: i.ID})
	return err
}

// TestTheDocumentShowsCodeThatCompiles looks for what the document shows in this file.
func TestTheDocumentShowsCodeThatCompiles(t *testing.T) {
	t.Parallel()
	here := unindented(t, "example_test.go")
	shown := strings.Split(unindented(t, "../../docs/organizations.md"), "```go\n")[1:]
	if len(shown) < 5 {
		t.Errorf("%d blocks", len(shown))
	}
	for _, rest := range shown {
		code, _, _ := strings.Cut(rest, "```")
		for part := range strings.SplitSeq(code, "\n…\n") {
			assert.Contains(t, here, strings.TrimSpace(part))
		}
	}
}

// TestTheDocumentedHooksAreThose compares the list of hooks with the types.
func TestTheDocumentedHooksAreThose(t *testing.T) {
	t.Parallel()
	document := unindented(t, "../../docs/organizations.md")
	for name, hooks := range map[string]any{"TenancyHooks": tenancy.Hooks{}, "InvitationHooks": invitation.Hooks{}, "TeamHooks": team.Hooks{}} {
		_, line, _ := strings.Cut(document, "\n| `"+name+"` | ")
		line, _, _ = strings.Cut(line, " |\n")
		var fields []string
		for field := range reflect.TypeOf(hooks).Fields() {
			fields = append(fields, "`"+field.Name+"`")
		}
		shown := strings.Split(line, ", ")
		slices.Sort(fields)
		slices.Sort(shown)
		assert.Equal(t, strings.Join(shown, ", "), strings.Join(fields, ", "))
	}
}

// unindented returns a file without what its lines begin with.
func unindented(t *testing.T, path string) string {
	t.Helper()
	lines := strings.Split(string(assert.Must(os.ReadFile(path))(t)), "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}
