// Package redirect decides where a browser may be sent. It is the one place
// where a target that came with a request is judged (ASVS 3.7.2).
package redirect

import (
	"fmt"
	"net/url"
	"strings"
)

const maxTarget = 2048

// Targets is a list of places that browsers may be sent to. The zero Targets
// allows paths of the own site only.
type Targets struct {
	origins map[string]bool // scheme://host[:port]
	schemes map[string]bool // of apps, such as myapp
}

// New allows the origins in targets, such as https://app.example.com, and the
// schemes of apps in it, written like myapp://. The own site belongs into the
// list; its paths are always allowed.
func New(targets ...string) (Targets, error) {
	t := Targets{origins: map[string]bool{}, schemes: map[string]bool{}}
	for _, target := range targets {
		u, err := url.Parse(target)
		if err != nil || u.Scheme == "" || u.User != nil || u.Opaque != "" || strings.Trim(u.Path, "/") != "" {
			return Targets{}, fmt.Errorf("redirect target %q: want an origin like https://app.example.com or a scheme like myapp://", target)
		}
		switch {
		case isWeb(u.Scheme) && u.Host != "":
			t.origins[originOf(u)] = true
		case !isWeb(u.Scheme) && u.Host == "" && !isDangerous(u.Scheme):
			t.schemes[u.Scheme] = true
		default:
			return Targets{}, fmt.Errorf("redirect target %q is not allowed", target)
		}
	}
	return t, nil
}

// Allows reports whether target may be sent to a browser: a path of the own site
// that starts with one slash, or an absolute URL of a listed origin or scheme.
// The empty target is not allowed.
func (t Targets) Allows(target string) bool {
	if target == "" || len(target) > maxTarget || strings.ContainsFunc(target, isUnsafe) {
		return false
	}
	u, err := url.Parse(target)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	if u.Scheme == "" {
		return u.Host == "" && strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//")
	}
	return t.origins[originOf(u)] || (!isWeb(u.Scheme) && t.schemes[u.Scheme])
}

// isUnsafe finds what browsers and parsers read differently: backslashes,
// spaces, controls, and everything outside ASCII.
func isUnsafe(r rune) bool {
	return r <= ' ' || r >= 0x7f || r == '\\'
}

func isWeb(scheme string) bool { return scheme == "https" || scheme == "http" }

// isDangerous reports schemes that run or show content instead of opening an app.
func isDangerous(scheme string) bool {
	switch scheme {
	case "javascript", "data", "vbscript", "blob", "file", "about", "view-source", "ftp":
		return true
	}
	return false
}

// originOf returns scheme and host as browsers compare them: in lower case and
// without the default port.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}
