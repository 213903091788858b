package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// split cuts a token into its three parts. It looks at the length first, and allocates nothing (CVE-2025-30204,
// CVE-2025-27144).
func split(raw string) (header, payload, signature string, ok bool) {
	if len(raw) > MaxSize {
		return "", "", "", false
	}
	header, rest, first := strings.Cut(raw, ".")
	payload, signature, second := strings.Cut(rest, ".")
	return header, payload, signature, first && second && strings.IndexByte(signature, '.') < 0
}

// decode reads base64url in its one spelling: without padding, line breaks or bits that say nothing (RFC 7515 §2).
func decode(part string) ([]byte, error) {
	// The decoder of the standard library passes over line breaks, even a strict one.
	if part == "" || strings.ContainsAny(part, "\r\n") {
		return nil, fmt.Errorf("encoding: %w", ErrInvalid)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", ErrInvalid)
	}
	return b, nil
}

// object reads exactly one JSON object in UTF-8, in which no name is there twice (RFC 7515 §4, RFC 7519 §4). Names are
// compared as they are; encoding/json would take EXP for exp.
func object(b []byte) (map[string]json.RawMessage, error) {
	members, err := readObject(b)
	if err != nil || !utf8.Valid(b) {
		return nil, fmt.Errorf("JSON: %w", ErrInvalid)
	}
	return members, nil
}

var errSyntax = errors.New("jwt: not one object without repetitions")

func readObject(b []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errSyntax
	}
	members := make(map[string]json.RawMessage, 8)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errSyntax
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errSyntax
		}
		if _, twice := members[name]; twice {
			return nil, errSyntax
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, errSyntax
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errSyntax
	}
	return members, nil
}

// text returns the string that raw is, and false where it is anything else.
func text(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}
