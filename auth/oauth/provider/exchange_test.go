package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

func TestExchangeSaysWhoItIs(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	assert.Equal(t, i.asked(), 0) // New asked nobody
	got := assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t)
	assert.Equal(t, got.Identity, provider.Identity{
		Provider: "acme", Issuer: i.URL, Subject: subject, Email: "ann@acme.example", EmailVerified: true, Name: "Ann",
	})
	for _, issued := range []token.Secret{got.Tokens.Access, got.Tokens.Refresh, got.Tokens.ID} {
		assert.True(t, slices.Contains(i.Secrets(), issued.Reveal()), "the provider's tokens")
	}
	assert.Equal(t, got.Tokens.ExpiresAt, at().Add(time.Hour))
	assert.Equal(t, got.Tokens.Scopes, []string{"openid", "email", "profile"})
	assert.Equal(t, i.Forms("authorization_code")[0].Get("redirect_uri"), redirectURI)
	assert.Equal(t, i.Called("/userinfo"), 0) // the ID token said it all

	_ = assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t)
	assert.Equal(t, i.Called("/keys"), 1)
	assert.Equal(t, i.Called("/.well-known/openid-configuration"), 1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, got), got.Tokens.Access.Reveal())
		assert.NotContains(t, fmt.Sprintf(verb, c.Provider()), secret)
	}
}

func TestTheAuthorizationURLCarriesTheProtocolAndNoSecret(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t, func(p *provider.Provider) { p.AuthParams = map[string]string{"hd": "acme.example"} })
	to := assert.Must(c.AuthCodeURL(t.Context(), provider.AuthRequest{
		State: "s", Nonce: "n", Verifier: token.NewSecret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), RedirectURI: redirectURI,
		Scopes: []string{"calendar", "openid"}, LoginHint: "ann@acme.example", Reauthenticate: true,
	}))(t)
	u := assert.Must(url.Parse(to))(t)
	assert.Equal(t, u.Path, "/authorize")
	assert.Equal(t, u.Query(), url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {"openid email profile calendar"},
		"state": {"s"}, "nonce": {"n"}, "code_challenge_method": {"S256"}, "hd": {"acme.example"}, "login_hint": {"ann@acme.example"},
		"prompt": {"login"}, "max_age": {"0"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, // RFC 7636, appendix B
	})
}

func TestWhatAFlowNeedsIsNotOptional(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	good := provider.AuthRequest{State: "s", Nonce: "n", Verifier: provider.NewVerifier(), RedirectURI: redirectURI}
	for _, spoil := range []func(*provider.AuthRequest){
		func(r *provider.AuthRequest) { r.State = "" },
		func(r *provider.AuthRequest) { r.Nonce = "" },
		func(r *provider.AuthRequest) { r.Verifier = token.Secret{} },
		func(r *provider.AuthRequest) { r.Verifier = token.NewSecret("short") },
		func(r *provider.AuthRequest) { r.RedirectURI = "" },
		func(r *provider.AuthRequest) { r.Scopes = []string{"a b"} },
	} {
		r := good
		spoil(&r)
		_, err := c.AuthCodeURL(t.Context(), r)
		assert.ErrorIs(t, err, provider.ErrRequest)
	}
	for _, spoil := range []func(*provider.Callback){
		func(cb *provider.Callback) { cb.Verifier = token.Secret{} },
		func(cb *provider.Callback) { cb.Nonce = "" },
		func(cb *provider.Callback) { cb.RedirectURI = "" },
	} {
		cb := i.authorize(t, c)
		spoil(&cb)
		_, err := c.Exchange(t.Context(), cb)
		assert.ErrorIs(t, err, provider.ErrRequest)
	}
	assert.Equal(t, i.Called("/token"), 0)
}

func TestUserInfoCompletesAnIDTokenWithoutAnAddress(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	i.claims = func(c map[string]any) { c["email"] = nil; c["email_verified"] = true; c["name"] = "Token" }
	i.userInfo = map[string]any{"sub": subject, "email": "info@acme.example", "name": "Info", "picture": "https://a.example/p.png"}
	c := i.client(t)
	got := assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t).Identity
	assert.Equal(t, got.Email, "info@acme.example")
	assert.False(t, got.EmailVerified, "the flag of another document was taken")
	assert.Equal(t, got.Name, "Token")
	assert.Equal(t, got.Picture, "https://a.example/p.png")
}

// Okta's ID tokens of the code flow hold the address and not whether it was confirmed.
func TestUserInfoSaysWhetherTheAddressOfAnIDTokenIsConfirmed(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		userInfo map[string]any
		email    string
		verified bool
	}{
		{map[string]any{"sub": subject, "email": "ann@acme.example", "email_verified": true}, "ann@acme.example", true},
		{map[string]any{"sub": subject, "email": "other@acme.example", "email_verified": true}, "other@acme.example", true},
		{map[string]any{"sub": subject, "email": "ann@acme.example"}, "ann@acme.example", false},
		{map[string]any{"sub": subject, "email_verified": true}, "ann@acme.example", false}, // of which address?
	} {
		i := newIDP(t)
		i.claims = func(c map[string]any) { delete(c, "email_verified") }
		i.userInfo = of.userInfo
		c := i.client(t)
		got := assert.Must(c.Exchange(t.Context(), i.authorize(t, c)))(t).Identity
		assert.Equal(t, got.Email, of.email)
		assert.Equal(t, got.EmailVerified, of.verified)
		assert.Equal(t, i.Called("/userinfo"), 1)
	}
}

func TestAnAnswerOfTheProviderIsToldApart(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]error{
		"access_denied": provider.ErrDenied, "server_error": problem.ErrUnavailable, "invalid_scope": provider.ErrMisconfigured,
		"<script>": provider.ErrMisconfigured,
	} {
		i := newIDP(t)
		c := i.client(t)
		cb := i.authorize(t, c)
		cb.Error = said
		_, err := c.Exchange(t.Context(), cb)
		assert.ErrorIs(t, err, want)
		assert.NotContains(t, err.Error(), "<")
		assert.Equal(t, i.Called("/token"), 0)
	}
	for _, answer := range []struct {
		status int
		body   map[string]any
		want   error
	}{
		{400, map[string]any{"error": "invalid_grant"}, provider.ErrCodeRefused},
		{200, map[string]any{"error": "bad_verification_code"}, provider.ErrCodeRefused},
		{401, map[string]any{"error": "invalid_client"}, provider.ErrMisconfigured},
		{400, map[string]any{"error": map[string]any{"message": "used", "code": 100}}, provider.ErrCodeRefused},
		{403, map[string]any{}, provider.ErrMisconfigured},
		{429, map[string]any{"error": "invalid_grant"}, provider.ErrUnavailable},
		{500, map[string]any{"error": "invalid_grant"}, provider.ErrUnavailable},
		{302, map[string]any{}, provider.ErrMisconfigured},
		{200, map[string]any{}, provider.ErrUnavailable},
		{200, map[string]any{"access_token": accessToken, "token_type": "mac", "id_token": "x"}, provider.ErrTokenType},
		{200, map[string]any{"access_token": accessToken, "token_type": "bearer"}, provider.ErrNoIDToken},
	} {
		i := newIDP(t)
		i.handlers["/token"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, answer.status, answer.body) }
		c := i.client(t)
		got, err := c.Exchange(t.Context(), i.authorize(t, c))
		assert.ErrorIs(t, err, answer.want)
		assert.Equal(t, got, provider.SignIn{})
	}
}

func TestRefreshTellsAnEndedGrantFromAnOutage(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	first := i.grant(t, c)
	i.answer = func(doc map[string]any) { delete(doc, "refresh_token") }
	got := assert.Must(c.Refresh(t.Context(), first.Refresh))(t)
	assert.False(t, got.Access.Equal(first.Access), "the same access token")
	assert.True(t, got.Refresh.Equal(first.Refresh), "kept where the provider does not rotate")
	assert.True(t, got.ID.IsZero(), "an ID token that nobody verified")
	_, err := c.Refresh(t.Context(), token.NewSecret("revoked"))
	assert.ErrorIs(t, err, provider.ErrGrantEnded)
	assert.NotContains(t, err.Error(), "secret words")
	_, err = c.Refresh(t.Context(), token.Secret{})
	assert.ErrorIs(t, err, provider.ErrGrantEnded)
	i.handlers["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	_, err = c.Refresh(t.Context(), first.Refresh)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

func TestRevokeFollowsRFC7009(t *testing.T) {
	t.Parallel()
	i := newIDP(t)
	c := i.client(t)
	assert.NoError(t, c.Revoke(t.Context(), i.grant(t, c).Refresh, provider.Refresh))
	for _, answer := range []struct {
		status int
		code   string
		want   error
	}{
		{400, "unsupported_token_type", provider.ErrUnsupported},
		{401, "invalid_client", provider.ErrMisconfigured},
		{503, "", provider.ErrUnavailable},
		{400, "invalid_token", nil},
	} {
		i.handlers["/revoke"] = func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, r.FormValue("token"), "gone")
			assert.Equal(t, r.FormValue("token_type_hint"), "access_token")
			reply(w, answer.status, map[string]any{"error": answer.code})
		}
		err := c.Revoke(t.Context(), token.NewSecret("gone"), provider.Access)
		if answer.want == nil {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, answer.want)
	}
	none := assert.Must(provider.New(provider.Spotify(clientID, token.NewSecret(secret)), i.config()))(t)
	assert.ErrorIs(t, none.Revoke(t.Context(), token.NewSecret("x"), provider.Access), provider.ErrUnsupported)
}
