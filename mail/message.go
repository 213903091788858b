package mail

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Message is one mail to one person.
type Message struct {
	To      string // an address, or a name and an address: "Ann <ann@example.com>"
	Subject string // one line, at most 200 characters
	Text    string // the plain text; required
	HTML    string // the same as HTML; optional

	Kind   string    // what the mail is about, such as "verify-email"; for logs and tests
	Links  []string  // the links that Text and HTML hold; for tests and the development mailbox
	Code   string    // the code that Text and HTML hold, if any
	SentAt time.Time // set by the Queue
}

// Mailer sends a message now. A nil error means that the next hop took it.
// IsPermanent tells errors that no retry mends from the others.
// Implementations are safe for concurrent use.
type Mailer interface {
	Send(ctx context.Context, m Message) error
}

// Outbox takes a message in the transaction of ctx: it is sent some time after
// the commit, and never if that transaction rolls back. Enqueue does no network
// I/O.
type Outbox interface {
	Enqueue(ctx context.Context, m Message) error
}

// ErrInvalidMessage says that a message cannot be sent to anyone, for example
// because a header would contain a line break. It wraps what is wrong, without
// the value.
var ErrInvalidMessage = errors.New("mail: invalid message")

const (
	maxSubject = 200     // characters
	maxName    = 100     // characters
	maxBody    = 1 << 20 // bytes of text and HTML together
)

// Validate says whether the message can be sent: its address parses, its headers
// are one line of text each, its bodies are UTF-8 within 1 MiB. The error is an
// ErrInvalidMessage.
func (m Message) Validate() error {
	if _, err := parseMailbox(m.To); err != nil {
		return err
	}
	switch {
	case singleSpaced(m.Subject) == "" || utf8.RuneCountInString(m.Subject) > maxSubject || !oneLine(m.Subject):
		return invalid("the subject is empty, too long or not one line of text")
	case strings.Contains(m.Subject, "=?"):
		return invalid("the subject would be read as an encoded word")
	case m.Text == "" || len(m.Text)+len(m.HTML) > maxBody:
		return invalid("the body is empty or too long")
	case !bodyText(m.Text) || !bodyText(m.HTML):
		return invalid("the body is not text")
	}
	return nil
}

func invalid(why string) error { return fmt.Errorf("%w: %s", ErrInvalidMessage, why) }

// oneLine reports whether s fits into a header: UTF-8 without control
// characters, which include every kind of line break and NUL.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, isControl)
}

func isControl(r rune) bool {
	return r < 0x20 || (r >= 0x7f && r < 0xa0) || r == '\u2028' || r == '\u2029'
}

func bodyText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return isControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

// singleSpaced makes every run of white space one space, so that a long header
// can be folded at any of them.
func singleSpaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// localPart is RFC 5321's Dot-string. Quoted local parts are legal, are used by
// nobody and differ between mail servers.
var localPart = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")

// mailbox is a parsed address, with its domain in ASCII.
type mailbox struct{ name, address string }

// parseMailbox reads "address" or "name <address>" strictly and rebuilds it, so
// that nothing of its spelling reaches the wire.
func parseMailbox(s string) (mailbox, error) {
	if len(s) > 1024 || !oneLine(s) {
		return mailbox{}, invalid("the address is too long or not one line of text")
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil {
		return mailbox{}, invalid("the address cannot be read")
	}
	if utf8.RuneCountInString(parsed.Name) > maxName || !oneLine(parsed.Name) {
		return mailbox{}, invalid("the name is too long or not one line of text")
	}
	address, err := asciiAddress(parsed.Address)
	if err != nil {
		return mailbox{}, err
	}
	return mailbox{name: singleSpaced(parsed.Name), address: address}, nil
}

func asciiAddress(s string) (string, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || !localPart.MatchString(s[:at]) {
		return "", invalid("the part before the @ is not supported")
	}
	domain, err := idna.Lookup.ToASCII(s[at+1:])
	if err != nil || domain == "" || len(domain) > 253 || strings.ContainsAny(domain, "[]:_ ") || strings.HasSuffix(domain, ".") {
		return "", invalid("the domain is not supported")
	}
	return s[:at] + "@" + domain, nil
}

// domain returns the part after the @.
func (b mailbox) domain() string { return b.address[strings.LastIndexByte(b.address, '@')+1:] }

// header returns the mailbox as it stands in a header.
func (b mailbox) header() string {
	return (&mail.Address{Name: b.name, Address: b.address}).String()
}
