package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tenon-go/tenon/token"
)

// profile returns the claims of whoever signed in: those of the ID token, completed by userinfo where it lacks the
// address, or the word whether it was confirmed, as Okta's do; with OAuth 2 those of userinfo.
func (c *Client) profile(ctx context.Context, e endpoints, t Tokens, nonce string) (claims, error) {
	if !c.p.OpenIDConnect() {
		return c.userInfo(ctx, e, t.Access)
	}
	if t.ID.IsZero() {
		return nil, because(ErrInvalidIDToken, ErrNoIDToken)
	}
	want := expected{clients: []string{c.p.ClientID}, access: t.Access}
	if c.wantsNonce() {
		want.nonce = nonce
	}
	proven, err := c.verify(ctx, t.ID.Reveal(), want)
	if err != nil || e.userInfo == "" || proven.tellsMailbox(c.p.Fields) {
		return proven, err
	}
	more, err := c.userInfo(ctx, e, t.Access)
	if err != nil {
		return nil, err
	}
	// An access token can be another user's (OpenID Connect Core section 5.3.2).
	if more.text("sub") != proven.text("sub") {
		return nil, because(ErrProfile, ErrOtherSubject)
	}
	return completed(proven, more, c.p.Fields), nil
}

// tellsMailbox reports whether the claims hold an address and say, either way, whether it was confirmed.
func (c claims) tellsMailbox(f Fields) bool {
	return c.text(f.Email) != "" && c.at(f.EmailVerified) != nil
}

// completed adds what the ID token does not say. The flag comes from where the address comes from.
func completed(proven, more claims, f Fields) claims {
	if more.text(f.Email) == "" { // its flag would be about an address that it does not name
		head, _, _ := strings.Cut(f.EmailVerified, ".")
		delete(more, f.EmailVerified)
		delete(more, head)
	}
	delete(proven, f.EmailVerified)
	for name, value := range more {
		if _, said := proven[name]; !said {
			proven[name] = value
		}
	}
	if address, ok := more[f.Email]; ok {
		proven[f.Email] = address
	}
	return proven
}

func (c *Client) userInfo(ctx context.Context, e endpoints, access token.Secret) (claims, error) {
	answer, err := c.get(ctx, e.userInfo, access, maxProfile)
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, because(ErrProfile, statusError(answer.Status))
	}
	said, err := parseClaims(answer.Body)
	if err != nil {
		return nil, because(ErrProfile, ErrUserInfo)
	}
	return said, nil
}

// Described is an account as the provider describes it.
type Described struct {
	// Identity is who it is. AuthenticatedAt is zero.
	Identity Identity
	// Profile is what the provider sent, which proves nothing.
	Profile map[string]json.RawMessage
}

// UserInfo asks the provider whose access token it is. That proves nothing about who is
// here: compare the identity with the one that the token was granted for (OpenID Connect
// Core section 5.3.2). Errors: ErrUnsupported where there is no such endpoint, ErrProfile
// where the token is not accepted or the answer cannot be used, ErrUnavailable.
func (c *Client) UserInfo(ctx context.Context, access token.Secret) (Described, error) {
	e, err := c.endpoints(ctx)
	if err != nil {
		return Described{}, err
	}
	if e.userInfo == "" {
		return Described{}, ErrUnsupported
	}
	said, err := c.userInfo(ctx, e, access)
	if err != nil {
		return Described{}, err
	}
	identity, err := c.p.identify(said)
	if err != nil {
		return Described{}, err
	}
	identity.AuthenticatedAt = time.Time{}
	if c.p.Emails != nil {
		if err := c.addEmail(ctx, access, &identity); err != nil {
			return Described{}, err
		}
	}
	return Described{Identity: identity, Profile: said}, nil
}

// addSecretProof shows Facebook that the access token is used by the application it was issued to.
func (c *Client) addSecretProof(u *url.URL, access token.Secret) {
	if !c.p.secretProof || c.p.ClientSecret.IsZero() {
		return
	}
	mac := hmac.New(sha256.New, []byte(c.p.ClientSecret.Reveal()))
	mac.Write([]byte(access.Reveal()))
	q := u.Query()
	q.Set("appsecret_proof", hex.EncodeToString(mac.Sum(nil)))
	u.RawQuery = q.Encode()
}

// addEmail takes the primary confirmed address of the list, whatever the profile says.
func (c *Client) addEmail(ctx context.Context, access token.Secret, i *Identity) error {
	answer, err := c.get(ctx, c.p.Emails.URL, access, maxProfile)
	if err != nil {
		return err
	}
	email, reason := "", error(ErrEmailNotShared) // 401, 403, 404: the scope was not granted
	if answer.Status == http.StatusOK {
		email, reason = c.p.Emails.pick(answer.Body)
	}
	i.setEmail(email, email != "", c.p.EmailAuthority)
	i.noMailbox = reason
	return nil
}

// pick returns the one address that is primary and confirmed, or why there is none.
func (e *Emails) pick(body []byte) (string, error) {
	list := json.RawMessage(body)
	if e.List != "" {
		answer, err := parseClaims(body)
		if err != nil {
			return "", because(ErrProfile, ErrUserInfo)
		}
		list = answer.at(e.List)
	}
	var entries []claims
	if json.Unmarshal(list, &entries) != nil {
		return "", because(ErrProfile, ErrUserInfo)
	}
	primary, verified := e.Primary, e.Verified
	if primary == "" {
		primary = "primary"
	}
	if verified == "" {
		verified = "verified"
	}
	for _, entry := range entries {
		email := entry.text("email")
		if entry.isTrue(primary) && entry.isTrue(verified) && looksLikeEmail(email) && !e.ignores(email) {
			return email, nil
		}
	}
	return "", ErrNoVerifiedEmail
}

func (e *Emails) ignores(email string) bool {
	return e.Ignore != "" && strings.HasSuffix(strings.ToLower(email), "@"+e.Ignore)
}
