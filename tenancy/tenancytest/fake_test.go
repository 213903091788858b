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

func TestFakeInvitations(t *testing.T) {
	t.Parallel()
	tenancytest.TestInvitations(t, func(t *testing.T) tenancytest.InvitationsEnv {
		t.Helper()
		fake := tenancytest.NewFake(nil)
		return tenancytest.InvitationsEnv{
			Env:         tenancytest.Env{Store: fake, Join: fake.Join, Break: func() { fake.SetDown(true) }},
			Invitations: tenancytest.Invitations{Fake: fake},
		}
	})
}

func TestFakeTeams(t *testing.T) {
	t.Parallel()
	tenancytest.TestTeams(t, func(t *testing.T) tenancytest.TeamsEnv {
		t.Helper()
		fake := tenancytest.NewFake(nil)
		return tenancytest.TeamsEnv{
			Env:   tenancytest.Env{Store: fake, Join: fake.Join, Break: func() { fake.SetDown(true) }},
			Teams: tenancytest.Teams{Fake: fake},
		}
	})
}
