//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// fetched is the version that is fetched where none is installed.
const fetched = embedded.V18

// fetch downloads the binaries once and returns their directory.
func fetch() (string, error) {
	root, err := store()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "bin")
	if complete(bin) {
		return bin, nil
	}
	return bin, fetchInto(root, embedded.DefaultConfig())
}

// fetchInto downloads the binaries that conf's repository has into root/bin.
func fetchInto(root string, conf embedded.Config) error {
	fmt.Fprintln(os.Stderr, "withpostgres: fetching PostgreSQL", fetched)
	runtime, err := os.MkdirTemp("", "tenon-pg-fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(runtime)
	free, err := freePort()
	if err != nil {
		return err
	}
	pg := embedded.NewDatabase(conf.Version(fetched).Port(free).Logger(io.Discard).
		CachePath(filepath.Join(root, "archive")).BinariesPath(root).RuntimePath(runtime))
	// The library fetches only as a part of starting, and starting fails where we
	// are root. What counts is whether the binaries are there.
	if err = pg.Start(); err == nil {
		err = pg.Stop()
	}
	if complete(filepath.Join(root, "bin")) {
		return nil
	}
	return errors.Join(errors.New("the fetched archive has no initdb and postgres"), err)
}

// freePort returns a port that was free a moment ago.
func freePort() (uint32, error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, errors.Join(err, l.Close())
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return uint32(n), errors.Join(err, l.Close())
}

// store returns the directory for the fetched binaries. Those of root must be
// readable for the user that runs them, so they are not in root's home; then the
// directory has a name that others could have taken, and must be ours alone.
func store() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil || os.Geteuid() == 0 {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "tenon-postgres-"+string(fetched))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if !ours(dir) {
		return "", errors.New(dir + " belongs to someone else")
	}
	return dir, nil
}
