package password_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestASVS621LengthIsCountedInCharactersAfterPreparation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, raw string
		want      error
	}{
		{"empty", "", password.ErrTooShort},
		{"7", "abcdefg", password.ErrTooShort},
		{"8", "abcdefgh", nil},
		{"7 of four bytes", strings.Repeat("😀", 7), password.ErrTooShort},
		{"8 of four bytes", strings.Repeat("😀", 8), nil},
		{"8 code points that compose to 7", "abcdefe\u0301", password.ErrTooShort},
		{"256", strings.Repeat("a", 256), nil},
		{"257", strings.Repeat("a", 257), password.ErrTooLong},
		{"256 of four bytes", strings.Repeat("😀", 256), nil},
		{"1025 bytes", strings.Repeat("a", 1025), password.ErrTooLong},
		{"1 MB", strings.Repeat("a", 1<<20), password.ErrTooLong},
	} {
		_, err := password.Prepare(c.raw)
		if c.want == nil {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, c.want)
		assert.Equal(t, problem.KindOf(err), problem.Invalid)
	}
}

func TestASVS625NoRuleOfComposition(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"aaaaaaaa", "12345678", "        ", "пароль пароль", "correct horse battery staple", "🐎🔋📎🐎🔋📎🐎🔋", `"'<>&;--%00\`} {
		got, err := password.Prepare(raw)
		assert.NoError(t, err)
		assert.Equal(t, got, raw)
	}
}

func TestPreparationJoinsWhatKeyboardsWriteDifferently(t *testing.T) {
	t.Parallel()
	composed, err := password.Prepare("caf\u00e9 cr\u00e8me")
	assert.NoError(t, err)
	decomposed, err := password.Prepare("cafe\u0301 cre\u0300me")
	assert.NoError(t, err)
	assert.Equal(t, decomposed, composed)
	wide, err := password.Prepare("caf\u00e9\u3000cr\u00e8me") // ideographic space
	assert.NoError(t, err)
	assert.Equal(t, wide, composed)
	upper, err := password.Prepare("CAF\u00c9 CR\u00c8ME")
	assert.NoError(t, err)
	assert.NotEqual(t, upper, composed)
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"abc\x00defgh", "abcdefgh\n", "abc\tdefgh", "\xff\xfeabcdefgh", "abcdefgh\u0000", "abcdefgh\u200e", "abcdefgh\U000e0041"} {
		_, err := password.Prepare(raw)
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

func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"abcdefgh", "cafe\u0301 cre\u0300me", "\u3000\u3000\u3000\u3000\u3000\u3000\u3000\u3000", "ﬁﬁﬁﬁﬁﬁﬁﬁ", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := password.Prepare(raw)
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(once); n < password.MinLength || n > password.MaxLength {
			t.Fatalf("%q became %d characters", raw, n)
		}
		again, err := password.Prepare(once)
		if err != nil || again != once {
			t.Fatalf("%q became %q, then %q (%v)", raw, once, again, err)
		}
	})
}
