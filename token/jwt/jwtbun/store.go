package jwtbun

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token/jwt"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's table.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "jwt", FS: files}
}

// Sealed lists the columns that hold sealed values, for re-encryption.
func Sealed() []crypto.SealedColumn {
	return []crypto.SealedColumn{{Column: jwt.KeyField("").Column}}
}

var _ jwt.Store = (*Store)(nil)

// Store implements jwt.Store. It is safe for concurrent use.
type Store struct{ *bundb.DB }

// New returns a Store on db, whose Schema must have been migrated. It does no
// I/O.
func New(db *bundb.DB) *Store { return &Store{db} }

// model is a row of the table.
type model struct {
	bun.BaseModel `bun:"table:tenon_jwt_keys,alias:k"`

	ID          string    `bun:"id,pk"`
	State       string    `bun:"state"`
	PrivateKey  []byte    `bun:"private_key"`
	PublishedAt time.Time `bun:"published_at"`
	SigningAt   time.Time `bun:"signing_at,nullzero"`
	RetiredAt   time.Time `bun:"retired_at,nullzero"`
}

func newModel(k jwt.Key) *model {
	return &model{
		ID: k.ID, State: string(k.State), PrivateKey: k.Sealed,
		PublishedAt: micros(k.PublishedAt), SigningAt: micros(k.SigningAt), RetiredAt: micros(k.RetiredAt),
	}
}

func (m model) key() jwt.Key {
	return jwt.Key{
		ID: m.ID, State: jwt.State(m.State), Sealed: m.PrivateKey,
		PublishedAt: m.PublishedAt.UTC(), SigningAt: m.SigningAt.UTC(), RetiredAt: m.RetiredAt.UTC(),
	}
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// ListKeys implements jwt.Store.
func (s *Store) ListKeys(ctx context.Context) ([]jwt.Key, error) {
	var models []model
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).OrderExpr("k.published_at, k.id").Scan(ctx)
	if err != nil {
		return nil, bundb.Wrap("jwtbun: list keys", err)
	}
	keys := make([]jwt.Key, len(models))
	for i, m := range models {
		keys[i] = m.key()
	}
	return keys, nil
}

// AddKey implements jwt.Store.
func (s *Store) AddKey(ctx context.Context, key jwt.Key) (bool, error) {
	n, err := s.write(ctx, func(ctx context.Context) (int, error) {
		return affected(s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newModel(key)).On("CONFLICT DO NOTHING").Exec(ctx))
	})
	return n == 1, bundb.Wrap("jwtbun: add key", err)
}

// errLost takes back a promotion that only one half of could be done.
var errLost = errors.New("jwtbun: the keys are not as they were")

// PromoteKey implements jwt.Store.
func (s *Store) PromoteKey(ctx context.Context, p jwt.Promotion) (bool, error) {
	_, err := s.write(ctx, func(ctx context.Context) (int, error) {
		if p.Retire != "" {
			if err := one(s.move(ctx, p.At, jwt.StateSigning, jwt.StateRetired).
				Where("id = ? AND signing_at <= ?", p.Retire, micros(p.SigningBy)).Exec(ctx)); err != nil {
				return 0, err
			}
		}
		signing := s.Bun().NewSelect().Model((*model)(nil)).ColumnExpr("1").Where("k.state = ?", jwt.StateSigning)
		return 1, one(s.move(ctx, p.At, jwt.StatePublished, jwt.StateSigning).
			Where("id = ? AND published_at <= ? AND NOT EXISTS (?)", p.Sign, micros(p.PublishedBy), signing).Exec(ctx))
	})
	if errors.Is(err, errLost) || bundb.IsUniqueViolation(err) {
		return false, nil
	}
	return err == nil, bundb.Wrap("jwtbun: promote key", err)
}

// move sets the state, and the time of that state.
func (s *Store) move(ctx context.Context, at time.Time, from, to jwt.State) *bun.UpdateQuery {
	return s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*model)(nil)).
		Set("state = ?", to).Set("? = ?", bun.Ident(string(to)+"_at"), micros(at)).Where("state = ?", from)
}

// DeleteKey implements jwt.Store.
func (s *Store) DeleteKey(ctx context.Context, id string) (bool, error) {
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*model)(nil)).Where("id = ?", id).Exec(ctx))
	return n == 1, bundb.Wrap("jwtbun: delete key", err)
}

// PruneKeys implements jwt.Store.
func (s *Store) PruneKeys(ctx context.Context, before time.Time) (int, error) {
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*model)(nil)).
		Where("state = ? AND retired_at <= ?", jwt.StateRetired, micros(before)).Exec(ctx))
	return n, bundb.Wrap("jwtbun: prune keys", err)
}

// write runs fn in a transaction, or at a savepoint of the one in ctx, which a
// failed statement would end otherwise. It returns what fn counted, and nothing
// where that was not committed.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context) (int, error)) (n int, err error) {
	err = s.InTx(ctx, func(ctx context.Context) (err error) {
		n, err = fn(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// one is the rule of every guarded change: its row count decides.
func one(result sql.Result, err error) error {
	n, err := affected(result, err)
	if err == nil && n != 1 {
		err = errLost
	}
	return err
}

func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
