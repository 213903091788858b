package mail

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
)

func testEnvelope() envelope {
	return envelope{
		from: mailbox{name: "Acme & Söhne", address: "no-reply@example.com"},
		date: time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600)),
		id:   "0123456789abcdef", boundary: "b0undary",
	}
}

func good() Message {
	return Message{To: "ann@example.com", Subject: "Confirm your address", Text: "Hello\n"}
}

// decoded is what a mail reader makes of a built message.
type decoded struct {
	header     mail.Header
	text, html string
}

func decode(t testing.TB, raw []byte) decoded {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	assert.NoError(t, err)
	out := decoded{header: m.Header}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	assert.NoError(t, err)
	if kind == "text/plain" {
		b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		assert.NoError(t, err)
		out.text = string(b)
		return out
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, body := range []*string{&out.text, &out.html} {
		part, err := parts.NextPart() // decodes quoted-printable
		assert.NoError(t, err)
		b, err := io.ReadAll(part)
		assert.NoError(t, err)
		*body = string(b)
	}
	_, err = parts.NextPart()
	assert.ErrorIs(t, err, io.EOF)
	return out
}

func TestABuiltMessageReadsBackAsItWas(t *testing.T) {
	t.Parallel()
	m := Message{
		To: "Änn “Q” O'Neil <ann.oneil@bücher.example>", Subject: "Bestätige deine Adresse für " + strings.Repeat("lange Wörter ", 12),
		Text: "Hallo,\n\n.\nein Punkt allein = und " + strings.Repeat("é", 2000) + "\n", HTML: "<p>Hällo</p>\n",
	}
	raw, err := build(m, testEnvelope())
	assert.NoError(t, err)
	got := decode(t, raw)
	subject, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
	assert.NoError(t, err)
	assert.Equal(t, subject, strings.TrimSpace(m.Subject))
	to, err := mail.ParseAddress(got.header.Get("To"))
	assert.NoError(t, err)
	assert.Equal(t, *to, mail.Address{Name: "Änn “Q” O'Neil", Address: "ann.oneil@xn--bcher-kva.example"})
	assert.Equal(t, strings.ReplaceAll(got.text, "\r\n", "\n"), m.Text)
	assert.Equal(t, strings.ReplaceAll(got.html, "\r\n", "\n"), m.HTML)
	assert.Equal(t, got.header.Get("Message-Id"), "<0123456789abcdef@example.com>")
	assert.Equal(t, got.header.Get("Date"), "Sun, 01 Mar 2026 12:00:00 +0000")
	assert.Equal(t, got.header.Get("Auto-Submitted"), "auto-generated")
	wellFormed(t, raw)
}

// wellFormed checks that a message is ASCII lines of at most 998 characters with
// CRLF endings only.
func wellFormed(t testing.TB, raw []byte) {
	t.Helper()
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	if strings.ContainsAny(text, "\r\x00") || strings.Count(string(raw), "\n") != strings.Count(string(raw), "\r\n") {
		t.Error("a bare CR, a bare LF or a NUL")
	}
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 100 {
			t.Errorf("a line of %d characters: %q", len(line), line)
		}
	}
	for i, b := range raw {
		if b >= 0x80 {
			t.Fatalf("not ASCII at %d", i)
		}
	}
}

// injections are values that try to leave their header.
func injections() []string {
	return []string{
		"a\r\nBcc: x@evil.example", "a\nBcc: x@evil.example", "a\rBcc: x@evil.example", "a\x00b", "a\r\n\r\n<script>",
		"a\u2028Bcc: x", "a\u2029Bcc: x", "a\u0085Bcc: x", "a\x0bb", "a\x0cb", "a\x1bb", "a\x7fb", "\xff\xfe", "",
	}
}

func TestNothingLeavesItsHeader(t *testing.T) {
	t.Parallel()
	for _, evil := range injections() {
		for name, spoil := range map[string]func(*Message){
			"subject":           func(m *Message) { m.Subject = evil },
			"address":           func(m *Message) { m.To = evil },
			"local part":        func(m *Message) { m.To = "a" + evil + "@example.com" },
			"quoted local part": func(m *Message) { m.To = `"` + evil + `"@example.com` },
			"domain":            func(m *Message) { m.To = "a@" + evil + "x" },
			"name":              func(m *Message) { m.To = evil + "\x00 <ann@example.com>" },
			"encoded name":      func(m *Message) { m.To = mime.BEncoding.Encode("utf-8", "Ann\r\n"+evil) + " <ann@example.com>" },
		} {
			m := good()
			spoil(&m)
			raw, err := build(m, testEnvelope())
			if evil == "" && name == "local part" || name == "domain" && err == nil {
				continue // "a@example.com", "a@x"
			}
			assert.True(t, errors.Is(err, ErrInvalidMessage), name+" was accepted")
			assert.Equal(t, len(raw), 0)
			if err != nil && evil != "" {
				assert.NotContains(t, err.Error(), evil)
			}
		}
	}
}

func TestBodiesAreBoundedText(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Message){
		"no text":    func(m *Message) { m.Text = "" },
		"NUL":        func(m *Message) { m.Text = "a\x00" },
		"not UTF-8":  func(m *Message) { m.HTML = "\xff" },
		"long":       func(m *Message) { m.Text = strings.Repeat("a", maxBody+1) },
		"long title": func(m *Message) { m.Subject = strings.Repeat("é", maxSubject+1) },
		"encoded":    func(m *Message) { m.Subject = "=?utf-8?q?=0D=0ABcc:_x?=" },
		"blank":      func(m *Message) { m.Subject = "   " },
		"long name":  func(m *Message) { m.To = strings.Repeat("é", maxName+1) + " <ann@example.com>" },
	} {
		m := good()
		spoil(&m)
		assert.True(t, errors.Is(m.Validate(), ErrInvalidMessage), name)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	atext := "!#$%&'*+-/=?^_`{|}~azAZ09.x"
	for s, want := range map[string]string{
		"ann@example.com":                    "ann@example.com",
		"Ann <ann@example.com>":              "ann@example.com",
		atext + "@example.com":               atext + "@example.com",
		"ann@BÜCHER.example":                 "ann@xn--bcher-kva.example",
		"root@localhost":                     "root@localhost",
		strings.Repeat("a", 64) + "@x.de":    strings.Repeat("a", 64) + "@x.de",
		strings.Repeat("a", 65) + "@x.de":    "",
		`"a b"@example.com`:                  "",
		"ann@[127.0.0.1]":                    "",
		"ann@example.com, bob@example.com":   "",
		"undisclosed:;":                      "",
		"ann@@example.com":                   "",
		"ann@example..com":                   "",
		"ann@-x.example":                     "",
		"änn@example.com":                    "",
		"ann\u200d@example.com":              "",
		"ann\uff20example.com":               "",
		"ann@example.com\u3002evil.example ": "ann@example.com.evil.example",
		strings.Repeat("a", 2000):            "",
	} {
		got, err := parseMailbox(s)
		assert.Equal(t, got.address, want)
		assert.Equal(t, err == nil, want != "")
	}
}

func FuzzBuild(f *testing.F) {
	for _, s := range injections() {
		f.Add("ann@example.com", s, s)
		f.Add(s, "x", "y")
		f.Add("Ann "+s+" <ann@example.com>", "x", "y")
	}
	f.Add(strings.Repeat("é ", 50)+"<a@b.c>", strings.Repeat("word ", 39), "\r\n.\r\n")
	f.Fuzz(func(t *testing.T, to, subject, text string) {
		m := Message{To: to, Subject: subject, Text: text, HTML: "<p>" + text + "</p>"}
		raw, err := build(m, testEnvelope())
		if err != nil {
			return
		}
		if len(subject) < 70 && len(to) < 70 {
			wellFormed(t, raw)
		}
		got := decode(t, raw)
		names := map[string]bool{}
		for name, values := range got.header {
			names[name] = len(values) == 1
		}
		want := map[string]bool{
			"From": true, "To": true, "Subject": true, "Date": true, "Message-Id": true,
			"Auto-Submitted": true, "Mime-Version": true, "Content-Type": true,
		}
		assert.Equal(t, names, want)
		heard, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
		assert.NoError(t, err)
		assert.Equal(t, strings.Join(strings.Fields(heard), " "), singleSpaced(subject))
		box, _ := parseMailbox(to)
		parsed, err := mail.ParseAddress(got.header.Get("To"))
		assert.NoError(t, err)
		assert.Equal(t, parsed.Address, box.address)
	})
}
