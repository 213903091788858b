package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/cookie"
	"github.com/tenon-go/tenon/internal/page"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

// full has everything that a card can have.
func full() page.Card {
	return page.Card{
		Title: "Choose a new password", Tone: page.Failure, Notice: "That password is too short.", Text: []string{"For ada@example.com."},
		Form: &page.Form{
			Action: "reset-password", Nonce: "NONCE", Submit: "Save", Hidden: []page.Hidden{{"token", "T"}},
			Fields: []page.Field{
				{Name: "newPassword", Label: "New password", Type: "password", Autocomplete: "new-password", Required: true, MinLength: 8, MaxLength: 128, Hint: "At least 8 characters.", Error: "Too short."},
				{Name: "code", Label: "Code", Value: "123", InputMode: "numeric"},
			},
		},
		Links: []page.Link{{"sign-in", "Back to sign-in"}}, Reference: "Reference: R1",
	}
}

func render(t *testing.T, card page.Card) *httptest.ResponseRecorder {
	t.Helper()
	layout := assert.Must(page.New(page.Config{ProductName: "Acme & Söhne"}))(t)
	w := httptest.NewRecorder()
	layout.Write(w, httptest.NewRequest("GET", "/", nil), http.StatusOK, card)
	return w
}

func TestR24_PagesAllowNothingButTheirOwnStyle(t *testing.T) {
	t.Parallel()
	w := render(t, full())
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	} {
		assert.Equal(t, w.Header().Get(name), want)
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(w.Body.String())
	sum := sha256.Sum256([]byte(style[1]))
	assert.Equal(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(sum[:])+"'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	for _, unwanted := range []string{"<script", "<link", "<img", " style=", "http://", "https://", "onclick", "url(", "@import"} {
		assert.NotContains(t, w.Body.String(), unwanted)
	}
}

func TestR24_APageWithAPasskeyRunsThatScriptAlone(t *testing.T) {
	t.Parallel()
	const script = "https://app.example.com/api/auth/passkey/script.js"
	w := render(t, page.Card{Title: "T", Passkey: &page.Passkey{Script: script, Next: "/", Submit: "Use your passkey", Missing: "No passkeys here."}})
	assert.Contains(t, w.Header().Get("Content-Security-Policy"), "; form-action 'self'; script-src "+script+"; connect-src 'self'")
	for _, want := range []string{
		`<script src="` + script + `" defer></script>`, `<form data-passkey="sign-in" data-next="/" hidden>`, `<p class="missing" data-passkey-missing>No passkeys here.</p>`,
	} {
		assert.Contains(t, w.Body.String(), want)
	}
	assert.Equal(t, strings.Count(w.Body.String(), "<script"), 1)
	for _, evil := range []string{"", "https://a; script-src *", "https://*.example/x.js", "https://a 'unsafe-inline'"} {
		w := render(t, page.Card{Title: "T", Passkey: &page.Passkey{Script: evil}})
		assert.NotContains(t, w.Header().Get("Content-Security-Policy"), "script-src")
	}
}

func TestPagesHaveWhatAssistiveTechnologyNeeds(t *testing.T) {
	t.Parallel()
	w := render(t, full())
	doc := assert.Must(html.Parse(bytes.NewReader(w.Body.Bytes())))(t)
	ids := map[string]bool{}
	var refs []string
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				assert.False(t, ids[a.Val], "the id "+a.Val+" is there twice")
				ids[a.Val] = true
			case "for", "aria-describedby":
				refs = append(refs, strings.Fields(a.Val)...)
			}
		}
	}
	assert.Len(t, refs, 4)
	for _, ref := range refs {
		assert.True(t, ids[ref], "nothing has the id "+ref)
	}
	for _, want := range []string{
		`<html lang="en">`, `name="viewport"`, "<title>Choose a new password · Acme &amp; Söhne</title>", `class="failure"`, `role="alert"`,
		`name="_nonce" value="NONCE"`, `name="token" value="T"`, `type="password" autocomplete="new-password" minlength="8" maxlength="128" required aria-invalid="true"`,
		`type="text" value="123" inputmode="numeric"`, `<a href="sign-in">Back to sign-in</a>`, "Reference: R1",
	} {
		assert.Contains(t, w.Body.String(), want)
	}
	plain := render(t, page.Card{Title: "Done", Lang: "de", Tone: page.Success, Notice: "Bestätigt."}).Body.String()
	assert.Contains(t, plain, `<html lang="de">`)
	assert.Contains(t, plain, `role="status"`)
	assert.NotContains(t, plain, "<form")
}

func TestPagesEscapeEverything(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script>&'`
	w := render(t, page.Card{
		Lang: evil, Title: evil, Notice: evil, Tone: evil, Text: []string{evil}, Reference: evil,
		Links: []page.Link{{"javascript:alert(1)", evil}},
		Form: &page.Form{
			Action: "javascript:alert(1)", Nonce: evil, Submit: evil, Hidden: []page.Hidden{{evil, evil}},
			Fields: []page.Field{{Name: evil, Label: evil, Type: evil, Value: evil, Hint: evil, Error: evil, Autocomplete: evil, InputMode: evil}},
		},
	})
	assert.NotContains(t, w.Body.String(), "<script")
	assert.NotContains(t, w.Body.String(), "javascript:")
	assert.Contains(t, w.Body.String(), "&lt;script&gt;")
}

func TestFormsMayEndAtACheckedTargetOnly(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"": "'self'", "/done": "'self'", "https://spa.example.net/a?b": "'self' https://spa.example.net", "http://localhost:3000": "'self' http://localhost:3000",
		"myapp://callback/x": "'self' myapp:", "https://a;script-src *": "'self'", "https://*.example": "'self'", "https:///x": "'self'", ":": "'self'",
	} {
		csp := render(t, page.Card{Title: "T", RedirectTo: target}).Header().Get("Content-Security-Policy")
		_, got, _ := strings.Cut(csp, "form-action ")
		assert.Equal(t, got, want)
	}
}

func TestProblemsAsPages(t *testing.T) {
	t.Parallel()
	layout := assert.Must(page.New(page.Config{Lang: "en-GB"}))(t)
	var log bytes.Buffer
	ctx := problem.NewLoggerContext(problem.NewRequestIDContext(t.Context(), "R1"), slog.New(slog.NewTextHandler(&log, nil)))
	write := func(method string, err error) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		layout.WriteProblem(w, httptest.NewRequestWithContext(ctx, method, "/", nil), err, page.Link{"/", "Home"})
		return w
	}
	w := write("GET", errors.New("the cause"))
	assert.Equal(t, w.Code, 500)
	assert.Contains(t, w.Body.String(), "<h1>Internal server error</h1>")
	assert.Contains(t, w.Body.String(), "Reference: R1")
	assert.Contains(t, w.Body.String(), `<html lang="en-GB">`)
	assert.NotContains(t, w.Body.String(), "the cause")
	assert.Contains(t, log.String(), "the cause")
	assert.Equal(t, w.Header().Get("Content-Type"), "text/html; charset=utf-8")

	w = write("GET", problem.ErrUnavailable.WithFields(problem.FieldError{Field: "email", Message: "is required"}))
	assert.Equal(t, w.Header().Get("Retry-After"), "1")
	assert.Contains(t, w.Body.String(), "<p>email is required</p>")
	w = write("HEAD", problem.ErrNotFound)
	assert.Equal(t, w.Code, 404)
	assert.Equal(t, w.Body.Len(), 0)
}

func TestWantsAPageOnlyWhereOneIsAskedFor(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8": true,
		"TEXT/HTML": true, "text/html;q=0.5": true, "text/html;level=1;q=0.5, application/json;q=0.4": true,
		"": false, "*/*": false, "text/*": false, "application/json": false, "application/json, text/html;q=0.9": false,
		"text/html;q=0": false, "text/html;q=x": false, "text/html;q=2": false, "text/html;q=NaN": false, "text/htmlx": false, ";;,=": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		assert.Equal(t, accept+strings.Repeat("!", btoi(page.Wants(r))), accept+strings.Repeat("!", btoi(want)))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestR23_NonceTiesTheFormToTheBrowser(t *testing.T) {
	t.Parallel()
	nonces := page.NewNonces(assert.Must(cookie.New("https://app.example.com"))(t))
	w := httptest.NewRecorder()
	nonce := nonces.Issue(w, httptest.NewRequest("GET", "/", nil))
	set := w.Header().Get("Set-Cookie")
	assert.Equal(t, set, "__Host-tenon_page="+nonce+"; Path=/; HttpOnly; Secure; SameSite=Lax")

	post := func(cookieHeader string, values ...string) *http.Request {
		r := httptest.NewRequest("POST", "/", strings.NewReader(url.Values{route.NonceField: values}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookieHeader)
		assert.NoError(t, r.ParseForm())
		return r
	}
	mine := "__Host-tenon_page=" + nonce
	assert.NoError(t, nonces.Check(post(mine, nonce)))
	for _, r := range []*http.Request{
		post("", nonce), post(mine), post(mine, ""), post(mine, nonce+"x"), post(mine, nonce, nonce), post("__Host-tenon_page=", ""),
		post("__Host-tenon_page=short", "short"), post("tenon_dev_page="+nonce, nonce), post(mine+"; "+mine, nonce),
	} {
		assert.ErrorIs(t, nonces.Check(r), page.ErrNonce)
	}

	second := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", mine)
	assert.Equal(t, nonces.Issue(second, r), nonce)
	assert.Equal(t, second.Header().Get("Set-Cookie"), "")
	other := nonces.Issue(second, httptest.NewRequest("GET", "/", nil))
	assert.NotEqual(t, other, nonce)
}
