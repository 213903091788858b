// Package passwordtest hashes passwords for tests in microseconds instead of
// tens of milliseconds.
package passwordtest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/tenon-go/tenon/auth/password"
)

// cheap are parameters far below every floor, which password.New would refuse.
const cheap = "$argon2id$v=19$m=64,t=1,p=1$"

// Hasher has the methods of a password.Hasher and makes real argon2id strings
// with worthless parameters. It is safe for concurrent use.
type Hasher struct{ real *password.Hasher }

// New returns a Hasher. It is for tests only, hence t.
func New(t testing.TB) *Hasher {
	t.Helper()
	h, err := password.New(password.Config{Algorithm: password.Argon2id})
	if err != nil {
		t.Fatalf("passwordtest: %v", err)
	}
	return &Hasher{real: h}
}

// Hash returns the cheap hash of a prepared password.
func (h *Hasher) Hash(ctx context.Context, prepared string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	return encode(salt, argon2.IDKey([]byte(prepared), salt, 1, 64, 1, 32)), nil
}

// Verify verifies any hash that a password.Hasher verifies. Those that are not
// cheap need a rehash.
func (h *Hasher) Verify(ctx context.Context, hash, prepared string) (match, needsRehash bool, err error) {
	match, _, err = h.real.Verify(ctx, hash, prepared)
	return match, err == nil && !strings.HasPrefix(hash, cheap), err
}

// Import reads what a password.Hasher imports.
func (h *Hasher) Import(s string) (password.Hash, error) { return h.real.Import(s) }

// Decoy returns a hash of kind that no password matches, a cheap one if kind is
// empty.
func (h *Hasher) Decoy(ctx context.Context, kind string) (string, error) {
	if kind != "" {
		return h.real.Decoy(ctx, kind)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	random := make([]byte, 48)
	_, _ = rand.Read(random)
	return encode(random[:16], random[16:]), nil
}

func encode(salt, tag []byte) string {
	return cheap + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(tag)
}
