package crypto

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Wrapped is a data key as a KMS returned it.
type Wrapped struct {
	KEK     string // KMS.URI of the wrapping key
	Version string // version of the wrapping key, empty where there is none
	Bytes   []byte // opaque to everyone but the KMS
}

// KMS wraps and unwraps 32-byte data keys under a key-encryption key that it never shows. Implementations are safe for
// concurrent use, obey ctx, and bind the context map to the wrapped key: Unwrap with another map fails. They return
// errors that are [ErrKMSUnavailable] when no answer could be had, and [ErrKMSRefused] when the answer was no; a
// Keyring treats every other error as a refusal. cryptotest.TestKMS checks all of this.
type KMS interface {
	// URI names the key-encryption key without secrets and never changes: it is stored beside every wrapped key and
	// finds the KMS again.
	URI() string
	// Wrap returns dek wrapped for context. It does not keep dek.
	Wrap(ctx context.Context, dek []byte, context map[string]string) (Wrapped, error)
	// Unwrap returns what was wrapped for the same context.
	Unwrap(ctx context.Context, w Wrapped, context map[string]string) ([]byte, error)
}

// Rewrapper is a [KMS] whose key has versions and that moves a wrapped key to the newest one without showing it.
// Keyring.RewrapKEK uses it where it is there, and unwraps and wraps otherwise.
type Rewrapper interface {
	// Version returns the newest version of the key-encryption key.
	Version(ctx context.Context) (string, error)
	// Rewrap returns w under the newest version, for the same context.
	Rewrap(ctx context.Context, w Wrapped, context map[string]string) (Wrapped, error)
}

// EncodeContext returns the canonical bytes of a KMS context: a label, the number of entries, then keys and values in
// order of the keys, each after its 4-byte big-endian length. Adapters use it where a service takes one byte string.
func EncodeContext(context map[string]string) []byte {
	out := appendPart(nil, labelContext)
	out = binary.BigEndian.AppendUint32(out, uint32(len(context)))
	for _, name := range slices.Sorted(maps.Keys(context)) {
		out = appendPart(out, name)
		out = appendPart(out, context[name])
	}
	return out
}

// callKMS runs one call under the configured timeout and sorts its error into the three kinds a caller can act on:
// the caller gave up, the service is down, the service refused.
func (k *Keyring) callKMS(ctx context.Context, op string, call func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, k.cfg.KMSTimeout)
	defer cancel()
	k.stats.kmsCalls.Add(1)
	err := call(limited)
	if err == nil {
		return nil
	}
	k.stats.kmsErrors.Add(1)
	return sortKMSError(ctx, limited, op, err)
}

func sortKMSError(ctx, limited context.Context, op string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("crypto: %s: %w", op, ctx.Err())
	case isUnavailable(err):
		return fmt.Errorf("crypto: %s: %w", op, err)
	case limited.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("crypto: %s: %w: %w", op, ErrKMSUnavailable, err)
	}
	return fmt.Errorf("crypto: %s: %w: %w", op, ErrKMSRefused, err)
}

// unwrap returns the data key of a row after checking that it is the one the row was made with.
func (k *Keyring) unwrap(ctx context.Context, row Key) ([]byte, error) {
	kms, ok := k.kms[row.KEK]
	if !ok {
		return nil, fmt.Errorf("crypto: key %s is wrapped by %q: %w", row.ID, row.KEK, ErrKeyringMissing)
	}
	var dek []byte
	err := k.callKMS(ctx, "unwrap", func(ctx context.Context) (err error) {
		dek, err = kms.Unwrap(ctx, row.wrapped(), row.kmsContext())
		return err
	})
	if isRefused(err) {
		return nil, fmt.Errorf("%w: %w", ErrKeyringMissing, err)
	}
	if err != nil {
		return nil, err
	}
	if len(dek) != keySize {
		return nil, fmt.Errorf("crypto: length of key %s: %w", row.ID, ErrKeyringMissing)
	}
	if err := row.verify(dek); err != nil {
		clear(dek)
		return nil, err
	}
	return dek, nil
}

func (k *Keyring) wrap(ctx context.Context, row Key, dek []byte) (w Wrapped, err error) {
	err = k.callKMS(ctx, "wrap", func(ctx context.Context) (err error) {
		w, err = k.cfg.KMS.Wrap(ctx, dek, row.kmsContext())
		return err
	})
	if err == nil && w.KEK != k.cfg.KMS.URI() {
		err = fmt.Errorf("crypto: wrap answered for another key: %w", ErrKMSRefused)
	}
	return w, err
}
