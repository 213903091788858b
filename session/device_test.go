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

// What browsers, apps and programs really send, grouped by what they are.
func TestDeviceNameOfTheField(t *testing.T) {
	t.Parallel()
	const (
		win  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		mac  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
		and  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
		ios  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
		edge = "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
	)
	for userAgent, want := range map[string]string{
		win + "Chrome/140.0.0.0 Safari/537.36": "Chrome on Windows",
		win + edge:                             "Edge on Windows",
		mac + "Chrome/140.0.0.0 Safari/537.36 OPR/121.0.0.0":                                                                                           "Opera on macOS",
		mac + "Chrome/140.0.0.0 Safari/537.36 Vivaldi/7.5":                                                                                             "Vivaldi on macOS",
		win + "Chrome/132.0.0.0 Whale/4.31.304.16 Safari/537.36":                                                                                       "Whale on Windows",
		win + "Chrome/130.0.0.0 YaBrowser/24.12.0.0 Safari/537.36":                                                                                     "Yandex Browser on Windows",
		win + "HeadlessChrome/140.0.0.0 Safari/537.36":                                                                                                 "A program with Chrome on Windows",
		win + "Slack_SSB/4.45.64 Chrome/136.0 Electron/36.3 Safari/537.36":                                                                             "Slack on Windows",
		mac + "Code/1.103 Chrome/138.0 Electron/37.2 Safari/537.36":                                                                                    "A desktop app on macOS",
		"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko":                                                                        "Internet Explorer on Windows",
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0":                                                                       "Firefox on Linux",
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/1.0":                                                                 "Firefox on Linux",
		"Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0":                                                                         "Firefox on Android",
		"Mozilla/5.0 (X11; FreeBSD amd64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                      "Firefox on FreeBSD",
		and + "Chrome/140.0.0.0 Mobile Safari/537.36 EdgA/140.0.0.0":                                                                                   "Edge on Android",
		and + "Chrome/140.0.0.0 Mobile Safari/537.36 OPR/91.0.0.0":                                                                                     "Opera on Android",
		and + "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":                                                                              "Samsung Internet on Android",
		and + "Chrome/126.0.0.0 Mobile Safari/537.36 DuckDuckGo/5 Ddg/15.0":                                                                            "DuckDuckGo on Android",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0 Mobile Safari/537.36": "An app on Android",
		"Mozilla/5.0 (Linux; Android 9; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/140.1 like Chrome/140.0 Safari/537.36":                     "Amazon Silk on Android",
		ios + "Version/18.5 Mobile/15E148 Safari/604.1":                                                                                                "Safari on iPhone",
		ios + "CriOS/140.0.0.0 Mobile/15E148 Safari/604.1":                                                                                             "Chrome on iPhone",
		ios + "FxiOS/143.0 Mobile/15E148 Safari/605.1.15":                                                                                              "Firefox on iPhone",
		ios + "EdgiOS/140.0.0.0 Version/18.0 Mobile/15E148 Safari/604.1":                                                                               "Edge on iPhone",
		ios + "OPT/5.5 Mobile/15E148":                                                                                                                  "Opera on iPhone",
		ios + "GSA/380.0 Mobile/15E148 Safari/604.1":                                                                                                   "Google app on iPhone",
		ios + "Mobile/15E148 [FBAN/FBIOS;FBAV/520.0]":                                                                                                  "Facebook on iPhone",
		ios + "Mobile/15E148 Instagram 390.0":                                                                                                          "Instagram on iPhone",
		ios + "Mobile/15E148":                                                                                                                          "An app on iPhone",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36":                                   "Chrome on ChromeOS",
		"Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/8.0 Chrome/108 Safari/537.3":                          "Chrome on Tizen",
		"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0 Safari/537.36":                                         "Chrome on webOS",
		"Mozilla/5.0 (PlayStation; PlayStation 5/9.60) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.4 Safari/605.1.15":                          "Safari on PlayStation",
		"Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9 Build/AP4A)":                                                                                      "An app on Android",
		"MyApp/3 CFNetwork/1568.200.51 Darwin/24.1.0":                                                                                                  "An app on an Apple device",
		"MyApp/1.0 (com.example; build:1; iOS 18.5.0) Alamofire/5.10":                                                                                  "An app",
		"Expo/1017756 CFNetwork/3826 Darwin/25.0.0":                                                                                                    "An app on an Apple device",
		"Dart/3.9 (dart:io)":    "An app",
		"okhttp/5.1.0":          "An app",
		"Wget/1.21.4":           "Wget",
		"HTTPie/3.2.4":          "HTTPie",
		"PostmanRuntime/7.45.0": "Postman",
		"insomnia/11.4.0":       "Insomnia",
		"Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1": "PowerShell on Windows",
		"python-requests/2.32.5":              "A Python program",
		"Python/3.13 aiohttp/3.12":            "A Python program",
		"Python-urllib/3.13":                  "A Python program",
		"python-httpx/0.28.1":                 "A Python program",
		"reqwest/0.12.23":                     "A Rust program",
		"Java-http-client/21.0.8":             "A Java program",
		"Apache-HttpClient/5.5 (Java/21.0.8)": "A Java program",
		"Faraday v2.13.4":                     "A Ruby program",
		"GuzzleHttp/7":                        "A PHP program",
		"axios/1.11.0":                        "A Node.js program",
		"node":                                "A Node.js program",
		"Deno/2.4.5":                          "A Deno program",
		"Bun/1.2.21":                          "A Bun program",
		"tenon-cli/1.0 (linux; amd64) Go-http-client/2.0": "A Go program on Linux",
	} {
		if got := session.DeviceName(userAgent); got != want {
			t.Errorf("%s\n got %s\nwant %s", userAgent, got, want)
		}
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

func TestDeviceNameMakesItsTablesOnce(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { session.DeviceName(firefoxOnWindows) }); n > 1 {
		t.Errorf("%v allocations; the name itself is one", n)
	}
}
