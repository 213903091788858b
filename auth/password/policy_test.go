package password_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/password/common"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// odd makes texts of n code points that nobody uses.
func odd(n int) string { return strings.Repeat("x7Qz!", n/5+1)[:n] }

func TestASVS621TheShortestPasswordThatIsTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		policy password.Policy
		second bool
		length int
		want   error
	}{
		{"default", password.Policy{}, false, 0, password.ErrTooShort},
		{"default", password.Policy{}, false, 7, password.ErrTooShort},
		{"default", password.Policy{}, false, 8, nil},
		{"default", password.Policy{}, true, 7, password.ErrTooShort},
		{"default", password.Policy{}, true, 8, nil},
		{"default", password.Policy{}, false, 256, nil},
		{"default", password.Policy{}, false, 257, password.ErrTooLong},
		{"NIST", password.NIST(), false, 14, password.ErrTooShort},
		{"NIST", password.NIST(), false, 15, nil},
		{"NIST", password.NIST(), true, 7, password.ErrTooShort},
		{"NIST", password.NIST(), true, 8, nil},
		{"NIST", password.NIST(), true, 257, password.ErrTooLong},
		{"own", password.Policy{MinLength: 12}, true, 11, password.ErrTooShort},
		{"own", password.Policy{MinLength: 12}, true, 12, nil},
	} {
		err := c.policy.Check(t.Context(), password.Candidate{Password: odd(c.length), SecondFactor: c.second})
		if c.want == nil {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, c.want)
		assert.Equal(t, problem.KindOf(err), problem.Invalid)
	}
}

func TestTheMessageNamesThePolicysLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy password.Policy
		second bool
		want   string
	}{
		{password.Policy{}, false, "at least 8 characters"},
		{password.NIST(), false, "at least 15 characters"},
		{password.NIST(), true, "at least 8 characters"},
	} {
		err := c.policy.Check(t.Context(), password.Candidate{Password: "x7Qz!", SecondFactor: c.second})
		failure := assert.ErrorAs[*problem.Error](t, err)
		assert.Contains(t, failure.Message, c.want)
		assert.Equal(t, failure.Code, "PASSWORD_TOO_SHORT")
	}
}

func TestLengthIsCountedInCodePointsWithNothingCutOff(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{strings.Repeat("😀", 8), strings.Repeat("😀", 64), strings.Repeat("😀", 256), odd(256)} {
		prepared, err := password.Policy{}.Prepare(t.Context(), password.Candidate{Password: raw})
		assert.NoError(t, err)
		assert.Equal(t, prepared, raw)
	}
	for raw, want := range map[string]error{
		strings.Repeat("😀", 7): password.ErrTooShort, strings.Repeat("😀", 257): password.ErrTooLong,
		"abcdefe\u0301": password.ErrTooShort, "x7Qz!\tx7Qz!": password.ErrNotText, strings.Repeat("a", 1<<20): password.ErrTooLong,
	} {
		assert.ErrorIs(t, password.Policy{}.Check(t.Context(), password.Candidate{Password: raw}), want)
	}
}

func TestASVS625AnyCodePointsOfLegalLengthPass(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	scripts := [][2]rune{{' ', '~'}, {0xC0, 0x17F}, {0x391, 0x3A1}, {0x410, 0x450}, {0x3041, 0x3096}, {0x4E00, 0x9FA5}, {0xAC00, 0xD7A3}, {0x1F600, 0x1F640}}
	taken := 0
	for range 5_000 {
		runes := make([]rune, 8+r.IntN(249))
		for i := range runes {
			script := scripts[r.IntN(len(scripts))]
			runes[i] = script[0] + rune(r.IntN(int(script[1]-script[0])))
		}
		raw := string(runes)
		prepared, err := password.Normalize(raw)
		if err != nil || utf8.RuneCountInString(prepared) < 8 {
			continue
		}
		taken++
		got, err := password.Policy{}.Prepare(t.Context(), password.Candidate{Password: raw, Email: "grace.hopper@example.com", Name: "Grace Hopper"})
		if utf8.RuneCountInString(prepared) > 256 {
			assert.ErrorIs(t, err, password.ErrTooLong)
			continue
		}
		assert.NoError(t, err)
		assert.Equal(t, got, prepared)
	}
	assert.True(t, taken > 4_500, "too few texts were valid")
	for _, one := range []string{"k", "K", "7", "~", " ", "ж", "字", "é", "😀"} {
		// One kind of character alone is no reason to refuse.
		raw := strings.Repeat(one, 9)
		if err := (password.Policy{}).Check(t.Context(), password.Candidate{Password: raw}); !common.Contains(raw) {
			assert.NoError(t, err)
		}
	}
}

func TestASVS624ACommonPasswordIsRefusedInItsUsualDisguises(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"12345678", "password", "PASSWORD", "PaSsWoRd", "P@ssw0rd", "pa$$w0rd", "Password1", "Password123!", "!!password!!", "iloveyou",
		"trustno1", "evaporator", "1loveyou", "drowssap", "rotaropave", "rot4ropav3", "passwordpassword", "monkeymonkey", "12341234", "pass word", "p a s s w o r d",
		"p\u00e1ssw\u00f6rd", "ｐａｓｓｗｏｒｄ", "sunshine2024", "Qwertyuiop", "qwertyuiop[]", "1nternational",
	} {
		err := password.Policy{}.Check(t.Context(), password.Candidate{Password: raw})
		assert.True(t, errors.Is(err, password.ErrTooCommon), raw)
	}
	for _, raw := range []string{
		"correct horse battery staple", "evaporator and friends", "horse7battery", "xpassword", "password-of-ada's boat", "31415926535897", "sunshine20244",
	} {
		err := password.Policy{}.Check(t.Context(), password.Candidate{Password: raw})
		assert.True(t, err == nil, raw)
	}
}

func TestASVS6211WhatIsKnownOfTheOwnerIsRefused(t *testing.T) {
	t.Parallel()
	policy := password.Policy{Products: []string{"Acme Rockets"}}
	ada := password.Candidate{Email: "ada.lovelace+work@example.com", Name: "Ada K\u00f6nigsberg"}
	for raw, word := range map[string]string{
		"ada.lovelace+work@example.com":     "e-mail",
		"ADA.LOVELACE@EXAMPLE.COM":          "e-mail",
		"ada-lovelace-1815":                 "e-mail",
		"my lovelace engine":                "e-mail",
		"L0ve1ace engine":                   "e-mail",
		"ecalevol engine":                   "e-mail",
		"l.o.v.e.l.a.c.e!":                  "e-mail",
		"ada18151210":                       "", // eight others remain
		"ada1815121":                        "e-mail",
		"adaadaada":                         "e-mail",
		"K\u00f6nigsberg 17360":             "name",
		"konigsberg bridges":                "name",
		"seven bridges of Ko\u0308nigsberg": "name",
		"acme-rockets-4711":                 "site",
		"4cm3r0ck3t5 rule":                  "site",
		"steckor emca rule":                 "", // backwards by word is another text
		"stekcoremca rule":                  "site",
		"rockets are loud":                  "",
		"canada is a wide country":          "",
		"example.com is a site":             "",
	} {
		c := ada
		c.Password = raw
		err := policy.Check(t.Context(), c)
		if word == "" {
			assert.True(t, err == nil, raw)
			continue
		}
		assert.True(t, errors.Is(err, password.ErrTooSimilar), raw)
		failure := assert.ErrorAs[*problem.Error](t, err)
		assert.Contains(t, failure.Message, word)
		assert.NotContains(t, strings.ToLower(failure.Message), "lovelace")
	}
}

func TestWithoutAnythingKnownNothingIsSimilar(t *testing.T) {
	t.Parallel()
	for _, c := range []password.Candidate{
		{}, {Email: "@"}, {Email: "a@b"}, {Email: "no at sign here"}, {Name: "   "}, {Name: "\u0301\u0301\u0301"}, {Email: "....@example.com", Name: "- - -"},
	} {
		c.Password = "correct battery staple"
		assert.NoError(t, password.Policy{Products: []string{"", " ", "x"}}.Check(t.Context(), c))
	}
}

type breaches func(ctx context.Context, prepared string) (bool, error)

func (f breaches) Breached(ctx context.Context, prepared string) (bool, error) {
	return f(ctx, prepared)
}

func TestASVS6212BreachesAreAskedLastAndFailClosed(t *testing.T) {
	t.Parallel()
	var asked []string
	answer, failure := false, error(nil)
	policy := password.Policy{Breaches: breaches(func(_ context.Context, prepared string) (bool, error) {
		asked = append(asked, prepared)
		return answer, failure
	})}
	for _, raw := range []string{"short", "password", "ada lovelace", odd(257), "cafe\u0301\n cre\u0300me"} {
		assert.Error(t, policy.Check(t.Context(), password.Candidate{Password: raw, Name: "Ada Lovelace"}))
	}
	assert.Equal(t, len(asked), 0)
	c := password.Candidate{Password: "cafe\u0301 cre\u0300me"}
	assert.NoError(t, policy.Check(t.Context(), c))
	assert.Equal(t, asked, []string{"caf\u00e9 cr\u00e8me"})
	answer = true
	err := policy.Check(t.Context(), c)
	assert.ErrorIs(t, err, password.ErrCompromised)
	assert.Equal(t, problem.CodeOf(err), "PASSWORD_COMPROMISED")
	answer, failure = false, errors.New("no route")
	err = policy.Check(t.Context(), c)
	assert.ErrorIs(t, err, failure)
	assert.Equal(t, problem.KindOf(err), problem.Unavailable)
}

func TestAPolicyThatIsWrongRefusesEverything(t *testing.T) {
	t.Parallel()
	for _, policy := range []password.Policy{
		{MinLength: 7}, {MinLength: -1}, {MinLength: 65}, {MinLengthSecondFactor: 7}, {MinLengthSecondFactor: 9}, {MinLength: 15, MinLengthSecondFactor: 16},
	} {
		assert.Error(t, policy.Validate())
		assert.Error(t, policy.Check(t.Context(), password.Candidate{Password: odd(30)}))
	}
	for _, policy := range []password.Policy{{}, password.NIST(), {MinLength: 64}, {MinLength: 12, MinLengthSecondFactor: 10}} {
		assert.NoError(t, policy.Validate())
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("correct horse", "ada@example.com", "Ada")
	f.Add("p@ssw0rd", "@", "\u0301")
	f.Add("\xff", "\xff@\xff", "ß")
	f.Fuzz(func(t *testing.T, raw, email, name string) {
		if len(email) > 254 || len(name) > 512 {
			return
		}
		prepared, err := password.Policy{Products: []string{"Acme"}}.Prepare(t.Context(), password.Candidate{Password: raw, Email: email, Name: name})
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%q is answered by %v", raw, err)
			}
			return
		}
		if n := utf8.RuneCountInString(prepared); n < 8 || n > 256 || common.Contains(strings.ToLower(prepared)) {
			t.Fatalf("%q was taken", raw)
		}
	})
}

func BenchmarkPolicy(b *testing.B) {
	c := password.Candidate{Password: "correct horse battery staple", Email: "grace.hopper@example.com", Name: "Grace Hopper"}
	for b.Loop() {
		_ = password.Policy{}.Check(b.Context(), c)
	}
}
