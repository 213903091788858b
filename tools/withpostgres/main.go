//go:build unix

// Command withpostgres runs a command with a PostgreSQL at hand:
//
//	go run -C tools ./withpostgres -dir "$PWD" -- go test ./...
//
// It uses the database that TENON_TEST_POSTGRES names. Where that is empty it
// starts a throw-away cluster from the newest initdb and postgres it finds on this
// machine, or else from binaries that it fetches, and removes the cluster when
// the command ends. It says in one line which. The command gets
// TENON_TEST_POSTGRES and, for a cluster of ours, psql's own variables too, so that
//
//	withpostgres -- psql
//
// opens a shell. The exit code is the command's.
//
// The cluster listens on a socket in a directory that only its owner may enter, and
// nowhere else. It trades durability for speed and is for tests only. PostgreSQL
// refuses to run as root, so root runs it as the user postgres or nobody.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// Variable names the environment variable that tests read.
const variable = "TENON_TEST_POSTGRES"

func main() {
	// The cluster is told to end with the thread that started it.
	runtime.LockOSThread()
	dir := flag.String("dir", "", "directory in which the command runs; defaults to the current one")
	bin := flag.String("bin", "", "directory with initdb and postgres; defaults to the newest found, else fetched")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: withpostgres [-dir DIR] [-bin DIR] -- COMMAND [ARGUMENT...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	code, err := run(flag.Args(), *dir, *bin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
	}
	os.Exit(code)
}

// run returns the exit code: the command's, or 1 with an error of our own.
func run(args []string, dir, bin string) (code int, err error) {
	// From here on signals must not end this process before the cluster is gone.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)

	env := os.Environ()
	if os.Getenv(variable) != "" && bin == "" {
		fmt.Fprintln(os.Stderr, "withpostgres: PostgreSQL from", variable)
	} else {
		c, err := start(bin)
		if err != nil {
			return 1, err
		}
		defer func() {
			if stopErr := c.stop(); stopErr != nil {
				code, err = max(code, 1), errors.Join(err, stopErr)
			}
		}()
		fmt.Fprintln(os.Stderr, "withpostgres:", c)
		env = append(env, c.environment()...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Dir, cmd.Env = dir, env
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	return wait(cmd, signals)
}

// wait passes signals on until the command ends.
func wait(cmd *exec.Cmd, signals <-chan os.Signal) (int, error) {
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s != os.Interrupt || !interactive() {
				_ = cmd.Process.Signal(s) // it may have ended just now
			}
		case err := <-done:
			return exitCode(cmd, err)
		}
	}
}

// interactive reports whether a terminal sends its interrupts to the whole group,
// the command included.
func interactive() bool {
	info, err := os.Stdin.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0
}

func exitCode(cmd *exec.Cmd, err error) (int, error) {
	if err == nil {
		return 0, nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		return 1, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
