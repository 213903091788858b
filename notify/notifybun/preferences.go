package notifybun

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/notify"
)

type preferenceModel struct {
	bun.BaseModel `bun:"table:tenon_notification_preferences,alias:p"`

	UserID    string         `bun:"user_id,pk"`
	Category  string         `bun:"category,pk"`
	Channel   notify.Channel `bun:"channel,pk"`
	Enabled   bool           `bun:"enabled"`
	UpdatedAt time.Time      `bun:"updated_at"`
}

func newPreferenceModel(p notify.Preference) *preferenceModel {
	return &preferenceModel{UserID: p.UserID, Category: p.Category, Channel: p.Channel, Enabled: p.Enabled, UpdatedAt: p.UpdatedAt.UTC()}
}

func (m preferenceModel) preference() notify.Preference {
	return notify.Preference{UserID: m.UserID, Category: m.Category, Channel: m.Channel, Enabled: m.Enabled, UpdatedAt: m.UpdatedAt.UTC()}
}

// Preferences implements notify.PreferenceStore.
func (s *Store) Preferences(ctx context.Context, category string, userIDs ...string) ([]notify.Preference, error) {
	if len(userIDs) == 0 {
		return nil, nil
	}
	if len(userIDs) == 1 && category != "" {
		return s.preferencesOf(ctx, userIDs[0], category)
	}
	var models []preferenceModel
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).Where("p.user_id IN (?)", bun.List(userIDs))
	if category != "" {
		query = query.Where("p.category = ?", category)
	}
	if err := query.OrderExpr("p.user_id, p.category, p.channel").Scan(ctx); err != nil {
		return nil, bundb.Wrap("notifybun: preferences", err)
	}
	all := make([]notify.Preference, len(models))
	for i, m := range models {
		all[i] = m.preference()
	}
	return all, nil
}

const preferencesOfOneSQL = `
SELECT channel, enabled, updated_at FROM tenon_notification_preferences WHERE user_id = ? AND category = ? ORDER BY channel`

// preferencesOf is Preferences for the one recipient that most news have.
func (s *Store) preferencesOf(ctx context.Context, userID, category string) ([]notify.Preference, error) {
	rows, err := s.preferencesOfOne.Query(ctx, userID, category)
	if err != nil {
		return nil, bundb.Wrap("notifybun: preferences", err)
	}
	defer rows.Close()
	all := []notify.Preference{}
	for rows.Next() {
		p := notify.Preference{UserID: userID, Category: category}
		if err := rows.Scan(&p.Channel, &p.Enabled, bundb.ScanTime(&p.UpdatedAt)); err != nil {
			return nil, bundb.Wrap("notifybun: preferences", err)
		}
		all = append(all, p)
	}
	return all, bundb.Wrap("notifybun: preferences", rows.Err())
}

// PutPreference implements notify.PreferenceStore.
func (s *Store) PutPreference(ctx context.Context, p notify.Preference) error {
	_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(newPreferenceModel(p)).
		On("CONFLICT (user_id, category, channel) DO UPDATE").
		Set("enabled = EXCLUDED.enabled").Set("updated_at = EXCLUDED.updated_at").Exec(ctx)
	return bundb.Wrap("notifybun: put a preference", err)
}

// DropPreference implements notify.PreferenceStore.
func (s *Store) DropPreference(ctx context.Context, userID, category string, ch notify.Channel) error {
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*preferenceModel)(nil)).
		Where("p.user_id = ? AND p.category = ? AND p.channel = ?", userID, category, ch).Exec(ctx)
	return bundb.Wrap("notifybun: drop a preference", err)
}

// ForgetPreferences implements notify.PreferenceStore.
func (s *Store) ForgetPreferences(ctx context.Context, userID string) error {
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Model((*preferenceModel)(nil)).Where("p.user_id = ?", userID).Exec(ctx)
	return bundb.Wrap("notifybun: forget a user", err)
}
