package oauthtest

import (
	"context"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/internal/assert"
)

func linkClauses() clauses {
	return clauses{
		"AddLink keeps every field":                                  testAddLink,
		"AddLink refuses an identity that is linked":                 testAddLinkTaken,
		"of concurrent AddLinks of an identity one succeeds":         testAddLinkRace,
		"LinkByIdentity wants issuer and subject, byte for byte":     testByIdentity,
		"Links are the user's, the oldest first":                     testLinks,
		"UseLink updates what was told and nothing else":             testUseLink,
		"RemoveLink deletes the user's own link with its grant":      testRemoveLink,
		"of concurrent RemoveLinks one succeeds":                     testRemoveLinkRace,
		"Forget deletes the user's links and grants, and only those": testForget,
	}
}

// newLink is an account of a user that nobody has linked.
func (w *world) newLink(userID string) oauth.Link {
	id := newID()
	return oauth.Link{
		ID: id, UserID: userID, Provider: "acme", Identity: oauth.Identity{Issuer: "https://acme.example", Subject: "subject of " + id},
		Email: "ada@acme.example", CreatedAt: w.now,
	}
}

func (w *world) link(t *testing.T, userID string) oauth.Link {
	t.Helper()
	l := w.newLink(userID)
	assert.NoError(t, w.Store.AddLink(t.Context(), l))
	return l
}

func (w *world) list(t *testing.T, userID string) []oauth.Link {
	t.Helper()
	all, err := w.Store.Links(t.Context(), userID)
	assert.NoError(t, err)
	return all
}

func testAddLink(t *testing.T, w *world) {
	bare := w.link(t, "ada")
	full := w.newLink("ada")
	full.LastUsedAt, full.Identity.Subject = w.now.Add(time.Second), "ünïcode 'and' \"quotes\" 0"
	assert.NoError(t, w.Store.AddLink(t.Context(), full))
	empty := w.newLink("ada")
	empty.Email = ""
	assert.NoError(t, w.Store.AddLink(t.Context(), empty))
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{bare, full, empty})
}

func testAddLinkTaken(t *testing.T, w *world) {
	l := w.link(t, "ada")
	other := l
	other.ID, other.UserID, other.Provider, other.Email = newID(), "bob", "other-name", "bob@example.com"
	own := w.newLink("bob")
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.AddLink(ctx, other), oauth.ErrLinkedElsewhere)
		return w.Store.AddLink(ctx, own) // the transaction goes on
	}))
	other.UserID = "ada"
	assert.ErrorIs(t, w.Store.AddLink(t.Context(), other), oauth.ErrLinkedElsewhere)
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{l})
	assert.Equal(t, w.list(t, "bob"), []oauth.Link{own})
}

func testAddLinkRace(t *testing.T, w *world) {
	l := w.newLink("ada")
	assert.Equal(t, race(t, oauth.ErrLinkedElsewhere, func(ctx context.Context) error {
		mine := l
		mine.ID, mine.UserID = newID(), newID()
		return w.Store.AddLink(ctx, mine)
	}), 1)
	_, err := w.Store.LinkByIdentity(t.Context(), l.Identity)
	assert.NoError(t, err)
}

func testByIdentity(t *testing.T, w *world) {
	l := w.newLink("ada")
	l.Identity, l.LastUsedAt = oauth.Identity{Issuer: "https://acme.example", Subject: "aBc"}, w.now.Add(time.Second)
	assert.NoError(t, w.Store.AddLink(t.Context(), l))
	w.link(t, "bob")
	got, err := w.Store.LinkByIdentity(t.Context(), l.Identity)
	assert.NoError(t, err)
	assert.Equal(t, got, l)
	for _, id := range []oauth.Identity{
		{Issuer: "https://acme.example", Subject: "abc"},
		{Issuer: "https://acme.example", Subject: "aBc "},
		{Issuer: "https://acme.example/", Subject: "aBc"},
		{Issuer: "https://ACME.example", Subject: "aBc"},
		{Issuer: "https://other.example", Subject: "aBc"},
		{Issuer: "", Subject: "aBc"},
		{Issuer: "https://acme.example", Subject: ""},
	} {
		_, err := w.Store.LinkByIdentity(t.Context(), id)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
		other := w.newLink("bob")
		other.Identity = id
		assert.NoError(t, w.Store.AddLink(t.Context(), other)) // another identity, then
	}
}

func testLinks(t *testing.T, w *world) {
	late := w.newLink("ada")
	late.CreatedAt = w.now.Add(time.Microsecond)
	assert.NoError(t, w.Store.AddLink(t.Context(), late))
	early := w.link(t, "ada")
	w.link(t, "bob")
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{early, late})
	assert.Len(t, w.list(t, "nobody"), 0)
	assert.Len(t, w.list(t, ""), 0)
}

func testUseLink(t *testing.T, w *world) {
	l, other := w.link(t, "ada"), w.link(t, "ada")
	at := w.now.Add(time.Hour)
	assert.NoError(t, lost(w.Store.UseLink(t.Context(), "ada", l.ID, "new@example.com", at)))
	l.Email, l.LastUsedAt = "new@example.com", at
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{l, other})
	for name, c := range map[string][2]string{
		"another user's": {"bob", l.ID}, "nobody's": {"", l.ID}, "gone": {"ada", newID()}, "no id": {"ada", ""},
	} {
		used, err := w.Store.UseLink(t.Context(), c[0], c[1], "stolen@example.com", at.Add(time.Hour))
		assert.NoError(t, err)
		assert.False(t, used, name)
	}
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{l, other})
	assert.NoError(t, lost(w.Store.UseLink(t.Context(), "ada", l.ID, "", at)))
	assert.Equal(t, w.list(t, "ada")[0].Email, "")
}

func testRemoveLink(t *testing.T, w *world) {
	l, kept, bobs := w.link(t, "ada"), w.link(t, "ada"), w.link(t, "bob")
	for _, each := range []oauth.Link{l, kept, bobs} {
		w.put(t, each)
	}
	for _, id := range []string{bobs.ID, newID(), "x", ""} {
		_, err := w.Store.RemoveLink(t.Context(), "ada", id)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
	}
	w.grant(t, bobs)
	assert.Equal(t, w.list(t, "bob"), []oauth.Link{bobs})
	removed, err := w.Store.RemoveLink(t.Context(), "ada", l.ID)
	assert.NoError(t, err)
	assert.Equal(t, removed, l)
	assert.Equal(t, w.list(t, "ada"), []oauth.Link{kept})
	_, err = w.Store.FindGrant(t.Context(), "ada", l.ID)
	assert.ErrorIs(t, err, oauth.ErrNotFound)
	w.grant(t, kept)

	again := l // the same account, linked anew, has no tokens
	assert.NoError(t, w.Store.AddLink(t.Context(), again))
	_, err = w.Store.FindGrant(t.Context(), "ada", l.ID)
	assert.ErrorIs(t, err, oauth.ErrNotFound)
}

func testRemoveLinkRace(t *testing.T, w *world) {
	l := w.link(t, "ada")
	w.put(t, l)
	assert.Equal(t, race(t, oauth.ErrNotFound, func(ctx context.Context) error {
		_, err := w.Store.RemoveLink(ctx, "ada", l.ID)
		return err
	}), 1)
}

func testForget(t *testing.T, w *world) {
	l, second, bobs := w.link(t, "ada"), w.link(t, "ada"), w.link(t, "bob")
	for _, each := range []oauth.Link{l, second, bobs} {
		w.put(t, each)
	}
	assert.NoError(t, w.Store.Forget(t.Context(), "ada"))
	assert.Len(t, w.list(t, "ada"), 0)
	for _, each := range []oauth.Link{l, second} {
		_, err := w.Store.LinkByIdentity(t.Context(), each.Identity)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
		_, err = w.Store.FindGrant(t.Context(), "ada", each.ID)
		assert.ErrorIs(t, err, oauth.ErrNotFound)
	}
	assert.Equal(t, w.list(t, "bob"), []oauth.Link{bobs})
	w.grant(t, bobs)
	assert.NoError(t, w.Store.Forget(t.Context(), "nobody"))
}
