package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/ratelimit"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/tenancy/invitation"
)

const (
	acceptCallers = 8
	acceptTurns   = 2
	acceptTurn    = 100
	acceptPlaces  = 32 // organizations, where it is not one
)

// accepts compares the acceptance of an invitation by a user who is signed in, by a call
// and over HTTP, with the rows that it writes: written by bare prepared statements, in
// one transaction of as many round trips as the call takes. Each guest accepts one
// invitation. The organizations are several, whose owners alone hear of it, or one, so
// that all acceptances meet.
func accepts(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, on := range []func(context.Context) (*world, error){b.onPostgres, b.onSQLite} {
		for _, places := range []int{acceptPlaces, 1} {
			w, err := on(ctx)
			if err != nil {
				return nil, err
			}
			r, err := b.accept(ctx, w, places)
			if err != nil {
				return nil, fmt.Errorf("%s, %d organizations: %w", w.app.DB.Dialect(), places, err)
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func (b *bench) accept(ctx context.Context, w *world, places int) (row, error) {
	each := acceptTurn*(1+acceptTurns*b.rounds) + 3 // three to look at
	all, err := w.inviteGuests(ctx, 3*each, places)
	if err != nil {
		return row{}, err
	}
	called, bare, asked := all[:each], all[each:2*each], all[2*each:]
	trips, err := b.tripsOf(ctx, w, called[each-2:])
	if err != nil {
		return row{}, err
	}
	written, err := b.bareAcceptance(ctx, w, trips)
	if err != nil {
		return row{}, err
	}
	ask, err := b.asksToAccept(ctx, w, asked)
	if err != nil {
		return row{}, err
	}
	call := func(ctx context.Context, i int) error { return w.accept(ctx, called[i]) }
	write := func(ctx context.Context, i int) error { return written(ctx, bare[i]) }
	if err := w.sameRows(ctx, each-3, write, call, ask); err != nil {
		return row{}, err
	}
	got, err := contest{rounds: b.rounds, turns: acceptTurns, turn: acceptTurn, callers: acceptCallers}.run(ctx,
		side{"the same rows", write}, side{"Invitations.Accept", call}, side{"over HTTP", ask})
	if err != nil {
		return row{}, err
	}
	r := got.ratio(0, 1) // of rates, so the other way round
	out := row{
		figure: fmt.Sprintf("Acceptances, %s, %d callers, %s", w.app.DB.Dialect(), acceptCallers, plural(places, "organization")),
		bare:   fmt.Sprintf("%.0f/s: same rows, %d round trips", got.rate(0), trips),
		tenon:  fmt.Sprintf("%.0f/s; over HTTP %.0f/s (%s)", got.rate(1), got.rate(2), got.ratio(0, 2)),
		ratio:  r.String(),
	}
	if w.app.DB.Dialect() == bundb.Postgres {
		out.goal = judged("≥ 500/s", got.rate(1) >= 500)
	}
	return out, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// guest is a user who is invited.
type guest struct{ id, invitation, organization, owner string }

// accept is the call that is measured.
func (w *world) accept(ctx context.Context, g guest) error {
	caller := &principal.Principal{UserID: g.id, SessionID: "bench", Assurance: 1}
	_, err := w.app.Invitations.Accept(ctx, invitation.AcceptParams{Caller: caller, ID: g.invitation})
	return err
}

// asksToAccept signs the guests in, and returns the request by which one of them accepts.
// A session is started as it is by the one door; nobody limits its requests.
func (b *bench) asksToAccept(ctx context.Context, w *world, guests []guest) (func(ctx context.Context, i int) error, error) {
	cfg := w.cfg
	cfg.RateLimits = make(map[string]ratelimit.Rule)
	for class := range tenon.DefaultRateLimits() {
		cfg.RateLimits[class] = nil
	}
	app, err := tenon.New(cfg)
	if err != nil {
		return nil, err
	}
	address, err := b.serve(app.Handler())
	if err != nil {
		return nil, err
	}
	cookies := make([]string, len(guests))
	err = spread(acceptCallers, len(guests), func(i int) error {
		grant, err := app.Sessions.StartTrusted(ctx, session.TrustedStart{UserID: guests[i].id, SecurityVersion: 1})
		cookies[i] = w.cookieOf(auth.Grant{Token: grant.Token, EndsAt: grant.Session.EndsAt})
		return err
	})
	if err != nil {
		return nil, err
	}
	client := newClient()
	return func(ctx context.Context, i int) error {
		body := strings.NewReader(`{"invitationId":"` + guests[i].invitation + `"}`)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/api/auth"+invitation.PathAccept, body)
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("User-Agent", userAgent)
		request.Header.Set("Cookie", cookies[i])
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the answer is %d: %.200s", response.StatusCode, text)
		}
		return nil
	}, w.analyze(ctx)
}

// tripsOf counts what an acceptance asks of the database, by an App of its own that has
// its keys already.
func (b *bench) tripsOf(ctx context.Context, w *world, two []guest) (int, error) {
	var trips atomic.Int64
	open, where := postgres.Open, w.dsn
	if w.app.DB.Dialect() == bundb.SQLite {
		open, where = sqlite.Open, w.path
	}
	db, err := open(ctx, where, bundb.Config{MaxOpenConns: 2, WrapConnector: metering(&trips)})
	if err != nil {
		return 0, err
	}
	b.later(db.Close)
	one, err := newWorld(ctx, db, w.keys, 0)
	if err != nil {
		return 0, err
	}
	if err := one.accept(ctx, two[0]); err != nil {
		return 0, err
	}
	before := trips.Load()
	err = one.accept(ctx, two[1])
	return int(trips.Load() - before), err
}
