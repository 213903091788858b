package session

import (
	"slices"
	"strings"
)

// maxChannels and maxChannelLength bound what a pass may name. A passkey's id
// is up to 1023 bytes (WebAuthn §5.8.3); its row's id, which channels name, is
// shorter.
const (
	maxChannels      = 8
	maxChannelLength = 128
)

// validChannels reports whether channels can be stored: some, each of printable
// ASCII without spaces.
func validChannels(channels []string) bool {
	if len(channels) == 0 || len(channels) > maxChannels {
		return false
	}
	for _, c := range channels {
		if c == "" || len(c) > maxChannelLength || strings.ContainsFunc(c, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
	}
	return true
}

// isSecondFactor reports whether a channel may be the second of two (rule R11).
func isSecondFactor(channel string) bool {
	kind, _, _ := strings.Cut(channel, ":")
	return kind == "totp" || kind == "recovery" || kind == "passkey"
}

func assurance(channels []string) int {
	for i, later := range channels {
		if i > 0 && isSecondFactor(later) && slices.ContainsFunc(channels[:i], func(c string) bool { return c != later }) {
			return 2
		}
	}
	return 1
}
