package ratelimit

import (
	"net/http"
	"strconv"
	"time"
)

// The header fields of draft-ietf-httpapi-ratelimit-headers-11. Their syntax
// changed between revisions; this file is the only place that knows it.
const (
	HeaderPolicy = "RateLimit-Policy"
	HeaderLimit  = "RateLimit"
)

// Policy returns the value of RateLimit-Policy for a rule: a list of its limits,
// each under name, or under name and its window where there are several. name
// must be letters, digits and hyphens. It is empty for a rule without limits.
func (r Rule) Policy(name string) string {
	policy := ""
	for i, l := range r {
		if i > 0 {
			policy += ", "
		}
		policy += r.item(name, l) + ";q=" + strconv.Itoa(l.Quota) + ";w=" + seconds(l.Window)
	}
	return policy
}

// State returns the value of RateLimit for what became of a request under the
// rule: how much is left, and in how many seconds all is, or when to ask again.
// It is empty for a rule without limits.
func (r Rule) State(name string, result Result) string {
	if len(r) == 0 {
		return ""
	}
	limit, remaining, reset := result.Limit, result.Remaining, result.ResetAfter
	if !r.has(limit) {
		// A wider network refused. What its neighbours do is not the client's to know.
		limit = r[0]
	}
	if !result.Allowed {
		remaining, reset = 0, result.RetryAfter
	}
	return r.item(name, limit) + ";r=" + strconv.Itoa(remaining) + ";t=" + seconds(reset)
}

func (r Rule) has(limit Limit) bool {
	for _, l := range r {
		if l == limit {
			return true
		}
	}
	return false
}

func (r Rule) item(name string, l Limit) string {
	if len(r) > 1 {
		name += "-" + seconds(l.Window)
	}
	return `"` + name + `"`
}

// seconds rounds up: who waits that long does not come too early.
func seconds(d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	return strconv.FormatInt(int64((d-1)/time.Second)+1, 10)
}

// DropHeaders removes both fields: an answer that must not depend on who asks,
// such as a 404, does not say how much was spent on it.
func DropHeaders(h http.Header) {
	h.Del(HeaderPolicy)
	h.Del(HeaderLimit)
}
