package crypto

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// The labels of every derivation. They are frozen with the format: see docs/envelope.md. No label is a prefix of another.
const (
	labelMessage  = "tenon/envelope/v1/"       // ‖ salt → message key ‖ commitment
	labelField    = "tenon/field/v1/"          // ‖ purpose, first part of the authenticated place
	labelSubkey   = "tenon/subkey/v1/"         // ‖ parts(purpose, label) → subkey
	labelCheck    = "tenon/key-check/v1"       // → check value of a data key
	labelState    = "tenon/key-state/v1"       // → key of the state MAC, and first part of what it covers
	labelIndex    = "tenon/blind-index/v1"     // first part of what a blind index covers
	labelWrap     = "tenon/local-kms/v1/wrap"  // → wrapping key of a local KMS, and first part of its AAD
	labelKEKCheck = "tenon/local-kms/v1/check" // → check value of a local key
	labelKEKID    = "tenon/local-kms/v1/id"    // → public fingerprint of a local key
	labelContext  = "tenon/kms-context/v1"     // first part of an encoded KMS context
	purposeOfDEK  = "tenon/data-key/v1"        // value of the context entry "use"
)

const (
	keySize     = 32
	checkSize   = 16
	maxLabel    = 256
	maxSubkeys  = 64 // cached per key; more are derived each time
	idSize      = 8
	saltSize    = 16
	commitSize  = 32
	nonceSize   = 12
	tagSize     = 16
	macSize     = sha256.Size
	headerSize  = 2 + idSize + saltSize + commitSize
	expandTwice = 2 * keySize
)

// expand is HKDF-Expand (RFC 5869 §2.3) with SHA-256. The key is uniformly random, so the extract step is left out as
// §3.3 allows.
func expand(key []byte, info string, size int) ([]byte, error) {
	out, err := hkdf.Expand(sha256.New, key, info, size)
	if err != nil {
		return nil, fmt.Errorf("crypto: derive: %w", err)
	}
	return out, nil
}

// deriveSubkey returns the 32-byte key of one job under a purpose's data key.
func deriveSubkey(dek []byte, purpose, label string) ([]byte, error) {
	info := make([]byte, 0, len(labelSubkey)+8+len(purpose)+len(label))
	info = append(info, labelSubkey...)
	info = appendPart(info, purpose)
	info = appendPart(info, label)
	return expand(dek, string(info), keySize)
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}
