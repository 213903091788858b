package authbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

var _ passwordless.Store = (*Store)(nil)

// CodeKIDs tells which keys mailed codes need: a key that one of them was made
// under must not be destroyed (rule R28).
func CodeKIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT kid, count(*) FROM tenon_codes WHERE consumed_at IS NULL GROUP BY kid")
	return crypto.KIDSource{Name: "mailed codes", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("authbun: count the keys of codes", err)
	}}
}

type codeModel struct {
	bun.BaseModel `bun:"table:tenon_codes,alias:c"`

	ID              string    `bun:"id,pk"`
	Flow            []byte    `bun:"flow"`
	Purpose         string    `bun:"purpose"`
	Email           string    `bun:"email"`
	Subject         string    `bun:"subject"`
	SecurityVersion int64     `bun:"security_version"`
	KID             string    `bun:"kid"`
	MAC             []byte    `bun:"mac"`
	Attempts        int       `bun:"attempts"`
	AskedAt         time.Time `bun:"asked_at"`
	ExpiresAt       time.Time `bun:"expires_at"`
	ConsumedAt      time.Time `bun:"consumed_at,nullzero"`
}

func newCodeModel(c passwordless.Code) *codeModel {
	return &codeModel{
		ID: c.ID, Flow: c.Flow, Purpose: string(c.Purpose), Email: c.Email, Subject: c.Subject, SecurityVersion: c.SecurityVersion,
		KID: c.Verifier.KID, MAC: c.Verifier.MAC, Attempts: c.Attempts,
		AskedAt: c.AskedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(), ConsumedAt: c.ConsumedAt.UTC(),
	}
}

func (m *codeModel) code() passwordless.Code {
	return passwordless.Code{
		ID: m.ID, Flow: m.Flow, Purpose: passwordless.Purpose(m.Purpose), Email: m.Email, Subject: m.Subject, SecurityVersion: m.SecurityVersion,
		Verifier: token.Verifier{KID: m.KID, MAC: m.MAC}, Attempts: m.Attempts,
		AskedAt: m.AskedAt.UTC(), ExpiresAt: m.ExpiresAt.UTC(), ConsumedAt: m.ConsumedAt.UTC(),
	}
}

// PutCode implements passwordless.CodeStore.
func (s *Store) PutCode(ctx context.Context, c passwordless.Code) error {
	insert := s.upsertCode(ctx, c)
	for _, column := range []string{
		"id", "subject", "security_version", "kid", "mac", "attempts", "asked_at", "expires_at", "consumed_at",
	} {
		insert.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
	}
	_, err := insert.Exec(ctx)
	return bundb.Wrap("authbun: put a code", err)
}

// KeepCode implements passwordless.CodeStore.
func (s *Store) KeepCode(ctx context.Context, c passwordless.Code) error {
	_, err := s.upsertCode(ctx, c).Set("asked_at = EXCLUDED.asked_at").Exec(ctx)
	return bundb.Wrap("authbun: keep a code", err)
}

func (s *Store) upsertCode(ctx context.Context, c passwordless.Code) *bun.InsertQuery {
	return s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newCodeModel(c)).On("CONFLICT (flow, purpose, email) DO UPDATE")
}

// FindCode implements passwordless.CodeStore.
func (s *Store) FindCode(ctx context.Context, flow []byte, purpose passwordless.Purpose, email string) (passwordless.Code, error) {
	m := new(codeModel)
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).
		Where("c.flow = ?", flow).Where("c.purpose = ?", purpose).Where("c.email = ?", email).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return passwordless.Code{}, token.ErrNotFound
	}
	if err != nil {
		return passwordless.Code{}, bundb.Wrap("authbun: find a code", err)
	}
	return m.code(), nil
}

// TryCode implements passwordless.CodeStore.
func (s *Store) TryCode(ctx context.Context, id string, limit int, now time.Time) (alive bool, err error) {
	err = s.alone(ctx, func(ctx context.Context) error {
		n, err := affected(s.liveCode(ctx, id, now).Set("attempts = attempts + 1").Where("attempts < ?", limit).Exec(ctx))
		alive = n == 1
		return err
	})
	return alive && err == nil, bundb.Wrap("authbun: try a code", err)
}

// ConsumeCode implements passwordless.CodeStore.
func (s *Store) ConsumeCode(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := affected(s.liveCode(ctx, id, now).Set("consumed_at = ?", now.UTC()).Exec(ctx))
	return n == 1, bundb.Wrap("authbun: consume a code", err)
}

// liveCode updates a code that can still be used.
func (s *Store) liveCode(ctx context.Context, id string, now time.Time) *bun.UpdateQuery {
	return s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_codes").
		Where("id = ?", id).Where("consumed_at IS NULL").Where("expires_at > ?", now.UTC())
}

// DropCodes implements passwordless.CodeStore.
func (s *Store) DropCodes(ctx context.Context, email string) error {
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_codes").Where("email = ?", email).Exec(ctx)
	return bundb.Wrap("authbun: drop the codes of an address", err)
}

// PruneCodes implements passwordless.CodeStore.
func (s *Store) PruneCodes(ctx context.Context, before time.Time, limit int) (int, error) {
	old := s.Bun().NewSelect().Table("tenon_codes").Column("id").
		Where("asked_at < ?", before.UTC()).OrderExpr("asked_at").Limit(int64(limit))
	if s.Dialect() == bundb.Postgres {
		old.For("UPDATE SKIP LOCKED")
	}
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_codes").Where("id IN (?)", old).Exec(ctx))
	return n, bundb.Wrap("authbun: prune codes", err)
}
