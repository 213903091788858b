package redirect_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/redirect"
)

func targets(t testing.TB) redirect.Targets {
	t.Helper()
	list, err := redirect.New("https://example.com", "http://localhost:3000", "myapp://")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAllowedTargets(t *testing.T) {
	t.Parallel()
	list := targets(t)
	for _, target := range []string{
		"/", "/welcome", "/welcome?next=/a#b", "/a//b", "/%2f%2fevil.com",
		"https://example.com", "https://EXAMPLE.com:443/x", "http://localhost:3000/done", "myapp://signed-in", "myapp:///x",
	} {
		if !list.Allows(target) {
			t.Errorf("%q is refused", target)
		}
	}
}

// Every open redirect that the field shipped started as one of these.
func TestHostileTargets(t *testing.T) {
	t.Parallel()
	list := targets(t)
	for _, target := range []string{
		"", "//evil.com", "///evil.com", "/\\evil.com", "\\\\evil.com", "/\t/evil.com", " /x", "/x\n", "/x\x00", "welcome", "?x", "#x",
		"https://evil.com", "https://example.com.evil.com", "https://example.com@evil.com", "https://user@example.com",
		"http://example.com", "https://example.com:8443", "https://example.comevil.com", "https:evil.com", "https:/example.com",
		"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "otherapp://x", "http://localhost:3001/",
		"https://exa\u200dmple.com", "/\u2028", "https://example.com\\@evil.com", "myapp:x", "/" + strings.Repeat("a", 2048),
	} {
		if list.Allows(target) {
			t.Errorf("%q is allowed", target)
		}
	}
	if (redirect.Targets{}).Allows("https://example.com") {
		t.Error("the zero list allows another site")
	}
}

func TestListsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"example.com", "https://", "https://example.com/path", "javascript://", "https://u@example.com", "", "http:"} {
		if _, err := redirect.New(target); err == nil {
			t.Errorf("%q is accepted into the list", target)
		}
	}
}

func FuzzAllows(f *testing.F) {
	for _, seed := range []string{"/", "//evil.com", "https://example.com/x", "myapp://x", "/\\x", "https:evil.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !targets(t).Allows(target) {
			return
		}
		base, err := url.Parse("https://example.com/base")
		if err != nil {
			t.Fatal(err)
		}
		u, err := base.Parse(target)
		if err != nil {
			t.Fatalf("%q is allowed but no URL", target)
		}
		host := strings.TrimSuffix(strings.ToLower(u.Host), ":443")
		if u.Scheme != "myapp" && host != "example.com" && strings.TrimSuffix(host, ":80") != "localhost:3000" {
			t.Errorf("%q leads to %s", target, u)
		}
	})
}
