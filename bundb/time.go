package bundb

import (
	"database/sql"
	"fmt"
	"time"
)

// ScanTime returns a destination for Scan that reads a time column of either
// database into dst, as UTC. NULL becomes the zero time. SQLite keeps times as
// text and does not always say that a column is one, as with RETURNING and MAX.
func ScanTime(dst *time.Time) sql.Scanner { return timeScanner{dst} }

type timeScanner struct{ dst *time.Time }

// Target returns where the time goes, for a driver that can write it there itself:
// as UTC, and NULL as the zero time.
func (s timeScanner) Target() *time.Time { return s.dst }

// Scan implements sql.Scanner.
func (s timeScanner) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s.dst = time.Time{}
	case time.Time:
		*s.dst = v.UTC()
	case string:
		return s.parse(v)
	case []byte:
		return s.parse(string(v))
	default:
		return fmt.Errorf("bundb: a %T is no time", src)
	}
	return nil
}

func (s timeScanner) parse(text string) error {
	t, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", text)
	if err != nil {
		return fmt.Errorf("bundb: a text column holds no time in the format of SQLite")
	}
	*s.dst = t.UTC()
	return nil
}
