package password

import (
	"encoding/base64"
	"encoding/hex"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Hash is a hash that was made elsewhere, in the form in which it is stored.
type Hash struct{ stored hash }

// Stored returns the string to seal and store. It is what Verify takes.
func (h Hash) Stored() string { return h.stored.encode() }

// Kind returns how the hash was made, without its salt and tag, which stay
// secret: "$2b$12$16$23". Hashes of one kind cost the same to verify; Hasher.Decoy
// makes another of the kind.
func (h Hash) Kind() string {
	return h.stored.head() + strconv.Itoa(len(h.stored.salt)) + "$" + strconv.Itoa(len(h.stored.tag))
}

// String returns the kind, so that a Hash in a log gives nothing away.
func (h Hash) String() string { return h.Kind() }

// maxImported is how long a foreign spelling may be. None is longer than 300 bytes.
const maxImported = 512

// ParseImported reads a hash that another system made and returns it in the form
// that is stored, or ErrNotImportable. It takes, within the caps of this package:
//
//	bcrypt             $2a$10$… $2b$ $2y$, costs 4 to 15; of 72 bytes, see Hasher.Verify
//	argon2id, argon2i  $argon2id$v=19$m=65536,t=3,p=4$salt$tag; Django's argon2$argon2id$…
//	scrypt             $scrypt$ln=16,r=8,p=1$salt$tag (passlib and others)
//	                   scrypt:32768:8:1$salt$hex (Werkzeug)
//	                   scrypt$16384$salt$8$5$base64 (Django)
//	                   16384$8$1$hex$hex (simple-scrypt)
//	                   hex:hex (better-auth: N 16384, r 16)
//	PBKDF2             pbkdf2_sha256$870000$salt$base64, pbkdf2_sha1$… (Django)
//	                   pbkdf2:sha256:600000$salt$hex (Werkzeug)
//	                   $pbkdf2-sha256$29000$salt$tag (passlib; also -sha512, and $pbkdf2$ for SHA-1)
//	Firebase           $firebase-scrypt$salt$tag, which ParseFirebase makes
//
// Whatever is verified is the prepared password: one that was not in Unicode's
// form NFC when the other system hashed it does not match. It does no work but
// reading. Hasher.Import asks besides whether the Hasher can verify it.
func ParseImported(s string) (Hash, error) {
	if len(s) > maxImported {
		return Hash{}, ErrNotImportable
	}
	stored, err := parse(s)
	if err != nil {
		var ok bool
		if stored, ok = parseForeign(s); !ok {
			return Hash{}, ErrNotImportable
		}
		// The caps and what can be read later are judged in one place, whatever the
		// spelling.
		if stored, err = parse(stored.encode()); err != nil {
			return Hash{}, ErrNotImportable
		}
	}
	if stored.isBcrypt() {
		// The three letters name one algorithm, whose bugs are long gone.
		stored.algorithm = bcrypt2b
	}
	return Hash{stored}, nil
}

// ParseFirebase reads passwordHash and salt of a user as Firebase exports them, in
// either alphabet of base64. Verifying them needs Config.Firebase.
func ParseFirebase(passwordHash, salt string) (Hash, error) {
	if len(passwordHash)+len(salt) > maxImported {
		return Hash{}, ErrNotImportable
	}
	urlSafe := strings.NewReplacer("-", "+", "_", "/")
	unpadded := func(s string) string { return strings.TrimRight(urlSafe.Replace(s), "=") }
	return ParseImported("$" + firebase + "$" + unpadded(salt) + "$" + unpadded(passwordHash))
}

// Import is ParseImported for this Hasher: it answers ErrFirebase and ErrFIPS for
// what Verify could not verify here.
func (h *Hasher) Import(s string) (Hash, error) {
	imported, err := ParseImported(s)
	if err != nil {
		return Hash{}, err
	}
	if err := h.allowed(imported.stored); err != nil {
		return Hash{}, err
	}
	return imported, nil
}

// parseForeign reads the spellings that are not PHC's.
func parseForeign(s string) (hash, bool) {
	if rest, ok := strings.CutPrefix(s, "argon2$"); ok {
		h, err := parse("$" + rest)
		return h, err == nil && !h.isBcrypt()
	}
	if rest, ok := strings.CutPrefix(s, "bcrypt$"); ok {
		h, err := parse(rest)
		return h, err == nil && h.isBcrypt()
	}
	if salt, tag, ok := strings.Cut(s, ":"); ok && len(salt) == 32 && len(tag) == 128 {
		return parseBetterAuth(salt, tag)
	}
	parts := strings.Split(s, "$")
	switch name, _, _ := strings.Cut(parts[0], ":"); {
	case len(parts) == 4 && strings.HasPrefix(name, "pbkdf2_"):
		return parsePBKDF2("pbkdf2-"+name[len("pbkdf2_"):], parts[1], []byte(parts[2]), padded(parts[3]))
	case len(parts) == 3 && name == "pbkdf2":
		return parseWerkzeugPBKDF2(parts)
	case len(parts) == 3 && name == "scrypt":
		return parseWerkzeugScrypt(parts)
	case len(parts) == 6 && parts[0] == "scrypt":
		return parseScrypt(parts[1], parts[3], parts[4], []byte(parts[2]), padded(parts[5]))
	case len(parts) == 5 && parts[0] == "":
		return parsePasslib(parts)
	case len(parts) == 5:
		return parseScrypt(parts[0], parts[1], parts[2], unhex(parts[3]), unhex(parts[4]))
	}
	return hash{}, false
}

// parseBetterAuth reads a salt, of which the digits are used, and a tag.
func parseBetterAuth(salt, tag string) (hash, bool) {
	h, ok := parseScrypt("16384", "16", "1", []byte(salt), unhex(tag))
	h.algorithm = scryptNFKC
	return h, ok && unhex(salt) != nil
}

// parseWerkzeugPBKDF2 reads "pbkdf2:sha256:600000", salt, tag.
func parseWerkzeugPBKDF2(parts []string) (hash, bool) {
	head := strings.Split(parts[0], ":")
	if len(head) != 3 {
		return hash{}, false
	}
	return parsePBKDF2("pbkdf2-"+head[1], head[2], []byte(parts[1]), unhex(parts[2]))
}

// parseWerkzeugScrypt reads "scrypt:32768:8:1", salt, tag.
func parseWerkzeugScrypt(parts []string) (hash, bool) {
	head := strings.Split(parts[0], ":")
	if len(head) != 4 {
		return hash{}, false
	}
	return parseScrypt(head[1], head[2], head[3], []byte(parts[1]), unhex(parts[2]))
}

// parsePasslib reads its form of PBKDF2: no name for the iterations, a dot for the
// plus.
func parsePasslib(parts []string) (hash, bool) {
	name := parts[1]
	if name == "pbkdf2" {
		name = pbkdf2SHA1
	}
	adapted := func(s string) []byte {
		if strings.ContainsAny(s, "+\r\n") {
			return nil
		}
		b, err := base64.RawStdEncoding.Strict().DecodeString(strings.ReplaceAll(s, ".", "+"))
		return found(b, err)
	}
	return parsePBKDF2(name, parts[2], adapted(parts[3]), adapted(parts[4]))
}

func parsePBKDF2(algorithm, iterations string, salt, tag []byte) (hash, bool) {
	known := slices.Contains([]string{PBKDF2SHA256, pbkdf2SHA1, pbkdf2SHA512}, algorithm)
	n, ok := decimal(iterations, maxIterations)
	return hash{params: params{algorithm: algorithm, iterations: n}, salt: salt, tag: tag}, ok && known
}

func parseScrypt(n, r, p string, salt, tag []byte) (hash, bool) {
	count, okN := decimal(n, 1<<20)
	block, okR := decimal(r, maxBlock)
	lanes, okP := decimal(p, maxThreads)
	if !okN || !okR || !okP || bits.OnesCount(uint(count)) != 1 {
		return hash{}, false
	}
	h := hash{params: params{algorithm: scryptPlain}, salt: salt, tag: tag}
	h.setScrypt(bits.TrailingZeros(uint(count)), block, lanes)
	return h, true
}

// decimal reads a number from 1 to most in its one spelling.
func decimal(s string, most uint64) (int, bool) {
	n, ok := number(s, "", most)
	return n, ok && strconv.Itoa(n) == s
}

// unhex and padded answer nil, which is no salt and no tag, for anything else.
func unhex(s string) []byte {
	if strings.ToLower(s) != s {
		return nil
	}
	return found(hex.DecodeString(s))
}

func padded(s string) []byte {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if base64.StdEncoding.EncodeToString(b) != s {
		return nil // with line breaks, which the decoder skips
	}
	return found(b, err)
}

func found(b []byte, err error) []byte {
	if err != nil {
		return nil
	}
	return b
}
