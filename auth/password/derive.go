package password

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // PBKDF2 with SHA-1 is verified once and then replaced
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"
)

// derive computes a tag of length bytes. It is the expensive part.
func (p params) derive(password string, salt []byte, length int) ([]byte, error) {
	switch p.algorithm {
	case PBKDF2SHA256:
		return pbkdf2.Key(sha256.New, password, salt, p.iterations, length)
	case pbkdf2SHA1:
		return pbkdf2.Key(sha1.New, password, salt, p.iterations, length)
	case pbkdf2SHA512:
		return pbkdf2.Key(sha512.New, password, salt, p.iterations, length)
	case argon2i:
		return argon2.Key([]byte(password), salt, p.time, p.memory, p.threads, uint32(length)), nil
	case scryptNFKC:
		password = norm.NFKC.String(password)
		fallthrough
	case scryptPlain:
		return scrypt.Key([]byte(password), salt, 1<<p.cost, int(p.block), int(p.threads), length)
	}
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, uint32(length)), nil
}

// digestSize is the length of one block of PBKDF2, 0 for what is not PBKDF2.
func digestSize(algorithm string) int {
	switch algorithm {
	case PBKDF2SHA256:
		return sha256.Size
	case pbkdf2SHA1:
		return sha1.Size
	case pbkdf2SHA512:
		return sha512.Size
	}
	return 0
}

// equal compares tags in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// match reports whether stored was made from password. It is the expensive part.
func (h *Hasher) match(stored hash, password string) (bool, error) {
	switch {
	case stored.isBcrypt():
		return stored.matchBcrypt(password)
	case stored.algorithm == firebase:
		return h.firebase.match(stored, password)
	}
	tag, err := h.derive(stored.params, password, stored.salt, len(stored.tag))
	return err == nil && equal(tag, stored.tag), err
}

// allowed answers ErrFIPS for what the enforcement of FIPS 140 refuses inside of
// a derivation, where x/crypto would panic.
func (h *Hasher) allowed(stored hash) error {
	salt := len(stored.salt)
	switch stored.algorithm {
	case firebase:
		if h.firebase == nil {
			return ErrFirebase
		}
		salt += len(h.firebase.separator)
	case Argon2id, argon2i, bcrypt2a, bcrypt2b, bcrypt2y:
		return nil
	}
	if fips140.Enforced() && (salt < 16 || stored.algorithm == pbkdf2SHA1) {
		return ErrFIPS
	}
	return nil
}

// maxBcrypt is how much of a password bcrypt sees.
const maxBcrypt = 72

const (
	bcryptSalt = 22 // characters
	bcryptTag  = 31
)

// bcryptBase64 is bcrypt's own alphabet.
func bcryptBase64() *base64.Encoding {
	return base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding).Strict()
}

func (p params) isBcrypt() bool {
	return p.algorithm == bcrypt2a || p.algorithm == bcrypt2b || p.algorithm == bcrypt2y
}

func (h *hash) parseBcrypt(cost, rest string) bool {
	n, ok := number(strings.TrimPrefix(cost, "0"), "", maxCost)
	if !ok || n < minCost || len(rest) != bcryptSalt+bcryptTag {
		return false
	}
	h.cost, h.memory = uint8(n), 4
	var errSalt, errTag error
	h.salt, errSalt = bcryptBase64().DecodeString(rest[:bcryptSalt])
	h.tag, errTag = bcryptBase64().DecodeString(rest[bcryptSalt:])
	return errSalt == nil && errTag == nil
}

// matchBcrypt never matches a password of which bcrypt would see a part only
// (ASVS 6.2.8): the rest could be anything. It costs the same.
func (h hash) matchBcrypt(password string) (bool, error) {
	seen := password[:min(len(password), maxBcrypt)]
	err := bcrypt.CompareHashAndPassword([]byte(h.encode()), []byte(seen))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil && len(seen) == len(password), err
}

// match computes Firebase's variant of scrypt: its output encrypts the project's
// key, and the result is the hash.
func (f *firebaseKey) match(stored hash, password string) (bool, error) {
	salt := append(append([]byte(nil), stored.salt...), f.separator...)
	key, err := scrypt.Key([]byte(password), salt, 1<<f.params.cost, int(f.params.block), 1, 32)
	if err != nil {
		return false, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false, err
	}
	tag := make([]byte, len(f.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(tag, f.signer)
	return equal(tag, stored.tag), nil
}
