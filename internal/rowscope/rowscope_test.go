package rowscope_test

import (
	"context"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/rowscope"
)

func TestR29_TheScopeThatAContextCarries(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ada := rowscope.ForUser(ctx, "ada")
	red := rowscope.ForOrganization(ada, "red")
	system := rowscope.ForSystem(red)
	for _, c := range []struct {
		ctx  context.Context //nolint:containedctx // the case
		want rowscope.Scope
	}{
		{ctx, rowscope.Scope{}},
		{red, rowscope.Scope{Organization: "red", User: "ada"}},
		{rowscope.ForUser(red, "bob"), rowscope.Scope{Organization: "red", User: "bob"}},
		{rowscope.Within(red, "blue"), rowscope.Scope{Organization: "blue", User: "ada"}},
		{rowscope.As(red, "bob"), rowscope.Scope{Organization: "red", User: "bob"}},
		{system, rowscope.Scope{System: true}},
		{rowscope.ForUser(system, "ada"), rowscope.Scope{User: "ada"}},
		// What may be anybody's part keeps to the system's scope.
		{rowscope.Within(system, "blue"), rowscope.Scope{System: true}},
		{rowscope.As(system, "bob"), rowscope.Scope{System: true}},
		{rowscope.Asking(system, "bob", "blue"), rowscope.Scope{System: true}},
		// Who asks for an organization is in no other one.
		{rowscope.Asking(red, "ada", "blue"), rowscope.Scope{User: "ada"}},
		{rowscope.Asking(red, "ada", "red"), rowscope.Scope{Organization: "red", User: "ada"}},
		{rowscope.Asking(ctx, "ada", "red"), rowscope.Scope{User: "ada"}},
		{rowscope.Switch(red, "", "bob"), rowscope.Scope{User: "bob"}},
	} {
		assert.Equal(t, rowscope.Of(c.ctx).Scope, c.want)
	}
	assert.True(t, rowscope.Of(rowscope.Switch(ctx, "a", "b")).Switched, "a change that is meant")
	assert.True(t, rowscope.Of(rowscope.Asking(red, "ada", "blue")).Switched, "another organization")
	assert.True(t, rowscope.Of(rowscope.Asking(red, "bob", "red")).Switched, "another user")
	assert.False(t, rowscope.Of(rowscope.Asking(ctx, "bob", "red")).Switched, "a user where there was none")
	assert.False(t, rowscope.Of(rowscope.Within(rowscope.Switch(ctx, "a", "b"), "c")).Switched, "a change that is meant")
	assert.Equal(t, rowscope.Within(red, "red"), red)
}
