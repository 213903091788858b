package bundb_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// asksForTime matches SQL that takes the time from the database.
var asksForTime = regexp.MustCompile(`(?i)\b(now|(clock|statement|transaction)_timestamp|strftime|unixepoch|julianday|datetime)\s*\(|\b(current_(timestamp|time|date)|localtime(stamp)?)\b`)

// TestR32_NoSQLAsksForTheTime reads the SQL files and the string literals of the
// whole tree. The one place is the clock of this package.
func TestR32_NoSQLAsksForTheTime(t *testing.T) {
	t.Parallel()
	root, read := "..", 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		for _, text := range sqlIn(t, path) {
			read++
			if found := asksForTime.FindString(text); found != "" {
				t.Errorf("%s: SQL with %s; times are parameters from the one clock", path, found)
			}
		}
		return nil
	})
	assert.NoError(t, err)
	assert.True(t, read > 100, "the walk finds the tree")
}

func sqlIn(t *testing.T, path string) []string {
	switch {
	case strings.HasSuffix(path, ".sql"):
		raw, err := os.ReadFile(path)
		assert.NoError(t, err)
		return []string{regexp.MustCompile(`--.*`).ReplaceAllString(string(raw), "")}
	case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && filepath.ToSlash(path) != "../bundb/clock.go":
		return literals(path)
	}
	return nil
}

// literals returns the string literals of a Go file. One that does not parse is
// the compiler's business.
func literals(path string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			all = append(all, lit.Value)
		}
		return true
	})
	return all
}

func TestR32_TheSearchFindsWhatItLooksFor(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"at < NOW()", "DEFAULT CURRENT_TIMESTAMP", "strftime('%s')", "datetime('now')", "current_date", "clock_timestamp ()"} {
		assert.True(t, asksForTime.MatchString(sql), sql)
	}
	for _, sql := range []string{"known(x)", "created_at", "snow", "at < ?"} {
		assert.False(t, asksForTime.MatchString(sql), sql)
	}
}
