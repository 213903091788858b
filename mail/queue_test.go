package mail_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/mail/mailtest"
)

func note(to string) mail.Message {
	return mail.Message{To: to, Subject: "Note", Text: "see https://x.example/secret\n", Kind: "note", Links: []string{"https://x.example/secret"}, Code: "654321"}
}

// logger collects what a Queue logs.
type logger struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newQueue(t *testing.T, m mail.Mailer, cfg mail.QueueConfig) (*mail.Queue, *logger) {
	t.Helper()
	log := &logger{}
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	q, err := mail.NewQueue(m, cfg)
	assert.NoError(t, err)
	return q, log
}

// transaction stands for a database's: what is registered runs at commit.
type transaction struct{ after []func(context.Context) }

func (tx *transaction) AfterCommit(_ context.Context, fn func(context.Context)) {
	tx.after = append(tx.after, fn)
}

func (tx *transaction) commit(ctx context.Context) {
	for _, fn := range tx.after {
		fn(ctx)
	}
}

func TestMailFollowsTheTransaction(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	tx := &transaction{}
	q, _ := newQueue(t, &box, mail.QueueConfig{AfterCommit: tx.AfterCommit})
	assert.NoError(t, q.Enqueue(t.Context(), note("ann@example.com")))
	assert.NoError(t, q.Drain(t.Context()))
	assert.Len(t, box.Messages(), 0) // as if it rolled back
	tx.commit(t.Context())
	assert.NoError(t, q.Drain(t.Context()))
	assert.Len(t, box.Messages(), 1)
	assert.NoError(t, q.Drain(t.Context()))
	assert.Len(t, box.Messages(), 1)
}

func TestAnInvalidMessageIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	q, _ := newQueue(t, &box, mail.QueueConfig{})
	assert.ErrorIs(t, q.Enqueue(t.Context(), note("ann@example.com\r\nBcc: x@example.com")), mail.ErrInvalidMessage)
	assert.Equal(t, q.Waiting(), 0)
}

func TestRunSendsAndRetriesWithBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var box mailtest.Mailbox
		q, log := newQueue(t, &box, mail.QueueConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		box.Fail(errors.New("550 ann@example.com https://x.example/secret 654321"))
		began := time.Now()
		assert.NoError(t, q.Enqueue(ctx, note("ann@example.com")))
		synctest.Wait()
		assert.Equal(t, q.Waiting(), 1)
		box.Fail(nil)
		got, err := box.WaitFor(ctx, func(m mail.Message) bool { return m.Kind == "note" })
		assert.NoError(t, err)
		assert.Equal(t, time.Since(began), 5*time.Second) // of the bubble's clock
		assert.Equal(t, got.SentAt, time.Now().UTC())
		assert.Contains(t, log.String(), "tried again")
		for _, secret := range []string{"ann@example.com", "x.example", "654321"} {
			assert.NotContains(t, log.String(), secret)
		}
		cancel()
		assert.NoError(t, <-done)
	})
}

func TestAMessageIsDroppedAfterItsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var box mailtest.Mailbox
		var waits []int
		q, log := newQueue(t, &box, mail.QueueConfig{Attempts: 3, Workers: 1, Backoff: func(n int) time.Duration {
			waits = append(waits, n)
			return time.Duration(n) * time.Minute
		}})
		box.Fail(errors.New("down"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		assert.NoError(t, q.Enqueue(ctx, note("ann@example.com")))
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, waits, []int{1, 2})
		assert.Equal(t, q.Waiting(), 0)
		assert.Contains(t, log.String(), "mail dropped")
		cancel()
		assert.NoError(t, <-done)
	})
}

func TestAPermanentFailureIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	q, log := newQueue(t, &box, mail.QueueConfig{})
	box.Fail(&mail.SendError{Step: "recipient", Code: 550, Permanent: true})
	assert.NoError(t, q.Enqueue(t.Context(), note("ann@example.com")))
	assert.NoError(t, q.Drain(t.Context()))
	assert.Equal(t, q.Waiting(), 0)
	assert.Contains(t, log.String(), "550")
}

func TestAFullQueueDropsAndSaysSoWithoutTheAddress(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	q, log := newQueue(t, &box, mail.QueueConfig{Capacity: 2})
	for range 3 {
		assert.NoError(t, q.Enqueue(t.Context(), note("ann@example.com")))
	}
	assert.Equal(t, q.Waiting(), 2)
	assert.Contains(t, log.String(), "the queue is full")
	assert.NotContains(t, log.String(), "ann@")
	assert.NotContains(t, log.String(), "x.example")
}

func TestNobodyRunningIsWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	q, log := newQueue(t, &box, mail.QueueConfig{})
	for range 3 {
		assert.NoError(t, q.Enqueue(t.Context(), note("ann@example.com")))
	}
	assert.Equal(t, bytes.Count([]byte(log.String()), []byte("nobody sends it")), 1)
	served, quiet := newQueue(t, &box, mail.QueueConfig{})
	assert.NoError(t, served.Drain(t.Context()))
	assert.NoError(t, served.Enqueue(t.Context(), note("ann@example.com")))
	assert.Equal(t, quiet.String(), "")
}

// stuck is a Mailer that waits for its context.
type stuck struct{ began chan struct{} }

func (s stuck) Send(ctx context.Context, _ mail.Message) error {
	s.began <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestASlowMailerDelaysNoRequestAndNoShutdownForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := stuck{began: make(chan struct{}, 10)}
		q, _ := newQueue(t, m, mail.QueueConfig{SendTimeout: 10 * time.Second, Attempts: 1})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		assert.NoError(t, q.Enqueue(ctx, note("ann@example.com")))
		<-m.began
		began := time.Now()
		assert.NoError(t, q.Enqueue(ctx, note("bob@example.com")))
		assert.Equal(t, time.Since(began), 0)
		<-m.began
		cancel()
		assert.NoError(t, <-done)
		assert.Equal(t, time.Since(began), 10*time.Second)
	})
}

func TestDrainStopsWithItsContext(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	q, _ := newQueue(t, &box, mail.QueueConfig{})
	assert.NoError(t, q.Enqueue(t.Context(), note("ann@example.com")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, q.Drain(ctx), context.Canceled)
	assert.Equal(t, q.Waiting(), 1)
}

func TestManyEnqueuesAreSentOnceEach(t *testing.T) {
	t.Parallel()
	var box mailtest.Mailbox
	q, _ := newQueue(t, &box, mail.QueueConfig{Workers: 4})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if err := q.Enqueue(ctx, note("ann@example.com")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	assert.NoError(t, <-done)
	assert.NoError(t, q.Drain(t.Context()))
	assert.Len(t, box.Messages(), 200)
}

func TestNewQueueRefusesWhatItCannotWorkWith(t *testing.T) {
	t.Parallel()
	_, err := mail.NewQueue(nil, mail.QueueConfig{})
	assert.Error(t, err)
	_, err = mail.NewQueue(&mailtest.Mailbox{}, mail.QueueConfig{Workers: -1})
	assert.Error(t, err)
}
