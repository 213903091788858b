package tokenbun

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/token"
)

// write runs fn in a transaction, or at a savepoint of the one in ctx, which a
// failed statement would end otherwise. It returns what fn counted.
func (s *Store) write(ctx context.Context, op string, fn func(ctx context.Context) (int, error)) (n int, err error) {
	err = s.InTx(ctx, func(ctx context.Context) (err error) {
		n, err = fn(ctx)
		return err
	})
	if err != nil {
		return 0, bundb.Wrap("tokenbun: "+op, err)
	}
	return n, nil
}

// ConsumeToken implements token.Store.
func (s *Store) ConsumeToken(ctx context.Context, purpose token.Purpose, id string, now time.Time) (bool, error) {
	n, err := s.write(ctx, "consume", func(ctx context.Context) (int, error) {
		if err := s.lockSiblings(ctx, purpose, id); err != nil {
			return 0, err
		}
		return affected(s.update(ctx).Set("consumed_at = ?", micros(now)).
			Where("id = ? AND purpose = ? AND consumed_at IS NULL AND expires_at > ?", id, purpose, micros(now)).
			Exec(ctx))
	})
	return n == 1, err
}

// lockSiblings locks the unconsumed rows of the same purpose, subject and
// tenant, in one order for everyone: two who consume two siblings and then drop
// each other's would deadlock.
func (s *Store) lockSiblings(ctx context.Context, purpose token.Purpose, id string) error {
	if s.Dialect() != bundb.Postgres {
		return nil // one writer
	}
	owner := s.Bun().NewSelect().Model((*model)(nil)).Column("t.subject", "t.tenant").Where("t.id = ?", id)
	var ids []string
	return s.ids().Conn(s.Conn(ctx)).
		Where("t.purpose = ? AND t.consumed_at IS NULL AND (t.subject, t.tenant) = (?)", purpose, owner).
		For("UPDATE").Scan(ctx, &ids)
}

// ChargeToken implements token.Store.
func (s *Store) ChargeToken(ctx context.Context, purpose token.Purpose, id string, limit int, now time.Time) (bool, error) {
	n, err := s.write(ctx, "charge", func(ctx context.Context) (int, error) {
		return affected(s.update(ctx).Set("attempts = attempts + 1").
			Where("id = ? AND purpose = ? AND consumed_at IS NULL AND expires_at > ? AND attempts < ?", id, purpose, micros(now), limit).
			Exec(ctx))
	})
	return n == 1, err
}

// DropTokens implements token.Store. Nothing can be wrong with the one statement but
// what ends the transaction anyway: it needs no savepoint.
func (s *Store) DropTokens(ctx context.Context, purpose token.Purpose, subject, tenant string) (int, error) {
	n, err := affected(s.drop.Exec(ctx, string(purpose), subject, tenant))
	return n, bundb.Wrap("tokenbun: drop", err)
}

// PruneTokens implements token.Store.
func (s *Store) PruneTokens(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.write(ctx, "prune", func(ctx context.Context) (int, error) {
		return s.remove(ctx, s.Bun().NewSelect().Model((*model)(nil)).Column("t.id").
			Where("t.expires_at <= ?", micros(before)).OrderExpr("t.expires_at").Limit(int64(limit)), "UPDATE SKIP LOCKED")
	})
}

// ids selects ids in the order in which everyone locks.
func (s *Store) ids() *bun.SelectQuery {
	return s.Bun().NewSelect().Model((*model)(nil)).Column("t.id").OrderExpr("t.id")
}

func (s *Store) update(ctx context.Context) *bun.UpdateQuery {
	return s.Bun().NewUpdate().Conn(s.Conn(ctx)).Model((*model)(nil))
}

// remove deletes the rows that doomed selects, locked first on PostgreSQL.
func (s *Store) remove(ctx context.Context, doomed *bun.SelectQuery, lock string) (int, error) {
	if s.Dialect() == bundb.Postgres {
		doomed.For(lock)
	}
	return affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*model)(nil)).Where("id IN (?)", doomed).Exec(ctx))
}

func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
