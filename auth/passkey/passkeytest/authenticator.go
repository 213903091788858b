// Package passkeytest has an authenticator in software, a store in memory, and the
// suite that every store of package passkey must pass.
package passkeytest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
)

// Flags of authenticator data (WebAuthn §6.1).
const (
	flagUP = 1 << 0
	flagUV = 1 << 2
	flagBE = 1 << 3
	flagBS = 1 << 4
	flagAT = 1 << 6
)

// Authenticator makes and uses passkeys as a browser with an authenticator does,
// with real P-256 keys. It answers options, whoever they are from, as its fields say.
type Authenticator struct {
	// Origin is that of the page.
	Origin string
	// Synced makes passkeys that are backup eligible and backed up; others count
	// their uses.
	Synced bool
	// Tricks is what it does wrong.
	Tricks Tricks

	credentials []*credential
}

// Tricks are what an authenticator, a browser, or whoever pretends to be one, may do
// wrong. The zero value does everything right.
type Tricks struct {
	BogusSignature bool   // signs something else
	NoUP, NoUV     bool   // the user is not present, or not verified
	Origin         string // of another page
	RPID           string // of another site
	Challenge      string // another one
	Type           string // of another ceremony
	Handle         []byte // another user's
	NoHandle       bool
	CrossOrigin    bool
	FlipBE         bool // says otherwise than at registration
	DropBS         bool // is not backed up any more
	Counter        *uint32
	Truncate       int  // cuts that many bytes off the CBOR or the data
	OtherID        bool // names a credential that it did not sign for
}

type credential struct {
	id, handle []byte
	rpID       string
	key        *ecdsa.PrivateKey
	counter    uint32
}

// options are what the authenticator reads of both kinds.
type options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
	ExcludeCredentials []struct {
		ID string `json:"id"`
	} `json:"excludeCredentials"`
	AllowCredentials []struct {
		ID string `json:"id"`
	} `json:"allowCredentials"`
}

// New returns an authenticator with a browser on a page of origin.
func New(origin string) *Authenticator { return &Authenticator{Origin: origin} }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatalf("passkeytest: %q: %v", s, err)
	}
	return b
}

func read(t testing.TB, raw []byte) options {
	t.Helper()
	var o options
	if err := json.Unmarshal(raw, &o); err != nil || o.Challenge == "" {
		t.Fatalf("passkeytest: these are no options: %s: %v", raw, err)
	}
	return o
}

func pick(wrong, right string) string {
	if wrong != "" {
		return wrong
	}
	return right
}

// clientData is what the browser says about the page.
func (a *Authenticator) clientData(ceremony, challenge string) []byte {
	data, _ := json.Marshal(map[string]any{ // strings and a bool always have a form
		"type": pick(a.Tricks.Type, ceremony), "challenge": pick(a.Tricks.Challenge, challenge),
		"origin": pick(a.Tricks.Origin, a.Origin), "crossOrigin": a.Tricks.CrossOrigin,
	})
	return data
}

// authData is the authenticator's part, without attested data.
func (a *Authenticator) authData(rpID string, counter uint32) []byte {
	flags := byte(flagUP | flagUV)
	if a.Synced != a.Tricks.FlipBE {
		flags |= flagBE
	}
	if a.Synced && !a.Tricks.FlipBE && !a.Tricks.DropBS {
		flags |= flagBS
	}
	if a.Tricks.NoUP {
		flags &^= flagUP
	}
	if a.Tricks.NoUV {
		flags &^= flagUV
	}
	hash := sha256.Sum256([]byte(pick(a.Tricks.RPID, rpID)))
	data := append(hash[:], flags)
	if a.Tricks.Counter != nil {
		counter = *a.Tricks.Counter
	}
	return binary.BigEndian.AppendUint32(data, counter)
}

// Create answers options of a registration: it makes a passkey, and returns what the
// browser sends. It fails the test if the options exclude a passkey that it has.
func (a *Authenticator) Create(t testing.TB, rawOptions []byte) []byte {
	t.Helper()
	o := read(t, rawOptions)
	for _, excluded := range o.ExcludeCredentials {
		if slices.ContainsFunc(a.credentials, func(c *credential) bool { return encode(c.id) == excluded.ID }) {
			t.Fatal("passkeytest: the authenticator has a passkey for this account already")
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &credential{id: []byte(rand.Text()), handle: decode(t, o.User.ID), rpID: o.RP.ID, key: key}
	a.credentials = append(a.credentials, c)
	data := a.authData(o.RP.ID, c.counter)
	data[32] |= flagAT
	data = append(data, make([]byte, 16)...) // AAGUID: not told
	data = binary.BigEndian.AppendUint16(data, uint16(len(c.id)))
	data = append(data, c.id...)
	data = append(data, coseKey(t, key)...)
	attestation := attestationObject(data)
	return a.response(t, c, map[string]any{
		"clientDataJSON": encode(a.clientData("webauthn.create", o.Challenge)), "attestationObject": encode(attestation[:len(attestation)-a.Tricks.Truncate]),
		"transports": []string{"internal", "hybrid", "telepathy"},
	})
}

// Get answers options of an assertion with the newest passkey that they allow, and
// returns what the browser sends.
func (a *Authenticator) Get(t testing.TB, rawOptions []byte) []byte {
	t.Helper()
	o := read(t, rawOptions)
	var c *credential
	for _, have := range a.credentials {
		allowed := len(o.AllowCredentials) == 0
		for _, allow := range o.AllowCredentials {
			allowed = allowed || allow.ID == encode(have.id)
		}
		if allowed && have.rpID == o.RPID {
			c = have
		}
	}
	if c == nil {
		t.Fatal("passkeytest: the authenticator has no passkey for these options")
	}
	if !a.Synced {
		c.counter++
	}
	data := a.authData(c.rpID, c.counter)
	client := a.clientData("webauthn.get", o.Challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	if a.Tricks.BogusSignature {
		digest[0] ^= 1
	}
	signature, err := ecdsa.SignASN1(rand.Reader, c.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{
		"clientDataJSON": encode(client), "authenticatorData": encode(data[:len(data)-a.Tricks.Truncate]),
		"signature": encode(signature), "userHandle": encode(c.handle),
	}
	if a.Tricks.Handle != nil {
		answer["userHandle"] = encode(a.Tricks.Handle)
	}
	if a.Tricks.NoHandle {
		delete(answer, "userHandle")
	}
	return a.response(t, c, answer)
}

// Has reports how many passkeys there are.
func (a *Authenticator) Has() int { return len(a.credentials) }

// Clone returns an authenticator with the same keys and counters.
func (a *Authenticator) Clone() *Authenticator {
	clone := &Authenticator{Origin: a.Origin, Synced: a.Synced}
	for _, c := range a.credentials {
		twin := *c
		clone.credentials = append(clone.credentials, &twin)
	}
	return clone
}

// response is a credential in JSON, as the official client sends it: without the
// outputs of extensions.
func (a *Authenticator) response(t testing.TB, c *credential, response map[string]any) []byte {
	t.Helper()
	id := c.id
	if a.Tricks.OtherID {
		id = []byte(rand.Text())
	}
	raw, err := json.Marshal(map[string]any{
		"id": encode(id), "rawId": encode(id), "type": "public-key", "authenticatorAttachment": "platform", "response": response,
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// coseKey writes a P-256 key as RFC 9053 §7.1.1 does, in CTAP2's canonical order.
func coseKey(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	point, err := key.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		t.Fatal(err)
	}
	out := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}
	out = append(out, point[1:33]...)
	out = append(out, 0x22, 0x58, 0x20)
	return append(out, point[33:]...)
}

// attestationObject wraps authenticator data without attestation (WebAuthn §6.5.4,
// §8.7).
func attestationObject(data []byte) []byte {
	out := []byte{0xa3, 0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e', 0x67, 'a', 't', 't', 'S', 't', 'm', 't', 0xa0}
	out = append(out, 0x68, 'a', 'u', 't', 'h', 'D', 'a', 't', 'a', 0x59)
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
	return append(out, data...)
}

// NewestID returns the credential id of the passkey that was made last.
func (a *Authenticator) NewestID() []byte { return bytes.Clone(a.credentials[len(a.credentials)-1].id) }
