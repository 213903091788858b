package sessionbun_test

import (
	"context"
	"database/sql"
	"os"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// The stand-ins are tables of users and members that belong to nobody: the store
// knows them by the joins alone.
func schemas() []bundb.Schema {
	return []bundb.Schema{{Name: "standin", FS: os.DirFS("testdata/standin")}, sessionbun.Schema()}
}

func joins() sessionbun.Config {
	return sessionbun.Config{
		User: bundb.Join{
			SQL: "JOIN standin_users AS u ON u.id = s.user_id AND u.version = s.security_version AND NOT u.banned",
			Columns: []string{
				"u.email", "u.name", "u.image", "u.email_verified", "u.superuser", "u.second_factor", "u.created_at", "u.updated_at",
			},
		},
		Member: bundb.Join{
			SQL: "LEFT JOIN standin_members AS m ON m.organization_id = s.organization_id AND m.user_id = s.user_id" +
				" LEFT JOIN standin_policies AS p ON p.organization_id = m.organization_id",
			Columns: []string{"COALESCE(m.role, '')", "p.since", "COALESCE(p.trusts, FALSE)", "COALESCE(p.roles_version, 0)"},
		},
	}
}

func newStore(t testing.TB, db *bundb.DB) *sessionbun.Store {
	t.Helper()
	return assert.Must(sessionbun.New(db, joins()))(t)
}

// standins fills the tables, and is the users of a service.
type standins struct{ db *bundb.DB }

func (s standins) PutUser(ctx context.Context, u sessiontest.UserState) error {
	if u.Gone {
		_, err := s.db.Statement("DELETE FROM standin_users WHERE id = ?").Exec(ctx, u.ID)
		return err
	}
	_, err := s.db.Statement(`
INSERT INTO standin_users (id, version, banned, email, name, image, email_verified, superuser, second_factor, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, banned = excluded.banned, email = excluded.email,
  name = excluded.name, image = excluded.image, email_verified = excluded.email_verified,
  superuser = excluded.superuser, second_factor = excluded.second_factor, created_at = excluded.created_at, updated_at = excluded.updated_at`).
		Exec(ctx, u.ID, u.SecurityVersion, u.Banned, u.Email, u.Name, u.Image, u.EmailVerified, u.Superuser, u.SecondFactor, u.CreatedAt, u.UpdatedAt)
	return err
}

func (s standins) PutRole(ctx context.Context, organizationID, userID, role string) error {
	if role == "" {
		_, err := s.db.Statement("DELETE FROM standin_members WHERE organization_id = ? AND user_id = ?").Exec(ctx, organizationID, userID)
		return err
	}
	_, err := s.db.Statement(`
INSERT INTO standin_members (organization_id, user_id, role) VALUES (?, ?, ?)
ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role`).Exec(ctx, organizationID, userID, role)
	return err
}

func (s standins) PutPolicy(ctx context.Context, organizationID string, p principal.SecondFactorPolicy) error {
	_, err := s.db.Statement(`
INSERT INTO standin_policies (organization_id, since, trusts) VALUES (?, ?, ?)
ON CONFLICT (organization_id) DO UPDATE SET since = excluded.since, trusts = excluded.trusts`).
		Exec(ctx, organizationID, sql.NullTime{Time: p.From, Valid: !p.From.IsZero()}, p.AcceptTrustedDevices)
	return err
}

func (s standins) PutRolesVersion(ctx context.Context, organizationID string, version int64) error {
	_, err := s.db.Statement(`
INSERT INTO standin_policies (organization_id, roles_version) VALUES (?, ?)
ON CONFLICT (organization_id) DO UPDATE SET roles_version = excluded.roles_version`).Exec(ctx, organizationID, version)
	return err
}

func (s standins) Hold(ctx context.Context, userID string) error {
	query := "SELECT id FROM standin_users WHERE id = ?"
	if s.db.Dialect() == bundb.Postgres {
		query += " FOR KEY SHARE"
	}
	var id string
	return s.db.Statement(query).QueryRow(ctx, userID).Scan(&id)
}

func (s standins) RaiseVersion(ctx context.Context, userID string) (version int64, err error) {
	err = s.db.Statement("UPDATE standin_users SET version = version + 1 WHERE id = ? RETURNING version").
		QueryRow(ctx, userID).Scan(&version)
	return version, err
}

// env makes the store a subject of the exported suite. Breaking it swaps in a
// pool that is closed.
func env(t *testing.T, db *bundb.DB) sessiontest.Env {
	t.Helper()
	broken := bundbtest.Broken(t, db)
	store := &swapped{Store: newStore(t, db)}
	return sessiontest.Env{
		Store:   store,
		PutUser: standins{db}.PutUser,
		PutRole: standins{db}.PutRole, PutPolicy: standins{db}.PutPolicy,
		PutRolesVersion: standins{db}.PutRolesVersion,
		Break:           func() { store.Store = newStore(t, broken) },
	}
}

type swapped struct{ *sessionbun.Store }
