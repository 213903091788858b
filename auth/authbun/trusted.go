package authbun

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

// livingTrust is true of trusted devices whose user is as they were (rule R1).
const livingTrust = "EXISTS (SELECT 1 FROM tenon_users AS u WHERE u.id = tenon_trusted_devices.user_id AND u.security_version = tenon_trusted_devices.security_version)"

// TrustKIDs tells which keys trusted devices need: a key that one of them was hashed
// under must not be destroyed (rule R28).
func TrustKIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT kid, count(*) FROM tenon_trusted_devices WHERE " + livingTrust + " GROUP BY kid")
	return crypto.KIDSource{Name: "trusted devices", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("authbun: count the keys of trusted devices", err)
	}}
}

type trustedModel struct {
	bun.BaseModel `bun:"table:tenon_trusted_devices"`

	ID              string    `bun:"id,pk"`
	UserID          string    `bun:"user_id"`
	SecurityVersion int64     `bun:"security_version"`
	KID             string    `bun:"kid"`
	MAC             []byte    `bun:"mac"`
	Name            string    `bun:"name"`
	IP              string    `bun:"ip"`
	CreatedAt       time.Time `bun:"created_at"`
	LastUsedAt      time.Time `bun:"last_used_at"`
	ExpiresAt       time.Time `bun:"expires_at"`
}

func (m *trustedModel) device() twofactor.TrustedDevice {
	d := twofactor.TrustedDevice{
		ID: m.ID, UserID: m.UserID, SecurityVersion: m.SecurityVersion, Verifier: token.Verifier{KID: m.KID, MAC: m.MAC},
		Name: m.Name, CreatedAt: m.CreatedAt.UTC(), LastUsedAt: m.LastUsedAt.UTC(), ExpiresAt: m.ExpiresAt.UTC(),
	}
	d.IP, _ = netip.ParseAddr(m.IP) // empty, and nothing is decided by it
	return d
}

func ipText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// AddTrusted implements twofactor.TrustStore.
func (s *Store) AddTrusted(ctx context.Context, d twofactor.TrustedDevice, keep int) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	m := &trustedModel{
		ID: d.ID, UserID: d.UserID, SecurityVersion: d.SecurityVersion, KID: d.Verifier.KID, MAC: d.Verifier.MAC,
		Name: d.Name, IP: ipText(d.IP), CreatedAt: d.CreatedAt.UTC(), LastUsedAt: d.LastUsedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(),
	}
	if _, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx); err != nil {
		return bundb.Wrap("authbun: add a trusted device", err)
	}
	newest := s.Bun().NewSelect().Model((*trustedModel)(nil)).Column("id").
		Where("user_id = ?", d.UserID).OrderExpr("created_at DESC, id DESC").Limit(int64(keep))
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_trusted_devices").Where("user_id = ?", d.UserID).
		WhereGroup(" AND ", func(q *bun.DeleteQuery) *bun.DeleteQuery {
			return q.Where("security_version < ?", d.SecurityVersion).WhereOr("id NOT IN (?)", newest)
		}).Exec(ctx)
	return bundb.Wrap("authbun: drop a user's oldest trusted devices", err)
}

// living selects the user's trusted devices that are.
func (s *Store) livingTrusted(ctx context.Context, dst any, userID string, now time.Time) *bun.SelectQuery {
	return s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(dst).ModelTableExpr("tenon_trusted_devices").
		ColumnExpr("tenon_trusted_devices.*").
		Where("user_id = ?", userID).Where("expires_at > ?", now.UTC()).Where(livingTrust)
}

// TrustedByID implements twofactor.TrustStore.
func (s *Store) TrustedByID(ctx context.Context, userID, id string, now time.Time) (twofactor.TrustedDevice, error) {
	m := new(trustedModel)
	err := s.livingTrusted(ctx, m, userID, now).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return twofactor.TrustedDevice{}, twofactor.ErrTrustNotFound
	}
	if err != nil {
		return twofactor.TrustedDevice{}, bundb.Wrap("authbun: find a trusted device", err)
	}
	return m.device(), nil
}

// RotateTrusted implements twofactor.TrustStore.
func (s *Store) RotateTrusted(ctx context.Context, id string, from, to token.Verifier, ip netip.Addr, now time.Time) (bool, error) {
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_trusted_devices").
		Set("kid = ?", to.KID).Set("mac = ?", to.MAC).Set("ip = ?", ipText(ip)).Set("last_used_at = ?", now.UTC()).
		Where("id = ?", id).Where("kid = ?", from.KID).Where("mac = ?", from.MAC).
		Where("expires_at > ?", now.UTC()).Where(livingTrust).Exec(ctx))
	return n == 1 && err == nil, bundb.Wrap("authbun: rotate a trusted device", err)
}

// ListTrusted implements twofactor.TrustStore.
func (s *Store) ListTrusted(ctx context.Context, userID string, now time.Time) ([]twofactor.TrustedDevice, error) {
	var models []trustedModel
	err := s.livingTrusted(ctx, &models, userID, now).OrderExpr("last_used_at DESC, id DESC").Scan(ctx)
	if err != nil {
		return nil, bundb.Wrap("authbun: list trusted devices", err)
	}
	list := make([]twofactor.TrustedDevice, 0, len(models))
	for _, m := range models {
		list = append(list, m.device())
	}
	return list, nil
}

// DropTrusted implements twofactor.TrustStore.
func (s *Store) DropTrusted(ctx context.Context, userID, id string) (bool, error) {
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_trusted_devices").
		Where("id = ?", id).Where("user_id = ?", userID).Exec(ctx))
	return n == 1 && err == nil, bundb.Wrap("authbun: drop a trusted device", err)
}

// PruneTrusted implements twofactor.TrustStore.
func (s *Store) PruneTrusted(ctx context.Context, now time.Time, limit int) (int, error) {
	query := "DELETE FROM tenon_trusted_devices WHERE id IN (SELECT id FROM tenon_trusted_devices WHERE expires_at <= ? ORDER BY expires_at LIMIT ?" + s.passOver() + ")"
	n, err := affected(s.Statement(query).Exec(ctx, now, limit))
	return n, bundb.Wrap("authbun: prune trusted devices", err)
}
