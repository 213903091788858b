package sessionbun_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/session/sessiontest"
	"github.com/tenon-go/tenon/token"
)

func TestStore(t *testing.T) {
	t.Parallel()
	watch := tenants(t).Lint(t)
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessiontest.TestStore(t, func(t *testing.T) sessiontest.Env {
				db := open(t, schemas()...)
				watch(db)
				return env(t, db)
			})
		})
	}
}

func TestR14_StoreFollowsTheModel(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, ...bundb.Schema) *bundb.DB{
		"sqlite": bundbtest.SQLite, "postgres": bundbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessiontest.TestRefresh(t, func(t *testing.T) sessiontest.Env { return env(t, open(t, schemas()...)) })
		})
	}
}

func TestNewWantsItsJoins(t *testing.T) {
	t.Parallel()
	db := bundbtest.SQLite(t)
	good := joins()
	for name, cfg := range map[string]sessionbun.Config{
		"no user":        {Member: good.Member},
		"too few":        {User: bundb.Join{SQL: good.User.SQL, Columns: good.User.Columns[1:]}},
		"too many roles": {User: good.User, Member: bundb.Join{SQL: good.Member.SQL, Columns: []string{"m.role", "m.id"}}},
	} {
		if _, err := sessionbun.New(db, cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWithoutMembersNoOrganizationIsInScope(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		store := assert.Must(sessionbun.New(db, sessionbun.Config{User: joins().User}))(t)
		_, record := start(t, db, store)
		assert.NoError(t, store.SetOrganization(t.Context(), record.UserID, record.ID, "o1"))
		found := assert.Must(store.FindSession(t.Context(), record.Selector))(t)
		assert.Equal(t, found.Role, "")
	})
}

func TestDatabaseRefusesAnIdleEndAfterTheEnd(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		store := newStore(t, db)
		_, record := start(t, db, store)
		_, err := db.Statement("UPDATE tenon_sessions SET idle_ends_at = ? WHERE id = ?").
			Exec(t.Context(), record.EndsAt.Add(time.Microsecond), record.ID)
		assert.Error(t, err)
	})
}

func TestTouchFailureSparesTheTransaction(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		store := newStore(t, db)
		user, record := start(t, db, store)
		touch := touchOf(record, record.CreatedAt.Add(time.Minute))
		assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
			bundbtest.FaultsOf(db).FailAt(1)
			assert.ErrorIs(t, store.TouchSession(ctx, touch), bundbtest.ErrInjected)
			return standins{db}.PutRole(ctx, "o1", user, "member")
		}))
		var n int
		assert.NoError(t, db.Statement("SELECT count(*) FROM standin_members").QueryRow(t.Context()).Scan(&n))
		assert.Equal(t, n, 1)
	})
}

func TestR32_NoStatementAsksTheDatabaseForTheTime(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		for _, query := range bundbtest.FaultsOf(db).Record(func() { exercise(t, db) }) {
			for _, forbidden := range []string{"now(", "current_timestamp", "strftime", "datetime("} {
				assert.NotContains(t, strings.ToLower(query), forbidden)
			}
		}
	})
}

func TestMigrationsGoUpAndDownAndUp(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, nil, func(t *testing.T, db *bundb.DB) {
		var up []string
		for range 2 {
			assert.Must(db.Migrate(t.Context(), sessionbun.Schema()))(t)
			up = append(up, schemaOf(t, db))
			assert.Must(db.Rollback(t.Context(), sessionbun.Schema(), 0))(t)
			assert.Equal(t, schemaOf(t, db), "")
		}
		assert.Contains(t, up[0], "selector")
		assert.Equal(t, up[1], up[0])
	})
}

// schemaOf describes the tables and indexes of the package.
func schemaOf(t *testing.T, db *bundb.DB) string {
	t.Helper()
	query := "SELECT sql FROM sqlite_master WHERE tbl_name LIKE 'tenon_session%' AND sql IS NOT NULL ORDER BY name"
	if db.Dialect() == bundb.Postgres {
		query = `
SELECT column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(collation_name, '')
FROM information_schema.columns WHERE table_schema = current_schema() AND table_name LIKE 'tenon_session%'
UNION ALL
SELECT replace(indexdef, schemaname, '') FROM pg_indexes WHERE schemaname = current_schema() AND tablename LIKE 'tenon_session%'
ORDER BY 1`
	}
	rows := assert.Must(db.Raw(t.Context()).QueryContext(t.Context(), query))(t)
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var line string
		assert.NoError(t, rows.Scan(&line))
		b.WriteString(line + "\n")
	}
	assert.NoError(t, rows.Err())
	return b.String()
}

// start puts a user and a session of theirs into the database.
func start(t *testing.T, db *bundb.DB, store *sessionbun.Store) (user string, r session.Record) {
	t.Helper()
	now := db.Now()
	user = uuid.Must(uuid.NewV7()).String()
	u := sessiontest.UserState{User: session.User{ID: user, CreatedAt: now, UpdatedAt: now}, SecurityVersion: 1}
	assert.NoError(t, standins{db}.PutUser(t.Context(), u))
	id := uuid.Must(uuid.NewV7()).String()
	r = session.Record{
		Session: session.Session{
			ID: id, UserID: user, SecurityVersion: 1, Channels: []string{"password"}, ProvenAt: now,
			CreatedAt: now, LastSeenAt: now, IdleEndsAt: now.Add(10 * time.Minute), EndsAt: now.Add(time.Hour),
		},
		Selector: id[20:],
		Verifier: token.Verifier{KID: "k", MAC: make([]byte, 32)},
	}
	assert.NoError(t, store.CreateSession(t.Context(), r))
	return user, r
}

func touchOf(r session.Record, at time.Time) session.Touch {
	return session.Touch{ID: r.ID, SeenAt: at, IdleEndsAt: at.Add(time.Minute), Before: at.Add(-time.Minute)}
}

// exercise calls every method once.
func exercise(t *testing.T, db *bundb.DB) {
	t.Helper()
	ctx, store := t.Context(), newStore(t, db)
	user, r := start(t, db, store)
	assert.NoError(t, store.TouchSession(ctx, touchOf(r, r.CreatedAt.Add(2*time.Minute))))
	assert.NoError(t, store.SetOrganization(ctx, user, r.ID, "o1"))
	assert.Must(store.FindSession(ctx, r.Selector))(t)
	assert.Must(store.ListSessions(ctx, user, db.Now(), 5))(t)
	assert.Must(store.EndSessions(ctx, session.Ending{UserID: user, KeepID: r.ID, KeepVersion: 2, At: db.Now()}))(t)
	assert.Must(store.PruneSessions(ctx, db.Now(), 5))(t)
}

// TestUsingASessionTouchesNoIndex keeps what a rotation and the record of a use
// write out of the indexes, so that neither has to add to all of them.
func TestUsingASessionTouchesNoIndex(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	rows, err := db.Raw(t.Context()).QueryContext(t.Context(), `
SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = 'tenon_sessions'::regclass`)
	assert.NoError(t, err)
	defer rows.Close()
	indexed := map[string]bool{}
	for rows.Next() {
		var column string
		assert.NoError(t, rows.Scan(&column))
		indexed[column] = true
	}
	assert.NoError(t, rows.Err())
	assert.True(t, indexed["selector"] && indexed["idle_day"], "the indexes were found")
	for _, written := range []string{"last_seen_at", "idle_ends_at", "generation", "kid", "verifier", "salt", "rotated_at", "replays"} {
		assert.False(t, indexed[written], written+" is in an index")
	}
}
