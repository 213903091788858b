package jwttest_test

import (
	"testing"

	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/jwt/jwttest"
)

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	jwttest.TestStore(t, func(*testing.T) jwttest.Env {
		fake := jwttest.NewFake()
		return jwttest.Env{Store: fake, InTx: fake.InTx, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	})
}
