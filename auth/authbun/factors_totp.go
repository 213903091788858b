package authbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

var _ twofactor.Store = (*Store)(nil)

// RecoveryKIDs tells which keys recovery codes need: a key that one of them was
// hashed under must not be destroyed (rule R28).
func RecoveryKIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT kid, count(*) FROM tenon_recovery_codes WHERE used_at IS NULL GROUP BY kid")
	return crypto.KIDSource{Name: "recovery codes", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx)
		return counts, bundb.Wrap("authbun: count the keys of recovery codes", err)
	}}
}

type totpModel struct {
	bun.BaseModel `bun:"table:tenon_totp,alias:f"`

	ID              string    `bun:"id,pk"`
	UserID          string    `bun:"user_id"`
	SessionID       string    `bun:"session_id"`
	SecurityVersion int64     `bun:"security_version"`
	Secret          []byte    `bun:"secret"`
	Algorithm       int       `bun:"algorithm"`
	Digits          int       `bun:"digits"`
	PeriodSeconds   int64     `bun:"period_seconds"`
	LastStep        int64     `bun:"last_step"`
	Confirmed       bool      `bun:"confirmed"`
	CreatedAt       time.Time `bun:"created_at"`
	ConfirmedAt     time.Time `bun:"confirmed_at,nullzero"`
}

func (m *totpModel) enrolment() twofactor.Enrolment {
	return twofactor.Enrolment{
		ID: m.ID, UserID: m.UserID, SessionID: m.SessionID, SecurityVersion: m.SecurityVersion, Secret: m.Secret,
		Algorithm: totp.Algorithm(m.Algorithm), Digits: m.Digits, Period: time.Duration(m.PeriodSeconds) * time.Second,
		LastStep: m.LastStep, CreatedAt: m.CreatedAt.UTC(), ConfirmedAt: m.ConfirmedAt.UTC(),
	}
}

type recoveryModel struct {
	bun.BaseModel `bun:"table:tenon_recovery_codes"`

	ID        string    `bun:"id,pk"`
	UserID    string    `bun:"user_id"`
	Enrolment string    `bun:"enrolment,nullzero"`
	KID       string    `bun:"kid"`
	MAC       []byte    `bun:"mac"`
	CreatedAt time.Time `bun:"created_at"`
}

// SetMailFactor implements twofactor.UserStore.
func (s *Store) SetMailFactor(ctx context.Context, userID string, on bool) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
		Set("second_factor_mail = ?", on).Where("id = ?", userID).Exec(ctx))
	if err != nil {
		return bundb.Wrap("authbun: set the kind of a second factor", err)
	}
	if n == 0 {
		return auth.ErrUserNotFound
	}
	return s.changed(ctx, userID)
}

// MailFactor implements twofactor.UserStore.
func (s *Store) MailFactor(ctx context.Context, userID string) (on bool, err error) {
	err = s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_users").Column("second_factor_mail").
		Where("id = ?", userID).Scan(ctx, &on)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return on && err == nil, bundb.Wrap("authbun: find the kind of a second factor", err)
}

// PutEnrolment implements twofactor.EnrolmentStore.
func (s *Store) PutEnrolment(ctx context.Context, e twofactor.Enrolment, codes []twofactor.RecoveryCode) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_totp").
		Where("user_id = ?", e.UserID).Where("confirmed = ?", false).Exec(ctx)
	if err != nil {
		return bundb.Wrap("authbun: replace an enrolment", err)
	}
	_, err = s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(&totpModel{
		ID: e.ID, UserID: e.UserID, SessionID: e.SessionID, SecurityVersion: e.SecurityVersion, Secret: e.Secret,
		Algorithm: int(e.Algorithm), Digits: e.Digits, PeriodSeconds: int64(e.Period / time.Second),
		LastStep: e.LastStep, CreatedAt: e.CreatedAt.UTC(),
	}).Exec(ctx)
	if err != nil {
		return bundb.Wrap("authbun: put an enrolment", err)
	}
	return s.insertRecoveryCodes(ctx, e.ID, codes)
}

func (s *Store) insertRecoveryCodes(ctx context.Context, enrolment string, codes []twofactor.RecoveryCode) error {
	if len(codes) == 0 {
		return nil
	}
	models := make([]recoveryModel, 0, len(codes))
	for _, c := range codes {
		models = append(models, recoveryModel{
			ID: c.ID, UserID: c.UserID, Enrolment: enrolment, KID: c.Verifier.KID, MAC: c.Verifier.MAC, CreatedAt: c.CreatedAt.UTC(),
		})
	}
	_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(&models).Exec(ctx)
	return bundb.Wrap("authbun: put recovery codes", err)
}

// EnrolmentOf implements twofactor.EnrolmentStore.
func (s *Store) EnrolmentOf(ctx context.Context, userID string, confirmed bool) (twofactor.Enrolment, error) {
	m := new(totpModel)
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).
		Where("f.user_id = ?", userID).Where("f.confirmed = ?", confirmed).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return twofactor.Enrolment{}, twofactor.ErrNotEnrolled
	}
	if err != nil {
		return twofactor.Enrolment{}, bundb.Wrap("authbun: find an enrolment", err)
	}
	return m.enrolment(), nil
}

// ConfirmEnrolment implements twofactor.EnrolmentStore.
func (s *Store) ConfirmEnrolment(ctx context.Context, userID, id string, step int64, now time.Time) (bool, error) {
	if err := s.RequireTx(ctx); err != nil {
		return false, err
	}
	const waits = "EXISTS (SELECT 1 FROM tenon_totp WHERE id = ? AND user_id = ? AND confirmed = ?)"
	for table, mine := range map[string]string{"tenon_totp": "confirmed = TRUE", "tenon_recovery_codes": "enrolment IS NULL"} {
		_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table(table).
			Where("user_id = ?", userID).Where(mine).Where(waits, id, userID, false).Exec(ctx)
		if err != nil {
			return false, bundb.Wrap("authbun: replace a second factor", err)
		}
	}
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_totp").
		Set("confirmed = ?", true).Set("confirmed_at = ?", now.UTC()).Set("last_step = ?", step).
		Where("id = ?", id).Where("user_id = ?", userID).Where("confirmed = ?", false).Exec(ctx))
	if err != nil || n == 0 {
		return false, bundb.Wrap("authbun: confirm an enrolment", err)
	}
	_, err = s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_recovery_codes").
		Set("enrolment = NULL").Where("enrolment = ?", id).Exec(ctx)
	return err == nil, bundb.Wrap("authbun: make recovery codes valid", err)
}

// AcceptStep implements twofactor.EnrolmentStore.
func (s *Store) AcceptStep(ctx context.Context, userID, id string, step int64) (bool, error) {
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_totp").Set("last_step = ?", step).
		Where("id = ?", id).Where("user_id = ?", userID).Where("confirmed = ?", true).Where("last_step < ?", step).Exec(ctx))
	return n == 1 && err == nil, bundb.Wrap("authbun: accept a step", err)
}

// DropFactors implements twofactor.EnrolmentStore.
func (s *Store) DropFactors(ctx context.Context, userID string) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for _, table := range []string{"tenon_recovery_codes", "tenon_totp"} {
			if _, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table(table).Where("user_id = ?", userID).Exec(ctx); err != nil {
				return bundb.Wrap("authbun: drop second factors", err)
			}
		}
		return nil
	})
}

// PruneEnrolments implements twofactor.EnrolmentStore.
func (s *Store) PruneEnrolments(ctx context.Context, before time.Time, limit int) (int, error) {
	old := s.Bun().NewSelect().Table("tenon_totp").Column("id").
		Where("confirmed = ?", false).Where("created_at < ?", before.UTC()).OrderExpr("created_at").Limit(int64(limit))
	if s.Dialect() == bundb.Postgres {
		old.For("UPDATE SKIP LOCKED")
	}
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_totp").Where("id IN (?)", old).Exec(ctx))
	return n, bundb.Wrap("authbun: prune enrolments", err)
}

// PutRecoveryCodes implements twofactor.RecoveryStore.
func (s *Store) PutRecoveryCodes(ctx context.Context, userID string, codes []twofactor.RecoveryCode) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_recovery_codes").
			Where("user_id = ?", userID).Where("enrolment IS NULL").Exec(ctx)
		if err != nil {
			return bundb.Wrap("authbun: replace recovery codes", err)
		}
		return s.insertRecoveryCodes(ctx, "", codes)
	})
}

// RecoveryKeys implements twofactor.RecoveryStore.
func (s *Store) RecoveryKeys(ctx context.Context, userID string) (map[string]int, error) {
	var rows []struct {
		KID   string `bun:"kid"`
		Count int    `bun:"n"`
	}
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Table("tenon_recovery_codes").Column("kid").ColumnExpr("count(*) AS n").
		Where("user_id = ?", userID).Where("enrolment IS NULL").Where("used_at IS NULL").Group("kid").Scan(ctx, &rows)
	if err != nil {
		return nil, bundb.Wrap("authbun: count recovery codes", err)
	}
	left := map[string]int{}
	for _, row := range rows {
		left[row.KID] = row.Count
	}
	return left, nil
}

// UseRecoveryCode implements twofactor.RecoveryStore.
func (s *Store) UseRecoveryCode(ctx context.Context, userID string, v token.Verifier, now time.Time) (bool, error) {
	n, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_recovery_codes").Set("used_at = ?", now.UTC()).
		Where("user_id = ?", userID).Where("mac = ?", v.MAC).Where("kid = ?", v.KID).
		Where("enrolment IS NULL").Where("used_at IS NULL").Exec(ctx))
	return n == 1 && err == nil, bundb.Wrap("authbun: use a recovery code", err)
}
