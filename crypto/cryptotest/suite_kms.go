package cryptotest

import (
	"bytes"
	"context"
	"maps"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// KMSEnv is a KMS under test.
type KMSEnv struct {
	KMS crypto.KMS
	// Other is the same kind of KMS under another key.
	Other crypto.KMS
	// Rotate adds a version to the key of KMS. Nil where keys have no versions.
	Rotate func()
	// Break makes every later call fail as an unreachable service does. Nil where there is nothing to reach.
	Break func()
}

// TestKMS holds the KMS that open returns to the contracts at crypto.KMS and, where it is one, crypto.Rewrapper.
func TestKMS(t *testing.T, open func(t *testing.T) KMSEnv) {
	t.Helper()
	run(t, []clause[KMSEnv]{
		{"a URI is not empty, constant, and names the key", testKMSURI},
		{"what was wrapped is unwrapped", testKMSRoundTrip},
		{"the wrapped key does not show the key", testKMSHides},
		{"another context is refused", testKMSContext},
		{"every changed byte is refused", testKMSTampered},
		{"the wrapped key of another key is refused", testKMSOther},
		{"an ended ctx is an error", testKMSCancelled},
		{"an outage is ErrKMSUnavailable", testKMSOutage},
		{"rewrapping moves to the newest version and keeps the context", testKMSRewrap},
	}, open)
}

func contextMap() map[string]string {
	return map[string]string{"use": "test", "id": "0102030405060708", "purpose": "data", "tenant": "tenant-1"}
}

func wrapOne(t *testing.T, kms crypto.KMS) (dek []byte, w crypto.Wrapped) {
	t.Helper()
	dek = random(t, 32)
	w, err := kms.Wrap(t.Context(), dek, contextMap())
	assert.NoError(t, err)
	return dek, w
}

func testKMSURI(t *testing.T, e KMSEnv) {
	assert.NotEqual(t, e.KMS.URI(), "")
	assert.Equal(t, e.KMS.URI(), e.KMS.URI())
	assert.NotEqual(t, e.KMS.URI(), e.Other.URI())
	_, w := wrapOne(t, e.KMS)
	assert.Equal(t, w.KEK, e.KMS.URI())
}

func testKMSRoundTrip(t *testing.T, e KMSEnv) {
	dek, w := wrapOne(t, e.KMS)
	got, err := e.KMS.Unwrap(t.Context(), w, contextMap())
	assert.NoError(t, err)
	assert.Equal(t, got, dek)
}

func testKMSHides(t *testing.T, e KMSEnv) {
	dek, w := wrapOne(t, e.KMS)
	assert.False(t, bytes.Contains(w.Bytes, dek), "the key is readable in what wraps it")
	again, err := e.KMS.Wrap(t.Context(), dek, contextMap())
	assert.NoError(t, err)
	assert.False(t, bytes.Equal(again.Bytes, w.Bytes), "the same key was wrapped to the same bytes twice")
}

func testKMSContext(t *testing.T, e KMSEnv) {
	_, w := wrapOne(t, e.KMS)
	for name := range contextMap() {
		changed, less, more := contextMap(), contextMap(), contextMap()
		changed[name] += "x"
		delete(less, name)
		more["more"] = ""
		for _, c := range []map[string]string{changed, less, more, nil} {
			_, err := e.KMS.Unwrap(t.Context(), w, c)
			assert.ErrorIs(t, err, crypto.ErrKMSRefused)
		}
	}
	swapped := maps.Clone(contextMap())
	swapped["id"], swapped["purpose"] = swapped["purpose"], swapped["id"]
	_, err := e.KMS.Unwrap(t.Context(), w, swapped)
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
}

func testKMSTampered(t *testing.T, e KMSEnv) {
	dek, w := wrapOne(t, e.KMS)
	for i := range w.Bytes {
		changed := w
		changed.Bytes = bytes.Clone(w.Bytes)
		changed.Bytes[i] ^= 1
		// A text encoding may have spare bits, so that not every change is one.
		if got, err := e.KMS.Unwrap(t.Context(), changed, contextMap()); err == nil {
			assert.Equal(t, got, dek)
		} else {
			assert.ErrorIs(t, err, crypto.ErrKMSRefused)
		}
	}
	for _, cut := range [][]byte{nil, w.Bytes[:1], w.Bytes[:len(w.Bytes)-1]} {
		changed := w
		changed.Bytes = cut
		_, err := e.KMS.Unwrap(t.Context(), changed, contextMap())
		assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	}
}

func testKMSOther(t *testing.T, e KMSEnv) {
	_, w := wrapOne(t, e.KMS)
	_, err := e.Other.Unwrap(t.Context(), w, contextMap())
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	w.KEK = e.Other.URI()
	_, err = e.Other.Unwrap(t.Context(), w, contextMap())
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
}

func testKMSCancelled(t *testing.T, e KMSEnv) {
	dek, w := wrapOne(t, e.KMS)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.KMS.Wrap(ended, dek, contextMap())
	assert.ErrorIs(t, err, context.Canceled)
	_, err = e.KMS.Unwrap(ended, w, contextMap())
	assert.ErrorIs(t, err, context.Canceled)
}

func testKMSOutage(t *testing.T, e KMSEnv) {
	if e.Break == nil {
		return
	}
	dek, w := wrapOne(t, e.KMS)
	e.Break()
	_, err := e.KMS.Wrap(t.Context(), dek, contextMap())
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	_, err = e.KMS.Unwrap(t.Context(), w, contextMap())
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
}

func testKMSRewrap(t *testing.T, e KMSEnv) {
	service, ok := e.KMS.(crypto.Rewrapper)
	if !ok || e.Rotate == nil {
		return
	}
	dek, old := wrapOne(t, e.KMS)
	e.Rotate()
	version, err := service.Version(t.Context())
	assert.NoError(t, err)
	assert.NotEqual(t, version, old.Version)
	moved, err := service.Rewrap(t.Context(), old, contextMap())
	assert.NoError(t, err)
	assert.Equal(t, moved.Version, version)
	for _, w := range []crypto.Wrapped{old, moved} {
		got, err := e.KMS.Unwrap(t.Context(), w, contextMap())
		assert.NoError(t, err)
		assert.Equal(t, got, dek)
	}
	other := contextMap()
	other["id"] = "0807060504030201"
	_, err = service.Rewrap(t.Context(), old, other)
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	_, err = e.KMS.Unwrap(t.Context(), moved, other)
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
}
