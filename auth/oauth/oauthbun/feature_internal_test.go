package oauthbun

import (
	"context"
	"reflect"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/feature"
)

// A new hook fails this test until it has its line in the audit trail.
func TestEveryHookHasItsLineInTheTrail(t *testing.T) {
	t.Parallel()
	var told []feature.Event
	hooks := reflect.ValueOf(auditHooks(func(_ context.Context, e feature.Event) error {
		told = append(told, e)
		return nil
	}))
	for i := range hooks.NumField() {
		field := hooks.Type().Field(i)
		if hooks.Field(i).IsNil() {
			t.Errorf("%s has no line", field.Name)
			continue
		}
		out := hooks.Field(i).Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.New(field.Type.In(1)).Elem()})
		assert.True(t, out[0].IsNil(), "it is written")
		assert.Len(t, told, i+1)
		assert.Equal(t, told[i].Name, field.Name)
		assert.True(t, told[i].Action != "" && told[i].TargetType != "", "and says what to what")
	}
}
