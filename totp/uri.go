package totp

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-go/tenon/token"
)

// Bounds of labels in bytes, so that the longest URI still is a picture that phones
// read.
const (
	maxIssuer  = 64
	maxAccount = 254
)

// URI returns the otpauth URI that an app reads from a QR code or a link, as the
// key-uri-format of Google Authenticator has it. It holds the secret: show it to
// its owner, store and log it nowhere. The issuer is the product's name, the
// account what its user signs in with. It fails with ErrLabel or ErrSecret.
func (s Scheme) URI(secret Secret, issuer, account string) (token.Secret, error) {
	if !ValidIssuer(issuer) || !isLabel(account, maxAccount) {
		return token.Secret{}, ErrLabel
	}
	if secret.IsZero() || s.cfg.Digits == 0 {
		return token.Secret{}, ErrSecret
	}
	// %20 everywhere: several apps show the plus of a form's encoding as it is.
	query := fmt.Sprintf("secret=%s&issuer=%s&algorithm=%s&digits=%d&period=%d",
		secret.Reveal(), escape(issuer), s.cfg.Algorithm, s.cfg.Digits, int(s.cfg.Period.Seconds()))
	return token.NewSecret("otpauth://totp/" + escape(issuer) + ":" + escape(account) + "?" + query), nil
}

// ValidIssuer reports whether URI takes the issuer.
func ValidIssuer(issuer string) bool { return isLabel(issuer, maxIssuer) }

func escape(label string) string { return strings.ReplaceAll(url.QueryEscape(label), "+", "%20") }

// isLabel refuses the colon, which separates issuer from account.
func isLabel(text string, longest int) bool {
	bad := func(r rune) bool { return r == ':' || unicode.IsControl(r) }
	return text != "" && len(text) <= longest && utf8.ValidString(text) && !strings.ContainsFunc(text, bad)
}
