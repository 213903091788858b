package ratelimit_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/ratelimit"
)

// The examples follow draft-ietf-httpapi-ratelimit-headers-11: lists of strings
// with parameters (RFC 9651), in whole seconds.
func TestHeaderFields(t *testing.T) {
	t.Parallel()
	minute, hour := ratelimit.Limit{Quota: 30, Window: time.Minute}, ratelimit.Limit{Quota: 300, Window: time.Hour}
	one, two := ratelimit.Rule{minute}, ratelimit.Rule{minute, hour}
	assert.Equal(t, one.Policy("sign-in"), `"sign-in";q=30;w=60`)
	assert.Equal(t, two.Policy("sign-in"), `"sign-in-60";q=30;w=60, "sign-in-3600";q=300;w=3600`)
	assert.Equal(t, ratelimit.Rule{{Quota: 1, Window: 1500 * time.Millisecond}}.Policy("a"), `"a";q=1;w=2`)
	assert.Equal(t, ratelimit.Rule{}.Policy("sign-in")+ratelimit.Rule{}.State("sign-in", ratelimit.Result{}), "")
	allowed := ratelimit.Result{Allowed: true, Limit: hour, Remaining: 12, ResetAfter: time.Minute + 1}
	assert.Equal(t, two.State("sign-in", allowed), `"sign-in-3600";r=12;t=61`)
	refused := ratelimit.Result{Limit: minute, RetryAfter: 1, ResetAfter: time.Minute}
	assert.Equal(t, one.State("sign-in", refused), `"sign-in";r=0;t=1`)
	assert.Equal(t, one.State("sign-in", ratelimit.Result{Allowed: true, Limit: minute, Remaining: 30}), `"sign-in";r=30;t=0`)
	// A wider network refused, whose quota is not the client's to know.
	wider := ratelimit.Result{Limit: ratelimit.Limit{Quota: 480, Window: time.Minute}, Remaining: 7, RetryAfter: time.Second}
	assert.Equal(t, one.State("sign-in", wider), `"sign-in";r=0;t=1`)
	h := http.Header{ratelimit.HeaderLimit: {"x"}, ratelimit.HeaderPolicy: {"x"}}
	h.Set(ratelimit.HeaderLimit, "x")
	h.Set(ratelimit.HeaderPolicy, "x")
	ratelimit.DropHeaders(h)
	assert.Equal(t, h.Get(ratelimit.HeaderLimit)+h.Get(ratelimit.HeaderPolicy), "")
}
