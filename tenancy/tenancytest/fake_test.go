package tenancytest_test

import (
	"testing"

	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

func TestFake(t *testing.T) {
	t.Parallel()
	tenancytest.TestStore(t, func(t *testing.T) tenancytest.Env {
		t.Helper()
		fake := tenancytest.NewFake(nil)
		return tenancytest.Env{Store: fake, Join: fake.Join, Break: func() { fake.SetDown(true) }}
	})
}
