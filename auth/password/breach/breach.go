// Package breach asks a service whether a password was found in stolen data,
// without telling it the password.
//
//	breaches, err := breach.New(breach.Config{OnOutage: breach.FailOpen})
//	...
//	policy := password.Policy{Breaches: breaches}
//
// It speaks the range interface of Have I Been Pwned: five hexadecimal digits of
// the SHA-1 of the password go out, the hundreds of hashes that begin with them
// come back, and the comparison is made here. Answers are padded, so that their
// length does not tell the range (Add-Padding). Neither the password nor its hash
// leaves the process, is logged or is part of an error.
//
// SHA-1 protects nothing here, but FIPS 140 refuses it: where that is enforced,
// New answers ErrFIPS.
package breach

import (
	"context"
	"crypto/fips140"
	"crypto/sha1" //nolint:gosec // the index of a public list, not a protection
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// FailMode says what an outage of the service means. There is no default.
type FailMode int

const (
	// FailOpen lets a password pass that could not be looked up, and logs a
	// warning. The embedded list of common passwords was asked before.
	FailOpen FailMode = iota + 1
	// FailClosed refuses it with a 503: nobody can set a password while the
	// service is down.
	FailClosed
)

// DefaultURL is where the service of haveibeenpwned.com answers.
const DefaultURL = "https://api.pwnedpasswords.com/range/"

var (
	// ErrOutage means that the service did not answer properly and in time, so
	// that nothing is known about the password.
	ErrOutage = errors.New("breach: the service gave no usable answer")
	// ErrFIPS means that SHA-1 may not be used, because FIPS 140 is enforced.
	ErrFIPS = errors.New("breach: the range interface needs SHA-1, which FIPS 140 refuses")
)

// Config configures a Range. OnOutage is required.
type Config struct {
	// OnOutage is FailOpen or FailClosed. It must be chosen.
	OnOutage FailMode
	// URL is followed by the five digits. It must be https, or http on a loopback
	// address. Defaults to DefaultURL.
	URL string
	// Timeout bounds one question, from the connection to the last byte of the
	// answer. Defaults to 2 s; at most 10 s.
	Timeout time.Duration
	// Least is how often a password must have been found to count. Defaults to 1.
	Least int
	// Transport does the requests. Defaults to one of its own with at most 8
	// connections and the proxy of the environment.
	Transport http.RoundTripper
	// Logger gets a warning for each outage under FailOpen. Defaults to
	// slog.Default().
	Logger *slog.Logger
}

// Range asks the service. It is safe for concurrent use.
type Range struct {
	cfg    Config
	client *http.Client
}

// New returns a Range, ErrFIPS, or an error that names what is wrong with cfg.
func New(cfg Config) (*Range, error) {
	if fips140.Enforced() {
		return nil, ErrFIPS
	}
	cfg.fill()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("breach: config: %w", err)
	}
	return &Range{cfg: cfg, client: &http.Client{
		Transport: cfg.Transport,
		// A redirect would carry the question to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (c *Config) fill() {
	if c.URL == "" {
		c.URL = DefaultURL
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Least == 0 {
		c.Least = 1
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxConnsPerHost: 8, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func (c *Config) validate() error {
	var errs []error
	if c.OnOutage != FailOpen && c.OnOutage != FailClosed {
		errs = append(errs, errors.New("OnOutage must be chosen: FailOpen or FailClosed"))
	}
	if !isPrivate(c.URL) {
		errs = append(errs, errors.New("URL must be https, without a query, and end with a slash"))
	}
	if c.Timeout < 0 || c.Timeout > 10*time.Second {
		errs = append(errs, errors.New("need a Timeout of at most 10 s"))
	}
	if c.Least < 0 {
		errs = append(errs, errors.New("negative Least"))
	}
	return errors.Join(errs...)
}

// isPrivate reports whether nobody on the way reads what is asked at base.
func isPrivate(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/") {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

// Breached implements password.Breaches. Under FailClosed an outage is ErrOutage,
// under FailOpen it is "no". An ended ctx is its error in both.
func (r *Range) Breached(ctx context.Context, prepared string) (bool, error) {
	if fips140.Enforced() {
		return false, ErrFIPS
	}
	sum := sha1.Sum([]byte(prepared)) //nolint:gosec // the index of a public list, not a protection
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	count, err := r.count(ctx, digest[:prefixLen], digest[prefixLen:])
	switch {
	case err == nil:
		return count >= r.cfg.Least, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("breach: %w", ctx.Err())
	case r.cfg.OnOutage == FailOpen:
		r.cfg.Logger.WarnContext(ctx, "breach: a password was let pass without a look-up", "error", err)
		return false, nil
	}
	return false, err
}
