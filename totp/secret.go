package totp

import (
	"encoding/base32"
	"strings"

	"github.com/tenon-go/tenon/token"
)

// Bounds of a secret in bytes. RFC 4226 4 (R6) demands 128 bits; the longest
// block that HMAC-SHA-1 and SHA-256 take unhashed is 64 bytes.
const (
	minSecret = 16
	maxSecret = 64
)

// Secret is the key that a person's app shares with the server. It never prints
// itself: fmt, JSON and slog show "[redacted]", database/sql refuses it. Reveal
// returns its base32 text, upper case without padding, which is what is sealed.
// The zero value is empty and matches no code.
type Secret struct {
	token.Secret
}

// ParseSecret reads base32 as people and other systems write it: any case,
// spaces between groups, with or without padding. It fails with ErrSecret, and
// for secrets under 128 bits, which RFC 4226 forbids.
func ParseSecret(text string) (Secret, error) {
	text = strings.ToUpper(strings.ReplaceAll(text, " ", ""))
	raw, err := encoding().DecodeString(strings.TrimRight(text, "="))
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder skips line ends
		return Secret{}, ErrSecret
	}
	return newSecret(raw)
}

func newSecret(raw []byte) (Secret, error) {
	if len(raw) < minSecret || len(raw) > maxSecret {
		return Secret{}, ErrSecret
	}
	return Secret{token.NewSecret(encoding().EncodeToString(raw))}, nil
}

func encoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }
