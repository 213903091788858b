// Package transitkms is a [crypto.KMS] in the transit engine of HashiCorp Vault or OpenBao, over its HTTP API and with
// the standard library only.
//
// The key must be a derived one, made by an operator, never by this package:
//
//	vault write transit/keys/tenon type=aes256-gcm96 derived=true
//
// It binds each wrapped data key to its place in the key table by the context of the derivation, not by associated data:
// rewrap ignores the latter. The token needs these permissions, and none to create (it would let a misspelt key name
// make a new key):
//
//	path "transit/keys/tenon"    { capabilities = ["read"] }
//	path "transit/encrypt/tenon" { capabilities = ["update"] }
//	path "transit/decrypt/tenon" { capabilities = ["update"] }
//	path "transit/rewrap/tenon"  { capabilities = ["update"] }
//
// To retire a version of the key: rotate it, call Keyring.RewrapKEK, then raise its min_decryption_version.
package transitkms

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/tenon-go/tenon/crypto"
)

var (
	pathPattern       = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
	keyPattern        = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	ciphertextPattern = regexp.MustCompile(`^vault:(v[1-9][0-9]{0,9}):[A-Za-z0-9+/=]+$`)
)

// KMS is a transit key. It implements crypto.KMS and crypto.Rewrapper and is safe for concurrent use.
type KMS struct {
	cfg  Config
	base *url.URL
	http *client
}

var (
	_ crypto.KMS       = (*KMS)(nil)
	_ crypto.Rewrapper = (*KMS)(nil)
)

// New returns the KMS of a transit key. It does no I/O. An unacceptable Config is a crypto.ErrInvalid.
func New(cfg Config) (*KMS, error) {
	if cfg.Mount == "" {
		cfg.Mount = defaultMount
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	base, err := url.Parse(cfg.Address)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, invalid("Address", "must be a URL without user, query or fragment")
	}
	switch {
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, invalid("Address", "must be http or https")
	case base.Scheme == "http" && !cfg.InsecureHTTP && !isLoopback(base.Hostname()):
		return nil, invalid("Address", "must be https, see InsecureHTTP")
	case !keyPattern.MatchString(cfg.Key), strings.Trim(cfg.Key, ".") == "":
		return nil, invalid("Key", "must be a plain name")
	case !pathPattern.MatchString(cfg.Mount):
		return nil, invalid("Mount", "must be a plain path")
	case cfg.Namespace != "" && !pathPattern.MatchString(cfg.Namespace):
		return nil, invalid("Namespace", "must be a plain path")
	case cfg.Token == nil:
		return nil, invalid("Token", "required")
	case cfg.Timeout < 0:
		return nil, invalid("Timeout", "negative")
	}
	return &KMS{cfg: cfg, base: base, http: newClient(cfg)}, nil
}

// StaticToken is a Config.Token that never changes.
func StaticToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// URI implements crypto.KMS: "transit:", namespace, mount and key. The address is left out, so that a server may move.
func (k *KMS) URI() string {
	if k.cfg.Namespace == "" {
		return "transit:" + k.cfg.Mount + "/" + k.cfg.Key
	}
	return "transit:" + k.cfg.Namespace + ":" + k.cfg.Mount + "/" + k.cfg.Key
}

// Wrap implements crypto.KMS. It makes sure that the key exists and is a derived one: transit would make a missing key,
// and would ignore the context of one that is not derived.
func (k *KMS) Wrap(ctx context.Context, dek []byte, context map[string]string) (crypto.Wrapped, error) {
	if _, err := k.Version(ctx); err != nil {
		return crypto.Wrapped{}, err
	}
	request := bodyFor(context)
	request.Plaintext = base64.StdEncoding.EncodeToString(dek)
	return k.ciphertext(ctx, "encrypt", request)
}

// Unwrap implements crypto.KMS.
func (k *KMS) Unwrap(ctx context.Context, w crypto.Wrapped, context map[string]string) ([]byte, error) {
	request, err := k.bodyOf(w, context)
	if err != nil {
		return nil, err
	}
	answer, err := k.post(ctx, "decrypt", request)
	if err != nil {
		return nil, err
	}
	dek, err := base64.StdEncoding.DecodeString(answer.Plaintext)
	if err != nil || len(dek) == 0 {
		return nil, refused("decrypt", "answer without a plaintext")
	}
	return dek, nil
}

// Version implements crypto.Rewrapper. It refuses a key that is not derived.
func (k *KMS) Version(ctx context.Context) (string, error) {
	answer, err := k.get(ctx, "keys")
	if err != nil {
		return "", err
	}
	if !answer.Derived || answer.LatestVersion < 1 {
		return "", refused("keys", "the transit key must be made with derived=true")
	}
	return "v" + strconv.Itoa(answer.LatestVersion), nil
}

// Rewrap implements crypto.Rewrapper.
func (k *KMS) Rewrap(ctx context.Context, w crypto.Wrapped, context map[string]string) (crypto.Wrapped, error) {
	request, err := k.bodyOf(w, context)
	if err != nil {
		return crypto.Wrapped{}, err
	}
	return k.ciphertext(ctx, "rewrap", request)
}

// ciphertext makes a request that answers with a ciphertext.
func (k *KMS) ciphertext(ctx context.Context, op string, request body) (crypto.Wrapped, error) {
	answer, err := k.post(ctx, op, request)
	if err != nil {
		return crypto.Wrapped{}, err
	}
	parts := ciphertextPattern.FindStringSubmatch(answer.Ciphertext)
	if parts == nil {
		return crypto.Wrapped{}, refused(op, "answer without a ciphertext")
	}
	return crypto.Wrapped{KEK: k.URI(), Version: parts[1], Bytes: []byte(answer.Ciphertext)}, nil
}

func (k *KMS) bodyOf(w crypto.Wrapped, context map[string]string) (body, error) {
	if w.KEK != k.URI() || !ciphertextPattern.Match(w.Bytes) {
		return body{}, refused("unwrap", "not wrapped by this key")
	}
	request := bodyFor(context)
	request.Ciphertext = string(w.Bytes)
	return request, nil
}

func bodyFor(context map[string]string) body {
	return body{Context: base64.StdEncoding.EncodeToString(crypto.EncodeContext(context))}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func invalid(field, why string) error {
	return fmt.Errorf("transitkms: Config.%s: %s: %w", field, why, crypto.ErrInvalid)
}

func refused(op, why string) error {
	return fmt.Errorf("transitkms: %s: %s: %w", op, why, crypto.ErrKMSRefused)
}
