package link_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/link"
)

func TestASiteIsRefusedByWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]link.SiteConfig{
		"no base URL": {}, "http elsewhere": {BaseURL: "http://example.com"},
		"a target with a path": {BaseURL: "https://example.com", RedirectTargets: []string{"https://app.example.com/in"}},
	} {
		if _, err := link.NewSite(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestASiteAllowsItselfAndItsTargets(t *testing.T) {
	t.Parallel()
	site := assert.Must(link.NewSite(link.SiteConfig{BaseURL: "https://example.com", RedirectTargets: []string{"myapp://"}}))(t)
	assert.True(t, site.Allows(), "nowhere")
	assert.True(t, site.Allows("", "/in", "https://example.com/in", "myapp://in"), "what is listed")
	for _, target := range []string{"https://evil.example", "//evil.example", "other://in"} {
		assert.False(t, site.Allows(target), target)
		assert.False(t, site.Allows("/in", target), "one of two: "+target)
	}
}
