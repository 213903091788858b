package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tenon-go/tenon/internal/assert"
)

// fixture is a module that trips one rule, and the rows that says so.
type fixture struct {
	pkgs  []pkg
	files map[string]string
	want  []string
}

// imports makes a package that imports, and links, names of the library and of
// others.
func imports(dir string, names ...string) pkg {
	p := pkg{dir: dir, std: map[string]bool{"fmt": true, "net/http": true}}
	for _, name := range names {
		if floorOf(name) != floorUnknown {
			name = modulePath + "/" + strings.TrimPrefix(name, ".")
		}
		p.imports = append(p.imports, strings.TrimSuffix(name, "/"))
	}
	p.deps = p.imports
	return p
}

func importFixtures() map[string]fixture {
	return map[string]fixture{
		"problem is standard only": {
			pkgs: []pkg{imports("problem", "fmt", "github.com/x/y", "internal/route"), imports("token", "github.com/x/y")},
			want: []string{"problem imports github.com/x/y: ", "problem imports github.com/tenon-go/tenon/internal/route: "},
		},
		"floors point down": {
			pkgs: []pkg{
				imports("crypto", "problem", "principal", "internal/route", "auth"), imports("auth", "crypto", "."), imports(".", "auth", "examples/quickstart"),
				imports("internal/route", "principal", "session"), imports("examples/quickstart", ".", "auth"), imports("utils"), imports("problem", "token"),
			},
			want: []string{
				"crypto imports github.com/tenon-go/tenon/auth: ", "auth imports github.com/tenon-go/tenon: ", ". imports github.com/tenon-go/tenon/examples/quickstart: ",
				"internal/route imports github.com/tenon-go/tenon/session: ", "problem imports github.com/tenon-go/tenon/token: ", "utils: stands on no floor",
			},
		},
		"features are strangers": {
			pkgs: []pkg{imports("auth", "auth/password", "session"), imports("auth/authbun", "auth", "tenancy/tenancybun"), imports(".", "auth", "session")},
			want: []string{"auth imports github.com/tenon-go/tenon/session: ", "auth/authbun imports github.com/tenon-go/tenon/tenancy/tenancybun: "},
		},
		"features know no ORM": {
			pkgs: []pkg{imports("auth", bunPath+"/schema"), imports("auth/password", bunPath), imports("auth/authbun", bunPath), imports("auth/authtest", bunPath), imports("bundb", bunPath)},
			want: []string{"auth: links Bun", "auth/password: links Bun"},
		},
		"modules stay at home": {
			pkgs: []pkg{
				imports("bundb", "github.com/jackc/pgx/v5/pgconn", bunPath), imports("bundb/postgres", "github.com/jackc/pgx/v5/stdlib"), imports("bundb/sqlite", "modernc.org/sqlite"),
				imports("auth/authbun", bunPath, "github.com/jackc/pgx/v5"), imports("internal/route", "github.com/swaggest/openapi-go"), imports("internal/openapi", "github.com/swaggest/openapi-go"),
				imports("billing", "github.com/stripe/stripe-go/v76"), imports("examples/postgres", "github.com/jackc/pgx/v5"), imports("crypto", "github.com/aws/aws-sdk-go-v2/service/kms"),
			},
			want: []string{
				"bundb imports github.com/jackc/pgx/v5/pgconn: ", "auth/authbun imports github.com/jackc/pgx/v5: ", "internal/route imports github.com/swaggest/openapi-go: ",
				"billing imports github.com/stripe/stripe-go/v76: ", "crypto imports github.com/aws/aws-sdk-go-v2/service/kms: ",
			},
		},
		"the core links no driver": {
			pkgs: []pkg{imports("bundb", "modernc.org/sqlite/lib"), imports(".", "github.com/jackc/pgx/v5"), imports("auth", "golang.org/x/oauth2"), imports("auth/oauth", "golang.org/x/oauth2"), imports("bundb/sqlite", "modernc.org/sqlite")},
			want: []string{"bundb: links modernc.org/sqlite", ".: links github.com/jackc/pgx/v5", "auth: links golang.org/x/oauth2"},
		},
		"HTTP stays in its files": {
			files: map[string]string{
				"auth/auth.go": `import "net/http"`, "auth/http_sign_in.go": `import "net/http"`, "auth/middleware.go": `import "net/http/httptest"`, "auth/auth_test.go": `import "net/http"`,
				"auth/password/p.go": `import "net/http"`, "webhook/deliver.go": `import "net/http"`, "webhook/webhook.go": `import _ "net/http/httptrace"`, "problem/write.go": `import "net/http"`,
			},
			want: []string{"auth/auth.go:2: ", "webhook/webhook.go:2: "},
		},
		"R2 only auth opens the door": {
			files: map[string]string{
				"auth/complete.go": "import \"" + doorPath + "\"\nvar _ = door.NewPass(door.Facts{})", "session/start.go": "import d \"" + doorPath + "\"\nvar _ = d.NewPass",
				"session/sessiontest/kit.go": "import \"" + doorPath + "\"\nvar _ = door.NewPass", "session/use.go": "import \"" + doorPath + "\"\nvar _ door.Pass",
				"tenancy/dot.go": "import . \"" + doorPath + "\"\nvar _ = NewPass", "quota/other.go": "import \"example.com/door\"\nvar _ = door.NewPass",
				"auth/admin/act.go": "import \"" + doorPath + "\"\nvar _ = door.NewProof", "auth/oauth/pass.go": "import \"" + doorPath + "\"\nvar _ = door.NewPass",
				"session/proof.go": "import \"" + doorPath + "\"\nvar _ = door.NewProof",
			},
			want: []string{"session/start.go:3: ", "tenancy/dot.go:1: ", "auth/oauth/pass.go:3: ", "session/proof.go:3: "},
		},
	}
}

func codeFixtures() map[string]fixture {
	longBody := strings.Repeat("\t_ = 0\n", maxFuncLines+1)
	many := map[string]string{
		"a/long.go": "func long() {\n" + longBody + "}", "a/fits.go": "func fits() {\n" + longBody[7:] + "}", "a/long_test.go": "func long() {\n" + longBody + "}",
		"a/file.go": strings.Repeat("\n", maxFileLines), "a/wide.go": "type wide interface { A(); B(); C(); D(); E(); F(); G(); H(); I() }",
		"a/asm.go": "func outside()",
	}
	for i := range maxPackageFiles + 1 {
		many[fmt.Sprintf("crowd/f%d.go", i)] = ""
	}
	return map[string]fixture{
		"no init": {
			files: map[string]string{"a/a.go": "func init() {}", "a/method.go": "type t int\nfunc (t) init() {}", "a/a_test.go": "func init() {}"},
			want:  []string{"a/a.go:2: "},
		},
		"no back doors": {
			files: map[string]string{
				"a/dot.go": "import . \"time\"", "a/twice.go": "import \"time\"\nimport t \"time\"", "a/unsafe.go": "import _ \"unsafe\"\n//go:linkname f other.f\nfunc f()",
				"a/good.go": "import \"time\"\nimport _ \"embed\"", "a/a_test.go": "import . \"time\"",
			},
			want: []string{"a/dot.go:2: ", "a/twice.go:3: ", "a/unsafe.go:2: ", "a/unsafe.go:3: "},
		},
		"no state": {
			files: map[string]string{
				"a/bad.go":    "var cache map[string]int\nvar a, Limit = 1, 2\nvar errCount int\nvar errs = map[string]error{}\nvar errCache = map[string]int{}",
				"a/good.go":   "var _ io.Reader = t{}\nvar ErrX = problem.New()\nvar eof = errors.New(``)\nvar p = regexp.MustCompile(``)\n//go:embed x\nvar fs embed.FS\n\nfunc f() { var local int }",
				"a/a_test.go": "var state int", "a/atest/kit.go": "var state int",
			},
			want: []string{"a/bad.go:2: var cache", "a/bad.go:3: var a", "a/bad.go:4: var errCount", "a/bad.go:5: var errs", "a/bad.go:6: var errCache"},
		},
		"no panic": {
			files: map[string]string{
				"a/bad.go":    "func f() { panic(`x`) }\nfunc g() { v := recover(); panic(w) }\nfunc h() { panic(http.ErrAbortHandler) }\nfunc i() { os.Exit(1) }\nfunc j() { log.Fatalf(``) }",
				"a/good.go":   "func f() { v := recover(); panic(v) }\nfunc g() { if v := recover(); v != nil { panic(http.ErrAbortHandler) } }",
				"a/a_test.go": "func f() { panic(1) }", "cmd/x/main.go": "func main() { os.Exit(1) }",
			},
			want: []string{"a/bad.go:2: ", "a/bad.go:3: ", "a/bad.go:4: ", "a/bad.go:5: ", "a/bad.go:6: "},
		},
		"exported names are documented": {
			files: map[string]string{
				"a/bad.go":  "func F() {}\ntype T struct{}\nfunc (*T) M() {}\nconst C = 1\n// Group.\ntype (\n\tU int\n)\nfunc (g[K]) N() {}",
				"a/good.go": "// F is.\nfunc F() {}\n// C are.\nconst (\n\tC = 1\n\tD = 2\n)\ntype t int\nfunc (t) M() {}\nvar E = 1 // E is.",
			},
			want: []string{"a/bad.go:2: F", "a/bad.go:3: T", "a/bad.go:4: M", "a/bad.go:5: C", "a/bad.go:8: U"},
		},
		"sizes": {
			files: many,
			want:  []string{"a/long.go:2: long: 61 lines", "a/file.go: 502 lines", "a/wide.go:2: an interface of 9 methods", "crowd: 21 files"},
		},
		"R32 SQL has no clock": {
			files: map[string]string{
				"a/a.go": "const q = `WHERE at < NOW()`\nconst ok = `known now and current_timestamps`\nconst r = \"DEFAULT current_timestamp\"", "a/a_test.go": "const q = `now()`",
				"a/m/1.up.sql": "DEFAULT (strftime('%s'))", "bundb/clock.go": "const q = `SELECT clock_timestamp()`",
			},
			want: []string{"a/a.go:2: ", "a/a.go:4: ", "a/m/1.up.sql: "},
		},
		"R32 no wall clock": {
			files: map[string]string{
				"a/a.go": "import \"time\"\nvar _ = time.Now()\nvar _ = time.Since\nvar _ = time.Unix", "a/b.go": "import clock \"time\"\nvar _ = clock.Until", "a/c.go": "import \"x/time\"\nvar _ = time.Now",
				"bundb/clock.go": "import \"time\"\nvar _ = time.Now", "examples/x/main.go": "import \"time\"\nvar _ = time.Now", "a/a_test.go": "import \"time\"\nvar _ = time.Now",
			},
			want: []string{"a/a.go:3: ", "a/a.go:4: ", "a/b.go:3: "},
		},
		"no weak randomness": {
			files: map[string]string{"a/a.go": "import \"math/rand\"", "a/b.go": "import _ \"math/rand/v2\"", "a/c.go": "import \"crypto/rand\"", "a/a_test.go": "import \"math/rand\""},
			want:  []string{"a/a.go:2: ", "a/b.go:2: "},
		},
		"secrets are compared in constant time": {
			files: map[string]string{
				"a/a.go": "import \"bytes\"\nvar _ = bytes.Equal\nvar _ = bytes.Clone", "a/b.go": "import s \"slices\"\nvar _ = s.Equal(a, b)",
				"a/c.go": "var _ = x.Reveal() == y\nvar _ = y != x.Reveal()\nvar _ = x.Reveal() == \"\"\nvar _ = x.Reveal() + y", "a/d.go": "import \"x/bytes\"\nvar _ = bytes.Equal",
				"crypto/rotate.go": "import \"bytes\"\nvar _ = bytes.Equal", "examples/x/main.go": "import \"bytes\"\nvar _ = bytes.Equal", "a/a_test.go": "import \"bytes\"\nvar _ = bytes.Equal",
			},
			want: []string{"a/a.go:3: ", "a/b.go:3: ", "a/c.go:2: ", "a/c.go:3: "},
		},
		"nothing left for later": {
			files: map[string]string{"a/a.go": "// TO" + "DO: it\nfunc f() {}\n// todo is a word\nfunc g() { /* FIX" + "ME */ }", "a/a_test.go": "// TO" + "DO\n"},
			want:  []string{"a/a.go:2: ", "a/a.go:5: ", "a/a_test.go:2: "},
		},
	}
}

// TestEveryRuleTrips shows that each rule finds what it is for and nothing else.
func TestEveryRuleTrips(t *testing.T) {
	t.Parallel()
	fixtures := importFixtures()
	for name, f := range codeFixtures() {
		fixtures[name] = f
	}
	for _, r := range rules() {
		f, ok := fixtures[r.name]
		assert.True(t, ok, r.name+" has no fixture")
		delete(fixtures, r.name)
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			got := r.check(f.module(t))
			for _, row := range got {
				assert.True(t, slices.ContainsFunc(f.want, func(w string) bool { return strings.HasPrefix(row, w) }), "unexpected: "+row)
			}
			for _, want := range f.want {
				assert.True(t, slices.ContainsFunc(got, func(row string) bool { return strings.HasPrefix(row, want) }), "missing: "+want)
			}
		})
	}
	assert.Equal(t, len(fixtures), 0)
}

// module parses the fixture's files.
func (f fixture) module(t *testing.T) *module {
	t.Helper()
	tree := fstest.MapFS{
		"nested/go.mod": {}, "nested/a.go": {Data: []byte("broken")}, "a/testdata/a.go": {Data: []byte("broken")}, ".git/a.go": {Data: []byte("broken")},
	}
	for name, text := range f.files {
		if strings.HasSuffix(name, ".go") {
			text = "package a\n" + text + "\n"
		}
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	m := assert.Must(parseTree(tree))(t)
	m.pkgs = f.pkgs
	return m
}

func TestModuleListTellsBothDirections(t *testing.T) {
	t.Parallel()
	got := difference("a v1\nb v1\n", "b v1\nc v2\n")
	assert.Equal(t, got, []string{"listed but not linked: a v1", "linked but not listed: c v2"})
}
