package oauthtest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth"
	"github.com/tenon-go/tenon/internal/faketx"
)

// Fake is an oauth.Store in memory. Its Fail makes every call return an error.
type Fake struct {
	*faketx.DB[state]
}

var _ oauth.Store = (*Fake)(nil)

type state struct {
	links       map[string]oauth.Link       // by id
	attachments map[string]oauth.Attachment // by sign-up
	grants      map[string]oauth.Grant      // by link
	spent       map[string]time.Time        // by hash
}

func (s state) clone() state {
	return state{
		links: maps.Clone(s.links), attachments: maps.Clone(s.attachments), grants: maps.Clone(s.grants), spent: maps.Clone(s.spent),
	}
}

// NewFake returns an empty Fake.
func NewFake() *Fake {
	return &Fake{faketx.New(state{
		links: map[string]oauth.Link{}, attachments: map[string]oauth.Attachment{},
		grants: map[string]oauth.Grant{}, spent: map[string]time.Time{},
	}, state.clone)}
}

// AddLink implements oauth.LinkStore.
func (f *Fake) AddLink(ctx context.Context, l oauth.Link) error {
	return f.Do(ctx, func(s *state) error {
		for _, other := range s.links {
			if other.Identity == l.Identity {
				return oauth.ErrLinkedElsewhere
			}
		}
		l.CreatedAt, l.LastUsedAt = l.CreatedAt.UTC(), l.LastUsedAt.UTC()
		s.links[l.ID] = l
		return nil
	})
}

// LinkByIdentity implements oauth.LinkStore.
func (f *Fake) LinkByIdentity(ctx context.Context, id oauth.Identity) (found oauth.Link, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, l := range s.links {
			if l.Identity == id {
				found = l
				return nil
			}
		}
		return oauth.ErrNotFound
	})
	return found, err
}

// Links implements oauth.LinkStore.
func (f *Fake) Links(ctx context.Context, userID string) (all []oauth.Link, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, l := range s.links {
			if l.UserID == userID {
				all = append(all, l)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b oauth.Link) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// UseLink implements oauth.LinkStore.
func (f *Fake) UseLink(ctx context.Context, userID, id, email string, at time.Time) (used bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		l, ok := s.links[id]
		if used = ok && l.UserID == userID; used {
			l.Email, l.LastUsedAt = email, at.UTC()
			s.links[id] = l
		}
		return nil
	})
	return used && err == nil, err
}

// RemoveLink implements oauth.LinkStore.
func (f *Fake) RemoveLink(ctx context.Context, userID, id string) (removed oauth.Link, err error) {
	err = f.Do(ctx, func(s *state) error {
		l, ok := s.links[id]
		if !ok || l.UserID != userID {
			return oauth.ErrNotFound
		}
		delete(s.links, id)
		delete(s.grants, id)
		removed = l
		return nil
	})
	return removed, err
}

// Forget implements oauth.LinkStore.
func (f *Fake) Forget(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.grants, func(_ string, g oauth.Grant) bool { return g.UserID == userID })
		maps.DeleteFunc(s.links, func(_ string, l oauth.Link) bool { return l.UserID == userID })
		return nil
	})
}

// AddAttachment implements oauth.AttachmentStore.
func (f *Fake) AddAttachment(ctx context.Context, a oauth.Attachment) error {
	a.CreatedAt, a.ExpiresAt = a.CreatedAt.UTC(), a.ExpiresAt.UTC()
	return f.Do(ctx, func(s *state) error { s.attachments[a.SignUpID] = a; return nil })
}

// ClaimAttachment implements oauth.AttachmentStore.
func (f *Fake) ClaimAttachment(ctx context.Context, signUpID string, now time.Time) (claimed oauth.Attachment, err error) {
	err = f.Do(ctx, func(s *state) error {
		a, ok := s.attachments[signUpID]
		if !ok || !a.ExpiresAt.After(now) {
			return oauth.ErrNotFound
		}
		delete(s.attachments, signUpID)
		claimed = a
		return nil
	})
	return claimed, err
}

// PruneAttachments implements oauth.AttachmentStore.
func (f *Fake) PruneAttachments(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		n = prune(s.attachments, limit, func(a oauth.Attachment) bool { return !a.ExpiresAt.After(now) })
		return nil
	})
	return n, err
}

func prune[V any](rows map[string]V, limit int, old func(V) bool) (n int) {
	maps.DeleteFunc(rows, func(_ string, row V) bool {
		gone := n < limit && old(row)
		if gone {
			n++
		}
		return gone
	})
	return n
}

// PutGrant implements oauth.GrantStore.
func (f *Fake) PutGrant(ctx context.Context, g oauth.Grant) error {
	return f.Do(ctx, func(s *state) error {
		if l, ok := s.links[g.LinkID]; !ok || l.UserID != g.UserID {
			return oauth.ErrNotFound
		}
		was, known := s.grants[g.LinkID]
		if known {
			g.CreatedAt = was.CreatedAt
			if len(g.Refresh) == 0 && was.EndedAt.IsZero() {
				g.Refresh = was.Refresh
			}
		}
		g.Generation, g.RefreshingUntil = was.Generation+1, time.Time{}
		s.grants[g.LinkID] = copied(g)
		return nil
	})
}

// copied keeps the caller from changing what is stored, and makes its times UTC.
func copied(g oauth.Grant) oauth.Grant {
	for _, at := range []*time.Time{&g.AccessEndsAt, &g.RefreshingUntil, &g.EndedAt, &g.CreatedAt, &g.UpdatedAt} {
		*at = at.UTC()
	}
	g.Access, g.Refresh, g.Scopes = bytes.Clone(g.Access), bytes.Clone(g.Refresh), slices.Clone(g.Scopes)
	return g
}

// FindGrant implements oauth.GrantStore.
func (f *Fake) FindGrant(ctx context.Context, userID, linkID string) (found oauth.Grant, err error) {
	err = f.Do(ctx, func(s *state) error {
		g, ok := s.grants[linkID]
		if !ok || g.UserID != userID {
			return oauth.ErrNotFound
		}
		found = copied(g)
		return nil
	})
	return found, err
}

// ClaimRefresh implements oauth.GrantStore.
func (f *Fake) ClaimRefresh(ctx context.Context, linkID string, generation int64, now, until time.Time) (won bool, err error) {
	if f.InTransaction(ctx) {
		return false, auth.ErrInTransaction
	}
	err = f.Do(ctx, func(s *state) error {
		g, ok := s.grants[linkID]
		if won = ok && g.Generation == generation && g.EndedAt.IsZero() && !g.RefreshingUntil.After(now); won {
			g.RefreshingUntil = until
			s.grants[linkID] = copied(g)
		}
		return nil
	})
	return won && err == nil, err
}

// FinishRefresh implements oauth.GrantStore.
func (f *Fake) FinishRefresh(ctx context.Context, g oauth.Grant) (done bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		was, ok := s.grants[g.LinkID]
		if done = ok && was.Generation == g.Generation; !done {
			return nil
		}
		next := was
		if g.EndedAt.IsZero() {
			next = g
			next.UserID, next.CreatedAt, next.Generation = was.UserID, was.CreatedAt, was.Generation+1
		}
		next.EndedAt, next.UpdatedAt, next.RefreshingUntil = g.EndedAt, g.UpdatedAt, time.Time{}
		s.grants[g.LinkID] = copied(next)
		return nil
	})
	return done && err == nil, err
}

// SpendIDToken implements oauth.IDTokenStore.
func (f *Fake) SpendIDToken(ctx context.Context, hash []byte, expiresAt time.Time) error {
	return f.Do(ctx, func(s *state) error {
		if _, known := s.spent[string(hash)]; known {
			return oauth.ErrTokenSpent
		}
		s.spent[string(hash)] = expiresAt
		return nil
	})
}

// PruneIDTokens implements oauth.IDTokenStore.
func (f *Fake) PruneIDTokens(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		n = prune(s.spent, limit, func(at time.Time) bool { return !at.After(now) })
		return nil
	})
	return n, err
}
