package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
)

// The children whose memory is measured.
const (
	childHashes  = "hashes"
	childSignIns = "signins"
)

// How a child learns where the users are.
const (
	envDSN   = "TENON_BENCH_DSN"
	envKeys  = "TENON_BENCH_KEYS"
	envUsers = "TENON_BENCH_USERS"
)

// memory compares the greatest resident memory of a process in which 64 people
// sign in at the same time, four times each, with one that only hashes.
func memory(ctx context.Context, b *bench) ([]row, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.addUsers(ctx, signInUsers); err != nil {
		return nil, err
	}
	var peaks [2][]float64
	quotients := make([]float64, b.rounds)
	for round := range b.rounds {
		for i, child := range []string{childHashes, childSignIns} {
			peak, err := w.peakOf(ctx, child)
			if err != nil {
				return nil, fmt.Errorf("child %s: %w", child, err)
			}
			peaks[i] = append(peaks[i], peak)
		}
		quotients[round] = peaks[1][round] / peaks[0][round]
	}
	peak := median(peaks[1])
	return []row{{
		figure: fmt.Sprintf("Peak memory of %d parallel sign-ins", callers),
		bare:   fmt.Sprintf("%.0f MB: argon2id in the same slots", median(peaks[0])),
		tenon:  fmt.Sprintf("%.0f MB", peak),
		ratio:  newRatio(quotients).String(),
		goal:   judged("< 150 MB", peak < 150),
	}}, nil
}

// peakOf runs this program as a child and returns the memory that it says it had,
// in MB.
func (w *world) peakOf(ctx context.Context, child string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", child)
	cmd.Env = append(os.Environ(), envDSN+"="+w.dsn, envKeys+"="+w.keys, envUsers+"="+strconv.Itoa(w.users))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	kB, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kB * 1024 / 1e6, err
}

// beChild does the work of a child and prints its peak in kB.
func beChild(ctx context.Context, child string) error {
	work := newCeiling(runtime.GOMAXPROCS(0)).hash
	if child == childSignIns {
		w, err := childWorld(ctx)
		if err != nil {
			return err
		}
		work = w.signIn
	}
	if err := spread(callers, 4*callers, func(i int) error { return work(ctx, i) }); err != nil {
		return err
	}
	peak, err := highWater()
	fmt.Println(peak)
	return err
}

func childWorld(ctx context.Context) (*world, error) {
	db, err := postgres.Open(ctx, os.Getenv(envDSN), bundb.Config{})
	if err != nil {
		return nil, err
	}
	w, err := newWorld(ctx, db, os.Getenv(envKeys), 0)
	if err != nil {
		return nil, err
	}
	w.users, err = strconv.Atoi(os.Getenv(envUsers))
	return w, err
}

// highWater returns VmHWM of this process, in kB: Linux alone tells it.
func highWater() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")))
		}
	}
	return 0, errors.New("there is no VmHWM in the status of this process")
}
