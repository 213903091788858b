package recovery_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/recovery"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := recovery.New(nil, recovery.Config{LinkLife: 1})
	for _, field := range []string{"store", "Users", "Tokens", "LinkBase", "Now", "LinkLife"} {
		assert.Contains(t, err.Error(), field)
	}
	_, err = recovery.NewHandler(nil, recovery.HandlerConfig{})
	assert.Error(t, err)
}
