package main

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/auth/passkey/passkeybun"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/mail/mailtest"
	"github.com/tenon-go/tenon/tenancy"
)

// maxBody bounds what a request may bring; Tenon's own routes are stricter.
const maxBody = 1 << 20

// server is the product: Tenon, its own pages, and the development mailbox.
type server struct {
	app       *tenon.App
	passkeys  *passkey.Service
	oauth     *oauth.Service
	oauthHTTP *oauth.Handler
	providers []way // that people may sign in with
	base      *url.URL
	mailbox   *mailtest.Mailbox
	mailCodes bool
	pages     *template.Template
	logger    *slog.Logger
}

// newServer wires Tenon on db and applies its migrations.
func newServer(ctx context.Context, o options, db *bundb.DB, logger *slog.Logger) (*server, error) {
	base, err := url.Parse(o.baseURL)
	if err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	kms, err := tenon.DevelopmentKMS(ctx, db, o.keys)
	if err != nil {
		return nil, err
	}
	s := &server{base: base, mailbox: new(mailtest.Mailbox), mailCodes: o.mailCodes, logger: logger}
	cfg := tenon.Config{
		DB: db, KMS: kms, Mailer: s.mailbox, BaseURL: o.baseURL,
		ProductName: "Quickstart", Superuser: o.superuser, Logger: logger, MultiSession: true,
		TwoFactor:          twofactor.Policy{MailCodes: o.mailCodes},
		Passkeys:           s.withPasskeys(),
		Organizations:      organizations(),
		TenancyHooks:       tenancy.Hooks{OrganizationDeleted: s.forgetProjects},
		ThirdPartyAudience: "https://reports.example", // GET token: for a service that trusts this site's keys
	}
	if err := s.addProvider(&cfg, o.oidc); err != nil {
		return nil, err
	}
	if s.app, err = tenon.New(cfg); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	know := template.FuncMap{
		"passkeys": func() bool { return s.passkeys != nil }, "providers": func() []way { return s.providers }, "named": s.nameOf,
	}
	if s.pages, err = template.New("").Funcs(know).ParseFS(web, "web/*.html"); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return s, nil
}

// migrate applies the migrations of Tenon's tables and those of the product's own.
func (s *server) migrate(ctx context.Context) error {
	if _, err := s.app.Migrate(ctx); err != nil {
		return err
	}
	own, err := schema()
	if err != nil {
		return err
	}
	_, err = s.app.DB.Migrate(ctx, own)
	return err
}

// withPasskeys are there unless the base URL names an IP address, on which they do not
// work.
func (s *server) withPasskeys() tenon.Feature {
	if net.ParseIP(s.base.Hostname()) != nil {
		return nil
	}
	return passkeybun.New(passkey.Config{}).Into(&s.passkeys)
}

// handler is everything there is to see.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(tenon.DefaultMountPath+"/", s.app.Handler())
	mux.Handle("GET /{$}", s.app.Middleware(http.HandlerFunc(s.home)))
	mux.Handle("POST /sign-up", s.app.Middleware(s.app.RateLimit(tenon.RateLimitSignUp, http.HandlerFunc(s.signUp))))
	mux.Handle("POST /sign-in", s.app.Middleware(s.app.RateLimit(tenon.RateLimitSignIn, http.HandlerFunc(s.signIn))))
	for path, form := range map[string]http.HandlerFunc{
		"/change-password": s.changePassword, "/change-email": s.changeEmail, "/delete-account": s.deleteAccount,
	} {
		mux.Handle("POST "+path, s.app.RequireUser(s.app.RateLimit(tenon.RateLimitAccount, form)))
	}
	mux.Handle("POST /mail-me", s.app.Middleware(s.app.RateLimit(tenon.RateLimitMail, http.HandlerFunc(s.mailMe))))
	mux.Handle("POST /enter-code", s.app.Middleware(s.app.RateLimit(tenon.RateLimitCode, http.HandlerFunc(s.enterCode))))
	mux.Handle("POST /sign-out", s.app.Middleware(http.HandlerFunc(s.signOut)))
	s.securityRoutes(mux)
	s.notificationRoutes(mux)
	s.projectRoutes(mux)
	s.projectPageRoutes(mux)
	s.organizationRoutes(mux)
	mux.Handle("GET /style.css", file("web/style.css"))
	mux.Handle("GET /codes.js", file("web/codes.js"))
	mux.HandleFunc("GET /dev/mailbox", s.mailboxPage)
	mux.HandleFunc("GET /dev/mailbox.json", s.mailboxJSON)
	return s.atHome(http.MaxBytesHandler(mux, maxBody))
}

// greet says where to look.
func (s *server) greet(w io.Writer, o options) {
	fmt.Fprintf(w, `
  Tenon quickstart is running. Stop it with Ctrl-C.

  Start here   %[1]s/
  New          %[1]s/security (an authenticator app, passkeys, recovery codes)
  Bell         %[1]s/notifications
  Projects     %[1]s/projects
  Organization %[1]s/organization (members, invitations, what was done)
  Mail         %[1]s/dev/mailbox
  OpenAPI      %[1]s%[2]s/openapi.json
  Database     %[3]s
  Keys         %[4]s

`, s.base, tenon.DefaultMountPath, describe(o.db), o.keys)
}

// describe names a database without its password.
func describe(db string) string {
	if u, err := url.Parse(db); err == nil && u.Scheme != "" {
		return u.Redacted()
	}
	return db
}

// checkListener refuses to show mail to others, and completes the base URL
// (rule R33).
func (o *options) checkListener(listener net.Listener) error {
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok || (!addr.IP.IsLoopback() && !o.insecureDev) {
		return fmt.Errorf("%s can be reached by others, who could read the mail at /dev/mailbox; "+
			"listen on 127.0.0.1, or accept that with -insecure-dev", o.addr)
	}
	// Browsers leave out the port that goes without saying, here and in Host.
	o.baseURL = cmp.Or(o.baseURL, strings.TrimSuffix(fmt.Sprintf("http://localhost:%d", addr.Port), ":80"))
	return nil
}

// atHome answers only under the base URL's host: a page of another site whose
// name leads to this machine must not read the mail (rule R33). Other names of
// this machine are sent to the right one.
func (s *server) atHome(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host == s.base.Host:
			next.ServeHTTP(w, r)
		case isLoopback(r.Host) && r.Method == http.MethodGet && !isDev(r.URL.Path):
			target := *r.URL
			target.Scheme, target.Host = s.base.Scheme, s.base.Host
			http.Redirect(w, r, target.String(), http.StatusTemporaryRedirect) //nolint:gosec // to the base URL's host
		default:
			http.Error(w, "This server answers to "+s.base.Host+" only.", http.StatusMisdirectedRequest)
		}
	})
}
