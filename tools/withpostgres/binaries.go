//go:build unix

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// places returns where packages put initdb, which is seldom on the PATH.
func places() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
	}
}

var number = regexp.MustCompile(`[0-9]+`)

// binaries returns the directory that holds initdb and postgres: the given one,
// else that of the PATH, else the highest version in the usual places, else a
// fetched one.
func binaries(given string) (string, error) {
	if given != "" {
		if !complete(given) {
			return "", fmt.Errorf("there is no initdb and postgres in %s", given)
		}
		return given, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && complete(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	if dir := installed(places()); dir != "" {
		return dir, nil
	}
	dir, err := fetch()
	if err != nil {
		return "", errors.Join(errors.New("there is no PostgreSQL on this machine, and it cannot be fetched"), err)
	}
	return dir, nil
}

// installed returns the directory with the highest version, "" if there is none.
func installed(patterns []string) string {
	var found []string
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern) // fails only for a malformed pattern
		found = append(found, slices.DeleteFunc(dirs, func(d string) bool { return !complete(d) })...)
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })
}

func version(dir string) int {
	n, _ := strconv.Atoi(number.FindString(dir)) // 0 without a number
	return n
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// scratch returns where the cluster is made: memory if there is enough of it,
// which makes creating tables twice as fast.
func scratch() string {
	const memory = "/dev/shm"
	if free(memory) >= 1<<30 {
		return memory
	}
	return os.TempDir()
}
