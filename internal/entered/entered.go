// Package entered tells a middleware in which organization a request turned out to act,
// where only the body named it: whoever writes down that a member was refused there
// writes it into the trail of that organization.
package entered

import (
	"context"
	"sync/atomic"
)

type contextKey struct{}

// Watch returns a ctx for the handlers of a request, and what tells, afterwards, which
// organization [Note] was called with last; it returns "" for none.
func Watch(ctx context.Context) (watched context.Context, last func() string) {
	var noted atomic.Pointer[string]
	return context.WithValue(ctx, contextKey{}, &noted), func() string {
		if id := noted.Load(); id != nil {
			return *id
		}
		return ""
	}
}

// Note says that the caller of the request is a member of the organization and wants to
// act there. It does nothing where nobody watches.
func Note(ctx context.Context, organizationID string) {
	if noted, ok := ctx.Value(contextKey{}).(*atomic.Pointer[string]); ok {
		noted.Store(&organizationID)
	}
}
