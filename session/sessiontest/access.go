package sessiontest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/token"
)

var _ session.AccessTokens = (*AccessTokens)(nil)

// AccessTokens is a session.AccessTokens for tests. Its key is no secret. It is
// safe for concurrent use.
type AccessTokens struct {
	now  func() time.Time
	down atomic.Bool
}

// NewAccessTokens returns AccessTokens whose clock is now.
func NewAccessTokens(now func() time.Time) *AccessTokens { return &AccessTokens{now: now} }

// SetDown makes every call fail as it does without keys, or work again.
func (a *AccessTokens) SetDown(down bool) { a.down.Store(down) }

// Mint implements session.AccessTokens.
func (a *AccessTokens) Mint(ctx context.Context, claims session.AccessClaims) (token.Secret, error) {
	if err := a.ready(ctx); err != nil {
		return token.Secret{}, err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return token.Secret{}, err
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return token.NewSecret(text + "." + signature(text)), nil
}

// Verify implements session.AccessTokens.
func (a *AccessTokens) Verify(ctx context.Context, raw string) (claims session.AccessClaims, err error) {
	if err := a.ready(ctx); err != nil {
		return claims, err
	}
	text, mac, _ := strings.Cut(raw, ".")
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || !hmac.Equal([]byte(mac), []byte(signature(text))) || json.Unmarshal(body, &claims) != nil ||
		!a.now().Before(claims.ExpiresAt) {
		return session.AccessClaims{}, session.ErrNoSession
	}
	return claims, nil
}

func (a *AccessTokens) ready(ctx context.Context) error {
	if a.down.Load() {
		return problem.ErrUnavailable
	}
	return ctx.Err()
}

func signature(text string) string {
	mac := hmac.New(sha256.New, []byte("tests only"))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
