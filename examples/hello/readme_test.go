package main

import (
	"os"
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
)

func TestTheREADMEShowsThisProgram(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("main.go")
	assert.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	assert.NoError(t, err)
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	shown, _, _ := strings.Cut(rest, "```")
	if len(shown) < 500 || !strings.Contains(string(program), shown) {
		t.Error("the program in README.md is not the one in main.go")
	}
}
