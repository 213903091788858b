package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/tenon-go/tenon/token"
)

const wellKnown = "/.well-known/openid-configuration"

// endpoints are where the provider is and how it wants to be spoken to.
type endpoints struct {
	auth, token, userInfo, keys, revocation string
	iss                                     bool
	style                                   AuthStyle
}

// metadata is the part of a discovery document that is used (OpenID Connect Discovery section 3, RFC 8414, RFC 9207).
type metadata struct {
	oidc.ProviderConfig

	Revocation  string   `json:"revocation_endpoint"`
	Iss         bool     `json:"authorization_response_iss_parameter_supported"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
}

// endpoints returns the configured ones, or those that the provider published.
func (c *Client) endpoints(ctx context.Context) (endpoints, error) {
	if c.p.discovered() {
		return c.meta.get(ctx, discoveryFor, func(endpoints) bool { return true })
	}
	return c.withStyle(endpoints{
		auth: c.p.AuthURL, token: c.p.TokenURL, userInfo: c.p.UserInfoURL, keys: c.p.JWKSURL, revocation: c.p.RevocationURL,
		iss: c.p.IssParameter, style: c.p.AuthStyle,
	}), nil
}

// withStyle keeps a client without a secret from sending an empty one.
func (c *Client) withStyle(e endpoints) endpoints {
	if c.p.ClientSecret.IsZero() {
		e.style = Params
	}
	return e
}

// discover reads the document of the configured issuer. A document that names another issuer is of no use, whatever else
// it says (OpenID Connect Discovery section 4.3).
func (c *Client) discover(ctx context.Context) (endpoints, error) {
	answer, err := c.get(ctx, strings.TrimSuffix(c.p.Issuer, "/")+wellKnown, token.Secret{}, maxDocument)
	if err != nil {
		return endpoints{}, err
	}
	if answer.Status != http.StatusOK {
		return endpoints{}, because(ErrUnavailable, statusError(answer.Status))
	}
	doc, err := parseMetadata(answer.Body, c.p.Issuer, c.cfg.Plain)
	if err != nil {
		return endpoints{}, err
	}
	e := endpoints{
		auth: doc.AuthURL, token: doc.TokenURL, userInfo: doc.UserInfoURL, keys: doc.JWKSURL, revocation: doc.Revocation,
		iss: doc.Iss || c.p.IssParameter, style: c.p.AuthStyle,
	}
	if len(doc.AuthMethods) > 0 && !slices.Contains(doc.AuthMethods, "client_secret_basic") {
		e.style = Params
	}
	return c.withStyle(e), nil
}

func parseMetadata(body []byte, issuer string, plain bool) (metadata, error) {
	var doc metadata
	if json.Unmarshal(body, &doc) != nil {
		return metadata{}, because(ErrUnavailable, ErrDiscovery)
	}
	if doc.IssuerURL != issuer {
		return metadata{}, because(ErrMisconfigured, ErrDiscoveryIssuer)
	}
	for _, u := range []string{doc.AuthURL, doc.TokenURL, doc.JWKSURL} {
		if !acceptableEndpoint(u, plain) {
			return metadata{}, because(ErrMisconfigured, ErrDiscovery)
		}
	}
	for _, u := range []string{doc.UserInfoURL, doc.Revocation} {
		if u != "" && !acceptableEndpoint(u, plain) {
			return metadata{}, because(ErrMisconfigured, ErrDiscovery)
		}
	}
	return doc, nil
}
