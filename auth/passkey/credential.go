package passkey

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
)

// Passkey is one credential of a user. Nothing of it is secret: the key that signs
// is in the authenticator.
type Passkey struct {
	// ID is the row's, a UUIDv7; channels of proofs name it.
	ID     string
	UserID string
	// CredentialID is how the authenticator knows the credential, 1 to 1023 bytes.
	CredentialID []byte
	// PublicKey is the key that verifies, as a COSE_Key (RFC 9052).
	PublicKey []byte
	// Name is what the user calls it.
	Name string
	// AAGUID names the model of the authenticator, or is all zeros.
	AAGUID uuid.UUID
	// Transports are the ways to reach the authenticator, for hints to the browser.
	Transports []string
	// SignCount is what the authenticator counted at its last use. Many always say
	// zero.
	SignCount uint32
	// BackupEligible says that the key may be in several devices, which never
	// changes; BackupState that it was at the last use (WebAuthn §6.1.3).
	BackupEligible, BackupState bool
	// UserVerified says that the authenticator verified its user when the passkey was
	// made. One that did not is a second factor only.
	UserVerified bool
	CreatedAt    time.Time
	// LastUsedAt is zero for a passkey that was never used.
	LastUsedAt time.Time
}

// deviceType is what the official client calls the backup eligibility.
func (p Passkey) deviceType() string {
	if p.BackupEligible {
		return "multiDevice"
	}
	return "singleDevice"
}

// knownTransports returns those of transports that WebAuthn §5.8.4 names, each once:
// browsers report them, and they are given back to browsers.
func knownTransports(transports []string) []string {
	var known []string
	for _, t := range []string{"ble", "hybrid", "internal", "nfc", "smart-card", "usb"} {
		for _, have := range transports {
			if have == t {
				known = append(known, t)
				break
			}
		}
	}
	return known
}

// defaultName is what a passkey is called that its user did not name: by the
// manager that keeps it, else by where it was made.
func defaultName(p Passkey, client auth.Client) string {
	if name := managerName(p.AAGUID.String()); name != "" {
		return name
	}
	onDevice := false
	for _, t := range p.Transports {
		onDevice = onDevice || t == "internal" || t == "hybrid"
	}
	if !onDevice && len(p.Transports) > 0 {
		return "Security key"
	}
	if device := deviceName(client.UserAgent); device != "" {
		return "Passkey on " + device
	}
	return "Passkey"
}

// deviceName reads the kind of device from a user agent, "" where it is not told.
func deviceName(userAgent string) string {
	for _, d := range []struct{ mark, name string }{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Macintosh", "Mac"},
		{"Linux", "Linux"},
	} {
		if strings.Contains(userAgent, d.mark) {
			return d.name
		}
	}
	return ""
}

// managerName returns the name of a well-known keeper of passkeys by its AAGUID, as
// the passkeydeveloper list on GitHub has it, "" for the others. It is a default
// for a label and proves nothing: without attestation anybody can say anything.
func managerName(aaguid string) string {
	switch aaguid {
	case "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4":
		return "Google Password Manager"
	case "fbfc3007-154e-4ecc-8c0b-6e020557d7bd":
		return "Apple Passwords"
	case "dd4ec289-e01d-41c9-bb89-70fa845d4bf2":
		return "iCloud Keychain"
	case "08987058-cadc-4b81-b6e1-30de50dcbe96", "9ddd1817-af5a-4672-a2b9-3e3dd95000a9", "6028b017-b1d4-4c02-b4b3-afcdafc96bb2":
		return "Windows Hello"
	case "bada5566-a7aa-401f-bd96-45619a55120d":
		return "1Password"
	case "d548826e-79b4-db40-a3d8-11116f7e8349":
		return "Bitwarden"
	case "531126d6-e717-415c-9320-3d9aa6981239":
		return "Dashlane"
	case "b84e4048-15dc-4dd0-8640-f4f60813c8af":
		return "NordPass"
	case "50726f74-6f6e-5061-7373-50726f746f6e":
		return "Proton Pass"
	case "0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6":
		return "Keeper"
	case "53414d53-554e-4700-0000-000000000000":
		return "Samsung Pass"
	}
	return ""
}
