package password

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/tenon-go/tenon/internal/assert"
)

const parallel = 64

// together runs fn in 64 goroutines and returns how long they took.
func together(fn func()) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(fn)
	}
	wg.Wait()
	return time.Since(began)
}

// BenchmarkSignIns compares 64 concurrent verifications with argon2id alone
// behind as many slots, interleaved. "bare/ours" is the part of the bare
// throughput that is left: the median of the rounds, 1.00 if nothing is lost.
//
//	go test -run xxx -bench SignIns -benchtime 10x ./auth/password
func BenchmarkSignIns(b *testing.B) {
	h := newHasher(b, Config{Algorithm: Argon2id, QueueTimeout: time.Minute})
	phc, err := h.Hash(b.Context(), "correct horse")
	assert.NoError(b, err)
	slots, salt := make(chan struct{}, h.Stats().Slots), make([]byte, saltLen)
	bare := func() {
		slots <- struct{}{}
		argon2.IDKey([]byte("correct horse"), salt, 2, 19<<10, 1, tagLen)
		<-slots
	}
	ours := func() {
		if match, _, err := h.Verify(b.Context(), phc, "correct horse"); err != nil || !match {
			b.Error("no match")
		}
	}
	var ratios []float64
	for b.Loop() {
		// Each order once, so that a drift of the machine favours neither.
		first, second := together(bare), together(ours)
		second += together(ours)
		first += together(bare)
		ratios = append(ratios, first.Seconds()/second.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "bare/ours")
	b.ReportMetric(4*parallel*float64(b.N)/b.Elapsed().Seconds(), "hashes/s")
}

// memoryChild is set in the process that BenchmarkPeakMemory measures.
const memoryChild = "TENON_PASSWORD_MEMORY_CHILD"

// BenchmarkPeakMemory prints the peak resident memory of a process that verifies
// 64 passwords at once.
func BenchmarkPeakMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("reads /proc")
	}
	var peaks []float64
	for b.Loop() {
		child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestPeakMemoryChild$", "-test.v")
		child.Env = append(os.Environ(), memoryChild+"=1")
		out, err := child.CombinedOutput()
		assert.NoError(b, err)
		var kib float64
		_, after, _ := strings.Cut(string(out), "VmHWM:")
		_, err = fmt.Sscan(after, &kib)
		assert.NoError(b, err)
		peaks = append(peaks, kib/1024)
	}
	b.ReportMetric(slices.Max(peaks), "peak-MiB")
	b.ReportMetric(0, "ns/op")
}

func TestPeakMemoryChild(t *testing.T) {
	if os.Getenv(memoryChild) == "" {
		t.Skip("runs inside BenchmarkPeakMemory")
	}
	h := newHasher(t, Config{Algorithm: Argon2id, QueueTimeout: time.Minute})
	phc, err := h.Hash(t.Context(), "correct horse")
	assert.NoError(t, err)
	together(func() {
		if match, _, err := h.Verify(t.Context(), phc, "correct horse"); err != nil || !match {
			t.Error("no match")
		}
	})
	status, err := os.ReadFile("/proc/self/status")
	assert.NoError(t, err)
	for line := range strings.SplitSeq(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Println(line)
		}
	}
}
