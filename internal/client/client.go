// Package client knows where a request comes from, as far as that can be
// trusted, and gives the request its id.
//
// [Middleware] stands outermost. What it finds travels in the context:
// [FromContext] returns the address and the user agent, problem.RequestID the id.
// All functions are safe for concurrent use.
package client

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-go/tenon/problem"
)

// RequestIDHeader is the response header that carries the request's id.
const RequestIDHeader = "X-Request-Id"

// maxUserAgent bounds the kept user agent, in bytes.
const maxUserAgent = 512

// maxForwarded bounds how much of the forwarded addresses is read, in bytes from
// the right: more than any chain of proxies writes.
const maxForwarded = 4 << 10

// Info is where a request comes from.
type Info struct {
	// IP is the client's address: never an IPv4 address in IPv6 form, never with a
	// zone. It is the zero Addr where the connection has none, as on a Unix socket.
	IP netip.Addr
	// UserAgent is what the client says it is: at most 512 bytes of valid UTF-8
	// without control characters. It proves nothing.
	UserAgent string
}

// Prefix64 returns the network that counts as one client where IPv6 is counted
// by /64: the smallest that one subscriber gets. An IPv4 address is its own
// network. Requests without an address share the zero Prefix.
func (i Info) Prefix64() netip.Prefix { return i.prefix(64) }

// Prefix56 is [Info.Prefix64] by /56, what many subscribers have.
func (i Info) Prefix56() netip.Prefix { return i.prefix(56) }

// Prefix48 is [Info.Prefix64] by /48, what a site has.
func (i Info) Prefix48() netip.Prefix { return i.prefix(48) }

func (i Info) prefix(bits int) netip.Prefix {
	if i.IP.Is4() {
		bits = i.IP.BitLen()
	}
	// An address that is not valid has no prefix, and that is the answer.
	p, _ := i.IP.Prefix(bits)
	return p
}

type contextKey struct{}

// NewContext returns a ctx that carries info.
func NewContext(ctx context.Context, info Info) context.Context {
	return context.WithValue(ctx, contextKey{}, info)
}

// FromContext returns where the request comes from, and false outside a request
// that passed [Middleware].
func FromContext(ctx context.Context) (Info, bool) {
	info, ok := ctx.Value(contextKey{}).(Info)
	return info, ok
}

// Middleware gives every request its id and finds out where it comes from.
//
// hops is the number of proxies between the client and this process that are
// known to append to X-Forwarded-For. With 0, the default of the library, that
// header is ignored and the address is the connection's. With n, the address is
// the n-th from the right: what stands further left was written by the client
// and is never read. A header with fewer addresses, or with something else in
// that place, counts as absent. Forwarded and X-Real-IP are never read.
//
// The id is random, 130 bits in base32, and never taken from the request.
func Middleware(hops int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := rand.Text()
			w.Header().Set(RequestIDHeader, id)
			ctx := problem.NewRequestIDContext(r.Context(), id)
			ctx = NewContext(ctx, Info{IP: clientIP(r, hops), UserAgent: userAgent(r)})
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func clientIP(r *http.Request, hops int) netip.Addr {
	if hops > 0 {
		// Several headers mean what one with all their addresses would.
		if ip := forwarded(strings.Join(r.Header.Values("X-Forwarded-For"), ","), hops); ip.IsValid() {
			return ip
		}
	}
	return parseAddr(r.RemoteAddr)
}

// forwarded returns the n-th address from the right, or the zero Addr.
func forwarded(list string, n int) netip.Addr {
	if cut := len(list) - maxForwarded; cut > 0 {
		list = list[cut:]
	}
	for ; n > 1; n-- {
		comma := strings.LastIndexByte(list, ',')
		if comma < 0 {
			return netip.Addr{}
		}
		list = list[:comma]
	}
	return parseAddr(strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t"))
}

// parseAddr reads an address with or without a port, and with or without
// brackets around one of IPv6.
func parseAddr(s string) netip.Addr {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, _ := netip.ParseAddrPort(s)
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone("")
}

// userAgent returns what can be stored and shown without care.
func userAgent(r *http.Request) string {
	ua := r.UserAgent()
	// Cut before mapping: the header may be a megabyte.
	ua = strings.ToValidUTF8(ua[:min(len(ua), 4*maxUserAgent)], "")
	ua = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, ua)
	for len(ua) > maxUserAgent {
		_, size := utf8.DecodeLastRuneInString(ua)
		ua = ua[:len(ua)-size]
	}
	return ua
}
