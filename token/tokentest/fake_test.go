package tokentest_test

import (
	"testing"

	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/tokentest"
)

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	tokentest.TestStore(t, func(*testing.T) tokentest.Env {
		fake := tokentest.NewFake()
		return tokentest.Env{Store: fake, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	})
}
