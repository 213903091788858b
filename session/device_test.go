package session_test

import (
	"strings"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
)

const (
	safariOnIPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	chromeOnAndroid = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
)

func TestDeviceName(t *testing.T) {
	t.Parallel()
	for userAgent, want := range map[string]string{
		"":               "Unknown device",
		"?":              "Unknown device",
		firefoxOnWindows: "Firefox on Windows",
		safariOnIPhone:   "Safari on iPhone",
		chromeOnAndroid:  "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                       "Safari on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":               "Edge on Windows",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36":                              "Chrome on ChromeOS",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0":                         "Opera on Linux",
		"Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Safari/537.36": "Samsung Internet on Android",
		"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15":            "Firefox on iPad",
		"curl/8.5.0":             "curl",
		"Go-http-client/2.0":     "A Go program",
		"Something (Windows NT)": "Unknown browser on Windows",
	} {
		assert.Equal(t, session.DeviceName(userAgent), want)
	}
}

func FuzzDeviceName(f *testing.F) {
	for _, seed := range []string{"", firefoxOnWindows, safariOnIPhone, chromeOnAndroid, "<script>", strings.Repeat("Firefox/", 100), "\xff\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, userAgent string) {
		name := session.DeviceName(userAgent)
		if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
			return r != ' ' && r != '.' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			t.Errorf("DeviceName(%q) = %q: more than fixed words", userAgent, name)
		}
	})
}
