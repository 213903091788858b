package passwordtest_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/password/passwordtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestCheapHashesVerifyLikeRealOnes(t *testing.T) {
	t.Parallel()
	h := passwordtest.New(t)
	phc, err := h.Hash(t.Context(), "correct horse")
	assert.NoError(t, err)
	decoy, err := h.Decoy(t.Context(), "")
	assert.NoError(t, err)
	assert.Equal(t, len(decoy), len(phc))
	for _, c := range []struct {
		phc, password string
		want          bool
	}{{phc, "correct horse", true}, {phc, "correct horsf", false}, {decoy, "correct horse", false}} {
		match, rehash, err := h.Verify(t.Context(), c.phc, c.password)
		assert.NoError(t, err)
		assert.Equal(t, match, c.want)
		assert.False(t, rehash, c.phc)
	}
	_, _, err = h.Verify(t.Context(), "$cheap$", "x")
	assert.ErrorIs(t, err, password.ErrBadHash)
}

func TestARealHashNeedsARehashAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	cheap, err := passwordtest.New(t).Hash(t.Context(), "x")
	assert.NoError(t, err)
	strong, err := password.New(password.Config{})
	assert.NoError(t, err)
	match, rehash, err := strong.Verify(t.Context(), cheap, "x")
	assert.NoError(t, err)
	assert.True(t, match && rehash, "a cheap hash under the real policy")
	real, err := strong.Hash(t.Context(), "x")
	assert.NoError(t, err)
	match, rehash, err = passwordtest.New(t).Verify(t.Context(), real, "x")
	assert.NoError(t, err)
	assert.True(t, match && rehash, "a real hash under the cheap policy")
}
