package token_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

const (
	verifyEmail token.Purpose = "vrf:verify-email"
	verifyPhone token.Purpose = "vrf:verify-phone"
	reset       token.Purpose = "rst:reset-password"
)

type kit struct {
	*token.Service
	store   *tokentest.Fake
	peppers *tokentest.Peppers
	log     bytes.Buffer
	now     time.Time
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{store: tokentest.NewFake(), peppers: tokentest.NewPeppers(), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)}
	var err error
	k.Service, err = token.New(k.store, token.Config{
		Peppers: k.peppers,
		Now:     func() time.Time { return k.now },
		Logger:  slog.New(slog.NewTextHandler(&k.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	assert.NoError(t, err)
	return k
}

func (k *kit) issue(t *testing.T, purpose token.Purpose, subject string) (token.OneTime, string) {
	t.Helper()
	one, secret, err := k.Issue(t.Context(), token.IssueParams{Purpose: purpose, Subject: subject, SecurityVersion: 7, TTL: time.Hour, Payload: []byte(`{"a":1}`)})
	assert.NoError(t, err)
	return one, secret.Reveal()
}

func TestNewRefusesWhatItCannotWorkWith(t *testing.T) {
	t.Parallel()
	for _, cfg := range []token.Config{{}, {Peppers: tokentest.NewPeppers(), MaxLive: -1}} {
		_, err := token.New(tokentest.NewFake(), cfg)
		assert.Error(t, err)
	}
	_, err := token.New(nil, token.Config{Peppers: tokentest.NewPeppers()})
	assert.Error(t, err)
}

func TestIssuedTokenIsConsumedOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	issued, raw := k.issue(t, verifyEmail, "u1")
	peeked, err := k.Peek(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
	assert.Equal(t, peeked, issued)
	used, err := k.Consume(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
	assert.Equal(t, used.ConsumedAt, k.now)
	assert.Equal(t, used.SecurityVersion, 7)
	assert.Equal(t, string(used.Payload), `{"a":1}`)
	_, err = k.Consume(t.Context(), verifyEmail, raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	_, err = k.Peek(t.Context(), verifyEmail, raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.Contains(t, k.log.String(), "reason=used")
}

func TestPeekConsumesNothing(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	_, raw := k.issue(t, verifyEmail, "u1")
	before := k.store.Rows()
	for range 5 {
		_, err := k.Peek(t.Context(), verifyEmail, raw)
		assert.NoError(t, err)
	}
	assert.Equal(t, k.store.Rows(), before)
}

func TestR6SiblingsDieOnConsumptionNeverOnIssue(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	_, first := k.issue(t, verifyEmail, "u1")
	_, second := k.issue(t, verifyEmail, "u1")
	_, otherSubject := k.issue(t, verifyEmail, "u2")
	_, otherPurpose := k.issue(t, reset, "u1")
	_, err := k.Peek(t.Context(), verifyEmail, first)
	assert.NoError(t, err)
	_, err = k.Consume(t.Context(), verifyEmail, first)
	assert.NoError(t, err)
	_, err = k.Consume(t.Context(), verifyEmail, second)
	assert.ErrorIs(t, err, token.ErrInvalid)
	_, err = k.Consume(t.Context(), verifyEmail, otherSubject)
	assert.NoError(t, err)
	_, err = k.Consume(t.Context(), reset, otherPurpose)
	assert.NoError(t, err)
}

func TestR6SiblingsDieInTheirOwnTenantOnly(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	issue := func(tenant string) string {
		_, secret, err := k.Issue(t.Context(), token.IssueParams{Purpose: verifyEmail, Subject: "u1", Tenant: tenant, TTL: time.Hour})
		assert.NoError(t, err)
		return secret.Reveal()
	}
	first, second, elsewhere, shared := issue("org-1"), issue("org-1"), issue("org-2"), issue("")
	_, err := k.Consume(t.Context(), verifyEmail, first)
	assert.NoError(t, err)
	_, err = k.Peek(t.Context(), verifyEmail, second)
	assert.ErrorIs(t, err, token.ErrInvalid)
	for _, raw := range []string{elsewhere, shared} {
		_, err = k.Peek(t.Context(), verifyEmail, raw)
		assert.NoError(t, err)
	}
}

func TestATokenOfAnotherPurposeIsInvalid(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	_, raw := k.issue(t, verifyEmail, "u1")
	for _, purpose := range []token.Purpose{verifyPhone, reset, "", "vrf"} {
		_, err := k.Consume(t.Context(), purpose, raw)
		assert.ErrorIs(t, err, token.ErrInvalid)
	}
	_, err := k.Consume(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
}

func TestAnExpiredTokenIsInvalid(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	one, raw := k.issue(t, verifyEmail, "u1")
	k.now = one.ExpiresAt.Add(-time.Microsecond)
	_, err := k.Peek(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
	k.now = one.ExpiresAt
	_, err = k.Consume(t.Context(), verifyEmail, raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	assert.Contains(t, k.log.String(), "reason=expired")
}

func TestEveryRefusalLooksTheSameFromOutside(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	one, raw := k.issue(t, verifyEmail, "u1")
	stranger, err := token.Generate(nil, token.KindVerify)
	assert.NoError(t, err)
	k.now = one.ExpiresAt
	for name, s := range map[string]string{"expired": raw, "unknown": stranger.Secret().Reveal(), "malformed": "x", "empty": ""} {
		_, err := k.Consume(t.Context(), verifyEmail, s)
		assert.Equal(t, problem.CodeOf(err), "INVALID_TOKEN")
		assert.Equal(t, problem.KindOf(err), problem.Invalid)
		if err != nil && name != "empty" {
			assert.NotContains(t, err.Error(), s)
		}
	}
}

func TestTheLogHoldsReasonsAndNoToken(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	one, raw := k.issue(t, verifyEmail, "u1")
	tok, err := token.Parse(token.KindVerify, raw)
	assert.NoError(t, err)
	k.now = one.ExpiresAt
	for _, s := range []string{raw, raw[:61]} {
		_, err := k.Peek(t.Context(), verifyEmail, s)
		assert.ErrorIs(t, err, token.ErrInvalid)
	}
	assert.Contains(t, k.log.String(), one.ID)
	assert.NotContains(t, k.log.String(), tok.Selector())
	assert.NotContains(t, k.log.String(), raw[24:56])
}

// edit changes the stored row the way someone with write access could.
func (k *kit) edit(t *testing.T, change func(*token.Row)) {
	t.Helper()
	rows := k.store.Rows()
	row := rows[len(rows)-1]
	_, err := k.store.DropTokens(t.Context(), row.Purpose, row.Subject, row.Tenant)
	assert.NoError(t, err)
	change(&row)
	assert.NoError(t, k.store.AddToken(t.Context(), row, 20))
}

func TestAnEditedRowOpensNothing(t *testing.T) {
	t.Parallel()
	edits := map[string]func(*token.Row){
		"id":               func(r *token.Row) { r.ID = "another" },
		"subject":          func(r *token.Row) { r.Subject = "victim" },
		"tenant":           func(r *token.Row) { r.Tenant = "victim" },
		"security version": func(r *token.Row) { r.SecurityVersion++ },
		"expiry":           func(r *token.Row) { r.ExpiresAt = r.ExpiresAt.Add(time.Hour) },
		"payload":          func(r *token.Row) { r.Payload = []byte(`{"a":2}`) },
		"mac":              func(r *token.Row) { r.Verifier.MAC[0] ^= 1 },
		"short mac":        func(r *token.Row) { r.Verifier.MAC = r.Verifier.MAC[:8] },
		"no mac":           func(r *token.Row) { r.Verifier.MAC = nil },
	}
	for name, change := range edits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			_, raw := k.issue(t, verifyEmail, "u1")
			k.edit(t, change)
			_, err := k.Consume(t.Context(), verifyEmail, raw)
			assert.ErrorIs(t, err, token.ErrInvalid)
			assert.Contains(t, k.log.String(), "reason=mismatch")
		})
	}
}

func TestAnOutageIsNotAnInvalidToken(t *testing.T) {
	t.Parallel()
	down := problem.ErrUnavailable.With(errors.New("connection refused"))
	k := newKit(t)
	one, raw := k.issue(t, verifyEmail, "u1")
	calls := map[string]func() error{
		"peek":     func() error { _, err := k.Peek(t.Context(), verifyEmail, raw); return err },
		"consume":  func() error { _, err := k.Consume(t.Context(), verifyEmail, raw); return err },
		"charge":   func() error { return k.Charge(t.Context(), one, 5) },
		"revoke":   func() error { return k.RevokeSiblings(t.Context(), verifyEmail, "u1") },
		"maintain": func() error { return k.Maintain(t.Context()) },
	}
	for name, call := range calls {
		k.store.Fail(down)
		err := call()
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		assert.False(t, errors.Is(err, token.ErrInvalid), name+" says invalid")
		k.store.Fail(nil)
	}
	k.peppers.Fail(down)
	_, err := k.Peek(t.Context(), verifyEmail, raw)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	assert.False(t, errors.Is(err, token.ErrInvalid), "a lost pepper says invalid")
	k.peppers.Fail(nil)
	_, err = k.Consume(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
}

func TestARotatedPepperStillVerifiesUntilDestroyed(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	_, raw := k.issue(t, verifyEmail, "u1")
	k.peppers.Rotate()
	_, err := k.Peek(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
	_, fresh := k.issue(t, verifyEmail, "u1")
	assert.Equal(t, k.store.Rows()[1].Verifier.KID, "pep-2")
	k.peppers.Destroy("pep-1")
	_, err = k.Peek(t.Context(), verifyEmail, raw)
	assert.ErrorIs(t, err, token.ErrInvalid) // for good, so this is no outage
	_, err = k.Peek(t.Context(), verifyEmail, fresh)
	assert.NoError(t, err)
}

func TestARolledBackConsumptionLeavesTheTokenUsable(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	_, raw := k.issue(t, verifyEmail, "u1")
	boom := errors.New("the domain change failed")
	err := k.store.InTx(t.Context(), func(ctx context.Context) error {
		_, err := k.Consume(ctx, verifyEmail, raw)
		assert.NoError(t, err)
		return boom
	})
	assert.ErrorIs(t, err, boom)
	_, err = k.Consume(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
}

func TestTheOldestBeyondMaxLiveAreDropped(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var raws []string
	for range 22 {
		_, raw := k.issue(t, verifyEmail, "u1")
		raws = append(raws, raw)
		k.now = k.now.Add(time.Second)
	}
	assert.Len(t, k.store.Rows(), 20)
	for i, raw := range raws {
		_, err := k.Peek(t.Context(), verifyEmail, raw)
		assert.Equal(t, err == nil, i >= 2)
	}
}

func TestChargeSpendsAttemptsUpToTheLimit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	one, raw := k.issue(t, verifyEmail, "u1")
	for range 5 {
		assert.NoError(t, k.Charge(t.Context(), one, 5))
	}
	assert.ErrorIs(t, k.Charge(t.Context(), one, 5), token.ErrTooManyAttempts)
	got, err := k.Peek(t.Context(), verifyEmail, raw)
	assert.NoError(t, err)
	assert.Equal(t, got.Attempts, 5)
}

func TestR8_ChargeRefusesToRunInsideATransaction(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	one, _ := k.issue(t, verifyEmail, "u1")
	assert.NoError(t, k.store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, k.Charge(ctx, one, 5), token.ErrInTransaction)
		return nil
	}))
	assert.Equal(t, k.store.Rows()[0].Attempts, 0)
}

func TestIssueRefusesBadParameters(t *testing.T) {
	t.Parallel()
	good := token.IssueParams{Purpose: verifyEmail, Subject: "u1", TTL: time.Hour}
	bad := map[string]func(*token.IssueParams){
		"no purpose":        func(p *token.IssueParams) { p.Purpose = "" },
		"purpose no name":   func(p *token.IssueParams) { p.Purpose = "vrf:" },
		"purpose kind long": func(p *token.IssueParams) { p.Purpose = "verify:email" },
		"purpose upper":     func(p *token.IssueParams) { p.Purpose = "vrf:Email" },
		"purpose inner":     func(p *token.IssueParams) { p.Purpose = "vrf:a b" },
		"purpose long":      func(p *token.IssueParams) { p.Purpose = token.Purpose("vrf:" + strings.Repeat("a", 41)) },
		"no subject":        func(p *token.IssueParams) { p.Subject = "" },
		"NUL":               func(p *token.IssueParams) { p.Subject = "a\x00b" },
		"not UTF-8":         func(p *token.IssueParams) { p.Tenant = "\xff" },
		"long tenant":       func(p *token.IssueParams) { p.Tenant = strings.Repeat("a", 256) },
		"no TTL":            func(p *token.IssueParams) { p.TTL = 0 },
		"long TTL":          func(p *token.IssueParams) { p.TTL = 91 * 24 * time.Hour },
		"bad JSON":          func(p *token.IssueParams) { p.Payload = []byte(`{`) },
		"broken text":       func(p *token.IssueParams) { p.Payload = []byte("\"\xff\"") }, // SQLite changed it, and the token never worked
		"long payload":      func(p *token.IssueParams) { p.Payload = []byte(`"` + strings.Repeat("a", 2048) + `"`) },
	}
	for name, spoil := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, p := newKit(t), good
			spoil(&p)
			_, secret, err := k.Issue(t.Context(), p)
			assert.Error(t, err)
			assert.True(t, secret.IsZero(), "a secret came with the error")
			assert.Len(t, k.store.Rows(), 0)
		})
	}
}

func TestMaintainDeletesExpiredOnly(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for i := range 3 {
		_, _ = k.issue(t, verifyEmail, string(rune('a'+i)))
	}
	k.now = k.now.Add(time.Hour)
	_, live := k.issue(t, verifyEmail, "z")
	assert.NoError(t, k.Maintain(t.Context()))
	assert.Len(t, k.store.Rows(), 1)
	_, err := k.Peek(t.Context(), verifyEmail, live)
	assert.NoError(t, err)
}

func TestAPurposeMayLeaveItsKindOut(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	_, raw := k.issue(t, "verify-email", "u1")
	assert.Contains(t, raw, "tnn_one_")
	_, err := k.Consume(t.Context(), "one:verify-email", raw)
	assert.ErrorIs(t, err, token.ErrInvalid)
	_, err = k.Consume(t.Context(), "verify-email", raw)
	assert.NoError(t, err)
}
