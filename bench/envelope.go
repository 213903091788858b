package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/crypto"
)

// envelopes compares sealing and opening of 32 bytes under a cached key with two
// limits: AES-256-GCM under one key for all, and the primitives of the format
// (HKDF per message, commitment, AES-256-GCM) without a keyring around them.
func envelopes(ctx context.Context, b *bench) ([]row, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	var (
		keys      = w.app.Keys
		field     = crypto.Column{Purpose: crypto.PurposeData, Table: "bench", Column: "secret"}.Field("0198c0de-0000-7000-8000-000000000001", "")
		plaintext = bytes.Repeat([]byte{7}, 32)
		aad       = bytes.Repeat([]byte{9}, 128)
		key       = bytes.Repeat([]byte{1}, 32)
	)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	sealedBare := gcm.Seal(nil, nil, plaintext, aad)
	sealedPrimitives, err := sealPrimitives(key, plaintext, aad)
	if err != nil {
		return nil, err
	}
	sealed, err := keys.Seal(ctx, field, plaintext)
	if err != nil {
		return nil, err
	}
	seal, err := b.envelope(ctx, "Seal 32 B",
		func(context.Context, int) error { gcm.Seal(nil, nil, plaintext, aad); return nil },
		func(context.Context, int) error { _, err := sealPrimitives(key, plaintext, aad); return err },
		func(ctx context.Context, _ int) error { _, err := keys.Seal(ctx, field, plaintext); return err })
	if err != nil {
		return nil, err
	}
	open, err := b.envelope(ctx, "Open 32 B",
		func(context.Context, int) error { _, err := gcm.Open(nil, nil, sealedBare, aad); return err },
		func(context.Context, int) error { _, err := openPrimitives(key, sealedPrimitives, aad); return err },
		func(ctx context.Context, _ int) error { _, err := keys.Open(ctx, field, sealed); return err })
	return append(seal, open...), err
}

func (b *bench) envelope(ctx context.Context, figure string, bare, primitives, tenon func(context.Context, int) error) ([]row, error) {
	sides := []side{{"AES-256-GCM", bare}, {"primitives", primitives}, {"keyring", tenon}}
	got, err := contest{rounds: b.rounds, turns: 100, turn: 200, callers: 1}.run(ctx, sides...)
	if err != nil {
		return nil, err
	}
	allocs := make([]footprint, len(sides))
	for s := range sides {
		if allocs[s], err = allocations(ctx, 2000, sides[s].op); err != nil {
			return nil, err
		}
	}
	cost := fmt.Sprintf("%s, %v", micros(got.per(2)), allocs[2])
	return []row{{
		figure: figure,
		bare:   fmt.Sprintf("%s, %v: AES-256-GCM", micros(got.per(0)), allocs[0]),
		tenon:  cost,
		ratio:  got.ratio(2, 0).String(),
		goal:   judged("≤ 3 µs", got.per(2) <= 3*time.Microsecond),
	}, {
		figure: figure,
		bare:   fmt.Sprintf("%s, %v: HKDF, commitment, AES-256-GCM", micros(got.per(1)), allocs[1]),
		tenon:  cost,
		ratio:  got.ratio(2, 1).String(),
	}}, nil
}

const saltSize = 16

// derive makes the key of one message and the value that commits to it.
func derive(key, salt []byte) (aead cipher.AEAD, commitment []byte, err error) {
	both, err := hkdf.Expand(sha256.New, key, "bench/"+string(salt), 64)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(both[:32])
	if err != nil {
		return nil, nil, err
	}
	aead, err = cipher.NewGCMWithRandomNonce(block)
	return aead, both[32:], err
}

func sealPrimitives(key, plaintext, aad []byte) ([]byte, error) {
	out := make([]byte, saltSize, saltSize+32+28+len(plaintext))
	if _, err := rand.Read(out); err != nil {
		return nil, err
	}
	aead, commitment, err := derive(key, out)
	if err != nil {
		return nil, err
	}
	return aead.Seal(append(out, commitment...), nil, plaintext, aad), nil
}

func openPrimitives(key, sealed, aad []byte) ([]byte, error) {
	aead, commitment, err := derive(key, sealed[:saltSize])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(commitment, sealed[saltSize:saltSize+32]) != 1 {
		return nil, errors.New("another key")
	}
	return aead.Open(nil, nil, sealed[saltSize+32:], aad)
}
