package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// claims is a JSON object as a provider sent it. Names are compared exactly, unlike encoding/json compares them to the
// fields of a struct, and nothing is converted: "true" is no true, and 1 is no text.
type claims map[string]json.RawMessage

var errNoObject = errors.New("not a JSON object")

// parseClaims reads one JSON object and nothing behind it.
func parseClaims(text []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(text, &c); err != nil || c == nil {
		return nil, errNoObject
	}
	return c, nil
}

// at returns the value at a path, nil where there is none. A name with dots in it is found as it is, too.
func (c claims) at(path string) json.RawMessage {
	if v, ok := c[path]; ok {
		return v
	}
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return nil
	}
	return within(c[head], rest)
}

func within(v json.RawMessage, path string) json.RawMessage {
	if inner, err := parseClaims(v); err == nil {
		return inner.at(path)
	}
	head, rest, deeper := strings.Cut(path, ".")
	var list []json.RawMessage
	i, err := strconv.Atoi(head)
	if err != nil || json.Unmarshal(v, &list) != nil || i < 0 || i >= len(list) {
		return nil
	}
	if !deeper {
		return list[i]
	}
	return within(list[i], rest)
}

// text returns a JSON string, "" for everything else.
func (c claims) text(path string) string {
	var s *string
	if json.Unmarshal(c.at(path), &s) != nil || s == nil {
		return ""
	}
	return *s
}

// isTrue reports whether the value is JSON's true: not "true", not 1.
func (c claims) isTrue(path string) bool { return string(bytes.TrimSpace(c.at(path))) == "true" }

var wholeNumber = regexp.MustCompile(`^[1-9][0-9]{0,38}$`)

// identifier returns a JSON string or a positive whole number as text, "" for everything else.
func (c claims) identifier(path string) string {
	if raw := string(bytes.TrimSpace(c.at(path))); wholeNumber.MatchString(raw) {
		return raw
	}
	return c.text(path)
}

// texts returns a JSON string or list of strings.
func (c claims) texts(path string) ([]string, bool) {
	if one := c.text(path); one != "" {
		return []string{one}, true
	}
	var list []string
	if json.Unmarshal(c.at(path), &list) != nil {
		return nil, false
	}
	return list, len(list) > 0
}

// moment reads a NumericDate (RFC 7519), zero where there is none.
func (c claims) moment(path string) time.Time {
	var n *float64
	if json.Unmarshal(c.at(path), &n) != nil || n == nil || *n <= 0 || *n > math.MaxUint32 {
		return time.Time{}
	}
	return time.Unix(int64(*n), 0).UTC()
}
