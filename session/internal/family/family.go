// Package family is the arithmetic of refresh tokens: their text, the tag by
// which one authenticates without a row, and how one makes the next (rule R14).
// It does no I/O. docs/refresh.md specifies what is here, and
// testdata/refresh_v1.json holds its vectors.
package family

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/token"
)

// The parts of a token's text, in base62 digits, after its prefix.
const (
	familyDigits     = 22 // 16 bytes, a UUID
	generationDigits = 6
	kidDigits        = 11 // 8 bytes
	secretDigits     = 43 // 32 bytes
	tagDigits        = 22 // 16 bytes
	checksumDigits   = 6  // 4 bytes

	prefix     = token.Brand + "_" + string(token.KindRefresh) + "_"
	checksumAt = len(prefix) + familyDigits + generationDigits + kidDigits + secretDigits + tagDigits
	// Length is the length of every token's text.
	Length = checksumAt + checksumDigits

	kidSize    = 8
	secretSize = 32
	tagSize    = 16
	maxNumber  = secretSize
	// maxGeneration fits into six digits, and nobody refreshes that often.
	maxGeneration = 1 << 31
)

// SaltSize is the length of the salt of a rotation, in bytes.
const SaltSize = 16

// The labels of the subkeys, one for each of the three jobs.
const (
	LabelNext     = "refresh-next"
	LabelTag      = "refresh-tag"
	LabelVerifier = "refresh-verifier"
)

var (
	// ErrMalformed means that a text is not a refresh token's.
	ErrMalformed = errors.New("family: not a refresh token")
	errName      = errors.New("family: a family is named by a UUID, and a key by 16 hexadecimal digits in lower case")
)

// Keys are the subkeys of one key id, one for each label.
type Keys struct {
	KID                 string
	Next, Tag, Verifier []byte
}

// Token is a refresh token that was parsed or made. Printed it is its family and
// generation only.
type Token struct {
	// Family is the id of the session.
	Family string
	// Generation counts from 1.
	Generation int64
	// KID names the keys under which the token was made.
	KID string

	secret [secretSize]byte
	tag    [tagSize]byte
}

// First makes a family's first token, whose secret is random.
func First(random io.Reader, id string, keys Keys) (Token, error) {
	return Anew(random, id, 1, keys)
}

// Anew makes the token of that generation with a random secret: it follows from
// none before, and whoever held one can't tell it.
func Anew(random io.Reader, id string, generation int64, keys Keys) (Token, error) {
	t := Token{Family: id, Generation: generation, KID: keys.KID}
	if _, err := io.ReadFull(random, t.secret[:]); err != nil {
		return Token{}, fmt.Errorf("family: a random token: %w", err)
	}
	return t.finish(keys)
}

// Next makes the token that follows t. The same salt and keys make the same
// token. It cannot be made without t's secret, which is stored nowhere.
func (t Token) Next(salt []byte, keys Keys) (Token, error) {
	if len(salt) != SaltSize {
		return Token{}, errors.New("family: a salt has 16 bytes")
	}
	next := Token{Family: t.Family, Generation: t.Generation + 1, KID: keys.KID}
	sum(next.secret[:], keys.Next, next, t.secret[:], salt)
	return next.finish(keys)
}

// finish adds the tag.
func (t Token) finish(keys Keys) (Token, error) {
	if !canonicalUUID(t.Family) || !canonicalKID(t.KID) || t.Generation > maxGeneration {
		return Token{}, errName
	}
	sum(t.tag[:], keys.Tag, t, t.secret[:])
	return t, nil
}

// Authentic reports whether the tag is right, which only a holder of the keys
// can have made: t was handed out as this generation of this family.
func (t Token) Authentic(keys Keys) bool {
	var want [tagSize]byte
	sum(want[:], keys.Tag, t, t.secret[:])
	return t.KID == keys.KID && hmac.Equal(want[:], t.tag[:])
}

// Verifier returns what a row stores of t.
func (t Token) Verifier(keys Keys) token.Verifier {
	mac := make([]byte, sha256.Size)
	sum(mac, keys.Verifier, t, t.secret[:])
	return token.Verifier{KID: keys.KID, MAC: mac}
}

// sum fills dst with the first bytes of an HMAC-SHA-256 over the family, the
// generation as eight bytes, and more, each after its length in four bytes, so
// that no two lists of fields run into the same bytes.
func sum(dst, key []byte, t Token, more ...[]byte) {
	msg := make([]byte, 0, 128)
	msg = appendField(msg, t.Family)
	msg = appendField(msg, binary.BigEndian.AppendUint64(nil, uint64(t.Generation)))
	for _, field := range more {
		msg = appendField(msg, field)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(msg)
	copy(dst, mac.Sum(nil))
}

func appendField[T string | []byte](dst []byte, field T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(field)))
	return append(dst, field...)
}

// Text returns the token's text, to be handed to its owner.
func (t Token) Text() token.Secret {
	// Neither fails: Parse and finish have seen them.
	id, _ := uuid.Parse(t.Family)
	kid, _ := hex.DecodeString(t.KID)
	text := make([]byte, 0, Length)
	text = append(text, prefix...)
	text = appendNumber(text, id[:], familyDigits)
	text = appendNumber(text, binary.BigEndian.AppendUint64(nil, uint64(t.Generation)), generationDigits)
	text = appendNumber(text, kid, kidDigits)
	text = appendNumber(text, t.secret[:], secretDigits)
	text = appendNumber(text, t.tag[:], tagDigits)
	text = appendNumber(text, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(text)), checksumDigits)
	return token.NewSecret(string(text))
}

// Parse accepts raw if it is, to the byte, the text of a refresh token with the
// right checksum, and says ErrMalformed otherwise. That proves nothing: see
// Authentic. Its work is bounded whatever raw is.
func Parse(raw string) (Token, error) {
	if len(raw) != Length || raw[:len(prefix)] != prefix {
		return Token{}, ErrMalformed
	}
	var (
		t        Token
		id       uuid.UUID
		count    [8]byte
		kid      [kidSize]byte
		checksum [crc32.Size]byte
		rest     = raw[len(prefix):]
	)
	for _, part := range []struct {
		into  []byte
		width int
	}{
		{id[:], familyDigits},
		{count[:], generationDigits},
		{kid[:], kidDigits},
		{t.secret[:], secretDigits},
		{t.tag[:], tagDigits},
		{checksum[:], checksumDigits},
	} {
		if !number(part.into, rest[:part.width]) {
			return Token{}, ErrMalformed
		}
		rest = rest[part.width:]
	}
	t.Family, t.KID = id.String(), hex.EncodeToString(kid[:])
	t.Generation = int64(binary.BigEndian.Uint64(count[:]))
	if binary.BigEndian.Uint32(checksum[:]) != crc32.ChecksumIEEE([]byte(raw[:checksumAt])) ||
		t.Generation == 0 || t.Generation > maxGeneration {
		return Token{}, ErrMalformed
	}
	return t, nil
}

// Selector returns how a row names the family in the column that is unique over
// the tokens of all kinds.
func Selector(id string) (string, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return "", errName
	}
	return string(appendNumber(nil, parsed[:], familyDigits)), nil
}

// String returns the family and generation.
func (t Token) String() string { return fmt.Sprintf("%s%s#%d…", prefix, t.Family, t.Generation) }

// Format writes String's text whatever the verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

func canonicalUUID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

func canonicalKID(kid string) bool {
	raw, err := hex.DecodeString(kid)
	return err == nil && len(raw) == kidSize && hex.EncodeToString(raw) == kid
}
