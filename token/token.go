package token

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The shape of a token's text, in bytes:
//
//	tnn_<kind 3>_<selector 16><secret 32><checksum 6>
const (
	// Brand opens every token, so that a scanner can find a leaked one.
	Brand = "tnn"
	// Length is the length of every token's text.
	Length = selectorAt + selectorLen + secretLen + checksumLen
	// Pattern is a regular expression that finds tokens of every kind in text.
	// A match is a token only if Parse accepts it: the checksum lets a leak
	// scanner be exact. Refresh tokens are longer and have a pattern in package
	// session.
	Pattern = `\btnn_[a-z]{3}_[0-9A-Za-z]{54}\b`

	kindLen     = 3
	kindAt      = len(Brand) + 1
	selectorAt  = kindAt + kindLen + 1
	selectorLen = 16
	secretLen   = 32
	checksumAt  = selectorAt + selectorLen + secretLen
	checksumLen = 6
	maskedLen   = selectorAt + 6
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Kind is the three lower-case letters that say what a token opens. A token of
// one kind never parses as another.
type Kind string

// The kinds in use. A host may add its own.
const (
	KindSession    Kind = "ses" // opens a browser session
	KindRefresh    Kind = "ref" // rotates a bearer session
	KindOneTime    Kind = "one" // does what its Purpose says
	KindVerify     Kind = "vrf" // proves a mailbox
	KindReset      Kind = "rst" // sets a new password
	KindMagicLink  Kind = "mag" // signs in from a mailed link
	KindInvitation Kind = "inv" // accepts an invitation
	KindChange     Kind = "chg" // confirms a change of address or a deletion
	KindChallenge  Kind = "chl" // continues a sign-in at its second factor
	KindDevice     Kind = "dev" // recognises a device
	KindTrust      Kind = "tru" // spares a device the second step
	KindFlow       Kind = "flw" // ties a flow to the browser that began it
	KindAPIKey     Kind = "key" // authenticates a program
)

// Valid reports whether k is exactly three lower-case ASCII letters.
func (k Kind) Valid() bool {
	if len(k) != kindLen {
		return false
	}
	for i := range len(k) {
		if k[i] < 'a' || k[i] > 'z' {
			return false
		}
	}
	return true
}

// Pattern returns the regular expression that finds tokens of this kind only.
// See the constant of the same name.
func (k Kind) Pattern() string {
	return `\b` + Brand + "_" + string(k) + `_[0-9A-Za-z]{54}\b`
}

// Token is a parsed or freshly generated token. It holds the plaintext and
// shows it to nobody: printed, logged or marshalled it is its masked form. The
// zero value is no token and fails every verification.
type Token struct {
	kind   Kind
	secret Secret
}

// Generate makes a token with about 95 bits of selector and 190 bits of secret,
// each character uniform over the base62 alphabet, from random.
// A nil random is crypto/rand.Reader.
func Generate(random io.Reader, kind Kind) (Token, error) {
	if !kind.Valid() {
		return Token{}, errKind
	}
	if random == nil {
		random = rand.Reader
	}
	buf := make([]byte, 0, Length)
	buf = append(buf, Brand...)
	buf = append(buf, '_')
	buf = append(buf, kind...)
	buf = append(buf, '_')
	buf, err := appendRandom(buf, random, selectorLen+secretLen)
	if err != nil {
		return Token{}, fmt.Errorf("token: generate: %w", err)
	}
	return Token{kind: kind, secret: NewSecret(string(appendChecksum(buf)))}, nil
}

// Parse accepts s if it is, to the byte, a token of this kind with the right
// checksum, and says ErrMalformed otherwise. It does no I/O and its work is
// bounded whatever s is. The checksum keeps junk and typing errors away from
// the database; it is no proof of anything.
func Parse(kind Kind, s string) (Token, error) {
	if len(s) != Length || !kind.Valid() {
		return Token{}, ErrMalformed
	}
	if s[:len(Brand)] != Brand || s[kindAt-1] != '_' || s[kindAt:kindAt+kindLen] != string(kind) || s[selectorAt-1] != '_' {
		return Token{}, ErrMalformed
	}
	if !isBase62(s[selectorAt:]) || !checksumOK(s) {
		return Token{}, ErrMalformed
	}
	return Token{kind: kind, secret: NewSecret(s)}, nil
}

// Kind returns the token's kind.
func (t Token) Kind() Kind { return t.kind }

// Selector returns the part by which a row is looked up. It is not secret.
func (t Token) Selector() string {
	raw := t.secret.Reveal()
	if len(raw) != Length {
		return ""
	}
	return raw[selectorAt : selectorAt+selectorLen]
}

// Secret returns the whole text, to be handed to its owner once.
func (t Token) Secret() Secret { return t.secret }

// IsZero reports whether t is the zero Token.
func (t Token) IsZero() bool { return t.kind == "" }

// verifier returns the part that only the token's owner knows.
func (t Token) verifier() string {
	return t.secret.Reveal()[selectorAt+selectorLen : checksumAt]
}

// String returns the masked form: brand, kind and six characters of the
// selector, which is enough to tell two tokens apart in a log.
func (t Token) String() string {
	raw := t.secret.Reveal()
	if len(raw) != Length {
		return redacted
	}
	return raw[:maskedLen] + "…"
}

// Format writes the masked form whatever the verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText returns the masked form.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// maxReads bounds the reads of one Generate. A sound source needs a second
// read once in many thousand tokens; one that still rejects after this many is
// broken.
const maxReads = 16

var errEntropy = errors.New("the random source is broken")

// appendRandom appends n characters. Bytes that would favour the first letters
// of the alphabet are thrown away.
func appendRandom(dst []byte, random io.Reader, n int) ([]byte, error) {
	const fair = 256 - 256%len(alphabet)
	var chunk [64]byte
	for range maxReads {
		if _, err := io.ReadFull(random, chunk[:]); err != nil {
			return nil, err
		}
		for _, b := range chunk {
			if n == 0 {
				return dst, nil
			}
			if int(b) < fair {
				dst = append(dst, alphabet[int(b)%len(alphabet)])
				n--
			}
		}
	}
	return nil, errEntropy
}

// appendChecksum appends the CRC-32 (IEEE) of everything before it as six
// base62 digits, most significant first.
func appendChecksum(dst []byte) []byte {
	digits := checksumDigits(crc32.ChecksumIEEE(dst))
	return append(dst, digits[:]...)
}

func checksumOK(s string) bool {
	var body [checksumAt]byte
	copy(body[:], s)
	digits := checksumDigits(crc32.ChecksumIEEE(body[:]))
	return string(digits[:]) == s[checksumAt:]
}

func checksumDigits(sum uint32) (digits [checksumLen]byte) {
	for i := checksumLen - 1; i >= 0; i-- {
		digits[i] = alphabet[sum%uint32(len(alphabet))]
		sum /= uint32(len(alphabet))
	}
	return digits
}

func isBase62(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
