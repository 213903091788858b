package family_test

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session/internal/family"
)

// TestDigitsAreThoseOfTheNumber judges base62 by math/big, whose digits have the
// lower case first.
func TestDigitsAreThoseOfTheNumber(t *testing.T) {
	t.Parallel()
	const ours, theirs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for size, width := range map[int]int{4: 6, 8: 11, 16: 22, 32: 43} {
		numbers := [][]byte{make([]byte, size), bytes.Repeat([]byte{0xff}, size), append(make([]byte, size-1), 61)}
		for range 1000 {
			n := make([]byte, size)
			_, err := rand.Read(n)
			assert.NoError(t, err)
			numbers = append(numbers, n)
		}
		for _, n := range numbers {
			var want strings.Builder
			for _, digit := range new(big.Int).SetBytes(n).Text(62) {
				want.WriteByte(ours[strings.IndexRune(theirs, digit)])
			}
			text, back, ok := family.Digits(n, width)
			assert.Equal(t, text, strings.Repeat("0", width-want.Len())+want.String())
			assert.True(t, ok && bytes.Equal(back, n), "it reads what it wrote")
		}
	}
}
