package session

import (
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
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

// addChannel returns channels with one more proven. First factors stay in front,
// and what can be a second factor goes to the end, so that assurance only rises.
func addChannel(channels []string, channel string) []string {
	known := slices.Contains(channels, channel)
	if known && !door.IsSecondFactor(channel) {
		return channels
	}
	all := slices.DeleteFunc(slices.Clone(channels), func(c string) bool { return c == channel })
	if len(all) == maxChannels {
		all = slices.Delete(all, 1, 2)
	}
	return append(all, channel)
}

// maxSkew is how far the clock of another process may be ahead.
const maxSkew = time.Minute

// Fresh reports whether the principal proved who they are within window before
// now, and by what is strong enough: by totp, recovery or a passkey where they
// turned a second factor on, by any channel otherwise (rule R12). A
// trusted device, which skips the question, proves nothing.
//
// An API key, an impersonated session and nobody are never fresh (rule R22).
// Neither is a proof that lies more than a minute in the future: the clock was
// set back, and nobody knows how old it is.
func Fresh(p *principal.Principal, now time.Time, window time.Duration) bool {
	if p == nil || p.UserID == "" || p.SessionID == "" || p.APIKeyID != "" || p.ImpersonatorID != "" {
		return false
	}
	age := now.Sub(p.FreshAt)
	if p.FreshAt.IsZero() || age > window || age < -maxSkew {
		return false
	}
	if p.SecondFactor {
		return slices.ContainsFunc(p.FreshChannels, door.IsSecondFactor)
	}
	return len(p.FreshChannels) > 0
}
