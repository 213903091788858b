package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/token"
)

// permissions compares the check of membership and permission, from the cookie's text
// to yes or no, with nothing but the one statement that reads session, user, membership,
// role and the version of roles: for a role of the program, and for one of the
// organization's own, which is remembered by that version (rule R18).
func permissions(ctx context.Context, b *bench) ([]row, error) {
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
	bare := func(ctx context.Context, selector string, f *fields) error {
		return pool.QueryRow(ctx, query, selector).Scan(f.targets()...)
	}
	owners, err := b.permission(ctx, w, grants, "a role of the program", bare)
	if err != nil {
		return nil, err
	}
	first := grants[:w.users]
	if err := w.hire(ctx, first); err != nil {
		return nil, err
	}
	members, err := b.permission(ctx, w, first, "a role of the organization's own", bare)
	return []row{owners, members}, err
}

// hire makes each user a member of their neighbour's organization, by a role of its own,
// and that one the active one of their session.
func (w *world) hire(ctx context.Context, grants []auth.Grant) error {
	var callers []*principal.Principal
	for _, g := range grants {
		found, err := w.app.Sessions.Lookup(ctx, g.Token.Reveal())
		if err != nil {
			return err
		}
		callers = append(callers, found.Principal())
	}
	for i, caller := range callers {
		owner := callers[(i+1)%len(callers)]
		_, err := w.app.Organizations.CreateRole(ctx, owner, owner.OrganizationID, "deputy", tenancy.Permissions{"team": {"create"}})
		if err == nil {
			_, err = w.app.Organizations.Join(ctx, tenancy.JoinParams{OrganizationID: owner.OrganizationID, UserID: caller.UserID, Role: "deputy,member"})
		}
		if err == nil {
			_, err = w.app.Organizations.SetActive(ctx, caller, owner.OrganizationID)
		}
		if err != nil {
			return err
		}
	}
	return w.analyze(ctx)
}

// errNotPermitted means that the bench measures something else than it says.
var errNotPermitted = errors.New("the caller may not")

func (b *bench) permission(ctx context.Context, w *world, grants []auth.Grant, role string, bare bareLookup) (row, error) {
	raws, selectors, requests := make([]string, len(grants)), make([]string, len(grants)), make([]*http.Request, len(grants))
	for i, g := range grants {
		t, err := token.Parse(session.Kind, g.Token.Reveal())
		if err != nil {
			return row{}, err
		}
		raws[i], selectors[i], requests[i] = g.Token.Reveal(), t.Selector(), w.request(ctx, g)
	}
	handler := w.app.RequirePermission("team", "create")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	sides := []side{
		{"bare lookup", func(ctx context.Context, i int) error { return bare(ctx, selectors[i%len(selectors)], new(fields)) }},
		{"lookup and Can", func(ctx context.Context, i int) error {
			found, err := w.app.Sessions.Lookup(ctx, raws[i%len(raws)])
			if err == nil && !found.Principal().Can("team", "create") {
				err = errNotPermitted
			}
			return err
		}},
		{"App.RequirePermission", func(_ context.Context, i int) error {
			answer := &discard{header: make(http.Header)}
			handler.ServeHTTP(answer, requests[i%len(requests)])
			if answer.status != http.StatusNoContent {
				return errNotPermitted
			}
			return nil
		}},
	}
	got, err := contest{rounds: b.rounds, turns: 200, turn: 10, callers: 1}.run(ctx, sides...)
	if err != nil {
		return row{}, err
	}
	var allocs [3]footprint
	for s := range sides {
		if allocs[s], err = allocations(ctx, 2000, sides[s].op); err != nil {
			return row{}, err
		}
	}
	r := got.ratio(1, 0)
	return row{
		figure: "Membership and permission, " + role,
		bare:   fmt.Sprintf("%s, %v: same SQL over pgxpool", micros(got.per(0)), allocs[0]),
		tenon:  fmt.Sprintf("%s, %v; as middleware %s, %v (%s)", micros(got.per(1)), allocs[1], micros(got.per(2)), allocs[2], got.ratio(2, 0)),
		ratio:  r.String(), goal: judged("≤ 1.3", r.median <= 1.3),
	}, nil
}
