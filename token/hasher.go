package token

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/crypto"
)

// Peppers hands out the keys under which tokens are hashed, one per label,
// derived from a rotating root. *crypto.Keyring is one.
// Calls that hit its cache do no I/O.
type Peppers interface {
	// ActiveSubkey returns the key that new hashes use and its id.
	ActiveSubkey(ctx context.Context, purpose, label string) (kid string, key []byte, err error)
	// Subkey returns the key with this id. One that was destroyed for good is a
	// crypto.ErrKeyDestroyed.
	Subkey(ctx context.Context, purpose, label, kid string) ([]byte, error)
}

// Binding is what a hash belongs to besides its token. A hash copied to another
// row, purpose or tenant does not verify there.
type Binding struct {
	Purpose string // what the token opens; also separates the keys
	Row     string // the id of the row that holds the hash
	Tenant  string // the organization that owns the row, empty if none does
}

// Verifier is what a row stores of a token: enough to recognise it with the
// pepper, useless without. MAC is 32 bytes.
type Verifier struct {
	KID string
	MAC []byte
}

// Hasher makes and checks verifiers: HMAC-SHA256 under a pepper of its own per
// purpose, over the length-prefixed domain, purpose, kind, row, tenant,
// selector and secret. Random secrets of 190 bits need no slow hash. It is safe
// for concurrent use.
type Hasher struct{ peppers Peppers }

// NewHasher returns a Hasher that takes its keys from peppers.
func NewHasher(peppers Peppers) *Hasher { return &Hasher{peppers: peppers} }

const (
	hashDomain = "tenon/token/v1"
	keyPurpose = crypto.PurposeToken
	keyLabel   = "verifier/"
)

// Hash returns the verifier of t in this place, under the active pepper.
func (h *Hasher) Hash(ctx context.Context, t Token, b Binding) (Verifier, error) {
	if t.IsZero() || b.Purpose == "" || b.Row == "" {
		return Verifier{}, errBinding
	}
	kid, key, err := h.peppers.ActiveSubkey(ctx, keyPurpose, keyLabel+b.Purpose)
	if err != nil {
		return Verifier{}, fmt.Errorf("token: hash: %w", err)
	}
	return Verifier{KID: kid, MAC: sum(key, t, b)}, nil
}

// Verify returns nil if v was made from t in this place, ErrMismatch if not or
// if its pepper was destroyed, so that nothing will ever match it again, and the
// error of the key store if the pepper cannot be had, which proves nothing either
// way. The comparison takes constant time.
func (h *Hasher) Verify(ctx context.Context, t Token, b Binding, v Verifier) error {
	if t.IsZero() || b.Purpose == "" || b.Row == "" {
		return errBinding
	}
	key, err := h.peppers.Subkey(ctx, keyPurpose, keyLabel+b.Purpose, v.KID)
	if errors.Is(err, crypto.ErrKeyDestroyed) {
		return fmt.Errorf("%w: %w", ErrMismatch, err)
	}
	if err != nil {
		return fmt.Errorf("token: verify: %w", err)
	}
	if !hmac.Equal(sum(key, t, b), v.MAC) {
		return ErrMismatch
	}
	return nil
}

func sum(key []byte, t Token, b Binding) []byte {
	msg := make([]byte, 0, 256)
	for _, field := range [...]string{hashDomain, b.Purpose, string(t.kind), b.Row, b.Tenant, t.Selector(), t.verifier()} {
		msg = appendField(msg, field)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(msg)
	return mac.Sum(msg[:0])
}

// appendField appends s after its length, so that no two lists of fields run
// into the same bytes.
func appendField(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
