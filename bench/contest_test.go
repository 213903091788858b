package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestMedianOfAnEvenNumberIsTheMeanOfTheMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 100}, 3.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestRatioComparesRoundByRound(t *testing.T) {
	t.Parallel()
	// In the third round something else had the machine, and both sides lost.
	m := measured{{10, 20, 1000}, {11, 24, 1050}}
	if got, want := m.ratio(1, 0), (ratio{1.1, 1.05, 1.2}); got != want {
		t.Errorf("ratio = %v, want %v", got, want)
	}
	if got := m.per(0); got != 20*time.Nanosecond {
		t.Errorf("the median of side 0 is %v", got)
	}
}

func TestSpreadCallsEachNumberOnce(t *testing.T) {
	t.Parallel()
	for _, callers := range []int{1, 7, 64} {
		var mu sync.Mutex
		var seen []int
		err := spread(callers, 50, func(i int) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, i)
			return nil
		})
		slices.Sort(seen)
		if err != nil || len(seen) != 50 || seen[0] != 0 || seen[49] != 49 || len(slices.Compact(seen)) != 50 {
			t.Errorf("%d callers: %v, %v", callers, err, seen)
		}
	}
}

func TestSpreadReturnsTheFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, callers := range []int{1, 8} {
		err := spread(callers, 100, func(i int) error {
			if i == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("%d callers: %v", callers, err)
		}
	}
}

func TestSidesTakeTurns(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) side {
		return side{name, func(context.Context, int) error {
			order = append(order, name)
			return nil
		}}
	}
	got, err := contest{rounds: 3, turns: 4, turn: 2, callers: 1}.run(t.Context(), note("a"), note("b"))
	if err != nil || len(got) != 2 || len(got[0]) != 3 || len(got[1]) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	if len(order) != 2*2+3*4*2*2 {
		t.Fatalf("%d calls", len(order))
	}
	for i := 0; i < len(order); i += 4 {
		if order[i] != order[i+1] || order[i+2] != order[i+3] || order[i] == order[i+2] {
			t.Fatalf("turns are not even: %v", order)
		}
	}
}
