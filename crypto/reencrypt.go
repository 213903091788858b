package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	defaultBatch = 200
	maxFailures  = 100
)

// Cursor is a position in the work of Reencrypt or Verify, to go on from after a stop. Its zero value is the start.
type Cursor struct {
	Column string // "table.column"
	After  string // id of the last row done
}

// Mode is what Reencrypt does with the rows it finds.
type Mode string

// The modes of Reencrypt.
const (
	ModeReseal Mode = ""       // open rows sealed by other keys than the active one, seal them anew
	ModeDryRun Mode = "dry"    // open those rows, change nothing
	ModeVerify Mode = "verify" // open every row, change nothing
)

// ReencryptOptions tune Reencrypt.
type ReencryptOptions struct {
	// Mode defaults to ModeReseal.
	Mode Mode
	// From continues an earlier run at the cursor of its last progress. Defaults to the start, which is safe too: rows
	// that are done are skipped.
	From Cursor
	// Columns restricts the work to registered columns by "table.column". Defaults to all.
	Columns []string
	// Batch is the number of rows read at a time. Defaults to 200.
	Batch int
	// PerSecond limits the rows a second. Defaults to no limit.
	PerSecond int
	// Progress is called after every batch with the report so far. Defaults to nothing.
	Progress func(ReencryptReport)
	// Wait waits to keep PerSecond. Defaults to a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// ReencryptReport counts rows.
type ReencryptReport struct {
	Seen     int64     // rows opened, or tried
	Changed  int64     // rows sealed anew; in a dry run those that would be
	Lost     int64     // rows that a live write changed or deleted first; the next run sees them again if need be
	Failed   int64     // rows that do not open
	Failures []Failure // the first 100 of those
	Cursor   Cursor    // where a next run may go on
}

// Failure names a row that does not open. Err is one of this package's and says nothing about the value.
type Failure struct {
	Column, Row string
	Err         error
}

// Reencrypt goes through every registered sealed column and seals anew the rows that another key than the active one
// sealed: after RotateDEK, or after a purpose was added to Config.TenantPurposes. Each row is one compare-and-set, so
// live writes are never overwritten (R1); the job may be stopped, run again and run twice at the same time. With
// ModeVerify it opens every row instead.
//
// A row that does not open is counted and passed over; the error is [ErrUnreadableRows] then. Any other error stops the
// job, with the report so far: [ErrInTransaction], [ErrKMSUnavailable], [ErrNoActiveKey], those of the store.
func (k *Keyring) Reencrypt(ctx context.Context, opts ReencryptOptions) (ReencryptReport, error) {
	job := &reencryption{keyring: k, opts: opts.withDefaults(), report: ReencryptReport{Cursor: opts.From}}
	if err := k.refuseTransaction(ctx, "reencrypt"); err != nil {
		return job.report, err
	}
	columns, err := k.selectColumns(opts)
	if err != nil {
		return job.report, err
	}
	for _, column := range columns {
		if err := job.column(ctx, column); err != nil {
			return job.report, fmt.Errorf("crypto: reencrypt %s: %w", column, err)
		}
	}
	if job.report.Failed > 0 {
		return job.report, fmt.Errorf("crypto: reencrypt: %d rows: %w", job.report.Failed, ErrUnreadableRows)
	}
	return job.report, nil
}

func (o ReencryptOptions) withDefaults() ReencryptOptions {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Progress == nil {
		o.Progress = func(ReencryptReport) {}
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return o
}

// selectColumns returns the columns to do, beginning with that of the cursor.
func (k *Keyring) selectColumns(opts ReencryptOptions) ([]SealedColumn, error) {
	wanted := make(map[string]bool)
	for _, name := range opts.Columns {
		wanted[name] = true
	}
	var out []SealedColumn
	for _, column := range k.cfg.Sealed {
		if column.String() == opts.From.Column {
			out = nil
		}
		if len(opts.Columns) == 0 || wanted[column.String()] {
			out = append(out, column)
		}
		delete(wanted, column.String())
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("crypto: reencrypt: column is not registered: %w", ErrInvalid)
	}
	return out, nil
}

// reencryption is one run.
type reencryption struct {
	keyring *Keyring
	opts    ReencryptOptions
	report  ReencryptReport
}

func (j *reencryption) column(ctx context.Context, column SealedColumn) error {
	query := SealedQuery{Limit: j.opts.Batch}
	if j.report.Cursor.Column == column.String() {
		query.After = j.report.Cursor.After
	}
	var err error
	if query.NotKID, err = j.skip(ctx, column); err != nil {
		return err
	}
	for {
		rows, err := j.keyring.cfg.Rows.ListSealed(ctx, column, query)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := j.row(ctx, column, row); err != nil {
				return err
			}
			query.After = row.ID
			j.report.Cursor = Cursor{Column: column.String(), After: row.ID}
		}
		j.opts.Progress(j.report)
		if len(rows) < j.opts.Batch {
			return nil
		}
		if err := j.pace(ctx, len(rows)); err != nil {
			return err
		}
	}
}

// skip returns the key whose rows need not be read. Where tenants have their own keys each row has to be looked at.
func (j *reencryption) skip(ctx context.Context, column SealedColumn) (string, error) {
	k := j.keyring
	perTenant := column.TenantColumn != "" && k.slotOf(column.Purpose, "x").tenant != ""
	if j.opts.Mode == ModeVerify || perTenant {
		return "", nil
	}
	h, err := k.active(ctx, slot{purpose: column.Purpose}, false)
	clear(h.dek[:])
	return h.id.String(), err
}

func (j *reencryption) row(ctx context.Context, column SealedColumn, row SealedRow) error {
	if j.opts.Mode != ModeVerify {
		done, err := j.keyring.isCurrent(ctx, column, row)
		if err != nil {
			return j.fail(column, row, err)
		}
		if done {
			return nil
		}
	}
	field := column.Field(row.ID, row.Tenant)
	j.report.Seen++
	plaintext, err := j.keyring.Open(ctx, field, row.Value)
	if err != nil {
		return j.fail(column, row, err)
	}
	defer clear(plaintext)
	switch j.opts.Mode {
	case ModeVerify:
		return nil
	case ModeDryRun:
		j.report.Changed++
		return nil
	}
	return j.reseal(ctx, column, row, plaintext)
}

func (j *reencryption) reseal(ctx context.Context, column SealedColumn, row SealedRow, plaintext []byte) error {
	sealed, err := j.keyring.Seal(ctx, column.Field(row.ID, row.Tenant), plaintext)
	if err != nil {
		return err
	}
	err = j.keyring.cfg.Rows.ReplaceSealed(ctx, column, row.ID, row.Value, sealed)
	switch {
	case err == nil:
		j.report.Changed++
	case errors.Is(err, ErrRowChanged):
		j.report.Lost++
	default:
		return err
	}
	return nil
}

// isCurrent reports whether a row is sealed by the key that would seal it today.
func (k *Keyring) isCurrent(ctx context.Context, column SealedColumn, row SealedRow) (bool, error) {
	h, err := k.active(ctx, k.slotOf(column.Purpose, row.Tenant), false)
	if err != nil {
		return false, err
	}
	clear(h.dek[:])
	id, err := parseEnvelope(row.Value)
	return err == nil && bytes.Equal(id[:], h.id[:]), nil
}

// fail counts errors that are about the row, and stops the job for those that are about the world.
func (j *reencryption) fail(column SealedColumn, row SealedRow, err error) error {
	// A tenant without a key has been shredded, or was never given one: the others go on.
	for _, kind := range []error{ErrMalformed, ErrUnknownKey, ErrCommitment, ErrAuthentication, ErrInvalid, ErrNoActiveKey} {
		if !errors.Is(err, kind) {
			continue
		}
		j.report.Failed++
		if len(j.report.Failures) < maxFailures {
			j.report.Failures = append(j.report.Failures, Failure{Column: column.String(), Row: row.ID, Err: err})
		}
		return nil
	}
	return err
}

func (j *reencryption) pace(ctx context.Context, rows int) error {
	if j.opts.PerSecond <= 0 {
		return ctx.Err()
	}
	return j.opts.Wait(ctx, time.Duration(rows)*time.Second/time.Duration(j.opts.PerSecond))
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
