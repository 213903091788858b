package crypto

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	localScheme   = "local:"
	localPrefix   = "tenon-key-v1."
	maxKeyFile    = 4096
	keyFileHeader = "# Key of a Tenon installation: whoever has this file and the database can read its secrets.\n" +
		"# It cannot be made again. For development; in production use a key management service.\n"
)

// LocalKMS is a [KMS] whose key-encryption key is held by this process. Its URI is made from a fingerprint of the key,
// so the same key is the same KMS whether it comes from a file or from the environment.
type LocalKMS struct {
	uri  string
	aead cipher.AEAD
}

// FileConfig configures [OpenKeyFile].
type FileConfig struct {
	// Production makes OpenKeyFile refuse: a key beside the data it protects is for development.
	Production bool
}

// CreateKeyFile writes a new random key to path, mode 0600, and returns its KMS. It never overwrites: if path exists the
// error is fs.ErrExist. It is the explicit development step of R28: call it only if HasKeys says no, or use
// [DevelopmentKMS], which does.
func CreateKeyFile(path string) (*LocalKMS, error) {
	text, err := GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := writeOnce(path, keyFileHeader+text+"\n"); err != nil {
		return nil, fmt.Errorf("crypto: create key file: %w", err)
	}
	return newLocalKMS(text)
}

// OpenKeyFile returns the KMS whose key is in the file at path. Errors: fs.ErrNotExist, [ErrDevelopmentOnly],
// [ErrKeyFileMode] if the file is no regular file or anyone but its owner may read or write it, [ErrKeyCorrupt].
func OpenKeyFile(path string, cfg FileConfig) (*LocalKMS, error) {
	if cfg.Production {
		return nil, fmt.Errorf("crypto: open key file: %w", ErrDevelopmentOnly)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("crypto: open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("crypto: open key file: %w", err)
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("crypto: open key file: mode %v: %w", info.Mode(), ErrKeyFileMode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("crypto: open key file: %w", err)
	}
	defer clear(text)
	return parseKeyFile(text)
}

// OpenEnvKey returns the KMS whose key is the value of an environment variable: one line as [GenerateKey] makes it.
// Errors: [ErrKeyringMissing] if the variable is not set, [ErrKeyCorrupt].
func OpenEnvKey(name string) (*LocalKMS, error) {
	text := os.Getenv(name)
	if text == "" {
		return nil, fmt.Errorf("crypto: environment variable %s is not set: %w", name, ErrKeyringMissing)
	}
	return newLocalKMS(strings.TrimSpace(text))
}

// DevelopmentKMS opens the key file at path, or creates it if it does not exist and the key table in store is empty. If
// the file is gone but the table has rows, it returns [ErrKeyringMissing] and writes nothing (R28).
func DevelopmentKMS(ctx context.Context, store Store, path string) (*LocalKMS, error) {
	kms, err := OpenKeyFile(path, FileConfig{})
	if !errors.Is(err, fs.ErrNotExist) {
		return kms, err
	}
	has, err := HasKeys(ctx, store)
	if err != nil {
		return nil, err
	}
	if has {
		return nil, fmt.Errorf("crypto: there is no key file, but there are keys: %w", ErrKeyringMissing)
	}
	kms, err = CreateKeyFile(path)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return OpenKeyFile(path, FileConfig{})
	}
	return kms, err
}

// GenerateKey returns the text of a new local key: "tenon-key-v1.", the key and its check value. It is a secret.
func GenerateKey(rand io.Reader) (string, error) {
	key := make([]byte, keySize)
	defer clear(key)
	if _, err := io.ReadFull(rand, key); err != nil {
		return "", fmt.Errorf("crypto: generate key: %w", err)
	}
	check, err := expand(key, labelKEKCheck, checkSize)
	if err != nil {
		return "", err
	}
	return localPrefix + base64.RawURLEncoding.EncodeToString(key) + "." + hex.EncodeToString(check), nil
}

// parseKeyFile reads the one line that is neither empty nor a comment.
func parseKeyFile(text []byte) (*LocalKMS, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("crypto: key file too long: %w", ErrKeyCorrupt)
	}
	var found []byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("crypto: key file with two keys: %w", ErrKeyCorrupt)
		}
		found = line
	}
	return newLocalKMS(string(found))
}

func newLocalKMS(text string) (*LocalKMS, error) {
	key, err := parseLocalKey(text)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	fingerprint, err := expand(key, labelKEKID, idSize)
	if err != nil {
		return nil, err
	}
	wrapKey, err := expand(key, labelWrap, keySize)
	if err != nil {
		return nil, err
	}
	defer clear(wrapKey)
	aead, err := newAEAD(wrapKey)
	if err != nil {
		return nil, err
	}
	return &LocalKMS{uri: localScheme + hex.EncodeToString(fingerprint), aead: aead}, nil
}

func parseLocalKey(text string) ([]byte, error) {
	rest, ok := strings.CutPrefix(text, localPrefix)
	encoded, checkHex, dot := strings.Cut(rest, ".")
	key, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	check, hexErr := hex.DecodeString(checkHex)
	if !ok || !dot || err != nil || hexErr != nil || len(key) != keySize || len(text) != localTextSize {
		return nil, fmt.Errorf("crypto: local key: %w", ErrKeyCorrupt)
	}
	want, err := expand(key, labelKEKCheck, checkSize)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(want, check) {
		return nil, fmt.Errorf("crypto: check value of a local key: %w", ErrKeyCorrupt)
	}
	return key, nil
}

// localTextSize excludes line breaks inside the base64 part, which its decoder skips.
const localTextSize = len(localPrefix) + 43 + 1 + 2*checkSize

// URI implements [KMS].
func (l *LocalKMS) URI() string { return l.uri }

// Wrap implements [KMS] with AES-256-GCM, the context as additional data.
func (l *LocalKMS) Wrap(ctx context.Context, dek []byte, context map[string]string) (Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return Wrapped{}, err
	}
	return Wrapped{KEK: l.uri, Bytes: l.aead.Seal(nil, nil, dek, l.aad(context))}, nil
}

// Unwrap implements [KMS].
func (l *LocalKMS) Unwrap(ctx context.Context, w Wrapped, context map[string]string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.KEK != l.uri {
		return nil, fmt.Errorf("crypto: wrapped by %q: %w", w.KEK, ErrKMSRefused)
	}
	dek, err := l.aead.Open(nil, nil, w.Bytes, l.aad(context))
	if err != nil {
		return nil, fmt.Errorf("crypto: unwrap: %w", ErrKMSRefused)
	}
	return dek, nil
}

func (l *LocalKMS) aad(context map[string]string) []byte {
	return append(appendPart(nil, labelWrap), EncodeContext(context)...)
}

// writeOnce makes the file whole or not at all, so that neither a killed process nor one that starts at the same time
// leaves or meets half a key: it links a finished file, which fails where the name is taken.
func writeOnce(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err := errors.Join(err, os.Remove(f.Name())); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
