package jwt

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// The types in the header of the two kinds of tokens: one is never taken for the other (RFC 8725 §3.11).
const (
	typeAccess     = "at+jwt" // RFC 9068 §2.1
	typeThirdParty = "JWT"    // RFC 7519 §5.1
)

const (
	// maxText is the length of a text claim in bytes. Three of them, escaped, fit into MaxSize.
	maxText = 255
	// maxNumber is the largest integer that every reader of JSON keeps exact (RFC 8259 §6).
	maxNumber = 1<<53 - 1
	// maxLife is MaxTTL between a beginning that was rounded down and an end that was rounded up.
	maxLife = MaxTTL + time.Second
)

// Claims is what an access token says. On the wire times are whole seconds: Mint rounds the beginning down and the end
// up, so that a token lives at least as long as was asked, and less than a second longer.
type Claims struct {
	Subject   string    // sub: the user's id, at most 255 bytes
	SessionID string    // sid: the public id of the session, at most 255 bytes
	Epoch     int64     // epoch: the security version of the user that the token was made under
	IssuedAt  time.Time // iat
	ExpiresAt time.Time // exp: the first moment at which the token is not valid
	ID        string    // jti: unique, at most 255 bytes
}

// wireClaims is the payload of a token. The order of the fields is that of the bytes.
type wireClaims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	SessionID string `json:"sid,omitempty"`
	Epoch     *int64 `json:"epoch,omitempty"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
}

// wire returns the payload of a token for a third party, which is a part of ours.
func (c Claims) wire(issuer, audience string) wireClaims {
	return wireClaims{
		Issuer: issuer, Audience: audience, Subject: c.Subject,
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), ID: c.ID,
	}
}

// validate checks the claims of every token by the rules that Verify has.
func (c Claims) validate(now time.Time, leeway time.Duration) error {
	switch reason := c.life(now, leeway); {
	case !validText(c.Subject):
		return fmt.Errorf("subject: %w", ErrClaims)
	case !validText(c.ID):
		return fmt.Errorf("id: %w", ErrClaims)
	case reason != "":
		return fmt.Errorf("%s: %w", reason, ErrClaims)
	}
	return nil
}

// validateSession checks the claims that only access tokens have.
func (c Claims) validateSession() error {
	switch {
	case !validText(c.SessionID):
		return fmt.Errorf("session id: %w", ErrClaims)
	case c.Epoch < 0 || c.Epoch > maxNumber:
		return fmt.Errorf("epoch: %w", ErrClaims)
	}
	return nil
}

// life returns why a token of these times is not valid now, or "".
func (c Claims) life(now time.Time, leeway time.Duration) string {
	switch {
	case c.IssuedAt.After(now.Add(leeway)):
		return "made in the future"
	case !c.ExpiresAt.After(c.IssuedAt), c.ExpiresAt.Sub(c.IssuedAt) > maxLife:
		return "no life, or too long a life"
	case !now.Before(c.ExpiresAt):
		return "expired"
	}
	return ""
}

// parseClaims reads the payload of an access token. Each claim must be there once, with its own type; others are not
// looked at, but for nbf, which must be obeyed where it is (RFC 7519 §4.1.5).
func parseClaims(payload []byte, issuer, audience string, latest time.Time) (Claims, error) {
	members, err := object(payload)
	if err != nil {
		return Claims{}, err
	}
	r := reader{members: members}
	r.same("iss", issuer)
	r.same("aud", audience)
	c := Claims{
		Subject: r.text("sub"), SessionID: r.text("sid"), Epoch: r.number("epoch"),
		IssuedAt: r.time("iat"), ExpiresAt: r.time("exp"), ID: r.text("jti"),
	}
	if _, ok := members["nbf"]; ok && r.time("nbf").After(latest) {
		r.fail("nbf")
	}
	if r.err != nil {
		return Claims{}, r.err
	}
	return c, nil
}

// reader takes single claims out of an object and keeps the first error.
type reader struct {
	members map[string]json.RawMessage
	err     error
}

func (r *reader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("claim %s: %w", name, ErrInvalid)
	}
}

func (r *reader) same(name, want string) {
	if got, ok := text(r.members[name]); !ok || got != want {
		r.fail(name)
	}
}

func (r *reader) text(name string) string {
	s, ok := text(r.members[name])
	if !ok || !validText(s) {
		r.fail(name)
	}
	return s
}

// number takes integers written as such: no sign, no fraction, no exponent.
func (r *reader) number(name string) int64 {
	raw := r.members[name]
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || raw[0] == '-' || n > maxNumber {
		r.fail(name)
	}
	return n
}

func (r *reader) time(name string) time.Time { return time.Unix(r.number(name), 0).UTC() }

func validText(s string) bool { return s != "" && len(s) <= maxText && utf8.ValidString(s) }

// validName reports whether s can be an issuer or an audience: text that looks the same in JSON and in a log.
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return s != "" && len(s) <= maxText
}
