package team_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/team"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	store := tenancytest.Teams{Fake: tenancytest.NewFake(nil)}
	for name, cfg := range map[string]team.Config{
		"no organizations": {}, "fewer than no teams": {Organizations: new(tenancy.Service), MaxTeams: -1},
		"fewer than no members": {Organizations: new(tenancy.Service), MaxMembers: -1},
	} {
		if _, err := team.New(store, cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err := team.New(nil, team.Config{Organizations: new(tenancy.Service)})
	assert.Error(t, err)
	svc := assert.Must(team.New(store, team.Config{Organizations: new(tenancy.Service)}))(t)
	_, err = team.NewHandler(nil, team.HandlerConfig{})
	assert.Error(t, err)
	// Without sessions there is no active team, and no route that chooses one.
	assert.Equal(t, len(assert.Must(team.NewHandler(svc, team.HandlerConfig{}))(t).Routes()), 8)
}
