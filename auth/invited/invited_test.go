package invited_test

import (
	"strings"
	"testing"

	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/auth/invited"
	"github.com/tenon-go/tenon/internal/assert"
)

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := invited.New(nil, invited.Config{})
	for _, field := range []string{"store", "Users", "Invitations", "SignInURL", "Now"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err = invited.New(authtest.NewFake(), invited.Config{})
	assert.NotContains(t, err.Error(), "store")
	_, err = invited.NewHandler(nil, nil)
	assert.Error(t, err)
}
