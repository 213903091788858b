package mail

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// QueueConfig configures a Queue. Its zero value works without a database.
type QueueConfig struct {
	// AfterCommit registers a function to be called when the transaction in ctx
	// has committed, at once if there is none; (*bundb.DB).AfterCommit is one.
	// Defaults to calling at once.
	AfterCommit func(ctx context.Context, fn func(ctx context.Context))
	// Capacity is how many messages may wait; more are dropped. Defaults to 1000.
	Capacity int
	// Attempts is how often a message is tried. Defaults to 5.
	Attempts int
	// Backoff is the wait after the given failed attempt, counted from 1.
	// Defaults to 5 s, 25 s, 2 min, 10 min.
	Backoff func(attempt int) time.Duration
	// Workers is how many messages Run sends at the same time. Defaults to 2.
	Workers int
	// SendTimeout bounds one attempt. Defaults to one minute.
	SendTimeout time.Duration
	// Now is the clock of SentAt and of the waits. Defaults to time.Now.
	Now func() time.Time
	// Logger gets what fails and what is dropped. Defaults to slog.Default().
	Logger *slog.Logger
}

// Queue is an Outbox in memory. It is the simplest thing that keeps the promise
// of Outbox while the process lives: what waits is lost when the process dies,
// and then the person asks for another mail. The durable job queue takes its
// place by implementing Outbox on a table; no caller changes, because none knows
// more than Enqueue.
//
// Enqueue never waits for the network. Exactly one message is handed to the
// Mailer per attempt; a message whose attempt succeeded although its answer was
// lost is sent twice.
type Queue struct {
	mailer Mailer
	cfg    QueueConfig
	wake   chan struct{}

	mu      sync.Mutex
	waiting []queued
	served  bool // Run or Drain has been called
	warned  bool
}

type queued struct {
	message  Message
	attempts int
	due      time.Time
}

// NewQueue returns a Queue in front of mailer. Nothing is sent before Run or
// Drain is called.
func NewQueue(mailer Mailer, cfg QueueConfig) (*Queue, error) {
	if mailer == nil {
		return nil, errors.New("mail: NewQueue needs a Mailer")
	}
	if cfg.Capacity < 0 || cfg.Attempts < 0 || cfg.Workers < 0 || cfg.SendTimeout < 0 {
		return nil, errors.New("mail: negative Capacity, Attempts, Workers or SendTimeout")
	}
	if cfg.AfterCommit == nil {
		cfg.AfterCommit = func(ctx context.Context, fn func(context.Context)) { fn(ctx) }
	}
	if cfg.Backoff == nil {
		cfg.Backoff = backoff
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Capacity = cmp.Or(cfg.Capacity, 1000)
	cfg.Attempts = cmp.Or(cfg.Attempts, 5)
	cfg.Workers = cmp.Or(cfg.Workers, 2)
	cfg.SendTimeout = cmp.Or(cfg.SendTimeout, time.Minute)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return &Queue{mailer: mailer, cfg: cfg, wake: make(chan struct{}, 1)}, nil
}

func backoff(attempt int) time.Duration {
	wait := 5 * time.Second
	for range min(attempt, 6) - 1 {
		wait *= 5
	}
	return min(wait, 10*time.Minute)
}

// Enqueue checks the message and sends it after the commit of the transaction in
// ctx. The error is an ErrInvalidMessage or nil: a full queue drops the message
// and says so in the log, because the request that caused it has committed by
// then.
func (q *Queue) Enqueue(ctx context.Context, m Message) error {
	if err := m.Validate(); err != nil {
		return err
	}
	q.cfg.AfterCommit(ctx, func(ctx context.Context) { q.put(ctx, m) })
	return nil
}

func (q *Queue) put(ctx context.Context, m Message) {
	q.mu.Lock()
	full := len(q.waiting) >= q.cfg.Capacity
	if !full {
		q.waiting = append(q.waiting, queued{message: m, due: q.cfg.Now()})
	}
	warn := !q.served && !q.warned
	q.warned = q.warned || warn
	q.mu.Unlock()
	if warn {
		q.cfg.Logger.WarnContext(ctx, "mail waits and nobody sends it: call Run or Drain")
	}
	if full {
		q.cfg.Logger.ErrorContext(ctx, "mail dropped", "reason", "the queue is full", "kind", m.Kind)
		return
	}
	q.signal()
}

// signal wakes one worker. A wake-up that is already pending stands for it.
func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Waiting returns how many messages wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// Run sends what is due until ctx ends, waits for the attempts in flight, and
// returns nil. What still waits stays for Drain.
func (q *Queue) Run(ctx context.Context) error {
	q.serve()
	var workers sync.WaitGroup
	for range q.cfg.Workers {
		workers.Go(func() { q.work(ctx) })
	}
	workers.Wait()
	return nil
}

// serve notes that somebody sends.
func (q *Queue) serve() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.served = true
}

func (q *Queue) work(ctx context.Context) {
	for ctx.Err() == nil {
		item, wait, ok := q.take()
		if ok {
			q.signal() // there may be more for the others
			q.send(ctx, item)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Drain sends what is due now, each message once, and returns ctx's error if
// that ends first. Failed messages wait for their next attempt.
func (q *Queue) Drain(ctx context.Context) error {
	q.serve()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		item, _, ok := q.take()
		if !ok {
			return nil
		}
		q.send(ctx, item)
	}
}

// idle is how long a worker sleeps when nothing waits.
const idle = time.Hour

// take removes the message that is due the longest. Where none is due it says
// how long to wait.
func (q *Queue) take() (item queued, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := -1
	for i, w := range q.waiting {
		if first < 0 || w.due.Before(q.waiting[first].due) {
			first = i
		}
	}
	if first < 0 {
		return queued{}, idle, false
	}
	item = q.waiting[first]
	if wait := item.due.Sub(q.cfg.Now()); wait > 0 {
		return queued{}, min(wait, idle), false
	}
	q.waiting = append(q.waiting[:first], q.waiting[first+1:]...)
	return item, 0, true
}

// send makes one attempt. It outlives ctx, within SendTimeout: a shutdown must
// not tear a message in two.
func (q *Queue) send(ctx context.Context, item queued) {
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.cfg.SendTimeout)
	defer cancel()
	item.attempts++
	item.message.SentAt = q.cfg.Now().UTC()
	err := q.mailer.Send(attempt, item.message)
	if err == nil {
		return
	}
	attrs := []any{"kind", item.message.Kind, "attempt", item.attempts, "error", scrub(err, item.message)}
	if IsPermanent(err) || item.attempts >= q.cfg.Attempts {
		q.cfg.Logger.ErrorContext(ctx, "mail dropped", attrs...)
		return
	}
	q.cfg.Logger.WarnContext(ctx, "mail failed, to be tried again", attrs...)
	item.due = q.cfg.Now().Add(q.cfg.Backoff(item.attempts))
	q.mu.Lock()
	q.waiting = append(q.waiting, item)
	q.mu.Unlock()
	q.signal()
}

// scrub returns the text of a Mailer's error without what belongs to the person:
// a Mailer may not be ours.
func scrub(err error, m Message) string {
	text := err.Error()
	secrets := append([]string{m.To, m.Code}, m.Links...)
	if to, err := parseMailbox(m.To); err == nil {
		secrets = append(secrets, to.address)
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}
