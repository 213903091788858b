package transit

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/crypto/transitkms"
)

func (v *vault) create(key string, derived bool) *transitkms.KMS {
	v.t.Helper()
	v.operator("keys/"+key, map[string]any{"type": "aes256-gcm96", "derived": derived})
	return v.kms(key, vaultToken)
}

func (v *vault) kms(key, token string) *transitkms.KMS {
	v.t.Helper()
	k, err := transitkms.New(transitkms.Config{Address: v.server.URL, Key: key, Token: transitkms.StaticToken(token)})
	if err != nil {
		v.t.Fatal(err)
	}
	return k
}

func (v *vault) rotate(key string) { v.operator("keys/"+key+"/rotate", nil) }

// The exported suite: round trip, context, tampering, another key, outage, rotation and rewrap.
func TestVaultPassesTheSuiteOfKMS(t *testing.T) {
	t.Parallel()
	cryptotest.TestKMS(t, func(t *testing.T) cryptotest.KMSEnv {
		v := newVault(t)
		return cryptotest.KMSEnv{
			KMS: v.create("tenon", true), Other: v.create("other", true),
			Rotate: func() { v.rotate("tenon") }, Break: v.server.Close,
		}
	})
}

// The way to retire a version that the package promises: rotate, RewrapKEK, raise min_decryption_version.
func TestARetiredVersionIsNotNeededAfterRewrap(t *testing.T) {
	t.Parallel()
	v, store := newVault(t), cryptotest.NewFake()
	cfg := crypto.Config{KMS: v.create("tenon", true)}
	field := crypto.Column{Purpose: crypto.PurposeData, Table: "things", Column: "secret"}.Field("1", "")
	keyring := open(t, store, cfg)
	if err := keyring.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed, err := keyring.Seal(t.Context(), field, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	v.rotate("tenon")
	if _, err := keyring.RewrapKEK(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.operator("keys/tenon/config", map[string]any{"min_decryption_version": 2, "min_encryption_version": 2})
	v.operator("keys/tenon/trim", map[string]any{"min_available_version": 2})
	text, err := open(t, store, cfg).Open(t.Context(), field, sealed)
	if err != nil || !bytes.Equal(text, []byte("text")) {
		t.Fatalf("open after the first version is gone: %q, %v", text, err)
	}
}

// Without the rewrap the same steps must fail, or the test above shows nothing.
func TestARetiredVersionIsNeededWithoutRewrap(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	k, context := v.create("tenon", true), map[string]string{"id": "1"}
	wrapped, err := k.Wrap(t.Context(), bytes.Repeat([]byte{7}, 32), context)
	if err != nil {
		t.Fatal(err)
	}
	v.rotate("tenon")
	v.operator("keys/tenon/config", map[string]any{"min_decryption_version": 2})
	if _, err := k.Unwrap(t.Context(), wrapped, context); !errors.Is(err, crypto.ErrKMSRefused) {
		t.Errorf("unwrap under a retired version: %v", err)
	}
}

func TestWhatVaultWouldAcceptTheAdapterRefuses(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	for name, k := range map[string]*transitkms.KMS{
		"a key that is not derived ignores the context": v.create("plain", false),
		"a key that nobody made":                        v.kms("misspelt", vaultToken),
		"a wrong token":                                 v.kms("plain", "hvs.wrong"),
	} {
		if _, err := k.Wrap(t.Context(), make([]byte, 32), map[string]string{"id": "1"}); !errors.Is(err, crypto.ErrKMSRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	response, err := v.backend.HandleRequest(t.Context(), v.request("list", "keys/", nil))
	if err != nil || len(response.Data["keys"].([]string)) != 1 {
		t.Errorf("a key was made by wrapping: %v, %v", response, err)
	}
}

func open(t *testing.T, store crypto.Store, cfg crypto.Config) *crypto.Keyring {
	t.Helper()
	keyring, err := crypto.New(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}
