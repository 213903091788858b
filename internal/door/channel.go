package door

import "strings"

// userVerified ends the channel of a passkey whose ceremony required that the
// authenticator verifies its user, and whose assertion says that it did.
const userVerified = ":uv"

// PasskeyChannel names the proof by the passkey with that row id. With verified the
// proof counts as two factors: the device, and what its user knows or is (rule R11).
func PasskeyChannel(id string, verified bool) string {
	if verified {
		return "passkey:" + id + userVerified
	}
	return "passkey:" + id
}

// IsSecondFactor reports whether a channel may be the second of two (rule R11).
func IsSecondFactor(channel string) bool {
	kind, _, _ := strings.Cut(channel, ":")
	return kind == "totp" || kind == "recovery" || kind == "passkey"
}

// isTwoFactors reports whether a channel is two factors by itself.
func isTwoFactors(channel string) bool {
	return strings.HasPrefix(channel, "passkey:") && strings.HasSuffix(channel, userVerified)
}

// Assurance is the level that channels, the first factor first, reach: 2 after two
// different ones of which a later one is totp, recovery or a passkey, or after a
// passkey that verified its user, else 1 (rule R11).
func Assurance(channels []string) int {
	for i, later := range channels {
		if isTwoFactors(later) {
			return 2
		}
		if i == 0 || !IsSecondFactor(later) {
			continue
		}
		for _, earlier := range channels[:i] {
			if earlier != later {
				return 2
			}
		}
	}
	return 1
}

// ProviderChannel names the proof by an identity provider with that id.
func ProviderChannel(id string) string { return "provider:" + id }

// ProviderOf returns the id of the identity provider that a channel names, or "".
func ProviderOf(channel string) string {
	id, ok := strings.CutPrefix(channel, "provider:")
	if !ok {
		return ""
	}
	return id
}
