package tenon

import (
	"context"
	"fmt"
	"slices"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptobun"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/token/jwt/jwtbun"
	"github.com/tenon-go/tenon/token/tokenbun"
)

func (a *App) wireCrypto() (err error) {
	sealed := slices.Concat(authbun.Sealed(), jwtbun.Sealed(), auditbun.Sealed())
	for _, f := range a.cfg.features() {
		sealed = append(sealed, f.Sealed()...)
	}
	a.Keys, err = crypto.New(cryptobun.New(a.DB), crypto.Config{
		KMS:      a.cfg.KMS,
		Purposes: []string{crypto.PurposeData, crypto.PurposeToken, crypto.PurposePassword, crypto.PurposeLimit, audit.Purpose},
		Sealed:   sealed,
		InUse:    []crypto.KIDSource{sessionbun.KIDs(a.DB), authbun.KIDs(a.DB), authbun.CodeKIDs(a.DB), authbun.RecoveryKIDs(a.DB), authbun.TrustKIDs(a.DB), authbun.ChallengeKIDs(a.DB), tokenbun.KIDs(a.DB), auditbun.KIDs(a.DB)},
		Now:      a.DB.Now,
		Logger:   a.cfg.Logger,
	})
	return err
}

// initKeys makes the keys that are missing: those that seal first.
func (a *App) initKeys(ctx context.Context) error {
	if err := a.Keys.Init(ctx); err != nil {
		return err
	}
	return a.AccessTokens.Init(ctx)
}

// DevelopmentKMS opens the key file at path, or makes one, mode 0600, if db holds
// no keys yet. It first applies the migrations of the key table. If the file is
// gone but keys exist, it returns crypto.ErrKeyringMissing and writes nothing
// (rule R28). In production, keep the key in a KMS, or in a file made once.
func DevelopmentKMS(ctx context.Context, db *bundb.DB, path string) (crypto.KMS, error) {
	if _, err := db.Migrate(ctx, cryptobun.Schema()); err != nil {
		return nil, fmt.Errorf("tenon: key table: %w", err)
	}
	kms, err := crypto.DevelopmentKMS(ctx, cryptobun.New(db), path)
	if err != nil {
		return nil, fmt.Errorf("tenon: key file: %w", err)
	}
	return kms, nil
}
