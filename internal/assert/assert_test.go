package assert_test

import (
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

// recorder is a test that notes whether it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Error(...any)          { r.failed = true }
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }

func TestEveryCheckPassesAndFails(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("read: %w", &fs.PathError{Op: "open", Err: io.EOF})
	for name, check := range map[string]func(tb testing.TB, ok bool){
		"Equal":       func(tb testing.TB, ok bool) { assert.Equal(tb, []bool{ok}, []bool{true}) },
		"NotEqual":    func(tb testing.TB, ok bool) { assert.NotEqual(tb, ok, false) },
		"NoError":     func(tb testing.TB, ok bool) { assert.NoError(tb, errorUnless(ok)) },
		"Must":        func(tb testing.TB, ok bool) { assert.Equal(tb, assert.Must(1, errorUnless(ok))(tb), 1) },
		"Error":       func(tb testing.TB, ok bool) { assert.Error(tb, errorUnless(!ok)) },
		"ErrorIs":     func(tb testing.TB, ok bool) { assert.ErrorIs(tb, pick(ok, wrapped), io.EOF) },
		"ErrorAs":     func(tb testing.TB, ok bool) { assert.ErrorAs[*fs.PathError](tb, pick(ok, wrapped)) },
		"True":        func(tb testing.TB, ok bool) { assert.True(tb, ok, "") },
		"False":       func(tb testing.TB, ok bool) { assert.False(tb, !ok, "") },
		"Contains":    func(tb testing.TB, ok bool) { assert.Contains(tb, fmt.Sprint(ok), "tru") },
		"NotContains": func(tb testing.TB, ok bool) { assert.NotContains(tb, fmt.Sprint(ok), "fal") },
		"Len":         func(tb testing.TB, ok bool) { assert.Len(tb, []byte(fmt.Sprint(ok)), len("true")) },
	} {
		for _, ok := range []bool{true, false} {
			r := &recorder{TB: t}
			check(r, ok)
			if r.failed == ok {
				t.Errorf("%s: failed = %v for %v", name, r.failed, ok)
			}
		}
	}
}

func errorUnless(ok bool) error {
	if ok {
		return nil
	}
	return io.EOF
}

func pick(ok bool, err error) error {
	if ok {
		return err
	}
	return io.ErrShortWrite
}
