package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// prepared keeps hot statements prepared on the connections of the pool: SQLite
// takes longer to read the text of a join than to answer it, and the driver reads
// it anew with every query that is not prepared.
type prepared struct {
	mu         sync.RWMutex
	statements map[string]*sql.Stmt
}

// scanRow is that of bundb.Config.
func (p *prepared) scanRow(ctx context.Context, pool *sql.DB, query string, args, dest []any) error {
	statement, err := p.statement(ctx, pool, query) //nolint:sqlclosecheck // it is kept; the pool closes it
	if err != nil {
		return err
	}
	return statement.QueryRowContext(ctx, args...).Scan(dest...)
}

// statement returns the one of query, which the pool closes with its connections.
func (p *prepared) statement(ctx context.Context, pool *sql.DB, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	known := p.statements[query]
	p.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.statements[query]; known != nil {
		return known, nil // somebody was faster
	}
	made, err := pool.PrepareContext(ctx, query) //nolint:sqlclosecheck // it is kept; the pool closes it
	if err != nil {
		return nil, err
	}
	p.statements[query] = made
	return made, nil
}
