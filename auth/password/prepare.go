package password

import (
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Bounds of a password; a Policy may ask for more than MinLength. There are no
// rules of composition (NIST SP 800-63B-4, ASVS 6.2.5) and nothing is cut off
// (ASVS 6.2.8).
const (
	MinLength = 8    // characters, after preparation
	MaxLength = 256  // characters, after preparation
	MaxBytes  = 1024 // of input, before anything is done with it
)

// Normalize returns the text to verify for a password that is being used; for one
// that is being set there is Policy.Prepare. It is PRECIS OpaqueString (RFC 8265),
// which keeps case and spaces and makes the same characters from different
// keyboards the same bytes. What it returns is what stored hashes were made of, so
// it stays as it is. It answers ErrTooLong above MaxBytes, and ErrNotText.
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
