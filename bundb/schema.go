package bundb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-go/tenon/problem"
)

// What can be wrong with migrations. Each is found before anything is changed.
var (
	// ErrMigrationFiles means that the files of a schema are not complete: a
	// missing up or down, a gap in the numbers, or lists that differ between the
	// databases.
	ErrMigrationFiles = problem.New(problem.Internal, "MIGRATION_FILES", "The migration files are not complete.")
	// ErrMigrationEdited means that a file was changed after it had been applied.
	ErrMigrationEdited = problem.New(problem.Internal, "MIGRATION_EDITED", "An applied migration was edited.")
	// ErrMigrationUnknown means that the database has a migration that this program
	// does not have: a newer version of it was here.
	ErrMigrationUnknown = problem.New(problem.Internal, "MIGRATION_UNKNOWN", "The database is newer than the program.")
	// ErrMigrationGap means that a migration is applied while an earlier one is
	// not.
	ErrMigrationGap = problem.New(problem.Internal, "MIGRATION_GAP", "An earlier migration is missing in the database.")
)

// Schema is the tables of one package. FS holds the directories postgres and
// sqlite, and in each the files 0001_name.up.sql and 0001_name.down.sql, numbered
// without a gap, with the same names in both. A host with a migration tool of its
// own may take the files from FS. An applied file is never edited.
type Schema struct {
	// Name identifies the package, in the table of applied migrations too.
	Name string
	FS   fs.FS
}

// Migration is one step of a schema. Package and Number identify it.
type Migration struct {
	Package string
	Number  int
	Name    string
	// Checksum is the SHA-256 of the up file in hexadecimal, line ends as LF.
	Checksum string
	// AppliedAt is when it was applied; zero where it is not.
	AppliedAt time.Time

	up, down string
}

// String returns the package, number and name, as in "auth 0001_init".
func (m Migration) String() string { return fmt.Sprintf("%s %04d_%s", m.Package, m.Number, m.Name) }

// key identifies a migration.
type key struct {
	pkg    string
	number int
}

func (m Migration) key() key { return key{m.Package, m.Number} }

var (
	fileName   = regexp.MustCompile(`^([0-9]{4})_([a-z0-9_]+)\.(up|down)\.sql$`)
	schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// load reads the migrations of all schemas for one database, in the order of the
// schemas and of their numbers.
func load(dialect Dialect, schemas []Schema) ([]Migration, error) {
	var all []Migration
	seen := map[string]bool{}
	for _, s := range schemas {
		if seen[s.Name] || !schemaName.MatchString(s.Name) || s.FS == nil {
			return nil, fmt.Errorf("bundb: schema %q: twice, without files or misnamed: %w", s.Name, ErrMigrationFiles)
		}
		seen[s.Name] = true
		ms, err := s.load(dialect)
		if err != nil {
			return nil, fmt.Errorf("bundb: schema %q: %w", s.Name, err)
		}
		all = append(all, ms...)
	}
	return all, nil
}

// load reads the directory of one database and compares its list with the other's.
func (s Schema) load(dialect Dialect) ([]Migration, error) {
	dirs := map[Dialect][]Migration{}
	for _, d := range []Dialect{Postgres, SQLite} {
		ms, err := s.read(string(d))
		if err != nil {
			return nil, err
		}
		dirs[d] = ms
	}
	same := func(a, b Migration) bool { return a.Number == b.Number && a.Name == b.Name }
	if !slices.EqualFunc(dirs[Postgres], dirs[SQLite], same) {
		return nil, fmt.Errorf("postgres and sqlite have different lists: %w", ErrMigrationFiles)
	}
	return dirs[dialect], nil
}

func (s Schema) read(dir string) ([]Migration, error) {
	entries, err := fs.ReadDir(s.FS, dir)
	if err != nil {
		return nil, ErrMigrationFiles.With(err)
	}
	var ms []Migration
	for _, e := range entries { // sorted: each down file comes before its up file
		if ms, err = s.add(ms, dir, e.Name()); err != nil {
			return nil, err
		}
	}
	for i, m := range ms {
		if m.Number != i+1 || m.up == "" || m.down == "" {
			return nil, fmt.Errorf("%s/%04d_%s: number or pair missing before or here: %w", dir, m.Number, m.Name, ErrMigrationFiles)
		}
	}
	return ms, nil
}

// add puts one file into its migration, the last of ms or a new one.
func (s Schema) add(ms []Migration, dir, name string) ([]Migration, error) {
	parts := fileName.FindStringSubmatch(name)
	if parts == nil {
		return nil, fmt.Errorf("%s/%s: not a migration's name: %w", dir, name, ErrMigrationFiles)
	}
	raw, err := fs.ReadFile(s.FS, dir+"/"+name)
	if err != nil {
		return nil, ErrMigrationFiles.With(err)
	}
	number, _ := strconv.Atoi(parts[1]) // four digits
	if len(ms) == 0 || ms[len(ms)-1].Number != number || ms[len(ms)-1].Name != parts[2] {
		ms = append(ms, Migration{Package: s.Name, Number: number, Name: parts[2]})
	}
	m := &ms[len(ms)-1]
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	if parts[3] == "down" {
		m.down = text
		return ms, nil
	}
	sum := sha256.Sum256([]byte(text))
	m.up, m.Checksum = text, hex.EncodeToString(sum[:])
	return ms, nil
}

// compare returns which of the migrations are still to be applied. The others are
// checked against what the database says of them.
func compare(all []Migration, applied map[key]Migration) ([]Migration, error) {
	var pending []Migration
	highest, waiting := map[string]int{}, map[string]bool{}
	for _, m := range all {
		highest[m.Package] = m.Number
		a, ok := applied[m.key()]
		switch {
		case !ok:
			pending = append(pending, m)
			waiting[m.Package] = true
		case waiting[m.Package]:
			return nil, fmt.Errorf("bundb: before %s: %w", m, ErrMigrationGap)
		case a.Checksum != m.Checksum || a.Name != m.Name:
			return nil, fmt.Errorf("bundb: %s: %w", m, ErrMigrationEdited)
		}
	}
	for k, a := range applied {
		if top, ok := highest[k.pkg]; ok && k.number > top {
			return nil, fmt.Errorf("bundb: %s: %w", a, ErrMigrationUnknown)
		}
	}
	return pending, nil
}
