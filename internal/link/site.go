package link

import (
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/redirect"
)

// SiteConfig says which site the pages of mailed links are on. Fields without
// "Defaults to" are required.
type SiteConfig struct {
	// BaseURL is where the site is reached; cookies follow it (rule R27).
	BaseURL string
	// ProductName stands on the pages. Defaults to nothing.
	ProductName string
	// RedirectTargets are further origins, and schemes of apps written like
	// myapp://, that pages may lead to. Defaults to the own site.
	RedirectTargets []string
}

// Site is what the handlers of mailed links share: cookies, pages, the nonces of
// their forms, and where they may lead. NewSite makes one.
type Site struct {
	Cookies cookie.Policy
	Pages   *page.Layout
	Nonces  page.Nonces
	targets redirect.Targets
}

// NewSite returns the Site that cfg describes, or what is wrong with it. It does no
// I/O.
func NewSite(cfg SiteConfig) (Site, error) {
	cookies, err := cookie.New(cfg.BaseURL)
	if err != nil {
		return Site{}, err
	}
	targets, err := redirect.New(append([]string{cookies.Origin()}, cfg.RedirectTargets...)...)
	if err != nil {
		return Site{}, err
	}
	pages, err := page.New(page.Config{ProductName: cfg.ProductName})
	if err != nil {
		return Site{}, err
	}
	return Site{Cookies: cookies, Pages: pages, Nonces: page.NewNonces(cookies), targets: targets}, nil
}

// Parking returns the place of the secrets of one kind of link; name is that of its
// cookie.
func (s Site) Parking(name string) Parking { return Parking{Cookies: s.Cookies, Name: name} }

// Allows reports whether a browser may be sent to every one of targets. Those that
// are empty name nothing and are allowed.
func (s Site) Allows(targets ...string) bool {
	for _, target := range targets {
		if target != "" && !s.targets.Allows(target) {
			return false
		}
	}
	return true
}
