package oauthbun_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// What docs/oauth.md and README.md show, so that it compiles and is taken.

func twoProviders(cfg *tenon.Config, googleID, githubID string, googleSecret, githubSecret token.Secret) {
	cfg.OAuth = oauthbun.New(oauth.Config{Providers: []oauth.Provider{
		{Provider: provider.Google(googleID, googleSecret)},
		{Provider: provider.GitHub(githubID, githubSecret), KeepTokens: true},
	}})
}

func keycloak(cfg *tenon.Config, clientID string, secret token.Secret) {
	p := provider.OpenID("acme", "https://sso.acme.example/realms/staff", clientID, secret)
	p.Name = "Acme"
	p.EmailAuthority.Domains = []string{"acme.example"}
	cfg.OAuth = oauthbun.New(oauth.Config{
		Providers: []oauth.Provider{{Provider: p}},
		Client:    provider.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}}, // it is in our own network
	})
}

func plain(clientID string, secret token.Secret) provider.Provider {
	codeberg := provider.Provider{
		ID: "codeberg", Name: "Codeberg", Issuer: "https://codeberg.org",
		AuthURL:     "https://codeberg.org/login/oauth/authorize",
		TokenURL:    "https://codeberg.org/login/oauth/access_token",
		UserInfoURL: "https://codeberg.org/api/v1/user",
		ClientID:    clientID, ClientSecret: secret,
		Fields: provider.Fields{Subject: []string{"id"}, Name: []string{"full_name", "login"}, Picture: "avatar_url"},
	}
	return codeberg
}

func form(ctx context.Context, w http.ResponseWriter, r *http.Request, accounts *oauth.Service, web *oauth.Handler) (string, error) {
	begun, err := accounts.Begin(ctx, oauth.BeginParams{Provider: "codeberg", CallbackURL: "/app", Browser: web.Browser(r)})
	if err != nil {
		return "", err
	}
	web.KeepBrowser(w, begun) // the flow ends in this browser only
	return begun.URL, nil
}

func TestTheDocumentedConfigurationsWork(t *testing.T) {
	t.Parallel()
	secret := token.NewSecret("from the provider")
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		kms := assert.Must(tenon.DevelopmentKMS(t.Context(), db, t.TempDir()+"/tenon.keys"))(t)
		cfg := tenon.Config{DB: db, KMS: kms, Mailer: new(mailtest.Mailbox), BaseURL: "https://app.example.com"}
		twoProviders(&cfg, "app", "app", secret, secret)
		_ = assert.Must(tenon.New(cfg))(t)
		keycloak(&cfg, "app", secret)
		_ = assert.Must(tenon.New(cfg))(t)

		var accounts *oauth.Service
		var web *oauth.Handler
		settings := oauth.Config{Providers: []oauth.Provider{{Provider: plain("app", secret)}}}
		cfg.OAuth = oauthbun.New(settings).Into(&accounts).IntoHandler(&web)
		app := assert.Must(tenon.New(cfg))(t)
		_ = assert.Must(app.Migrate(t.Context()))(t)
		w := httptest.NewRecorder()
		to := assert.Must(form(t.Context(), w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil), accounts, web))(t)
		assert.Contains(t, to, "https://codeberg.org/login/oauth/authorize?")
		assert.Contains(t, fmt.Sprint(w.Header()), "oauth=")
	})
}

// TestTheDocumentsShowCodeThatCompiles looks for what the documents show in this file.
func TestTheDocumentsShowCodeThatCompiles(t *testing.T) {
	t.Parallel()
	here := unindented(t, "example_test.go")
	whole := unindented(t, "../../../README.md")
	_, section, found := strings.Cut(whole, "\n## Sign in with others\n")
	section, _, _ = strings.Cut(section, "\n## ")
	assert.True(t, found, "README.md has no such section")
	for document, blocks := range map[string]int{unindented(t, "../../../docs/oauth.md"): 4, section: 1} {
		shown := strings.Split(document, "```go\n")[1:]
		assert.Equal(t, len(shown), blocks)
		for _, rest := range shown {
			code, _, _ := strings.Cut(rest, "```")
			for part := range strings.SplitSeq(code, "\n…\n") {
				assert.Contains(t, here, strings.TrimSpace(part))
			}
		}
	}
}

// TestTheDocumentedErrorsAreThose compares the codes and statuses of docs/oauth.md.
func TestTheDocumentedErrorsAreThose(t *testing.T) {
	t.Parallel()
	status := map[string]int{}
	for _, err := range []*problem.Error{
		provider.ErrDenied, provider.ErrCallback, provider.ErrCodeRefused, provider.ErrInvalidIDToken, provider.ErrProfile,
		provider.ErrNoVerifiedEmail, provider.ErrEmailNotShared, provider.ErrUnavailable, oauth.ErrState, oauth.ErrEmailNotVerified,
		oauth.ErrLinkFirst, oauth.ErrSignUpDisabled, oauth.ErrNotAdmitted, oauth.ErrLinkedElsewhere, oauth.ErrTooMany,
		oauth.ErrSessionChanged, oauth.ErrOtherAccount, oauth.ErrNotReauthenticated,
	} {
		status[err.Code] = err.Kind.Status()
	}
	rows := regexp.MustCompile("(?m)^\\| (`[A-Z_`, ]+`) \\| (\\d{3}) \\|").FindAllStringSubmatch(unindented(t, "../../../docs/oauth.md"), -1)
	for _, row := range rows {
		for code := range strings.SplitSeq(row[1], ", ") {
			code = strings.Trim(code, "`")
			assert.Equal(t, fmt.Sprint(code, status[code]), code+row[2])
			delete(status, code)
		}
	}
	assert.Equal(t, len(status), 0) // all are documented
}

// unindented returns a file without what its lines begin with.
func unindented(t *testing.T, path string) string {
	t.Helper()
	lines := strings.Split(string(assert.Must(os.ReadFile(path))(t)), "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}
