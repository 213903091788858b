package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of a notification. Text that is longer is cut; everything else is refused.
const (
	// MaxRecipients is how many one Send may have: a transaction stays short. Send to
	// more in parts.
	MaxRecipients = 1000
	// MaxTitle and MaxBody are in code points.
	MaxTitle = 200
	MaxBody  = 4000
	// MaxKey, MaxLink and MaxData are in bytes; MaxData of the JSON.
	MaxKey  = 200
	MaxLink = 2000
	MaxData = 8 << 10

	maxID = 256
)

// Notification is what happened, for those who want to know.
type Notification struct {
	// Category is one of the built-in ones or of Config.Categories. Required.
	Category string
	// Type says what it is, for programs: "comment.created". It is written like the name
	// of a category. Required.
	Type string
	// OrganizationID is where it happened; empty for what belongs to no organization.
	OrganizationID string
	// Recipients are the ids of users. Those who are gone are passed over, and one who is
	// named twice gets one.
	Recipients []string
	// Key makes it one notification per recipient and organization, however often it is
	// sent: name the fact, such as "invoice/42/paid". Defaults to none: each Send is
	// another.
	Key string
	// Title is one line of plain text. Required.
	Title string
	// Body is plain text of one or more lines. It may be empty.
	Body string
	// Link is where it leads: a path of the site, such as "/invoices/42", or an http(s)
	// address. It may be empty.
	Link string
	// Data is for the page that shows it, and must be an object in JSON. It must not
	// hold secrets. nil is none.
	Data map[string]any

	// NoMail keeps it from going by mail, whatever category and recipient say: for what
	// is mailed otherwise.
	NoMail bool
	// NoWait passes over recipients whom another transaction is deleting or changing at
	// this moment. Without it Send waits for that. Set it inside a transaction that has
	// locked rows for which somebody who is being deleted may wait: the two would wait in
	// a circle.
	NoWait bool
	// FromStranger says that somebody can cause it who has nothing to do with the
	// recipient. Mails are then counted against the recipient's budget (rule R6).
	FromStranger bool
}

// Item is a notification of one recipient.
type Item struct {
	ID             string // UUIDv7
	UserID         string
	Category       string
	Type           string
	OrganizationID string
	Key            string // the id where the Notification had none
	Title          string
	Body           string
	Link           string
	Data           json.RawMessage // a JSON object, or empty
	// InApp is false for what went by mail alone and is kept for its key.
	InApp     bool
	CreatedAt time.Time
	ReadAt    time.Time // zero if it is not read
}

// item checks n and returns what all recipients get.
func (n Notification) item() (Item, error) {
	item := Item{
		Category: n.Category, Type: n.Type, OrganizationID: n.OrganizationID, Key: n.Key,
		Title: cut(oneLine(n.Title), MaxTitle), Body: cut(lines(n.Body), MaxBody), Link: n.Link,
	}
	if len(n.Data) > 0 {
		var err error
		if item.Data, err = json.Marshal(n.Data); err != nil {
			return Item{}, fmt.Errorf("data: %w", err)
		}
	}
	switch {
	case !validName(n.Type):
		return Item{}, errors.New("the type is not lower-case words with dots or dashes between them")
	case len(n.Recipients) > MaxRecipients:
		return Item{}, errors.New("there are too many recipients; send it in parts")
	case slices.Contains(n.Recipients, ""):
		return Item{}, errors.New("a recipient has no id")
	case item.Title == "":
		return Item{}, errors.New("the title is empty")
	case len(n.Key) > MaxKey || !plain(n.Key):
		return Item{}, errors.New("the key is too long or not plain text")
	case len(n.OrganizationID) > maxID || !plain(n.OrganizationID):
		return Item{}, errors.New("the organization is no id")
	case slices.ContainsFunc(n.Recipients, func(id string) bool { return len(id) > maxID || !plain(id) }):
		return Item{}, errors.New("a recipient is no id")
	case !validLink(n.Link):
		return Item{}, errors.New("the link is neither a path nor an http(s) address")
	case len(item.Data) > MaxData:
		return Item{}, errors.New("there are too many data")
	}
	return item, nil
}

// plain reports whether a database can keep s as text.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// validLink takes what a browser follows to a page, and nothing that it would run. A
// second slash or backslash at the start would lead to another site.
func validLink(link string) bool {
	if link == "" {
		return true
	}
	u, err := url.Parse(link)
	if err != nil || len(link) > MaxLink || !plain(link) || strings.ContainsAny(link, " \\") {
		return false
	}
	if u.Scheme == "" {
		return strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//")
	}
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// oneLine drops what cannot be printed and joins what is left by single spaces.
func oneLine(text string) string { return strings.Join(strings.Fields(printable(text)), " ") }

// lines is oneLine for each line. More than one empty line in a row becomes one.
func lines(text string) string {
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		line = oneLine(line)
		if line != "" || len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, line)
		}
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}

// cut keeps at most n code points, the last of them an ellipsis where any are lost.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	for i := range text {
		if n--; n == 0 {
			return strings.TrimSpace(text[:i]) + "…"
		}
	}
	return text
}
