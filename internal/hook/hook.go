// Package hook calls the funcs of the packages' Hooks.
package hook

import "context"

// Func is one hook. It runs inside the transaction of its cause; an error undoes
// it. A nil Func does nothing.
type Func[E any] = func(ctx context.Context, e E) error

// Call calls fn if there is one.
func Call[E any](ctx context.Context, fn Func[E], e E) error {
	if fn == nil {
		return nil
	}
	return fn(ctx, e)
}

// Chain returns a hook that calls first and, if that succeeds, second. Either may
// be nil.
func Chain[E any](first, second Func[E]) Func[E] {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context, e E) error {
		if err := first(ctx, e); err != nil {
			return err
		}
		return second(ctx, e)
	}
}
