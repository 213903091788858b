package mail

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tenon-go/tenon/token"
)

// TLSMode says how the connection to the relay is protected.
type TLSMode string

const (
	// StartTLS begins in clear and refuses to go on without STARTTLS (port 587).
	StartTLS TLSMode = "starttls"
	// ImplicitTLS is TLS from the first byte (port 465, RFC 8314).
	ImplicitTLS TLSMode = "tls"
	// NoTLS is for a relay on the loopback interface only, without a password.
	NoTLS TLSMode = "none"
)

// SMTPConfig configures an SMTP. Addr and From are required.
type SMTPConfig struct {
	// Addr is the relay's host and port.
	Addr string
	// From is the sender, "address" or "name <address>". Message ids are made
	// under its domain.
	From string
	// TLS defaults to StartTLS. Certificates are verified against the host of
	// Addr.
	TLS TLSMode
	// Username and Password are sent by AUTH PLAIN, or LOGIN where the relay has
	// only that, and never outside TLS. Defaults to no authentication.
	Username string
	Password token.Secret
	// LocalName is what the client calls itself. Defaults to "localhost".
	LocalName string
	// TLSConfig adds to the verification, for example a private root. Its
	// ServerName defaults to the host of Addr, its least version to TLS 1.2.
	TLSConfig *tls.Config
	// DialTimeout defaults to 10 s.
	DialTimeout time.Duration
	// CommandTimeout bounds the silence of the relay. Defaults to 30 s.
	CommandTimeout time.Duration
	// Timeout bounds the whole of one message. Defaults to 2 minutes.
	Timeout time.Duration
	// MaxSize of a built message in bytes. Defaults to 2 MiB.
	MaxSize int
	// Dial opens the connection. Defaults to a net.Dialer's DialContext.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now is the clock of the Date header. Defaults to time.Now.
	Now func() time.Time
	// Rand is the source of message ids. Defaults to crypto/rand.Reader.
	Rand io.Reader
}

// SMTP is a Mailer that hands each message to a relay (RFC 5321) over a
// connection of its own. It is safe for concurrent use.
//
// Its errors are a *SendError or an ErrInvalidMessage. A 5xx answer about the
// message (sender, recipient, data) is permanent; one about us (greeting, TLS,
// authentication) is temporary, because whoever mends the configuration wants the
// mail sent.
type SMTP struct {
	cfg  SMTPConfig
	host string
	from mailbox
}

// NewSMTP returns an SMTP, or an error that names what is wrong with cfg. It
// does not connect.
func NewSMTP(cfg SMTPConfig) (*SMTP, error) {
	host, _, err := net.SplitHostPort(cfg.Addr)
	if err != nil || host == "" {
		return nil, errors.New("mail: smtp: Addr is not host:port")
	}
	from, err := parseMailbox(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("mail: smtp: From: %w", err)
	}
	cfg.fill()
	if err := cfg.validate(host); err != nil {
		return nil, fmt.Errorf("mail: smtp: %w", err)
	}
	return &SMTP{cfg: cfg, host: host, from: from}, nil
}

func (c *SMTPConfig) fill() {
	c.TLS = cmp.Or(c.TLS, StartTLS)
	c.LocalName = cmp.Or(c.LocalName, "localhost")
	c.DialTimeout = cmp.Or(c.DialTimeout, 10*time.Second)
	c.CommandTimeout = cmp.Or(c.CommandTimeout, 30*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Minute)
	c.MaxSize = cmp.Or(c.MaxSize, 2<<20)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
}

func (c *SMTPConfig) validate(host string) error {
	switch {
	case c.TLS != StartTLS && c.TLS != ImplicitTLS && c.TLS != NoTLS:
		return errors.New("unknown TLS mode")
	case c.TLS == NoTLS && !isLoopback(host):
		return errors.New("TLS can be left out on the loopback interface only")
	case c.TLS == NoTLS && c.Username != "":
		return errors.New("a password is never sent without TLS")
	case (c.Username == "") != c.Password.IsZero():
		return errors.New("a user name needs a password and the other way round")
	case !oneLine(c.Username) || !oneLine(c.Password.Reveal()) || !oneLine(c.LocalName) || strings.ContainsAny(c.LocalName, " \t"):
		return errors.New("a name or the password is not one line of text")
	case c.DialTimeout < 0 || c.CommandTimeout < 0 || c.Timeout < 0 || c.MaxSize < 0:
		return errors.New("negative timeout or size")
	}
	return nil
}

// isLoopback reports whether host means this machine. A name is trusted to only
// if it is localhost (RFC 6761).
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

// Send hands m to the relay and returns once it is accepted.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	to, err := parseMailbox(m.To)
	if err != nil {
		return err
	}
	data, err := s.build(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.prepare(ctx, s); err != nil {
		return err
	}
	return c.deliver(ctx, s.from.address, to.address, data)
}

func (s *SMTP) build(m Message) ([]byte, error) {
	random := make([]byte, 32)
	if _, err := io.ReadFull(s.cfg.Rand, random); err != nil {
		return nil, fmt.Errorf("mail: message id: %w", err)
	}
	data, err := build(m, envelope{
		from: s.from, date: s.cfg.Now(),
		id: hex.EncodeToString(random[:16]), boundary: hex.EncodeToString(random[16:]),
	})
	if err != nil {
		return nil, err
	}
	if len(data) > s.cfg.MaxSize {
		return nil, invalid("the message is too large")
	}
	return data, nil
}

// tlsConfig returns the configuration of the connection to the relay.
func (s *SMTP) tlsConfig() *tls.Config {
	cfg := &tls.Config{}
	if s.cfg.TLSConfig != nil {
		cfg = s.cfg.TLSConfig.Clone()
	}
	cfg.ServerName = cmp.Or(cfg.ServerName, s.host)
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}
