package oauth_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
)

// Whoever hangs up while they are judged is told of all the same.
func TestARefusalLeavesItsTraceAfterTheCallerHungUp(t *testing.T) {
	t.Parallel()
	var told []oauth.Refused
	g := newGranting(t, oauthtest.NewFake(), bundbtest.NewClock(), func(c *oauth.Config) {
		c.Hooks.SignInRefused = func(ctx context.Context, e oauth.Refused) error {
			told = append(told, e)
			return ctx.Err()
		}
	})
	caller := account.Caller{Principal: &principal.Principal{UserID: "ada", SessionID: "session"}, SecurityVersion: 1, Fresh: true}
	begun, err := g.BeginLink(t.Context(), caller, oauth.BeginParams{Provider: "acme"})
	assert.NoError(t, err)
	to, err := url.Parse(begun.URL)
	assert.NoError(t, err)
	ctx, hangUp := context.WithCancel(t.Context())
	_, err = g.Callback(ctx, oauth.CallbackParams{
		Provider: "acme", State: to.Query().Get("state"), Browser: begun.Browser.Reveal(),
		Caller: func() (account.Caller, error) {
			hangUp()
			stale := caller
			stale.Fresh = false
			return stale, nil
		},
	})
	assert.ErrorIs(t, err, oauth.ErrSessionChanged)
	assert.Len(t, told, 1)
	assert.Equal(t, told[0].UserID, "ada")
}
