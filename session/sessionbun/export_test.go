package sessionbun

import "github.com/tenon-go/tenon/session"

// FindSQL is the statement of a lookup as it is sent.
func (s *Store) FindSQL() string { return s.find.String() }

// FindTargets are fresh targets for a row of FindSQL.
func FindTargets() []any {
	var (
		row   scanned
		found session.Found
	)
	return appendFound(row.targets(), &found)
}
