package notify_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/notify/notifytest"
)

// world is a Service on a store in memory.
type world struct {
	svc   *notify.Service
	fake  *notifytest.Fake
	users *holder
	mails *mailer
	now   time.Time
}

// holder are users; those in gone do not exist.
type holder struct {
	fake *notifytest.Fake
	gone []string
	held []string

	waited []bool
	err    error
}

func (h *holder) HoldUsers(ctx context.Context, ids []string, wait bool) ([]string, error) {
	switch {
	case !h.fake.InTransaction(ctx):
		return nil, errors.New("held outside a transaction")
	case h.err != nil:
		return nil, h.err
	}
	h.waited = append(h.waited, wait)
	held := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(h.gone, id) })
	h.held = append(h.held, held...)
	return held, nil
}

// mailer keeps what it is given.
type mailer struct {
	fake    *notifytest.Fake
	letters []notify.Letter
	err     error
}

func (m *mailer) MailNotification(ctx context.Context, l notify.Letter) error {
	if !m.fake.InTransaction(ctx) {
		return errors.New("mailed outside the transaction")
	}
	m.letters = append(m.letters, l)
	return m.err
}

func (m *mailer) to() (ids []string) {
	for _, l := range m.letters {
		ids = append(ids, l.UserID)
	}
	return ids
}

func newWorld(t *testing.T, change ...func(*notify.Config)) *world {
	t.Helper()
	fake := notifytest.NewFake()
	w := &world{fake: fake, users: &holder{fake: fake}, mails: &mailer{fake: fake}, now: time.Date(2026, 3, 4, 5, 6, 7, 8901000, time.UTC)}
	cfg := notify.Config{
		Categories: []notify.Category{
			{Name: "comments", Channels: []notify.Channel{notify.InApp, notify.Mail}},
			{Name: "news"},
			{Name: "legal", Channels: []notify.Channel{notify.Mail}, Required: true, Description: "Terms"},
		},
		Users: w.users, Mailer: w.mails, Keys: cryptotest.NewKeyring(t), Now: func() time.Time { return w.now },
	}
	for _, f := range change {
		f(&cfg)
	}
	w.svc = assert.Must(notify.New(fake, cfg))(t)
	return w
}

// comment is a notification of a kind that goes by both channels.
func comment(recipients ...string) notify.Notification {
	return notify.Notification{Category: "comments", Type: "comment.created", Recipients: recipients, Title: "Somebody answered you"}
}

func (w *world) send(t *testing.T, n notify.Notification) {
	t.Helper()
	w.now = w.now.Add(time.Second)
	assert.NoError(t, w.svc.Send(t.Context(), n))
}

func (w *world) list(t *testing.T, userID string) []notify.Item {
	t.Helper()
	return assert.Must(w.svc.List(t.Context(), notify.ListParams{UserID: userID, Limit: 100}))(t).Items
}

func (w *world) unread(t *testing.T, userID string) int {
	t.Helper()
	return assert.Must(w.svc.UnreadCount(t.Context(), userID))(t)
}

func (w *world) set(t *testing.T, userID, category string, ch notify.Channel, enabled bool) {
	t.Helper()
	setting := assert.Must(w.svc.SetPreference(t.Context(), userID, category, ch, enabled))(t)
	assert.Equal(t, setting.Enabled, enabled)
}
