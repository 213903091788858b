package passwordless

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"testing"
	"testing/iotest"

	"github.com/tenon-go/tenon/internal/assert"
)

// sequence answers each read of four bytes with the next number.
type sequence []uint32

func (s *sequence) Read(p []byte) (int, error) {
	binary.BigEndian.PutUint32(p, (*s)[0])
	*s = (*s)[1:]
	return 4, nil
}

// All million codes can come, the first and the last included, and what would make
// the low ones likelier is thrown away (ASVS 6.5.4).
func TestASVS_6_5_4_EveryCodeIsAsLikely(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint32]string{
		0: "000000", 1: "000001", 999_999: "999999", 1_000_000: "000000", 4_293_999_999: "999999", 4_293_000_000: "000000",
	} {
		code, err := newCode(&sequence{n})
		assert.NoError(t, err)
		assert.Equal(t, code, want)
	}
	code, err := newCode(&sequence{4_294_967_295, 4_294_000_000, 4_293_999_999})
	assert.NoError(t, err)
	assert.Equal(t, code, "999999")
}

// With 200,000 codes every digit at every place comes about 20,000 times: five
// standard deviations are 671, which chance exceeds once in a million and a half.
func TestASVS_6_5_4_TheDistributionIsFlat(t *testing.T) {
	t.Parallel()
	const n, want, deviation = 200_000, 20_000, 900
	var counts [digits][10]int
	for range n {
		code, err := newCode(rand.Reader)
		assert.NoError(t, err)
		for place, digit := range []byte(code) {
			counts[place][digit-'0']++
		}
	}
	for place := range counts {
		for digit, got := range counts[place] {
			if got < want-deviation || got > want+deviation {
				t.Errorf("digit %d at place %d: %d times, want about %d", digit, place, got, want)
			}
		}
	}
}

func TestABrokenSourceMakesNoCode(t *testing.T) {
	t.Parallel()
	_, err := newCode(bytes.NewReader(bytes.Repeat([]byte{0xff}, 4*maxReads)))
	assert.ErrorIs(t, err, errEntropy)
	_, err = newCode(iotest.ErrReader(errGone))
	assert.ErrorIs(t, err, errGone)
}

func FuzzCleanCode(f *testing.F) {
	for _, typed := range []string{"123456", " 000000\n", "12345", "1234567", "12345a", "１２３４５６", "123 456", "-12345", "+12345", "1e1000"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := cleanCode(typed)
		if !ok {
			return
		}
		if len(code) != digits {
			t.Fatalf("%q was taken for %q", typed, code)
		}
		for _, digit := range []byte(code) {
			if digit < '0' || digit > '9' {
				t.Fatalf("%q was taken for %q", typed, code)
			}
		}
	})
}

// Every field that decides what a code does is part of what it is recognised by,
// and none runs into its neighbour.
func TestACodeIsBoundToItsRow(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	row := Code{ID: "id", Flow: []byte("flow"), Purpose: PurposeSignIn, Email: "a@example.com", Subject: "user", SecurityVersion: 1}
	seen := map[string]string{string(mac(key, row, "123456")): "itself"}
	for name, change := range map[string]func(c *Code){
		"id": func(c *Code) { c.ID = "i" }, "flow": func(c *Code) { c.Flow = []byte("flo") },
		"purpose": func(c *Code) { c.Purpose = PurposeReset }, "address": func(c *Code) { c.Email = "b@example.com" },
		"subject": func(c *Code) { c.Subject = "" }, "version": func(c *Code) { c.SecurityVersion = 2 },
		"end":   func(c *Code) { c.ExpiresAt = c.ExpiresAt.Add(1) },
		"shift": func(c *Code) { c.ID, c.Flow = "idf", []byte("low") },
	} {
		changed := row
		change(&changed)
		sum := string(mac(key, changed, "123456"))
		if other, twice := seen[sum]; twice {
			t.Errorf("%s: the same as %s", name, other)
		}
		seen[sum] = name
	}
	assert.True(t, !bytes.Equal(mac(key, row, "123456"), mac(key, row, "123457")), "the digits count")
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := New(nil, Config{Policy: Policy{NoCodes: true, ResetByCode: true}})
	for _, field := range []string{"store", "Users", "Tokens", "Peppers", "LinkBase", "Now", "ResetByCode"} {
		assert.Contains(t, err.Error(), field)
	}
	_, err = NewHandler(nil, HandlerConfig{})
	assert.Error(t, err)
}
