package passkey

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/assert"
)

func testParty(t testing.TB) *relyingParty {
	t.Helper()
	rp, err := newRelyingParty(Config{BaseURL: "http://localhost:8080"})
	assert.NoError(t, err)
	return rp
}

// seeds are answers of Chromium's virtual authenticator and of ours, whole and cut.
func seeds(f *testing.F, whole ...string) {
	f.Helper()
	for _, s := range whole {
		f.Add([]byte(s))
		f.Add([]byte(s[:len(s)/2]))
		f.Add([]byte(strings.Replace(s, "A", "_", 3)))
	}
	for _, s := range []string{"", "null", "{}", "[]", `{"id":"","rawId":"","type":"public-key","response":{}}`} {
		f.Add([]byte(s))
	}
}

const (
	chromiumCreated = `{"id":"AQIDBA","rawId":"AQIDBA","type":"public-key","response":{"clientDataJSON":"eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIsIm9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhvc3Q6ODA4MCJ9","attestationObject":"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVg5SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2NFAAAAAQAAAAAAAAAAAAAAAAAAAAAABAECAwSlAQIDJiABIVgg","transports":["internal"]}}`
	chromiumAsked   = `{"id":"AQIDBA","rawId":"AQIDBA","type":"public-key","response":{"clientDataJSON":"eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIsIm9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhvc3Q6ODA4MCJ9","authenticatorData":"SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ","signature":"MEUCIQ","userHandle":"AAECAwQFBgcICQ"}}`
)

// FuzzRegistration feeds what a client sends to everything that reads it. Nothing
// that is not signed and asked for may come out as a passkey: with a challenge that no
// text has, nothing at all.
func FuzzRegistration(f *testing.F) {
	seeds(f, chromiumCreated, chromiumAsked)
	rp := testParty(f)
	ceremony := Ceremony{Kind: KindRegister, Challenge: bytes.Repeat([]byte{0xfe}, challengeLength), UserVerification: true}
	f.Fuzz(func(t *testing.T, response []byte) {
		made, err := readCreated(response)
		if err != nil {
			return
		}
		matches := made.challenge() == encode(ceremony.Challenge)
		if _, err := rp.register(ceremony, []byte("handle"), made); err == nil && !matches {
			t.Error("a passkey for another challenge")
		}
	})
}

// FuzzAssertion does so for sign-ins. No text has a signature of the key.
func FuzzAssertion(f *testing.F) {
	seeds(f, chromiumAsked, chromiumCreated)
	rp := testParty(f)
	key := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}
	key = append(append(append(key, bytes.Repeat([]byte{1}, 32)...), 0x22, 0x58, 0x20), bytes.Repeat([]byte{2}, 32)...)
	f.Fuzz(func(t *testing.T, response []byte) {
		answer, err := readAsserted(response)
		if err != nil {
			return
		}
		p := Passkey{CredentialID: answer.credentialID(), PublicKey: key, UserVerified: true}
		for _, kind := range []Kind{KindSignIn, KindStepUp} {
			c := Ceremony{Kind: kind, Challenge: make([]byte, challengeLength)}
			if err := rp.check(c, p, answer.data.Response.UserHandle, answer); err == nil {
				t.Errorf("%s: accepted", kind)
			}
		}
	})
}

// FuzzPublicKey feeds what an authenticator may have registered to what verifies
// with it.
func FuzzPublicKey(f *testing.F) {
	f.Add([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01})
	f.Add([]byte{0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x41, 0x01, 0x21, 0x41, 0x01})
	f.Add([]byte{0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x41, 0x01})
	rp := testParty(f)
	answer, err := readAsserted([]byte(chromiumAsked))
	assert.NoError(f, err)
	f.Fuzz(func(t *testing.T, key []byte) {
		p := Passkey{CredentialID: answer.credentialID(), PublicKey: key}
		if err := rp.check(Ceremony{Kind: KindStepUp, Challenge: make([]byte, challengeLength)}, p, answer.data.Response.UserHandle, answer); err == nil {
			t.Error("accepted")
		}
	})
}

func TestTheSeedsOfTheFuzzersAreRead(t *testing.T) {
	t.Parallel()
	answer, err := readAsserted([]byte(chromiumAsked))
	assert.NoError(t, err)
	assert.Equal(t, answer.challenge(), strings.Repeat("A", 43))
	assert.Equal(t, encode(answer.credentialID()), "AQIDBA")
	assert.True(t, answer.userVerified() && answer.counter() == 1, "flags and counter")
}

func TestDefaultNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		aaguid, agent, want string
		transports          []string
	}{
		{want: "Passkey"},
		{agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)", transports: []string{"internal"}, want: "Passkey on iPhone"},
		{agent: "Mozilla/5.0 (Linux; Android 15; Pixel 9)", transports: []string{"hybrid"}, want: "Passkey on Android"},
		{agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", transports: []string{"usb", "nfc"}, want: "Security key"},
		{agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", want: "Passkey on Windows"},
		{aaguid: "bada5566-a7aa-401f-bd96-45619a55120d", transports: []string{"usb"}, want: "1Password"},
		{aaguid: "EA9B8D66-4D01-1D21-3CE4-B6B48CB575D4", want: "Google Password Manager"},
		{agent: "curl/8", transports: []string{"internal"}, want: "Passkey"},
	} {
		p := Passkey{Transports: c.transports}
		if c.aaguid != "" {
			p.AAGUID = uuid.MustParse(c.aaguid)
		}
		got := defaultName(p, auth.Client{UserAgent: c.agent})
		assert.Equal(t, got, c.want)
		_, err := auth.CleanName(got)
		assert.NoError(t, err)
	}
}

func TestTransportsAreThoseThatBrowsersKnow(t *testing.T) {
	t.Parallel()
	got := knownTransports([]string{"usb", "internal", "usb", "telepathy", "a,b", "", "USB"})
	assert.Equal(t, got, []string{"internal", "usb"})
	assert.Len(t, knownTransports(nil), 0)
}

func TestOptionsHaveTheShapeOfTheClient(t *testing.T) {
	t.Parallel()
	rp := testParty(t)
	c := Ceremony{Challenge: []byte{0xff, 0xfe}, UserVerification: true}
	raw, err := json.Marshal(rp.requestOptions(c, []Passkey{{CredentialID: []byte{0xfb}, Transports: []string{"usb"}}}))
	assert.NoError(t, err)
	assert.Equal(t, string(raw), `{"challenge":"__4","rpId":"localhost","timeout":300000,"userVerification":"required",`+
		`"allowCredentials":[{"id":"-w","type":"public-key","transports":["usb"]}]}`)
	raw, err = json.Marshal(rp.creationOptions(c, auth.User{Display: "ada@example.com", Name: "Ada"}, []byte{1}, nil, ""))
	assert.NoError(t, err)
	assert.Equal(t, string(raw), `{"challenge":"__4","rp":{"name":"localhost","id":"localhost"},`+
		`"user":{"id":"AQ","name":"ada@example.com","displayName":"Ada"},`+
		`"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},{"type":"public-key","alg":-257}],`+
		`"timeout":300000,"excludeCredentials":[],"authenticatorSelection":{"residentKey":"required","requireResidentKey":true,"userVerification":"required"},`+
		`"attestation":"none"}`)
}
