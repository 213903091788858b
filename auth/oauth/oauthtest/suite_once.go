package oauthtest

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/internal/assert"
)

func onceClauses() clauses {
	return clauses{
		"ClaimAttachment returns every field, once":                        testClaim,
		"ClaimAttachment wants the sign-up and the time":                   testClaimWrong,
		"of concurrent ClaimAttachments one succeeds":                      testClaimRace,
		"PruneAttachments deletes those that expired, at most so many":     testPruneAttachments,
		"SpendIDToken refuses a hash that is known":                        testSpend,
		"of concurrent SpendIDTokens of a hash one succeeds":               testSpendRace,
		"PruneIDTokens deletes those that expired, at most so many":        testPruneIDTokens,
		"attachments are not links, and one identity may wait for several": testSeveralWait,
	}
}

func (w *world) newAttachment() oauth.Attachment {
	id := newID()
	return oauth.Attachment{
		SignUpID: id, LinkID: newID(), Provider: "acme", Identity: oauth.Identity{Issuer: "https://acme.example", Subject: "subject of " + id},
		Email: "ada@acme.example", CreatedAt: w.now, ExpiresAt: w.now.Add(time.Minute),
	}
}

func (w *world) attach(t *testing.T) oauth.Attachment {
	t.Helper()
	a := w.newAttachment()
	assert.NoError(t, w.Store.AddAttachment(t.Context(), a))
	return a
}

func testClaim(t *testing.T, w *world) {
	a, other := w.attach(t), w.attach(t)
	got, err := w.Store.ClaimAttachment(t.Context(), a.SignUpID, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, a)
	_, err = w.Store.ClaimAttachment(t.Context(), a.SignUpID, w.now)
	assert.ErrorIs(t, err, oauth.ErrNotFound)
	got, err = w.Store.ClaimAttachment(t.Context(), other.SignUpID, w.now)
	assert.NoError(t, err)
	assert.Equal(t, got, other)
}

func testClaimWrong(t *testing.T, w *world) {
	a := w.attach(t)
	for _, id := range []string{newID(), a.LinkID, ""} {
		_, err := w.Store.ClaimAttachment(t.Context(), id, w.now)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
	}
	for _, at := range []time.Time{a.ExpiresAt, a.ExpiresAt.Add(time.Hour)} {
		_, err := w.Store.ClaimAttachment(t.Context(), a.SignUpID, at)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
	}
	_, err := w.Store.ClaimAttachment(t.Context(), a.SignUpID, a.ExpiresAt.Add(-time.Microsecond))
	assert.NoError(t, err)
}

func testClaimRace(t *testing.T, w *world) {
	a := w.attach(t)
	assert.Equal(t, race(t, oauth.ErrNotFound, func(ctx context.Context) error {
		_, err := w.Store.ClaimAttachment(ctx, a.SignUpID, w.now)
		return err
	}), 1)
}

func testPruneAttachments(t *testing.T, w *world) {
	for range 3 {
		w.attach(t)
	}
	w.now = w.now.Add(time.Second)
	young := w.attach(t)
	at := w.now.Add(59 * time.Second) // when the first three expire
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneAttachments(t.Context(), at, 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	_, err := w.Store.ClaimAttachment(t.Context(), young.SignUpID, at)
	assert.NoError(t, err)
}

func testSeveralWait(t *testing.T, w *world) {
	a := w.attach(t)
	b := a
	b.SignUpID, b.LinkID = newID(), newID()
	assert.NoError(t, w.Store.AddAttachment(t.Context(), b))
	_, err := w.Store.LinkByIdentity(t.Context(), a.Identity)
	assert.ErrorIs(t, err, oauth.ErrNotFound)
	for _, each := range []oauth.Attachment{a, b} {
		got, err := w.Store.ClaimAttachment(t.Context(), each.SignUpID, w.now)
		assert.NoError(t, err)
		assert.Equal(t, got, each)
	}
}

func testSpend(t *testing.T, w *world) {
	hash, end := []byte{0, 0xff, 'h'}, w.now.Add(time.Minute)
	assert.NoError(t, w.Store.SpendIDToken(t.Context(), hash, end))
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.SpendIDToken(ctx, hash, end.Add(time.Hour)), oauth.ErrTokenSpent)
		return w.Store.SpendIDToken(ctx, []byte("the transaction goes on"), end)
	}))
	assert.NoError(t, w.Store.SpendIDToken(t.Context(), hash[1:], end))
	assert.ErrorIs(t, w.Store.SpendIDToken(t.Context(), []byte("the transaction goes on"), end), oauth.ErrTokenSpent)
	n, err := w.Store.PruneIDTokens(t.Context(), end, 10) // the time of the first call counts
	assert.NoError(t, err)
	assert.Equal(t, n, 3)
}

func testSpendRace(t *testing.T, w *world) {
	assert.Equal(t, race(t, oauth.ErrTokenSpent, func(ctx context.Context) error {
		return w.Store.SpendIDToken(ctx, []byte("hash"), w.now)
	}), 1)
}

func testPruneIDTokens(t *testing.T, w *world) {
	for _, hash := range []string{"a", "b", "c"} {
		assert.NoError(t, w.Store.SpendIDToken(t.Context(), []byte(hash), w.now))
	}
	assert.NoError(t, w.Store.SpendIDToken(t.Context(), []byte("young"), w.now.Add(time.Microsecond)))
	for _, want := range []int{2, 1, 0} {
		n, err := w.Store.PruneIDTokens(t.Context(), w.now, 2)
		assert.NoError(t, err)
		assert.Equal(t, n, want)
	}
	assert.ErrorIs(t, w.Store.SpendIDToken(t.Context(), []byte("young"), w.now), oauth.ErrTokenSpent)
	assert.NoError(t, w.Store.SpendIDToken(t.Context(), []byte("a"), w.now))
}
