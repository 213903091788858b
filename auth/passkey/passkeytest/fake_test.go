package passkeytest_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/problem"
)

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	passkeytest.TestStore(t, func(*testing.T) passkeytest.Env {
		fake := passkeytest.NewFake()
		return passkeytest.Env{Store: fake, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	})
}
