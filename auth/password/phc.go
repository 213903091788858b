package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// The algorithms that are verified. New hashes are Argon2id or PBKDF2SHA256; the
// others come from elsewhere, see ParseImported.
const (
	Argon2id     = "argon2id"
	PBKDF2SHA256 = "pbkdf2-sha256"

	argon2i      = "argon2i"
	pbkdf2SHA1   = "pbkdf2-sha1"
	pbkdf2SHA512 = "pbkdf2-sha512"
	scryptPlain  = "scrypt"
	// scryptNFKC is scrypt of the password in Unicode's form NFKC, as better-auth
	// makes it.
	scryptNFKC = "scrypt-nfkc"
	// firebase has its parameters in the Hasher's configuration.
	firebase = "firebase-scrypt"
	bcrypt2a = "2a"
	bcrypt2b = "2b"
	bcrypt2y = "2y"
)

// Caps on what a stored string may ask for. They hold for strings that this
// package did not write: imported ones and rows that someone changed.
const (
	maxMemory     = 256 << 10 // KiB: 256 MiB
	maxTime       = 16        // passes of argon2
	maxThreads    = 16        // lanes of argon2, p of scrypt
	maxWork       = 1 << 20   // KiB written by argon2 in all passes: 1 GiB
	maxIterations = 2_000_000 // of PBKDF2, over all blocks of the tag
	maxScryptWork = 1 << 19   // KiB written by scrypt in all: 512 MiB
	maxBlock      = 64        // r of scrypt
	minCost       = 4         // of bcrypt
	maxCost       = 15        // of bcrypt: about two seconds
	minSalt       = 8         // bytes
	minShortSalt  = 4         // bytes, of PBKDF2 and scrypt from elsewhere
	maxSalt       = 64
	minTag        = 16
	maxTag        = 64
	maxPHC        = 256 // bytes of the whole string
)

// params say how a hash is made.
type params struct {
	algorithm  string
	memory     uint32 // KiB
	time       uint32 // passes, argon2
	threads    uint8  // lanes of argon2, p of scrypt
	iterations int    // pbkdf2
	cost       uint8  // of bcrypt; scrypt's logarithm of N
	block      uint8  // r of scrypt
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
	if parts := strings.Split(s, "$"); len(parts) > 3 && parts[0] == "" {
		h, ok = parseParts(parts[1], parts[2:])
	}
	// Writing it again refuses every other spelling at once: leading zeros,
	// line breaks that base64 skips, bits that are cut off.
	if !ok || !h.bounded() || h.encode() != s {
		return hash{}, ErrBadHash
	}
	return h, nil
}

// parseParts reads what follows the name of the algorithm.
func parseParts(algorithm string, parts []string) (h hash, ok bool) {
	h.algorithm = algorithm
	switch algorithm {
	case Argon2id, argon2i:
		if len(parts) == 4 && parts[0] == "v=19" && h.parseArgon2(parts[1]) {
			return h, h.decode(parts[2], parts[3])
		}
	case PBKDF2SHA256, pbkdf2SHA1, pbkdf2SHA512:
		if len(parts) == 3 {
			h.iterations, ok = number(parts[0], "i=", maxIterations)
			return h, ok && h.decode(parts[1], parts[2])
		}
	case scryptPlain, scryptNFKC:
		if len(parts) == 3 && h.parseScrypt(parts[0]) {
			return h, h.decode(parts[1], parts[2])
		}
	case firebase:
		return h, len(parts) == 2 && h.decode(parts[0], parts[1])
	case bcrypt2a, bcrypt2b, bcrypt2y:
		return h, len(parts) == 2 && h.parseBcrypt(parts[0], parts[1])
	}
	return hash{}, false
}

func (p *params) parseArgon2(s string) bool {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return false
	}
	m, okM := number(fields[0], "m=", maxMemory)
	t, okT := number(fields[1], "t=", maxTime)
	l, okP := number(fields[2], "p=", maxThreads)
	p.memory, p.time, p.threads = uint32(m), uint32(t), uint8(l)
	return okM && okT && okP
}

func (p *params) parseScrypt(s string) bool {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return false
	}
	ln, okN := number(fields[0], "ln=", 20)
	r, okR := number(fields[1], "r=", maxBlock)
	lanes, okP := number(fields[2], "p=", maxThreads)
	p.setScrypt(ln, r, lanes)
	return okN && okR && okP
}

// setScrypt takes bounded numbers. The memory is 128·N·r bytes.
func (p *params) setScrypt(ln, r, lanes int) {
	p.cost, p.block, p.threads = uint8(ln), uint8(r), uint8(lanes)
	p.memory = uint32(max(1, 128*r<<ln/1024))
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
	least := minSalt
	if digestSize(h.algorithm) > 0 || h.algorithm == scryptPlain || h.algorithm == scryptNFKC {
		least = minShortSalt
	}
	if len(h.salt) < least || len(h.salt) > maxSalt || len(h.tag) < minTag || len(h.tag) > maxTag || h.memory > maxMemory {
		return false
	}
	switch h.algorithm {
	case Argon2id, argon2i:
		return h.memory >= 8*uint32(h.threads) && uint64(h.memory)*uint64(h.time) <= maxWork
	case PBKDF2SHA256, pbkdf2SHA1, pbkdf2SHA512:
		size := digestSize(h.algorithm)
		return h.iterations*((len(h.tag)+size-1)/size) <= maxIterations
	case scryptPlain, scryptNFKC:
		return uint64(h.memory)*uint64(h.threads) <= maxScryptWork
	}
	return true
}

// encode returns the PHC string.
func (h hash) encode() string {
	if h.isBcrypt() {
		return h.head() + bcryptBase64().EncodeToString(h.salt) + bcryptBase64().EncodeToString(h.tag)
	}
	return h.head() + base64.RawStdEncoding.EncodeToString(h.salt) + "$" + base64.RawStdEncoding.EncodeToString(h.tag)
}

// head returns what stands before the salt.
func (p params) head() string {
	switch p.algorithm {
	case PBKDF2SHA256, pbkdf2SHA1, pbkdf2SHA512:
		return fmt.Sprintf("$%s$i=%d$", p.algorithm, p.iterations)
	case scryptPlain, scryptNFKC:
		return fmt.Sprintf("$%s$ln=%d,r=%d,p=%d$", p.algorithm, p.cost, p.block, p.threads)
	case firebase:
		return "$" + firebase + "$"
	case bcrypt2a, bcrypt2b, bcrypt2y:
		return fmt.Sprintf("$%s$%02d$", p.algorithm, p.cost)
	}
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$", p.algorithm, p.memory, p.time, p.threads)
}
