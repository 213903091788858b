//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// build makes the command and skips where there is no PostgreSQL to start.
func build(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("initdb"); err != nil && installed(places()) == "" {
		t.Skip("SKIPPED, NO POSTGRESQL BINARIES on this machine")
	}
	path := filepath.Join(t.TempDir(), "withpostgres")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// command returns withpostgres running a shell script.
func command(t *testing.T, dsn, script string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	dir := t.TempDir()
	cmd = exec.Command(build(t), "-dir", dir, "--", "sh", "-c", script)
	cmd.Env = append(os.Environ(), variable+"="+dsn)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

func TestClusterIsThereForTheCommandAndGoneAfterIt(t *testing.T) {
	cmd, stdout, stderr := command(t, "", `ls "$PGHOST/.s.PGSQL.$PGPORT" >&2; echo "$PGHOST"; pwd; echo "$TENON_TEST_POSTGRES"; exit 7`)
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 7 {
		t.Fatalf("got %v, want exit code 7; stderr %s", err, stderr)
	}
	lines := strings.Split(stdout.String(), "\n")
	if len(lines) != 4 || lines[1] != cmd.Args[2] || !strings.HasPrefix(lines[2], "postgres://") {
		t.Fatalf("the command saw %q", lines)
	}
	if _, err := os.Stat(lines[0]); !os.IsNotExist(err) {
		t.Errorf("the directory of the cluster is still there: %v", err)
	}
	if first, _, _ := strings.Cut(stderr.String(), "\n"); !strings.Contains(first, "throw-away cluster") {
		t.Errorf("the first line does not say what is running: %q", first)
	}
}

func TestGivenDatabaseIsUsed(t *testing.T) {
	cmd, stdout, stderr := command(t, "postgres://example/db", `echo "$TENON_TEST_POSTGRES"`)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	if got := strings.TrimSpace(stdout.String()); got != "postgres://example/db" {
		t.Errorf("the command saw %q", got)
	}
	if !strings.Contains(stderr.String(), "from "+variable) || strings.Contains(stderr.String(), "cluster") {
		t.Errorf("it said %q", stderr)
	}
}

func TestSignalReachesTheCommandAndTheClusterEnds(t *testing.T) {
	// The command shoots at its parent as soon as its trap is set.
	cmd, stdout, stderr := command(t, "", `trap 'echo "$PGHOST"; exit 3' TERM; kill -TERM $PPID; while :; do sleep 0.05; done`)
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 3 {
		t.Fatalf("got %v, want the trap's exit code; stderr %s", err, stderr)
	}
	if _, err := os.Stat(strings.TrimSpace(stdout.String())); !os.IsNotExist(err) {
		t.Errorf("the directory of the cluster is still there: %v", err)
	}
}

func TestKilledCommandIsReportedAsShellsDo(t *testing.T) {
	cmd, _, _ := command(t, "postgres://example/db", `kill -KILL $$`)
	exit, ok := errors.AsType[*exec.ExitError](cmd.Run())
	if !ok || exit.ExitCode() != 128+int(syscall.SIGKILL) {
		t.Errorf("got %v", exit)
	}
}

func TestNewestInstalledVersionWins(t *testing.T) {
	root := t.TempDir()
	for _, v := range []string{"9", "14", "18"} {
		dir := filepath.Join(root, "pg"+v, "bin")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"initdb", "postgres"} {
			if v == "18" && name == "postgres" {
				continue // incomplete: must not count
			}
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Chdir(root)
	if got, want := installed([]string{"pg*/bin"}), "pg14/bin"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
