package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
)

// trip judges each request, the followed redirects included, and limits each answer.
type trip struct {
	next  http.RoundTripper
	guard guard
	cfg   Config
}

// RoundTrip implements http.RoundTripper.
func (t *trip) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.judge(r); err != nil {
		if r.Body != nil {
			return nil, errors.Join(err, r.Body.Close())
		}
		return nil, err
	}
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.ContentLength > t.cfg.MaxBody {
		return nil, errors.Join(ErrTooLarge, response.Body.Close())
	}
	response.Body = capped(response.Body, t.cfg.MaxBody)
	return response, nil
}

func (t *trip) judge(r *http.Request) error {
	u := r.URL
	if u.Scheme != "https" && (u.Scheme != "http" || !t.cfg.Plain) || u.Hostname() == "" || u.User != nil {
		return ErrURL
	}
	// Behind a proxy the dialer does not see where the call ends.
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !t.guard.permits(addr) {
		return ErrAddress
	}
	return nil
}

// capped returns body with an error in the place of its byte number limit+1.
func capped(body io.ReadCloser, limit int64) io.ReadCloser {
	return &capping{ReadCloser: body, left: limit}
}

type capping struct {
	io.ReadCloser
	left int64
}

// Read asks for one byte more than is left, to tell a body that ends from one that goes on.
func (c *capping) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
