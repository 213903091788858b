package passwordless

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

// digits is the length of a code, which are equally many codes: 20 bits, nearly
// (ASVS 6.5.4), which is why guesses are counted as they are.
const (
	digits   = 6
	allCodes = 1_000_000
)

// maxReads bounds the reads for one code. A sound source needs a second read once
// in some four thousand codes.
const maxReads = 64

var errEntropy = errors.New("passwordless: the random source is broken")

// newCode returns six digits, each of the million combinations as likely as the
// others: what would favour the low ones is thrown away.
func newCode(random io.Reader) (string, error) {
	const fair = (1 << 32) / allCodes * allCodes
	var buf [4]byte
	for range maxReads {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return "", fmt.Errorf("passwordless: make a code: %w", err)
		}
		if n := uint64(binary.BigEndian.Uint32(buf[:])); n < fair {
			return fmt.Sprintf("%0*d", digits, n%allCodes), nil
		}
	}
	return "", errEntropy
}

// cleanCode returns what a person typed without the spaces around it, and false if
// that is no code.
func cleanCode(typed string) (string, bool) {
	typed = strings.TrimSpace(typed)
	return typed, len(typed) == digits && strings.Trim(typed, "0123456789") == ""
}

// labelCode names the key of the codes.
const labelCode = "mailed-code"

// seal returns what the row keeps of a code: a MAC under a key that is not in the
// database, over the digits and all that decides what they do.
func (s *Service) seal(ctx context.Context, c Code, code string) (token.Verifier, error) {
	kid, key, err := s.cfg.Peppers.ActiveSubkey(ctx, crypto.PurposeToken, labelCode)
	if err != nil {
		return token.Verifier{}, fmt.Errorf("passwordless: key of the codes: %w", err)
	}
	return token.Verifier{KID: kid, MAC: mac(key, c, code)}, nil
}

// fits reports whether code is the one of c. The comparison takes constant time.
func (s *Service) fits(ctx context.Context, c Code, code string) (bool, error) {
	key, err := s.cfg.Peppers.Subkey(ctx, crypto.PurposeToken, labelCode, c.Verifier.KID)
	if errors.Is(err, crypto.ErrKeyDestroyed) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("passwordless: key of a code: %w", err)
	}
	return hmac.Equal(mac(key, c, code), c.Verifier.MAC), nil
}

func mac(key []byte, c Code, code string) []byte {
	h := hmac.New(sha256.New, key)
	var number [8]byte
	field := func(text string) {
		binary.BigEndian.PutUint64(number[:], uint64(len(text)))
		h.Write(number[:])
		h.Write([]byte(text))
	}
	for _, text := range []string{
		"tenon/code/v1", c.ID, string(c.Flow), string(c.Purpose), c.Email, c.Subject, c.ExpiresAt.UTC().Format(time.RFC3339Nano), code,
	} {
		field(text)
	}
	binary.BigEndian.PutUint64(number[:], uint64(c.SecurityVersion))
	h.Write(number[:])
	return h.Sum(nil)
}
