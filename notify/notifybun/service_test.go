package notifybun_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/notify/notifybun"
)

// everybody are users who are never gone.
type everybody struct{}

func (everybody) HoldUsers(_ context.Context, ids []string, _ bool) ([]string, error) {
	return ids, nil
}

// letters counts mails.
type letters struct{ n atomic.Int64 }

func (l *letters) MailNotification(context.Context, notify.Letter) error { l.n.Add(1); return nil }

func newService(t *testing.T, db *bundb.DB) (*notify.Service, *letters) {
	t.Helper()
	mails := new(letters)
	return assert.Must(notify.New(notifybun.New(db), notify.Config{
		Categories: []notify.Category{{Name: "comments", Channels: notify.Channels()}},
		Users:      everybody{}, Mailer: mails, Keys: cryptotest.NewKeyring(t), Now: db.Now,
	}))(t), mails
}

func comment(key string, recipients ...string) notify.Notification {
	return notify.Notification{Category: "comments", Type: "comment.created", Key: key, Title: "Somebody answered you", Recipients: recipients}
}

// race runs call 16 times at once, each on a line of work of its own.
func race(t *testing.T, call func(ctx context.Context, n int) error) {
	t.Helper()
	var group sync.WaitGroup
	start := make(chan struct{})
	for n := range 16 {
		group.Go(func() {
			<-start
			assert.NoError(t, call(bundbtest.Flow(t.Context()), n))
		})
	}
	close(start)
	group.Wait()
}

func TestConcurrentSendsOfOneKeyAreOneRowAndOneMail(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc, mails := newService(t, db)
		users := []string{"ada", "bob", "cyd"}
		race(t, func(ctx context.Context, n int) error {
			return svc.Send(ctx, comment("raced", users[n%3], users[(n+1)%3], users[(n+2)%3]))
		})
		for _, user := range users {
			assert.Equal(t, assert.Must(svc.UnreadCount(t.Context(), user))(t), 1)
		}
		assert.Equal(t, mails.n.Load(), int64(3))
	})
}

// A Send that is rolled back leaves its key to the one that waited for it.
func TestAKeyOfARolledBackSendIsFree(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc, _ := newService(t, db)
		race(t, func(ctx context.Context, n int) error {
			stop := errors.New("stop")
			err := db.InTx(ctx, func(ctx context.Context) error {
				if err := svc.Send(ctx, comment("raced", "ada")); err != nil || n == 7 {
					return err
				}
				return stop
			})
			if errors.Is(err, stop) {
				return nil
			}
			return err
		})
		assert.Equal(t, assert.Must(svc.UnreadCount(t.Context(), "ada"))(t), 1)
	})
}

func TestUseCasesAreAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc, _ := newService(t, db)
		assert.NoError(t, svc.Send(t.Context(), comment("", "gone")))
		assert.Must(svc.SetPreference(t.Context(), "gone", "comments", notify.Mail, false))(t)
		for _, op := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return svc.Send(ctx, comment(uuid.NewString(), "ada", "bob", "cyd")) },
			func(ctx context.Context) error {
				_, err := svc.SetPreference(ctx, "ada", "comments", notify.Mail, false)
				return err
			},
			func(ctx context.Context) error {
				_, err := svc.MarkAllRead(ctx, "ada", bundbtest.ClockOf(db).Now().Add(1))
				return err
			},
			func(ctx context.Context) error {
				_, err := svc.SetPreference(ctx, "ada", "comments", notify.Mail, true)
				return err
			},
			func(ctx context.Context) error { return svc.Forget(ctx, "gone") },
		} {
			bundbtest.RequireAtomic(t, db, op)
		}
	})
}

// A host's transaction of many rows, more than one statement takes, is still one.
func TestALargeSendIsAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		svc, mails := newService(t, db)
		var crowd []string
		for range 250 {
			crowd = append(crowd, uuid.NewString())
		}
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error { return svc.Send(ctx, comment("", crowd...)) })
		assert.Equal(t, assert.Must(svc.UnreadCount(t.Context(), crowd[249]))(t), 1)
		assert.True(t, mails.n.Load() >= 250, "everybody is mailed")
	})
}
