package auditbun_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
)

// world is a trail on a database of its own.
type world struct {
	*audit.Service
	db    *bundb.DB
	store *auditbun.Store
	keys  *crypto.Keyring
	clock *bundbtest.Clock
	logs  *logs
	heads *heads
}

// logs is a writer whose text can be read.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// heads are those that were anchored.
type heads struct {
	mu   sync.Mutex
	all  []audit.Head
	fail error
}

func (h *heads) anchor(_ context.Context, head audit.Head) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail == nil {
		h.all = append(h.all, head)
	}
	return h.fail
}

func each(t *testing.T, fn func(t *testing.T, w *world), change ...func(*audit.Config)) {
	t.Helper()
	bundbtest.Each(t, []bundb.Schema{cryptobun.Schema(), auditbun.Schema()}, func(t *testing.T, db *bundb.DB) {
		fn(t, newWorld(t, db, change...))
	})
}

func newWorld(t *testing.T, db *bundb.DB, change ...func(*audit.Config)) *world {
	t.Helper()
	w := &world{db: db, store: auditbun.New(db), clock: bundbtest.ClockOf(db), logs: new(logs), heads: new(heads)}
	w.keys = assert.Must(crypto.New(cryptobun.New(db), crypto.Config{
		KMS: cryptotest.NewKMS("test:"), Purposes: []string{audit.Purpose, crypto.PurposeToken}, Now: w.clock.Now,
		Sealed: auditbun.Sealed(), InUse: []crypto.KIDSource{auditbun.KIDs(db)},
		Logger: slog.New(slog.DiscardHandler),
	}))(t)
	assert.NoError(t, w.keys.Init(t.Context()))
	w.Service = w.service(t, w.store, change...)
	return w
}

// service returns another service on the same data, or on another way to it.
func (w *world) service(t *testing.T, store audit.Store, change ...func(*audit.Config)) *audit.Service {
	t.Helper()
	cfg := audit.Config{Keys: w.keys, Anchor: w.heads.anchor, Logger: slog.New(slog.NewTextHandler(w.logs, nil))}
	for _, f := range change {
		f(&cfg)
	}
	return assert.Must(audit.New(store, cfg))(t)
}

// record writes n entries of an organization, a microsecond apart.
func (w *world) record(t *testing.T, organizationID string, n int) {
	t.Helper()
	assert.NoError(t, w.db.InTx(t.Context(), func(ctx context.Context) error {
		for range n {
			w.clock.Advance(time.Microsecond)
			if err := w.Record(ctx, entry(organizationID)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func entry(organizationID string) audit.Entry {
	return audit.Entry{
		Action: "authz_change", Event: "MemberJoined", OrganizationID: organizationID,
		Actor: audit.Actor{UserID: "ada"}, Target: audit.Target{Type: "member", ID: "bob"},
		After: map[string]any{"role": "admin", "n": 12345678901234567},
	}
}

func (w *world) drain(t *testing.T) {
	t.Helper()
	assert.NoError(t, w.Drain(t.Context()))
}

// findings verifies a chain and returns what is wrong, without the ids.
func (w *world) findings(ctx context.Context, t *testing.T, organizationID string, known ...audit.Head) []audit.Finding {
	t.Helper()
	report, err := w.Verify(ctx, audit.VerifyParams{OrganizationID: organizationID, Known: known})
	assert.NoError(t, err)
	assert.Equal(t, report.Valid, len(report.Findings) == 0)
	for i := range report.Findings {
		report.Findings[i].ID = ""
	}
	return report.Findings
}

// valid fails the test unless a chain is whole and has n rows.
func (w *world) valid(t *testing.T, organizationID string, n int64) {
	t.Helper()
	report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: organizationID})
	assert.NoError(t, err)
	if !report.Valid || report.Head.Count != n || report.Checked != n-report.Base.Count {
		t.Errorf("%q: %+v, want %d rows", organizationID, report, n)
	}
}

var errUndo = errors.New("undo")

// attack runs statements, and what looks at their result, and takes all back.
func (w *world) attack(t *testing.T, look func(ctx context.Context), statements ...string) {
	t.Helper()
	assert.ErrorIs(t, w.db.InTx(t.Context(), func(ctx context.Context) error {
		w.exec(ctx, t, statements...)
		look(ctx)
		return errUndo
	}), errUndo)
}

// exec runs statements, each of which must change something.
func (w *world) exec(ctx context.Context, t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		result, err := w.db.Raw(ctx).ExecContext(ctx, s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			t.Fatalf("%s: nothing was changed: %v", s, err)
		}
	}
}

func one(kind audit.Kind, seq int64) audit.Finding {
	return audit.Finding{Kind: kind, From: seq, To: seq}
}

func span(kind audit.Kind, from, to int64) audit.Finding {
	return audit.Finding{Kind: kind, From: from, To: to}
}
