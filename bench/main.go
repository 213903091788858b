// Command bench measures what Tenon costs beside the bare limit of the same
// work, and prints one table in Markdown:
//
//	bash bench/run.sh
//
// It needs a PostgreSQL in TENON_TEST_POSTGRES (make bench brings one) in which
// it makes and drops schemas of its own. Nothing in it fails because something
// was slow: it measures, people judge.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
)

// bench is one run: how thorough it is, and what it has to clean up.
type bench struct {
	dsn    string
	rounds int
	dir    string
	admin  *pgxpool.Pool
	closes []func() error
}

// figure measures one subject and returns its rows of the table.
type figure struct {
	name    string
	measure func(ctx context.Context, b *bench) ([]row, error)
}

func figures() []figure {
	return []figure{
		{"lookup", lookups},
		{"signin", signIns},
		{"memory", memory},
		{"envelope", envelopes},
		{"signup", signUps},
		{"middleware", middlewares},
		{"migrate", migrations},
		{"peers", peers},
		{"growth", growth},
		{"refresh", refreshes},
		{"cache", caches},
		{"permission", permissions},
		{"accept", accepts},
		{"audit", audits},
		{"notify", notifications},
	}
}

func main() {
	// As a request's, the context can end: watching it is a part of the work.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	rounds := flag.Int("rounds", 10, "rounds of which the medians are taken")
	only := flag.String("only", "", "pattern of the figures to measure: lookup, signin, memory, envelope, signup, middleware, migrate, peers, growth, refresh, cache, permission, accept, audit, notify")
	child := flag.String("child", "", "for the bench itself: be the process whose memory is measured")
	flag.Parse()
	if *child != "" {
		return beChild(ctx, *child)
	}
	pattern, err := regexp.Compile(*only)
	if err != nil || *rounds < 1 {
		return errors.Join(errors.New("-only must be a pattern and -rounds at least 1"), err)
	}
	b, err := open(ctx, os.Getenv("TENON_TEST_POSTGRES"), *rounds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.printHead(ctx); err != nil {
		return err
	}
	for _, f := range figures() {
		if !pattern.MatchString(f.name) {
			continue
		}
		rows, err := f.measure(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		printRows(rows)
	}
	return nil
}

func open(ctx context.Context, dsn string, rounds int) (*bench, error) {
	if dsn == "" {
		return nil, errors.New("no PostgreSQL: set TENON_TEST_POSTGRES, or use make bench")
	}
	dir, err := os.MkdirTemp("", "tenon-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dsn: dsn, rounds: rounds, dir: dir}
	b.later(func() error { return os.RemoveAll(dir) })
	b.admin, err = pgxpool.New(ctx, dsn)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.later(func() error { b.admin.Close(); return nil })
	return b, nil
}

// later registers what Close does, last first.
func (b *bench) later(fn func() error) { b.closes = append(b.closes, fn) }

// Close drops the schemas and files that the run made.
func (b *bench) Close() error {
	var errs []error
	for _, fn := range slices.Backward(b.closes) {
		errs = append(errs, fn())
	}
	b.closes = nil
	return errors.Join(errs...)
}
