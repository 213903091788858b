package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// caches measures a lookup that the cache answers, beside what no cache keyed by
// hashes can do without: a SHA-256 of the token and a read of a map; and the
// middleware around such a lookup.
func caches(ctx context.Context, b *bench) ([]row, error) {
	w, grants, err := b.signedIn(ctx, b.onPostgres)
	if err != nil {
		return nil, err
	}
	cache, err := sessioncache.New(w.app.Sessions, sessioncache.Config{})
	if err != nil {
		return nil, err
	}
	handler, err := session.NewHandler(w.app.Sessions, session.HandlerConfig{BaseURL: baseURL, Finder: cache})
	if err != nil {
		return nil, err
	}
	var known sync.Map
	raws, cookies := make([]string, len(grants)), make([]string, len(grants))
	for i, g := range grants {
		raws[i], cookies[i] = g.Token.Reveal(), w.cookieOf(g)
		known.Store(sha256.Sum256([]byte(raws[i])), &grants[i])
	}
	// One request for all: a server has just written the one that it serves.
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/", http.NoBody)
	header := []string{""}
	request.Header["Cookie"] = header
	signedIn := false
	site := handler.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, signedIn = principal.FromContext(r.Context())
	}))
	sides := []side{
		{"SHA-256 and a map", func(_ context.Context, i int) error {
			if _, ok := known.Load(sha256.Sum256([]byte(raws[i%len(raws)]))); !ok {
				return session.ErrNoSession
			}
			return nil
		}},
		{"sessioncache.Cache.Lookup", func(ctx context.Context, i int) error {
			_, err := cache.Lookup(ctx, raws[i%len(raws)])
			return err
		}},
		{"Handler.Middleware", func(_ context.Context, i int) error {
			header[0] = cookies[i%len(cookies)]
			site.ServeHTTP(nil, request)
			if !signedIn {
				return session.ErrNoSession
			}
			return nil
		}},
	}
	return b.cacheRows(ctx, sides)
}

func (b *bench) cacheRows(ctx context.Context, sides []side) ([]row, error) {
	got, err := contest{rounds: b.rounds, turns: 5, turn: 20_000, callers: 1}.run(ctx, sides...)
	if err != nil {
		return nil, err
	}
	var rows []row
	for s, c := range []struct {
		figure string
		nanos  float64
		allocs float64
	}{1: {"Session check, cached", 200, 0}, 2: {"Request of a signed-in user, cached", 500, 2}} {
		if s == 0 {
			continue
		}
		spent, err := allocations(ctx, 2000, sides[s].op)
		if err != nil {
			return nil, err
		}
		took := float64(got.per(s).Nanoseconds())
		rows = append(rows, row{
			figure: c.figure,
			bare:   fmt.Sprintf("%d ns: %s", got.per(0).Nanoseconds(), sides[0].name),
			tenon:  fmt.Sprintf("%.0f ns, %v", took, spent),
			ratio:  got.ratio(s, 0).String(),
			goal: judged(fmt.Sprintf("≤ %.0f ns, ≤ %.0f allocs", c.nanos, c.allocs),
				took <= c.nanos && spent.objects < c.allocs+0.5),
		})
	}
	return rows, nil
}
