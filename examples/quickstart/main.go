// Command quickstart is a small product on Tenon: a person signs up, gets the
// mail, proves the address, signs in, sees who they are and signs out, in a
// browser or over JSON. Organizations share projects, the product's own rows:
// people invite others, give them roles, and see what was done. One process, no
// other service, nothing to configure:
//
//	go run ./examples/quickstart
//
// It is for development: it shows the mail it would send. Do not put it on a
// network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/bundb/sqlite"
	"github.com/tenon-go/tenon/principal"
)

// options are the command line.
type options struct {
	addr        string
	db          string
	keys        string
	baseURL     string
	superuser   string
	mailCodes   bool
	insecureDev bool
	oidc        oidcOptions
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "where to listen: `host:port`")
	flags.StringVar(&o.db, "db", "tenon.db", "a file for SQLite, or `postgres://…`")
	flags.StringVar(&o.keys, "keys", "tenon.keys", "the `file` with the development key")
	flags.StringVar(&o.baseURL, "base-url", "", "where browsers reach it (default http://localhost:PORT)")
	flags.StringVar(&o.superuser, "superuser", "", "the `address` that becomes superuser when it is proven")
	flags.BoolVar(&o.mailCodes, "mail-codes", false, "offer codes by mail as a second step, which is weaker than an app")
	flags.BoolVar(&o.insecureDev, "insecure-dev", false, "show /dev/* on an address that others can reach")
	o.oidc.define(flags)
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// run serves until ctx ends, and then finishes what is under way.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	logger := slog.New(principal.NewLogHandler(slog.NewTextHandler(stderr, nil)))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("listen: %w (is it running already? choose another address with -addr)", err)
	}
	defer listener.Close()
	if err := o.checkListener(listener); err != nil {
		return err
	}
	db, err := open(ctx, o.db)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := newServer(ctx, o, db, logger)
	if err != nil {
		return err
	}
	s.greet(stdout, o)
	return s.serve(ctx, listener)
}

// open opens the database that name means.
func open(ctx context.Context, name string) (*bundb.DB, error) {
	if strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://") {
		return postgres.Open(ctx, name, bundb.Config{})
	}
	return sqlite.Open(ctx, name, bundb.Config{})
}

// serve answers requests and does the background work until ctx ends.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	web := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.app.Run(ctx) })
	group.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return web.Shutdown(finish)
	})
	return group.Wait()
}
