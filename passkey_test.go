package tenon_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/passkey/passkeytest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
)

func withPasskeys(c *tenon.Config) { c.Passkeys = passkeybun.New(passkey.Config{}) }

// registration is a passkey made for who is signed in, ready to be sent.
func (b *browser) registration(a *passkeytest.Authenticator) json.RawMessage {
	b.t.Helper()
	options := b.get("/passkey/generate-register-options")
	if options.StatusCode != http.StatusOK {
		b.t.Fatal(options.body)
	}
	return a.Create(b.t, []byte(options.body))
}

func (b *browser) register(response json.RawMessage) answer {
	b.t.Helper()
	return b.post("/passkey/verify-registration", map[string]any{"response": response})
}

// addPasskey registers a passkey for who is signed in.
func (b *browser) addPasskey(a *passkeytest.Authenticator) answer {
	b.t.Helper()
	return b.register(b.registration(a))
}

// assertion is the answer of an authenticator to options of a sign-in.
func (b *browser) assertion(a *passkeytest.Authenticator) json.RawMessage {
	b.t.Helper()
	options := b.get("/passkey/generate-authenticate-options")
	if options.StatusCode != http.StatusOK {
		b.t.Fatal(options.body)
	}
	return a.Get(b.t, []byte(options.body))
}

func (b *browser) authenticate(response json.RawMessage) answer {
	b.t.Helper()
	return b.post("/passkey/verify-authentication", map[string]any{"response": response})
}

// signInByPasskey signs in with the newest passkey of an authenticator.
func (b *browser) signInByPasskey(a *passkeytest.Authenticator) answer {
	b.t.Helper()
	return b.authenticate(b.assertion(a))
}

// stepUpByPasskey proves a passkey again.
func (b *browser) stepUpByPasskey(a *passkeytest.Authenticator) answer {
	b.t.Helper()
	options := b.get("/passkey/generate-step-up-options")
	if options.StatusCode != http.StatusOK {
		b.t.Fatal(options.body)
	}
	return b.post("/passkey/verify-step-up", map[string]any{"response": json.RawMessage(a.Get(b.t, []byte(options.body)))})
}

// withPasskey is signedIn, with a passkey.
func (w *world) withPasskey(t testing.TB, to string) (*browser, *passkeytest.Authenticator) {
	t.Helper()
	b, a := w.signedIn(t, to), passkeytest.New(base)
	if got := b.addPasskey(a); got.StatusCode != http.StatusOK {
		t.Fatal(got.body)
	}
	return b, a
}

// passkeys is the list of who is signed in.
func (b *browser) passkeys() (list []map[string]any) {
	b.t.Helper()
	got := b.get("/passkey/list-user-passkeys")
	assert.Equal(b.t, got.StatusCode, http.StatusOK)
	assert.NoError(b.t, json.Unmarshal([]byte(got.body), &list))
	return list
}

// signCount is what is stored of the only passkey.
func (w *world) signCount(t testing.TB) (count int) {
	t.Helper()
	ctx := bundbtest.Outside(t.Context())
	assert.NoError(t, w.db.Statement("SELECT sign_count FROM tenon_passkeys").QueryRow(ctx).Scan(&count))
	return count
}

func TestPasskeyLife(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, elsewhere := w.signedIn(t, email), w.browser(t)
		assert.Equal(t, elsewhere.signIn(email).StatusCode, http.StatusOK)
		a := passkeytest.New(base)
		added := b.addPasskey(a)
		assert.Equal(t, added.StatusCode, http.StatusOK)
		id, _ := added.decode(t)["id"].(string)
		assert.True(t, b.isSignedIn() && !elsewhere.isSignedIn(), "the other session ended, this one did not")
		assert.Equal(t, w.lastMail(t, email), passkey.MailAdded)

		other := w.browser(t)
		got := other.signInByPasskey(a)
		assert.Equal(t, got.StatusCode, http.StatusOK)
		assert.Equal(t, other.idOf(), b.idOf())
		session, _ := got.decode(t)["session"].(map[string]any)
		assert.Equal(t, session["userId"], any(b.idOf()))
		assert.NotContains(t, got.body, "tnn_")

		renamed := other.post("/passkey/update-passkey", map[string]any{"id": id, "name": " Work laptop "})
		assert.Equal(t, renamed.StatusCode, http.StatusOK)
		list := b.passkeys()
		assert.Len(t, list, 1)
		for field, want := range map[string]any{
			"id": id, "name": "Work laptop", "userId": b.idOf(), "deviceType": "singleDevice", "backedUp": false, "counter": 1.0,
			"transports": "hybrid,internal", "aaguid": "00000000-0000-0000-0000-000000000000", "userVerified": true,
		} {
			assert.Equal(t, list[0][field], want)
		}
		assert.True(t, list[0]["lastUsedAt"] != nil, "it was used")

		assert.Equal(t, other.post("/passkey/delete-passkey", map[string]any{"id": id}).body, `{"status":true}`+"\n")
		assert.True(t, other.isSignedIn() && !b.isSignedIn(), "deleting ends the other session, too")
		assert.Equal(t, w.lastMail(t, email), passkey.MailRemoved)
		assert.Equal(t, w.browser(t).signInByPasskey(a).code(t), "AUTHENTICATION_FAILED")
		assert.Len(t, other.passkeys(), 0)
	}, withPasskeys)
}

// The options are what makes the authenticator do the right thing.
func TestPasskeyOptions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		got := b.get("/passkey/generate-register-options?authenticatorAttachment=cross-platform&name=x&context=y")
		var o passkey.CreationOptions
		assert.NoError(t, json.Unmarshal([]byte(got.body), &o))
		assert.Equal(t, o.RP.ID+"/"+o.RP.Name, "localhost/Test")
		assert.Equal(t, o.User.Name+"/"+o.User.DisplayName, email+"/Ada")
		assert.True(t, len(o.Challenge) == 43 && len(o.User.ID) == 43, "32 random bytes each")
		assert.NotContains(t, o.User.ID, b.idOf())
		assert.Equal(t, o.AuthenticatorSelection, passkey.AuthenticatorSelection{
			AuthenticatorAttachment: "cross-platform", ResidentKey: "required", RequireResidentKey: true, UserVerification: "required",
		})
		assert.Equal(t, o.Attestation, "none")
		assert.Len(t, o.ExcludeCredentials, 1)
		var again passkey.CreationOptions
		assert.NoError(t, json.Unmarshal([]byte(b.get("/passkey/generate-register-options").body), &again))
		assert.Equal(t, again.User.ID, o.User.ID)
		assert.NotEqual(t, again.Challenge, o.Challenge)

		// Username-less: nobody is named, whoever is signed in.
		for _, who := range []*browser{b, w.browser(t)} {
			got := who.get("/passkey/generate-authenticate-options")
			var o passkey.RequestOptions
			assert.NoError(t, json.Unmarshal([]byte(got.body), &o))
			assert.Equal(t, o.RPID+" "+o.UserVerification, "localhost required")
			assert.Len(t, o.AllowCredentials, 0)
			assert.NotContains(t, got.body, "tnn_")
			assert.NotEqual(t, who.cookie("passkey"), "")
		}
		assert.Equal(t, a.Has(), 1)
	}, withPasskeys)
}

// A ceremony is used once, in five minutes, by who began it.
func TestPasskeyCeremoniesAreSingleUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.withPasskey(t, email)
		visitor := w.browser(t)
		response := visitor.assertion(a)
		assert.Equal(t, w.browser(t).authenticate(response).code(t), "CHALLENGE_NOT_FOUND")
		thief := w.browser(t)
		thief.get("/passkey/generate-authenticate-options")
		assert.Equal(t, thief.authenticate(response).code(t), "CHALLENGE_NOT_FOUND")
		assert.Equal(t, visitor.authenticate(response).StatusCode, http.StatusOK)
		assert.Equal(t, visitor.authenticate(response).code(t), "CHALLENGE_NOT_FOUND")

		late := visitor.assertion(a)
		bundbtest.ClockOf(w.db).Advance(5 * time.Minute)
		assert.Equal(t, visitor.authenticate(late).code(t), "CHALLENGE_NOT_FOUND")
		// A tab does not end the ceremony of another.
		first, second := visitor.assertion(a), visitor.assertion(a)
		assert.Equal(t, visitor.authenticate(first).StatusCode, http.StatusOK)
		assert.Equal(t, visitor.authenticate(second).StatusCode, http.StatusOK)

		// One wrong answer uses it up as well.
		a.Tricks.BogusSignature = true
		wrong := visitor.assertion(a)
		assert.Equal(t, visitor.authenticate(wrong).code(t), "AUTHENTICATION_FAILED")
		assert.Equal(t, visitor.authenticate(wrong).code(t), "CHALLENGE_NOT_FOUND")

		// The answer to one kind is nothing to another, and sessions are not shared.
		a.Tricks = passkeytest.Tricks{}
		assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK)
		made := b.registration(passkeytest.New(base))
		same := w.browser(t)
		assert.Equal(t, same.signIn(email).StatusCode, http.StatusOK)
		assert.Equal(t, same.register(made).code(t), "CHALLENGE_NOT_FOUND")
		signIn := b.assertion(a)
		assert.Equal(t, b.post("/passkey/verify-step-up", map[string]any{"response": signIn}).code(t), "CHALLENGE_NOT_FOUND")
		assert.Equal(t, b.register(made).StatusCode, http.StatusOK)
		assert.Equal(t, b.register(made).code(t), "CHALLENGE_NOT_FOUND")
		bundbtest.ClockOf(w.db).Advance(5 * time.Minute)
		assert.NoError(t, w.Maintain(t.Context()))
		assert.Equal(t, w.count(t, "tenon_passkey_ceremonies"), 0)
	}, withPasskeys)
}

// What is asked for under one security version is nothing under the next (rule R1).
func TestR1_ARegistrationOutlivesNoChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b := w.signedIn(t, email)
		made := b.registration(passkeytest.New(base))
		assert.Equal(t, b.changePassword(password, newPassword).StatusCode, http.StatusOK)
		got := b.register(made)
		assert.Equal(t, got.code(t), "CHALLENGE_NOT_FOUND")
		assert.Equal(t, w.count(t, "tenon_passkeys"), 0)
	}, withPasskeys)
}

// Browsers may send more than was asked for, and clients less.
func TestPasskeyAnswersAsClientsWriteThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		b, a := w.signedIn(t, email), passkeytest.New(base)
		more := func(raw json.RawMessage) json.RawMessage {
			return json.RawMessage(strings.Replace(string(raw), "{", `{"clientExtensionResults":{"credProps":{"rk":true},"other":{"x":[1]}},"further":1,`, 1))
		}
		assert.Equal(t, b.register(more(b.registration(a))).StatusCode, http.StatusOK)
		visitor := w.browser(t)
		assert.Equal(t, visitor.authenticate(more(visitor.assertion(a))).StatusCode, http.StatusOK)
		for name, response := range map[string]string{
			"null": `null`, "a string": `"x"`, "an array": `[]`, "nothing in it": `{}`, "no id": `{"type":"public-key"}`,
			"no response": `{"id":"AA","rawId":"AA","type":"public-key"}`,
			"bad base64":  `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"!","authenticatorData":"","signature":""}}`,
			"bad data":    `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`,
		} {
			for _, path := range []string{"/passkey/verify-registration", "/passkey/verify-authentication", "/passkey/verify-step-up"} {
				got := b.post(path, map[string]any{"response": json.RawMessage(response)})
				if got.StatusCode < 400 || got.StatusCode >= 500 {
					t.Errorf("%s, %s: %d %s", path, name, got.StatusCode, got.body)
				}
			}
			assert.Equal(t, b.signIn(email).StatusCode, http.StatusOK) // the failed step-ups ended the session
		}
	}, withPasskeys)
}
