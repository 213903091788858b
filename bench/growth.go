package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The sizes between which a session must not become dearer, and how many of them
// are asked for.
const (
	fewSessions  = 10_000
	manySessions = 5_000_000
	grownUsers   = 500
	perUser      = 10 // of each kind
)

// grown are the ways to use a session among a number of others.
type grown struct {
	lookup, refresh func(context.Context, int) error
}

// growth compares the check of a session, and the exchange of a refresh token,
// among few with those among many. The rows that are not asked for are copies with
// names of their own.
func growth(ctx context.Context, b *bench) ([]row, error) {
	few, err := b.among(ctx, fewSessions)
	if err != nil {
		return nil, err
	}
	many, err := b.among(ctx, manySessions)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range []struct {
		name      string
		few, many func(context.Context, int) error
	}{{"Session check", few.lookup, many.lookup}, {"Refresh", few.refresh, many.refresh}} {
		got, err := contest{rounds: b.rounds, turns: 100, turn: 20, callers: 1}.run(ctx,
			side{"few", c.few}, side{"many", c.many})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r := got.ratio(1, 0)
		rows = append(rows, row{
			figure: c.name + " among 5 million, postgres",
			bare:   micros(got.per(0)) + ": among 10 thousand",
			tenon:  micros(got.per(1)),
			ratio:  r.String(),
			goal:   judged("≤ 1.3", r.median <= 1.3),
		})
	}
	return rows, nil
}

// among makes a world with that many sessions, of which somebody holds some.
func (b *bench) among(ctx context.Context, size int) (grown, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return grown{}, err
	}
	if err := w.addUsers(ctx, grownUsers); err != nil {
		return grown{}, err
	}
	grants, err := w.sessions(ctx, perUser)
	if err != nil {
		return grown{}, err
	}
	families, err := w.bearers(ctx, perUser)
	if err != nil {
		return grown{}, err
	}
	if err := b.fill(ctx, w, size-len(grants)-len(families.raws)); err != nil {
		return grown{}, err
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same walk on both sides
	order := make([]string, 1<<16)
	for i := range order {
		order[i] = grants[random.IntN(len(grants))].Token.Reveal()
	}
	random.Shuffle(len(families.raws), func(i, j int) { families.raws[i], families.raws[j] = families.raws[j], families.raws[i] })
	return grown{refresh: families.refresh, lookup: func(ctx context.Context, i int) error {
		_, err := w.app.Sessions.Lookup(ctx, order[i%len(order)])
		return err
	}}, nil
}

// fill copies one session n times, whatever columns it has, under other ids,
// selectors and users.
func (b *bench) fill(ctx context.Context, w *world, n int) error {
	pool, err := b.pool(ctx, w.dsn)
	if err != nil || n <= 0 {
		return err
	}
	rows, err := pool.Query(ctx, `SELECT column_name::text FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = 'tenon_sessions' AND is_generated = 'NEVER' ORDER BY ordinal_position`)
	if err != nil {
		return err
	}
	var columns, values []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		value := "s." + name
		switch name {
		case "id", "selector", "user_id":
			value = "md5('" + name + "' || g.n)"
		}
		columns, values = append(columns, name), append(values, value)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	const portion = 500_000
	for done := 0; done < n; done += portion {
		query := fmt.Sprintf("INSERT INTO tenon_sessions (%s) SELECT %s FROM (SELECT * FROM tenon_sessions WHERE generation = 0 LIMIT 1) AS s, generate_series(%d, %d) AS g (n)",
			strings.Join(columns, ", "), strings.Join(values, ", "), done+1, min(done+portion, n))
		if _, err := pool.Exec(ctx, query); err != nil {
			return err
		}
	}
	_, err = pool.Exec(ctx, "VACUUM ANALYZE tenon_sessions")
	return err
}
