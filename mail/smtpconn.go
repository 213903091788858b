package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"sync/atomic"
	"time"
)

// What the server can do wrong besides answering with a code.
var (
	errNoTLS    = errors.New("the server offers no STARTTLS")
	errNoAuth   = errors.New("the server offers neither AUTH PLAIN nor LOGIN")
	errTooMuch  = errors.New("the server answers without end")
	errPrompt   = errors.New("the server asks something unexpected")
	errNotInTLS = errors.New("no password outside TLS")
)

// maxAnswers bounds what a server may send in one session, in bytes.
const maxAnswers = 256 << 10

// guardedConn gives every read and write a deadline of its own and bounds what
// is read.
type guardedConn struct {
	net.Conn
	timeout time.Duration
	read    atomic.Int64
}

func (c *guardedConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if c.read.Add(int64(n)) > maxAnswers {
		return 0, errTooMuch
	}
	return n, err
}

func (c *guardedConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// session is one connection to the relay. Its end of context closes it.
type session struct {
	client *smtp.Client
	conn   net.Conn
	stop   func() bool
	secure bool
}

func (s *SMTP) connect(ctx context.Context) (*session, error) {
	dial, cancel := context.WithTimeout(ctx, s.cfg.DialTimeout)
	defer cancel()
	raw, err := s.cfg.Dial(dial, "tcp", s.cfg.Addr)
	if err != nil {
		return nil, failure(ctx, "dial", err)
	}
	// The context ends a session by closing what lies below it: a deadline would
	// be overwritten by the next command's.
	c := &session{conn: &guardedConn{Conn: raw, timeout: s.cfg.CommandTimeout}}
	c.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	if s.cfg.TLS == ImplicitTLS {
		secure := tls.Client(c.conn, s.tlsConfig())
		if err := secure.HandshakeContext(dial); err != nil {
			c.close()
			return nil, failure(ctx, "tls", err)
		}
		c.conn, c.secure = secure, true
	}
	if c.client, err = smtp.NewClient(c.conn, s.host); err != nil {
		c.close()
		return nil, failure(ctx, "greeting", err)
	}
	return c, nil
}

func (c *session) close() {
	c.stop()
	_ = c.conn.Close()
}

// prepare greets, secures and authenticates.
func (c *session) prepare(ctx context.Context, s *SMTP) error {
	if err := c.client.Hello(s.cfg.LocalName); err != nil {
		return failure(ctx, "hello", err)
	}
	if s.cfg.TLS == StartTLS {
		if ok, _ := c.client.Extension("STARTTLS"); !ok {
			return failure(ctx, "starttls", errNoTLS)
		}
		if err := c.client.StartTLS(s.tlsConfig()); err != nil {
			return failure(ctx, "starttls", err)
		}
		c.secure = true
	}
	if s.cfg.Username == "" {
		return nil
	}
	if !c.secure {
		return failure(ctx, "auth", errNotInTLS)
	}
	return c.authenticate(ctx, s)
}

// deliver sends the message and waits until the relay has taken it.
func (c *session) deliver(ctx context.Context, from, to string, data []byte) error {
	if err := c.client.Mail(from); err != nil {
		return rejection(ctx, "sender", err)
	}
	if err := c.client.Rcpt(to); err != nil {
		return rejection(ctx, "recipient", err)
	}
	w, err := c.client.Data()
	if err != nil {
		return rejection(ctx, "data", err)
	}
	if _, err := w.Write(data); err != nil {
		return failure(ctx, "data", err)
	}
	if err := w.Close(); err != nil {
		return rejection(ctx, "end", err)
	}
	// The message is the relay's now; a failing goodbye changes nothing.
	_ = c.client.Quit()
	return nil
}

// failure makes a SendError that a retry may mend.
func failure(ctx context.Context, step string, err error) error {
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return &SendError{Step: step, Code: reply.Code}
	}
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return &SendError{Step: step, Err: plain(err)}
}

// rejection is failure, permanent if the server answered 5xx.
func rejection(ctx context.Context, step string, err error) error {
	out := failure(ctx, step, err)
	if e, ok := errors.AsType[*SendError](out); ok {
		e.Permanent = e.Code >= 500 && e.Code < 600
	}
	return out
}

// plain replaces errors whose text quotes what the server said.
func plain(err error) error {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return errors.New("the server does not speak SMTP")
	}
	return err
}
