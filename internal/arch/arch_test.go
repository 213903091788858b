package arch

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

var update = flag.Bool("update", false, "write testdata/modules.txt")

// rule is one thing that holds everywhere.
type rule struct {
	name  string
	check func(*module) []string
}

func rules() []rule {
	return []rule{
		{"problem is standard only", problemIsStandardOnly},
		{"floors point down", floorsPointDown},
		{"features are strangers", featuresAreStrangers},
		{"features know no ORM", featuresKnowNoORM},
		{"modules stay at home", modulesStayAtHome},
		{"the core links no driver", coreLinksNoDriver},
		{"HTTP stays in its files", httpStaysInItsFiles},
		{"R2 only auth opens the door", onlyAuthOpensTheDoor},
		{"no back doors", noBackDoors},
		{"no init", noInit},
		{"no state", noState},
		{"no panic", noPanic},
		{"exported names are documented", documented},
		{"sizes", sizes},
		{"R32 SQL has no clock", sqlHasNoClock},
		{"R32 no wall clock", noWallClock},
		{"no weak randomness", noWeakRandom},
		{"secrets are compared in constant time", constantTime},
		{"nothing left for later", nothingLeftForLater},
	}
}

func TestTheHouseStands(t *testing.T) {
	t.Parallel()
	m := assert.Must(library())(t)
	assert.True(t, len(m.pkgs) > 10 && len(m.sources) > 50, "the library was read")
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, row := range r.check(m) {
				t.Error(row)
			}
		})
	}
}

// TestAllowancesAreUsed keeps the lists of exceptions from outliving their cause.
func TestAllowancesAreUsed(t *testing.T) {
	t.Parallel()
	m := assert.Must(library())(t)
	for _, list := range []map[string]string{sqlClock(), wallClocks(), publicBytes()} {
		for file := range list {
			exists := slices.ContainsFunc(m.sources, func(s *source) bool { return s.path == file })
			assert.True(t, exists, file+" is allowed something and does not exist")
		}
	}
}

// TestLinkedModulesAreTheListedOnes makes a new dependency, direct or indirect, a
// line that somebody reads in a review.
func TestLinkedModulesAreTheListedOnes(t *testing.T) {
	t.Parallel()
	const list = "testdata/modules.txt"
	linked := assert.Must(linkedModules())(t)
	if *update {
		assert.NoError(t, os.WriteFile(list, []byte(linked), 0o600))
	}
	for _, row := range difference(string(assert.Must(os.ReadFile(list))(t)), linked) {
		t.Errorf("%s (see the package comment)", row)
	}
}

// linkedModules returns a line for each module that a package of the library
// links, tests and tools not counted.
func linkedModules() (string, error) {
	all, err := goList("./...")
	lines := []string{}
	for _, l := range all {
		if l.Module != nil && !l.Module.Main {
			lines = append(lines, l.Module.Path+" "+l.Module.Version+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ""), err
}

// difference returns a row for each line that only one of the texts has.
func difference(listed, linked string) []string {
	var rows []string
	has := func(text, line string) bool { return strings.Contains("\n"+text, "\n"+line) }
	for line := range strings.Lines(listed) {
		if !has(linked, line) {
			rows = append(rows, "listed but not linked: "+strings.TrimSpace(line))
		}
	}
	for line := range strings.Lines(linked) {
		if !has(listed, line) {
			rows = append(rows, "linked but not listed: "+strings.TrimSpace(line))
		}
	}
	return rows
}
