package door_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/door"
)

func TestR2_ZeroPassOpensNothing(t *testing.T) {
	t.Parallel()
	for name, pass := range map[string]door.Pass{"zero": {}, "no user": door.NewPass(door.Facts{})} {
		if _, ok := pass.Facts(); ok {
			t.Errorf("%s: the pass vouches for somebody", name)
		}
	}
}

func TestPassKeepsItsOwnChannels(t *testing.T) {
	t.Parallel()
	channels := []string{"password"}
	pass := door.NewPass(door.Facts{UserID: "u", Channels: channels})
	channels[0] = "passkey:stolen"
	facts, ok := pass.Facts()
	if !ok || facts.Channels[0] != "password" {
		t.Errorf("facts = %+v, %v; a caller changed what the pass vouches for", facts, ok)
	}
}
