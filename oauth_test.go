package tenon_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

func TestSomebodyNewSignsInByAProviderThatProvesTheMailbox(t *testing.T) {
	t.Parallel()
	eachIDP(t, func(t *testing.T, w *world, i *idp) {
		i.is("1", email)
		for range 2 {
			b := w.browser(t)
			b.arrives(b.social(i), "/")
			assert.Equal(t, w.count(t, "tenon_users WHERE email_proof = 'provider:acme'"), 1)
			assert.Equal(t, w.count(t, "tenon_oauth_links"), 1)
		}
	})
}
