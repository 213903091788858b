package password_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestASVS625NoRuleOfCompositionHoldsForTextInUse(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"aaaaaaaa", "12345678", "        ", "пароль пароль", "correct horse battery staple", "🐎🔋📎🐎🔋📎🐎🔋", `"'<>&;--%00\`} {
		got, err := password.Normalize(raw)
		assert.NoError(t, err)
		assert.Equal(t, got, raw)
	}
}

func TestPreparationJoinsWhatKeyboardsWriteDifferently(t *testing.T) {
	t.Parallel()
	composed, err := password.Normalize("caf\u00e9 cr\u00e8me")
	assert.NoError(t, err)
	decomposed, err := password.Normalize("cafe\u0301 cre\u0300me")
	assert.NoError(t, err)
	assert.Equal(t, decomposed, composed)
	wide, err := password.Normalize("caf\u00e9\u3000cr\u00e8me") // ideographic space
	assert.NoError(t, err)
	assert.Equal(t, wide, composed)
	upper, err := password.Normalize("CAF\u00c9 CR\u00c8ME")
	assert.NoError(t, err)
	assert.NotEqual(t, upper, composed)
}

// Stored hashes were made of these bytes: another outcome locks their owners out.
func TestTheOutcomeIsFrozen(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"Cafe\u0301":            "Caf\u00e9",
		"\u00a0a\u2003b\u3000c": " a b c", // spaces of other kinds
		"  two  ":               "  two  ",
		"\ufb01ne \uff21\uff10": "\ufb01ne \uff21\uff10", // neither ligatures nor width are folded
		"\u1112\u1161\u11ab":    "\ud55c",
		"\u212b":                "\u00c5",
		"stra\u00dfe \u1e9e":    "stra\u00dfe \u1e9e",
		"\u03c3\u03c2 \u0130i":  "\u03c3\u03c2 \u0130i",
		"👍🏽":                    "👍🏽",
	} {
		got, err := password.Normalize(raw)
		assert.NoError(t, err)
		assert.Equal(t, got, want)
	}
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"abc\x00defgh", "abcdefgh\n", "abc\tdefgh", "\xff\xfeabcdefgh", "abcdefgh\u0000", "abcdefgh\u200e", "abcdefgh\U000e0041"} {
		_, err := password.Normalize(raw)
		assert.ErrorIs(t, err, password.ErrNotText)
		assert.NotContains(t, err.Error(), "abc")
	}
}

func TestNormalizeHasNoLengthPolicyButACap(t *testing.T) {
	t.Parallel()
	got, err := password.Normalize("short")
	assert.NoError(t, err)
	assert.Equal(t, got, "short")
	_, err = password.Normalize(strings.Repeat("a", 1024))
	assert.NoError(t, err)
	_, err = password.Normalize(strings.Repeat("a", 1025))
	assert.ErrorIs(t, err, password.ErrTooLong)
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"abcdefgh", "cafe\u0301 cre\u0300me", "\u3000\u3000\u3000\u3000\u3000\u3000\u3000\u3000", "ﬁﬁﬁﬁﬁﬁﬁﬁ", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := password.Normalize(raw)
		if err != nil {
			return
		}
		if len(raw) > password.MaxBytes || !utf8.ValidString(once) {
			t.Fatalf("%q became %q", raw, once)
		}
		again, err := password.Normalize(once)
		if err != nil || again != once {
			t.Fatalf("%q became %q, then %q (%v)", raw, once, again, err)
		}
	})
}
