package authbun

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
)

// SetSecondFactor implements auth.FactorStore.
func (s *Store) SetSecondFactor(ctx context.Context, userID string, since time.Time) error {
	if err := s.RequireTx(ctx); err != nil {
		return err
	}
	at := sql.NullTime{Time: since.UTC(), Valid: !since.IsZero()}
	changed, err := affected(s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_users").
		Set("second_factor_at = ?", at).Where("id = ?", userID).Exec(ctx))
	if err != nil {
		return bundb.Wrap("authbun: set a second factor", err)
	}
	if changed == 0 {
		return auth.ErrUserNotFound
	}
	return s.changed(ctx, userID)
}

const challengeSQL = `
SELECT c.id, c.user_id, c.security_version, c.channels, c.proven_at, c.browser_only, c.bearer, c.callback_url,
       c.selector, c.kid, c.mac, c.created_at, c.expires_at
FROM tenon_challenges AS c JOIN tenon_users AS u ON u.id = c.user_id AND u.security_version = c.security_version
WHERE c.selector = ? AND c.consumed_at IS NULL AND c.tries < ? AND c.expires_at > ?
  AND (u.banned_at IS NULL OR u.banned_until <= ?)`

// ChallengeKIDs tells which keys the sign-ins need that wait for a second factor: a
// key that one of them was hashed under must not be destroyed (rule R28).
func ChallengeKIDs(db *bundb.DB) crypto.KIDSource {
	count := db.Statement("SELECT kid, count(*) FROM tenon_challenges WHERE consumed_at IS NULL AND expires_at > ? GROUP BY kid")
	return crypto.KIDSource{Name: "sign-ins that wait for a second factor", Count: func(ctx context.Context) (map[string]int64, error) {
		counts, err := count.Counts(ctx, db.Now())
		return counts, bundb.Wrap("authbun: count the keys of challenges", err)
	}}
}

type challengeModel struct {
	bun.BaseModel `bun:"table:tenon_challenges"`

	ID              string    `bun:"id,pk"`
	UserID          string    `bun:"user_id"`
	SecurityVersion int64     `bun:"security_version"`
	Channels        string    `bun:"channels"`
	ProvenAt        time.Time `bun:"proven_at"`
	BrowserOnly     bool      `bun:"browser_only"`
	Bearer          bool      `bun:"bearer"`
	CallbackURL     string    `bun:"callback_url"`
	Selector        string    `bun:"selector"`
	KID             string    `bun:"kid"`
	MAC             []byte    `bun:"mac"`
	CreatedAt       time.Time `bun:"created_at"`
	ExpiresAt       time.Time `bun:"expires_at"`
}

// AddChallenge implements auth.FactorStore.
func (s *Store) AddChallenge(ctx context.Context, c auth.Challenge) error {
	_, err := s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(&challengeModel{
		ID: c.ID, UserID: c.UserID, SecurityVersion: c.SecurityVersion, Channels: strings.Join(c.Channels, " "), ProvenAt: c.ProvenAt.UTC(),
		BrowserOnly: c.BrowserOnly, Bearer: c.Bearer, CallbackURL: c.CallbackURL,
		Selector: c.Selector, KID: c.Verifier.KID, MAC: c.Verifier.MAC, CreatedAt: c.CreatedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	}).Exec(ctx)
	return bundb.Wrap("authbun: add a challenge", err)
}

// ChallengeBySelector implements auth.FactorStore.
func (s *Store) ChallengeBySelector(ctx context.Context, selector string, tries int, now time.Time) (auth.Challenge, error) {
	var c auth.Challenge
	var channels string
	err := s.challenge.Scan(ctx, []any{selector, tries, now, now},
		&c.ID, &c.UserID, &c.SecurityVersion, &channels, bundb.ScanTime(&c.ProvenAt), &c.BrowserOnly, &c.Bearer, &c.CallbackURL,
		&c.Selector, &c.Verifier.KID, &c.Verifier.MAC, bundb.ScanTime(&c.CreatedAt), bundb.ScanTime(&c.ExpiresAt))
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Challenge{}, auth.ErrNoChallenge
	}
	if err != nil {
		return auth.Challenge{}, bundb.Wrap("authbun: find a challenge", err)
	}
	c.Channels = strings.Split(channels, " ")
	return c, nil
}

// TryChallenge implements auth.FactorStore.
func (s *Store) TryChallenge(ctx context.Context, id string, limit int, now time.Time) (alive bool, err error) {
	err = s.alone(ctx, func(ctx context.Context) error {
		n, err := affected(s.liveChallenge(ctx, id, now).Set("tries = tries + 1").Where("tries < ?", limit).Exec(ctx))
		alive = n == 1
		return err
	})
	return alive && err == nil, bundb.Wrap("authbun: try a challenge", err)
}

// ConsumeChallenge implements auth.FactorStore.
func (s *Store) ConsumeChallenge(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := affected(s.liveChallenge(ctx, id, now).Set("consumed_at = ?", now.UTC()).Exec(ctx))
	return n == 1 && err == nil, bundb.Wrap("authbun: consume a challenge", err)
}

// liveChallenge updates a challenge that can still be met.
func (s *Store) liveChallenge(ctx context.Context, id string, now time.Time) *bun.UpdateQuery {
	return s.Bun().NewUpdate().Conn(s.Conn(ctx)).Table("tenon_challenges").
		Where("id = ?", id).Where("consumed_at IS NULL").Where("expires_at > ?", now.UTC())
}

// DropChallenges implements auth.FactorStore.
func (s *Store) DropChallenges(ctx context.Context, userID string) error {
	_, err := s.Bun().NewDelete().Conn(s.Conn(ctx)).Table("tenon_challenges").Where("user_id = ?", userID).Exec(ctx)
	return bundb.Wrap("authbun: drop challenges", err)
}

// PruneChallenges implements auth.FactorStore.
func (s *Store) PruneChallenges(ctx context.Context, now time.Time, limit int) (int, error) {
	query := "DELETE FROM tenon_challenges WHERE id IN (SELECT id FROM tenon_challenges WHERE expires_at <= ? ORDER BY expires_at LIMIT ?" + s.passOver() + ")"
	n, err := affected(s.Statement(query).Exec(ctx, now, limit))
	return n, bundb.Wrap("authbun: prune challenges", err)
}
