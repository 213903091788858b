package crypto

import (
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// State is the life of a data key.
type State string

// A key is inserted pending or active, and moves only in this order. For peppers, decrypt-only means verify-only.
const (
	StatePending     State = "pending"      // stored, not used yet
	StateActive      State = "active"       // seals and opens; at most one for a purpose and tenant
	StateDecryptOnly State = "decrypt-only" // opens what it sealed
	StateDestroyed   State = "destroyed"    // tombstone: the wrapped key is gone
)

// Key is a row of the key table: a data key (DEK) wrapped by the key-encryption key (KEK) of a [KMS].
type Key struct {
	ID         string    // 8 random bytes as 16 lower-case hexadecimal digits
	Purpose    string    // one of Config.Purposes
	Tenant     string    // organization the key belongs to, empty for the shared key of the purpose
	KEK        string    // KMS.URI of the key that wraps it
	KEKVersion string    // version of that key, empty where the KMS has none
	Wrapped    []byte    // the wrapped DEK, bound to id, purpose and tenant; empty once destroyed
	Check      []byte    // 16 bytes derived from the DEK: recognises an unwrapping with the wrong key
	State      State     // authenticated by StateMAC
	StateMAC   []byte    // HMAC-SHA256 under a key derived from the DEK
	Seals      int64     // values sealed so far, as far as flushed; informative
	CreatedAt  time.Time // UTC, microseconds
	RetiredAt  time.Time // when it stopped being active or was destroyed, zero before
}

func (id keyID) String() string { return hex.EncodeToString(id[:]) }

// parseKeyID reads the canonical 16-digit form only, so that one key has one name.
func parseKeyID(s string) (id keyID, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != idSize || hex.EncodeToString(raw) != s {
		return id, fmt.Errorf("crypto: key id: %w", ErrUnknownKey)
	}
	return keyID(raw), nil
}

// kmsContext is what the KMS binds the wrapped key to. A shared key has no tenant entry: some services refuse empty values.
func (k Key) kmsContext() map[string]string {
	c := map[string]string{"use": purposeOfDEK, "id": k.ID, "purpose": k.Purpose}
	if k.Tenant != "" {
		c["tenant"] = k.Tenant
	}
	return c
}

func (k Key) wrapped() Wrapped {
	return Wrapped{KEK: k.KEK, Version: k.KEKVersion, Bytes: k.Wrapped}
}

// stateMAC authenticates everything about a key that a database writer could gain from changing. What wraps it is left
// out, so that a KMS can rewrap without showing the DEK.
func (k Key) stateMAC(dek []byte) ([]byte, error) {
	key, err := expand(dek, labelState, keySize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	msg := appendPart(nil, labelState)
	msg = appendPart(msg, k.ID)
	msg = appendPart(msg, k.Purpose)
	msg = appendPart(msg, k.Tenant)
	msg = appendPart(msg, string(k.State))
	msg = appendTime(msg, k.CreatedAt)
	msg = appendTime(msg, k.RetiredAt)
	return mac(key, msg), nil
}

// verify checks that dek is the key this row was made with and that its state was set by a holder of it.
func (k Key) verify(dek []byte) error {
	check, err := checkValue(dek)
	if err != nil {
		return err
	}
	if !hmac.Equal(check, k.Check) {
		return fmt.Errorf("crypto: check value of key %s: %w", k.ID, ErrKeyringMissing)
	}
	want, err := k.stateMAC(dek)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, k.StateMAC) {
		return fmt.Errorf("crypto: state of key %s: %w", k.ID, ErrKeyTampered)
	}
	return nil
}

// usable says what a row that holds no usable key is, nil if it holds one.
func (k Key) usable() error {
	switch k.State {
	case StateActive, StateDecryptOnly:
		return nil
	case StateDestroyed:
		return fmt.Errorf("crypto: key %s: %w", k.ID, ErrKeyDestroyed)
	}
	return fmt.Errorf("crypto: key %s is %q: %w", k.ID, k.State, ErrUnknownKey)
}

func checkValue(dek []byte) ([]byte, error) { return expand(dek, labelCheck, checkSize) }

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendPart(dst, "")
	}
	return appendPart(dst, binary.BigEndian.AppendUint64(nil, uint64(t.UnixMicro())))
}
