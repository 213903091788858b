package mail_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail"
)

const link = "https://app.example.com/api/auth/verify-email?token=tnn_vrf_x&callbackURL=%2Fwelcome"

func templates(t testing.TB, cfg mail.TemplatesConfig) *mail.Templates {
	t.Helper()
	out, err := mail.NewTemplates(cfg)
	assert.NoError(t, err)
	return out
}

// golden compares got with a file of testdata; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		assert.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	assert.NoError(t, err)
	if got != string(want) {
		t.Errorf("%s differs; run with UPDATE_GOLDEN=1 and look at the diff. Got:\n%s", path, got)
	}
}

func TestBuiltInTemplatesAreAsReviewed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind string
		data mail.Data
	}{
		"verify-email":          {"verify-email", mail.Data{Name: "Ann", Link: link, ExpiresIn: 24 * time.Hour}},
		"verify-email-code":     {"verify-email", mail.Data{Name: "Ann", Code: "123456", ExpiresIn: 10 * time.Minute}},
		"sign-up-attempt":       {"sign-up-attempt", mail.Data{Name: "Ann O’Neil"}},
		"choose-password":       {"choose-password", mail.Data{Name: "Ann", Link: link, ExpiresIn: 7 * 24 * time.Hour}},
		"password-set-by-admin": {"password-set-by-admin", mail.Data{Name: "Ann"}},
		"sign-up-attempt-link":  {"sign-up-attempt", mail.Data{Link: "https://app.example.com/sign-in"}},
		"unlock-account":        {"unlock-account", mail.Data{Name: "Ann", Link: link, ExpiresIn: 24 * time.Hour}},
		"reset-password":        {"reset-password", mail.Data{Name: "Ann", Link: link, ExpiresIn: time.Hour}},
		"password-changed":      {"password-changed", mail.Data{Name: "Ann"}},
		"magic-link":            {"magic-link", mail.Data{Name: "Ann", Link: link, ExpiresIn: 10 * time.Minute}},
		"sign-in-code":          {"sign-in-code", mail.Data{Code: "012345", ExpiresIn: 10 * time.Minute}},
		"confirm-code":          {"confirm-code", mail.Data{Code: "012345", ExpiresIn: 10 * time.Minute}},
		"notification": {"notification", mail.Data{Name: "Ann", Link: "https://app.example.com/posts/42", Extra: map[string]string{
			"Title": "Somebody answered <you>", "Body": "First line\nsecond & last", "Mutable": "yes",
		}}},
		"notification-bare": {"notification", mail.Data{Extra: map[string]string{"Title": "Your plan ends"}}},
		"reset-code":        {"reset-code", mail.Data{Code: "012345", ExpiresIn: 10 * time.Minute}},
	} {
		m, err := templates(t, mail.TemplatesConfig{ProductName: "Acme & Söhne"}).Render("", c.kind, c.data)
		assert.NoError(t, err)
		assert.Equal(t, m.Kind, c.kind)
		m.To = "ann@example.com"
		assert.NoError(t, m.Validate())
		golden(t, name+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
		golden(t, name+".html", m.HTML)
	}
}

func TestAMessageListsItsLinksAndItsCode(t *testing.T) {
	t.Parallel()
	m, err := templates(t, mail.TemplatesConfig{}).Render("", "verify-email", mail.Data{Link: link, Code: "123456", ExpiresIn: time.Hour})
	assert.NoError(t, err)
	assert.Equal(t, m.Links, []string{link})
	assert.Equal(t, m.Code, "123456")
	assert.Contains(t, m.Text, link)
	assert.Contains(t, m.HTML, strings.ReplaceAll(link, "&", "&amp;"))
}

func TestEveryKindRendersInPlainEnglish(t *testing.T) {
	t.Parallel()
	tpl := templates(t, mail.TemplatesConfig{ProductName: "Acme"})
	kinds := tpl.Kinds()
	assert.True(t, len(kinds) > 2, "the built-in kinds are found")
	for _, kind := range kinds {
		m, err := tpl.Render("", kind, mail.Data{ProductName: "Other", Link: link, ExpiresIn: 24 * time.Hour})
		assert.NoError(t, err)
		for _, text := range []string{m.Subject, m.Text, m.HTML} {
			assert.NotContains(t, text, "%!")
			assert.NotContains(t, text, "{{")
			assert.NotContains(t, text, "<no value>")
			assert.NotContains(t, text, "Acme")
		}
	}
}

func TestTimesAreInWordsAndNeverPromiseTooMuch(t *testing.T) {
	t.Parallel()
	tpl := templates(t, mail.TemplatesConfig{})
	for d, want := range map[time.Duration]string{
		0: "1 minute,", time.Minute: "1 minute,", 10 * time.Minute: "10 minutes,", time.Hour: "1 hour,", 90 * time.Minute: "90 minutes,",
		2 * time.Hour: "2 hours,", 24 * time.Hour: "24 hours,", 24*time.Hour - time.Second: "23 hours,", 48 * time.Hour: "2 days,", 7 * 24 * time.Hour: "7 days,", 50 * time.Hour: "50 hours,",
	} {
		m, err := tpl.Render("", "verify-email", mail.Data{Link: link, ExpiresIn: d})
		assert.NoError(t, err)
		assert.Contains(t, m.Text, "works for "+want)
	}
}

func TestAStrangersNameCarriesNoAdvertisement(t *testing.T) {
	t.Parallel()
	tpl := templates(t, mail.TemplatesConfig{})
	for _, name := range []string{"Win at http://evil.example", "evil.example", "Call 555", "Ann\r\nBcc: x@example.com", "a@b", strings.Repeat("a", 61), "<b>Ann</b>"} {
		for _, kind := range tpl.Kinds() {
			m, err := tpl.Render("", kind, mail.Data{Name: name})
			assert.NoError(t, err)
			assert.NotContains(t, m.Text+m.HTML+m.Subject, name)
			assert.Contains(t, m.Text, "Hello,\n")
		}
	}
}

func TestHTMLIsEscaped(t *testing.T) {
	t.Parallel()
	override := fstest.MapFS{
		"note.txt":  {Data: []byte("Subject: Note\n\n{{.Name}}")},
		"note.html": {Data: []byte(`{{define "content"}}<p title="{{.Name}}">{{.Name}}</p>{{end}}`)},
	}
	m, err := templates(t, mail.TemplatesConfig{Override: override}).Render("", "note", mail.Data{Name: `"><script>alert(1)</script>`})
	assert.NoError(t, err)
	assert.NotContains(t, m.HTML, "<script>")
	assert.Contains(t, m.HTML, "&lt;script&gt;")
}

func TestOnlyAbsoluteWebLinksAreMailed(t *testing.T) {
	t.Parallel()
	tpl := templates(t, mail.TemplatesConfig{})
	for _, bad := range []string{"javascript:alert(1)", "/verify?token=x", "//evil.example/x", "https://", "data:text/html,x", "https://a.example/\r\nX: y", "https://a.example/a b", "ftp://a.example/"} {
		_, err := tpl.Render("", "verify-email", mail.Data{Link: bad})
		assert.True(t, err != nil, bad)
		if err != nil {
			assert.NotContains(t, err.Error(), bad)
		}
	}
}

func TestAHostOverridesAndLocalizes(t *testing.T) {
	t.Parallel()
	override := fstest.MapFS{
		"verify-email.txt":       {Data: []byte("Subject: Mine\n\nmine {{.Link}}")},
		"de/verify-email.txt":    {Data: []byte("Subject: Deutsch\n\ndeutsch {{.Link}}")},
		"de-AT/verify-email.txt": {Data: []byte("Subject: Österreich\n\nGrüß Gott {{.Link}}")},
		"verify-email.html":      {Data: []byte(`{{define "content"}}<i>mine</i>{{end}}`)},
	}
	german := map[string]string{"%d hours": "%d Stunden", "This is an automatic message from %s. Nobody reads replies to it.": "Automatische Nachricht von %s."}
	tpl := templates(t, mail.TemplatesConfig{ProductName: "Acme", Override: override, Localize: func(locale, text string) string {
		if translated, ok := german[text]; ok && strings.HasPrefix(locale, "de") {
			return translated
		}
		return text
	}})
	for locale, want := range map[string]string{"": "Mine", "en": "Mine", "fr-FR": "Mine", "de": "Deutsch", "de-CH": "Deutsch", "de-AT": "Österreich"} {
		m, err := tpl.Render(locale, "verify-email", mail.Data{Link: link})
		assert.NoError(t, err)
		assert.Equal(t, m.Subject, want)
		assert.True(t, (m.HTML == "") == strings.HasPrefix(locale, "de"), "HTML of "+locale)
	}
	m, err := tpl.Render("de", "sign-up-attempt", mail.Data{})
	assert.NoError(t, err)
	assert.Contains(t, m.HTML, "Automatische Nachricht von Acme.")
	assert.Contains(t, m.HTML, `lang="de"`)
}

func TestABrokenOverrideIsAnErrorAtStart(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fstest.MapFS{
		"syntax":        {"x.txt": {Data: []byte("Subject: x\n\n{{.Name")}},
		"no subject":    {"x.txt": {Data: []byte("Hello {{.Name}}")}},
		"unknown field": {"x.txt": {Data: []byte("Subject: x\n\n{{.Nmae}}")}},
		"html syntax":   {"x.txt": {Data: []byte("Subject: x\n\nx")}, "x.html": {Data: []byte(`{{define "content"}}`)}},
		"no content":    {"x.txt": {Data: []byte("Subject: x\n\nx")}, "x.html": {Data: []byte(`<p>x</p>`)}},
		"in a language": {"de/x.txt": {Data: []byte("Subject: x\n\n{{.Nmae}}")}},
		"broken layout": {"x.txt": {Data: []byte("Subject: x\n\nx")}, "x.html": {Data: []byte(`{{define "content"}}{{end}}`)}, "layout.html": {Data: []byte(`{{`)}},
	} {
		_, err := mail.NewTemplates(mail.TemplatesConfig{Override: files})
		assert.True(t, err != nil, name)
	}
	_, err := templates(t, mail.TemplatesConfig{}).Render("", "../verify-email", mail.Data{})
	assert.Error(t, err)
}
