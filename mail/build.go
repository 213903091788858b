package mail

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"time"
)

// envelope is what a message needs besides itself to go on the wire.
type envelope struct {
	from     mailbox
	date     time.Time
	id       string // of Message-ID, without the domain
	boundary string
}

// build returns the message in the format of RFC 5322: every header rebuilt from
// parsed values, lines within 78 characters where spaces allow, bodies in
// quoted-printable.
func build(m Message, env envelope) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	to, err := parseMailbox(m.To)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	header := func(name, value string) { out.WriteString(fold(name+": "+value) + "\r\n") }
	header("From", env.from.header())
	header("To", to.header())
	header("Subject", mime.QEncoding.Encode("utf-8", singleSpaced(m.Subject)))
	header("Date", env.date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	header("Message-ID", fmt.Sprintf("<%s@%s>", env.id, env.from.domain()))
	header("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	header("MIME-Version", "1.0")
	if m.HTML == "" {
		header("Content-Type", "text/plain; charset=utf-8")
		header("Content-Transfer-Encoding", "quoted-printable")
		out.WriteString("\r\n")
		err = quoted(&out, m.Text)
		return out.Bytes(), err
	}
	header("Content-Type", `multipart/alternative; boundary="`+env.boundary+`"`)
	out.WriteString("\r\n")
	err = alternatives(&out, env.boundary, m)
	return out.Bytes(), err
}

// alternatives writes the bodies, the plainest first, as RFC 2046 wants.
func alternatives(out io.Writer, boundary string, m Message) error {
	parts := multipart.NewWriter(out)
	if err := parts.SetBoundary(boundary); err != nil {
		return err
	}
	for _, part := range [...]struct{ mediaType, body string }{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {part.mediaType + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return err
		}
		if err := quoted(w, part.body); err != nil {
			return err
		}
	}
	return parts.Close()
}

func quoted(out io.Writer, body string) error {
	w := quotedprintable.NewWriter(out)
	if _, err := io.WriteString(w, strings.ReplaceAll(body, "\r\n", "\n")); err != nil {
		return err
	}
	return w.Close()
}

// fold breaks a header line at single spaces so that its lines stay within 78
// characters where they can (RFC 5322 §2.2.3). Encoded words come with such
// spaces.
func fold(line string) string {
	const most = 78
	var out strings.Builder
	start := strings.IndexByte(line, ' ') + 1 // a name alone on its line upsets some readers
	for len(line) > most {
		at := strings.LastIndexByte(line[start:most+1], ' ')
		if at < 0 {
			at = strings.IndexByte(line[start:], ' ')
		}
		if at < 0 {
			break
		}
		out.WriteString(line[:start+at] + "\r\n")
		line, start = line[start+at:], 1 // the space begins the next line
	}
	return out.String() + line
}
