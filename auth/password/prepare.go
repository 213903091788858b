package password

import (
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Bounds of a password. There are no rules of composition (NIST SP 800-63B,
// ASVS 6.2.5) and nothing is cut off (ASVS 6.2.8).
const (
	MinLength = 8    // characters, after preparation
	MaxLength = 256  // characters, after preparation
	MaxBytes  = 1024 // of input, before anything is done with it
)

// Prepare returns the text to hash for a password that is being set: Normalize,
// then MinLength to MaxLength code points. It answers ErrTooShort, ErrTooLong or
// ErrNotText.
func Prepare(raw string) (string, error) {
	if raw == "" {
		return "", ErrTooShort
	}
	prepared, err := Normalize(raw)
	if err != nil {
		return "", err
	}
	switch n := utf8.RuneCountInString(prepared); {
	case n < MinLength:
		return "", ErrTooShort
	case n > MaxLength:
		return "", ErrTooLong
	}
	return prepared, nil
}

// Normalize returns the text to verify for a password that is being used: PRECIS
// OpaqueString (RFC 8265), which keeps case and spaces and makes the same
// characters from different keyboards the same bytes. It answers ErrTooLong
// above MaxBytes, and ErrNotText.
func Normalize(raw string) (string, error) {
	if len(raw) > MaxBytes {
		return "", ErrTooLong
	}
	if !utf8.ValidString(raw) {
		return "", ErrNotText
	}
	prepared, err := precis.OpaqueString.String(raw)
	if err != nil {
		return "", ErrNotText
	}
	return prepared, nil
}
