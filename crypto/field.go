package crypto

import (
	"encoding/binary"
	"fmt"
	"regexp"
)

// The purposes every installation has. A purpose has its own keys, so one can be rotated or lost without the others.
const (
	PurposeData     = "data"     // sealed columns: TOTP secrets, provider tokens, webhook secrets
	PurposeToken    = "token"    // peppers of opaque tokens, link signatures
	PurposePassword = "password" // sealed password hashes
	PurposeLimit    = "limit"    // names of what is counted; its rotation forgets the counts
)

const (
	maxPlace = 512 // bytes of a row id or tenant id
)

var (
	purposePattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	identifierPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
)

// Column names a sealed column: the table and column of the database, and the purpose whose keys seal it. Declare it once
// beside the model that has the column. Purpose is lower-case letters, digits and hyphens; Table and Column are plain
// SQL identifiers of at most 63 bytes.
type Column struct{ Purpose, Table, Column string }

// Field is the place one value is sealed for. Its parts are authenticated, so a value that is copied to another row,
// column, table or tenant does not open there.
type Field struct {
	Column
	Row    string // primary key of the row, never empty: ids are made before INSERT
	Tenant string // organization that owns the row, empty for rows that belong to no organization
}

// Field returns the place in this column of the row that tenant owns. Tenant may be empty.
func (c Column) Field(row, tenant string) Field {
	return Field{Column: c, Row: row, Tenant: tenant}
}

// String returns "table.column".
func (c Column) String() string { return c.Table + "." + c.Column }

func (c Column) validate() error {
	switch {
	case !purposePattern.MatchString(c.Purpose):
		return fmt.Errorf("crypto: purpose of a column: %w", ErrInvalid)
	case !identifierPattern.MatchString(c.Table), !identifierPattern.MatchString(c.Column):
		return fmt.Errorf("crypto: table or column name: %w", ErrInvalid)
	}
	return nil
}

// validate checks the part of a Field that varies from row to row, and of the rest only that it is there: the patterns
// are applied where columns are registered, which keeps regular expressions off the hot path.
func (f Field) validate() error {
	switch {
	case f.Purpose == "" || f.Table == "" || f.Column.Column == "":
		return fmt.Errorf("crypto: field without purpose, table or column: %w", ErrInvalid)
	case len(f.Purpose) > maxPlace || len(f.Table) > maxPlace || len(f.Column.Column) > maxPlace:
		return fmt.Errorf("crypto: field name too long: %w", ErrInvalid)
	case f.Row == "" || len(f.Row) > maxPlace || len(f.Tenant) > maxPlace:
		return fmt.Errorf("crypto: row or tenant of a field: %w", ErrInvalid)
	}
	return nil
}

// appendPlace appends the authenticated form of f: five strings, each after its length, so that no two places share it.
func (f Field) appendPlace(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(labelField)+len(f.Purpose)))
	dst = append(dst, labelField...)
	dst = append(dst, f.Purpose...)
	dst = appendPart(dst, f.Table)
	dst = appendPart(dst, f.Column.Column)
	dst = appendPart(dst, f.Row)
	return appendPart(dst, f.Tenant)
}

func (f Field) placeSize() int {
	return 5*4 + len(labelField) + len(f.Purpose) + len(f.Table) + len(f.Column.Column) + len(f.Row) + len(f.Tenant)
}

// appendPart appends a 4-byte big-endian length and s.
func appendPart[T string | []byte](dst []byte, s T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
