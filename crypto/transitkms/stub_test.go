package transitkms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const rootToken = "hvs.test-token"

// transit is a stand-in for the transit engine, at least as strict as the real one: it wants the token, the method, the
// content type, only known members, standard base64, and a context, from which it derives the key.
type transit struct {
	server *httptest.Server

	mu      sync.Mutex
	keys    map[string]*transitKey
	answer  func(http.ResponseWriter) // overrides every answer
	request []string                  // method and path of every request
}

type transitKey struct {
	derived  bool
	versions [][]byte
}

func newTransit(t *testing.T) *transit {
	t.Helper()
	tr := &transit{keys: map[string]*transitKey{}}
	tr.server = httptest.NewServer(tr)
	t.Cleanup(tr.server.Close)
	tr.create("tenon", true)
	tr.create("other", true)
	tr.create("plain", false)
	return tr
}

func (tr *transit) create(name string, derived bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.keys[name] = &transitKey{derived: derived, versions: [][]byte{[]byte(rand.Text())}}
}

func (tr *transit) rotate(name string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.keys[name].versions = append(tr.keys[name].versions, []byte(rand.Text()))
}

func (tr *transit) override(answer func(http.ResponseWriter)) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.answer = answer
}

func (tr *transit) requests() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return append([]string(nil), tr.request...)
}

func (tr *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.request = append(tr.request, r.Method+" "+r.URL.Path)
	if tr.answer != nil {
		tr.answer(w)
		return
	}
	status, answer := tr.serve(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status != http.StatusOK {
		answer = map[string]any{"errors": []string{"the request was " + r.URL.Path}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (tr *transit) serve(r *http.Request) (int, map[string]any) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	op, name, _ := strings.Cut(rest, "/")
	key := tr.keys[name]
	switch {
	case r.Header.Get("X-Vault-Token") != rootToken:
		return http.StatusForbidden, nil
	case !ok || r.URL.RawQuery != "" || r.Header.Get("X-Vault-Namespace") != "":
		return http.StatusNotFound, nil
	case op == "keys" && r.Method == http.MethodGet && key != nil:
		return data("latest_version", len(key.versions), "derived", key.derived, "type", "aes256-gcm96", "name", name)
	case op == "keys" && r.Method == http.MethodGet:
		return http.StatusNotFound, nil
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json":
		return http.StatusMethodNotAllowed, nil
	case key == nil: // the real engine makes the key; the tests look at tr.keys
		key = &transitKey{derived: true, versions: [][]byte{[]byte(rand.Text())}}
		tr.keys[name] = key
	}
	var in struct{ Plaintext, Ciphertext, Context *string }
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if decoder.Decode(&in) != nil || in.Context == nil {
		return http.StatusBadRequest, nil
	}
	context, err := base64.StdEncoding.Strict().DecodeString(*in.Context)
	if err != nil || len(context) == 0 {
		return http.StatusBadRequest, nil
	}
	return key.operate(op, in.Plaintext, in.Ciphertext, context)
}

func (k *transitKey) operate(op string, plaintext, ciphertext *string, context []byte) (int, map[string]any) {
	switch {
	case op == "encrypt" && plaintext != nil && ciphertext == nil:
		raw, err := base64.StdEncoding.Strict().DecodeString(*plaintext)
		if err != nil {
			return http.StatusBadRequest, nil
		}
		return data("ciphertext", k.encrypt(raw, context), "key_version", len(k.versions))
	case op == "decrypt" && ciphertext != nil && plaintext == nil:
		raw, ok := k.decrypt(*ciphertext, context)
		if !ok {
			return http.StatusBadRequest, nil
		}
		return data("plaintext", base64.StdEncoding.EncodeToString(raw))
	case op == "rewrap" && ciphertext != nil && plaintext == nil:
		raw, ok := k.decrypt(*ciphertext, context)
		if !ok {
			return http.StatusBadRequest, nil
		}
		return data("ciphertext", k.encrypt(raw, context), "key_version", len(k.versions))
	}
	return http.StatusBadRequest, nil
}

func (k *transitKey) encrypt(raw, context []byte) string {
	version := len(k.versions)
	sealed := k.aead(version, context).Seal(nil, nil, raw, nil)
	return fmt.Sprintf("vault:v%d:%s", version, base64.StdEncoding.EncodeToString(sealed))
}

func (k *transitKey) decrypt(ciphertext string, context []byte) ([]byte, bool) {
	parts := strings.Split(ciphertext, ":")
	if len(parts) != 3 || parts[0] != "vault" {
		return nil, false
	}
	version, err := strconv.Atoi(strings.TrimPrefix(parts[1], "v"))
	sealed, decodeErr := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || decodeErr != nil || version < 1 || version > len(k.versions) {
		return nil, false
	}
	raw, err := k.aead(version, context).Open(nil, nil, sealed, nil)
	return raw, err == nil
}

func (k *transitKey) aead(version int, context []byte) cipher.AEAD {
	if !k.derived {
		context = nil // as the real engine does: the context of a key that is not derived binds nothing
	}
	derived, err := hkdf.Key(sha256.New, k.versions[version-1], nil, string(context), 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func data(pairs ...any) (int, map[string]any) {
	members := make(map[string]any)
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i].(string)] = pairs[i+1]
	}
	return http.StatusOK, map[string]any{"data": members, "request_id": rand.Text()}
}
