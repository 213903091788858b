package notifytest_test

import (
	"testing"

	"github.com/tenon-go/tenon/notify/notifytest"
	"github.com/tenon-go/tenon/problem"
)

func TestFakeKeepsTheContract(t *testing.T) {
	t.Parallel()
	notifytest.TestStore(t, func(*testing.T) notifytest.Env {
		fake := notifytest.NewFake()
		return notifytest.Env{Store: fake, Break: func() { fake.Fail(problem.ErrUnavailable) }}
	})
}
