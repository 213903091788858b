package bundb_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

var entersSystem = regexp.MustCompile(`\bForSystem\(|\bRowScope\{[^}]*System:`)

// TestR29_TheSystemsScopeIsEnteredInTheseFilesOnly reads the whole tree. Who adds a
// file here says why all organizations' rows have to be open there.
func TestR29_TheSystemsScopeIsEnteredInTheseFilesOnly(t *testing.T) {
	t.Parallel()
	want := []string{
		"bundb/bundbtest/dump.go", // tests look at everything
		"bundb/rowscope.go",       // its definition
	}
	var found []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.ToSlash(path) == "../bundb/doc.go" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err == nil && entersSystem.Match(raw) {
			found = append(found, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return err
	})
	assert.NoError(t, err)
	slices.Sort(found)
	assert.Equal(t, found, want)
}
