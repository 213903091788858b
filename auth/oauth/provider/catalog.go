package provider

import (
	"strings"

	"github.com/tenon-go/tenon/token"
)

// OpenID is any provider of OpenID Connect that publishes a discovery document, such as Keycloak, Okta, Auth0, Zitadel
// and Dex. The issuer is written exactly as the document has it: https://sso.example/realms/acme for a realm of Keycloak,
// https://acme.eu.auth0.com/ with its slash for Auth0. Its word proves no mailbox until EmailAuthority lists domains.
func OpenID(id, issuer, clientID string, secret token.Secret) Provider {
	return Provider{
		ID: id, Issuer: issuer, ClientID: clientID, ClientSecret: secret, Scopes: []string{"openid", "email", "profile"},
	}
}

// Google signs in with Google. Its word proves mailboxes at gmail.com and googlemail.com, and those in the domain of the
// organization that manages the account (hd); for any other address the account is only a name that Google knows.
func Google(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "google", Name: "Google", Issuer: "https://accounts.google.com", issuerAlias: "accounts.google.com",
		AuthURL:       "https://accounts.google.com/o/oauth2/v2/auth",
		TokenURL:      "https://oauth2.googleapis.com/token",
		UserInfoURL:   "https://openidconnect.googleapis.com/v1/userinfo",
		JWKSURL:       "https://www.googleapis.com/oauth2/v3/certs",
		RevocationURL: "https://oauth2.googleapis.com/revoke",
		ClientID:      clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes:         []string{"openid", "email", "profile"},
		Algorithms:     []string{"RS256"},
		EmailAuthority: EmailAuthority{Domains: []string{"gmail.com", "googlemail.com"}, HostedDomain: true},
	}
}

// GitHub signs in with GitHub. The address is the primary confirmed one of the account, hidden or not, and is proven:
// GitHub mails every address it confirms.
func GitHub(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "github", Name: "GitHub", Issuer: "https://github.com",
		AuthURL:       "https://github.com/login/oauth/authorize",
		TokenURL:      "https://github.com/login/oauth/access_token",
		UserInfoURL:   "https://api.github.com/user",
		RevocationURL: "https://api.github.com/applications/" + clientID + "/token",
		ClientID:      clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes: []string{"read:user", "user:email"},
		Fields: Fields{Subject: []string{"id"}, Name: []string{"name", "login"}, Picture: "avatar_url"},
		Emails: &Emails{URL: "https://api.github.com/user/emails?per_page=100", Ignore: "users.noreply.github.com"},

		EmailAuthority: EmailAuthority{All: true},
		deletesGrant:   true,
		requestHeader:  map[string]string{"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
	}
}

// GitLab signs in with gitlab.com, or with the GitLab at base, such as https://gitlab.acme.example, where that is not "".
func GitLab(base, clientID string, secret token.Secret) Provider {
	if base == "" {
		base = "https://gitlab.com"
	}
	base = strings.TrimSuffix(base, "/")
	return Provider{
		ID: "gitlab", Name: "GitLab", Issuer: base,
		AuthURL:       base + "/oauth/authorize",
		TokenURL:      base + "/oauth/token",
		UserInfoURL:   base + "/oauth/userinfo",
		JWKSURL:       base + "/oauth/discovery/keys",
		RevocationURL: base + "/oauth/revoke",
		ClientID:      clientID, ClientSecret: secret,
		Scopes:     []string{"openid", "email", "profile"},
		Algorithms: []string{"RS256"},
	}
}

// Microsoft signs in with Microsoft Entra. The tenant is its id (a UUID), or "organizations" for every work or school
// account, "consumers" for personal ones, "common" for all. The subject is tenant and object id; the address is what an
// administrator of the tenant wrote, so it proves nothing unless EmailAuthority lists domains, which is safe only with one
// tenant of one's own.
func Microsoft(tenant, clientID string, secret token.Secret) Provider {
	tenant = strings.ToLower(tenant)
	base := "https://login.microsoftonline.com/" + tenant
	return Provider{
		ID: "microsoft", Name: "Microsoft", Issuer: "https://login.microsoftonline.com/" + tenantPart + "/v2.0", tenant: tenant,
		AuthURL:  base + "/oauth2/v2.0/authorize",
		TokenURL: base + "/oauth2/v2.0/token",
		JWKSURL:  base + "/discovery/v2.0/keys",
		ClientID: clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes:     []string{"openid", "email", "profile"},
		Algorithms: []string{"RS256"},
		Fields:     Fields{Subject: []string{"tid", "oid"}},
	}
}

// Facebook signs in with Facebook. It tells an address without saying whether it was confirmed.
func Facebook(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "facebook", Name: "Facebook", Issuer: "https://www.facebook.com",
		AuthURL:     "https://www.facebook.com/v24.0/dialog/oauth",
		TokenURL:    "https://graph.facebook.com/v24.0/oauth/access_token",
		UserInfoURL: "https://graph.facebook.com/v24.0/me?fields=id%2Cname%2Cemail%2Cpicture",
		ClientID:    clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes:      []string{"public_profile", "email"},
		Fields:      Fields{Subject: []string{"id"}, Picture: "picture.data.url"},
		secretProof: true,
	}
}

// Discord signs in with Discord.
func Discord(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "discord", Name: "Discord", Issuer: "https://discord.com",
		AuthURL:       "https://discord.com/oauth2/authorize",
		TokenURL:      "https://discord.com/api/oauth2/token",
		UserInfoURL:   "https://discord.com/api/users/@me",
		RevocationURL: "https://discord.com/api/oauth2/token/revoke",
		ClientID:      clientID, ClientSecret: secret,
		Scopes: []string{"identify", "email"},
		Fields: Fields{
			Subject: []string{"id"}, EmailVerified: "verified", Name: []string{"global_name", "username"},
			Picture: "https://cdn.discordapp.com/avatars/{id}/{avatar}.png",
		},
	}
}

// Slack signs in with Slack. Ids of people are unique within their workspace, so the subject is workspace and person.
func Slack(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "slack", Name: "Slack", Issuer: "https://slack.com",
		AuthURL:     "https://slack.com/openid/connect/authorize",
		TokenURL:    "https://slack.com/api/openid.connect.token",
		UserInfoURL: "https://slack.com/api/openid.connect.userInfo",
		JWKSURL:     "https://slack.com/openid/connect/keys",
		ClientID:    clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes:     []string{"openid", "email", "profile"},
		Algorithms: []string{"RS256"},
		Fields:     Fields{Subject: []string{"https://slack.com/team_id", "sub"}},
	}
}

// LinkedIn signs in with LinkedIn. It repeats no nonce, and refuses the verifier of PKCE from applications like ours, so
// a code is bound to the browser by the state alone; no other provider here is that weak, and no setting makes one so.
// Native ID tokens are not accepted for want of the nonce.
func LinkedIn(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "linkedin", Name: "LinkedIn", Issuer: "https://www.linkedin.com/oauth",
		AuthURL:     "https://www.linkedin.com/oauth/v2/authorization",
		TokenURL:    "https://www.linkedin.com/oauth/v2/accessToken",
		UserInfoURL: "https://api.linkedin.com/v2/userinfo",
		JWKSURL:     "https://www.linkedin.com/oauth/openid/jwks",
		ClientID:    clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes:     []string{"openid", "profile", "email"},
		Algorithms: []string{"RS256"},
		noNonce:    true, noPKCE: true,
	}
}

// X signs in with X. The address, where the application may see it, has no flag that says that it was confirmed.
func X(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "twitter", Name: "X", Issuer: "https://x.com",
		AuthURL:       "https://x.com/i/oauth2/authorize",
		TokenURL:      "https://api.x.com/2/oauth2/token",
		UserInfoURL:   "https://api.x.com/2/users/me?user.fields=profile_image_url%2Cconfirmed_email",
		RevocationURL: "https://api.x.com/2/oauth2/revoke",
		ClientID:      clientID, ClientSecret: secret,
		Scopes: []string{"users.read", "tweet.read", "users.email"},
		Fields: Fields{
			Subject: []string{"data.id"}, Email: "data.confirmed_email", EmailVerified: "data.email_verified",
			Name: []string{"data.name", "data.username"}, Picture: "data.profile_image_url",
		},
	}
}

// Bitbucket signs in with Bitbucket Cloud. The address is the primary confirmed one.
func Bitbucket(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "bitbucket", Name: "Bitbucket", Issuer: "https://bitbucket.org",
		AuthURL:     "https://bitbucket.org/site/oauth2/authorize",
		TokenURL:    "https://bitbucket.org/site/oauth2/access_token",
		UserInfoURL: "https://api.bitbucket.org/2.0/user",
		ClientID:    clientID, ClientSecret: secret,
		Scopes: []string{"account", "email"},
		Fields: Fields{Subject: []string{"uuid"}, Name: []string{"display_name"}, Picture: "links.avatar.href"},
		Emails: &Emails{
			URL: "https://api.bitbucket.org/2.0/user/emails", List: "values", Primary: "is_primary", Verified: "is_confirmed",
		},
	}
}

// Twitch signs in with Twitch, which puts into ID tokens only what is asked for by name.
func Twitch(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "twitch", Name: "Twitch", Issuer: "https://id.twitch.tv/oauth2",
		AuthURL:       "https://id.twitch.tv/oauth2/authorize",
		TokenURL:      "https://id.twitch.tv/oauth2/token",
		UserInfoURL:   "https://id.twitch.tv/oauth2/userinfo",
		JWKSURL:       "https://id.twitch.tv/oauth2/keys",
		RevocationURL: "https://id.twitch.tv/oauth2/revoke",
		ClientID:      clientID, ClientSecret: secret, AuthStyle: Params,
		Scopes:     []string{"openid", "user:read:email"},
		Algorithms: []string{"RS256"},
		AuthParams: map[string]string{
			"claims": `{"id_token":{"email":null,"email_verified":null,"picture":null,"preferred_username":null}}`,
		},
		Fields: Fields{Name: []string{"preferred_username"}},
	}
}

// Spotify signs in with Spotify, which says of its addresses that it did not confirm them.
func Spotify(clientID string, secret token.Secret) Provider {
	return Provider{
		ID: "spotify", Name: "Spotify", Issuer: "https://accounts.spotify.com",
		AuthURL:     "https://accounts.spotify.com/authorize",
		TokenURL:    "https://accounts.spotify.com/api/token",
		UserInfoURL: "https://api.spotify.com/v1/me",
		ClientID:    clientID, ClientSecret: secret,
		Scopes: []string{"user-read-email"},
		Fields: Fields{Subject: []string{"id"}, Name: []string{"display_name"}, Picture: "images.0.url"},
	}
}
