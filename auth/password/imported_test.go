package password

import (
	"crypto/fips140"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// Firebase's published sample: the README of github.com/firebase/scrypt.
const (
	firebaseSalt = "42xEC+ixf3L2lw=="
	firebaseHash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
)

func firebaseSample() Firebase {
	return Firebase{
		SignerKey:     "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
		SaltSeparator: "Bw==", Rounds: 8, MemCost: 14,
	}
}

const staple = "correct horse battery staple"

// foreign are hashes that other programs made, with their passwords.
func foreign() map[string]string {
	return map[string]string{
		// Openwall's crypt_blowfish 1.3, wrapper.c.
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": "U*U",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK": "U*U*",
		"$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a": "U*U*U",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy": "",
		"$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
		"$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e": "\xff\xff\xa3",
		"$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e": "\xff\xff\xa3",
		// x/crypto/bcrypt's test.
		"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga": "allmine",
		// libxcrypt, by Python's crypt.
		"$2y$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS":        staple,
		"$2b$12$abcdefghijklmnopqrstuu0sDWleciW5uGBGYwxpcgAsh9WK4bWNy":        staple,
		"bcrypt$$2a$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG": staple,
		// Django's tests of its hashers (tests/auth_tests/test_hashers.py).
		"pbkdf2_sha256$30000$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=":                                                "l\u00e8tmein",
		"pbkdf2_sha256$870000$seasalt2$nxgnNHRsZWSmi4hRSKq2MRigfaRmjDhH1NH4g2sQRbU=":                                               "l\u00e8tmein",
		"pbkdf2_sha1$1500000$seasalt2$ep4Ou2hnt2mlvMRsIjUln0Z5MYY=":                                                                "l\u00e8tmein",
		"scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==":        "l\u00e8tmein",
		"scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6ji6ze3Fbb7JEFPKGpuEf5vw==":        "l\u00e8tmein",
		"argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q":                                                       "secret",
		"$scrypt$ln=8,r=8,p=1$WKs1xljLudd6z9kbY0wpJQ$yCR4iDZYDKv+iEJj6yHY0lv/epnfB6f/w1EbXrsJOuQ":                                  "password", // passlib's manual
		"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA":                                    "password", // libargon2's test.c
		"$argon2i$v=19$m=4096,t=3,p=2$c29tZXNhbHRzb21lc2FsdA$/Mt6aNguOFbxXKLKp9Lh7Vyl736GhCcVmb1LP82dxUk":                          staple,     // Debian's argon2
		"pbkdf2:sha256:1000$AbCdEfGhIjKlMnOp$5c6d6cdb09a377be4cd216a7ba877dee5d4a281c1cc35b3bdd8aa5e01d8a3f90":                     staple,     // Python's hashlib, as Werkzeug writes it
		"scrypt:32768:8:1$AbCdEfGhIjKlMnOp$" + werkzeugScrypt:                                                                      staple,
		"16384$8$1$000102030405060708090a0b0c0d0e0f$d7590aca2c9801cf06eeba772a69dc31ce3862591d96522ac4e6bba6ad1f31a5":              staple, // Python's hashlib
		"ed441c82b70c4ca3edce91947a621e06:46af52d36d9b732eb7a655b3f67b8220bc19022e476a94c7d5cc8553c5ebaf31" + betterAuthEnd:        staple, // better-auth 1.7.6
		"fde1ef72cd93596f330ea5e61d46240e:f3ff856cb7645c19f30bd0c628ae4f7a55101011fb24fd37a88e830b38528e14" + betterAuthEndOfOther: "\ufb01ne horse \u2460",
	}
}

const (
	werkzeugScrypt       = "5fedea9bb0fa27ab6d6e27b05a986eeb76ddace506f89535f52d35fdb90197aeaab95c53c274c968ef612deaf864f0ab859f4f24333296f40b28c55e7eb1005e"
	betterAuthEnd        = "c061487f12de02e096f49de714397d314c20f8205eef6cabdaf01e4b8305c616"
	betterAuthEndOfOther = "a6c8fd8893213327bd875b52bd12add57bd020f22ae701c167926bb777e803ee"
)

// skipUnderFIPS skips what FIPS 140 refuses.
func skipUnderFIPS(t *testing.T) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("FIPS 140 refuses short salts and SHA-1")
	}
}

func TestHashesOfOtherSystemsVerifyAndAreReplaced(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	h := newHasher(t, Config{QueueTimeout: time.Minute})
	for s, plain := range foreign() {
		t.Run(s, func(t *testing.T) {
			t.Parallel()
			imported, err := h.Import(s)
			assert.NoError(t, err)
			again, err := ParseImported(imported.Stored())
			assert.NoError(t, err)
			assert.Equal(t, again.Stored(), imported.Stored())
			match, rehash, err := h.Verify(t.Context(), imported.Stored(), plain)
			assert.NoError(t, err)
			assert.True(t, match, "the right password")
			assert.True(t, rehash, "the first sign-in replaces it")
			match, _, err = h.Verify(t.Context(), imported.Stored(), plain+"x")
			assert.NoError(t, err)
			assert.False(t, match, "a wrong password")
			assert.NotContains(t, fmt.Sprint(imported), imported.Stored()[len(imported.Stored())-12:])
		})
	}
}

func TestFirebasesPublishedSample(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	h := newHasher(t, Config{Firebase: firebaseSample()})
	urlSafe := strings.NewReplacer("+", "-", "/", "_", "=", "")
	for _, pair := range [][2]string{{firebaseHash, firebaseSalt}, {urlSafe.Replace(firebaseHash), urlSafe.Replace(firebaseSalt)}} {
		imported, err := ParseFirebase(pair[0], pair[1])
		assert.NoError(t, err)
		_, err = h.Import(imported.Stored())
		assert.NoError(t, err)
		for plain, want := range map[string]bool{"user1password": true, "user1passwore": false, "": false} {
			match, rehash, err := h.Verify(t.Context(), imported.Stored(), plain)
			assert.NoError(t, err)
			assert.Equal(t, match, want)
			assert.True(t, rehash, "the first sign-in replaces it")
		}
		_, err = newHasher(t, Config{}).Import(imported.Stored())
		assert.ErrorIs(t, err, ErrFirebase)
		_, _, err = newHasher(t, Config{}).Verify(t.Context(), imported.Stored(), "user1password")
		assert.ErrorIs(t, err, ErrFirebase)
	}
	other := firebaseSample()
	other.SaltSeparator = "Bg=="
	imported, err := ParseFirebase(firebaseHash, firebaseSalt)
	assert.NoError(t, err)
	match, _, err := newHasher(t, Config{Firebase: other}).Verify(t.Context(), imported.Stored(), "user1password")
	assert.NoError(t, err)
	assert.False(t, match, "another project's parameters")
}

func TestNewRefusesBadFirebaseParameters(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Firebase){
		"no key":      func(f *Firebase) { f.SignerKey = "" },
		"short key":   func(f *Firebase) { f.SignerKey = "AAAA" },
		"not base64":  func(f *Firebase) { f.SignerKey = "%" },
		"separator":   func(f *Firebase) { f.SaltSeparator = "%" },
		"no rounds":   func(f *Firebase) { f.Rounds = 0 },
		"many rounds": func(f *Firebase) { f.Rounds = 9 },
		"no memory":   func(f *Firebase) { f.MemCost = 0 },
		"much memory": func(f *Firebase) { f.MemCost = 15 },
	} {
		f := firebaseSample()
		change(&f)
		_, err := New(Config{Firebase: f})
		assert.True(t, err != nil, name)
		if err != nil {
			assert.NotContains(t, err.Error(), "jxspr8")
		}
	}
}

func TestScryptIsThatOfRFC7914(t *testing.T) {
	t.Parallel()
	skipUnderFIPS(t)
	for _, v := range []struct {
		password, salt string
		ln, r, p       int
		want           string
	}{
		{"", "", 4, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
		{"password", "NaCl", 10, 8, 16, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
		{"pleaseletmein", "SodiumChloride", 14, 8, 1, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
	} {
		p := params{algorithm: scryptPlain}
		p.setScrypt(v.ln, v.r, v.p)
		got, err := p.derive(v.password, []byte(v.salt), 64)
		assert.NoError(t, err)
		assert.Equal(t, hex.EncodeToString(got), v.want)
	}
	// The fourth vector wants 1 GiB, which is beyond the cap.
	_, err := ParseImported("$scrypt$ln=20,r=8,p=1$U29kaXVtQ2hsb3JpZGU$" + tag32)
	assert.ErrorIs(t, err, ErrNotImportable)
}

// ASVS 6.2.8: bcrypt ignores what follows the 72nd byte. Two passwords that differ
// there only must not stand for each other, so neither matches.
func TestASVS628BcryptMatchesNoPasswordThatItSeesInPart(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{})
	const stored = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
	seen := foreign()[stored]
	assert.Equal(t, len(seen), 72)
	for plain, want := range map[string]bool{seen: true, seen + "chars after 72 are ignored": false, seen + "x": false, seen[:71]: false} {
		match, _, err := h.Verify(t.Context(), stored, plain)
		assert.NoError(t, err)
		assert.Equal(t, match, want)
	}
	// What takes its place sees all of it.
	phc, err := h.Hash(t.Context(), seen+"a")
	assert.NoError(t, err)
	match, _, err := h.Verify(t.Context(), phc, seen+"b")
	assert.NoError(t, err)
	assert.False(t, match, "differs at byte 73")
}

// hostile are strings that ask for too much, or are no hash as their system
// writes it.
func hostile() []string {
	const bcryptEnd = "abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
	hexTag := strings.Repeat("ab", 32)
	return []string{
		"", "$", "$$$$$", "password", "plain:text", strings.Repeat("$", 512), strings.Repeat("$", 1<<20), strings.Repeat("a", 1<<20),
		"$2a$16$" + bcryptEnd, "$2a$31$" + bcryptEnd, "$2a$99$" + bcryptEnd, "$2a$03$" + bcryptEnd, "$2a$00$" + bcryptEnd, "$2a$5$" + bcryptEnd, "$2a$005$" + bcryptEnd,
		"$2a$-5$" + bcryptEnd, "$2a$+5$" + bcryptEnd, "$2x$05$" + bcryptEnd, "$2$05$" + bcryptEnd, "$2c$05$" + bcryptEnd, "$1a$05$" + bcryptEnd,
		"$2a$05$" + bcryptEnd + "x", "$2a$05$" + bcryptEnd[1:], "$2a$05$" + bcryptEnd + "\n", " $2a$05$" + bcryptEnd, "$2a$05$" + bcryptEnd[:22] + "$" + bcryptEnd[22:],
		"$2a$05$abcdefghijklmnopqrstuv" + bcryptEnd[22:], // bits that are cut off
		"bcrypt$" + goodA, "bcrypt_sha256$$2b$12$" + bcryptEnd, "argon2$2a$05$" + bcryptEnd, "argon2$" + goodA,
		"$argon2i$v=19$m=262145,t=1,p=1$" + salt16 + "$" + tag32, "$argon2i$v=19$m=262144,t=5,p=1$" + salt16 + "$" + tag32, "$argon2i$v=19$m=65536,t=17,p=1$" + salt16 + "$" + tag32,
		"$argon2i$v=16$m=65536,t=2,p=1$" + salt16 + "$" + tag32, "$argon2d$v=19$m=65536,t=2,p=1$" + salt16 + "$" + tag32, "$argon2i$v=19$m=4294967304,t=1,p=1$" + salt16 + "$" + tag32,
		"$scrypt$ln=19,r=8,p=1$" + salt16 + "$" + tag32, "$scrypt$ln=63,r=8,p=1$" + salt16 + "$" + tag32, "$scrypt$ln=17,r=8,p=5$" + salt16 + "$" + tag32, "$scrypt$ln=14,r=255,p=1$" + salt16 + "$" + tag32,
		"$scrypt$ln=14,r=8,p=17$" + salt16 + "$" + tag32, "$scrypt$ln=0,r=8,p=1$" + salt16 + "$" + tag32, "$scrypt$r=8,ln=14,p=1$" + salt16 + "$" + tag32, "$scrypt$ln=014,r=8,p=1$" + salt16 + "$" + tag32,
		"$scrypt$ln=14,r=8,p=1,x=1$" + salt16 + "$" + tag32, "$scrypt$ln=14,r=8,p=1$AAAA$" + tag32, "$scrypt$ln=14,r=8,p=1$" + salt16 + "$AAAA", "$scrypt$ln=14,r=8,p=1$" + salt16 + "=$" + tag32,
		"scrypt:16385:8:1$saltsalt$" + hexTag, "scrypt:1:8:1$saltsalt$" + hexTag, "scrypt:0:8:1$saltsalt$" + hexTag, "scrypt:4294967296:8:1$saltsalt$" + hexTag, "scrypt:32768:8$saltsalt$" + hexTag,
		"scrypt:32768:8:1$saltsalt$" + strings.ToUpper(hexTag), "scrypt:32768:8:1$$" + hexTag, "scrypt:32768:8:1$saltsalt$" + hexTag[1:], "scrypt:032768:8:1$saltsalt$" + hexTag,
		"1048576$8$1$0001020304050607$" + hexTag, "16384$0$1$0001020304050607$" + hexTag, "16384$8$1$xx$" + hexTag,
		"pbkdf2_sha256$2000001$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=", "pbkdf2_sha256$0$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=",
		"pbkdf2_sha256$-1$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=", "pbkdf2_sha256$030000$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=",
		"pbkdf2_sha256$30000$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew", "pbkdf2_sha256$30000$sea$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=",
		"pbkdf2_sha256$30000$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIz\nYUo651sq57RERew=", "pbkdf2_md5$30000$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=",
		"pbkdf2_sha256$30000$" + strings.Repeat("s", 65) + "$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=",
		"$pbkdf2-sha1$i=2000000$" + salt16 + "$" + tag32, // two blocks of 20 bytes: 4,000,000 iterations
		"$pbkdf2-sha256$2000001$" + salt16 + "$" + tag32, "$pbkdf2-md5$29000$" + salt16 + "$" + tag32, "pbkdf2:sha256$salt$" + hexTag, "pbkdf2:md5:1000$saltsalt$" + hexTag,
		"ED441C82B70C4CA3EDCE91947A621E06:" + strings.Repeat("ab", 64), strings.Repeat("zz", 16) + ":" + strings.Repeat("ab", 64), strings.Repeat("ab", 16) + ":" + strings.Repeat("zz", 64),
		"$firebase-scrypt$AAAA$" + tag32, "$firebase-scrypt$" + salt16, "$firebase-scrypt$" + salt16 + "$" + tag32 + "$x", "$scrypt-nfkc$ln=18,r=16,p=1$" + salt16 + "$" + tag32,
		"$P$B12345678abcdefghijklmnopqrstuv", "$1$abcdefgh$abcdefghijklmnopqrstuv", "$6$rounds=999999999$salt$hash", "5f4dcc3b5aa765d61d8327deb882cf99",
	}
}

// No t.Parallel: it counts what the process allocates.
func TestHostileHashesCostNothing(t *testing.T) {
	h := newHasher(t, Config{})
	for _, s := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseImported(s)
		_, _, verifyErr := h.Verify(t.Context(), s, "x")
		runtime.ReadMemStats(&after)
		name := s[:min(len(s), 80)]
		assert.True(t, errors.Is(err, ErrNotImportable), "import "+name)
		assert.True(t, errors.Is(verifyErr, ErrBadHash), "verify "+name)
		assert.Equal(t, problem.KindOf(err), problem.Invalid)
		assert.True(t, after.TotalAlloc-before.TotalAlloc < 64<<10, name+" made it allocate")
	}
	assert.Equal(t, h.Stats().Hashed, 0)
}

func TestPasslibsPBKDF2IsReadIntoTheStoredForm(t *testing.T) {
	t.Parallel()
	dotted := strings.ReplaceAll(tag32, "+", ".")
	for in, want := range map[string]string{
		"$pbkdf2-sha256$29000$" + salt16 + "$" + dotted:                "$pbkdf2-sha256$i=29000$" + salt16 + "$" + tag32,
		"$pbkdf2-sha512$25000$" + salt16 + "$" + dotted:                "$pbkdf2-sha512$i=25000$" + salt16 + "$" + tag32,
		"$pbkdf2$131000$" + salt16 + "$" + dotted:                      "$pbkdf2-sha1$i=131000$" + salt16 + "$" + tag32,
		"$2y$10$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS": "$2b$10$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS",
		goodA: goodA,
		goodP: goodP,
	} {
		got, err := ParseImported(in)
		assert.NoError(t, err)
		assert.Equal(t, got.Stored(), want)
	}
	_, err := ParseImported("$pbkdf2-sha256$29000$" + salt16 + "$" + tag32) // a plus is not theirs
	assert.ErrorIs(t, err, ErrNotImportable)
}

func TestImportedHashesTakeSlotsByTheirMemory(t *testing.T) {
	t.Parallel()
	h := newHasher(t, Config{Algorithm: Argon2id, Firebase: firebaseSample()})
	for s, want := range map[string]int64{
		"$2b$12$abcdefghijklmnopqrstuu0sDWleciW5uGBGYwxpcgAsh9WK4bWNy": 1,
		"$scrypt$ln=17,r=8,p=1$" + salt16 + "$" + tag32:                7, // 128 MiB in shares of 19
		"$scrypt$ln=14,r=8,p=5$" + salt16 + "$" + tag32:                1,
		"$argon2i$v=19$m=65536,t=3,p=4$" + salt16 + "$" + tag32:        4,
		"$firebase-scrypt$" + salt16 + "$" + tag32:                     1,
	} {
		stored, err := parse(s)
		assert.NoError(t, err)
		assert.True(t, h.weight(stored.params) == want, fmt.Sprint(s, h.weight(stored.params)))
	}
	small := newHasher(t, Config{Algorithm: Argon2id, Memory: 7 << 10, Time: 5, Firebase: firebaseSample()})
	assert.Equal(t, small.weight(params{algorithm: firebase}), 3) // 16 MiB in shares of 7
}

func TestUnderFIPSWhatIsRefusedSaysSo(t *testing.T) {
	t.Parallel()
	if !fips140.Enforced() {
		t.Skip("run with GODEBUG=fips140=only")
	}
	h := newHasher(t, Config{Firebase: firebaseSample()})
	for s, want := range map[string]error{
		"pbkdf2_sha1$1000$AbCdEfGhIjKlMnOp$ep4Ou2hnt2mlvMRsIjUln0Z5MYY=":            ErrFIPS,
		"pbkdf2_sha256$30000$seasalt2$a75qzbogeVhNFeMqhdgyyoqGKpIzYUo651sq57RERew=": ErrFIPS,
		"$scrypt$ln=8,r=8,p=1$c2FsdHNhbHQ$" + tag32:                                 ErrFIPS,
		"$firebase-scrypt$c2FsdHNhbHQ$" + tag32:                                     ErrFIPS,
		"$scrypt$ln=8,r=8,p=1$" + salt16 + "$" + tag32:                              nil,
		"$pbkdf2-sha256$i=1000$" + salt16 + "$" + tag32:                             nil,
		"$2y$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS":              nil,
		"$argon2i$v=19$m=4096,t=3,p=2$c29tZXNhbHRzb21lc2FsdA$" + tag32:              nil,
	} {
		_, err := h.Import(s)
		assert.True(t, errors.Is(err, want), s)
		parsed, err := ParseImported(s)
		assert.NoError(t, err)
		_, _, err = h.Verify(t.Context(), parsed.Stored(), "x")
		assert.True(t, errors.Is(err, want), s)
	}
}

func FuzzParseImported(f *testing.F) {
	for s := range foreign() {
		f.Add(s)
	}
	for _, s := range hostile() {
		f.Add(s[:min(len(s), 600)])
	}
	f.Fuzz(func(t *testing.T, s string) {
		imported, err := ParseImported(s)
		if err != nil {
			return
		}
		stored, err := parse(imported.Stored())
		if err != nil || !stored.bounded() {
			t.Fatalf("%q was imported as %q, which is not verified", s, imported.Stored())
		}
		kind, err := parseKind(imported.Kind())
		if err != nil || kind.params != stored.params || len(kind.salt) != len(stored.salt) || len(kind.tag) != len(stored.tag) {
			t.Fatalf("%q is of kind %q, which is read as %v (%v)", s, imported.Kind(), kind, err)
		}
	})
}
