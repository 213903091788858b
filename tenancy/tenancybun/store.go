package tenancybun

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

type organizationModel struct {
	bun.BaseModel `bun:"table:tenon_organizations,alias:o"`

	ID           string    `bun:"id,pk"`
	Name         string    `bun:"name"`
	Slug         string    `bun:"slug"`
	Logo         string    `bun:"logo"`
	Metadata     string    `bun:"metadata,nullzero"`
	OwnerID      string    `bun:"owner_id"`
	FactorFrom   time.Time `bun:"second_factor_from,nullzero"`
	FactorTrusts bool      `bun:"second_factor_trusts"`
	RolesVersion int64     `bun:"roles_version"`
	CreatedAt    time.Time `bun:"created_at"`
	UpdatedAt    time.Time `bun:"updated_at"`
}

func newOrganizationModel(o tenancy.Organization) *organizationModel {
	return &organizationModel{
		ID: o.ID, Name: o.Name, Slug: o.Slug, Logo: o.Logo, Metadata: string(o.Metadata), OwnerID: o.OwnerID,
		FactorFrom: o.SecondFactor.From.UTC(), FactorTrusts: o.SecondFactor.AcceptTrustedDevices, RolesVersion: o.RolesVersion,
		CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
	}
}

func (m *organizationModel) organization() tenancy.Organization {
	o := tenancy.Organization{
		ID: m.ID, Name: m.Name, Slug: m.Slug, Logo: m.Logo, OwnerID: m.OwnerID,
		SecondFactor: principal.SecondFactorPolicy{From: m.FactorFrom.UTC(), AcceptTrustedDevices: m.FactorTrusts},
		RolesVersion: m.RolesVersion, CreatedAt: m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC(),
	}
	if m.Metadata != "" {
		o.Metadata = json.RawMessage(m.Metadata)
	}
	return o
}

type memberModel struct {
	bun.BaseModel `bun:"table:tenon_members,alias:m"`

	ID             string    `bun:"id,pk"`
	OrganizationID string    `bun:"organization_id"`
	UserID         string    `bun:"user_id"`
	Role           string    `bun:"role"`
	CreatedAt      time.Time `bun:"created_at"`
}

func (m *memberModel) member() tenancy.Member {
	return tenancy.Member{
		ID: m.ID, OrganizationID: m.OrganizationID, UserID: m.UserID, Role: m.Role, CreatedAt: m.CreatedAt.UTC(),
	}
}

// CreateOrganization implements tenancy.Store.
func (s *Store) CreateOrganization(ctx context.Context, o tenancy.Organization, owner tenancy.Member) error {
	// A savepoint in the caller's transaction, which has to survive a taken slug.
	return s.InTx(ctx, func(ctx context.Context) error {
		_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newOrganizationModel(o)).Exec(ctx)
		if strings.Contains(bundb.Violated(err), "slug") {
			return tenancy.ErrSlugTaken
		}
		if err != nil {
			return bundb.Wrap("tenancybun: create an organization", err)
		}
		m := &memberModel{
			ID: owner.ID, OrganizationID: owner.OrganizationID, UserID: owner.UserID, Role: owner.Role,
			CreatedAt: owner.CreatedAt.UTC(),
		}
		_, err = s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx)
		return bundb.Wrap("tenancybun: add the owner", err)
	})
}

// holdFirstSQL goes on to the next membership where the organization of the
// first is deleted at the same time: PostgreSQL applies the limit after the lock.
const holdFirstSQL = `
SELECT o.id
FROM tenon_members AS m JOIN tenon_organizations AS o ON o.id = m.organization_id
WHERE m.user_id = ? ORDER BY m.chosen_at IS NULL, m.chosen_at DESC, m.created_at, m.id LIMIT 1`

// HoldFirst implements tenancy.Store. On SQLite the transaction is the only
// writer already.
func (s *Store) HoldFirst(ctx context.Context, userID string) (organizationID string, err error) {
	if !s.InTransaction(ctx) {
		return "", tenancy.ErrNoTransaction
	}
	err = s.holdFirst.QueryRow(ctx, userID).Scan(&organizationID)
	return organizationID, notFound("tenancybun: hold the first membership's organization", err)
}

const (
	organizationColumns = `o.id, o.name, o.slug, o.logo, COALESCE(o.metadata, ''), o.owner_id,
       o.second_factor_from, o.second_factor_trusts, o.roles_version, o.created_at, o.updated_at`
	memberColumns = "m.id, m.organization_id, m.user_id, m.role, m.created_at"

	membershipSQL = "SELECT " + organizationColumns + ", " + memberColumns + `
FROM tenon_members AS m JOIN tenon_organizations AS o ON o.id = m.organization_id
WHERE m.organization_id = ? AND m.user_id = ?`
	// asMemberSQL finds nothing for a stranger, like for an id that never existed.
	asMemberSQL = `
SELECT o.id FROM tenon_organizations AS o
WHERE o.id = ? AND EXISTS (SELECT 1 FROM tenon_members AS m WHERE m.organization_id = o.id AND m.user_id = ?)`
	holdSQL = "SELECT " + organizationColumns + " FROM tenon_organizations AS o WHERE o.id = ?"
)

func (m *organizationModel) targets() []any {
	return []any{
		&m.ID, &m.Name, &m.Slug, &m.Logo, &m.Metadata, &m.OwnerID,
		bundb.ScanTime(&m.FactorFrom), &m.FactorTrusts, &m.RolesVersion, bundb.ScanTime(&m.CreatedAt), bundb.ScanTime(&m.UpdatedAt),
	}
}

func (m *memberModel) targets() []any {
	return []any{&m.ID, &m.OrganizationID, &m.UserID, &m.Role, bundb.ScanTime(&m.CreatedAt)}
}

// Membership implements tenancy.Store.
func (s *Store) Membership(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	return membership(ctx, s.membership, organizationID, userID)
}

func membership(ctx context.Context, statement bundb.Statement, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	var (
		o organizationModel
		m memberModel
	)
	if err := statement.Scan(ctx, []any{organizationID, userID}, append(o.targets(), m.targets()...)...); err != nil {
		return tenancy.Organization{}, tenancy.Member{}, notFound("tenancybun: membership", err)
	}
	return o.organization(), m.member(), nil
}

// HoldMembership implements tenancy.MemberStore. PostgreSQL locks in the order of the
// clauses, the organization first, and reads a row anew for which it waited; what joined
// meanwhile it does not find.
func (s *Store) HoldMembership(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	if !s.InTransaction(ctx) {
		return tenancy.Organization{}, tenancy.Member{}, tenancy.ErrNoTransaction
	}
	return membership(ctx, s.holdMembership, organizationID, userID)
}

// HoldOrganization implements tenancy.Store. On SQLite the transaction is the
// only writer already.
func (s *Store) HoldOrganization(ctx context.Context, id string) (tenancy.Organization, error) {
	if !s.InTransaction(ctx) {
		return tenancy.Organization{}, tenancy.ErrNoTransaction
	}
	var o organizationModel
	if err := s.hold.QueryRow(ctx, id).Scan(o.targets()...); err != nil {
		return tenancy.Organization{}, notFound("tenancybun: hold", err)
	}
	return o.organization(), nil
}

// SetSecondFactorPolicy implements tenancy.Store.
func (s *Store) SetSecondFactorPolicy(ctx context.Context, id, ownerID string, p principal.SecondFactorPolicy, now time.Time) error {
	result, err := s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*organizationModel)(nil)).
		Set("second_factor_from = ?", bun.NullTime{Time: p.From.UTC()}).Set("second_factor_trusts = ?", p.AcceptTrustedDevices).
		Set("updated_at = ?", now.UTC()).
		Where("id = ? AND owner_id = ?", id, ownerID).Exec(ctx)
	if err != nil {
		return bundb.Wrap("tenancybun: set the second factor policy", err)
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = tenancy.ErrNotFound
	}
	return err
}

// notFound tells a missing row from other errors; nil stays nil.
func notFound(op string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return tenancy.ErrNotFound
	}
	return bundb.Wrap(op, err)
}
