package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// The sizes of the house.
const (
	maxFuncLines     = 60
	maxTestFuncLines = 100
	maxFileLines     = 500
	maxTestFileLines = 700
	maxPackageFiles  = 20
	maxMethods       = 8
)

// inCode applies check to every node of every file that is not a test or a test
// tool.
func (m *module) inCode(check func(s *source, n ast.Node) string) []string {
	var out []string
	for _, s := range m.sources {
		if s.kit() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if n != nil {
				if why := check(s, n); why != "" {
					out = append(out, s.at(n.Pos(), "%s", why))
				}
			}
			return true
		})
	}
	return out
}

// noBackDoors finds what would let a file get around the other rules, which look
// for names.
func noBackDoors(m *module) []string {
	var out []string
	for _, s := range m.sources {
		if s.kit() {
			continue
		}
		seen := map[string]bool{}
		for _, spec := range s.file.Imports {
			if seen[spec.Path.Value] || spec.Path.Value == `"unsafe"` || spec.Name != nil && spec.Name.Name == "." {
				out = append(out, s.at(spec.Pos(), "an import by a dot, twice or of unsafe"))
			}
			seen[spec.Path.Value] = true
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname ") {
					out = append(out, s.at(c.Pos(), "a name of another package by the linker"))
				}
			}
		}
	}
	return out
}

func noInit(m *module) []string {
	return m.inCode(func(_ *source, n ast.Node) string {
		if fn, ok := n.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			return "importing a package does nothing"
		}
		return ""
	})
}

// noState finds package variables other than errors, patterns, embedded files and
// interface assertions.
func noState(m *module) []string {
	var out []string
	for _, s := range m.sources {
		for _, decl := range s.file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR || s.kit() {
				continue
			}
			for _, spec := range gen.Specs {
				if v := spec.(*ast.ValueSpec); isState(s, gen, v) {
					out = append(out, s.at(v.Pos(), "var %s: a package holds no state", v.Names[0].Name))
				}
			}
		}
	}
	return out
}

func isState(s *source, gen *ast.GenDecl, spec *ast.ValueSpec) bool {
	if embeds(gen.Doc) || embeds(spec.Doc) {
		return false
	}
	for i, id := range spec.Names {
		made := ""
		if i < len(spec.Values) {
			made = dotted(spec.Values[i])
		}
		if id.Name != "_" && !isConstant(s, made) {
			return true
		}
	}
	return false
}

// isConstant reports whether what a function made is never changed: an error, with
// a cause or not, or a pattern.
func isConstant(s *source, made string) bool {
	if s.dir() == "problem" {
		made = "problem." + made
	}
	return slices.Contains([]string{"errors.New", "fmt.Errorf", "problem.New", "regexp.MustCompile"}, made) ||
		strings.HasPrefix(made, "problem.New.")
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// dotted is the name of a type, or of the function that is called.
func dotted(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return dotted(e.X)
	case *ast.CallExpr:
		return dotted(e.Fun)
	case *ast.SelectorExpr:
		return dotted(e.X) + "." + e.Sel.Name
	}
	return ""
}

// noPanic lets pass what must go on after it was recovered, and what net/http
// wants for an answer that is cut off. To end the process is a program's right.
func noPanic(m *module) []string {
	var out []string
	for _, s := range m.sources {
		for _, decl := range s.file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || s.kit() {
				continue
			}
			caught := recovered(fn)
			ast.Inspect(fn, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if ok && (panics(call, caught) || exits(call) && floorOf(s.dir()) != floorProgram) {
					out = append(out, s.at(n.Pos(), "a library returns its errors"))
				}
				return true
			})
		}
	}
	return out
}

func panics(call *ast.CallExpr, caught map[string]bool) bool {
	return isName(call.Fun, "panic") && len(call.Args) == 1 && !caught[dotted(call.Args[0])]
}

func exits(call *ast.CallExpr) bool {
	name := dotted(call.Fun)
	return name == "os.Exit" || strings.HasPrefix(name, "log.Fatal") || strings.HasPrefix(name, "log.Panic")
}

// recovered returns what a function may panic with: the names it recovers into.
func recovered(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if ok && len(assign.Lhs) == 1 && len(assign.Rhs) == 1 && dotted(assign.Rhs[0]) == "recover" {
			names[dotted(assign.Lhs[0])] = true
			names["http.ErrAbortHandler"] = true
		}
		return true
	})
	return names
}

// documented finds exported names without a comment.
func documented(m *module) []string {
	var out []string
	for _, s := range m.sources {
		if s.test {
			continue
		}
		for _, decl := range s.file.Decls {
			for _, id := range bare(decl) {
				out = append(out, s.at(id.Pos(), "%s has no comment that says what it promises", id.Name))
			}
		}
	}
	return out
}

func bare(decl ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Doc.Text() == "" && (decl.Recv == nil || ast.IsExported(receiver(decl))) {
			names = append(names, decl.Name)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			names = append(names, bareSpec(decl, spec)...)
		}
	}
	return slices.DeleteFunc(names, func(id *ast.Ident) bool { return !id.IsExported() })
}

// bareSpec lets a comment above a group speak for its constants and variables,
// but not for the types in it.
func bareSpec(decl *ast.GenDecl, spec ast.Spec) []*ast.Ident {
	above := decl.Doc.Text()
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Doc.Text()+spec.Comment.Text() == "" && (above == "" || decl.Lparen.IsValid()) {
			return []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if above+spec.Doc.Text()+spec.Comment.Text() == "" {
			return slices.Clone(spec.Names)
		}
	}
	return nil
}

func receiver(fn *ast.FuncDecl) string {
	name := ""
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}

// sizes holds functions, files, packages and interfaces to what a person reads
// in one go.
func sizes(m *module) []string {
	var out []string
	files := map[string]int{}
	for _, s := range m.sources {
		funcs, lines := maxFuncLines, maxFileLines
		if s.test {
			funcs, lines = maxTestFuncLines, maxTestFileLines
		} else {
			files[s.dir()]++
		}
		if s.lines > lines {
			out = append(out, fmt.Sprintf("%s: %d lines", s.path, s.lines))
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			out = append(out, s.tooLarge(n, funcs)...)
			return true
		})
	}
	for dir, n := range files {
		if n > maxPackageFiles {
			out = append(out, fmt.Sprintf("%s: %d files", dir, n))
		}
	}
	return out
}

func (s *source) tooLarge(n ast.Node, funcLines int) []string {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Body == nil {
			return nil
		}
		if size := s.set.Position(n.Body.Rbrace).Line - s.set.Position(n.Body.Lbrace).Line - 1; size > funcLines {
			return []string{s.at(n.Pos(), "%s: %d lines", n.Name.Name, size)}
		}
	case *ast.InterfaceType:
		if methods := n.Methods.NumFields(); methods > maxMethods {
			return []string{s.at(n.Pos(), "an interface of %d methods", methods)}
		}
	}
	return nil
}

// asksForTime finds SQL that asks the database for the time.
var asksForTime = regexp.MustCompile(`(?i)\b(now|(clock|statement|transaction)_timestamp|strftime|unixepoch|julianday|datetime)\s*\(|\b(current_(timestamp|time|date)|localtimestamp)\b`)

// sqlClock are the files that may, and why.
func sqlClock() map[string]string {
	return map[string]string{"bundb/clock.go": "the one clock samples the database's (R32)"}
}

func sqlHasNoClock(m *module) []string {
	var out []string
	for _, q := range m.queries {
		file, _, _ := strings.Cut(q.at, ":")
		if sqlClock()[file] == "" && asksForTime.MatchString(q.text) {
			out = append(out, q.at+": times are parameters from the one clock (R32)")
		}
	}
	return out
}

func noWeakRandom(m *module) []string {
	return m.inCode(func(_ *source, n ast.Node) string {
		if spec, ok := n.(*ast.ImportSpec); ok && (spec.Path.Value == `"math/rand"` || spec.Path.Value == `"math/rand/v2"`) {
			return "randomness comes from crypto/rand"
		}
		return ""
	})
}

// publicBytes are the files that may compare bytes as they please, and why.
func publicBytes() map[string]string {
	return map[string]string{
		"auth/passkey/webauthn.go": "ids of credentials, which authenticators show to everybody",
		"bundb/schema.go":          "names of migrations",
		"crypto/reencrypt.go":      "ids of keys",
		"crypto/rotate.go":         "wrapped keys, which are stored as they are",
		"internal/route/match.go":  "segments of routes",
	}
}

// constantTime finds comparisons that take longer the more is right (ASVS 11.2.4):
// of bytes other than by crypto/subtle or crypto/hmac, and of what a Secret reveals,
// unless with nothing.
func constantTime(m *module) []string {
	early := map[string][]string{
		"bytes": {"Equal", "Compare", "EqualFold", "HasPrefix"}, "slices": {"Equal", "EqualFunc", "Compare"}, "reflect": {"DeepEqual"},
	}
	return m.inCode(func(s *source, n ast.Node) string {
		if publicBytes()[s.path] != "" || floorOf(s.dir()) == floorProgram {
			return ""
		}
		switch n := n.(type) {
		case *ast.SelectorExpr:
			for path, names := range early {
				if name := s.importName(path); name != "" && isName(n.X, name) && slices.Contains(names, n.Sel.Name) {
					return "compare with crypto/subtle or crypto/hmac (ASVS 11.2.4)"
				}
			}
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && (reveals(n.X) && !isEmptyText(n.Y) || reveals(n.Y) && !isEmptyText(n.X)) {
				return "compare secrets with Secret.Equal (ASVS 11.2.4)"
			}
		}
		return ""
	})
}

// reveals reports whether e is a call of Reveal.
func reveals(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Reveal"
}

func isEmptyText(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Value == `""`
}

// wallClocks are the files that may read the process's clock, and why.
func wallClocks() map[string]string {
	return map[string]string{
		"bundb/clock.go":   "the one clock (R32): the monotonic part, and SQLite's time",
		"mail/queue.go":    "default of QueueConfig.Now, for a host without a database",
		"mail/smtp.go":     "default of SMTPConfig.Now, for a host without a database",
		"mail/smtpconn.go": "deadlines of a socket are the process's time",
		"crypto/config.go": "default of Config.Now, for a host without a database",
		"token/onetime.go": "default of Config.Now, for a host without a database",

		"session/sessioncache/clock.go": "what is remembered dies by the monotonic clock (R17)",
	}
}

// noWallClock finds time.Now and its kin, called or handed on.
func noWallClock(m *module) []string {
	return m.inCode(func(s *source, n ast.Node) string {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || wallClocks()[s.path] != "" || floorOf(s.dir()) == floorProgram {
			return ""
		}
		clock := slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name)
		if name := s.importName("time"); clock && name != "" && isName(sel.X, name) {
			return "time comes from the one clock (R32)"
		}
		return ""
	})
}

var leftForLater = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)

func nothingLeftForLater(m *module) []string {
	var out []string
	for _, s := range m.sources {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if leftForLater.MatchString(c.Text) {
					out = append(out, s.at(c.Pos(), "finish it, or open an issue"))
				}
			}
		}
	}
	return out
}
