// Command hello is the smallest host: Tenon beside a route of its own. It mails
// through the SMTP server at localhost:2525; the quickstart needs none.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/principal"
)

func main() {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, "app.db", bundb.Config{}) // or postgres.Open
	check(err)
	kms, err := tenon.DevelopmentKMS(ctx, db, "tenon.keys") // in production: crypto.OpenKeyFile or transitkms
	check(err)
	mailer, err := mail.NewSMTP(mail.SMTPConfig{Addr: "localhost:2525", TLS: mail.NoTLS, From: "hello@example.com"})
	check(err)
	_, err = db.Raw(ctx).ExecContext(ctx, "CREATE TABLE IF NOT EXISTS profiles (user_id TEXT PRIMARY KEY)")
	check(err)

	app, err := tenon.New(tenon.Config{
		DB: db, KMS: kms, Mailer: mailer, BaseURL: "http://localhost:8080",
		AuthHooks: auth.Hooks{UserCreated: func(ctx context.Context, e auth.UserCreated) error {
			// In the transaction that makes the user: this row commits with it, or not at all.
			_, err := db.Raw(ctx).ExecContext(ctx, "INSERT INTO profiles (user_id) VALUES ($1)", e.User.ID)
			return err
		}},
	})
	check(err)
	_, err = app.Migrate(ctx)
	check(err)
	go func() { check(app.Run(ctx)) }() // mail, keys, maintenance

	mux := http.NewServeMux()
	mux.Handle("/api/auth/", app.Handler())
	mux.Handle("/app/", app.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		me, _ := principal.FromContext(r.Context())
		fmt.Fprintln(w, "Hello,", me.UserID)
	})))
	server := &http.Server{Addr: "localhost:8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	check(server.ListenAndServe())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
