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
	// Arrays, because slices of them would be made anew on the heap each time.
	apps, browsers, programs, systems := appMarks(), browserMarks(), programMarks(), systemMarks()
	browser, system := firstMark(userAgent, apps[:], browsers[:], programs[:]), firstMark(userAgent, systems[:])
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

func firstMark(userAgent string, lists ...[]mark) string {
	for _, marks := range lists {
		for _, m := range marks {
			if strings.Contains(userAgent, m.part) {
				return m.name
			}
		}
	}
	return ""
}

// appMarks are of apps that show pages; they claim to be the browser whose engine
// they use, too.
func appMarks() [10]mark {
	return [...]mark{
		{"FBAN/", "Facebook"},
		{"FBAV/", "Facebook"},
		{"Instagram", "Instagram"},
		{"LinkedInApp", "LinkedIn"},
		{"MicroMessenger/", "WeChat"},
		{"Slack_SSB/", "Slack"},
		{"Slack/", "Slack"},
		{"Teams/", "Teams"},
		{"GSA/", "Google app"},
		{"Electron/", "A desktop app"},
	}
}

// browserMarks is ordered: most browsers claim to be those below them, too.
func browserMarks() [34]mark {
	return [...]mark{
		{"Edg/", "Edge"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"Edge/", "Edge"},
		{"OPR/", "Opera"},
		{"OPT/", "Opera"},
		{"OPX/", "Opera"},
		{"Vivaldi/", "Vivaldi"},
		{"Brave/", "Brave"},
		{"Whale/", "Whale"},
		{"UCBrowser/", "UC Browser"},
		{"MiuiBrowser/", "Mi Browser"},
		{"HuaweiBrowser/", "Huawei Browser"},
		{"YaBrowser/", "Yandex Browser"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Silk/", "Amazon Silk"},
		{"DuckDuckGo/", "DuckDuckGo"},
		{"Ddg/", "DuckDuckGo"},
		{"Seamonkey/", "SeaMonkey"},
		{"SeaMonkey/", "SeaMonkey"},
		{"PaleMoon/", "Pale Moon"},
		{"Focus/", "Firefox Focus"},
		{"Klar/", "Firefox Focus"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"HeadlessChrome/", "A program with Chrome"},
		{"; wv)", "An app"},
		{"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"Chromium/", "Chromium"},
		{"Epiphany/", "GNOME Web"},
		{"Trident/", "Internet Explorer"},
		{"Safari/", "Safari"},
		{"AppleWebKit/", "An app"},
	}
}

// programMarks is ordered: a program's header names its library before its language.
func programMarks() [33]mark {
	return [...]mark{
		{"curl/", "curl"},
		{"Wget/", "Wget"},
		{"HTTPie/", "HTTPie"},
		{"PostmanRuntime/", "Postman"},
		{"insomnia/", "Insomnia"},
		{"bruno-runtime/", "Bruno"},
		{"PowerShell/", "PowerShell"},
		{"Expo/", "An app"},
		{"okhttp/", "An app"},
		{"Dalvik/", "An app"},
		{"CFNetwork/", "An app"},
		{"Alamofire/", "An app"},
		{"Dart/", "An app"},
		{"ktor-client", "A Kotlin program"},
		{"Java/", "A Java program"},
		{"Java-http-client/", "A Java program"},
		{"Apache-HttpClient/", "A Java program"},
		{"Go-http-client/", "A Go program"},
		{"python-", "A Python program"},
		{"Python/", "A Python program"},
		{"Python-urllib/", "A Python program"},
		{"aiohttp/", "A Python program"},
		{"reqwest/", "A Rust program"},
		{"ureq/", "A Rust program"},
		{"Ruby", "A Ruby program"},
		{"Faraday", "A Ruby program"},
		{"GuzzleHttp/", "A PHP program"},
		{"undici", "A Node.js program"},
		{"axios/", "A Node.js program"},
		{"got (", "A Node.js program"},
		{"node", "A Node.js program"},
		{"Deno/", "A Deno program"},
		{"Bun/", "A Bun program"},
	}
}

// systemMarks is ordered: a phone's header names its desktop relative, too.
func systemMarks() [29]mark {
	return [...]mark{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"iPod", "iPod"},
		{"Apple TV", "Apple TV"},
		{"AppleTV", "Apple TV"},
		{"Watch OS", "Apple Watch"},
		{"watchOS", "Apple Watch"},
		{"visionOS", "Vision Pro"},
		{"HarmonyOS", "HarmonyOS"},
		{"OpenHarmony", "HarmonyOS"},
		{"KAIOS", "KaiOS"},
		{"Tizen", "Tizen"},
		{"Web0S", "webOS"},
		{"webOS", "webOS"},
		{"Xbox", "Xbox"},
		{"PlayStation", "PlayStation"},
		{"Nintendo", "Nintendo"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Macintosh", "macOS"},
		{"Mac OS X", "macOS"},
		{"macOS", "macOS"},
		{"Darwin/", "an Apple device"},
		{"Linux", "Linux"},
		{"linux", "Linux"},
		{"FreeBSD", "FreeBSD"},
		{"OpenBSD", "OpenBSD"},
		{"NetBSD", "NetBSD"},
	}
}
