package arch

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// TestDocumentsNameTestsThatExist holds the tables of docs/security.md to the
// tree: every row names at least one test as `package.TestName` or, for the
// outside judges, as `conformance/file: title`.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	root := assert.Must(filepath.Abs("../.."))(t)
	tests := testNames(t, root)
	document := assert.Must(os.Open(filepath.Join(root, "docs", "security.md")))(t)
	defer document.Close()
	goTest := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz|Example)[A-Za-z0-9_]*)`")
	judge := regexp.MustCompile("`(conformance/[^:`]+): ([^`]+)`")
	rows, lines := 0, bufio.NewScanner(document)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id ") {
			continue
		}
		rows++
		named := 0
		for _, m := range goTest.FindAllStringSubmatch(line, -1) {
			named++
			if !tests[m[1]+"."+m[2]] {
				t.Errorf("docs/security.md:%d: there is no %s.%s", n, m[1], m[2])
			}
		}
		for _, m := range judge.FindAllStringSubmatch(line, -1) {
			named++
			text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m[1])))
			if err != nil || !strings.Contains(string(text), m[2]) {
				t.Errorf("docs/security.md:%d: %s has no test %q", n, m[1], m[2])
			}
		}
		if named == 0 {
			t.Errorf("docs/security.md:%d: the row names no test: %s", n, line)
		}
	}
	assert.NoError(t, lines.Err())
	assert.True(t, rows > 20, "the tables were read")
}

// testNames are the tests of the tree as package directory and function, the
// root's as tenon.TestName.
func testNames(t *testing.T, root string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)[A-Za-z0-9_]*)\(`)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != root):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		if dir = filepath.ToSlash(dir); dir == "." {
			dir = "tenon"
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[dir+"."+m[1]] = true
		}
		return nil
	})
	assert.NoError(t, err)
	return names
}
