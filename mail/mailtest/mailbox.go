// Package mailtest keeps mail instead of sending it: for tests, and as the
// mailbox of a development server.
package mailtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tenon-go/tenon/mail"
)

var (
	_ mail.Mailer = (*Mailbox)(nil)
	_ mail.Outbox = (*Mailbox)(nil)
)

// Capacity is how many messages a Mailbox keeps; the oldest go first.
const Capacity = 500

// Mailbox is a mail.Mailer that keeps the last Capacity messages in memory, and
// a mail.Outbox that ignores transactions. The zero value is empty and ready. It
// is safe for concurrent use.
type Mailbox struct {
	mu       sync.Mutex
	messages []mail.Message
	arrived  chan struct{} // closed by the next arrival
	err      error
}

// Send keeps a valid message. SentAt is set to the time of the call if it is
// zero.
func (b *Mailbox) Send(ctx context.Context, m mail.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.Validate(); err != nil {
		return err
	}
	if m.SentAt.IsZero() {
		m.SentAt = time.Now().UTC()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	m.Links = slices.Clone(m.Links)
	b.messages = append(b.messages, m)
	if over := len(b.messages) - Capacity; over > 0 {
		b.messages = slices.Delete(b.messages, 0, over)
	}
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
	return nil
}

// Enqueue is Send. A test that needs the mail to follow the transaction puts a
// mail.Queue in front.
func (b *Mailbox) Enqueue(ctx context.Context, m mail.Message) error { return b.Send(ctx, m) }

// Fail makes Send return err until Fail(nil): a relay that is down.
func (b *Mailbox) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// Messages returns what is kept, oldest first.
func (b *Mailbox) Messages() []mail.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}

// Clear empties the mailbox.
func (b *Mailbox) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = nil
}

// Last returns the newest message to this address, and whether there is one.
func (b *Mailbox) Last(to string) (mail.Message, bool) {
	for _, m := range slices.Backward(b.Messages()) {
		if m.To == to {
			return m, true
		}
	}
	return mail.Message{}, false
}

// WaitFor returns the oldest message that match accepts, waiting for it to
// arrive until ctx ends.
func (b *Mailbox) WaitFor(ctx context.Context, match func(mail.Message) bool) (mail.Message, error) {
	for {
		b.mu.Lock()
		if i := slices.IndexFunc(b.messages, match); i >= 0 {
			m := b.messages[i]
			b.mu.Unlock()
			return m, nil
		}
		if b.arrived == nil {
			b.arrived = make(chan struct{})
		}
		arrived := b.arrived
		b.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return mail.Message{}, fmt.Errorf("mailtest: no such message: %w", ctx.Err())
		}
	}
}

// entry is a message as the development mailbox shows it.
type entry struct {
	To      string   `json:"to"`
	Subject string   `json:"subject"`
	Text    string   `json:"text"`
	HTML    string   `json:"html"`
	Links   []string `json:"links"`
	Code    string   `json:"code,omitempty"`
	SentAt  string   `json:"sentAt"`
}

// MarshalJSON returns the messages as an array, oldest first:
// [{"to", "subject", "text", "html", "links", "code"?, "sentAt"}].
func (b *Mailbox) MarshalJSON() ([]byte, error) {
	entries := []entry{}
	for _, m := range b.Messages() {
		entries = append(entries, entry{
			To: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Code: m.Code,
			Links:  append([]string{}, m.Links...),
			SentAt: m.SentAt.UTC().Format("2006-01-02T15:04:05.000Z"),
		})
	}
	return json.Marshal(entries)
}

// JSON is MarshalJSON.
func (b *Mailbox) JSON() ([]byte, error) { return b.MarshalJSON() }
