package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/session/sessioncache"
)

// peerCallers is how many clients ask at the same time, each on a connection that
// it keeps.
const peerCallers = 8

// peer is a server that knows who is signed in by a cookie.
type peer struct {
	url, cookie string
	client      *http.Client
}

// ask asks once who is signed in, and wants to hear want.
func (p peer) ask(ctx context.Context, want string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Cookie", p.cookie)
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		return fmt.Errorf("%s answered %d: %.200s", p.url, response.StatusCode, body)
	}
	return nil
}

func newClient() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: peerCallers}}
}

// peers compares the question who is signed in, asked over HTTP, with other
// libraries' answers to it, each with PostgreSQL behind it. Of the two Tenons one
// remembers sessions for two seconds, which the others do not.
func peers(ctx context.Context, b *bench) ([]row, error) {
	plain, cached, err := b.ourPeers(ctx)
	if err != nil {
		return nil, err
	}
	scs, err := b.scsPeer(ctx)
	if err != nil {
		return nil, fmt.Errorf("scs: %w", err)
	}
	sides := []side{
		asking("no session cache", plain, email(0)), asking("**with** `Config.SessionCache`", cached, email(0)),
		asking("alexedwards/scs, which reads no user", scs, email(0)),
	}
	node, err := b.betterAuthPeer(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "*** better-auth is left out:", err)
	} else {
		sides = append(sides, asking("better-auth under Node", node, "bench@example.com"))
	}
	got, err := contest{rounds: b.rounds, turns: 2, turn: 400, callers: peerCallers}.run(ctx, sides...)
	if err != nil {
		return nil, err
	}
	rows := []row{peerRow(got, sides, 2, 0)}
	if len(sides) > 3 {
		rows = append([]row{peerRow(got, sides, 3, 0), peerRow(got, sides, 3, 1)}, rows...)
	}
	return rows, nil
}

func asking(name string, p peer, want string) side {
	return side{name, func(ctx context.Context, _ int) error { return p.ask(ctx, want) }}
}

func peerRow(got measured, sides []side, theirs, ours int) row {
	r := got.ratio(theirs, ours) // of rates, so the other way round
	out := row{
		figure: fmt.Sprintf("Who is signed in, over HTTP, postgres, %d clients", peerCallers),
		bare:   fmt.Sprintf("%.0f/s: %s", got.rate(theirs), sides[theirs].name),
		tenon:  fmt.Sprintf("%.0f/s, %s", got.rate(ours), sides[ours].name),
		ratio:  r.String(),
	}
	if theirs == 3 {
		out.goal = judged("≥ 20", r.median >= 20)
	}
	return out
}

// serve serves handler on loopback until the bench ends.
func (b *bench) serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	b.later(func() error {
		if err := errors.Join(server.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return "http://" + listener.Addr().String(), nil
}

// ourPeers are two Apps on one database behind their own handlers, as a host
// mounts them: without a session cache and with one.
func (b *bench) ourPeers(ctx context.Context) (plain, cached peer, err error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return plain, cached, err
	}
	if err := w.addUsers(ctx, 1); err != nil {
		return plain, cached, err
	}
	grants, err := w.sessions(ctx, 1)
	if err != nil {
		return plain, cached, err
	}
	cfg := w.cfg
	cfg.SessionCache = &sessioncache.Config{}
	remembering, err := tenon.New(cfg)
	if err != nil {
		return plain, cached, err
	}
	b.run(ctx, remembering.Run)
	for p, app := range map[*peer]*tenon.App{&plain: w.app, &cached: remembering} {
		address, err := b.serve(app.Handler())
		if err != nil {
			return plain, cached, err
		}
		*p = peer{url: address + "/api/auth/get-session", cookie: w.cookieOf(grants[0]), client: newClient()}
	}
	return plain, cached, nil
}

// run runs a worker until the bench ends.
func (b *bench) run(ctx context.Context, work func(context.Context) error) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	b.later(func() error {
		stop()
		return <-done
	})
}

// cookieOf is what a browser sends that keeps the grant.
func (w *world) cookieOf(grant auth.Grant) string {
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, baseURL+"/api/auth/sign-in/email", http.NoBody)
	w.app.Enter(answer, request, auth.Outcome{Grant: grant})
	var pairs []string
	for _, c := range answer.Result().Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// scsPeer keeps the same facts in a session of alexedwards/scs. It has no user to
// read beside the session, and no role.
func (b *bench) scsPeer(ctx context.Context) (peer, error) {
	dsn, err := b.newSchema(ctx)
	if err != nil {
		return peer{}, err
	}
	pool, err := b.pool(ctx, dsn)
	if err != nil {
		return peer{}, err
	}
	for _, statement := range []string{
		"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)",
		"CREATE INDEX sessions_expiry_idx ON sessions (expiry)",
	} {
		if _, err := pool.Exec(ctx, statement); err != nil {
			return peer{}, err
		}
	}
	store := pgxstore.NewWithCleanupInterval(pool, 0)
	sessions := scs.New()
	sessions.Store, sessions.Cookie.Secure = store, false
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(_ http.ResponseWriter, r *http.Request) { sessions.Put(r.Context(), "email", email(0)) })
	mux.HandleFunc("GET /get-session", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"user":    map[string]any{"email": sessions.GetString(r.Context(), "email"), "name": "Bench 0"},
			"session": map[string]any{"expiresAt": sessions.Deadline(r.Context())},
		})
	})
	address, err := b.serve(sessions.LoadAndSave(mux))
	if err != nil {
		return peer{}, err
	}
	return signInAtSCS(ctx, address)
}

func signInAtSCS(ctx context.Context, address string) (peer, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return peer{}, err
	}
	browser := newClient()
	browser.Jar = jar
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/sign-in", http.NoBody)
	if err != nil {
		return peer{}, err
	}
	response, err := browser.Do(request)
	if err != nil {
		return peer{}, err
	}
	if err := response.Body.Close(); err != nil {
		return peer{}, err
	}
	if len(response.Cookies()) != 1 {
		return peer{}, errors.New("no cookie was set")
	}
	c := response.Cookies()[0]
	return peer{url: address + "/get-session", cookie: c.Name + "=" + c.Value, client: newClient()}, nil
}

// betterAuthPeer is the better-auth server under Node, with the packages of the
// conformance tests.
func (b *bench) betterAuthPeer(ctx context.Context) (peer, error) {
	script := "../conformance/peer/server.mjs" // from here, or from the repository's root
	if _, err := os.Stat(script); err != nil {
		script = script[len("../"):]
	}
	dsn, err := b.newSchema(ctx)
	if err != nil {
		return peer{}, err
	}
	command := exec.CommandContext(ctx, "node", script, optionsOf(dsn))
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return peer{}, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return peer{}, err
	}
	if err := command.Start(); err != nil {
		return peer{}, err
	}
	b.later(func() error {
		_ = stdin.Close() // it ends then; how is not our matter
		_ = command.Wait()
		return nil
	})
	var hello struct {
		Port   int    `json:"port"`
		Cookie string `json:"cookie"`
	}
	if err := json.NewDecoder(stdout).Decode(&hello); err != nil {
		return peer{}, fmt.Errorf("the server did not start; run npm ci in conformance: %w", err)
	}
	address := fmt.Sprintf("http://127.0.0.1:%d/api/auth/get-session", hello.Port)
	return peer{url: address, cookie: hello.Cookie, client: newClient()}, nil
}

// optionsOf says search_path in the way that Node's driver understands, too.
func optionsOf(dsn string) string {
	return strings.Replace(dsn, "search_path=", "options=-c%20search_path%3D", 1)
}
