package notify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-go/tenon/problem"
)

// Preference is a user's own choice: whether a category goes by a channel.
type Preference struct {
	UserID    string
	Category  string
	Channel   Channel
	Enabled   bool
	UpdatedAt time.Time
}

// Setting is how a category goes by a channel to a user.
type Setting struct {
	Category Category
	Channel  Channel
	Enabled  bool
	// Default is what holds for whoever did not choose.
	Default bool
	// Mutable is false for what cannot be turned off.
	Mutable bool
}

func (s *Service) setting(c Category, ch Channel, deviations []Preference) Setting {
	return Setting{
		Category: c, Channel: ch, Enabled: c.reaches(ch, deviations), Default: c.byDefault(ch),
		Mutable: c.mutable(ch),
	}
}

// Preferences returns how every category goes by every channel to the user, in a fixed
// order.
func (s *Service) Preferences(ctx context.Context, userID string) ([]Setting, error) {
	deviations, err := s.store.Preferences(ctx, "", userID)
	if err != nil {
		return nil, fmt.Errorf("notify: preferences: %w", err)
	}
	settings := make([]Setting, 0, len(s.categories)*len(s.channels))
	for _, c := range s.categories {
		for _, ch := range s.channels {
			settings = append(settings, s.setting(c, ch, deviations))
		}
	}
	return settings, nil
}

// SetPreference turns a channel of a category on or off for the user. What is the
// default is not stored, so that the user follows it if it changes. It joins the
// transaction of ctx and holds the user (rule R3).
//
// Errors: ErrUnknownCategory, ErrUnknownChannel, ErrCannotMute; problem.ErrNotFound
// where there is no such user.
func (s *Service) SetPreference(ctx context.Context, userID, category string, ch Channel, enabled bool) (Setting, error) {
	c, err := s.category(category)
	if err != nil {
		return Setting{}, err
	}
	if !slices.Contains(s.channels, ch) {
		return Setting{}, ErrUnknownChannel
	}
	setting := s.setting(c, ch, nil)
	if !enabled && !setting.Mutable {
		return Setting{}, ErrCannotMute
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		held, err := s.cfg.Users.HoldUsers(ctx, []string{userID}, true)
		if err != nil {
			return err
		}
		if len(held) == 0 {
			return problem.ErrNotFound
		}
		if enabled == setting.Default {
			return s.store.DropPreference(ctx, userID, c.Name, ch)
		}
		return s.store.PutPreference(ctx, Preference{UserID: userID, Category: c.Name, Channel: ch, Enabled: enabled, UpdatedAt: s.now()})
	})
	if err != nil {
		return Setting{}, fmt.Errorf("notify: set a preference: %w", err)
	}
	setting.Enabled = enabled
	return setting, nil
}
