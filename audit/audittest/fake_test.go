package audittest_test

import (
	"testing"

	"github.com/tenon-go/tenon/audit/audittest"
)

func TestFake(t *testing.T) {
	t.Parallel()
	audittest.TestStore(t, func(t *testing.T) audittest.Env {
		t.Helper()
		fake := audittest.NewFake(nil)
		return audittest.Env{Store: fake, Break: func() { fake.SetDown(true) }}
	})
}
