package door_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/door"
)

func TestR2_ZeroProofProvesNothing(t *testing.T) {
	t.Parallel()
	for name, proof := range map[string]door.Proof{
		"zero": {}, "no user": door.NewProof(door.Proven{Channel: "password"}), "no channel": door.NewProof(door.Proven{UserID: "u"}),
	} {
		if _, ok := proof.Facts(); ok {
			t.Errorf("%s: the proof says something", name)
		}
	}
	if got, ok := door.NewProof(door.Proven{UserID: "u", Channel: "mailbox"}).Facts(); !ok || got.UserID != "u" {
		t.Errorf("facts = %+v, %v", got, ok)
	}
}
