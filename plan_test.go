package tenon_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/token"
)

// R18: session, user, membership, role, policy and version of roles are one statement,
// which reads one row of each table by its index.
func TestR18_TheLookupOfASessionFollowsIndexes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		const at, later = "'2026-01-01 00:00:00+00:00'", "'2099-01-01 00:00:00+00:00'"
		bundbtest.Fill(
			t, w.db, 5000,
			"INSERT INTO tenon_users (id, email, email_display, email_verified, name, image, superuser, security_version, created_at, updated_at) "+
				"SELECT 'u' || n, 'u' || n || '@example.com', '', TRUE, 'Guest', '', FALSE, 1, "+at+", "+at+" FROM numbers",
			"INSERT INTO tenon_organizations (id, name, slug, logo, owner_id, created_at, updated_at) "+
				"SELECT 'o' || n, 'Acme', 'acme-' || n, '', 'u' || n, "+at+", "+at+" FROM numbers",
			"INSERT INTO tenon_members (id, organization_id, user_id, role, created_at) SELECT 'm' || n, 'o' || n, 'u' || n, 'owner', "+at+" FROM numbers",
			"INSERT INTO tenon_sessions (id, selector, kid, verifier, user_id, security_version, organization_id, channels, proven_at, browser_only, ip, "+
				"user_agent, created_at, last_seen_at, idle_ends_at, ends_at) SELECT 's' || n, 's' || n, '', s.verifier, 'u' || n, 1, 'o' || n, '', s.proven_at, FALSE, '', '', "+
				"s.created_at, s.last_seen_at, "+later+", "+later+" FROM numbers JOIN (SELECT * FROM tenon_sessions LIMIT 1) AS s ON TRUE",
		)
		raw := b.cookie("session")
		bundbtest.RequirePlans(t, w.DB, bundbtest.Planned{
			Name: "lookup", Args: []any{assert.Must(token.Parse(session.Kind, raw))(t).Selector()},
			Call:   func(ctx context.Context) error { _, err := w.Sessions.Lookup(ctx, raw); return err },
			SQLite: "SEARCH m USING COVERING INDEX", Postgres: "tenon_sessions_selector_key",
		})
	})
}

// An acceptance re-reads and holds everything that permits it, and each of it once:
// round trips are what it costs.
func TestR21_AnAcceptanceAsksNothingTwice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		owner, guest := w.signedIn(t, email), w.signedIn(t, guestEmail)
		id, _ := owner.invites(guestEmail)
		caller := &principal.Principal{UserID: guest.idOf(), SessionID: "s", Assurance: 1}
		sent := bundbtest.FaultsOf(w.DB).Record(func() {
			assert.Must(w.Invitations.Accept(t.Context(), invitation.AcceptParams{Caller: caller, ID: id}))(t)
		})
		seen := map[string]bool{}
		for _, statement := range sent {
			// What is held reads like what is only read where no lock is named.
			if seen[statement] && w.db.Dialect() == bundb.Postgres && !strings.Contains(statement, "INSERT INTO tenon_audit_entries") {
				t.Errorf("asked twice: %s", statement)
			}
			seen[statement] = true
		}
		if len(sent) > 14 {
			t.Errorf("%d statements:\n%s", len(sent), strings.Join(sent, "\n"))
		}
	})
}
