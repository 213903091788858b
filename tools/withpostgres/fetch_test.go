//go:build unix

package main

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// archive returns what the repository serves: a zip with a compressed tar in it.
func archive(t *testing.T, programs ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, "bin", name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tar, err := exec.Command("tar", "-C", dir, "-cJf", "-", "bin").Output()
	if err != nil {
		t.Skipf("SKIPPED, tar cannot make the archive: %v", err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(tar) // into memory
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func repository(t *testing.T, body []byte) embedded.Config {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if filepath.Ext(r.URL.Path) != ".jar" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	return embedded.DefaultConfig().BinaryRepositoryURL(srv.URL)
}

func TestFetchKeepsTheBinariesThoughTheLibraryCannotStartThem(t *testing.T) {
	root := t.TempDir()
	if err := fetchInto(root, repository(t, archive(t, "initdb", "postgres", "pg_ctl"))); err != nil {
		t.Fatal(err)
	}
	if !complete(filepath.Join(root, "bin")) {
		t.Error("the binaries are not there")
	}
}

func TestFetchFailsForAnIncompleteArchive(t *testing.T) {
	if err := fetchInto(t.TempDir(), repository(t, archive(t, "initdb"))); err == nil {
		t.Error("an archive without postgres was accepted")
	}
}

func TestFetchFailsWithoutTheRepository(t *testing.T) {
	if err := fetchInto(t.TempDir(), embedded.DefaultConfig().BinaryRepositoryURL("http://127.0.0.1:1")); err == nil {
		t.Error("an unreachable repository was accepted")
	}
}

func TestSharedDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if ours(dir) {
		t.Error("a directory that everyone may write to was accepted")
	}
}
