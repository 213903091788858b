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
	perUser      = 20
)

// growth compares the check of a session among few with one among many. The rows
// that are not asked for are copies with names of their own.
func growth(ctx context.Context, b *bench) ([]row, error) {
	var sides []side
	for _, size := range []int{fewSessions, manySessions} {
		lookup, err := b.among(ctx, size)
		if err != nil {
			return nil, err
		}
		sides = append(sides, side{fmt.Sprintf("%d sessions", size), lookup})
	}
	got, err := contest{rounds: b.rounds, turns: 100, turn: 20, callers: 1}.run(ctx, sides...)
	if err != nil {
		return nil, err
	}
	r := got.ratio(1, 0)
	return []row{{
		figure: "Session check among 5 million, postgres",
		bare:   micros(got.per(0)) + ": among 10 thousand",
		tenon:  micros(got.per(1)),
		ratio:  r.String(),
		goal:   judged("≤ 1.3", r.median <= 1.3),
	}}, nil
}

// among makes a world with that many sessions and returns the check of a random
// one of those that somebody holds.
func (b *bench) among(ctx context.Context, size int) (func(context.Context, int) error, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.addUsers(ctx, grownUsers); err != nil {
		return nil, err
	}
	grants, err := w.sessions(ctx, perUser)
	if err != nil {
		return nil, err
	}
	if err := b.fill(ctx, w, size-len(grants)); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same walk on both sides
	order := make([]string, 1<<16)
	for i := range order {
		order[i] = grants[random.IntN(len(grants))].Token.Reveal()
	}
	return func(ctx context.Context, i int) error {
		_, err := w.app.Sessions.Lookup(ctx, order[i%len(order)])
		return err
	}, nil
}

// fill copies one session n times, whatever columns it has, under other ids,
// selectors and users.
func (b *bench) fill(ctx context.Context, w *world, n int) error {
	pool, err := b.pool(ctx, w.dsn)
	if err != nil || n <= 0 {
		return err
	}
	rows, err := pool.Query(ctx, `SELECT column_name::text FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = 'tenon_sessions' ORDER BY ordinal_position`)
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
		query := fmt.Sprintf("INSERT INTO tenon_sessions (%s) SELECT %s FROM (SELECT * FROM tenon_sessions LIMIT 1) AS s, generate_series(%d, %d) AS g (n)",
			strings.Join(columns, ", "), strings.Join(values, ", "), done+1, min(done+portion, n))
		if _, err := pool.Exec(ctx, query); err != nil {
			return err
		}
	}
	_, err = pool.Exec(ctx, "VACUUM ANALYZE tenon_sessions")
	return err
}
