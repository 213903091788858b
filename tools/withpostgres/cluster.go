//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	pollEvery    = 20 * time.Millisecond
	port         = "5432" // names the socket; no port is opened
)

// settings returns what trades durability, which a throw-away cluster does not
// need, for speed,
// and allows as many connections and locks as parallel tests take.
func settings() []string {
	return []string{
		"fsync=off", "synchronous_commit=off", "full_page_writes=off",
		"wal_level=minimal", "max_wal_senders=0",
		"max_connections=400", "max_locks_per_transaction=256", "shared_buffers=64MB",
		"listen_addresses=", "log_min_messages=warning",
	}
}

// cluster is a running PostgreSQL in a directory of its own.
type cluster struct {
	version string
	bin     string
	dir     string
	cmd     *exec.Cmd
	done    chan error
}

// start makes a cluster and returns once it accepts connections.
func start(bin string) (_ *cluster, err error) {
	if bin, err = binaries(bin); err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, done: make(chan error, 1)}
	if c.dir, err = os.MkdirTemp(scratch(), "tenon-pg-"); err != nil {
		return nil, err
	}
	if err = c.launch(who); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) launch(who owner) error {
	if err := who.own(c.dir); err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(c.bin, "initdb"), "--pgdata", c.data(), "--username", "postgres",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	who.as(initdb, c.dir)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", initdb.Path, err, out)
	}
	version, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil {
		return err
	}
	c.version = strings.TrimSpace(string(version))
	return c.serve(who)
}

func (c *cluster) serve(who owner) error {
	log, err := os.Create(c.log())
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", c.data(), "-k", c.dir, "-p", port}
	for _, s := range settings() {
		args = append(args, "-c", s)
	}
	c.cmd = exec.Command(filepath.Join(c.bin, "postgres"), args...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	who.as(c.cmd, c.dir)
	if err := c.cmd.Start(); err != nil {
		c.cmd = nil
		return err
	}
	go func() { c.done <- c.cmd.Wait() }()
	return c.ready()
}

// ready waits for the state that PostgreSQL writes into its pid file.
func (c *cluster) ready() error {
	deadline := time.After(startTimeout)
	for {
		pid, _ := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
		if strings.HasSuffix(strings.TrimSpace(string(pid)), "ready") {
			return nil
		}
		select {
		case err := <-c.done:
			c.done <- err
			log, _ := os.ReadFile(c.log())
			return fmt.Errorf("postgres ended: %w\n%s", err, log)
		case <-deadline:
			return errors.New("postgres was not ready in time")
		case <-time.After(pollEvery):
		}
	}
}

// stop ends the cluster at once, without a checkpoint, and removes its directory.
func (c *cluster) stop() error {
	if c.cmd != nil {
		_ = c.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-c.done:
		case <-time.After(stopTimeout):
			_ = c.cmd.Process.Kill()
			<-c.done
		}
	}
	return os.RemoveAll(c.dir)
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) log() string { return filepath.Join(c.dir, "log") }

// String says what is running, in one line.
func (c *cluster) String() string {
	return fmt.Sprintf("PostgreSQL %s from %s, throw-away cluster in %s", c.version, c.bin, c.dir)
}

// environment returns the variables for the command.
func (c *cluster) environment() []string {
	query := url.Values{"host": {c.dir}, "port": {port}, "sslmode": {"disable"}}
	return []string{
		variable + "=postgres://postgres@/postgres?" + query.Encode(),
		"PGHOST=" + c.dir, "PGPORT=" + port, "PGUSER=postgres", "PGDATABASE=postgres", "PGSSLMODE=disable",
	}
}
