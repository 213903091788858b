package main

import (
	"net"
	"net/http"
	"strings"
)

// isDev reports whether path shows what only a developer may see.
func isDev(path string) bool { return path == "/dev" || strings.HasPrefix(path, "/dev/") }

// isLoopback reports whether host, with or without a port, names this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (s *server) mailboxPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "mailbox.html", s.mailbox.Messages())
}

func (s *server) mailboxJSON(w http.ResponseWriter, r *http.Request) {
	body, err := s.mailbox.JSON()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // who asked may be gone
}
