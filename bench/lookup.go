package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

const (
	lookupUsers    = 100
	sessionsOfUser = 10
)

// lookups compares the check of a session, from the cookie's text to the
// identity, with nothing but its one statement into the same fields. The bare
// side neither parses the token nor authenticates it.
func lookups(ctx context.Context, b *bench) ([]row, error) {
	w, grants, err := b.signedIn(ctx, b.onPostgres)
	if err != nil {
		return nil, err
	}
	query, err := b.lookupSQL(ctx, w, grants[0])
	if err != nil {
		return nil, err
	}
	pool, err := b.pool(ctx, w.dsn)
	if err != nil {
		return nil, err
	}
	onPostgres, err := b.lookup(ctx, w, grants, "pgxpool", 1.15, func(ctx context.Context, selector string, f *fields) error {
		return pool.QueryRow(ctx, query, selector).Scan(f.targets()...)
	})
	if err != nil {
		return nil, err
	}
	onSQLite, err := b.lookupSQLite(ctx, query)
	return []row{onPostgres, onSQLite}, err
}

// lookupSQLite takes the statement that PostgreSQL got: it is the same but for
// the placeholders.
func (b *bench) lookupSQLite(ctx context.Context, query string) (row, error) {
	w, grants, err := b.signedIn(ctx, b.onSQLite)
	if err != nil {
		return row{}, err
	}
	pool, err := sql.Open("sqlite", sqlite.DSN(w.path))
	if err != nil {
		return row{}, err
	}
	b.later(pool.Close)
	query = regexp.MustCompile(`\$\d+`).ReplaceAllString(query, "?")
	return b.lookup(ctx, w, grants, "database/sql", 0, func(ctx context.Context, selector string, f *fields) error {
		return pool.QueryRowContext(ctx, query, selector).Scan(f.textTargets()...)
	})
}

// signedIn makes a world whose users are signed in on several devices each.
func (b *bench) signedIn(ctx context.Context, on func(context.Context) (*world, error)) (*world, []auth.Grant, error) {
	w, err := on(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := w.addUsers(ctx, lookupUsers); err != nil {
		return nil, nil, err
	}
	grants, err := w.sessions(ctx, sessionsOfUser)
	return w, grants, err
}

// lookupSQL returns the statement of a lookup as PostgreSQL got it: on a pool
// of one connection, the server itself tells what is prepared on it.
func (b *bench) lookupSQL(ctx context.Context, w *world, grant auth.Grant) (query string, err error) {
	db, err := postgres.Open(ctx, w.dsn, bundb.Config{MaxOpenConns: 1})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	one, err := newWorld(ctx, db, w.keys, 0)
	if err != nil {
		return "", err
	}
	if _, err := one.app.Sessions.Lookup(ctx, grant.Token.Reveal()); err != nil {
		return "", err
	}
	err = db.Raw(ctx).QueryRowContext(ctx,
		"SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT % FROM tenon\\_sessions AS s JOIN %'").Scan(&query)
	if err != nil {
		return "", fmt.Errorf("find the statement of a lookup: %w", err)
	}
	return query, nil
}

type bareLookup func(ctx context.Context, selector string, f *fields) error

func (b *bench) lookup(ctx context.Context, w *world, grants []auth.Grant, pool string, goal float64, bare bareLookup) (row, error) {
	if err := sameWork(ctx, w, grants[0], bare); err != nil {
		return row{}, err
	}
	raws, selectors := make([]string, len(grants)), make([]string, len(grants))
	for i, g := range grants {
		t, err := token.Parse(session.Kind, g.Token.Reveal())
		if err != nil {
			return row{}, err
		}
		raws[i], selectors[i] = g.Token.Reveal(), t.Selector()
	}
	sides := []side{
		{"bare lookup", func(ctx context.Context, i int) error { return bare(ctx, selectors[i%len(selectors)], new(fields)) }},
		{"session.Service.Lookup", func(ctx context.Context, i int) error {
			_, err := w.app.Sessions.Lookup(ctx, raws[i%len(raws)])
			return err
		}},
	}
	got, err := contest{rounds: b.rounds, turns: 200, turn: 10, callers: 1}.run(ctx, sides...)
	if err != nil {
		return row{}, err
	}
	var allocs [2]footprint
	for s := range sides {
		if allocs[s], err = allocations(ctx, 2000, sides[s].op); err != nil {
			return row{}, err
		}
	}
	r := got.ratio(1, 0)
	out := row{
		figure: "Session check, " + string(w.app.DB.Dialect()),
		bare:   fmt.Sprintf("%s, %v: same SQL over %s", micros(got.per(0)), allocs[0], pool),
		tenon:  fmt.Sprintf("%s, %v", micros(got.per(1)), allocs[1]),
		ratio:  r.String(),
	}
	if goal > 0 {
		out.goal = judged(fmt.Sprintf("≤ %.2f", goal), r.median <= goal)
	}
	return out, nil
}

// fields is what the statement of a lookup reads.
type fields struct {
	session.Found
	channels, freshChannels, ip string
}

// targets are those of a program on pgx: plain pointers, but for times that may be
// NULL.
func (f *fields) targets() []any {
	s, u := &f.Session, &f.User
	return []any{
		&s.ID, &s.UserID, &s.OrganizationID, &s.SecurityVersion, &f.channels,
		&s.ProvenAt, &s.FreshAt, &f.freshChannels, &s.BrowserOnly, &f.ip, &s.UserAgent, &s.CreatedAt,
		&s.LastSeenAt, &s.IdleEndsAt, &s.EndsAt, &s.Bearer, &s.ActorID, &s.ActorSessionID, bundb.ScanTime(&s.TrustedUntil), &s.TeamID,
		&f.Verifier.KID, &f.Verifier.MAC,
		&u.Email, &u.Name, &u.Image, &u.EmailVerified, &u.Superuser, &u.SecondFactor, &u.CreatedAt, &u.UpdatedAt,
		&f.Role, bundb.ScanTime(&f.SecondFactorPolicy.From), &f.SecondFactorPolicy.AcceptTrustedDevices, &f.RolesVersion,
	}
}

// textTargets are the same for SQLite, where times are text.
func (f *fields) textTargets() []any {
	targets := f.targets()
	for i, target := range targets {
		if t, ok := target.(*time.Time); ok {
			targets[i] = bundb.ScanTime(t)
		}
	}
	return targets
}

// sameWork checks that both sides read the same.
func sameWork(ctx context.Context, w *world, grant auth.Grant, bare bareLookup) error {
	tok, err := token.Parse(session.Kind, grant.Token.Reveal())
	if err != nil {
		return err
	}
	want, err := w.app.Sessions.Lookup(ctx, grant.Token.Reveal())
	if err != nil {
		return err
	}
	var f fields
	if err := bare(ctx, tok.Selector(), &f); err != nil {
		return err
	}
	got := f.Identity
	got.User.ID, got.Session.Channels = f.Session.UserID, strings.Fields(f.channels)
	got.Session.FreshChannels = strings.Fields(f.freshChannels)
	if f.ip != "" {
		if got.Session.IP, err = netip.ParseAddr(f.ip); err != nil {
			return err
		}
	}
	for _, at := range []*time.Time{
		&got.Session.ProvenAt, &got.Session.FreshAt, &got.Session.CreatedAt, &got.Session.LastSeenAt, &got.Session.IdleEndsAt,
		&got.Session.EndsAt, &got.User.CreatedAt, &got.User.UpdatedAt,
	} {
		*at = at.UTC()
	}
	if !reflect.DeepEqual(got.Session, want.Session) || got.User != want.User || got.Role != want.Role {
		return fmt.Errorf("the sides read differently:\n%+v\n%+v", got, want)
	}
	return nil
}
