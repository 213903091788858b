package authbun

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/bundb"
)

var _ admin.Store = (*Store)(nil)

// recordModel is a user as superusers see them.
type recordModel struct {
	bun.BaseModel `bun:"table:tenon_users,alias:u"`
	userModel

	BannedAt    time.Time `bun:"banned_at,nullzero"`
	BannedUntil time.Time `bun:"banned_until,nullzero"`
	BanReason   string    `bun:"ban_reason"`
	BannedBy    string    `bun:"banned_by"`
}

func (m *recordModel) record() admin.Record {
	return admin.Record{
		User: m.user(), BannedAt: m.BannedAt.UTC(), BannedUntil: m.BannedUntil.UTC(),
		BanReason: m.BanReason, BannedBy: m.BannedBy,
	}
}

// Record implements admin.Store.
func (s *Store) Record(ctx context.Context, userID string) (admin.Record, error) {
	m := new(recordModel)
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).Where("u.id = ?", userID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return admin.Record{}, auth.ErrUserNotFound
	}
	if err != nil {
		return admin.Record{}, bundb.Wrap("authbun: read a user's record", err)
	}
	return m.record(), nil
}

// Records implements admin.Store.
func (s *Store) Records(ctx context.Context, q admin.Query) ([]admin.Record, int, error) {
	var models []recordModel
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).
		Limit(int64(q.Limit)).Offset(int64(q.Offset))
	for _, c := range q.Where {
		where(query, c, q.Now)
	}
	order := "ASC"
	if q.Descending {
		order = "DESC"
	}
	query = query.OrderExpr("? ?, u.id ?", bun.Safe(column(q.OrderBy)), bun.Safe(order), bun.Safe(order))
	total, err := query.ScanAndCount(ctx)
	if err != nil {
		return nil, 0, bundb.Wrap("authbun: list users", err)
	}
	records := make([]admin.Record, 0, len(models))
	for i := range models {
		records = append(records, models[i].record())
	}
	return records, int(total), nil
}

// column returns the column of a field. What is not a field is ordered by the
// time of creation; conditions have no such choice.
func column(f admin.Field) string {
	switch f {
	case admin.FieldID:
		return "u.id"
	case admin.FieldEmail:
		return "u.email"
	case admin.FieldName:
		return "u.name"
	case admin.FieldRole:
		return "u.superuser"
	case admin.FieldBanned:
		return "u.banned_at"
	case admin.FieldVerified:
		return "u.email_verified"
	case admin.FieldUpdatedAt:
		return "u.updated_at"
	}
	return "u.created_at"
}

// where adds one condition. A condition that makes no sense selects nobody.
func where(query *bun.SelectQuery, c admin.Condition, now time.Time) {
	operator, known := map[admin.Match]string{
		admin.Equal: "=", admin.NotEqual: "<>", admin.Less: "<", admin.LessOrEqual: "<=",
		admin.Greater: ">", admin.GreaterOrEqual: ">=",
	}[c.Match]
	text, isText := c.Value.(string)
	flag, isFlag := c.Value.(bool)
	at, isTime := c.Value.(time.Time)
	wanted := flag == (c.Match == admin.Equal)
	equality := c.Match == admin.Equal || c.Match == admin.NotEqual
	switch {
	case c.Field == admin.FieldBanned && isFlag && equality && wanted:
		query.Where("u.banned_at IS NOT NULL AND (u.banned_until IS NULL OR u.banned_until > ?)", now.UTC())
	case c.Field == admin.FieldBanned && isFlag && equality:
		query.Where("(u.banned_at IS NULL OR u.banned_until <= ?)", now.UTC())
	case c.Field == admin.FieldVerified && isFlag && equality:
		query.Where("u.email_verified = ?", wanted)
	case c.Field == admin.FieldRole && isText && equality:
		query.Where("u.superuser = ?", (text == admin.RoleAdmin) == (c.Match == admin.Equal))
	case (c.Field == admin.FieldCreatedAt || c.Field == admin.FieldUpdatedAt) && isTime && known:
		query.Where("? ? ?", bun.Safe(column(c.Field)), bun.Safe(operator), at.UTC())
	case (c.Field == admin.FieldID || c.Field == admin.FieldEmail || c.Field == admin.FieldName) && isText && known:
		query.Where("? ? ?", bun.Safe(column(c.Field)), bun.Safe(operator), text)
	case (c.Field == admin.FieldID || c.Field == admin.FieldEmail || c.Field == admin.FieldName) && isText:
		query.Where(`LOWER(?) LIKE LOWER(?) ESCAPE '!'`, bun.Safe(column(c.Field)), pattern(c.Match, text))
	default:
		query.Where("1 = 0")
	}
}

// pattern is what LIKE takes for text itself, whatever characters it has.
func pattern(m admin.Match, text string) string {
	text = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
	switch m {
	case admin.StartsWith:
		return text + "%"
	case admin.EndsWith:
		return "%" + text
	}
	return "%" + text + "%"
}

// SetProfile implements admin.Store.
func (s *Store) SetProfile(ctx context.Context, userID, name, image string, now time.Time) error {
	return s.changeUser(ctx, userID, "set a profile", s.Bun().NewUpdate().Table("tenon_users").
		Set("name = ?", name).Set("image = ?", image).Set("updated_at = ?", now.UTC()).Where("id = ?", userID))
}

// SetBan implements admin.Store.
func (s *Store) SetBan(ctx context.Context, b admin.Ban) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	return s.changeUser(ctx, b.UserID, "ban a user", s.Bun().NewUpdate().Table("tenon_users").
		Set("banned_at = ?", b.At.UTC()).Set("banned_until = ?", bun.NullTime{Time: b.Until.UTC()}).
		Set("ban_reason = ?", b.Reason).Set("banned_by = ?", b.ActorID).Set("updated_at = ?", b.At.UTC()).
		Where("id = ?", b.UserID))
}

// changeUser runs an update of one user.
func (s *Store) changeUser(ctx context.Context, userID, what string, query *bun.UpdateQuery) error {
	return s.change(ctx, userID, func(ctx context.Context) error {
		changed, err := affected(query.Conn(s.Conn(ctx)).Exec(ctx))
		if err != nil {
			return bundb.Wrap("authbun: "+what, err)
		}
		if changed == 0 {
			return auth.ErrUserNotFound
		}
		return nil
	})
}

// LiftBan implements admin.Store.
func (s *Store) LiftBan(ctx context.Context, userID string, now time.Time) (lifted bool, err error) {
	err = s.InTx(ctx, func(ctx context.Context) error {
		changed, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
			Set("banned_at = NULL").Set("banned_until = NULL").Set("ban_reason = ''").Set("banned_by = ''").
			Set("updated_at = ?", now.UTC()).Where("id = ?", userID).Where("banned_at IS NOT NULL").Exec(ctx))
		if err != nil {
			return bundb.Wrap("authbun: lift a ban", err)
		}
		if lifted = changed == 1; lifted {
			return nil
		}
		_, err = s.UserByID(ctx, userID)
		return err
	})
	return lifted && err == nil, err
}

// SetSuperuser implements admin.Store. It locks every superuser in the order of
// their ids, so that two who take the role from each other wait for one another,
// and do not deadlock.
func (s *Store) SetSuperuser(ctx context.Context, userID string, superuser bool, now time.Time) (bool, error) {
	if err := s.RequireTx(ctx); err != nil {
		return false, err
	}
	user, err := s.UserByID(ctx, userID)
	if err != nil {
		return false, err
	}
	if !superuser && user.Superuser {
		if err := s.requireAnotherSuperuser(ctx, userID, now); err != nil {
			return false, err
		}
	}
	changed, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
		Set("superuser = ?", superuser).Set("updated_at = ?", now.UTC()).
		Where("id = ?", userID).Where("superuser <> ?", superuser).Exec(ctx))
	if err != nil || changed == 0 {
		return false, bundb.Wrap("authbun: set a superuser", err)
	}
	return true, s.changed(ctx, userID)
}

func (s *Store) requireAnotherSuperuser(ctx context.Context, userID string, now time.Time) error {
	var models []recordModel
	query := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(&models).
		Where("u.superuser").WhereOr("u.id = ?", userID).OrderExpr("u.id")
	if s.Dialect() == bundb.Postgres {
		query = query.For("NO KEY UPDATE")
	}
	if err := query.Scan(ctx); err != nil {
		return bundb.Wrap("authbun: lock the superusers", err)
	}
	for i := range models {
		if r := models[i].record(); r.ID != userID && r.Superuser && !r.Banned(now) {
			return nil
		}
	}
	return admin.ErrLastSuperuser
}
