package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/tenon-go/tenon/internal/outbound"
	"github.com/tenon-go/tenon/token"
)

const (
	// MaxToken is the length of the longest token that is looked at, in bytes.
	MaxToken = 8 << 10
	// DefaultLeeway is how far the provider's clock may be from ours if Config says nothing.
	DefaultLeeway = time.Minute

	maxLeeway = 5 * time.Minute

	maxDocument = 256 << 10 // discovery document, key set
	maxTokens   = 64 << 10  // answer of the token endpoint
	maxProfile  = 128 << 10 // userinfo, list of addresses

	discoveryFor = 24 * time.Hour
	keysFor      = time.Hour
	rereadAfter  = 10 * time.Second // how often a key id that nobody knows may cause a read
	retryAfter   = time.Second      // how often a failed read is repeated
)

// Config of a [Client]. Only Now is required; the zero value of the rest reaches public https addresses only.
type Config struct {
	// Now is the clock: that of the database (R32). Required.
	Now func() time.Time
	// Leeway is how far the provider's clock may be from ours. Defaults to
	// DefaultLeeway; at most 5 minutes.
	Leeway time.Duration
	// Timeout is for each call to the provider as a whole. Defaults to 10 seconds.
	Timeout time.Duration
	// Allow are networks that may be reached although they are not public, such as that of a Keycloak next door.
	// Defaults to none.
	Allow []netip.Prefix
	// Plain allows http to all allowed addresses, so that anybody on the way can sign in as anybody. Without it http is
	// for localhost alone, and only where Allow names it. Defaults to false.
	Plain bool
	// Proxy is an HTTP proxy for all calls. The environment is never asked. Defaults to none.
	Proxy *url.URL
	// RootCAs are the authorities that certificates are checked with. Defaults to the system's.
	RootCAs *x509.CertPool
}

// Client speaks to one provider. It is safe for concurrent use and starts no goroutine. It remembers the discovery
// document for a day and the key set for an hour; a key id that is not known causes at most one more read in ten seconds.
type Client struct {
	p    Provider
	cfg  Config
	out  *outbound.Client
	meta *memo[endpoints]
	keys *memo[keySet]
}

// New returns a Client for the provider. It does no I/O: a provider that is down stops nobody from starting. The error is
// [ErrConfig] if p or cfg is not acceptable.
func New(p Provider, cfg Config) (*Client, error) {
	p = p.withDefaults()
	if cfg.Leeway == 0 {
		cfg.Leeway = DefaultLeeway
	}
	errs := []error{p.validate(cfg.Plain)}
	if cfg.Now == nil || cfg.Leeway < 0 || cfg.Leeway > maxLeeway {
		errs = append(errs, fmt.Errorf("provider: Config.Now is required, and Config.Leeway at most 5 minutes: %w", ErrConfig))
	}
	out, err := outbound.New(outbound.Config{
		// What may be plain was judged with the provider's URLs and is judged again with those it names (discovery.go).
		Timeout: cfg.Timeout, Allow: cfg.Allow, Plain: true, Proxy: cfg.Proxy, RootCAs: cfg.RootCAs, MaxBody: maxDocument,
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("provider: %w: %w", ErrConfig, err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c := &Client{p: p, cfg: cfg, out: out}
	c.meta = newMemo(cfg.Now, c.discover)
	c.keys = newMemo(cfg.Now, c.fetchKeys)
	return c, nil
}

// ID returns the provider's name in URLs and rows.
func (c *Client) ID() string { return c.p.ID }

// Name returns what people call the provider.
func (c *Client) Name() string { return c.p.Name }

// Provider returns a copy of what the Client was made from, defaults filled in.
func (c *Client) Provider() Provider { return c.p.withDefaults() }

// get asks for a document. A status of 500 and above, 408 and 429 is an outage; every other one is returned.
func (c *Client) get(ctx context.Context, address string, access token.Secret, limit int64) (outbound.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return outbound.Answer{}, because(ErrConfig, errors.New("a URL of the provider cannot be asked"))
	}
	r.Header.Set("Accept", "application/json")
	for name, value := range c.p.requestHeader {
		r.Header.Set(name, value)
	}
	if !access.IsZero() {
		r.Header.Set("Authorization", "Bearer "+access.Reveal())
		c.addSecretProof(r.URL, access)
	}
	return c.fetch(r, limit)
}

func (c *Client) fetch(r *http.Request, limit int64) (outbound.Answer, error) {
	r.Header.Set("User-Agent", "tenon")
	answer, err := c.out.Fetch(r, limit)
	switch {
	case errors.Is(err, outbound.ErrTooLarge):
		return outbound.Answer{}, because(ErrUnavailable, ErrTooLarge)
	case err != nil:
		return outbound.Answer{}, because(ErrUnavailable, err)
	case isOutage(answer.Status):
		return outbound.Answer{}, because(ErrUnavailable, statusError(answer.Status))
	}
	return answer, nil
}

func isOutage(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

func statusError(status int) error { return fmt.Errorf("%w: %d", ErrStatus, status) }
