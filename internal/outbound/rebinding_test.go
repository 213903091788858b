package outbound

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tenon-go/tenon/internal/assert"
)

// TestANameThatChangesItsAddressIsJudgedAgain is DNS rebinding: the first answer
// leads to an allowed address, all later ones to the machine itself. A guard that
// resolves the name, looks and then dials the name would be taken in.
func TestANameThatChangesItsAddressIsJudgedAgain(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	listener := assert.Must(net.Listen("tcp4", "0.0.0.0:0"))(t)
	s.Listener.Close()
	s.Listener = listener
	s.Config.SetKeepAlivesEnabled(false)
	s.Start()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	assert.NoError(t, err)

	resolver := fakeDNS(t, "127.0.0.2", "127.0.0.1")
	c := client(t, Config{Plain: true, Resolver: resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	_ = assert.Must(c.Fetch(request(t, "http://rebind.example:"+port), 1))(t)
	for range 3 {
		_, err = c.Fetch(request(t, "http://rebind.example:"+port), 1)
		assert.ErrorIs(t, err, ErrAddress)
	}
	assert.Equal(t, reached.Load(), 1)

	// A redirect to a name of the machine gets no further.
	_, err = client(t, Config{Plain: true, Redirects: 1, Resolver: fakeDNS(t, "127.0.0.1")}).Fetch(request(t, "http://x.example:"+port), 1)
	assert.ErrorIs(t, err, ErrAddress)
	assert.Equal(t, reached.Load(), 1)
}

// fakeDNS returns a resolver whose questions for IPv4 are answered with the
// addresses in turn, and with the last one for ever after.
func fakeDNS(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	socket := assert.Must(net.ListenPacket("udp4", "127.0.0.1:0"))(t)
	t.Cleanup(func() { socket.Close() })
	go func() {
		buf, asked := make([]byte, 1500), 0
		for {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA && strings.HasSuffix(q.Name.String(), ".example.") {
				addr := netip.MustParseAddr(answers[min(asked, len(answers)-1)])
				asked++
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: addr.As4()},
				}}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = socket.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", socket.LocalAddr().String())
	}}
}
