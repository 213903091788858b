package password

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

func TestR7_ADecoyOfEveryKindIsLikeTheRealOne(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{Firebase: firebaseSample()})
	all := foreign()
	firebase, err := ParseFirebase(firebaseHash, firebaseSalt)
	assert.NoError(t, err)
	all[firebase.Stored()] = ""
	for s := range all {
		imported, err := ParseImported(s)
		assert.NoError(t, err)
		first, err := h.Decoy(t.Context(), imported.Kind())
		assert.NoError(t, err)
		second, err := h.Decoy(t.Context(), imported.Kind())
		assert.NoError(t, err)
		assert.NotEqual(t, first, second)
		assert.Equal(t, len(first), len(imported.Stored()))
		decoy, err := parse(first)
		assert.NoError(t, err)
		assert.Equal(t, decoy.params, imported.stored.params)
		assert.Equal(t, len(decoy.salt), len(imported.stored.salt))
		assert.Equal(t, len(decoy.tag), len(imported.stored.tag))
	}
	match, _, err := h.Verify(t.Context(), must(h.Decoy(t.Context(), "$2b$04$16$23")), "x")
	assert.NoError(t, err)
	assert.False(t, match, "a decoy")
}

func must(s string, _ error) string { return s }

func TestADecoyOfNoKindIsAnError(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{})
	for _, kind := range []string{
		"x", "$", "$$$$", "$2b$04$16", "$2b$04$16$", "$2b$04$16$23$", "$2b$16$16$23", "$2b$04$15$23", "$2b$04$016$23", "$2b$04$16$999999",
		"$argon2id$v=19$m=4194304,t=1,p=1$16$32", "$argon2id$v=19$m=64,t=1,p=1$16$0", "$argon2id$v=19$m=64,t=1,p=1$65$32", goodA,
	} {
		_, err := h.Decoy(t.Context(), kind)
		assert.True(t, err != nil, kind)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.Decoy(ended, "$2b$04$16$23")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestR7_TheMixPicksInProportionAndStays(t *testing.T) {
	t.Parallel()
	mix := Mix{"": 700, "$2b$10$16$23": 200, "$2b$12$16$23": 100, "gone": 0, "odd": -5}
	r := rand.New(rand.NewPCG(3, 4))
	picks, counts := make([]uint64, 100_000), map[string]int{}
	for i := range picks {
		picks[i] = r.Uint64()
		counts[mix.Pick(picks[i])]++
	}
	for kind, n := range mix {
		assert.True(t, counts[kind] > 100*max(0, n)-1_500 && counts[kind] < 100*max(0, n)+1_500, kind)
	}
	for _, kind := range []string{"gone", "odd"} {
		assert.Equal(t, counts[kind], 0)
	}
	// With one kind of imported hash, a replaced one takes picks over to the
	// policy's and none the other way.
	before, after := Mix{"": 500, "$2b$10$16$23": 500}, Mix{"": 600, "$2b$10$16$23": 400}
	for _, pick := range picks {
		was, is := before.Pick(pick), after.Pick(pick)
		assert.Equal(t, before.Pick(pick), was)
		assert.True(t, was == is || is == "", "a pick went the wrong way")
	}
	for _, pick := range []uint64{0, 1, 1<<64 - 1} {
		assert.Equal(t, Mix(nil).Pick(pick), "")
		assert.Equal(t, Mix{"": 0}.Pick(pick), "")
		assert.Equal(t, Mix{"$2b$10$16$23": 1}.Pick(pick), "$2b$10$16$23")
	}
}

func FuzzDecoyKind(f *testing.F) {
	for s := range foreign() {
		if imported, err := ParseImported(s); err == nil {
			f.Add(imported.Kind())
		}
	}
	f.Add("$2b$04$16$23$")
	f.Fuzz(func(t *testing.T, kind string) {
		h, err := parseKind(kind)
		if err != nil {
			return
		}
		if got := (Hash{h}).Kind(); got != kind {
			t.Fatalf("%q is read as %q", kind, got)
		}
	})
}
