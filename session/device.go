package session

import (
	"context"
	"fmt"
	"strings"
)

// maxListed bounds a list; who has more sessions ends them all at once.
const maxListed = 500

// Device is a session as its owner sees it in a list.
type Device struct {
	Session Session
	// Name says in words where the session is, such as "Firefox on Windows". It
	// is made of fixed words only.
	Name string
	// Current marks the session that asks.
	Current bool
}

// List returns the user's live sessions, the most recently used first, 500 at
// most (ASVS 7.5.2). currentID marks the one that asks.
func (s *Service) List(ctx context.Context, userID, currentID string) ([]Device, error) {
	sessions, err := s.store.ListSessions(ctx, userID, s.now(), maxListed)
	if err != nil {
		return nil, fmt.Errorf("session: list: %w", err)
	}
	devices := make([]Device, 0, len(sessions))
	for _, found := range sessions {
		devices = append(devices, Device{
			Session: found,
			Name:    DeviceName(found.UserAgent),
			Current: found.ID == currentID,
		})
	}
	return devices, nil
}

// DeviceName says in fixed words what a User-Agent header claims to be, such as
// "Firefox on Windows". The header is the client's to choose: the name helps an
// honest owner to recognise a session and proves nothing. No part of the header
// is repeated.
func DeviceName(userAgent string) string {
	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}
	browser, system := firstMark(userAgent, browserMarks()), firstMark(userAgent, systemMarks())
	switch {
	case browser == "" && system == "":
		return "Unknown device"
	case system == "":
		return browser
	case browser == "":
		return "Unknown browser on " + system
	}
	return browser + " on " + system
}

// mark is a part of a User-Agent header and what it gives away.
type mark struct{ part, name string }

func firstMark(userAgent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(userAgent, m.part) {
			return m.name
		}
	}
	return ""
}

// browserMarks is ordered: most browsers claim to be those below them, too.
func browserMarks() []mark {
	return []mark{
		{"Edg/", "Edge"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"OPR/", "Opera"},
		{"OPT/", "Opera"},
		{"Vivaldi/", "Vivaldi"},
		{"YaBrowser/", "Yandex Browser"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"DuckDuckGo/", "DuckDuckGo"},
		{"Ddg/", "DuckDuckGo"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"Chromium/", "Chromium"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
		{"Wget/", "Wget"},
		{"PostmanRuntime/", "Postman"},
		{"Go-http-client/", "A Go program"},
		{"okhttp/", "An app"},
		{"CFNetwork/", "An app"},
		{"Dart/", "An app"},
		{"python-", "A Python program"},
		{"node", "A Node.js program"},
	}
}

// systemMarks is ordered: a phone's header names its desktop relative, too.
func systemMarks() []mark {
	return []mark{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Macintosh", "macOS"},
		{"Mac OS X", "macOS"},
		{"Darwin/", "an Apple device"},
		{"Linux", "Linux"},
		{"FreeBSD", "FreeBSD"},
		{"OpenBSD", "OpenBSD"},
	}
}
