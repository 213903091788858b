package hook_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/hook"
)

var errStop = errors.New("stop")

func TestChainCallsInOrderAndStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	var called []string
	say := func(name string, err error) hook.Func[int] {
		return func(context.Context, int) error {
			called = append(called, name)
			return err
		}
	}
	for _, c := range []struct {
		fn   hook.Func[int]
		want []string
		err  error
	}{
		{nil, nil, nil},
		{hook.Chain[int](nil, nil), nil, nil},
		{hook.Chain(say("a", nil), nil), []string{"a"}, nil},
		{hook.Chain(nil, say("b", nil)), []string{"b"}, nil},
		{hook.Chain(say("a", nil), say("b", nil)), []string{"a", "b"}, nil},
		{hook.Chain(say("a", errStop), say("b", nil)), []string{"a"}, errStop},
		{hook.Chain(hook.Chain(say("a", nil), say("b", errStop)), say("c", nil)), []string{"a", "b"}, errStop},
	} {
		called = nil
		assert.Equal(t, hook.Call(t.Context(), c.fn, 1), c.err)
		assert.Equal(t, called, c.want)
	}
}
