package tenon_test

import (
	"net/http"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

// eachWithIDP is each, with a provider.
func eachWithIDP(t *testing.T, fn func(t *testing.T, w *world, i *idp)) {
	t.Helper()
	bundbtest.Each(t, tenon.Schemas(), func(t *testing.T, db *bundb.DB) {
		i := newIDP(t)
		fn(t, newWorld(t, db, i.with()), i)
	})
}

func TestSomebodyNewSignsInByAProviderThatProvesTheMailbox(t *testing.T) {
	t.Parallel()
	eachWithIDP(t, func(t *testing.T, w *world, i *idp) {
		for range 2 {
			b := w.browser(t)
			got := b.social(i, person("1", email))
			assert.Equal(t, got.StatusCode, http.StatusSeeOther)
			assert.Equal(t, got.Header.Get("Location"), "/")
			assert.True(t, b.isSignedIn(), "signed in")
			assert.Equal(t, w.count(t, "tenon_users WHERE email_proof = 'provider:acme'"), 1)
			assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		}
	})
}
