package tokenbun

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's table.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "token", FS: files}
}

// KIDs tells which keys unconsumed tokens need: a key that one of them was hashed
// under must not be destroyed (rule R28).
func KIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT kid, count(*) FROM tenon_one_time_tokens WHERE consumed_at IS NULL GROUP BY kid")
	return crypto.KIDSource{Name: "one-time tokens", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("tokenbun: count keys", err)
	}}
}

var _ token.Store = (*Store)(nil)

// Store implements token.Store. Its clock is the database's. It is safe for
// concurrent use.
type Store struct {
	*bundb.DB
	drop bundb.Statement
}

// New returns a Store on db, whose Schema must have been migrated. It does no
// I/O.
func New(db *bundb.DB) *Store {
	lock := ""
	if db.Dialect() == bundb.Postgres {
		lock = " FOR UPDATE"
	}
	return &Store{DB: db, drop: db.Statement(dropSQL + lock + ")")}
}

// dropSQL locks in the order in which everyone does.
const dropSQL = `
DELETE FROM tenon_one_time_tokens WHERE id IN (
  SELECT id FROM tenon_one_time_tokens
  WHERE purpose = ? AND subject = ? AND tenant = ? AND consumed_at IS NULL ORDER BY id`

// model is a row of the table.
type model struct {
	bun.BaseModel `bun:"table:tenon_one_time_tokens,alias:t"`

	ID              string    `bun:"id,pk"`
	Selector        string    `bun:"selector"`
	Purpose         string    `bun:"purpose"`
	Subject         string    `bun:"subject"`
	Tenant          string    `bun:"tenant"`
	KID             string    `bun:"kid"`
	MAC             []byte    `bun:"mac"`
	SecurityVersion int64     `bun:"security_version"`
	CreatedAt       time.Time `bun:"created_at"`
	ExpiresAt       time.Time `bun:"expires_at"`
	ConsumedAt      time.Time `bun:"consumed_at,nullzero"`
	Attempts        int       `bun:"attempts"`
	Payload         string    `bun:"payload"`
}

func newModel(r token.Row) *model {
	return &model{
		ID: r.ID, Selector: r.Selector, Purpose: string(r.Purpose), Subject: r.Subject, Tenant: r.Tenant,
		KID: r.Verifier.KID, MAC: r.Verifier.MAC, SecurityVersion: r.SecurityVersion,
		CreatedAt: micros(r.CreatedAt), ExpiresAt: micros(r.ExpiresAt), ConsumedAt: micros(r.ConsumedAt),
		Attempts: r.Attempts, Payload: string(r.Payload),
	}
}

func (m *model) row() token.Row {
	r := token.Row{
		OneTime: token.OneTime{
			ID: m.ID, Purpose: token.Purpose(m.Purpose), Subject: m.Subject, Tenant: m.Tenant,
			SecurityVersion: m.SecurityVersion, CreatedAt: m.CreatedAt.UTC(), ExpiresAt: m.ExpiresAt.UTC(),
			ConsumedAt: m.ConsumedAt.UTC(), Attempts: m.Attempts,
		},
		Selector: m.Selector,
		Verifier: token.Verifier{KID: m.KID, MAC: m.MAC},
	}
	if m.Payload != "" {
		r.Payload = json.RawMessage(m.Payload)
	}
	return r
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// AddToken implements token.Store.
func (s *Store) AddToken(ctx context.Context, row token.Row, keep int) error {
	_, err := s.write(ctx, "add", func(ctx context.Context) (int, error) {
		if _, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newModel(row)).Exec(ctx); err != nil {
			return 0, err
		}
		beyond := s.Bun().NewSelect().Model((*model)(nil)).Column("t.id").
			Where("t.purpose = ? AND t.subject = ? AND t.tenant = ? AND t.consumed_at IS NULL", row.Purpose, row.Subject, row.Tenant).
			OrderExpr("t.created_at DESC, t.id DESC").Offset(int64(keep)).Limit(1 << 20)
		// Who consumes one of them now is not to be waited for, and drops the rest.
		return s.remove(ctx, s.ids().Where("t.id IN (?)", beyond), "UPDATE SKIP LOCKED")
	})
	return err
}

// TokenBySelector implements token.Store.
func (s *Store) TokenBySelector(ctx context.Context, purpose token.Purpose, selector string) (token.Row, error) {
	var m model
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&m).
		Where("t.selector = ? AND t.purpose = ?", selector, purpose).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return token.Row{}, token.ErrNotFound
	}
	if err != nil {
		return token.Row{}, bundb.Wrap("tokenbun: find", err)
	}
	return m.row(), nil
}
