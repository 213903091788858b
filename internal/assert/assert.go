// Package assert holds the few checks that the library's tests share. A check
// that fails marks the test as failed and lets it go on, except those whose
// names begin with Must, and NoError: after them there is nothing left to look
// at.
package assert

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Equal fails the test unless got and want are deeply equal.
func Equal[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

// NotEqual fails the test if got and unwanted are deeply equal.
func NotEqual[T any](t testing.TB, got, unwanted T) {
	t.Helper()
	if reflect.DeepEqual(got, unwanted) {
		t.Errorf("got %#v, want anything else", got)
	}
}

// NoError ends the test if err is not nil.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// Must ends the test if err is not nil, else it returns v:
// db := assert.Must(open())(t).
func Must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		NoError(t, err)
		return v
	}
}

// Error fails the test if err is nil.
func Error(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Error("got no error, want one")
	}
}

// ErrorIs fails the test unless errors.Is(err, target).
func ErrorIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got error %v, want %v", err, target)
	}
}

// ErrorAs ends the test unless err's tree holds an E, and returns the first.
func ErrorAs[E error](t testing.TB, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got error %v (%T), want one of type %T", err, err, e)
	}
	return e
}

// True fails the test with the explanation unless ok.
func True(t testing.TB, ok bool, explanation string) {
	t.Helper()
	if !ok {
		t.Errorf("not true: %s", explanation)
	}
}

// False fails the test with the explanation if ok.
func False(t testing.TB, ok bool, explanation string) {
	t.Helper()
	if ok {
		t.Errorf("true, and should not be: %s", explanation)
	}
}

// Contains fails the test unless part occurs in text.
func Contains(t testing.TB, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not contain %q", text, part)
	}
}

// NotContains fails the test if part occurs in text.
func NotContains(t testing.TB, text, part string) {
	t.Helper()
	if strings.Contains(text, part) {
		t.Errorf("%q contains %q", text, part)
	}
}

// Len fails the test unless the slice has n elements.
func Len[S ~[]E, E any](t testing.TB, s S, n int) {
	t.Helper()
	if len(s) != n {
		t.Errorf("got %d elements, want %d: %#v", len(s), n, s)
	}
}
