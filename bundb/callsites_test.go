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

var entersSystem = regexp.MustCompile(`\b(For|As)System\(|\b(Row)?Scope\{[^}]*System:|\.System = true`)

// TestR29_TheSystemsScopeIsEnteredInTheseFilesOnly reads the whole tree. Who adds a
// file here says why all organizations' rows have to be open there.
func TestR29_TheSystemsScopeIsEnteredInTheseFilesOnly(t *testing.T) {
	t.Parallel()
	want := []string{
		"audit.go",                            // a refusal belongs to the organization that was asked for, whoever asked
		"audit/http.go",                       // superusers read everybody's trail
		"auth/admin/remove.go",                // a deletion takes a user out of all organizations
		"auth/user.go",                        // and so does their own
		"bundb/bundbtest/dump.go",             // tests look at everything
		"bundb/bundbtest/plan.go",             // and at plans without policies
		"bundb/rowscope.go",                   // its definition
		"internal/rowscope/rowscope.go",       // and this
		"notify/notifybun/notifybun.go",       // a deletion takes notifications of all organizations along
		"run.go",                              // the sealer and the cleaning up
		"session/sessionbun/read.go",          // a session's lookup reads the membership before anybody is known
		"tenancy/tenancybun/invitations.go",   // a deletion takes the user out of all invitations
		"tenancy/tenancybun/leave.go",         // and of all organizations; whether two users share one says only that
		"tenancy/tenancybun/organizations.go", // a slug may be any organization's
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
