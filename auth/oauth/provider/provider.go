package provider

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/token"
)

// AuthStyle is how a client authenticates at the token endpoint (RFC 6749 section 2.3.1). It is never guessed: to try
// the other way after a refusal would spend the code.
type AuthStyle int

const (
	// Basic sends client id and secret in the Authorization header.
	Basic AuthStyle = iota
	// Params sends them in the body.
	Params
)

// Provider is what there is to know about an identity provider. It is data: copy it, change it, and hand it to [New].
// Constructors such as [Google] and [OpenID] fill it in.
type Provider struct {
	// ID is the name in URLs and rows: lower-case letters, digits and hyphens, at most 32. Do not change it once people
	// have signed in. Required.
	ID string
	// Name is what people call the provider. Defaults to ID.
	Name string
	// Issuer is the first half of every [Identity]. For OpenID Connect it is also the iss of ID tokens, compared byte for
	// byte. It comes from the configuration only, never from what a token or a document says. Required.
	Issuer string

	// AuthURL, TokenURL, UserInfoURL, JWKSURL and RevocationURL are the provider's endpoints. Without a TokenURL all of
	// them are discovered from the Issuer, at first use. A provider with a JWKSURL, and one that is discovered, speaks
	// OpenID Connect; the others speak OAuth 2 and are asked at UserInfoURL.
	AuthURL, TokenURL, UserInfoURL, JWKSURL, RevocationURL string
	// IssParameter says that the provider promised to put its issuer into callbacks (RFC 9207). Discovery sets it. A
	// promised iss must be there; one that an OpenID provider sends must be right, promised or not.
	IssParameter bool

	// ClientID is who we are to the provider. Required.
	ClientID string
	// ClientSecret is how we prove it. Empty for a public client, which PKCE alone protects.
	ClientSecret token.Secret
	// AuthStyle is how ClientSecret is sent. Defaults to Basic; discovery takes Params where Basic is not offered.
	AuthStyle AuthStyle
	// NativeClients are further client ids, those of our own apps, whose ID tokens VerifyIDToken accepts. Defaults to none.
	NativeClients []string

	// Scopes are asked for in every authorization.
	Scopes []string
	// AuthParams are added to every authorization URL. What the protocol itself sends cannot be set here.
	AuthParams map[string]string
	// FormPost asks for the callback as a POST (response_mode form_post), as Apple wants it for names and addresses.
	FormPost bool
	// Algorithms are the acceptable signatures of ID tokens. Defaults to RS256, PS256, ES256 and EdDSA and their longer
	// variants. HS256, HS384 and HS512, keyed with ClientSecret (at least 32 bytes), must be named and stand alone.
	Algorithms []string

	// Fields says where the profile has what. The zero value is OpenID Connect's.
	Fields Fields
	// Emails is a second place to ask for addresses, where the profile does not tell which one is confirmed.
	Emails *Emails
	// EmailAuthority is whose mailboxes the provider proves (R19). The zero value is none.
	EmailAuthority EmailAuthority

	// What only the constructors know to be needed.

	tenant        string            // Microsoft: the tenant in Issuer's place of {tenantid}
	issuerAlias   string            // Google: an older spelling of the issuer in tokens
	noNonce       bool              // LinkedIn: the nonce is not repeated
	noPKCE        bool              // LinkedIn: a verifier is refused
	secretProof   bool              // Facebook: appsecret_proof on calls with an access token
	assertion     *appleKey         // Apple: makes the client secret
	deletesGrant  bool              // GitHub: revocation is a DELETE
	requestHeader map[string]string // GitHub: the version of the API
}

// OpenIDConnect reports whether the provider issues ID tokens.
func (p Provider) OpenIDConnect() bool { return p.JWKSURL != "" || p.discovered() }

func (p Provider) discovered() bool { return p.TokenURL == "" }

// clients are all the ids that are us.
func (p Provider) clients() []string { return append([]string{p.ClientID}, p.NativeClients...) }

// EmailAuthority says of which mailboxes a provider's word is proof (R19). What it does not cover is as if somebody had
// typed it, confirmed or not. The zero value covers nothing.
type EmailAuthority struct {
	// All covers every address that the provider confirmed. Choose it only where the provider mails each address before
	// it says so, and where nobody else administers it.
	All bool
	// Domains covers addresses in these domains, in lower case and without their subdomains.
	Domains []string
	// HostedDomain covers addresses in the domain that the provider says the account is managed by (Google's hd).
	HostedDomain bool
}

// covers reports whether the authority extends to the address. Only plain ASCII domains can be covered.
func (a EmailAuthority) covers(email, hosted string) bool {
	at := strings.LastIndexByte(email, '@')
	if at < 1 || strings.IndexByte(email, '@') != at {
		return false
	}
	domain := strings.ToLower(email[at+1:])
	if !plainDomain.MatchString(domain) {
		return false
	}
	return a.All || slices.Contains(a.Domains, domain) || a.HostedDomain && domain == strings.ToLower(hosted)
}

var (
	plainDomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	plainID     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	plainScope  = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`) // RFC 6749 section 3.3
)

const minHMACSecret = 32

func asymmetric() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

func symmetric() []string { return []string{"HS256", "HS384", "HS512"} }

// ours are the parameters of an authorization request that AuthParams must not set.
func ours() []string {
	return []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
		"code_challenge", "code_challenge_method", "request", "request_uri",
	}
}

// withDefaults returns a copy that shares nothing with p.
func (p Provider) withDefaults() Provider {
	if p.Name == "" {
		p.Name = p.ID
	}
	if len(p.Algorithms) == 0 {
		p.Algorithms = asymmetric()
	}
	p.Algorithms = slices.Clone(p.Algorithms)
	p.NativeClients = slices.Clone(p.NativeClients)
	p.Scopes = slices.Clone(p.Scopes)
	p.AuthParams = maps.Clone(p.AuthParams)
	p.EmailAuthority.Domains = slices.Clone(p.EmailAuthority.Domains)
	p.Fields = p.Fields.withDefaults()
	if p.Emails != nil {
		emails := *p.Emails
		p.Emails = &emails
	}
	return p
}

// validate wants a Provider withDefaults. plain allows http.
func (p Provider) validate(plain bool) error {
	var errs []error
	need := func(ok bool, why string) {
		if !ok {
			errs = append(errs, fmt.Errorf("provider: %q: %s: %w", p.ID, why, ErrConfig))
		}
	}
	need(plainID.MatchString(p.ID), "ID must be 1 to 32 lower-case letters, digits and hyphens")
	need(p.ClientID != "", "ClientID is required")
	need(acceptableURL(p.Issuer, plain), "Issuer must be an https URL without query and fragment")
	need(p.discovered() || p.AuthURL != "", "AuthURL is required beside TokenURL")
	need(p.OpenIDConnect() || p.UserInfoURL != "", "UserInfoURL or JWKSURL is required beside TokenURL")
	need(!p.discovered() || p.AuthURL+p.UserInfoURL+p.JWKSURL+p.RevocationURL == "", "endpoints are given all or discovered all")
	for _, u := range []string{p.AuthURL, p.TokenURL, p.UserInfoURL, p.JWKSURL, p.RevocationURL, p.Emails.url()} {
		need(u == "" || acceptableEndpoint(u, plain), "endpoints must be https URLs without a fragment")
	}
	for name := range p.AuthParams {
		need(!slices.Contains(ours(), name), "AuthParams must not set "+name)
	}
	for _, s := range p.Scopes {
		need(plainScope.MatchString(s), "Scopes must be words of printable ASCII")
	}
	for _, d := range p.EmailAuthority.Domains {
		need(plainDomain.MatchString(d), "EmailAuthority.Domains must be domains in lower case")
	}
	need(!slices.Contains(p.NativeClients, ""), "NativeClients must not be empty")
	need(p.tenant == "" || p.tenantIsKnown(), "the tenant must be a UUID, common, organizations or consumers")
	need(p.algorithmsFit(), "Algorithms must be asymmetric ones, or HS256 to HS512 with a ClientSecret of at least 32 bytes")
	need(p.Fields.subjectIsImmutable(), "Fields.Subject must name an identifier that nobody can change or choose")
	return errors.Join(errs...)
}

func (p Provider) algorithmsFit() bool {
	in := func(list []string) func(string) bool { return func(a string) bool { return slices.Contains(list, a) } }
	if slices.ContainsFunc(p.Algorithms, in(symmetric())) {
		return len(p.ClientSecret.Reveal()) >= minHMACSecret && !slices.ContainsFunc(p.Algorithms, not(in(symmetric())))
	}
	return !slices.ContainsFunc(p.Algorithms, not(in(asymmetric())))
}

func not(f func(string) bool) func(string) bool { return func(s string) bool { return !f(s) } }

// acceptableURL is for issuers, which have neither query nor fragment (OpenID Connect Discovery section 2).
func acceptableURL(text string, plain bool) bool {
	u, err := url.Parse(text)
	return err == nil && acceptableEndpoint(text, plain) && u.RawQuery == "" && !u.ForceQuery
}

func acceptableEndpoint(text string, plain bool) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(text, "#") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && (plain || loopbackHost(u.Hostname()))
}

// loopbackHost is the one kind of host that may be spoken to without TLS by default. To reach it takes Config.Allow too.
func loopbackHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback() && net.ParseIP(host) != nil
}
