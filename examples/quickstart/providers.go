package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/token"
)

// oidcID names the identity provider in URLs and rows.
const oidcID = "oidc"

// oidcOptions are an identity provider on the command line.
type oidcOptions struct {
	issuer, clientID, secretFile, name, domains string
	keepTokens, allowPrivate                    bool
}

func (o *oidcOptions) define(flags *flag.FlagSet) {
	flags.StringVar(&o.issuer, "oidc-issuer", "", "the `URL` of an OpenID provider that people may sign in with")
	flags.StringVar(&o.clientID, "oidc-client-id", "", "who we are to that provider")
	flags.StringVar(&o.secretFile, "oidc-client-secret-file", "", "the `file` with the client secret (default none: PKCE alone)")
	flags.StringVar(&o.name, "oidc-name", "", "what people call the provider (default the host of -oidc-issuer)")
	flags.StringVar(&o.domains, "oidc-domains", "", "mail `domains`, with commas, whose addresses the provider is trusted to have confirmed")
	flags.BoolVar(&o.keepTokens, "oidc-keep-tokens", false, "keep the provider's tokens, sealed, for get-access-token")
	flags.BoolVar(&o.allowPrivate, "allow-private-oidc", false, "let the provider be on this machine or in a private network")
}

// private are the networks in which a provider may be with -allow-private-oidc.
func private() (all []netip.Prefix) {
	for _, text := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// addProvider adds the provider that is named, if one is.
func (s *server) addProvider(cfg *tenon.Config, o oidcOptions) error {
	if o.issuer == "" {
		return nil
	}
	secret, err := o.secret()
	if err != nil {
		return err
	}
	p := provider.OpenID(oidcID, o.issuer, o.clientID, secret)
	p.Name = o.name
	if u, err := url.Parse(o.issuer); err == nil && p.Name == "" {
		p.Name = u.Hostname()
	}
	if o.domains != "" {
		p.EmailAuthority.Domains = strings.Split(o.domains, ",")
	}
	settings := oauth.Config{Providers: []oauth.Provider{{Provider: p, KeepTokens: o.keepTokens}}}
	if o.allowPrivate {
		settings.Client.Allow = private()
	}
	s.providers = []way{{ID: p.ID, Name: p.Name}}
	cfg.OAuth = oauthbun.New(settings).Into(&s.oauth).IntoHandler(&s.oauthHTTP)
	return nil
}

func (o oidcOptions) secret() (token.Secret, error) {
	if o.secretFile == "" {
		return token.Secret{}, nil
	}
	text, err := os.ReadFile(o.secretFile)
	if err == nil && len(strings.TrimSpace(string(text))) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return token.Secret{}, fmt.Errorf("the client secret: %w", err)
	}
	return token.NewSecret(strings.TrimSpace(string(text))), nil
}

func (s *server) providerRoutes(mux *http.ServeMux) {
	mux.Handle("POST /continue", s.app.Middleware(s.app.RateLimit(tenon.RateLimitSignIn, http.HandlerFunc(s.continueWith))))
	mux.Handle("POST /security/accounts/connect", s.forUser(tenon.RateLimitAccount, s.connect))
	mux.Handle("POST /security/accounts/disconnect", s.forUser(tenon.RateLimitAccount, s.disconnect))
	mux.Handle("POST /confirm/provider", s.forUser(tenon.RateLimitAccount, s.confirmWith))
}

// continueWith leads to a provider, to sign in there.
func (s *server) continueWith(w http.ResponseWriter, r *http.Request) {
	begun, err := s.oauth.Begin(r.Context(), oauth.BeginParams{
		Provider: r.PostFormValue("provider"), CallbackURL: "/", Browser: s.oauthHTTP.Browser(r),
	})
	if err != nil {
		s.refuse(w, r, home{ErrorIn: "sign-in"}, err)
		return
	}
	s.leave(w, r, begun)
}

// leave sends the browser to the provider, by a page: Chromium holds redirects after a
// form to the form-action of the page that the form was on, and where a provider
// redirects to is not ours to know.
func (s *server) leave(w http.ResponseWriter, r *http.Request, begun oauth.Begun) {
	s.oauthHTTP.KeepBrowser(w, begun)
	w.Header().Set("Refresh", "0; url="+begun.URL)
	s.render(w, r, http.StatusOK, "going.html", going{To: begun.URL, Name: s.nameOf(r.PostFormValue("provider"))})
}

// connect leads to a provider, to connect an account there with the one here.
func (s *server) connect(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	begun, err := s.oauth.BeginLink(r.Context(), caller, oauth.BeginParams{
		Provider: r.PostFormValue("provider"), CallbackURL: "/security?connected", Browser: s.oauthHTTP.Browser(r),
	})
	if err != nil {
		s.finishSecurity(w, r, caller, "accounts", "", err)
		return
	}
	s.leave(w, r, begun)
}

// confirmWith leads to a provider, to prove again who is here.
func (s *server) confirmWith(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := confirmation{Next: r.PostFormValue("next"), ErrorIn: "provider"}
	begun, err := s.oauth.BeginStepUp(r.Context(), caller, oauth.BeginParams{
		Provider: r.PostFormValue("provider"), CallbackURL: backTo(view.Next) + "?again", Browser: s.oauthHTTP.Browser(r),
	})
	if err != nil {
		s.refuseConfirmation(w, r, caller, view, err)
		return
	}
	s.leave(w, r, begun)
}

// going is the page on the way to a provider.
type going struct{ To, Name string }

// way is an identity provider, as the pages show it.
type way struct{ ID, Name string }

// nameOf returns what people call the provider with that id.
func (s *server) nameOf(id string) string {
	for _, p := range s.providers {
		if p.ID == id {
			return p.Name
		}
	}
	return id
}

// linkedWays are the providers at which the user has accounts.
func (s *server) linkedWays(ways []account.Account) (linked []way) {
	for _, p := range s.providers {
		if slices.ContainsFunc(ways, func(a account.Account) bool { return a.ProviderID == p.ID }) {
			linked = append(linked, p)
		}
	}
	return linked
}

// linkedRow is an account at a provider, as the page shows it.
type linkedRow struct{ ID, Name, Added, Used string }

func (s *server) linkedRows(ways []account.Account) (rows []linkedRow) {
	now := s.app.DB.Now()
	for _, w := range ways {
		if w.ProviderID != account.ProviderCredential {
			rows = append(rows, linkedRow{
				ID: w.ID, Name: s.nameOf(w.ProviderID), Added: day(now, w.CreatedAt), Used: ago(now, w.UpdatedAt),
			})
		}
	}
	return rows
}

func (s *server) disconnect(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	err := s.oauth.Unlink(r.Context(), caller, r.PostFormValue("id"))
	s.finishSecurity(w, r, caller, "accounts", "/security?disconnected#accounts", err)
}
