package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/audittest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/cursor"
	"github.com/tenon-go/tenon/principal"
)

// world is a trail in memory, of which five rows are verified at a time.
type world struct {
	*audit.Service
	handler *audit.Handler
	keys    *crypto.Keyring
	now     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	keys, _, _ := cryptotest.NewKeyringWith(t, crypto.Config{Purposes: []string{audit.Purpose, crypto.PurposeToken}})
	return newWorldOf(t, keys)
}

// newWorldOf has a trail of its own under keys of another.
func newWorldOf(t *testing.T, keys *crypto.Keyring, change ...func(*audit.Config)) *world {
	t.Helper()
	w := &world{keys: keys, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	quiet := slog.New(slog.DiscardHandler)
	cfg := audit.Config{Keys: keys, Logger: quiet}
	for _, f := range change {
		f(&cfg)
	}
	w.Service = assert.Must(audit.New(audittest.NewFake(func() time.Time { return w.now }), cfg))(t)
	w.SetVerified(5)
	w.handler = assert.Must(audit.NewHandler(w.Service, audit.HandlerConfig{
		MayRead:        func(context.Context, *principal.Principal, string) error { return nil },
		CheckSuperuser: func(*http.Request) error { return nil },
		Logger:         quiet,
	}))(t)
	return w
}

// record writes n entries of an organization and seals them.
func (w *world) record(t *testing.T, organizationID string, n int) {
	t.Helper()
	for range n {
		w.now = w.now.Add(time.Microsecond)
		assert.NoError(t, w.Record(t.Context(), audit.Entry{Action: "sensitive_update", OrganizationID: organizationID, After: map[string]any{"n": n}}))
	}
	assert.NoError(t, w.Drain(t.Context()))
}

// verify asks for one page.
func (w *world) verify(t *testing.T, caller *principal.Principal, pairs ...string) (status int, answer map[string]any) {
	t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequestWithContext(principal.NewContext(t.Context(), caller), http.MethodGet, "/audit/verify?"+query.Encode(), http.NoBody)
	recorder := httptest.NewRecorder()
	w.handler.Verify(recorder, r)
	assert.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
	return recorder.Code, answer
}

func owner() *principal.Principal { return &principal.Principal{UserID: "ada", OrganizationID: "org"} }

// One request looks at a bounded number of rows, and the next goes on where it ended.
func TestALongChainIsVerifiedInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(t, "org", 12)
	var checked []float64
	next := ""
	for range 4 {
		status, answer := w.verify(t, owner(), "cursor", next)
		assert.Equal(t, status, http.StatusOK)
		assert.Equal(t, answer["valid"], any(true))
		checked = append(checked, answer["items"].([]any)[0].(map[string]any)["checked"].(float64))
		if next, _ = answer["nextCursor"].(string); next == "" {
			break
		}
	}
	assert.Equal(t, checked, []float64{5, 5, 2})
	_, answer := w.verify(t, owner())
	cursorOfOrg := answer["nextCursor"].(string)
	for _, other := range []audit.VerifyParams{{OrganizationID: "other"}, {}} {
		_, _, err := w.VerifyChain(t.Context(), other, cursorOfOrg)
		assert.ErrorIs(t, err, cursor.ErrInvalid)
	}
	_, _, err := w.VerifyPage(t.Context(), 1, cursorOfOrg)
	assert.ErrorIs(t, err, cursor.ErrInvalid)
}

// All chains come once, whole ones and parts, whatever the limits cut.
func TestPagesOfChainsGoOnWithinAChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]int64{"": 3, "a": 12, "b": 5, "c": 1, "d": 10}
	for organizationID, n := range want {
		w.record(t, organizationID, int(n))
	}
	for limit := 1; limit < 7; limit++ {
		got := map[string]int64{}
		for next, pages := "", 0; pages == 0 || next != ""; pages++ {
			reports, following, err := w.VerifyPage(t.Context(), limit, next)
			assert.NoError(t, err)
			assert.True(t, len(reports) <= limit && pages < 30, "pages are bounded")
			var sum int64
			for _, r := range reports {
				assert.True(t, r.Valid, r.OrganizationID)
				got[r.OrganizationID] += r.Checked
				sum += r.Checked
			}
			assert.True(t, sum <= 5, "rows are bounded")
			next = following
		}
		assert.Equal(t, got, want)
	}
}

// Whoever kept a head asks whether the trail has grown out of it, without a program.
func TestAKnownHeadIsComparedOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(t, "org", 3)
	w.record(t, "other", 4)
	head := func(organizationID string) string {
		return assert.Must(w.Service.Verify(t.Context(), audit.VerifyParams{OrganizationID: organizationID}))(t).Head.String()
	}
	known, foreign := head("org"), head("other")
	w.record(t, "org", 1)
	status, answer := w.verify(t, owner(), "known", known)
	assert.True(t, status == http.StatusOK && answer["valid"] == any(true), "it has")
	root := &principal.Principal{UserID: "root", Superuser: true, Assurance: 2}
	for _, c := range []struct {
		caller *principal.Principal
		known  string
	}{{owner(), foreign}, {owner(), "audit1:x"}, {owner(), strings.Replace(known, ":3:", ":2:", 1)}, {root, known}} {
		status, answer := w.verify(t, c.caller, "known", c.known)
		assert.Equal(t, status, http.StatusBadRequest)
		assert.Equal(t, answer["code"], any("INVALID_AUDIT_HEAD"))
	}
	// The same keys, and a state from before.
	older := newWorldOf(t, w.keys)
	older.record(t, "org", 2)
	_, answer = older.verify(t, owner(), "known", known)
	assert.Equal(t, answer["valid"], any(false))
	finding := answer["items"].([]any)[0].(map[string]any)["findings"].([]any)[0].(map[string]any)
	assert.Equal(t, finding["kind"], any("truncated"))
}

// Rows wait while heads are anchored: after a failure that is not tried again with every
// row.
func TestAnAnchorThatFailsIsLeftAlone(t *testing.T) {
	t.Parallel()
	calls := 0
	out := errors.New("the notary is out")
	w := newWorldOf(t, newWorld(t).keys, func(c *audit.Config) {
		c.Anchor = func(context.Context, audit.Head) error { calls++; return out }
	})
	assert.NoError(t, w.Record(t.Context(), audit.Entry{Action: "sensitive_update", OrganizationID: "org"}))
	assert.ErrorIs(t, w.Work(t.Context(), 5), out)
	assert.Equal(t, calls, 1)
	report := assert.Must(w.Service.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org"}))(t)
	assert.True(t, report.Valid && report.Checked == 1, "it is sealed")
}

// stuck is a client that does not read; its connection gives up at its deadline.
type stuck struct {
	*httptest.ResponseRecorder
	once   sync.Once
	passed chan struct{}
}

func (s *stuck) Write([]byte) (int, error) {
	<-s.passed
	return 0, errors.New("the deadline has passed")
}

func (s *stuck) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		s.once.Do(func() { close(s.passed) })
	}
	return nil
}

// An export to a client that hangs ends.
func TestAnExportHangsUpOnAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(t, "org", 100)
	w.handler.SetStallFor(time.Millisecond)
	client := &stuck{ResponseRecorder: httptest.NewRecorder(), passed: make(chan struct{})}
	r := httptest.NewRequestWithContext(principal.NewContext(t.Context(), owner()), http.MethodGet, "/audit/export", http.NoBody)
	w.handler.Export(client, r)
	<-client.passed
}

// An export ends although entries are written as fast as it reads.
func TestAnExportEndsAtItsBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(t, "org", 600)
	seen := 0
	n, err := w.Export(t.Context(), audit.Query{OrganizationID: "org", Until: w.now.Add(time.Hour)}, func(audit.Record) error {
		if seen++; seen > 2000 {
			return errors.New("it does not end")
		}
		w.now = w.now.Add(time.Microsecond)
		return w.Record(t.Context(), audit.Entry{Action: "sensitive_update", OrganizationID: "org"})
	})
	assert.NoError(t, err)
	assert.Equal(t, n, 600)
}
