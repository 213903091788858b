// Package notifytest has a store in memory, and the suite that every store of package
// notify must pass.
package notifytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/faketx"
	"github.com/tenon-go/tenon/notify"
)

// Fake is a notify.Store in memory. Its Fail makes every call return an error.
type Fake struct {
	*faketx.DB[state]
}

var _ notify.Store = (*Fake)(nil)

// choice is what a user chooses about.
type choice struct {
	userID, category string
	channel          notify.Channel
}

type state struct {
	items       map[string]notify.Item // by id
	preferences map[choice]notify.Preference
}

func (s state) clone() state {
	return state{items: maps.Clone(s.items), preferences: maps.Clone(s.preferences)}
}

// NewFake returns an empty Fake.
func NewFake() *Fake {
	return &Fake{faketx.New(state{items: map[string]notify.Item{}, preferences: map[choice]notify.Preference{}}, state.clone)}
}

// Add implements notify.ItemStore.
func (f *Fake) Add(ctx context.Context, items []notify.Item) (added []string, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, item := range items {
			if !s.has(item) {
				s.items[item.ID] = item
				added = append(added, item.ID)
			}
		}
		return nil
	})
	return added, err
}

func (s *state) has(item notify.Item) bool {
	for _, other := range s.items {
		if other.UserID == item.UserID && other.OrganizationID == item.OrganizationID && other.Key == item.Key {
			return true
		}
	}
	return false
}

// List implements notify.ItemStore.
func (f *Fake) List(ctx context.Context, q notify.Query) (items []notify.Item, err error) {
	items = []notify.Item{}
	err = f.Do(ctx, func(s *state) error {
		for _, i := range s.items {
			if i.UserID == q.UserID && i.InApp && (!q.Unread || i.ReadAt.IsZero()) && follows(i, q.After) {
				items = append(items, i)
			}
		}
		return nil
	})
	slices.SortFunc(items, func(a, b notify.Item) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return items[:min(len(items), q.Limit)], err
}

func follows(i notify.Item, after notify.Position) bool {
	if after == (notify.Position{}) {
		return true
	}
	return cmp.Or(i.CreatedAt.Compare(after.CreatedAt), strings.Compare(i.ID, after.ID)) < 0
}

// CountUnread implements notify.ItemStore.
func (f *Fake) CountUnread(ctx context.Context, userID string) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, i := range s.items {
			if i.UserID == userID && i.InApp && i.ReadAt.IsZero() {
				n++
			}
		}
		return nil
	})
	return n, err
}

// mark marks those of the user's items that are not read and that match.
func (f *Fake) mark(ctx context.Context, userID string, now time.Time, match func(notify.Item) bool) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		for id, i := range s.items {
			if i.UserID == userID && i.InApp && i.ReadAt.IsZero() && match(i) {
				i.ReadAt = now
				s.items[id] = i
				n++
			}
		}
		return nil
	})
	return n, err
}

// MarkRead implements notify.ItemStore.
func (f *Fake) MarkRead(ctx context.Context, userID string, ids []string, now time.Time) (int, error) {
	return f.mark(ctx, userID, now, func(i notify.Item) bool { return slices.Contains(ids, i.ID) })
}

// MarkAllRead implements notify.ItemStore.
func (f *Fake) MarkAllRead(ctx context.Context, userID string, before, now time.Time) (int, error) {
	return f.mark(ctx, userID, now, func(i notify.Item) bool { return i.CreatedAt.Before(before) })
}

// PruneItems implements notify.ItemStore.
func (f *Fake) PruneItems(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		all := slices.SortedFunc(maps.Values(s.items), func(a, b notify.Item) int { return a.CreatedAt.Compare(b.CreatedAt) })
		for _, i := range all {
			if i.CreatedAt.Before(before) && n < limit {
				delete(s.items, i.ID)
				n++
			}
		}
		return nil
	})
	return n, err
}

// ForgetItems implements notify.ItemStore.
func (f *Fake) ForgetItems(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.items, func(_ string, i notify.Item) bool { return i.UserID == userID })
		return nil
	})
}

// Preferences implements notify.PreferenceStore.
func (f *Fake) Preferences(ctx context.Context, category string, userIDs ...string) (all []notify.Preference, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, p := range s.preferences {
			if slices.Contains(userIDs, p.UserID) && (category == "" || p.Category == category) {
				all = append(all, p)
			}
		}
		return nil
	})
	return all, err
}

// PutPreference implements notify.PreferenceStore.
func (f *Fake) PutPreference(ctx context.Context, p notify.Preference) error {
	return f.Do(ctx, func(s *state) error {
		s.preferences[choice{p.UserID, p.Category, p.Channel}] = p
		return nil
	})
}

// DropPreference implements notify.PreferenceStore.
func (f *Fake) DropPreference(ctx context.Context, userID, category string, ch notify.Channel) error {
	return f.Do(ctx, func(s *state) error {
		delete(s.preferences, choice{userID, category, ch})
		return nil
	})
}

// ForgetPreferences implements notify.PreferenceStore.
func (f *Fake) ForgetPreferences(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.preferences, func(c choice, _ notify.Preference) bool { return c.userID == userID })
		return nil
	})
}
