package sessioncache_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// benchWorld is a world whose cache counts the time as in production.
func benchWorld(b *testing.B) *world {
	b.Helper()
	b.ReportAllocs()
	return newWorld(b, func(c *sessioncache.Config) { c.Monotonic, c.Bound = nil, 30*time.Second })
}

func BenchmarkLookup(b *testing.B) {
	w := benchWorld(b)
	grant := w.signIn()
	ctx, raw := b.Context(), grant.Token.Reveal()
	for b.Loop() {
		if _, err := w.cache.Lookup(ctx, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupParallel(b *testing.B) {
	w := benchWorld(b)
	raw := w.signIn().Token.Reveal()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.cache.Lookup(b.Context(), raw); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkLookupOfMany asks for a thousand sessions in turn, so that their
// entries are not all in the processor's caches.
func BenchmarkLookupOfMany(b *testing.B) {
	w := benchWorld(b)
	raws := make([]string, 1000)
	for i := range raws {
		raws[i] = w.signIn().Token.Reveal()
	}
	ctx, i := b.Context(), 0
	for b.Loop() {
		if _, err := w.cache.Lookup(ctx, raws[i%len(raws)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkMiddleware(b *testing.B) {
	w := benchWorld(b)
	grant := w.signIn()
	h := assert.Must(session.NewHandler(w.svc, session.HandlerConfig{BaseURL: "https://app.example.com", Finder: w.cache}))(b)
	site := h.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/", nil)
	r.Header.Set("Cookie", "__Host-tenon_session="+grant.Token.Reveal())
	for b.Loop() {
		site.ServeHTTP(nil, r)
	}
}
