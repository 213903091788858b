package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	defaultTimeout  = 10 * time.Second
	defaultPart     = 5 * time.Second
	defaultMaxBody  = 1 << 20
	maxHeader       = 64 << 10
	maxRedirects    = 10
	idleFor         = 30 * time.Second
	idlePerHost     = 4
	idleConnections = 64
)

// Config of a [Client]. The zero value is the strict one.
type Config struct {
	// Timeout is for a whole call, from the resolution of the name to the last byte of the body. Defaults to 10 seconds.
	Timeout time.Duration
	// DialTimeout is for the connection. Defaults to 5 seconds.
	DialTimeout time.Duration
	// TLSTimeout is for the handshake. Defaults to 5 seconds.
	TLSTimeout time.Duration
	// HeaderTimeout is for the other side to begin its answer once the request was sent. Defaults to 5 seconds.
	HeaderTimeout time.Duration
	// MaxBody is the longest body of an answer in bytes, after decompression. Defaults to 1 MiB.
	MaxBody int64
	// Allow are networks that may be reached although they are not public, such as that of a Keycloak next door. An IPv4
	// network covers IPv4 addresses only. Defaults to none.
	Allow []netip.Prefix
	// Plain allows http besides https: nobody on the way is kept from reading and changing what is said. For tests and
	// for networks that are as safe as the machine itself. Defaults to false.
	Plain bool
	// Redirects is how many redirects are followed, each to the same scheme, host and port. Defaults to 0; at most 10.
	Redirects int
	// Proxy is an HTTP proxy that all calls go through. Its address must be public or allowed, too. The environment is
	// never asked. Defaults to none.
	Proxy *url.URL
	// RootCAs are the authorities that certificates are checked with. Defaults to the system's.
	RootCAs *x509.CertPool
	// Resolver finds addresses. Defaults to Go's.
	Resolver *net.Resolver
}

// Client makes guarded calls. See the package's documentation for what it refuses.
type Client struct {
	http *http.Client
	max  int64
}

// New returns a Client. It does no I/O. The error is [ErrConfig] if cfg is not acceptable.
func New(cfg Config) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	g := guard{allow: cfg.Allow}
	dialer := &net.Dialer{Timeout: cfg.DialTimeout, Resolver: cfg.Resolver, Control: g.control}
	transport := &http.Transport{
		Proxy:                  http.ProxyURL(cfg.Proxy),
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		TLSHandshakeTimeout:    cfg.TLSTimeout,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        idleFor,
		MaxIdleConns:           idleConnections,
		MaxIdleConnsPerHost:    idlePerHost,
	}
	return &Client{
		http: &http.Client{
			Transport:     &trip{next: transport, guard: g, cfg: cfg},
			CheckRedirect: cfg.checkRedirect,
			Timeout:       cfg.Timeout,
		},
		max: cfg.MaxBody,
	}, nil
}

func (c Config) validate() error {
	need := func(ok bool, why string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("outbound: Config.%s: %w", why, ErrConfig)
	}
	var errs []error
	for _, d := range []time.Duration{c.Timeout, c.DialTimeout, c.TLSTimeout, c.HeaderTimeout} {
		errs = append(errs, need(d >= 0, "Timeout and its parts must not be negative"))
	}
	for _, p := range c.Allow {
		errs = append(errs, need(p.IsValid(), "Allow holds a network that is none"))
	}
	proxied := c.Proxy == nil || c.Proxy.Host != "" && (c.Proxy.Scheme == "http" || c.Proxy.Scheme == "https")
	return errors.Join(append(errs,
		need(c.MaxBody >= 0, "MaxBody must not be negative"),
		need(c.Redirects >= 0 && c.Redirects <= maxRedirects, "Redirects must be 0 to 10"),
		need(proxied, "Proxy must be an http or https URL"))...)
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Timeout, defaultTimeout},
		{&c.DialTimeout, defaultPart},
		{&c.TLSTimeout, defaultPart},
		{&c.HeaderTimeout, defaultPart},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	return c
}

func (c Config) checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > c.Redirects || next.URL.Scheme != via[0].URL.Scheme || next.URL.Host != via[0].URL.Host {
		return ErrRedirect
	}
	return nil
}

// HTTP returns the client for libraries that want one. Its errors are those of net/http and quote the URL; its bodies end
// in [ErrTooLarge] after Config.MaxBody. Do not change it.
func (c *Client) HTTP() *http.Client { return c.http }

// Answer is what the other side said.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Header are the header fields.
	Header http.Header
	// Body is the whole body.
	Body []byte
}

// Fetch sends the request and returns the answer, whatever its status, with a body of at most limit bytes; Config.MaxBody
// holds as well. Errors are ErrURL, ErrAddress, ErrRedirect and ErrTooLarge, or come from the network or from the
// request's context.
func (c *Client) Fetch(r *http.Request, limit int64) (Answer, error) {
	response, err := c.http.Do(r)
	if err != nil {
		return Answer{}, fmt.Errorf("outbound: %s %s: %w", r.Method, r.URL.Host, cause(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(capped(response.Body, min(limit, c.max)))
	if err != nil {
		return Answer{}, fmt.Errorf("outbound: %s %s: %w", r.Method, r.URL.Host, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// cause leaves out the URL, whose query may hold a secret.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
