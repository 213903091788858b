package mail

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
)

const password = "hunter2-hunter2"

// sender returns an SMTP for the relay, with what change makes of its Config.
func (r *relay) sender(t *testing.T, roots *tls.Config, change func(*SMTPConfig)) *SMTP {
	t.Helper()
	cfg := SMTPConfig{Addr: r.addr, From: "Acme <no-reply@example.com>", TLSConfig: roots}
	if change != nil {
		change(&cfg)
	}
	s, err := NewSMTP(cfg)
	assert.NoError(t, err)
	return s
}

func withPassword(c *SMTPConfig) { c.Username, c.Password = "acme", token.NewSecret(password) }

func TestSendsOverSTARTTLSWithPlain(t *testing.T) {
	t.Parallel()
	r := &relay{exts: []string{"STARTTLS"}, secure: []string{"AUTH LOGIN PLAIN", "8BITMIME"}}
	s := r.sender(t, r.start(t), withPassword)
	m := good()
	m.Text = ".\n..two dots\nHello\n"
	assert.NoError(t, s.Send(t.Context(), m))
	assert.Equal(t, strings.ReplaceAll(decode(t, []byte(r.received())).text, "\r\n", "\n"), m.Text)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00acme\x00" + password))
	assert.Contains(t, r.heard(), "clear STARTTLS\ntls EHLO localhost\ntls AUTH PLAIN "+plain)
	assert.Contains(t, r.heard(), "tls MAIL FROM:<no-reply@example.com>")
	assert.Contains(t, r.heard(), "tls RCPT TO:<ann@example.com>")
	assert.NotContains(t, r.heard(), "clear MAIL")
}

func TestSendsOverImplicitTLSWithLogin(t *testing.T) {
	t.Parallel()
	r := &relay{implicit: true, secure: []string{"AUTH LOGIN"}, replies: map[string]string{"AUTH": "334 VXNlcm5hbWU6"}}
	s := r.sender(t, r.start(t), func(c *SMTPConfig) { withPassword(c); c.TLS = ImplicitTLS })
	assert.NoError(t, s.Send(t.Context(), good()))
	assert.NotContains(t, r.heard(), "clear")
	assert.Contains(t, r.heard(), "tls "+base64.StdEncoding.EncodeToString([]byte(password)))
}

func TestSendsInClearToLoopbackOnlyWhenAskedTo(t *testing.T) {
	t.Parallel()
	r := &relay{}
	s := r.sender(t, r.start(t), func(c *SMTPConfig) { c.TLS = NoTLS })
	assert.NoError(t, s.Send(t.Context(), good()))
	assert.Contains(t, r.received(), "Subject: Confirm your address\r\n")
}

// sendError is what Send fails with, checked for what it must not say.
func sendError(t *testing.T, err error) *SendError {
	t.Helper()
	e := assert.ErrorAs[*SendError](t, err)
	for _, secret := range []string{"ann@example.com", password, "server says"} {
		assert.NotContains(t, err.Error(), secret)
	}
	return e
}

func TestADowngradeIsRefused(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*relay{
		"stripped":  {exts: []string{"AUTH PLAIN"}},
		"refused":   {exts: []string{"STARTTLS", "AUTH PLAIN"}, replies: map[string]string{"STARTTLS": "454 server says no"}},
		"HELO only": {replies: map[string]string{"EHLO": "502 server says no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := r.sender(t, r.start(t), withPassword)
			e := sendError(t, s.Send(t.Context(), good()))
			assert.Equal(t, e.Step, "starttls")
			assert.False(t, IsPermanent(e), "permanent")
			assert.NotContains(t, r.heard(), "AUTH")
			assert.NotContains(t, r.heard(), "MAIL")
		})
	}
}

func TestAnswersInjectedBeforeTLSAreNotHeard(t *testing.T) {
	t.Parallel()
	r := &relay{
		exts: []string{"STARTTLS"}, secure: []string{"AUTH PLAIN"},
		replies: map[string]string{"STARTTLS": "220 go\r\n250 injected", "RCPT": "450 server says later"},
	}
	s := r.sender(t, r.start(t), withPassword)
	e := sendError(t, s.Send(t.Context(), good()))
	assert.Equal(t, *e, SendError{Step: "recipient", Code: 450})
}

func TestAnUntrustedCertificateIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []TLSMode{StartTLS, ImplicitTLS} {
		r := &relay{exts: []string{"STARTTLS"}, implicit: mode == ImplicitTLS}
		roots := r.start(t)
		for _, trust := range []*tls.Config{nil, {RootCAs: roots.RootCAs, ServerName: "other.test"}} {
			s := r.sender(t, trust, func(c *SMTPConfig) { withPassword(c); c.TLS = mode })
			sendError(t, s.Send(t.Context(), good()))
			assert.NotContains(t, r.heard(), "AUTH")
			assert.NotContains(t, r.heard(), "MAIL")
		}
	}
}

func TestThePasswordIsNeverSentInClear(t *testing.T) {
	t.Parallel()
	base := SMTPConfig{Addr: "127.0.0.1:25", From: "a@example.com", TLS: NoTLS}
	withPassword(&base)
	_, err := NewSMTP(base)
	assert.Error(t, err)
	assert.NotContains(t, fmt.Sprintf("%+v %#v", base, base), password)
	// Even a session that lost its TLS would refuse.
	r := &relay{exts: []string{"AUTH PLAIN"}}
	s := r.sender(t, r.start(t), withPassword)
	c, err := s.connect(t.Context())
	assert.NoError(t, err)
	defer c.close()
	s.cfg.TLS = NoTLS
	assert.ErrorIs(t, c.prepare(t.Context(), s), errNotInTLS)
	assert.NotContains(t, r.heard(), "AUTH")
}

func TestAnswersAboutTheMessageArePermanentAboutUsTemporary(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]struct {
		step      string
		permanent bool
	}{
		"greeting": {"greeting", false}, "AUTH": {"auth", false},
		"MAIL": {"sender", true}, "RCPT": {"recipient", true}, "DATA": {"data", true}, "end": {"end", true},
	} {
		for _, code := range []int{450, 550} {
			t.Run(fmt.Sprint(verb, code), func(t *testing.T) {
				t.Parallel()
				r := &relay{exts: []string{"STARTTLS"}, secure: []string{"AUTH PLAIN"}, replies: map[string]string{
					verb: fmt.Sprintf("%d server says ann@example.com", code),
				}}
				s := r.sender(t, r.start(t), withPassword)
				e := sendError(t, s.Send(t.Context(), good()))
				assert.Equal(t, *e, SendError{Step: want.step, Code: code, Permanent: want.permanent && code == 550})
				assert.Equal(t, IsPermanent(fmt.Errorf("wrapped: %w", e)), want.permanent && code == 550)
			})
		}
	}
}

func TestAServerThatMisbehavesIsATemporaryError(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*relay{
		"no SMTP":        {replies: map[string]string{"greeting": "HTTP/1.1 server says 400"}},
		"endless line":   {replies: map[string]string{"greeting": strings.Repeat("2", 1<<20)}},
		"endless answer": {replies: map[string]string{"EHLO": strings.Repeat("250-x\r\n", 1<<16)}},
		"no mechanism":   {exts: []string{"STARTTLS"}, secure: []string{"AUTH CRAM-MD5 GSSAPI"}},
		"odd prompt":     {exts: []string{"STARTTLS"}, secure: []string{"AUTH PLAIN"}, replies: map[string]string{"AUTH": "334 server+says"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := r.sender(t, r.start(t), withPassword)
			err := s.Send(t.Context(), good())
			assert.False(t, IsPermanent(sendError(t, err)), "permanent")
			assert.Equal(t, errors.Is(err, errTooMuch), strings.HasPrefix(name, "endless"))
			assert.Equal(t, r.received(), "")
		})
	}
}

func TestASilentServerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"greeting", "EHLO", "STARTTLS", "MAIL", "DATA"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			r := &relay{exts: []string{"STARTTLS"}, silent: verb, onSilent: cancel}
			s := r.sender(t, r.start(t), nil)
			assert.ErrorIs(t, s.Send(ctx, good()), context.Canceled)
		})
	}
}

func TestEveryStepHasADeadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  SMTPConfig
		want time.Duration
	}{
		"command": {SMTPConfig{}, 30 * time.Second},
		"total":   {SMTPConfig{Timeout: 7 * time.Second}, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer server.Close()
				c.cfg.Addr, c.cfg.From, c.cfg.TLS = "localhost:25", "a@example.com", NoTLS
				c.cfg.Rand = strings.NewReader(strings.Repeat("x", 64))
				c.cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return client, nil }
				s, err := NewSMTP(c.cfg)
				assert.NoError(t, err)
				began := time.Now()
				e := sendError(t, s.Send(t.Context(), good()))
				assert.Equal(t, e.Step, "greeting")
				assert.Equal(t, time.Since(began), c.want) // of the bubble's clock
			})
		})
	}
}

func TestNothingIsDialledForAMessageThatCannotBeSent(t *testing.T) {
	t.Parallel()
	cfg := SMTPConfig{Addr: "localhost:25", From: "a@example.com", TLS: NoTLS, MaxSize: 2000}
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled")
		return nil, errors.New("no")
	}
	s, err := NewSMTP(cfg)
	assert.NoError(t, err)
	big := good()
	big.Text = strings.Repeat("a", 2000)
	evil := good()
	evil.To = "ann@example.com\r\nRCPT TO:<x@example.com>"
	for _, m := range []Message{{}, big, evil} {
		err := s.Send(t.Context(), m)
		assert.ErrorIs(t, err, ErrInvalidMessage)
		assert.True(t, IsPermanent(err), "temporary")
	}
	s.cfg.Rand = iotest.ErrReader(errors.New("no entropy"))
	assert.Error(t, s.Send(t.Context(), good()))
}

func TestNewSMTPRefusesUnsafeConfigurations(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]SMTPConfig{
		"empty":            {},
		"no port":          {Addr: "relay.test", From: "a@example.com"},
		"no host":          {Addr: ":25", From: "a@example.com"},
		"no sender":        {Addr: "relay.test:587"},
		"two senders":      {Addr: "relay.test:587", From: "a@example.com, b@example.com"},
		"clear outside":    {Addr: "relay.test:25", From: "a@example.com", TLS: NoTLS},
		"clear to an IP":   {Addr: "192.0.2.1:25", From: "a@example.com", TLS: NoTLS},
		"clear lookalike":  {Addr: "localhost.evil.test:25", From: "a@example.com", TLS: NoTLS},
		"unknown mode":     {Addr: "relay.test:25", From: "a@example.com", TLS: "ssl"},
		"user alone":       {Addr: "relay.test:25", From: "a@example.com", Username: "x"},
		"password alone":   {Addr: "relay.test:25", From: "a@example.com", Password: token.NewSecret("x")},
		"line break":       {Addr: "relay.test:25", From: "a@example.com", LocalName: "x\r\nMAIL"},
		"negative timeout": {Addr: "relay.test:25", From: "a@example.com", Timeout: -1},
	} {
		_, err := NewSMTP(cfg)
		assert.True(t, err != nil, name)
	}
}
