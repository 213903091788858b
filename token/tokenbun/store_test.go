package tokenbun_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokenbun"
	"github.com/tenon-go/tenon/token/tokentest"
)

const verifyEmail token.Purpose = "vrf:verify-email"

var errStop = errors.New("stop")

func schemas() []bundb.Schema { return []bundb.Schema{tokenbun.Schema()} }

func service(t testing.TB, db *bundb.DB) *token.Service {
	t.Helper()
	return assert.Must(token.New(tokenbun.New(db), token.Config{Peppers: tokentest.NewPeppers(), Logger: slog.New(slog.DiscardHandler)}))(t)
}

func issue(ctx context.Context, t testing.TB, s *token.Service, subject string) (token.OneTime, string) {
	t.Helper()
	one, secret, err := s.Issue(ctx, token.IssueParams{Purpose: verifyEmail, Subject: subject, SecurityVersion: 2, TTL: time.Hour, Payload: []byte(`{"é": "\u00e9"}`)})
	assert.NoError(t, err)
	return one, secret.Reveal()
}

func TestStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokentest.TestStore(t, func(t *testing.T) tokentest.Env {
				db := open(t, schemas()...)
				return tokentest.Env{Store: tokenbun.New(db), Break: func() { _ = db.Close() }}
			})
		})
	}
}

func TestServiceOnTheDatabase(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		issued, raw := issue(t.Context(), t, s, "u1")
		assert.Equal(t, issued.CreatedAt, db.Now())
		_, sibling := issue(t.Context(), t, s, "u1")
		peeked, err := s.Peek(t.Context(), verifyEmail, raw)
		assert.NoError(t, err)
		assert.Equal(t, peeked, issued)
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			_, err := s.Consume(ctx, verifyEmail, raw)
			return err
		}))
		for _, dead := range []string{raw, sibling} {
			_, err := s.Consume(t.Context(), verifyEmail, dead)
			assert.ErrorIs(t, err, token.ErrInvalid)
		}
	})
}

func TestPromise3_NoSecretIsReadableAtRest(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		_, raw := issue(t.Context(), t, service(t, db), "u1")
		dump := string(bundbtest.Dump(t, db))
		parsed, err := token.Parse(token.KindVerify, raw)
		assert.NoError(t, err)
		assert.Contains(t, dump, parsed.Selector())
		assert.NotContains(t, dump, raw)
		assert.NotContains(t, dump, raw[24:56])
	})
}

func TestPromise4_Of64ConsumersOneWins(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		var raws [4]string
		for i := range raws {
			_, raws[i] = issue(t.Context(), t, s, "u1")
		}
		var winners, losers atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 64 {
			wg.Go(func() {
				<-start
				ctx := bundbtest.Flow(t.Context())
				err := db.InTx(ctx, func(ctx context.Context) error {
					_, err := s.Consume(ctx, verifyEmail, raws[i%len(raws)])
					return err
				})
				switch {
				case err == nil:
					winners.Add(1)
				case errors.Is(err, token.ErrInvalid):
					losers.Add(1)
				default:
					t.Errorf("racer %d: %v", i, err)
				}
			})
		}
		close(start)
		wg.Wait()
		assert.Equal(t, winners.Load(), 1)
		assert.Equal(t, losers.Load(), 63)
	})
}

func TestR1_AConsumerStalledAcrossARevocationLoses(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		_, raw := issue(t.Context(), t, s, "u1")
		stalled := bundbtest.FaultsOf(db).StallOn("BEGIN", 1)
		done := make(chan error, 1)
		go func() {
			_, err := s.Consume(bundbtest.Flow(t.Context()), verifyEmail, raw)
			done <- err
		}()
		stalled.Wait(t) // the token is verified, its use has not begun
		assert.NoError(t, service(t, bundbtest.Reopen(t, db)).RevokeSiblings(t.Context(), verifyEmail, "u1"))
		stalled.Release()
		assert.ErrorIs(t, <-done, token.ErrInvalid)
	})
}

func TestTwoSiblingsConsumedAtOnceDoNotDeadlock(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	s, second := service(t, db), bundbtest.Reopen(t, db)
	_, first := issue(t.Context(), t, s, "u1")
	_, sibling := issue(t.Context(), t, s, "u1")
	stalled := bundbtest.FaultsOf(db).StallOn("DELETE", 1)
	won, lost := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Consume(bundbtest.Flow(t.Context()), verifyEmail, sibling)
		won <- err
	}()
	stalled.Wait(t) // consumed, and about to drop the other
	pid := make(chan int, 1)
	go func() {
		lost <- second.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			var id int
			if err := second.Raw(ctx).QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&id); err != nil {
				return err
			}
			pid <- id
			_, err := service(t, second).Consume(ctx, verifyEmail, first)
			return err
		})
	}()
	for id, waiting := <-pid, false; !waiting; {
		assert.NoError(t, db.Statement("SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE pid = ?").
			QueryRow(t.Context(), id).Scan(&waiting))
	}
	stalled.Release()
	assert.NoError(t, <-won)
	assert.ErrorIs(t, <-lost, token.ErrInvalid)
}

func TestIssueAndConsumeAreAtomic(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			_, _, err := s.Issue(ctx, token.IssueParams{Purpose: verifyEmail, Subject: "u1", TTL: time.Hour})
			return err
		})
		_, raw := issue(t.Context(), t, s, "u2")
		_, _ = issue(t.Context(), t, s, "u2")
		bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
			_, err := s.Consume(ctx, verifyEmail, raw)
			return err
		})
	})
}

func TestIssueJoinsTheHostsTransaction(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		var raw string
		assert.ErrorIs(t, db.InTx(t.Context(), func(ctx context.Context) error {
			_, raw = issue(ctx, t, s, "u1")
			_, err := s.Peek(ctx, verifyEmail, raw)
			assert.NoError(t, err)
			return errStop
		}), errStop)
		_, err := s.Peek(t.Context(), verifyEmail, raw)
		assert.ErrorIs(t, err, token.ErrInvalid)
	})
}

func TestMaintainPrunesInBatches(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		for range 3 {
			_, _ = issue(t.Context(), t, s, "u1")
		}
		bundbtest.ClockOf(db).Advance(time.Hour)
		_, live := issue(t.Context(), t, s, "u2")
		assert.NoError(t, s.Maintain(t.Context()))
		var n int
		assert.NoError(t, db.Statement("SELECT count(*) FROM tenon_one_time_tokens").QueryRow(t.Context()).Scan(&n))
		assert.Equal(t, n, 1)
		_, err := s.Peek(t.Context(), verifyEmail, live)
		assert.NoError(t, err)
	})
}

func TestR32_NoStatementAsksTheDatabaseForTheTime(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		s := service(t, db)
		queries := bundbtest.FaultsOf(db).Record(func() {
			one, raw := issue(t.Context(), t, s, "u1")
			assert.NoError(t, s.Charge(t.Context(), one, 5))
			_, err := s.Consume(t.Context(), verifyEmail, raw)
			assert.NoError(t, err)
			assert.NoError(t, s.Maintain(t.Context()))
		})
		assert.True(t, len(queries) >= 6, "the statements were recorded")
		for _, query := range queries {
			for _, forbidden := range []string{"now(", "current_timestamp", "strftime", "datetime("} {
				assert.NotContains(t, strings.ToLower(query), forbidden)
			}
		}
	})
}

func TestMigrationsGoUpAndDownAndUp(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		for range 2 {
			applied := assert.Must(db.Migrate(t.Context(), tokenbun.Schema()))(t)
			assert.Len(t, applied, 1)
			_, raw := issue(t.Context(), t, service(t, db), "u1")
			assert.NotEqual(t, raw, "")
			assert.Must(db.Rollback(t.Context(), tokenbun.Schema(), 0))(t)
			_, err := db.Statement("SELECT count(*) FROM tenon_one_time_tokens").Exec(t.Context())
			assert.Error(t, err)
		}
	})
}
