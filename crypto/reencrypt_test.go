package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

var codes = crypto.SealedColumn{Column: crypto.Column{Purpose: crypto.PurposeData, Table: "codes", Column: "code"}}

// filled is a bench with rows in two columns, all sealed by a key that has just been retired.
func filled(t *testing.T, rows int) *bench {
	t.Helper()
	b := newBench(t, crypto.Config{Sealed: []crypto.SealedColumn{codes, secrets}})
	for i := range rows {
		id := fmt.Sprintf("row-%03d", i)
		b.store.PutSealed(t, codes, crypto.SealedRow{ID: id, Value: b.seal(t, codes.Field(id, ""), "code "+id)})
		b.store.PutSealed(t, secrets, crypto.SealedRow{
			ID: id, Tenant: "org", Value: b.seal(t, secrets.Field(id, "org"), "secret "+id),
		})
	}
	_, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	return b
}

// requireMoved checks that every row is sealed by the active key and still says the same.
func (b *bench) requireMoved(t *testing.T) {
	t.Helper()
	for _, column := range []crypto.SealedColumn{codes, secrets} {
		counts := assert.Must(b.store.CountSealed(t.Context(), column, ""))(t)
		rows := b.store.Sealed(t, column)
		assert.Equal(t, counts, map[string]int64{b.active(t, "data", "").ID: int64(len(rows))})
		for id, row := range rows {
			text := map[string]string{"codes": "code ", "things": "secret "}[column.Table] + id
			b.requireOpens(t, column.Field(id, row.Tenant), row.Value, text)
		}
	}
}

func TestReencrypt(t *testing.T) {
	t.Parallel()
	b := filled(t, 25)
	var seen []int64
	opts := crypto.ReencryptOptions{Batch: 10, Progress: func(r crypto.ReencryptReport) { seen = append(seen, r.Changed) }}
	report, err := b.Reencrypt(t.Context(), opts)
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.ReencryptReport{
		Seen: 50, Changed: 50, Cursor: crypto.Cursor{Column: "things.secret", After: "row-024"},
	})
	assert.Equal(t, seen, []int64{10, 20, 25, 35, 45, 50})
	b.requireMoved(t)
	report, err = b.Reencrypt(t.Context(), crypto.ReencryptOptions{})
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.ReencryptReport{})
}

func TestReencryptDryRun(t *testing.T) {
	t.Parallel()
	b := filled(t, 5)
	before := b.store.Sealed(t, codes)
	report, err := b.Reencrypt(t.Context(), crypto.ReencryptOptions{Mode: crypto.ModeDryRun})
	assert.NoError(t, err)
	assert.Equal(t, report.Changed, int64(10))
	assert.Equal(t, b.store.Sealed(t, codes), before)
}

func TestReencryptOneColumn(t *testing.T) {
	t.Parallel()
	b := filled(t, 5)
	report, err := b.Reencrypt(t.Context(), crypto.ReencryptOptions{Columns: []string{"things.secret"}})
	assert.NoError(t, err)
	assert.Equal(t, report.Changed, int64(5))
	_, err = b.Reencrypt(t.Context(), crypto.ReencryptOptions{Columns: []string{"things.secrets"}})
	assert.ErrorIs(t, err, crypto.ErrInvalid)
}

// TestReencryptResumes kills the job after every number of rows and runs it again, from the start and from its cursor.
func TestReencryptResumes(t *testing.T) {
	t.Parallel()
	for after := range 14 {
		for _, resume := range []bool{false, true} {
			b := filled(t, 7)
			k := assert.Must(crypto.New(&failingStore{Fake: b.store, after: after}, b.cfg))(t)
			first, err := k.Reencrypt(t.Context(), crypto.ReencryptOptions{Batch: 3})
			assert.ErrorIs(t, err, errStop)
			assert.Equal(t, first.Changed, int64(after))
			opts := crypto.ReencryptOptions{Batch: 3}
			if resume {
				opts.From = first.Cursor
			}
			second, err := b.Reencrypt(t.Context(), opts)
			assert.NoError(t, err)
			assert.Equal(t, second.Changed, int64(14-after))
			b.requireMoved(t)
		}
	}
}

// racingStore changes a row between the moment the job read it and the moment it writes.
type racingStore struct {
	failingStore
	race func(id string)
}

func (s *racingStore) ReplaceSealed(ctx context.Context, c crypto.SealedColumn, id string, old, sealed []byte) error {
	s.race(id)
	return s.Fake.ReplaceSealed(ctx, c, id, old, sealed)
}

// TestR1_ReencryptLosesToALiveWrite: what a user just set is never overwritten with what it replaced.
func TestR1_ReencryptLosesToALiveWrite(t *testing.T) {
	t.Parallel()
	b := filled(t, 3)
	live := b.seal(t, codes.Field("row-001", ""), "new code")
	store := &racingStore{failingStore: failingStore{Fake: b.store}, race: func(id string) {
		if id == "row-001" {
			b.store.PutSealed(t, codes, crypto.SealedRow{ID: id, Value: live})
		}
	}}
	k := assert.Must(crypto.New(store, b.cfg))(t)
	report, err := k.Reencrypt(t.Context(), crypto.ReencryptOptions{Columns: []string{"codes.code"}})
	assert.NoError(t, err)
	assert.Equal(t, report.Changed, int64(2))
	assert.Equal(t, report.Lost, int64(1))
	b.requireOpens(t, codes.Field("row-001", ""), b.store.Sealed(t, codes)["row-001"].Value, "new code")
}

func TestReencryptPassesOverUnreadableRows(t *testing.T) {
	t.Parallel()
	b := filled(t, 4)
	rows := b.store.Sealed(t, codes)
	put := func(id string, value []byte) { b.store.PutSealed(t, codes, crypto.SealedRow{ID: id, Value: value}) }
	put("row-000", rows["row-001"].Value)
	put("row-002", []byte("not sealed"))
	for _, mode := range []crypto.Mode{crypto.ModeVerify, crypto.ModeDryRun, crypto.ModeReseal} {
		report, err := b.Reencrypt(t.Context(), crypto.ReencryptOptions{Mode: mode})
		assert.ErrorIs(t, err, crypto.ErrUnreadableRows)
		assert.Equal(t, report.Seen, int64(8))
		assert.Equal(t, report.Failed, int64(2))
		assert.Equal(t, []string{report.Failures[0].Row, report.Failures[1].Row}, []string{"row-000", "row-002"})
		assert.ErrorIs(t, report.Failures[0].Err, crypto.ErrAuthentication)
		assert.ErrorIs(t, report.Failures[1].Err, crypto.ErrMalformed)
		for _, f := range report.Failures {
			assert.NotContains(t, f.Err.Error(), "not sealed")
		}
	}
	assert.Equal(t, string(b.store.Sealed(t, codes)["row-002"].Value), "not sealed")
}

func TestVerifyOpensEveryRow(t *testing.T) {
	t.Parallel()
	b := filled(t, 4)
	before := b.store.Sealed(t, secrets)
	report, err := b.Reencrypt(t.Context(), crypto.ReencryptOptions{Mode: crypto.ModeVerify, Batch: 3})
	assert.NoError(t, err)
	assert.Equal(t, report.Seen, int64(8))
	assert.Equal(t, report.Changed, int64(0))
	assert.Equal(t, b.store.Sealed(t, secrets), before)
	_, err = b.Reencrypt(t.Context(), crypto.ReencryptOptions{})
	assert.NoError(t, err)
	report, err = b.Reencrypt(t.Context(), crypto.ReencryptOptions{Mode: crypto.ModeVerify})
	assert.NoError(t, err)
	assert.Equal(t, report.Seen, int64(8)) // those of the active key too
}

func TestReencryptKeepsItsRate(t *testing.T) {
	t.Parallel()
	b := filled(t, 25)
	var waits []time.Duration
	tired := errors.New("tired")
	opts := crypto.ReencryptOptions{Batch: 10, PerSecond: 4, Wait: func(_ context.Context, d time.Duration) error {
		if waits = append(waits, d); len(waits) == 3 {
			return tired
		}
		return nil
	}}
	_, err := b.Reencrypt(t.Context(), opts)
	assert.ErrorIs(t, err, tired)
	assert.Equal(t, waits, []time.Duration{2500 * time.Millisecond, 2500 * time.Millisecond, 2500 * time.Millisecond})
	ended, cancel := context.WithCancel(t.Context())
	opts.Columns = []string{"things.secret"} // 15 rows are left there
	opts.Wait, opts.Progress = nil, func(crypto.ReencryptReport) { cancel() }
	_, err = b.Reencrypt(ended, opts)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestReencryptStopsInAnOutage(t *testing.T) {
	t.Parallel()
	b := filled(t, 3)
	k := b.process(t)
	b.kms.Fail(crypto.ErrKMSUnavailable)
	_, err := k.Reencrypt(t.Context(), crypto.ReencryptOptions{})
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	b.kms.Fail(nil)
	b.store.Fail(problem.ErrUnavailable)
	_, err = b.Reencrypt(t.Context(), crypto.ReencryptOptions{})
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

// TestReencryptIntoTenantKeys moves the rows of a purpose that became one of TenantPurposes. A tenant without a key does
// not stop the others.
func TestReencryptIntoTenantKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{Sealed: []crypto.SealedColumn{secrets}})
	for id, tenant := range map[string]string{"1": "", "2": "org-1", "3": "org-2", "4": "org-1"} {
		b.store.PutSealed(t, secrets, crypto.SealedRow{ID: id, Tenant: tenant, Value: b.seal(t, secrets.Field(id, tenant), id)})
	}
	cfg := b.cfg
	cfg.TenantPurposes = []string{"data"}
	k := assert.Must(crypto.New(b.store, cfg))(t)
	assert.NoError(t, k.EnsureTenantKey(t.Context(), "data", "org-1"))
	report, err := k.Reencrypt(t.Context(), crypto.ReencryptOptions{})
	assert.ErrorIs(t, err, crypto.ErrUnreadableRows)
	assert.Equal(t, report.Changed, int64(2))
	assert.Len(t, report.Failures, 1)
	assert.Equal(t, report.Failures[0].Row, "3")
	assert.ErrorIs(t, report.Failures[0].Err, crypto.ErrNoActiveKey)
	assert.NoError(t, k.EnsureTenantKey(t.Context(), "data", "org-2"))
	_, err = k.Reencrypt(t.Context(), crypto.ReencryptOptions{})
	assert.NoError(t, err)
	want := map[string]int64{}
	for tenant, rows := range map[string]int64{"": 1, "org-1": 2, "org-2": 1} {
		want[b.active(t, "data", tenant).ID] = rows
	}
	assert.Equal(t, assert.Must(b.store.CountSealed(t.Context(), secrets, ""))(t), want)
}
