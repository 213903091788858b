package authtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
)

var _ admin.Store = (*Fake)(nil)

func (s *state) isBanned(userID string, now time.Time) bool {
	b, ok := s.bans[userID]
	return ok && (b.Until.IsZero() || now.Before(b.Until))
}

func (s *state) record(user auth.User) admin.Record {
	b := s.bans[user.ID]
	return admin.Record{User: user, BannedAt: b.At, BannedUntil: b.Until, BanReason: b.Reason, BannedBy: b.ActorID}
}

// change runs fn on a user who exists.
func (f *Fake) change(ctx context.Context, userID string, fn func(s *state, user *auth.User) error) error {
	return f.Do(ctx, func(s *state) error {
		user, ok := s.users[userID]
		if !ok {
			return auth.ErrUserNotFound
		}
		if err := fn(s, &user); err != nil {
			return err
		}
		s.users[userID] = user
		return nil
	})
}

// Record implements admin.Store.
func (f *Fake) Record(ctx context.Context, userID string) (r admin.Record, err error) {
	err = f.change(ctx, userID, func(s *state, user *auth.User) error { r = s.record(*user); return nil })
	return r, err
}

// Records implements admin.Store.
func (f *Fake) Records(ctx context.Context, q admin.Query) (page []admin.Record, total int, err error) {
	err = f.Do(ctx, func(s *state) error {
		var all []admin.Record
		for _, user := range s.users {
			r := s.record(user)
			if !slices.ContainsFunc(q.Where, func(c admin.Condition) bool { return !holds(r, c, q.Now) }) {
				all = append(all, r)
			}
		}
		slices.SortFunc(all, func(a, b admin.Record) int {
			order := cmp.Or(compare(a, b, q.OrderBy), cmp.Compare(a.ID, b.ID))
			if q.Descending {
				return -order
			}
			return order
		})
		total = len(all)
		all = all[min(q.Offset, total):]
		page = all[:min(q.Limit, len(all))]
		return nil
	})
	return page, total, err
}

func compare(a, b admin.Record, f admin.Field) int {
	switch f {
	case admin.FieldEmail:
		return cmp.Compare(a.Email, b.Email)
	case admin.FieldName:
		return cmp.Compare(a.Name, b.Name)
	case admin.FieldID:
		return cmp.Compare(a.ID, b.ID)
	case admin.FieldUpdatedAt:
		return a.UpdatedAt.Compare(b.UpdatedAt)
	}
	return a.CreatedAt.Compare(b.CreatedAt)
}

func holds(r admin.Record, c admin.Condition, now time.Time) bool {
	switch v := c.Value.(type) {
	case bool:
		is := r.EmailVerified
		if c.Field == admin.FieldBanned {
			is = r.Banned(now)
		}
		return (is == v) == (c.Match == admin.Equal) && (c.Field == admin.FieldBanned || c.Field == admin.FieldVerified)
	case time.Time:
		at := r.CreatedAt
		if c.Field == admin.FieldUpdatedAt {
			at = r.UpdatedAt
		}
		return matches(at.Compare(v), c.Match)
	case string:
		return holdsText(r, c, v)
	}
	return false
}

func holdsText(r admin.Record, c admin.Condition, v string) bool {
	text, ok := map[admin.Field]string{admin.FieldID: r.ID, admin.FieldEmail: r.Email, admin.FieldName: r.Name}[c.Field]
	lower, part := strings.ToLower(text), strings.ToLower(v)
	switch {
	case c.Field == admin.FieldRole:
		return (r.Superuser == (v == admin.RoleAdmin)) == (c.Match == admin.Equal)
	case !ok:
		return false
	case c.Match == admin.Contains:
		return strings.Contains(lower, part)
	case c.Match == admin.StartsWith:
		return strings.HasPrefix(lower, part)
	case c.Match == admin.EndsWith:
		return strings.HasSuffix(lower, part)
	}
	return matches(cmp.Compare(text, v), c.Match)
}

func matches(order int, m admin.Match) bool {
	switch m {
	case admin.Equal:
		return order == 0
	case admin.NotEqual:
		return order != 0
	case admin.Less:
		return order < 0
	case admin.LessOrEqual:
		return order <= 0
	case admin.Greater:
		return order > 0
	case admin.GreaterOrEqual:
		return order >= 0
	}
	return false
}

// SetProfile implements admin.Store.
func (f *Fake) SetProfile(ctx context.Context, userID, name, image string, now time.Time) error {
	return f.change(ctx, userID, func(_ *state, user *auth.User) error {
		user.Name, user.Image, user.UpdatedAt = name, image, now
		return nil
	})
}

// SetBan implements admin.Store.
func (f *Fake) SetBan(ctx context.Context, b admin.Ban) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.change(ctx, b.UserID, func(s *state, user *auth.User) error {
		s.bans[b.UserID], user.UpdatedAt = b, b.At
		return nil
	})
}

// LiftBan implements admin.Store.
func (f *Fake) LiftBan(ctx context.Context, userID string, now time.Time) (lifted bool, err error) {
	err = f.change(ctx, userID, func(s *state, user *auth.User) error {
		if _, lifted = s.bans[userID]; lifted {
			delete(s.bans, userID)
			user.UpdatedAt = now
		}
		return nil
	})
	return lifted && err == nil, err
}

// SetSuperuser implements admin.Store.
func (f *Fake) SetSuperuser(ctx context.Context, userID string, superuser bool, now time.Time) (changed bool, err error) {
	if err := f.requireTx(ctx); err != nil {
		return false, err
	}
	err = f.change(ctx, userID, func(s *state, user *auth.User) error {
		if changed = user.Superuser != superuser; !changed {
			return nil
		}
		others := 0
		for id, other := range s.users {
			if id != userID && other.Superuser && !s.isBanned(id, now) {
				others++
			}
		}
		if !superuser && others == 0 {
			return admin.ErrLastSuperuser
		}
		user.Superuser, user.UpdatedAt = superuser, now
		return nil
	})
	return changed && err == nil, err
}
