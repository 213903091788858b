package sessiontest_test

import (
	"testing"

	"github.com/tenon-go/tenon/session/sessiontest"
)

func TestFake(t *testing.T) {
	t.Parallel()
	sessiontest.TestStore(t, env)
}

func TestR14_FakeFollowsTheModel(t *testing.T) {
	t.Parallel()
	sessiontest.TestRefresh(t, env)
}

func env(t *testing.T) sessiontest.Env {
	t.Helper()
	fake := sessiontest.NewFake(nil)
	return sessiontest.Env{
		Store:   fake,
		PutUser: fake.PutUser,
		PutRole: fake.PutRole, PutPolicy: fake.PutPolicy, PutRolesVersion: fake.PutRolesVersion,
		Break: func() { fake.SetDown(true) },
	}
}
