package page

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/problem"
)

//go:embed page.html
var markup string

//go:embed style.css
var style string

// Config says what all pages have in common.
type Config struct {
	// ProductName stands above the title. Defaults to nothing.
	ProductName string
	// Lang is the language of cards that name none, as in BCP 47. Defaults to "en".
	Lang string
}

// Layout renders cards.
type Layout struct {
	cfg  Config
	tmpl *template.Template
	csp  string // up to form-action
}

// New returns a Layout.
func New(cfg Config) (*Layout, error) {
	tmpl, err := template.New("page").Parse(markup)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	cfg.Lang = cmp.Or(cfg.Lang, "en")
	sum := sha256.Sum256([]byte(style))
	csp := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
	return &Layout{cfg: cfg, tmpl: tmpl, csp: csp}, nil
}

// Tone is how a card's notice looks.
type Tone string

// The tones.
const (
	Plain   Tone = ""
	Success Tone = "success"
	Failure Tone = "failure"
)

// Card is what one page says. All of it is plain text.
type Card struct {
	// Lang is the language of the texts. Defaults to Config.Lang.
	Lang string
	// Title is the heading.
	Title string
	// Tone and Notice say how what was asked for ended.
	Tone   Tone
	Notice string
	// Text holds the paragraphs.
	Text []string
	// Form is what there is to do, if anything.
	Form *Form
	// Passkey is what there is to do with a passkey, if anything.
	Passkey *Passkey
	// Links follow at the end.
	Links []Link
	// Leave is a way out of what the page is about, if there is one: a form without
	// fields, whose button looks like a link.
	Leave *Form
	// Reference is small print, such as the request's id.
	Reference string
	// RedirectTo is where a successful form may send the browser on to, if to
	// another site: browsers hold redirects to the policy for forms. It must have
	// been checked against the allowed targets.
	RedirectTo string
}

// Form is a form that is posted to this site.
type Form struct {
	// Action is the URL, relative to the page's.
	Action string
	// Nonce is what Nonces.Issue returned.
	Nonce string
	// Username tells password managers whose password is asked for. It is neither
	// shown nor sent.
	Username string
	// Hidden are fields that are sent as they are.
	Hidden []Hidden
	// Fields are those to fill in.
	Fields []Field
	// Submit is the text of the button.
	Submit string
}

// Passkey is a button that asks for a passkey, by the only script that a page can have.
// Everything else on it works without.
type Passkey struct {
	// Script is the absolute URL of the script of package passkey, which must not be
	// input. It alone may run, and speak to this site.
	Script string
	// Next is where the browser goes then, unless the sign-in knows better.
	Next string
	// Fields are asked for besides.
	Fields []Field
	// Submit is the text of the button, and Missing what stands in its place where the
	// browser cannot.
	Submit, Missing string
}

// Hidden is a field that is not shown.
type Hidden struct{ Name, Value string }

// Field is an input with its label.
type Field struct {
	// Name is the field's name and id.
	Name, Label string
	// Type is that of the input element. Defaults to "text".
	Type string
	// Value is what stands in it. Never a secret.
	Value string
	// Hint and Error are read out with the field.
	Hint, Error string
	// Autocomplete and InputMode help browsers and password managers:
	// "current-password", "one-time-code"; "numeric".
	Autocomplete, InputMode string
	// MinLength and MaxLength are for the browser only. 0 means none.
	MinLength, MaxLength int
	Required             bool
	// Checked ticks a checkbox.
	Checked bool
	// Autofocus puts the cursor there: on pages that are about that field.
	Autofocus bool
}

// Link leads elsewhere.
type Link struct{ Href, Text string }

// view is what the template sees.
type view struct {
	Card
	ProductName, NonceField string
	Style                   template.CSS
}

// Write answers with card. The page is never cached, framed or sniffed.
func (l *Layout) Write(w http.ResponseWriter, r *http.Request, status int, card Card) {
	card.Lang = cmp.Or(card.Lang, l.cfg.Lang)
	var buf bytes.Buffer
	v := view{
		Card: card, ProductName: l.cfg.ProductName, NonceField: route.NonceField,
		Style: template.CSS(style), //nolint:gosec // the embedded stylesheet, not input
	}
	err := l.tmpl.Execute(&buf, v)
	if err != nil {
		problem.Write(w, r, fmt.Errorf("page: render %q: %w", card.Title, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	h.Set("Content-Security-Policy", l.csp+formSource(card.RedirectTo)+scriptSource(card.Passkey))
	h.Set("Cache-Control", "no-store")
	if h.Get("Referrer-Policy") != "no-referrer" { // where the page's own address is a secret
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// The client may be gone; there is nobody left to tell.
		_, _ = w.Write(buf.Bytes())
	}
}

// formSource returns the origin of target, or its scheme where it is an app's,
// as an addition to form-action.
func formSource(target string) string {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Scheme == "http" || u.Scheme == "https":
		// A host with such characters would end the directive.
		if u.Host == "" || strings.ContainsAny(u.Host, ";, '*") {
			return ""
		}
		return " " + u.Scheme + "://" + u.Host
	}
	return " " + u.Scheme + ":"
}

// scriptSource lets the script of p run, and no other, if the page has it.
func scriptSource(p *Passkey) string {
	if p == nil || p.Script == "" || strings.ContainsAny(p.Script, ";, '*") {
		return ""
	}
	return "; script-src " + p.Script + "; connect-src 'self'"
}

// WriteProblem answers with err as a page: status, headers, log and words are
// those of [problem.Write].
func (l *Layout) WriteProblem(w http.ResponseWriter, r *http.Request, err error, links ...Link) {
	l.WriteProblemAs(w, r, "", err, links...)
}

// WriteProblemAs is WriteProblem under a title that says more to a person than the kind of
// the problem does.
func (l *Layout) WriteProblemAs(w http.ResponseWriter, r *http.Request, title string, err error, links ...Link) {
	c := &capture{header: w.Header()}
	problem.Write(c, r, err)
	var doc problem.Document
	// A HEAD has no body to read; it gets none either.
	_ = json.Unmarshal(c.body.Bytes(), &doc)
	card := Card{Title: cmp.Or(title, doc.Title), Tone: Failure, Notice: doc.Detail, Links: links}
	for _, f := range doc.Errors {
		card.Text = append(card.Text, f.Field+" "+f.Message)
	}
	if doc.RequestID != "" {
		card.Reference = "Reference: " + doc.RequestID
	}
	l.Write(w, r, c.status, card)
}

// capture takes an answer's status and body, and lets its headers through.
type capture struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }

// Wants reports whether whoever sent r would rather have a page than JSON:
// whether Accept names text/html, and not JSON with more weight. */* is not a
// wish for a page.
func Wants(r *http.Request) bool {
	html, json := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		media, params, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html":
			html = max(html, weight(params))
		case "application/json", problem.ContentType:
			json = max(json, weight(params))
		}
	}
	return html > 0 && html >= json
}

// weight returns the q among params, 1 where there is none.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || q < 0 || q > 1 {
			return 0
		}
		return q
	}
	return 1
}
