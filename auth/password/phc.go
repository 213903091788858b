package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The algorithms that are verified.
const (
	Argon2id     = "argon2id"
	PBKDF2SHA256 = "pbkdf2-sha256"
)

// Caps on what a stored string may ask for. They hold for strings that this
// package did not write: imported ones and rows that someone changed.
const (
	maxMemory     = 256 << 10 // KiB: 256 MiB
	maxTime       = 16        // passes
	maxThreads    = 8         // lanes
	maxWork       = 1 << 20   // KiB written in all passes: 1 GiB
	maxIterations = 2_000_000
	minSalt       = 8 // bytes
	maxSalt       = 64
	minTag        = 16
	maxTag        = 64
	maxPHC        = 256 // bytes of the whole string
)

// params say how a hash is made.
type params struct {
	algorithm  string
	memory     uint32 // KiB, argon2id
	time       uint32 // passes, argon2id
	threads    uint8  // lanes, argon2id
	iterations int    // pbkdf2
}

// hash is a parsed PHC string.
type hash struct {
	params
	salt, tag []byte
}

// parse reads a PHC string in its one canonical form. What it accepts, encode
// writes back to the byte.
func parse(s string) (hash, error) {
	if len(s) > maxPHC {
		return hash{}, ErrBadHash
	}
	var h hash
	var ok bool
	switch parts := strings.Split(s, "$"); {
	case len(parts) == 6 && parts[1] == Argon2id && parts[2] == "v=19":
		h, ok = parseArgon2id(parts[3])
		ok = ok && h.decode(parts[4], parts[5])
	case len(parts) == 5 && parts[1] == PBKDF2SHA256:
		h, ok = parsePBKDF2(parts[2])
		ok = ok && h.decode(parts[3], parts[4])
	}
	// Writing it again refuses every other spelling at once: leading zeros,
	// line breaks that base64 skips, text before the first dollar sign.
	if !ok || !h.bounded() || h.encode() != s {
		return hash{}, ErrBadHash
	}
	return h, nil
}

func parseArgon2id(s string) (hash, bool) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return hash{}, false
	}
	m, okM := number(fields[0], "m=", maxMemory)
	t, okT := number(fields[1], "t=", maxTime)
	p, okP := number(fields[2], "p=", maxThreads)
	return hash{params: params{algorithm: Argon2id, memory: uint32(m), time: uint32(t), threads: uint8(p)}}, okM && okT && okP
}

func parsePBKDF2(s string) (hash, bool) {
	i, ok := number(s, "i=", maxIterations)
	return hash{params: params{algorithm: PBKDF2SHA256, iterations: i}}, ok
}

// number reads prefix and a number from 1 to most.
func number(s, prefix string, most uint64) (int, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return int(n), err == nil && n >= 1 && n <= most
}

func (h *hash) decode(salt, tag string) bool {
	var errSalt, errTag error
	h.salt, errSalt = base64.RawStdEncoding.Strict().DecodeString(salt)
	h.tag, errTag = base64.RawStdEncoding.Strict().DecodeString(tag)
	return errSalt == nil && errTag == nil
}

func (h hash) bounded() bool {
	if len(h.salt) < minSalt || len(h.salt) > maxSalt || len(h.tag) < minTag || len(h.tag) > maxTag {
		return false
	}
	return h.algorithm != Argon2id ||
		(h.memory >= 8*uint32(h.threads) && uint64(h.memory)*uint64(h.time) <= maxWork)
}

// encode returns the PHC string.
func (h hash) encode() string {
	salt, tag := base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.tag)
	if h.algorithm == PBKDF2SHA256 {
		return fmt.Sprintf("$%s$i=%d$%s$%s", h.algorithm, h.iterations, salt, tag)
	}
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s$%s", h.algorithm, h.memory, h.time, h.threads, salt, tag)
}

// derive computes a tag of length bytes. It is the expensive part.
func (p params) derive(password string, salt []byte, length int) ([]byte, error) {
	if p.algorithm == PBKDF2SHA256 {
		return pbkdf2.Key(sha256.New, password, salt, p.iterations, length)
	}
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, uint32(length)), nil
}

// equal compares tags in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
