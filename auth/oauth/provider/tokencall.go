package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/tenon-go/tenon/token"
)

// tokenCall is one call of x/oauth2, whose errors quote answers and lose their causes. It makes the guarded request and
// remembers what happened.
type tokenCall struct {
	c      *Client
	err    error
	status int
}

func (c *Client) tokenCall(e endpoints, redirectURI string) (*oauth2.Config, *tokenCall, error) {
	secret, err := c.clientSecret()
	if err != nil {
		return nil, nil, err
	}
	cfg := c.oauth2(e, redirectURI)
	cfg.ClientSecret = secret.Reveal()
	return cfg, &tokenCall{c: c}, nil
}

// clientSecret is the configured one, or the one that is made for Apple.
func (c *Client) clientSecret() (token.Secret, error) {
	if c.p.assertion == nil {
		return c.p.ClientSecret, nil
	}
	return c.p.assertion.secret(c.cfg.Now())
}

func (t *tokenCall) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: t})
}

// RoundTrip implements http.RoundTripper with the whole answer in memory.
func (t *tokenCall) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json") // GitHub's is a form otherwise
	answer, err := t.c.fetch(r, maxTokens)
	if err != nil {
		t.err = err
		return nil, err
	}
	t.status = answer.Status
	return &http.Response{
		StatusCode: answer.Status, Status: http.StatusText(answer.Status), Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader(answer.Body)), Request: r,
	}, nil
}

// reason turns an error of x/oauth2 into one of ours; refused is for a code or refresh token that is of no use.
func (t *tokenCall) reason(err, refused error) error {
	if t.err != nil {
		return t.err
	}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return because(ErrUnavailable, ErrMalformed) // 200, and no tokens in it
	}
	return because(publicError(answer.ErrorCode, t.status, refused), errors.New("the provider answered "+safeCode(answer.ErrorCode)))
}

// misconfigurations are the codes of RFC 6749 section 5.2, GitHub and Slack for what only the operator can mend.
func misconfigurations() []string {
	return []string{
		"invalid_client", "unauthorized_client", "invalid_scope", "invalid_request", "unsupported_grant_type",
		"incorrect_client_credentials", "redirect_uri_mismatch", "bad_client_secret", "invalid_client_id", "bad_redirect_uri",
	}
}

// publicError reads the refusal of a token endpoint. Providers that have no code for it say 400 or 401.
func publicError(code string, status int, refused error) error {
	switch {
	case code == "temporarily_unavailable" || code == "server_error":
		return ErrUnavailable
	case slices.Contains(misconfigurations(), code):
		return ErrMisconfigured
	case status < 300 || status == http.StatusBadRequest || status == http.StatusUnauthorized:
		return refused
	}
	return ErrMisconfigured
}

// Kind tells a provider which of its tokens it is handed (RFC 7009 section 2.1).
type Kind string

// The kinds of tokens.
const (
	Access  Kind = "access_token"
	Refresh Kind = "refresh_token"
)

// Revoke ends a token at the provider, and with a refresh token usually the whole grant. A token that is over already is
// no error. Errors: ErrUnsupported where the provider has no such endpoint or does not revoke this kind, ErrMisconfigured,
// ErrUnavailable.
func (c *Client) Revoke(ctx context.Context, t token.Secret, kind Kind) error {
	e, err := c.endpoints(ctx)
	if err != nil {
		return err
	}
	if e.revocation == "" {
		return ErrUnsupported
	}
	r, err := c.revocation(ctx, e, t, kind)
	if err != nil {
		return err
	}
	answer, err := c.fetch(r, maxTokens)
	if err != nil {
		return err
	}
	return revoked(answer.Status, answer.Body)
}

func revoked(status int, body []byte) error {
	if status < 300 {
		return nil
	}
	said, _ := parseClaims(body)
	switch code := said.text("error"); {
	case code == "unsupported_token_type":
		return ErrUnsupported
	case code == "invalid_token" || code == "" && (status == http.StatusBadRequest || status == http.StatusNotFound):
		return nil
	}
	return because(ErrMisconfigured, statusError(status))
}

func (c *Client) revocation(ctx context.Context, e endpoints, t token.Secret, kind Kind) (*http.Request, error) {
	secret, err := c.clientSecret()
	if err != nil {
		return nil, err
	}
	method, body, contentType := http.MethodPost, "", "application/x-www-form-urlencoded"
	if c.p.deletesGrant {
		text, err := json.Marshal(map[string]string{"access_token": t.Reveal()})
		if err != nil || kind != Access {
			return nil, ErrUnsupported
		}
		method, body, contentType = http.MethodDelete, string(text), "application/json"
	} else {
		form := url.Values{"token": {t.Reveal()}, "token_type_hint": {string(kind)}}
		if e.style == Params {
			form.Set("client_id", c.p.ClientID)
			if !secret.IsZero() {
				form.Set("client_secret", secret.Reveal())
			}
		}
		body = form.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, e.revocation, strings.NewReader(body))
	if err != nil {
		return nil, because(ErrConfig, errors.New("a URL of the provider cannot be asked"))
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept", "application/json")
	if e.style == Basic || c.p.deletesGrant {
		r.SetBasicAuth(url.QueryEscape(c.p.ClientID), url.QueryEscape(secret.Reveal()))
	}
	return r, nil
}
