package mailtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/mail/mailtest"
)

func note(n int) mail.Message {
	return mail.Message{To: "ann@example.com", Subject: fmt.Sprint("note ", n), Text: "x", SentAt: time.Date(2026, 3, 1, 12, 0, n, 120456789, time.UTC)}
}

func TestTheMailboxKeepsTheNewestOldestFirst(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	for n := range mailtest.Capacity + 2 {
		assert.NoError(t, box.Send(t.Context(), note(n)))
	}
	all := box.Messages()
	assert.Len(t, all, mailtest.Capacity)
	assert.Equal(t, all[0].Subject, "note 2")
	last, ok := box.Last("ann@example.com")
	assert.True(t, ok, "found")
	assert.Equal(t, last.Subject, all[len(all)-1].Subject)
	_, ok = box.Last("bob@example.com")
	assert.False(t, ok, "found")
	box.Clear()
	assert.Len(t, box.Messages(), 0)
}

func TestTheJSONIsTheOneOfTheQuickstart(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	got, err := box.JSON()
	assert.NoError(t, err)
	assert.Equal(t, string(got), "[]")
	m := note(1)
	assert.NoError(t, box.Send(t.Context(), m))
	m.HTML, m.Code, m.Links = "<p>", "123456", []string{"https://x.example/?a=1"}
	assert.NoError(t, box.Enqueue(t.Context(), m))
	got, err = box.JSON()
	assert.NoError(t, err)
	assert.Equal(t, string(got), `[{"to":"ann@example.com","subject":"note 1","text":"x","html":"","links":[],"sentAt":"2026-03-01T12:00:01.120Z"},`+
		`{"to":"ann@example.com","subject":"note 1","text":"x","html":"\u003cp\u003e","links":["https://x.example/?a=1"],"code":"123456","sentAt":"2026-03-01T12:00:01.120Z"}]`)
}

func TestTheMailboxRefusesWhatAServerWould(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	assert.ErrorIs(t, box.Send(t.Context(), mail.Message{}), mail.ErrInvalidMessage)
	down := errors.New("down")
	box.Fail(down)
	assert.ErrorIs(t, box.Send(t.Context(), note(1)), down)
	box.Fail(nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, box.Send(ended, note(1)), context.Canceled)
	assert.Len(t, box.Messages(), 0)
}

func TestWaitForFindsPastAndFutureMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var box mailtest.Mailbox
		wanted := func(m mail.Message) bool { return m.Subject == "note 2" }
		got := make(chan mail.Message)
		go func() {
			m, err := box.WaitFor(t.Context(), wanted)
			assert.NoError(t, err)
			got <- m
		}()
		assert.NoError(t, box.Send(t.Context(), note(1)))
		synctest.Wait()
		assert.NoError(t, box.Send(t.Context(), note(2)))
		assert.Equal(t, (<-got).Subject, "note 2")
		again, err := box.WaitFor(t.Context(), wanted)
		assert.NoError(t, err)
		assert.Equal(t, again.Subject, "note 2")
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = box.WaitFor(soon, func(mail.Message) bool { return false })
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
