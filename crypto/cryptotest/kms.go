package cryptotest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/tenon-go/tenon/crypto"
)

// KMS is a crypto.KMS and crypto.Rewrapper in memory, for tests: it can be made to fail, counts calls, and its key has
// versions. Make one with [NewKMS]. It is safe for concurrent use.
type KMS struct {
	uri string

	mu       sync.Mutex
	versions []map[string]wrapping // by wrapped bytes
	err      error
	calls    int
	stall    *stall
}

// stall holds callers back. entered is closed when the first one is inside.
type stall struct {
	entered, released chan struct{}
	once              sync.Once
}

type wrapping struct {
	dek     []byte
	context string
}

// NewKMS returns a KMS named uri with an empty first version of its key.
func NewKMS(uri string) *KMS {
	return &KMS{uri: uri, versions: []map[string]wrapping{{}}}
}

// Fail makes every call return err until it is called with nil. A crypto.ErrKMSUnavailable is an outage.
func (k *KMS) Fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Stall makes every call wait until its ctx ends or release is called. The channel is closed when the first is waiting.
func (k *KMS) Stall() (entered <-chan struct{}, release func()) {
	s := &stall{entered: make(chan struct{}), released: make(chan struct{})}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stall = s
	return s.entered, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.stall = nil
		close(s.released)
	}
}

// Calls returns the number of calls so far.
func (k *KMS) Calls() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls
}

// Rotate adds a version of the key.
func (k *KMS) Rotate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.versions = append(k.versions, map[string]wrapping{})
}

// DropVersions destroys all versions but the newest.
func (k *KMS) DropVersions() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.versions[:len(k.versions)-1] {
		k.versions[i] = nil
	}
}

// URI implements crypto.KMS.
func (k *KMS) URI() string { return k.uri }

// Wrap implements crypto.KMS.
func (k *KMS) Wrap(ctx context.Context, dek []byte, context map[string]string) (crypto.Wrapped, error) {
	if err := k.enter(ctx); err != nil {
		return crypto.Wrapped{}, err
	}
	defer k.mu.Unlock()
	return k.wrap(dek, context), nil
}

// Unwrap implements crypto.KMS.
func (k *KMS) Unwrap(ctx context.Context, w crypto.Wrapped, context map[string]string) ([]byte, error) {
	if err := k.enter(ctx); err != nil {
		return nil, err
	}
	defer k.mu.Unlock()
	return k.unwrap(w, context)
}

// Version implements crypto.Rewrapper.
func (k *KMS) Version(ctx context.Context) (string, error) {
	if err := k.enter(ctx); err != nil {
		return "", err
	}
	defer k.mu.Unlock()
	return k.version(len(k.versions)), nil
}

// Rewrap implements crypto.Rewrapper.
func (k *KMS) Rewrap(ctx context.Context, w crypto.Wrapped, context map[string]string) (crypto.Wrapped, error) {
	if err := k.enter(ctx); err != nil {
		return crypto.Wrapped{}, err
	}
	defer k.mu.Unlock()
	dek, err := k.unwrap(w, context)
	if err != nil {
		return crypto.Wrapped{}, err
	}
	return k.wrap(dek, context), nil
}

// enter counts the call, waits out a stall, and returns with the lock held unless there is an error.
func (k *KMS) enter(ctx context.Context) error {
	k.mu.Lock()
	k.calls++
	if s := k.stall; s != nil {
		k.mu.Unlock()
		s.once.Do(func() { close(s.entered) })
		select {
		case <-s.released:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", crypto.ErrKMSUnavailable, ctx.Err())
		}
		k.mu.Lock()
	}
	err := k.err
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		k.mu.Unlock()
	}
	return err
}

func (k *KMS) wrap(dek []byte, context map[string]string) crypto.Wrapped {
	name := rand.Text()
	newest := len(k.versions)
	k.versions[newest-1][name] = wrapping{append([]byte(nil), dek...), string(crypto.EncodeContext(context))}
	return crypto.Wrapped{KEK: k.uri, Version: k.version(newest), Bytes: []byte(name)}
}

func (k *KMS) unwrap(w crypto.Wrapped, context map[string]string) ([]byte, error) {
	for _, version := range k.versions {
		if found, ok := version[string(w.Bytes)]; ok && found.context == string(crypto.EncodeContext(context)) {
			return append([]byte(nil), found.dek...), nil
		}
	}
	return nil, fmt.Errorf("cryptotest: unwrap: %w", crypto.ErrKMSRefused)
}

func (k *KMS) version(n int) string { return fmt.Sprintf("v%d", n) }
