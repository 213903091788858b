package crypto_test

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
)

// batch is how many calls of one kind are made before the other kind has its turn.
const batch = 64

// beside measures work and bare in turns, and reports both and their ratio. Bare is AES-256-GCM with a cached key and a
// random nonce: no key of its own for each message, no commitment, no key id, no place.
func beside(b *testing.B, work, bare func()) {
	b.Helper()
	var spent, bareSpent time.Duration
	rounds := 0
	for b.Loop() {
		spent += timed(work)
		bareSpent += timed(bare)
		rounds += batch
	}
	b.ReportMetric(0, "ns/op") // of both together: of no use
	b.ReportMetric(float64(spent.Nanoseconds())/float64(rounds), "ns/call")
	b.ReportMetric(float64(bareSpent.Nanoseconds())/float64(rounds), "ns/bare")
	b.ReportMetric(float64(spent)/float64(bareSpent), "ratio")
}

func timed(fn func()) time.Duration {
	start := time.Now()
	for range batch {
		fn()
	}
	return time.Since(start)
}

func bareGCM(b *testing.B) cipher.AEAD {
	b.Helper()
	block := assert.Must(aes.NewCipher(make([]byte, 32)))(b)
	return assert.Must(cipher.NewGCMWithRandomNonce(block))(b)
}

func BenchmarkSeal32(b *testing.B) {
	k, gcm, f := newBench(b, crypto.Config{}), bareGCM(b), secrets.Field("01997b2e-5a4c-7cc0-8f7e-0d6f1a2b3c4d", "")
	plaintext, aad := make([]byte, 32), make([]byte, 65)
	beside(b,
		func() {
			if _, err := k.Seal(b.Context(), f, plaintext); err != nil {
				b.Fatal(err)
			}
		},
		func() { gcm.Seal(nil, nil, plaintext, aad) })
}

func BenchmarkOpen32(b *testing.B) {
	k, gcm, f := newBench(b, crypto.Config{}), bareGCM(b), secrets.Field("01997b2e-5a4c-7cc0-8f7e-0d6f1a2b3c4d", "")
	plaintext, aad := make([]byte, 32), make([]byte, 65)
	sealed, bare := k.seal(b, f, string(plaintext)), gcm.Seal(nil, nil, plaintext, aad)
	beside(b,
		func() {
			if _, err := k.Open(b.Context(), f, sealed); err != nil {
				b.Fatal(err)
			}
		},
		func() {
			if _, err := gcm.Open(nil, nil, bare, aad); err != nil {
				b.Fatal(err)
			}
		})
}

func BenchmarkSubkey(b *testing.B) {
	k := newBench(b, crypto.Config{})
	kid, _, err := k.ActiveSubkey(b.Context(), crypto.PurposeToken, "token-pepper")
	assert.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Subkey(b.Context(), crypto.PurposeToken, "token-pepper", kid); err != nil {
			b.Fatal(err)
		}
	}
}
