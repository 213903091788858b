package authtest_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/problem"
)

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	open := func(*testing.T) authtest.Env {
		fake := authtest.NewFake()
		return authtest.Env{Store: fake, Ban: fake.Ban, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	}
	authtest.TestStore(t, open)
	authtest.TestAdminStore(t, open)
	authtest.TestAccountStore(t, open)
	authtest.TestFactorStore(t, open)
}

func TestFakeKeepsTheContractOfCodes(t *testing.T) {
	t.Parallel()
	authtest.TestCodeStore(t, func(*testing.T) authtest.CodesEnv {
		fake := authtest.NewFake()
		return authtest.CodesEnv{Store: fake, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	})
}
