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
	CreatedAt    time.Time `bun:"created_at"`
	UpdatedAt    time.Time `bun:"updated_at"`
}

func newOrganizationModel(o tenancy.Organization) *organizationModel {
	return &organizationModel{
		ID: o.ID, Name: o.Name, Slug: o.Slug, Logo: o.Logo, Metadata: string(o.Metadata), OwnerID: o.OwnerID,
		FactorFrom: o.SecondFactor.From.UTC(), FactorTrusts: o.SecondFactor.AcceptTrustedDevices,
		CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
	}
}

func (m *organizationModel) organization() tenancy.Organization {
	o := tenancy.Organization{
		ID: m.ID, Name: m.Name, Slug: m.Slug, Logo: m.Logo, OwnerID: m.OwnerID,
		SecondFactor: principal.SecondFactorPolicy{From: m.FactorFrom.UTC(), AcceptTrustedDevices: m.FactorTrusts},
		CreatedAt:    m.CreatedAt.UTC(), UpdatedAt: m.UpdatedAt.UTC(),
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
WHERE m.user_id = ? ORDER BY m.created_at, m.id LIMIT 1`

// HoldFirst implements tenancy.Store. On SQLite the transaction is the only
// writer already.
func (s *Store) HoldFirst(ctx context.Context, userID string) (organizationID string, err error) {
	if !s.InTransaction(ctx) {
		return "", tenancy.ErrNoTransaction
	}
	err = s.holdFirst.QueryRow(ctx, userID).Scan(&organizationID)
	return organizationID, notFound("tenancybun: hold the first membership's organization", err)
}

const membershipSQL = `
SELECT o.id, o.name, o.slug, o.logo, COALESCE(o.metadata, ''), o.owner_id,
       o.second_factor_from, o.second_factor_trusts, o.created_at, o.updated_at,
       m.id, m.organization_id, m.user_id, m.role, m.created_at
FROM tenon_members AS m JOIN tenon_organizations AS o ON o.id = m.organization_id
WHERE m.organization_id = ? AND m.user_id = ?`

// Membership implements tenancy.Store.
func (s *Store) Membership(ctx context.Context, organizationID, userID string) (tenancy.Organization, tenancy.Member, error) {
	var (
		o organizationModel
		m memberModel
	)
	err := s.membership.QueryRow(ctx, organizationID, userID).Scan(
		&o.ID, &o.Name, &o.Slug, &o.Logo, &o.Metadata, &o.OwnerID,
		bundb.ScanTime(&o.FactorFrom), &o.FactorTrusts, bundb.ScanTime(&o.CreatedAt), bundb.ScanTime(&o.UpdatedAt),
		&m.ID, &m.OrganizationID, &m.UserID, &m.Role, bundb.ScanTime(&m.CreatedAt))
	if err != nil {
		return tenancy.Organization{}, tenancy.Member{}, notFound("tenancybun: membership", err)
	}
	return o.organization(), m.member(), nil
}

const holdSQL = "SELECT o.id FROM tenon_organizations AS o WHERE o.id = ?"

// HoldOrganization implements tenancy.Store. On SQLite the transaction is the
// only writer already.
func (s *Store) HoldOrganization(ctx context.Context, id string) error {
	if !s.InTransaction(ctx) {
		return tenancy.ErrNoTransaction
	}
	var held string
	return notFound("tenancybun: hold", s.hold.QueryRow(ctx, id).Scan(&held))
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
