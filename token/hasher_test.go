package token_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

func place() token.Binding { return token.Binding{Purpose: "session", Row: "row-1", Tenant: "org-1"} }

func TestAHashVerifiesInItsOwnPlaceOnly(t *testing.T) {
	t.Parallel()
	h := token.NewHasher(tokentest.NewPeppers())
	tok, _ := generate(t, token.KindSession)
	v, err := h.Hash(t.Context(), tok, place())
	assert.NoError(t, err)
	assert.Equal(t, len(v.MAC), 32)
	assert.NoError(t, h.Verify(t.Context(), tok, place(), v))
	for name, b := range map[string]token.Binding{
		"purpose": {Purpose: "api-key", Row: "row-1", Tenant: "org-1"},
		"row":     {Purpose: "session", Row: "row-2", Tenant: "org-1"},
		"tenant":  {Purpose: "session", Row: "row-1", Tenant: "org-2"},
		"none":    {Purpose: "session", Row: "row-1"},
		"shifted": {Purpose: "session", Row: "row-1org-1"},
		"moved":   {Purpose: "session", Row: "row-", Tenant: "1org-1"},
	} {
		err := h.Verify(t.Context(), tok, b, v)
		assert.True(t, errors.Is(err, token.ErrMismatch), name)
	}
	other, _ := generate(t, token.KindSession)
	assert.ErrorIs(t, h.Verify(t.Context(), other, place(), v), token.ErrMismatch)
}

func TestAChangedMACDoesNotVerify(t *testing.T) {
	t.Parallel()
	h := token.NewHasher(tokentest.NewPeppers())
	tok, _ := generate(t, token.KindSession)
	good, err := h.Hash(t.Context(), tok, place())
	assert.NoError(t, err)
	for n := range 33 {
		mac := good.MAC[:min(n, 32)]
		if n == 32 {
			mac = append(append([]byte{}, good.MAC...), 0)
		}
		assert.ErrorIs(t, h.Verify(t.Context(), tok, place(), token.Verifier{KID: good.KID, MAC: mac}), token.ErrMismatch)
	}
	for i := range good.MAC {
		mac := append([]byte{}, good.MAC...)
		mac[i] ^= 0x80
		assert.ErrorIs(t, h.Verify(t.Context(), tok, place(), token.Verifier{KID: good.KID, MAC: mac}), token.ErrMismatch)
	}
}

func TestTheHashIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	peppers := tokentest.NewPeppers()
	tok, raw := generate(t, token.KindSession)
	v, err := token.NewHasher(peppers).Hash(t.Context(), tok, place())
	assert.NoError(t, err)
	key, err := peppers.Subkey(t.Context(), "token", "verifier/session", v.KID)
	assert.NoError(t, err)
	mac := hmac.New(sha256.New, key)
	for _, field := range []string{"tenon/token/v1", "session", "ses", "row-1", "org-1", raw[8:24], raw[24:56]} {
		assert.NoError(t, binary.Write(mac, binary.BigEndian, uint32(len(field))))
		mac.Write([]byte(field))
	}
	assert.Equal(t, v.MAC, mac.Sum(nil))
}

func TestAHashNeedsATokenAPurposeAndARow(t *testing.T) {
	t.Parallel()
	h := token.NewHasher(tokentest.NewPeppers())
	tok, _ := generate(t, token.KindSession)
	for _, c := range []struct {
		tok token.Token
		b   token.Binding
	}{{token.Token{}, place()}, {tok, token.Binding{Row: "row-1"}}, {tok, token.Binding{Purpose: "session"}}} {
		_, err := h.Hash(t.Context(), c.tok, c.b)
		assert.Error(t, err)
		err = h.Verify(t.Context(), c.tok, c.b, token.Verifier{})
		assert.True(t, err != nil && !errors.Is(err, token.ErrMismatch), "an incomplete place is a mistake, not a mismatch")
	}
}

func TestAPepperThatCannotBeHadProvesNothing(t *testing.T) {
	t.Parallel()
	peppers := tokentest.NewPeppers()
	h := token.NewHasher(peppers)
	tok, _ := generate(t, token.KindSession)
	v, err := h.Hash(t.Context(), tok, place())
	assert.NoError(t, err)
	rotated := peppers.Rotate()
	assert.NoError(t, h.Verify(t.Context(), tok, place(), v))
	assert.ErrorIs(t, h.Verify(t.Context(), tok, place(), token.Verifier{KID: rotated, MAC: v.MAC}), token.ErrMismatch)
	err = h.Verify(t.Context(), tok, place(), token.Verifier{KID: "pep-9", MAC: v.MAC})
	assert.True(t, err != nil && !errors.Is(err, token.ErrMismatch), "an unknown pepper")
	down := errors.New("down")
	peppers.Fail(down)
	_, err = h.Hash(t.Context(), tok, place())
	assert.ErrorIs(t, err, down)
	err = h.Verify(t.Context(), tok, place(), v)
	assert.True(t, errors.Is(err, down) && !errors.Is(err, token.ErrMismatch), "an outage")
}

// Waiting does not bring it back: whoever carries such a token was answered with an outage for ever.
func TestR28_NothingMatchesUnderADestroyedPepper(t *testing.T) {
	t.Parallel()
	keyring := cryptotest.NewKeyring(t)
	h := token.NewHasher(keyring)
	tok, _ := generate(t, token.KindSession)
	v, err := h.Hash(t.Context(), tok, place())
	assert.NoError(t, err)
	_, err = keyring.RotateDEK(t.Context(), crypto.PurposeToken, "")
	assert.NoError(t, err)
	assert.NoError(t, h.Verify(t.Context(), tok, place(), v))
	_, err = keyring.DestroyKey(t.Context(), v.KID, true)
	assert.NoError(t, err)
	assert.ErrorIs(t, h.Verify(t.Context(), tok, place(), v), token.ErrMismatch)
}

// constant is the cheapest Peppers there can be, for benchmarks.
type constant []byte

func (c constant) ActiveSubkey(context.Context, string, string) (string, []byte, error) {
	return "k", c, nil
}

func (c constant) Subkey(context.Context, string, string, string) ([]byte, error) { return c, nil }

func BenchmarkVerify(b *testing.B) {
	h := token.NewHasher(constant(make([]byte, 32)))
	tok, raw := generate(b, token.KindSession)
	v, err := h.Hash(b.Context(), tok, place())
	assert.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		tok, err := token.Parse(token.KindSession, raw)
		if err != nil || h.Verify(b.Context(), tok, place(), v) != nil {
			b.Fatal("no match")
		}
	}
}

// BenchmarkBareHMAC is what BenchmarkVerify cannot go below.
func BenchmarkBareHMAC(b *testing.B) {
	key, msg := make([]byte, 32), make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		mac := hmac.New(sha256.New, key)
		mac.Write(msg)
		mac.Sum(nil)
	}
}
