package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

const bunPath = "github.com/uptrace/bun"

// doorPath, doorPass and doorProof name the constructors of a session's pass and
// of the proof that leads to one (R2).
const (
	doorPath  = modulePath + "/internal/door"
	doorPass  = "NewPass"
	doorProof = "NewProof"
)

// The floors of the house, the lowest first. internal stands beside them.
const (
	floorProblem = iota
	floorFoundation
	floorFeature
	floorRoot
	floorProgram
	floorInternal
	floorUnknown
)

// floorOf returns the floor of a directory.
func floorOf(dir string) int {
	top, _, _ := strings.Cut(dir, "/")
	switch {
	case top == "problem":
		return floorProblem
	case dir == "internal/feature": // the seam between package tenon and what it is handed
		return floorFeature
	case top == "internal":
		return floorInternal
	case dir == ".":
		return floorRoot
	case top == "cmd" || top == "examples":
		return floorProgram
	case slices.Contains([]string{"principal", "crypto", "token", "mail", "bundb", "job", "ratelimit", "totp"}, top):
		return floorFoundation
	case featureOf(dir) != "":
		return floorFeature
	}
	return floorUnknown
}

// featureOf returns the feature that dir lies in, "" where it lies in none.
func featureOf(dir string) string {
	top, _, _ := strings.Cut(dir, "/")
	if slices.Contains([]string{"auth", "session", "tenancy", "apikey", "quota", "webhook", "billing", "storage", "notify", "audit"}, top) {
		return top
	}
	return ""
}

// isStore reports whether dir is, or lies in, a package that keeps a feature in
// the database.
func isStore(dir string) bool { return hasPart(dir, "bun") }

// isTestKit reports whether dir is, or lies in, a package of test tools.
func isTestKit(dir string) bool {
	return hasPart(dir, "test") || slices.Contains([]string{"internal/arch", "internal/assert", "internal/faketx"}, dir)
}

// hasPart looks below the top: bundb itself is no store.
func hasPart(dir, suffix string) bool {
	parts := strings.Split(dir, "/")
	return slices.ContainsFunc(parts[1:], func(part string) bool { return strings.HasSuffix(part, suffix) })
}

// within reports whether importPath is root or lies below it.
func within(importPath, root string) bool {
	return importPath == root || strings.HasPrefix(importPath, root+"/")
}

// each applies check to every import of every package.
func (m *module) each(check func(p pkg, imported string) string) []string {
	var out []string
	for _, p := range m.pkgs {
		for _, imported := range p.imports {
			if why := check(p, imported); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", p.dir, imported, why))
			}
		}
	}
	return out
}

func problemIsStandardOnly(m *module) []string {
	return m.each(func(p pkg, imported string) string {
		if floorOf(p.dir) == floorProblem && !p.std[imported] && dirOf(imported) != p.dir {
			return "problem imports the standard library only"
		}
		return ""
	})
}

func floorsPointDown(m *module) []string {
	out := m.each(func(p pkg, imported string) string {
		from, to := floorOf(p.dir), floorOf(dirOf(imported))
		switch {
		case dirOf(imported) == "" || to == floorInternal:
		case from == floorInternal && to <= floorFoundation:
		case from == floorInternal:
			return "internal packages serve the floors, they do not use features"
		case to > from:
			return "a lower floor knows nothing of a higher one"
		}
		return ""
	})
	for _, p := range m.pkgs {
		if floorOf(p.dir) == floorUnknown {
			out = append(out, p.dir+": stands on no floor; say which in internal/arch")
		}
	}
	return out
}

func featuresAreStrangers(m *module) []string {
	return m.each(func(p pkg, imported string) string {
		own, other := featureOf(p.dir), featureOf(dirOf(imported))
		if own != "" && other != "" && own != other {
			return "features do not import each other: take a port or a hook"
		}
		return ""
	})
}

func featuresKnowNoORM(m *module) []string {
	var out []string
	for _, p := range m.pkgs {
		if featureOf(p.dir) == "" || isStore(p.dir) || isTestKit(p.dir) {
			continue
		}
		if slices.ContainsFunc(p.deps, func(dep string) bool { return within(dep, bunPath) }) {
			out = append(out, p.dir+": links Bun; only the store beside a feature may")
		}
	}
	return out
}

// home is where a module may be imported from.
type home struct {
	path string
	dirs []string // directories, or "*bun" for every store
	why  string
}

// homes lists the modules that a host must be able to leave out.
func homes() []home {
	return []home{
		{"github.com/jackc/pgx/v5", []string{"bundb/postgres", "bundb/bundbtest"}, "the driver comes with bundb/postgres"},
		{"modernc.org/sqlite", []string{"bundb/sqlite", "bundb/bundbtest"}, "the driver comes with bundb/sqlite"},
		{bunPath, []string{"bundb", "*bun"}, "Bun is for bundb and the stores"},
		{"github.com/swaggest", []string{"internal/openapi"}, "schemas are reflected in one place"},
		{"github.com/stripe", []string{"billing/stripebilling"}, "Stripe comes with billing/stripebilling"},
		{"github.com/go-webauthn", []string{"auth/passkey"}, "WebAuthn comes with auth/passkey"},
		{"github.com/coreos/go-oidc", []string{"auth/oauth"}, "OpenID Connect comes with auth/oauth"},
		{"golang.org/x/oauth2", []string{"auth/oauth"}, "OAuth comes with auth/oauth"},
		{"github.com/go-jose", []string{"token/jwt", "auth/oauth"}, "JOSE comes with token/jwt"},
		{"github.com/pquerna/otp", []string{"totp"}, "one-time passwords come with totp"},
		{"github.com/boombuler/barcode", []string{"totp"}, "QR codes come with totp"},
		{"github.com/aws", nil, "the AWS SDK lives in modules of its own"},
	}
}

func modulesStayAtHome(m *module) []string {
	return m.each(func(p pkg, imported string) string {
		for _, h := range homes() {
			if within(imported, h.path) && !h.holds(p.dir) && floorOf(p.dir) != floorProgram {
				return h.why
			}
		}
		return ""
	})
}

func (h home) holds(dir string) bool {
	return slices.ContainsFunc(h.dirs, func(d string) bool { return within(dir, d) || d == "*bun" && isStore(dir) })
}

// coreLinksNoDriver holds bundb itself, the features, the root package and the way
// in which it is handed further features to what a host chose.
func coreLinksNoDriver(m *module) []string {
	heavy := []string{
		"github.com/jackc/pgx/v5", "modernc.org/sqlite", "github.com/stripe", "github.com/go-webauthn", "golang.org/x/oauth2",
		"github.com/coreos/go-oidc", "github.com/aws",
	}
	var out []string
	for _, p := range m.pkgs {
		if p.dir != "." && p.dir != "bundb" && p.dir != "internal/feature" && (floorOf(p.dir) != floorFeature || path.Dir(p.dir) != ".") {
			continue
		}
		for _, h := range heavy {
			if slices.ContainsFunc(p.deps, func(dep string) bool { return within(dep, h) }) {
				out = append(out, fmt.Sprintf("%s: links %s, which a host must choose itself", p.dir, h))
			}
		}
	}
	return out
}

// httpStaysInItsFiles looks at the directory of the feature itself.
func httpStaysInItsFiles(m *module) []string {
	var out []string
	for _, s := range m.sources {
		if s.test || featureOf(s.dir()) != s.dir() || mayServe(s.dir(), path.Base(s.path)) {
			continue
		}
		for _, spec := range s.file.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err == nil && within(name, "net/http") {
				out = append(out, s.at(spec.Pos(), "net/http belongs into http*.go and middleware*.go"))
			}
		}
	}
	return out
}

// mayServe reports whether the file is where a feature keeps its HTTP. Only
// webhooks go out over HTTP as well.
func mayServe(feature, base string) bool {
	prefixes := []string{"http", "middleware"}
	if feature == "webhook" {
		prefixes = append(prefixes, "deliver", "send", "dial")
	}
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(base, p) })
}

// onlyAuthOpensTheDoor finds every mention of the constructors, called or not.
func onlyAuthOpensTheDoor(m *module) []string {
	var out []string
	for _, s := range m.sources {
		door := s.importName(doorPath)
		switch {
		case door == "" || s.test || isTestKit(s.dir()):
			continue
		case door == ".":
			out = append(out, s.at(s.file.Pos(), "internal/door is imported under a name"))
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			switch {
			case !ok || !isName(sel.X, door):
			case sel.Sel.Name == doorPass && s.dir() != "auth":
				out = append(out, s.at(n.Pos(), "only package auth makes a pass (R2)"))
			case sel.Sel.Name == doorProof && s.dir() != "auth" && !strings.HasPrefix(s.dir(), "auth/"):
				out = append(out, s.at(n.Pos(), "only package auth and what is below it makes a proof (R2)"))
			}
			return true
		})
	}
	return out
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
