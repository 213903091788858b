package jwt_test

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token/jwt"
)

func TestWhatWasMintedIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims, err := w.Verify(t.Context(), mint(t, w.Service, w.claims()))
	assert.NoError(t, err)
	want := w.claims()
	want.IssuedAt = w.clock.Now().Truncate(time.Second)
	want.ExpiresAt = want.IssuedAt.Add(10*time.Minute + time.Second) // rounded up
	want.ID = claims.ID
	assert.Equal(t, claims, want)
	assert.Len(t, []rune(claims.ID), 36)
	again, err := w.Verify(t.Context(), mint(t, w.Service, w.claims()))
	assert.NoError(t, err)
	assert.NotEqual(t, again.ID, claims.ID)
}

func TestMintTakesTheClaimsItIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.clock.Now().Truncate(time.Second)
	want := jwt.Claims{
		Subject: "é\"<\u2028", SessionID: "s", Epoch: 1<<53 - 1, IssuedAt: now.Add(-time.Minute), ExpiresAt: now.Add(time.Second), ID: "id",
	}
	got, err := w.Verify(t.Context(), mint(t, w.Service, want))
	assert.NoError(t, err)
	assert.Equal(t, got, want)
}
