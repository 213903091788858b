package bundb_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/uptrace/bun"
)

type note struct {
	bun.BaseModel `bun:"table:tenon_notes"`

	ID   string    `bun:"id,pk"`
	Body string    `bun:"body"`
	At   time.Time `bun:"at,nullzero"`
}

// moments come in ascending order; texts of different length are among them.
func moments() []time.Time {
	base := time.Date(2026, 7, 1, 12, 0, 5, 0, time.UTC)
	var all []time.Time
	for _, us := range []int{0, 1, 10, 99999, 100000, 100001, 120000, 123456, 500000, 999999} {
		all = append(all, base.Add(time.Duration(us)*time.Microsecond))
	}
	return append(all, base.Add(time.Second))
}

func TestTimesOfBunAndStatementsCompareAndComeBackEqual(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		ctx := t.Context()
		put := db.Statement("INSERT INTO tenon_notes (id, body, at) VALUES (?, ?, ?)")
		for i, at := range moments() {
			id := string(rune('a' + i))
			zoned := at.In(time.FixedZone("west", -5*3600))
			_, err := db.Bun().NewInsert().Model(&note{ID: "bun" + id, Body: "bun" + id, At: zoned}).Conn(db.Conn(ctx)).Exec(ctx)
			assert.NoError(t, err)
			_, err = put.Exec(ctx, "hot"+id, "hot"+id, zoned.Add(999*time.Nanosecond))
			assert.NoError(t, err)
			_, err = db.Raw(ctx).ExecContext(ctx, put.String(), "raw"+id, "raw"+id, zoned)
			assert.NoError(t, err)
		}
		count := db.Statement("SELECT count(*) FROM tenon_notes WHERE at < ?")
		equal := db.Statement("SELECT count(*), min(at), max(at) FROM tenon_notes WHERE at = ?")
		for i, at := range moments() {
			var before, same int
			var least, most time.Time
			assert.NoError(t, count.QueryRow(ctx, at).Scan(&before))
			assert.NoError(t, equal.QueryRow(ctx, at).Scan(&same, bundb.ScanTime(&least), bundb.ScanTime(&most)))
			assert.Equal(t, []int{before, same}, []int{3 * i, 3})
			assert.Equal(t, []time.Time{least, most}, []time.Time{at, at})

			n, err := db.Bun().NewSelect().Model((*note)(nil)).Where("at <= ?", at).Conn(db.Conn(ctx)).Count(ctx)
			assert.NoError(t, err)
			assert.Equal(t, n, int64(3*i+3))
			var read note
			id := "raw" + string(rune('a'+i))
			assert.NoError(t, db.Bun().NewSelect().Model(&read).Where("id = ?", id).Conn(db.Conn(ctx)).Scan(ctx))
			assert.Equal(t, read.At.UTC(), at)
		}
	})
}

func TestScanTimeReadsReturningAndNull(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		put := db.Statement("INSERT INTO tenon_notes (id, at) VALUES (?, ?) RETURNING at")
		at := moments()[1]
		var got time.Time
		assert.NoError(t, put.QueryRow(t.Context(), "a", at).Scan(bundb.ScanTime(&got)))
		assert.Equal(t, got, at)
		assert.NoError(t, put.QueryRow(t.Context(), "b", sql.NullTime{}).Scan(bundb.ScanTime(&got)))
		assert.True(t, got.IsZero(), "NULL is the zero time")
		assert.Error(t, bundb.ScanTime(&got).Scan("yesterday"))
		assert.Error(t, bundb.ScanTime(&got).Scan(7))
		assert.NoError(t, bundb.ScanTime(&got).Scan([]byte("2026-07-01 12:00:05+00:00")))
		assert.Equal(t, got, moments()[0])
	})
}

func TestNowIsTheTestsClockInMicroseconds(t *testing.T) {
	each(t, func(t *testing.T, db *bundb.DB) {
		now := db.Now()
		assert.Equal(t, now, now.UTC().Truncate(time.Microsecond))
	})
}
