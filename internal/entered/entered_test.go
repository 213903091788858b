package entered_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/entered"
)

func TestTheLastOneIsTold(t *testing.T) {
	t.Parallel()
	entered.Note(t.Context(), "nobody watches")
	ctx, last := entered.Watch(t.Context())
	assert.Equal(t, last(), "")
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	entered.Note(inner, "a")
	entered.Note(ctx, "b")
	assert.Equal(t, last(), "b")
	other, lastOther := entered.Watch(ctx)
	entered.Note(other, "c")
	assert.Equal(t, last()+lastOther(), "bc")
}
