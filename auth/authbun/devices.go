package authbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

const deviceSQL = `
SELECT d.id, d.user_id, u.email, d.security_version, d.selector, d.kid, d.mac, d.created_at, d.expires_at
FROM tenon_devices AS d JOIN tenon_users AS u ON u.id = d.user_id AND u.security_version = d.security_version
WHERE d.selector = ? AND d.expires_at > ?`

// dropDevicesSQL lacks what makes it pass over rows that another call is dropping.
const dropDevicesSQL = `
DELETE FROM tenon_devices WHERE id IN (
    SELECT id FROM tenon_devices WHERE id IN (
        SELECT id FROM (
            SELECT id, security_version, ROW_NUMBER() OVER (ORDER BY created_at DESC, id DESC) AS n
            FROM tenon_devices WHERE user_id = ?
        ) AS mine WHERE n > ? OR id = ? OR security_version < ?
    )`

// KIDs tells which keys known devices need: a key that one of them was hashed under
// must not be destroyed (rule R28).
func KIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT d.kid, count(*) FROM tenon_devices AS d" +
		" JOIN tenon_users AS u ON u.id = d.user_id AND u.security_version = d.security_version GROUP BY d.kid")
	return crypto.KIDSource{Name: "known devices", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("authbun: count keys", err)
	}}
}

type deviceModel struct {
	bun.BaseModel `bun:"table:tenon_devices"`

	ID              string    `bun:"id,pk"`
	UserID          string    `bun:"user_id"`
	SecurityVersion int64     `bun:"security_version"`
	Selector        string    `bun:"selector"`
	KID             string    `bun:"kid"`
	MAC             []byte    `bun:"mac"`
	CreatedAt       time.Time `bun:"created_at"`
	ExpiresAt       time.Time `bun:"expires_at"`
}

// AddDevice implements auth.DeviceStore.
func (s *Store) AddDevice(ctx context.Context, d auth.Device, replaced string, keep int) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		if err := s.Hold(ctx, d.UserID); err != nil {
			return err
		}
		m := &deviceModel{
			ID: d.ID, UserID: d.UserID, SecurityVersion: d.SecurityVersion, Selector: d.Selector,
			KID: d.Verifier.KID, MAC: d.Verifier.MAC, CreatedAt: d.CreatedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(),
		}
		if _, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx); err != nil {
			return bundb.Wrap("authbun: add a device", err)
		}
		_, err := s.Statement(dropDevicesSQL+s.passOver()+")").Exec(ctx, d.UserID, keep, replaced, d.SecurityVersion)
		return bundb.Wrap("authbun: drop a user's oldest devices", err)
	})
}

// DeviceBySelector implements auth.DeviceStore.
func (s *Store) DeviceBySelector(ctx context.Context, selector string, now time.Time) (auth.Device, error) {
	var d auth.Device
	err := s.device.Scan(ctx, []any{selector, now}, &d.ID, &d.UserID, &d.Email, &d.SecurityVersion,
		&d.Selector, &d.Verifier.KID, &d.Verifier.MAC, bundb.ScanTime(&d.CreatedAt), bundb.ScanTime(&d.ExpiresAt))
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Device{}, auth.ErrDeviceNotFound
	}
	if err != nil {
		return auth.Device{}, bundb.Wrap("authbun: find a device", err)
	}
	return d, nil
}

// PruneDevices implements auth.DeviceStore.
func (s *Store) PruneDevices(ctx context.Context, now time.Time, limit int) (int, error) {
	query := "DELETE FROM tenon_devices WHERE id IN (SELECT id FROM tenon_devices WHERE expires_at <= ? ORDER BY expires_at LIMIT ?" + s.passOver() + ")"
	n, err := affected(s.Statement(query).Exec(ctx, now, limit))
	return n, bundb.Wrap("authbun: prune devices", err)
}
