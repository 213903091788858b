package authbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
)

type signUpModel struct {
	bun.BaseModel `bun:"table:tenon_sign_ups,alias:p"`

	ID           string    `bun:"id,pk"`
	UserID       string    `bun:"user_id"`
	Email        string    `bun:"email"`
	EmailDisplay string    `bun:"email_display"`
	Name         string    `bun:"name"`
	Image        string    `bun:"image"`
	Password     []byte    `bun:"password"`
	BrowserHash  []byte    `bun:"browser_hash"`
	CreatedAt    time.Time `bun:"created_at"`
	ExpiresAt    time.Time `bun:"expires_at"`
}

func (m *signUpModel) signUp() auth.SignUp {
	return auth.SignUp{
		ID: m.ID, UserID: m.UserID, Email: m.Email, Display: m.EmailDisplay, Name: m.Name, Image: m.Image,
		Password: m.Password, BrowserHash: m.BrowserHash, CreatedAt: m.CreatedAt.UTC(), ExpiresAt: m.ExpiresAt.UTC(),
	}
}

// AddSignUp implements auth.SignUpStore.
func (s *Store) AddSignUp(ctx context.Context, p auth.SignUp) error {
	m := &signUpModel{
		ID: p.ID, UserID: p.UserID, Email: p.Email, EmailDisplay: p.Display, Name: p.Name, Image: p.Image,
		Password: p.Password, BrowserHash: p.BrowserHash, CreatedAt: p.CreatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(),
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockAddress(ctx, p.Email); err != nil {
			return err
		}
		_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(m).Exec(ctx)
		return bundb.Wrap("authbun: add a sign-up", err)
	})
}

// DropSignUps implements auth.SignUpStore.
func (s *Store) DropSignUps(ctx context.Context, email string, keep int, newest bool) error {
	order := "created_at DESC, id DESC"
	if newest {
		order = "created_at, id"
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockAddress(ctx, email); err != nil {
			return err
		}
		drop := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_sign_ups").Where("email = ?", email)
		if keep > 0 { // Bun takes a limit of zero for none
			kept := s.Bun().NewSelect().Table("tenon_sign_ups").Column("id").
				Where("email = ?", email).OrderExpr(order).Limit(int64(keep))
			drop.Where("id NOT IN (?)", kept)
		}
		_, err := drop.Exec(ctx)
		return bundb.Wrap("authbun: drop sign-ups", err)
	})
}

// lockAddress makes transactions on the sign-ups of one address follow each
// other. They meet without rows to lock: an insert does not see another's.
func (s *Store) lockAddress(ctx context.Context, email string) error {
	if s.Dialect() != bundb.Postgres {
		return nil
	}
	_, err := s.Bun().NewRaw("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", "tenon_sign_ups "+email).
		Conn(s.Conn(ctx)).Exec(ctx)
	return bundb.Wrap("authbun: lock an address", err)
}

// NewestSignUp implements auth.SignUpStore.
func (s *Store) NewestSignUp(ctx context.Context, email string, now time.Time) (auth.SignUp, error) {
	m := new(signUpModel)
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).
		Where("p.email = ?", email).Where("p.expires_at > ?", now.UTC()).
		OrderExpr("p.created_at DESC, p.id DESC").Limit(1).Scan(ctx)
	return foundSignUp(m, err)
}

// SignUpByID implements auth.SignUpStore.
func (s *Store) SignUpByID(ctx context.Context, id string, now time.Time) (auth.SignUp, error) {
	m := new(signUpModel)
	err := s.Bun().NewSelect().Conn(s.Conn(ctx)).Model(m).
		Where("p.id = ?", id).Where("p.expires_at > ?", now.UTC()).Scan(ctx)
	return foundSignUp(m, err)
}

func foundSignUp(m *signUpModel, err error) (auth.SignUp, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return auth.SignUp{}, auth.ErrSignUpNotFound
	}
	if err != nil {
		return auth.SignUp{}, bundb.Wrap("authbun: find a sign-up", err)
	}
	return m.signUp(), nil
}

// ClaimSignUp implements auth.SignUpStore.
func (s *Store) ClaimSignUp(ctx context.Context, email, id string, now time.Time) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockAddress(ctx, email); err != nil {
			return err
		}
		claimed, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_sign_ups").
			Where("id = ?", id).Where("email = ?", email).Where("expires_at > ?", now.UTC()).Exec(ctx))
		if err != nil {
			return bundb.Wrap("authbun: claim a sign-up", err)
		}
		if claimed == 0 {
			return auth.ErrSignUpNotFound
		}
		_, err = s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_sign_ups").Where("email = ?", email).Exec(ctx)
		return bundb.Wrap("authbun: drop the other sign-ups", err)
	})
}

// PruneSignUps implements auth.SignUpStore.
func (s *Store) PruneSignUps(ctx context.Context, now time.Time, limit int) (int, error) {
	expired := s.Bun().NewSelect().Table("tenon_sign_ups").Column("id").
		Where("expires_at <= ?", now.UTC()).OrderExpr("expires_at").Limit(int64(limit))
	if s.Dialect() == bundb.Postgres {
		expired.For("UPDATE SKIP LOCKED")
	}
	n, err := affected(s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_sign_ups").Where("id IN (?)", expired).Exec(ctx))
	return n, bundb.Wrap("authbun: prune sign-ups", err)
}
