package route

import (
	"bytes"
	"errors"
	"time"
)

// timeFormat has exactly three fractional digits: the official client misreads
// longer fractions by minutes (R32).
const timeFormat = "2006-01-02T15:04:05.000Z"

var errTime = errors.New("route: not a time like 2026-01-31T09:00:00.000Z")

// Time is a moment as the wire writes it: UTC with exactly three fractional
// digits, "2026-11-21T23:20:00.123Z". What is finer is cut off, so that a time
// never moves into the future. Use a *Time for what may be null.
type Time struct{ time.Time }

// NewTime returns t as the wire writes it.
func NewTime(t time.Time) Time { return Time{t.UTC()} }

// ParseTime reads a time of RFC 3339 with any fraction and offset, between the
// years 0001 and 9999 in UTC.
func ParseTime(s string) (Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return Time{}, errTime
	}
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return Time{}, errTime
	}
	return Time{t}, nil
}

// String returns the time as the wire writes it.
func (t Time) String() string { return t.UTC().Format(timeFormat) }

// MarshalJSON fails for years that have no four digits.
func (t Time) MarshalJSON() ([]byte, error) {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return nil, errTime
	}
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON reads what [ParseTime] reads. null leaves t as it is.
func (t *Time) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	// No escapes: whoever writes a time needs none.
	if len(raw) < 2 || raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return errTime
	}
	parsed, err := ParseTime(string(raw[1 : len(raw)-1]))
	if err == nil {
		*t = parsed
	}
	return err
}
