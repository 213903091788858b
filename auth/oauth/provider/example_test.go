package provider_test

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/token"
)

// A company's Keycloak, whose administrators are trusted with the company's own
// domain and no other.
func ExampleOpenID() {
	p := provider.OpenID("acme", "https://sso.acme.example/realms/staff", "app", token.NewSecret("from the environment"))
	p.Name = "Acme"
	p.EmailAuthority.Domains = []string{"acme.example"}
	client, err := provider.New(p, provider.Config{Now: time.Now})
	fmt.Println(client.ID(), client.Name(), err)
	// Output: acme Acme <nil>
}

// A provider that is not in the catalogue and speaks plain OAuth 2.
func Example() {
	client, err := provider.New(provider.Provider{
		ID: "codeberg", Name: "Codeberg", Issuer: "https://codeberg.org",
		AuthURL:     "https://codeberg.org/login/oauth/authorize",
		TokenURL:    "https://codeberg.org/login/oauth/access_token",
		UserInfoURL: "https://codeberg.org/api/v1/user",
		ClientID:    "app", ClientSecret: token.NewSecret("from the environment"),
		Scopes: []string{"read:user"},
		Fields: provider.Fields{Subject: []string{"id"}, Name: []string{"full_name", "login"}, Picture: "avatar_url"},
	}, provider.Config{Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	to, err := client.AuthCodeURL(context.Background(), provider.AuthRequest{
		State: "state", Verifier: provider.NewVerifier(), RedirectURI: "https://app.example/api/auth/callback/codeberg",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(to)
	fmt.Println(u.Host, u.Query().Get("code_challenge_method"), err)
	// Output: codeberg.org S256 <nil>
}
