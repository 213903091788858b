package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
)

const (
	refreshCallers  = 8
	refreshUsers    = 100
	familiesPerUser = 20
	// accessTokenSize is about how many bytes of an access token are signed.
	accessTokenSize = 460
)

// refreshes compares the exchange of a refresh token with its one statement, both
// over as many families of their own, and with that and the signature that every
// access token has.
func refreshes(ctx context.Context, b *bench) ([]row, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.addUsers(ctx, refreshUsers); err != nil {
		return nil, err
	}
	ours, err := w.bearers(ctx, familiesPerUser)
	if err != nil {
		return nil, err
	}
	bare, err := b.bareFamilies(ctx, w)
	if err != nil {
		return nil, err
	}
	got, err := contest{rounds: b.rounds, turns: 4, turn: 500, callers: refreshCallers}.run(ctx,
		side{"same SQL over pgxpool", bare.rotate}, side{"same SQL over pgxpool, and an Ed25519 signature", bare.rotateAndSign},
		side{"session.Service.Refresh", ours.refresh})
	if err != nil {
		return nil, err
	}
	var rows []row
	for s, name := range []string{"same SQL over pgxpool", "same SQL over pgxpool, and an Ed25519 signature"} {
		r := got.ratio(s, 2) // of rates, so the other way round
		rows = append(rows, row{
			figure: fmt.Sprintf("Refreshes, postgres, %d callers", refreshCallers),
			bare:   fmt.Sprintf("%.0f/s: %s", got.rate(s), name),
			tenon:  fmt.Sprintf("%.0f/s", got.rate(2)),
			ratio:  r.String(),
			goal:   judged("≥ 0.8, ≥ 3000/s", r.median >= 0.8 && got.rate(2) >= 3000),
		})
	}
	return rows, nil
}

// bearers are sessions whose refresh tokens are exchanged in turn. No two callers
// have the same one: a turn has fewer operations than there are families.
type bearers struct {
	w    *world
	raws []string
}

// bearers signs every user in n times as programs do.
func (w *world) bearers(ctx context.Context, n int) (*bearers, error) {
	all := &bearers{w: w, raws: make([]string, w.users*n)}
	err := spread(8, w.users, func(i int) error {
		p := w.signInParams(i)
		p.Bearer = true
		attempt, err := w.app.Auth.ProvePassword(ctx, p)
		for k := 0; k < n && err == nil; k++ {
			outcome, completeErr := w.app.Auth.Complete(ctx, attempt)
			all.raws[k*w.users+i], err = outcome.Grant.Refresh.Reveal(), completeErr
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, w.analyze(ctx)
}

func (b *bearers) refresh(ctx context.Context, i int) error {
	k := i % len(b.raws)
	pair, err := b.w.app.Sessions.Refresh(ctx, b.raws[k])
	if err == nil {
		b.raws[k] = pair.Refresh.Reveal()
	}
	return err
}

// bareFamily is what the statement of a rotation is guarded by.
type bareFamily struct {
	id, kid    string
	generation int64
	verifier   []byte
}

type bareFamilies struct {
	pool     *pgxpool.Pool
	private  ed25519.PrivateKey
	query    string
	families []bareFamily
}

// bareFamilies copies the families, and the text of the statement as the server
// got it.
func (b *bench) bareFamilies(ctx context.Context, w *world) (_ *bareFamilies, err error) {
	all := &bareFamilies{private: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	if all.query, err = b.rotateSQL(ctx, w); err != nil {
		return nil, err
	}
	other, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := other.addUsers(ctx, refreshUsers); err != nil {
		return nil, err
	}
	if _, err := other.bearers(ctx, familiesPerUser); err != nil {
		return nil, err
	}
	if all.pool, err = b.pool(ctx, other.dsn); err != nil {
		return nil, err
	}
	rows, err := all.pool.Query(ctx, "SELECT id, kid, generation, verifier FROM tenon_sessions WHERE generation > 0")
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var f bareFamily
		if err := rows.Scan(&f.id, &f.kid, &f.generation, &f.verifier); err != nil {
			return nil, err
		}
		all.families = append(all.families, f)
	}
	return all, rows.Err()
}

// rotate sends the statement that a refresh sends, with random bytes for secrets.
func (b *bareFamilies) rotate(ctx context.Context, i int) error {
	f := &b.families[i%len(b.families)]
	verifier, salt := make([]byte, 32), make([]byte, 16)
	if _, err := rand.Read(verifier); err != nil {
		return err
	}
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	now := time.Now().UTC()
	idle := now.Add(30 * 24 * time.Hour)
	rows, err := b.pool.Query(ctx, b.query, f.kid, verifier, salt, now, now, idle, idle, idle, idle,
		f.id, f.generation, f.kid, f.verifier, now, now)
	if err != nil {
		return err
	}
	found := rows.Next()
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	if !found {
		return errors.New("the rotation changed no row")
	}
	f.generation, f.verifier = f.generation+1, verifier
	return nil
}

// rotateAndSign also signs as much as an access token says.
func (b *bareFamilies) rotateAndSign(ctx context.Context, i int) error {
	if err := b.rotate(ctx, i); err != nil {
		return err
	}
	if len(ed25519.Sign(b.private, make([]byte, accessTokenSize))) != ed25519.SignatureSize {
		return errors.New("no signature")
	}
	return nil
}

// rotateSQL returns the statement of a rotation as PostgreSQL got it.
func (b *bench) rotateSQL(ctx context.Context, w *world) (query string, err error) {
	db, err := postgres.Open(ctx, w.dsn, bundb.Config{MaxOpenConns: 1})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	one, err := newWorld(ctx, db, w.keys, 0)
	if err != nil {
		return "", err
	}
	one.users = w.users
	p := one.signInParams(0)
	p.Bearer = true
	_, outcome, err := one.app.Auth.SignIn(ctx, p)
	if err != nil {
		return "", err
	}
	if _, err := one.app.Sessions.Refresh(ctx, outcome.Grant.Refresh.Reveal()); err != nil {
		return "", err
	}
	err = db.Raw(ctx).QueryRowContext(ctx,
		"SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%UPDATE tenon\\_sessions SET generation = generation + 1%'").Scan(&query)
	if err != nil {
		return "", fmt.Errorf("find the statement of a rotation: %w", err)
	}
	return query, nil
}
