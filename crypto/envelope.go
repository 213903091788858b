package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

const (
	// Overhead is the number of bytes by which an envelope is longer than its plaintext.
	Overhead = headerSize + nonceSize + tagSize
	// MaxPlaintext is the longest plaintext that can be sealed, in bytes.
	MaxPlaintext = 1 << 20

	version1 = 1
	suite1   = 1 // HKDF-SHA-256, AES-256-GCM, 32-byte commitment

	textPrefix = "tnv1."
)

// keyID is the binary form of Key.ID.
type keyID [idSize]byte

// sealEnvelope makes the bytes described in docs/envelope.md. The salt comes from rand; the nonce always comes from the
// system, because FIPS 140 mode accepts no other.
func sealEnvelope(rand io.Reader, id keyID, dek []byte, f Field, plaintext []byte) ([]byte, error) {
	if len(plaintext) > MaxPlaintext {
		return nil, fmt.Errorf("crypto: seal: %w", ErrTooLarge)
	}
	out := make([]byte, headerSize, Overhead+len(plaintext))
	out[0], out[1] = version1, suite1
	copy(out[2:], id[:])
	salt := out[2+idSize : 2+idSize+saltSize]
	if _, err := io.ReadFull(rand, salt); err != nil {
		return nil, fmt.Errorf("crypto: seal: random salt: %w", err)
	}
	keys, err := expand(dek, labelMessage+string(salt), expandTwice)
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	copy(out[2+idSize+saltSize:], keys[keySize:])
	aead, err := newAEAD(keys[:keySize])
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, nil, plaintext, envelopeAAD(out, f)), nil
}

// openEnvelope checks the commitment, then decrypts. The caller has found dek by the envelope's key id.
func openEnvelope(dek []byte, f Field, sealed []byte) ([]byte, error) {
	if _, err := parseEnvelope(sealed); err != nil {
		return nil, err
	}
	header := sealed[:headerSize]
	salt := header[2+idSize : 2+idSize+saltSize]
	keys, err := expand(dek, labelMessage+string(salt), expandTwice)
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	if subtle.ConstantTimeCompare(keys[keySize:], header[2+idSize+saltSize:]) != 1 {
		return nil, fmt.Errorf("crypto: open: %w", ErrCommitment)
	}
	aead, err := newAEAD(keys[:keySize])
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, sealed[headerSize:], envelopeAAD(header, f))
	if err != nil {
		return nil, fmt.Errorf("crypto: open: %w", ErrAuthentication)
	}
	return plaintext, nil
}

// parseEnvelope checks the fixed part of an envelope and returns its key id. It does no I/O.
func parseEnvelope(sealed []byte) (id keyID, err error) {
	switch {
	case len(sealed) < Overhead || len(sealed) > Overhead+MaxPlaintext:
		return id, fmt.Errorf("crypto: envelope length: %w", ErrMalformed)
	case sealed[0] != version1 || sealed[1] != suite1:
		return id, fmt.Errorf("crypto: envelope version: %w", ErrMalformed)
	}
	return keyID(sealed[2 : 2+idSize]), nil
}

func envelopeAAD(header []byte, f Field) []byte {
	aad := make([]byte, 0, headerSize+f.placeSize())
	return f.appendPlace(append(aad, header...))
}

// newAEAD returns AES-256-GCM that draws its own nonce and puts it in front of the ciphertext.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("crypto: cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("crypto: cipher: %w", err)
	}
	return aead, nil
}

// EncodeText returns the text form of an envelope for JSON and text columns: "tnv1." and unpadded base64url (RFC 4648 §5).
func EncodeText(sealed []byte) string {
	return textPrefix + base64.RawURLEncoding.EncodeToString(sealed)
}

// DecodeText returns the envelope inside its text form. It accepts exactly what EncodeText makes and returns
// [ErrMalformed] for the rest; it does not decrypt.
func DecodeText(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, textPrefix)
	// The decoder skips line breaks, which would give one envelope many texts.
	if !ok || strings.ContainsAny(encoded, "\r\n") {
		return nil, fmt.Errorf("crypto: text form: %w", ErrMalformed)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("crypto: text form: %w", ErrMalformed)
	}
	if _, err := parseEnvelope(sealed); err != nil {
		return nil, err
	}
	return sealed, nil
}

// KeyIDOf returns the id of the key that sealed an envelope, 16 hexadecimal digits, or [ErrMalformed].
func KeyIDOf(sealed []byte) (string, error) {
	id, err := parseEnvelope(sealed)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}
