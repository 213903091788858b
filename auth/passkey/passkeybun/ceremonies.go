package passkeybun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/bundb"
)

type ceremonyModel struct {
	bun.BaseModel `bun:"table:tenon_passkey_ceremonies"`

	ID               string    `bun:"id,pk"`
	Kind             string    `bun:"kind"`
	Owner            []byte    `bun:"owner"`
	Challenge        []byte    `bun:"challenge"`
	UserID           string    `bun:"user_id"`
	SecurityVersion  int64     `bun:"security_version"`
	UserVerification bool      `bun:"user_verification"`
	Bearer           bool      `bun:"bearer"`
	CreatedAt        time.Time `bun:"created_at"`
	ExpiresAt        time.Time `bun:"expires_at"`
}

// AddCeremony implements passkey.CeremonyStore.
func (s *Store) AddCeremony(ctx context.Context, c passkey.Ceremony) error {
	m := &ceremonyModel{
		ID: c.ID, Kind: string(c.Kind), Owner: c.Owner, Challenge: c.Challenge, UserID: c.UserID,
		SecurityVersion: c.SecurityVersion, UserVerification: c.UserVerification, Bearer: c.Bearer,
		CreatedAt: c.CreatedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	}
	_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx)
	return bundb.Wrap("passkeybun: add a ceremony", err)
}

// ClaimCeremony implements passkey.CeremonyStore.
func (s *Store) ClaimCeremony(ctx context.Context, owner, challenge []byte, now time.Time) (passkey.Ceremony, error) {
	var c passkey.Ceremony
	err := s.claim.QueryRow(ctx, challenge, owner, now).Scan(&c.ID, (*string)(&c.Kind), &c.Owner, &c.Challenge, &c.UserID,
		&c.SecurityVersion, &c.UserVerification, &c.Bearer, bundb.ScanTime(&c.CreatedAt), bundb.ScanTime(&c.ExpiresAt))
	if errors.Is(err, sql.ErrNoRows) {
		return passkey.Ceremony{}, passkey.ErrCeremonyNotFound
	}
	if err != nil {
		return passkey.Ceremony{}, bundb.Wrap("passkeybun: claim a ceremony", err)
	}
	return c, nil
}

// PruneCeremonies implements passkey.CeremonyStore.
func (s *Store) PruneCeremonies(ctx context.Context, now time.Time, limit int) (int, error) {
	old := s.Bun().NewSelect().Table("tenon_passkey_ceremonies").Column("id").
		Where("expires_at <= ?", now.UTC()).OrderExpr("expires_at").Limit(int64(limit))
	if s.Dialect() == bundb.Postgres {
		old.For("UPDATE SKIP LOCKED")
	}
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_passkey_ceremonies").Where("id IN (?)", old).Exec(ctx))
	return n, bundb.Wrap("passkeybun: prune ceremonies", err)
}
