package postgres_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/internal/assert"
)

// dsnWith returns the test database's DSN with one more parameter for the session.
func dsnWith(t *testing.T, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn(t))
	assert.NoError(t, err)
	if u.Scheme == "" {
		t.Skip("the DSN is no URL")
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx reads a plus as a plus
	return u.String()
}

// A backslash let values out of their quotes where the role had switched
// standard_conforming_strings off.
func TestValuesStayInTheirQuotesWhateverTheServerIsSetTo(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"options":                     "-c standard_conforming_strings=off -c datestyle=German",
		"standard_conforming_strings": "off",
		"Standard_Conforming_Strings": "off",
		"DateStyle":                   "SQL, DMY",
		"TimeZone":                    "America/New_York",
	} {
		db, err := postgres.Open(t.Context(), dsnWith(t, name, value), bundb.Config{})
		assert.NoError(t, err)
		const evil = `\' || current_user || ' \\ ?`
		var text, zone string
		at, moment := time.Time{}, time.Date(2026, 11, 1, 5, 30, 0, 123456000, time.UTC) // an hour that New York has twice
		err = db.Bun().NewSelect().Conn(db.Conn(t.Context())).
			ColumnExpr("?, ?::timestamptz, current_setting('timezone')", evil, moment).
			Scan(t.Context(), &text, bundb.ScanTime(&at), &zone)
		assert.NoError(t, err)
		assert.Equal(t, text, evil)
		assert.Equal(t, at, moment)
		assert.Equal(t, zone, "UTC")
		assert.NoError(t, db.Close())
	}
}

func TestR32_TimesOfAHostsPoolInAnotherZoneCompareAndComeBackEqual(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		conf, err := pgx.ParseConfig(dsnWith(t, "timezone", "America/New_York"))
		assert.NoError(t, err)
		conf.DefaultQueryExecMode = mode
		sqldb := stdlib.OpenDB(*conf)
		sqldb.SetMaxOpenConns(1) // the temporary table belongs to the connection
		db, err := postgres.New(sqldb, bundb.Config{})
		assert.NoError(t, err)
		ctx := t.Context()
		_, err = db.Raw(ctx).ExecContext(ctx, "CREATE TEMP TABLE moments (at timestamptz)")
		assert.NoError(t, err)
		for _, hour := range []int{4, 5, 6, 7} { // 01:00 to 02:00 comes twice there
			var n int
			var at time.Time
			moment := time.Date(2026, 11, 1, hour, 30, 0, 123456000, time.UTC)
			_, err = db.Statement("INSERT INTO moments VALUES (?)").Exec(ctx, moment)
			assert.NoError(t, err)
			_, err = db.Bun().NewRaw("INSERT INTO moments VALUES (?)", moment).Conn(db.Conn(ctx)).Exec(ctx)
			assert.NoError(t, err)
			row := db.Statement("SELECT count(*), max(at) FROM moments WHERE at >= ?").QueryRow(ctx, moment)
			assert.NoError(t, row.Scan(&n, bundb.ScanTime(&at)))
			assert.Equal(t, n, 2)
			assert.Equal(t, at, moment)
		}
		assert.NoError(t, db.Close())
	}
}

// Under a default isolation of snapshots those who had waited for the lock did not see
// what was applied meanwhile, and failed.
func TestManyMigrateAtOnceWhateverTheDefaultIsolation(t *testing.T) {
	t.Parallel()
	for i, isolation := range []string{"repeatable read", "serializable"} {
		schema := "tenon_isolated_" + strconv.Itoa(i) + strings.ToLower(rand.Text()[:8])
		files := fstest.MapFS{}
		for _, dialect := range []string{"postgres/", "sqlite/"} {
			files[dialect+"0001_a.up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE isolated_a (id integer);")}
			files[dialect+"0001_a.down.sql"] = &fstest.MapFile{Data: []byte("DROP TABLE isolated_a;")}
		}
		db, err := postgres.Open(t.Context(), dsnWith(t, "options",
			"-c search_path="+schema+" -c default_transaction_isolation="+strings.ReplaceAll(isolation, " ", `\ `)), bundb.Config{})
		assert.NoError(t, err)
		_, err = db.Raw(t.Context()).ExecContext(t.Context(), "CREATE SCHEMA "+schema)
		assert.NoError(t, err)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := db.Migrate(t.Context(), bundb.Schema{Name: "isolated", FS: files})
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		_, err = db.Raw(t.Context()).ExecContext(t.Context(), "DROP SCHEMA "+schema+" CASCADE")
		assert.NoError(t, err)
		assert.NoError(t, db.Close())
	}
}

func TestTransactionsReadWhatIsCommittedWhateverTheDefaultIsolation(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), dsnWith(t, "default_transaction_isolation", "serializable"), bundb.Config{})
	assert.NoError(t, err)
	assert.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		var isolation string
		err := db.Statement("SELECT current_setting('transaction_isolation')").QueryRow(ctx).Scan(&isolation)
		assert.Equal(t, isolation, "read committed")
		return err
	}))
	assert.NoError(t, db.Close())
}

func TestPingRefusesSettingsThatMisread(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"standard_conforming_strings": "off", "bytea_output": "escape", "datestyle": "German",
	} {
		conf, err := pgx.ParseConfig(dsnWith(t, name, value))
		assert.NoError(t, err)
		db, err := postgres.New(stdlib.OpenDB(*conf), bundb.Config{})
		assert.NoError(t, err)
		err = db.Ping(t.Context())
		assert.ErrorIs(t, err, bundb.ErrSettings)
		assert.Contains(t, err.Error(), name)
		assert.NoError(t, db.Close())
	}
}
