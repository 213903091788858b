package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// listening listens in the background until ctx ends.
func listening(ctx context.Context, db *bundb.DB, channel string) (heard chan struct{}, ended chan error) {
	heard, ended = make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- db.Listen(ctx, channel, func() { heard <- struct{}{} }) }()
	return heard, ended
}

func listeners(t *testing.T, db *bundb.DB, channel string) (n int) {
	t.Helper()
	const query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN \"' || ? || '\"'"
	assert.NoError(t, db.Statement(query).QueryRow(t.Context(), channel).Scan(&n))
	return n
}

func TestANotificationIsHeardByEveryListener(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, b := open(t, bundb.Config{}), open(t, bundb.Config{})
	channel := `tenon test "heard" ` + rand.Text()
	heardA, endedA := listening(ctx, a, channel)
	heardB, endedB := listening(ctx, b, channel)
	<-heardA // each listens now
	<-heardB
	assert.NoError(t, a.Notify(t.Context(), channel))
	<-heardA
	<-heardB
	// A notification says that something was committed; it goes out at once, and
	// survives a transaction that is rolled back.
	stop := errors.New("stop here")
	assert.ErrorIs(t, b.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, b.Notify(ctx, channel))
		<-heardA
		return stop
	}), stop)
	cancel()
	assert.ErrorIs(t, <-endedA, context.Canceled)
	assert.ErrorIs(t, <-endedB, context.Canceled)
}

func TestAConnectionThatListenedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	db := open(t, bundb.Config{MaxOpenConns: 4})
	channel := rand.Text()
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := listening(ctx, db, channel)
	<-heard
	assert.Equal(t, listeners(t, db, channel), 1)
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
	var channels int
	for range 3 {
		assert.NoError(t, db.Raw(t.Context()).QueryRowContext(t.Context(), "SELECT count(*) FROM pg_listening_channels()").Scan(&channels))
		assert.Equal(t, channels, 0)
	}
}

func TestAKilledListenerReportsAnOutage(t *testing.T) {
	t.Parallel()
	db := open(t, bundb.Config{})
	channel := rand.Text()
	heard, ended := listening(t.Context(), db, channel)
	<-heard
	var killed int
	assert.NoError(t, db.Statement(
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN \"' || ? || '\"'").
		QueryRow(t.Context(), channel).Scan(&killed))
	assert.Equal(t, killed, 1)
	assert.ErrorIs(t, <-ended, problem.ErrUnavailable)
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended = listening(ctx, db, channel)
	<-heard
	assert.NoError(t, db.Notify(t.Context(), channel))
	<-heard
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
}

func TestThereIsNothingToListenToBehindAPoolerOrInASmallPool(t *testing.T) {
	t.Parallel()
	for _, cfg := range []bundb.Config{{NoStatementCache: true}, {MaxOpenConns: 1}, {MaxOpenConns: 3}} {
		db := open(t, cfg)
		assert.NoError(t, db.Listen(t.Context(), "x", func() { t.Error("heard something") }))
		assert.NoError(t, db.Notify(t.Context(), "x"))
	}
}
