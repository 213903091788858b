package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
)

// root is the repository's, seen from this package.
const root = "../.."

// modulePath is the path of the library.
const modulePath = "github.com/tenon-go/tenon"

// module is the library as it was read.
type module struct {
	pkgs    []pkg
	sources []*source
	queries []query
}

// pkg is what go list says of one package of the library, without its tests.
type pkg struct {
	dir     string // relative to the root, "." for the root package
	imports []string
	deps    []string // all that is linked
	std     map[string]bool
}

// source is one Go file of the library.
type source struct {
	path  string // relative to the root
	test  bool
	set   *token.FileSet
	file  *ast.File
	lines int
}

// query is a piece of text that may be SQL: a .sql file or a string literal.
type query struct{ at, text string }

func (s *source) dir() string { return path.Dir(s.path) }

// kit reports whether the file is a test or belongs to a package of test tools.
func (s *source) kit() bool { return s.test || isTestKit(s.dir()) }

func (s *source) at(p token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.set.Position(p).Line, fmt.Sprintf(format, args...))
}

// importName returns the name by which the file knows the package, "" where it
// does not import it.
func (s *source) importName(importPath string) string {
	for _, spec := range s.file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		switch {
		case err != nil || name != importPath:
		case spec.Name != nil:
			return spec.Name.Name
		default:
			return path.Base(importPath)
		}
	}
	return ""
}

// library reads the module once for all tests.
var library = sync.OnceValues(func() (*module, error) {
	m, err := parseTree(os.DirFS(root))
	if err != nil {
		return nil, err
	}
	m.pkgs, err = listPackages()
	return m, err
})

// listing is a package as go list prints it.
type listing struct {
	ImportPath    string
	Standard      bool
	Imports, Deps []string
	Module        *struct {
		Path, Version string
		Main          bool
	}
}

// goList runs go list over the packages of the library and what they link. A
// package that does not build is the compiler's to report.
func goList(args ...string) ([]listing, error) {
	cmd := exec.Command("go", append([]string{"list", "-e", "-deps", "-json=ImportPath,Standard,Imports,Deps,Module"}, args...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	var all []listing
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listing
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

func listPackages() ([]pkg, error) {
	all, err := goList("./...")
	std := map[string]bool{}
	var pkgs []pkg
	for _, l := range all {
		std[l.ImportPath] = l.Standard
		if l.Module != nil && l.Module.Main {
			pkgs = append(pkgs, pkg{dir: dirOf(l.ImportPath), imports: l.Imports, deps: l.Deps, std: std})
		}
	}
	return pkgs, err
}

// dirOf returns the directory of an import path of the library, "" for others.
func dirOf(importPath string) string {
	if importPath == modulePath {
		return "."
	}
	dir, ok := strings.CutPrefix(importPath, modulePath+"/")
	if !ok {
		return ""
	}
	return dir
}

// parseTree reads the Go and SQL files that belong to the root module.
func parseTree(fsys fs.FS) (*module, error) {
	m := &module{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(fsys, name)
		case strings.HasSuffix(name, ".go"):
			return m.parse(fsys, name)
		case strings.HasSuffix(name, ".sql"):
			text, err := fs.ReadFile(fsys, name)
			m.queries = append(m.queries, query{name, string(text)})
			return err
		}
		return nil
	})
	return m, err
}

// enter skips what is no part of the module.
func enter(fsys fs.FS, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || base == "node_modules" || base[0] == '.' || base[0] == '_' {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (m *module) parse(fsys fs.FS, name string) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	s := &source{path: name, test: strings.HasSuffix(name, "_test.go"), set: token.NewFileSet(), lines: bytes.Count(text, []byte("\n"))}
	s.file, err = parser.ParseFile(s.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	m.sources = append(m.sources, s)
	if !s.kit() {
		m.queries = append(m.queries, literals(s)...)
	}
	return nil
}

// literals returns the strings of s.
func literals(s *source) []query {
	var out []query
	ast.Inspect(s.file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, query{fmt.Sprintf("%s:%d", s.path, s.set.Position(lit.Pos()).Line), text})
			}
		}
		return true
	})
	return out
}
