package crypto_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
)

func keyFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tenon.keys")
	_, err := crypto.CreateKeyFile(path)
	assert.NoError(t, err)
	return path
}

func TestKeyFileKMS(t *testing.T) {
	t.Parallel()
	cryptotest.TestKMS(t, func(t *testing.T) cryptotest.KMSEnv {
		one := assert.Must(crypto.OpenKeyFile(keyFile(t), crypto.FileConfig{}))(t)
		return cryptotest.KMSEnv{KMS: one, Other: assert.Must(crypto.OpenKeyFile(keyFile(t), crypto.FileConfig{}))(t)}
	})
}

func TestKeyFileIsTheOwnersOnly(t *testing.T) {
	t.Parallel()
	path := keyFile(t)
	info := assert.Must(os.Stat(path))(t)
	assert.Equal(t, info.Mode(), fs.FileMode(0o600))
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o644, 0o660} {
		assert.NoError(t, os.Chmod(path, mode))
		_, err := crypto.OpenKeyFile(path, crypto.FileConfig{})
		assert.ErrorIs(t, err, crypto.ErrKeyFileMode)
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		assert.NoError(t, os.Chmod(path, mode))
		_, err := crypto.OpenKeyFile(path, crypto.FileConfig{})
		assert.NoError(t, err)
	}
	_, err := crypto.OpenKeyFile(filepath.Dir(path), crypto.FileConfig{})
	assert.ErrorIs(t, err, crypto.ErrKeyFileMode)
}

func TestKeyFileIsForDevelopment(t *testing.T) {
	t.Parallel()
	_, err := crypto.OpenKeyFile(keyFile(t), crypto.FileConfig{Production: true})
	assert.ErrorIs(t, err, crypto.ErrDevelopmentOnly)
}

// TestKeyFileDamaged changes every byte of the key's line: none goes unnoticed, none is repaired, none is shown.
func TestKeyFileDamaged(t *testing.T) {
	t.Parallel()
	path := keyFile(t)
	text := assert.Must(os.ReadFile(path))(t)
	line := bytes.Index(text, []byte("tenon-key-v1."))
	for i := line; i < len(text)-1; i++ {
		damaged := bytes.Clone(text)
		damaged[i] ^= 1
		_, err := crypto.ParseKeyFile(damaged)
		assert.True(t, errors.Is(err, crypto.ErrKeyCorrupt), "damage went unnoticed")
		assert.NotContains(t, err.Error(), string(text[line+13:line+20]))
	}
	whole := string(text[line:])
	for _, bad := range []string{"", "\n", "# only a comment\n", whole + whole, whole[:40], strings.Repeat("#", 5000), "tenon-key-v1.."} {
		assert.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, err := crypto.OpenKeyFile(path, crypto.FileConfig{})
		assert.ErrorIs(t, err, crypto.ErrKeyCorrupt)
	}
}

func TestR28_KeyFileIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	path := keyFile(t)
	before := assert.Must(os.ReadFile(path))(t)
	_, err := crypto.CreateKeyFile(path)
	assert.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, assert.Must(os.ReadFile(path))(t), before)
	_, err = crypto.CreateKeyFile(filepath.Join(path, "below", "a", "file"))
	assert.Error(t, err)
	assert.Len(t, assert.Must(os.ReadDir(filepath.Dir(path)))(t), 1) // no half-made file is left
}

func TestR28_KeyFileIsNotMadeAgainForOldRows(t *testing.T) {
	t.Parallel()
	store, path := cryptotest.NewFake(), filepath.Join(t.TempDir(), "tenon.keys")
	kms, err := crypto.DevelopmentKMS(t.Context(), store, path)
	assert.NoError(t, err)
	assert.NoError(t, assert.Must(crypto.New(store, crypto.Config{KMS: kms}))(t).Init(t.Context()))
	again, err := crypto.DevelopmentKMS(t.Context(), store, path)
	assert.NoError(t, err)
	assert.Equal(t, again.URI(), kms.URI())

	assert.NoError(t, os.Remove(path))
	_, err = crypto.DevelopmentKMS(t.Context(), store, path)
	assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	_, err = os.Stat(path)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	down := errors.New("database down")
	store.Fail(down)
	_, err = crypto.DevelopmentKMS(t.Context(), store, path)
	assert.ErrorIs(t, err, down)
}

func TestDevelopmentKMSRace(t *testing.T) {
	t.Parallel()
	path := keyFile(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := crypto.DevelopmentKMS(t.Context(), cryptotest.NewFake(), path)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

func TestEnvironmentKey(t *testing.T) {
	const name = "TENON_TEST_KEY"
	t.Setenv(name, "")
	_, err := crypto.OpenEnvKey(name)
	assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	text := assert.Must(crypto.GenerateKey(rand.Reader))(t)
	t.Setenv(name, " "+text+"\n")
	kms, err := crypto.OpenEnvKey(name)
	assert.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key")
	assert.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	file, err := crypto.OpenKeyFile(path, crypto.FileConfig{})
	assert.NoError(t, err)
	assert.Equal(t, kms.URI(), file.URI()) // the same key is the same KMS
	t.Setenv(name, text[1:])
	_, err = crypto.OpenEnvKey(name)
	assert.ErrorIs(t, err, crypto.ErrKeyCorrupt)
	assert.NotContains(t, err.Error(), text[20:30])
}

func TestGenerateKeyNeedsRandomness(t *testing.T) {
	t.Parallel()
	_, err := crypto.GenerateKey(bytes.NewReader(make([]byte, 31)))
	assert.Error(t, err)
}

func FuzzParseKeyFile(f *testing.F) {
	text, err := crypto.GenerateKey(rand.Reader)
	assert.NoError(f, err)
	f.Add([]byte(text))
	f.Add([]byte("# comment\n\n" + text + "\n"))
	f.Add([]byte("tenon-key-v1."))
	f.Fuzz(func(t *testing.T, data []byte) {
		kms, err := crypto.ParseKeyFile(data)
		if err != nil {
			assert.ErrorIs(t, err, crypto.ErrKeyCorrupt)
			assert.True(t, kms == nil, "a KMS together with an error")
		}
	})
}
