package link_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/link"
)

func TestHereNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	for want, query := range map[string]map[string]string{
		"verify":                               {"done": ""},
		"verify?callbackURL=%2Fin%3Fa%3D1%26b": {"callbackURL": "/in?a=1&b", "done": ""},
		"verify?callbackURL=%2F&new=1":         {"new": "1", "callbackURL": "/"},
	} {
		assert.Equal(t, link.Here("verify", query), want)
	}
}
