// Package cookie decides how Tenon's cookies are named and marked, from the base
// URL alone (rule R27).
package cookie

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

const (
	// maxValue bounds what is read from a cookie; ours are far shorter.
	maxValue = 1024
	// maxPlain is how many cookies are read without net/http, which has a limit of
	// its own.
	maxPlain = 100
)

// Policy names and marks cookies. The zero Policy is not usable; New makes one.
type Policy struct {
	prefix string
	secure bool
	base   *url.URL
}

// New returns the policy of a site at baseURL: with https, names start with
// __Host- and cookies are Secure; with http, which is for development on a
// loopback host only, names start with tenon_dev_. Any other base URL is an
// error.
func New(baseURL string) (Policy, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Policy{}, fmt.Errorf("base URL %q: want scheme and host, such as https://example.com", baseURL)
	}
	if u.Path != "" && u.Path != "/" {
		return Policy{}, fmt.Errorf("base URL %q: must have no path", baseURL)
	}
	origin := &url.URL{Scheme: u.Scheme, Host: u.Host}
	switch {
	case u.Scheme == "https":
		return Policy{prefix: "__Host-tenon_", secure: true, base: origin}, nil
	case u.Scheme == "http" && IsLoopback(u.Hostname()):
		return Policy{prefix: "tenon_dev_", base: origin}, nil
	case u.Scheme == "http":
		return Policy{}, fmt.Errorf("base URL %q: http is for localhost only; use https", baseURL)
	}
	return Policy{}, errors.New("base URL must start with https:// or, on localhost, http://")
}

// IsLoopback reports whether host names this machine only.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Origin returns scheme and host of the site, without a path.
func (p Policy) Origin() string { return p.base.String() }

// Host returns the host of the site, with its port.
func (p Policy) Host() string { return p.base.Host }

// Name returns the full name of the cookie called name.
func (p Policy) Name(name string) string { return p.prefix + name }

// Set sets a cookie that scripts can't read and that other sites' requests
// don't carry, except when a person follows a link. It lasts for life, or as
// long as the browser is open if life is zero.
func (p Policy) Set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: p.Name(name), Value: value, Path: "/",
		MaxAge: int(life / time.Second),
		Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// Clear deletes a cookie.
func (p Policy) Clear(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: p.Name(name), Path: "/", MaxAge: -1,
		Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// Get returns the value of a cookie. A cookie that is absent, oversized or there
// more than once is "": a sibling domain may have planted one of them. For an
// ordinary header it does not allocate.
func (p Policy) Get(r *http.Request, name string) string {
	value, plain := p.scan(r.Header["Cookie"], name)
	if !plain {
		found := r.CookiesNamed(p.Name(name))
		if len(found) != 1 {
			return ""
		}
		value = found[0].Value
	}
	if len(value) > maxValue {
		return ""
	}
	return value
}

// scan reads the cookie as net/http would, and reports false where it takes more
// than this to know what that is.
func (p Policy) scan(lines []string, name string) (value string, plain bool) {
	if len(lines) != 1 || strings.Count(lines[0], ";") >= maxPlain {
		return "", len(lines) == 0
	}
	seen := false
	for rest, part := lines[0], ""; rest != ""; {
		part, rest, _ = strings.Cut(rest, ";")
		key, val, _ := strings.Cut(textproto.TrimString(part), "=")
		if !p.names(textproto.TrimString(key), name) {
			continue
		}
		if seen || !isPlain(val) {
			return "", false
		}
		value, seen = val, true
	}
	return value, true
}

// names reports whether key is the full name of the cookie called name.
func (p Policy) names(key, name string) bool {
	return len(key) == len(p.prefix)+len(name) && key[:len(p.prefix)] == p.prefix && key[len(p.prefix):] == name
}

// isPlain reports whether a value has only bytes that mean nothing in a header.
func isPlain(value string) bool {
	for i := range len(value) {
		c := value[i]
		if letter := c | 0x20; letter-'a' > 25 && c-'0' > 9 && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
