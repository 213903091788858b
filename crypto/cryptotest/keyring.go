// Package cryptotest helps to test what uses package crypto, and what implements its ports.
//
// [NewKeyring] is a ready keyring in memory. [Fake] is a key table and a set of sealed columns in memory, [KMS] a key
// management service that can fail. [TestStore], [TestSealedStore] and [TestKMS] check an implementation of the ports
// sentence by sentence.
package cryptotest

import (
	"log/slog"
	"testing"

	"github.com/tenon-go/tenon/crypto"
)

// NewKeyring returns an initialised keyring over a new [Fake] and a new [KMS], with the default purposes. Two keyrings
// share no keys.
func NewKeyring(t testing.TB) *crypto.Keyring {
	t.Helper()
	keyring, _, _ := NewKeyringWith(t, crypto.Config{})
	return keyring
}

// NewKeyringWith is NewKeyring with a Config, whose KMS it supplies; the Logger defaults to discarding. It returns the
// store and KMS too.
func NewKeyringWith(t testing.TB, cfg crypto.Config) (*crypto.Keyring, *Fake, *KMS) {
	t.Helper()
	store, kms := NewFake(), NewKMS("memory:test")
	cfg.KMS = kms
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	keyring, err := crypto.New(store, cfg)
	if err != nil {
		t.Fatalf("cryptotest: new keyring: %v", err)
	}
	if err := keyring.Init(t.Context()); err != nil {
		t.Fatalf("cryptotest: init keyring: %v", err)
	}
	return keyring, store, kms
}
