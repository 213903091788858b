package mail_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/mail/mailtest"
)

func TestPromise1_ARolledBackTransactionMailsNothing(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		var box mailtest.Mailbox
		q, _ := newQueue(t, &box, mail.QueueConfig{AfterCommit: db.AfterCommit})
		stop := errors.New("stop")
		enqueue := func(ctx context.Context, to string) { assert.NoError(t, q.Enqueue(ctx, note(to))) }
		assert.ErrorIs(t, db.InTx(t.Context(), func(ctx context.Context) error {
			enqueue(ctx, "rolled-back@example.com")
			return stop
		}), stop)
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			enqueue(ctx, "committed@example.com")
			assert.ErrorIs(t, db.InTx(ctx, func(ctx context.Context) error {
				enqueue(ctx, "savepoint@example.com")
				return stop
			}), stop)
			assert.Equal(t, q.Waiting(), 0)
			return nil
		}))
		bundbtest.FaultsOf(db).FailCommit()
		assert.Error(t, db.InTx(t.Context(), func(ctx context.Context) error {
			enqueue(ctx, "failed-commit@example.com")
			_, err := db.Raw(ctx).ExecContext(ctx, "SELECT 1")
			return err
		}))
		enqueue(t.Context(), "no-transaction@example.com")
		assert.NoError(t, q.Drain(t.Context()))
		var to []string
		for _, m := range box.Messages() {
			to = append(to, m.To)
		}
		assert.Equal(t, to, []string{"committed@example.com", "no-transaction@example.com"})
	})
}
