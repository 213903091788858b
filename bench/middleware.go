package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/principal"
)

// middlewares measures what a request with a signed-in cookie costs on its way
// through App.RequireUser, without a network, and compares it with the lookup
// that it contains.
func middlewares(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, on := range []func(context.Context) (*world, error){b.onPostgres, b.onSQLite} {
		w, grants, err := b.signedIn(ctx, on)
		if err != nil {
			return nil, err
		}
		r, err := b.middleware(ctx, w, grants)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) middleware(ctx context.Context, w *world, grants []auth.Grant) (row, error) {
	requests := make([]*http.Request, len(grants))
	for i, g := range grants {
		requests[i] = w.request(ctx, g)
	}
	handler := w.app.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := principal.FromContext(r.Context()); ok {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	sides := []side{
		{"session.Service.Lookup", func(ctx context.Context, i int) error {
			_, err := w.app.Sessions.Lookup(ctx, grants[i%len(grants)].Token.Reveal())
			return err
		}},
		{"App.RequireUser", func(_ context.Context, i int) error {
			answer := &discard{header: make(http.Header)}
			handler.ServeHTTP(answer, requests[i%len(requests)])
			if answer.status != http.StatusNoContent {
				return fmt.Errorf("the answer is %d", answer.status)
			}
			return nil
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
	return row{
		figure: "Request of a signed-in user, " + string(w.app.DB.Dialect()),
		bare:   fmt.Sprintf("%s, %v: `session.Lookup`", micros(got.per(0)), allocs[0]),
		tenon:  fmt.Sprintf("%s, %v", micros(got.per(1)), allocs[1]),
		ratio:  got.ratio(1, 0).String(),
	}, nil
}

// request is one of a browser that holds the grant's cookie.
func (w *world) request(ctx context.Context, grant auth.Grant) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/app/", nil)
	r.Header.Set("User-Agent", userAgent)
	answer := httptest.NewRecorder()
	w.app.Enter(answer, r, auth.Outcome{Grant: grant})
	for _, cookie := range answer.Result().Cookies() {
		r.AddCookie(cookie)
	}
	return r
}

// discard keeps the status of an answer alone.
type discard struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (d *discard) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (d *discard) WriteHeader(status int) { d.status = status }
