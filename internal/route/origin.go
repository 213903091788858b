package route

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// preflightAge is for how many seconds a browser may keep what a preflight said.
const preflightAge = "600"

// origins knows which pages may call: our own and the trusted ones.
type origins struct {
	own        string // "" where there is no BaseURL
	trusted    map[string]bool
	protection *http.CrossOriginProtection
	headers    string // that a trusted origin may send
}

func newOrigins(cfg Config) (*origins, error) {
	o := &origins{
		trusted:    map[string]bool{},
		protection: http.NewCrossOriginProtection(),
		headers:    joinMethods(append(ownRequestHeaders(), cfg.AllowedHeaders...)),
	}
	var errs []error
	if cfg.BaseURL != "" {
		own, err := originOf(cfg.BaseURL)
		o.own = own
		errs = append(errs, wrapOrigin("BaseURL", err))
		// Behind a proxy that rewrites Host, our own origin does not look like it.
		errs = append(errs, o.protect(own, err))
	}
	for _, raw := range cfg.TrustedOrigins {
		origin, err := originOf(raw)
		if err == nil && strings.TrimSuffix(strings.ToLower(raw), "/") != origin && !defaultPort(raw) {
			err = errors.New("an origin is a scheme and a host, without a path")
		}
		errs = append(errs, wrapOrigin("TrustedOrigins", err), o.protect(origin, err))
		o.trusted[origin] = err == nil
	}
	return o, errors.Join(errs...)
}

func (o *origins) protect(origin string, err error) error {
	if err != nil {
		return nil // reported by the caller
	}
	return o.protection.AddTrustedOrigin(origin)
}

func wrapOrigin(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("route: Config.%s: %w", field, err)
}

// originOf returns the origin of an http or https URL as browsers write it.
func originOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("the scheme must be https or http")
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Host, "*"):
		return "", errors.New("must be a scheme and a host, without user, query, fragment or wildcard")
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host, nil
}

// defaultPort reports whether raw is an origin that only differs from its usual
// form by naming the port that goes without saying.
func defaultPort(raw string) bool {
	return strings.HasSuffix(raw, ":443") || strings.HasSuffix(raw, ":80")
}

// check is the cross-origin check of an unsafe request.
func (o *origins) check(r *http.Request) error {
	if err := o.protection.Check(r); err != nil {
		return ErrInvalidOrigin.With(err)
	}
	return nil
}

// ours reports whether one of our own pages sent r. Old browsers do not send
// Sec-Fetch-Site.
func (o *origins) ours(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "same-origin" || o.own != "" && r.Header.Get("Origin") == o.own
}

// expose lets a page of a trusted origin read the answer, whatever it will be.
func (o *origins) expose(h http.Header, r *http.Request) {
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !o.trusted[origin] {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Location, "+
		"Tus-Resumable, Upload-Length, Upload-Offset, Upload-Expires")
}

// preflight answers OPTIONS. Only trusted origins learn more than the methods.
func (o *origins) preflight(w http.ResponseWriter, r *http.Request, allow []string) {
	h := w.Header()
	h.Set("Allow", joinMethods(allow))
	if o.trusted[r.Header.Get("Origin")] && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Methods", joinMethods(allow))
		h.Set("Access-Control-Allow-Headers", o.headers)
		h.Set("Access-Control-Max-Age", preflightAge)
	}
	w.WriteHeader(http.StatusNoContent)
}

// ownRequestHeaders are those that some route of the library reads.
func ownRequestHeaders() []string {
	return []string{
		"Authorization", "Content-Type", "X-Api-Key", "X-Token-Mode", "X-Organization-Id", "Idempotency-Key",
		"Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum",
	}
}
