package common

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// What tools/commonpasswords prints for the list.
const (
	entries = 60_010
	sum     = "9cfe7bf4004d48ff7f4a5265f8438b304eb508156f94c94543e7679b7e149a6a"
)

// all reads the list from its first byte to its last.
func all(t testing.TB) []string {
	t.Helper()
	var out []string
	var rest string
	for i := range int(number(4)) {
		r := blockAt(i)
		if i > 0 {
			assert.Equal(t, len(r.rest), len(rest))
		}
		for r.next() {
			out = append(out, string(r.entry()))
		}
		rest = r.rest
	}
	assert.Equal(t, rest, "")
	return out
}

func TestTheListIsTheOneThatWasGenerated(t *testing.T) {
	t.Parallel()
	words := all(t)
	assert.Equal(t, len(words), entries)
	assert.Equal(t, len(list), 282_311)
	digest := sha256.Sum256([]byte(strings.Join(words, "\n")))
	assert.Equal(t, hex.EncodeToString(digest[:]), sum)
	assert.True(t, slices.IsSorted(words), "order")
	longEnough := 0
	for _, word := range words {
		assert.True(t, word != "" && len(word) <= longest && word == strings.ToLower(word), word)
		if len(word) >= 8 {
			longEnough++
		}
	}
	assert.Equal(t, longEnough, 41_621)
}

func TestASVS624EveryEntryIsFound(t *testing.T) {
	t.Parallel()
	for _, word := range all(t) {
		if !Contains(word) {
			t.Fatalf("%q is not found", word)
		}
	}
	for _, word := range []string{"123456", "password", "12345678", "qwerty", "iloveyou", "trustno1", "zxcvbnm", "monkey", "pic's", "evaporator", "aaaaaaaaaa"} {
		assert.True(t, Contains(word), word)
	}
}

// neighbours are what a sloppy search would take for word.
func neighbours(word string) []string {
	out := []string{word + "\x00", word + " ", word + "~", strings.ToUpper(word), word[:len(word)-1], word[1:], word + word}
	for _, delta := range []byte{1, 0xff, 0x80} {
		for _, at := range []int{0, len(word) / 2, len(word) - 1} {
			changed := []byte(word)
			changed[at] += delta
			out = append(out, string(changed))
		}
	}
	return out
}

func TestNothingElseIsFound(t *testing.T) {
	t.Parallel()
	words := all(t)
	known := make(map[string]bool, len(words))
	for _, word := range words {
		known[word] = true
	}
	for _, word := range words {
		for _, other := range neighbours(word) {
			if Contains(other) != known[other] {
				t.Fatalf("Contains(%q) is %v", other, !known[other])
			}
		}
	}
	for _, other := range []string{"", "\x00", "\xff", "~~~~~~~~", strings.Repeat("a", 1<<20), "пароль", "correct horse battery staple"} {
		assert.False(t, Contains(other), other)
	}
}

func TestALookupAllocatesNothing(t *testing.T) {
	for _, word := range []string{"password", "zzzzzzzzzzz", "", "qwertyuiop!"} {
		assert.Equal(t, testing.AllocsPerRun(100, func() { Contains(word) }), 0.0)
	}
}

func FuzzContains(f *testing.F) {
	known := map[string]bool{}
	for _, word := range all(f) {
		known[word] = true
	}
	for _, s := range []string{"password", "Password", "", "\xff\xff", "passwordpassword"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if Contains(s) != known[s] {
			t.Fatalf("Contains(%q) is %v", s, !known[s])
		}
	})
}

func BenchmarkContains(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Contains("correcthorse")
	}
}
