package password

import (
	"errors"
	"runtime/metrics"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// heap returns the bytes that the process's heap holds, what is free in it included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() + sample[1].Value.Uint64() + sample[2].Value.Uint64()
}

// ASVS 15.2.2: five hundred sign-ins at once take the memory of the slots, not of five
// hundred hashes, which is 9.5 GiB. The heap is read where it is largest: when a hash
// is done and its block not yet collected.
func TestASVS15_2_2_FiveHundredSignInsTakeTheMemoryOfTheSlots(t *testing.T) {
	const budget = 128 << 20
	h := newHasher(t, Config{MemoryBudget: budget, MaxQueue: 20})
	stored := assert.Must(h.Hash(t.Context(), "correct horse battery"))(t)
	var mu sync.Mutex
	var most uint64
	derive := h.derive
	h.derive = func(p params, password string, salt []byte, length int) ([]byte, error) {
		tag, err := derive(p, password, salt, length)
		mu.Lock()
		defer mu.Unlock()
		most = max(most, heap())
		return tag, err
	}
	before := heap()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 500 {
		wg.Go(func() {
			<-start
			match, _, err := h.Verify(t.Context(), stored, "correct horse battery")
			if !match && !errors.Is(err, ErrOverloaded) {
				t.Errorf("verify: %t, %v", match, err)
			}
		})
	}
	close(start)
	wg.Wait()
	assert.True(t, h.Stats().Hashed > 1 && most > before, "something was hashed and measured")
	assert.True(t, most < before+budget+64<<20, "the heap grew beyond the slots")
	t.Logf("%d hashed, %d refused, %d MiB at most, %d before", h.Stats().Hashed, h.Stats().Overloaded, most>>20, before>>20)
}
