package mail

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed templates
var builtin embed.FS

// Data is what templates may show. What is empty is left out.
type Data struct {
	ProductName string // defaults to the one of TemplatesConfig
	Name        string // the person's; templates show it through name
	Email       string
	Link        string // absolute, http or https
	Code        string
	Device      string
	ExpiresIn   time.Duration // how long Link or Code works
	Extra       map[string]string
}

// TemplatesConfig configures Templates. Its zero value works.
type TemplatesConfig struct {
	// ProductName is what mails call the product. Defaults to "this service".
	ProductName string
	// Override holds templates that go before the built-in ones: KIND.txt and
	// KIND.html, and LOCALE/KIND.txt and LOCALE/KIND.html for one language, such
	// as "de" or "de-AT". The first line of a .txt is "Subject: …", the second is
	// empty. An .html defines "content", which "layout" in layout.html wraps.
	// A kind may have no .html.
	Override fs.FS
	// Localize translates the sentences of the built-in templates: it gets the
	// English text, with %s and %d where values go, and returns the text in the
	// language of locale, or what it got. Defaults to English.
	Localize func(locale, text string) string
}

// Templates renders messages. It is safe for concurrent use.
//
// In a template the dot has the fields of Data, and .Locale, and five methods.
// {{.T "text" args…}} translates and formats. {{.Within}} says ExpiresIn in
// words. {{.Person}} is the name if it looks like one: a stranger may have chosen
// it, and an advertisement in it would reach someone else's mailbox in our name.
// {{.Named key}} is a name in Extra under the same condition.
// {{.Button label}} is the dot of the template "button".
type Templates struct {
	product  string
	localize func(locale, text string) string
	pages    map[string]page // by "kind" or "locale/kind"
}

// page is one kind in one language.
type page struct {
	text *template.Template
	html *html.Template // nil if the kind is plain text
}

// view is a template's dot.
type view struct {
	Data
	Locale   string
	localize func(locale, text string) string
}

// T translates text and formats it with args.
func (v view) T(text string, args ...any) string {
	text = v.localize(v.Locale, text)
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// button is the dot of the template "button".
type button struct{ Link, Label string }

// Button returns the dot of the template "button", which leads to Link.
func (v view) Button(label string) button { return button{Link: v.Link, Label: label} }

// Person returns the name if it looks like a person's, else "".
func (v view) Person() string { return PersonName(v.Name) }

// PersonName returns name if it looks like a person's, letters with what joins them and
// 60 of these at most, and "" otherwise. Whoever puts a name that somebody else typed
// into a text for others asks it.
func PersonName(name string) string {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(" '’-", r)
	}
	if utf8.RuneCountInString(name) > 60 || strings.ContainsFunc(name, odd) {
		return ""
	}
	return strings.TrimSpace(name)
}

// Within says ExpiresIn in words, rounded down so that it never promises too
// much.
func (v view) Within() string {
	const day = 24 * time.Hour
	switch d := v.ExpiresIn; {
	case d >= 2*day && d%day == 0:
		return v.T("%d days", int(d/day))
	case d >= 2*time.Hour:
		return v.T("%d hours", int(d/time.Hour))
	case d == time.Hour:
		return v.T("1 hour")
	case d >= 2*time.Minute:
		return v.T("%d minutes", int(d/time.Minute))
	}
	return v.T("1 minute")
}

// Named is the name of a company or of somebody else in Extra, if it looks like one, for
// the same reason as Person: nothing in it is an address that a mailbox would make a link
// of.
func (v view) Named(key string) string {
	name := strings.TrimSpace(v.Extra[key])
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" '’-&,.", r)
	}
	if utf8.RuneCountInString(name) > 60 || strings.ContainsFunc(name, odd) || dotInside.MatchString(name) {
		return ""
	}
	return name
}

// dotInside finds what could be the name of a host.
var dotInside = regexp.MustCompile(`\.[^ ]`)

// NewTemplates parses every template and renders each once with sample data, so
// that a broken override is an error at start.
func NewTemplates(cfg TemplatesConfig) (*Templates, error) {
	if cfg.Localize == nil {
		cfg.Localize = func(_, text string) string { return text }
	}
	base, err := fs.Sub(builtin, "templates")
	if err != nil {
		return nil, fmt.Errorf("mail: templates: %w", err)
	}
	t := &Templates{product: cmp.Or(cfg.ProductName, "this service"), localize: cfg.Localize, pages: map[string]page{}}
	for _, dir := range []fs.FS{base, cfg.Override} {
		if dir == nil {
			continue
		}
		if err := t.load(layered{dir, base}); err != nil {
			return nil, fmt.Errorf("mail: templates: %w", err)
		}
	}
	return t, t.try()
}

// layered is a file system in front of another.
type layered struct{ top, base fs.FS }

// read returns a file of the top, or else of the base.
func (l layered) read(name string) ([]byte, error) {
	b, err := fs.ReadFile(l.top, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadFile(l.base, name)
	}
	return b, err
}

// load parses every KIND.txt of the top, with its KIND.html.
func (t *Templates) load(files layered) error {
	return fs.WalkDir(files.top, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".txt" {
			return err
		}
		p, err := t.parse(files, strings.TrimSuffix(name, ".txt"))
		if err != nil {
			return err
		}
		t.pages[strings.TrimSuffix(name, ".txt")] = p
		return nil
	})
}

func (t *Templates) parse(files layered, name string) (p page, err error) {
	source, err := fs.ReadFile(files.top, name+".txt")
	if err != nil {
		return page{}, err
	}
	if p.text, err = template.New(name).Parse(string(source)); err != nil {
		return page{}, err
	}
	source, err = fs.ReadFile(files.top, name+".html")
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return page{}, err
	}
	layout, err := files.read("layout.html")
	if err != nil {
		return page{}, err
	}
	p.html, err = html.New(name).Parse(string(layout) + string(source))
	return p, err
}

// try renders every page with every field set, and with none.
func (t *Templates) try() error {
	sample := Data{Name: "Ann", Email: "ann@example.com", Link: "https://example.com/x", Code: "123456", Device: "Firefox on Linux", ExpiresIn: time.Hour}
	for name := range t.pages {
		locale, kind := path.Split(name)
		for _, data := range []Data{sample, {}} {
			m, err := t.Render(strings.TrimSuffix(locale, "/"), kind, data)
			if err != nil {
				return err
			}
			m.To = sample.Email
			if err := m.Validate(); err != nil {
				return fmt.Errorf("mail: template %s: %w", name, err)
			}
		}
	}
	return nil
}

// Kinds returns the kinds that Render knows, in no order.
func (t *Templates) Kinds() []string {
	var out []string
	for name := range t.pages {
		if !strings.Contains(name, "/") {
			out = append(out, name)
		}
	}
	return out
}

// Render makes a message of a kind in a language, "" for the default one. Only
// To is left to set. It refuses an unknown kind and a link that is not absolute
// http or https.
func (t *Templates) Render(locale, kind string, data Data) (Message, error) {
	p, ok := t.find(locale, kind)
	if !ok {
		return Message{}, fmt.Errorf("mail: render: unknown kind %q", kind)
	}
	if err := checkLink(data.Link); err != nil {
		return Message{}, fmt.Errorf("mail: render %s: %w", kind, err)
	}
	data.ProductName = cmp.Or(data.ProductName, t.product)
	v := view{Data: data, Locale: locale, localize: t.localize}
	m := Message{Kind: kind, Code: data.Code}
	if data.Link != "" {
		m.Links = []string{data.Link}
	}
	if err := p.render(&m, v); err != nil {
		return Message{}, fmt.Errorf("mail: render %s: %w", kind, err)
	}
	return m, nil
}

// find looks for "de-AT/kind", "de/kind", "kind".
func (t *Templates) find(locale, kind string) (page, bool) {
	language, _, _ := strings.Cut(locale, "-")
	for _, name := range []string{locale + "/" + kind, language + "/" + kind, kind} {
		if p, ok := t.pages[name]; ok && !strings.HasPrefix(name, "/") {
			return p, true
		}
	}
	return page{}, false
}

var errLink = errors.New("the link is not an absolute http or https URL")

func checkLink(link string) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || !oneLine(link) || strings.Contains(link, " ") {
		return errLink
	}
	return nil
}

func (p page) render(m *Message, v view) error {
	var out bytes.Buffer
	if err := p.text.Execute(&out, v); err != nil {
		return err
	}
	subject, body, _ := strings.Cut(out.String(), "\n\n")
	subject, ok := strings.CutPrefix(subject, "Subject: ")
	if !ok {
		return errors.New(`the text does not begin with "Subject: " and an empty line`)
	}
	m.Subject, m.Text = strings.TrimSpace(subject), strings.TrimRight(body, "\n")+"\n"
	if p.html == nil {
		return nil
	}
	out.Reset()
	if err := p.html.ExecuteTemplate(&out, "layout", v); err != nil {
		return err
	}
	m.HTML = out.String()
	return nil
}
