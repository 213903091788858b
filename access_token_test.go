package tenon_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
)

const thirdParty = "https://api.example.org"

func withThirdParty(cfg *tenon.Config) { cfg.ThirdPartyAudience = thirdParty }

func (w *world) mintAccess(t *testing.T) string {
	t.Helper()
	return assert.Must(w.AccessTokens.Mint(t.Context(), jwt.Claims{Subject: "u", SessionID: "s", Epoch: 1}))(t).Reveal()
}

// signingKey returns the id of the key that signs.
func (w *world) signingKey(t *testing.T) (id string) {
	t.Helper()
	assert.NoError(t, w.db.Statement("SELECT id FROM tenon_jwt_keys WHERE state = 'signing'").QueryRow(t.Context()).Scan(&id))
	return id
}

func TestTheKeySetIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		got := w.browser(t).get("/jwks")
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Equal(t, got.Header.Get("Cache-Control"), "public, max-age=900")
		assert.Contains(t, got.body, `"kid":"`+w.signingKey(t)+`"`)
		assert.Equal(t, w.browser(t).get("/token").StatusCode, http.StatusNotFound)
	})
}

// App.Maintain and App.Run's hourly call are what lets keys take their turn.
func TestMaintainLetsKeysTakeTheirTurn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		raw, first := w.mintAccess(t), w.signingKey(t)
		for range 31 {
			_, err := w.AccessTokens.Verify(t.Context(), w.mintAccess(t))
			assert.NoError(t, err)
			bundbtest.ClockOf(w.db).Advance(24 * time.Hour)
			assert.NoError(t, w.Maintain(t.Context()))
		}
		assert.NotEqual(t, w.signingKey(t), first)
		_, err := w.AccessTokens.Verify(t.Context(), raw)
		assert.ErrorIs(t, err, jwt.ErrInvalid)
	})
}

// A third party learns who the user is, and nothing that opens anything here.
func TestR16_ATokenForAThirdPartyOpensNothingHere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		assert.Equal(t, w.browser(t).get("/token").StatusCode, http.StatusUnauthorized)
		got := b.get("/token")
		assert.Equal(t, got.StatusCode, http.StatusOK)
		raw, _ := got.decode(t)["token"].(string)
		assert.Len(t, strings.Split(raw, "."), 3)
		_, err := w.AccessTokens.Verify(t.Context(), raw)
		assert.ErrorIs(t, err, jwt.ErrInvalid)
		for _, o := range w.operations(t) {
			for name, value := range map[string]string{"Authorization": "Bearer " + raw, "X-Api-Key": raw, "Cookie": "tenon_dev_session=" + raw} {
				r := w.browser(t).request(o.method, o.path, "application/json", nil)
				r.Header.Set(name, value)
				answer := w.browser(t).do(r)
				assert.NotContains(t, strings.ToLower(answer.body), strings.ToLower(email))
				if strings.HasPrefix(o.path, "/list-") || o.path == "/token" {
					assert.Equal(t, answer.StatusCode, http.StatusUnauthorized)
				}
			}
		}
	}, withThirdParty)
}

func TestR16_TheThirdPartyIsNotUs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bundbtest.SQLite(t, tenon.Schemas()...))
	w.cfg.ThirdPartyAudience = base
	_, err := tenon.New(w.cfg)
	assert.ErrorIs(t, err, jwt.ErrConfig)
	assert.Contains(t, err.Error(), "ThirdPartyAudience")
}

// Another process that starts on the same database signs with the same key; one that lost the database says so.
func TestTheKeySetDuringAnOutage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		raw := w.mintAccess(t)
		second, err := tenon.New(w.cfg)
		assert.NoError(t, err)
		_, err = second.AccessTokens.Verify(t.Context(), raw)
		assert.NoError(t, err)
		bundbtest.ClockOf(w.db).Advance(time.Minute)
		assert.NoError(t, w.DB.Close())
		got := w.browser(t).get("/jwks")
		assert.Equal(t, got.StatusCode, http.StatusServiceUnavailable)
		assert.True(t, json.Valid([]byte(got.body)), got.body)
		_, err = w.AccessTokens.Verify(t.Context(), raw)
		assert.True(t, err != nil && !strings.Contains(err.Error(), raw), "no verdict and no token")
	})
}
