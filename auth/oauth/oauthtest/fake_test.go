package oauthtest_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/oauth/oauthtest"
	"github.com/tenon-go/tenon/problem"
)

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	oauthtest.TestStore(t, func(*testing.T) oauthtest.Env {
		fake := oauthtest.NewFake()
		return oauthtest.Env{Store: fake, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	})
}
