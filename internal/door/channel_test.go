package door_test

import (
	"fmt"
	"testing"

	"github.com/tenon-go/tenon/internal/door"
)

// The full table of pairs of channels and the assurance that they reach.
func TestR11_AssuranceOfEveryPairOfChannels(t *testing.T) {
	t.Parallel()
	verified, other := door.PasskeyChannel("a", true), door.PasskeyChannel("b", false)
	channels := []string{"password", "mailbox", door.ProviderChannel("acme"), door.ProviderChannel("other"), "totp", "recovery", "passkey:a", other, verified}
	// A row is the first channel, a column the second, in that order.
	want := []string{
		"111122222", // password
		"111122222", // mailbox
		"111122222", // provider:acme
		"111122222", // provider:other
		"111112222", // totp
		"111121222", // recovery
		"111122122", // passkey:a
		"111122212", // passkey:b
		"222222222", // passkey:a:uv
	}
	for i, first := range channels {
		for j, second := range channels {
			if got := fmt.Sprint(door.Assurance([]string{first, second})); got != want[i][j:j+1] {
				t.Errorf("%s, then %s: %s, want %s", first, second, got, want[i][j:j+1])
			}
		}
		alone := map[bool]int{true: 2, false: 1}[first == verified]
		if got := door.Assurance([]string{first}); got != alone {
			t.Errorf("%s alone: %d, want %d", first, got, alone)
		}
	}
	if got := door.Assurance(nil); got != 1 {
		t.Errorf("nothing: %d", got)
	}
}

// Only a passkey verifies its user: no other name does it by its ending.
func TestR11_OnlyAPasskeyCountsTwice(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"password:uv", "totp:uv", "passkey", "passkey:", "passkey-x:uv", "uv", ":uv", "provider:uv", "provider:totp", "provider:passkey:a:uv"} {
		if got := door.Assurance([]string{channel}); got != 1 {
			t.Errorf("%s: %d", channel, got)
		}
	}
}

func TestAProvidersChannelNamesIt(t *testing.T) {
	t.Parallel()
	for channel, want := range map[string]string{
		door.ProviderChannel("acme"): "acme", "provider:": "", "provider": "", "": "", "password": "", "totp:provider:acme": "",
	} {
		if got := door.ProviderOf(channel); got != want {
			t.Errorf("%s: %q, want %q", channel, got, want)
		}
	}
}
