package mail

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
)

// relay is an SMTP server that does what its fields say and remembers what it
// was told.
type relay struct {
	addr     string
	implicit bool
	tls      *tls.Config
	exts     []string          // in clear
	secure   []string          // after TLS
	replies  map[string]string // by verb, instead of the usual
	silent   string            // the verb after which it says nothing more
	onSilent func()            // called then

	mu       sync.Mutex
	lines    []string // "clear EHLO localhost", "tls MAIL FROM:<…>"
	data     string
	sessions sync.WaitGroup
}

// start makes the relay listen on a loopback port and returns the roots that
// trust it.
func (r *relay) start(t *testing.T) *tls.Config {
	t.Helper()
	cert, roots := certificate(t)
	r.tls = &tls.Config{Certificates: []tls.Certificate{cert}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	r.addr = ln.Addr().String()
	r.sessions.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r.sessions.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		r.sessions.Wait()
	})
	return &tls.Config{RootCAs: roots}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	assert.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	assert.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	assert.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func (r *relay) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	channel := "clear"
	if r.implicit {
		conn, channel = tls.Server(conn, r.tls), "tls"
	}
	if r.silent == "greeting" {
		r.hang(conn)
		return
	}
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
	greeting := "220 relay.test"
	if other, ok := r.replies["greeting"]; ok {
		greeting = other
	}
	say("%s", greeting)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		r.note(channel + " " + line)
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if verb == r.silent {
			r.hang(conn)
			return
		}
		reply, ok := r.replies[verb]
		if !ok {
			reply = r.usual(verb, channel)
		}
		say("%s", reply)
		switch {
		case verb == "STARTTLS" && strings.HasPrefix(reply, "220"):
			conn, channel = tls.Server(conn, r.tls), "tls"
			in = bufio.NewReader(conn)
		case verb == "DATA" && strings.HasPrefix(reply, "354"):
			say("%s", r.readData(in))
		case verb == "AUTH" && strings.HasPrefix(reply, "334"):
			r.prompts(in, channel, say)
		case verb == "QUIT":
			return
		}
	}
}

// hang says nothing until the client is gone.
func (r *relay) hang(conn net.Conn) {
	r.onSilent()
	_, _ = conn.Read(make([]byte, 1))
}

func (r *relay) usual(verb, channel string) string {
	switch verb {
	case "EHLO":
		exts := r.exts
		if channel == "tls" {
			exts = r.secure
		}
		lines := append([]string{"relay.test"}, exts...)
		for i := range lines {
			lines[i] = map[bool]string{true: "250 ", false: "250-"}[i == len(lines)-1] + lines[i]
		}
		return strings.Join(lines, "\r\n")
	case "STARTTLS":
		return "220 go"
	case "AUTH":
		return "235 in"
	case "DATA":
		return "354 go"
	case "QUIT":
		return "221 bye"
	}
	return "250 ok"
}

func (r *relay) readData(in *bufio.Reader) string {
	var data strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		data.WriteString(strings.TrimPrefix(line, "."))
	}
	r.mu.Lock()
	r.data = data.String()
	r.mu.Unlock()
	if reply, ok := r.replies["end"]; ok {
		return reply
	}
	return "250 taken"
}

func (r *relay) prompts(in *bufio.Reader, channel string, say func(string, ...any)) {
	for _, reply := range []string{"334 UGFzc3dvcmQ6", "235 in"} {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		r.note(channel + " " + strings.TrimSpace(line))
		say("%s", reply)
	}
}

func (r *relay) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// heard returns everything that the relay was told, one line each.
func (r *relay) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func (r *relay) received() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data
}
