package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session/internal/family"
	"github.com/tenon-go/tenon/token"
)

// RefreshPattern is a regular expression that finds refresh tokens in text; they
// are longer than those of package token. docs/refresh.md describes them.
const RefreshPattern = `\btnn_ref_[0-9A-Za-z]{110}\b`

// AccessClaims are what an access token says. They name a session; what its
// bearer may do is read from the session's row with every request and never from
// here (rule R15).
type AccessClaims struct {
	// Subject is the user's id.
	Subject string
	// SessionID is the session's.
	SessionID string
	// Epoch is the user's security version: a token of another one is dead.
	Epoch               int64
	IssuedAt, ExpiresAt time.Time
	// ID is unique to the token.
	ID string
}

// AccessTokens makes and reads access tokens; tenon adapts package token/jwt.
// Implementations are safe for concurrent use.
type AccessTokens interface {
	// Mint signs a token that says claims. It may be called inside a transaction
	// and does no network I/O.
	Mint(ctx context.Context, claims AccessClaims) (token.Secret, error)
	// Verify returns what a token says that this installation signed and that has
	// not expired. Every other text is ErrNoSession; that the keys cannot be had
	// wraps problem.ErrUnavailable.
	Verify(ctx context.Context, raw string) (AccessClaims, error)
}

// Pair is what a bearer session is used with.
type Pair struct {
	// Access goes with every request as Authorization: Bearer.
	Access       token.Secret
	AccessEndsAt time.Time
	// Refresh buys the next pair, once; see [Service.Refresh].
	Refresh token.Secret
	// RefreshEndsAt is when the session ends if it is not used until then.
	RefreshEndsAt time.Time
}

// Bearer reports whether the service starts bearer sessions.
func (s *Service) Bearer() bool { return s.cfg.AccessTokens != nil }

// newFamily makes the row and the first pair of a bearer session.
func (s *Service) newFamily(ctx context.Context, session Session) (Record, Pair, error) {
	return s.anew(ctx, session, 1)
}

// anew makes a pair whose refresh token is the session's from that generation on,
// and what recognises it.
func (s *Service) anew(ctx context.Context, session Session, generation int64) (Record, Pair, error) {
	if !s.Bearer() {
		return Record{}, Pair{}, ErrBearerUnavailable
	}
	keys, err := s.activeKeys(ctx, family.Keys{})
	if err != nil {
		return Record{}, Pair{}, err
	}
	first, err := family.Anew(s.cfg.Rand, session.ID, generation, keys)
	if err != nil {
		return Record{}, Pair{}, err
	}
	selector, err := family.Selector(session.ID)
	if err != nil {
		return Record{}, Pair{}, err
	}
	record := Record{Session: session, Selector: selector, Verifier: first.Verifier(keys), Generation: first.Generation}
	pair, err := s.pair(ctx, first, Family{
		UserID: session.UserID, SecurityVersion: session.SecurityVersion, IdleEndsAt: session.IdleEndsAt, FreshAt: session.FreshAt,
	})
	return record, pair, err
}

// pair mints the access token that goes with a refresh token. It ends with the
// session at the latest.
func (s *Service) pair(ctx context.Context, refresh family.Token, row Family) (Pair, error) {
	id, err := uuid.NewRandomFromReader(s.cfg.Rand)
	if err != nil {
		return Pair{}, fmt.Errorf("id of an access token: %w", err)
	}
	now := s.now()
	ends := now.Add(s.cfg.AccessLife)
	if ends.After(row.IdleEndsAt) {
		ends = row.IdleEndsAt
	}
	access, err := s.cfg.AccessTokens.Mint(ctx, AccessClaims{
		Subject: row.UserID, SessionID: refresh.Family, Epoch: row.SecurityVersion,
		IssuedAt: now, ExpiresAt: ends, ID: stamp(row.FreshAt) + "." + id.String(),
	})
	if err != nil {
		return Pair{}, fmt.Errorf("mint an access token: %w", err)
	}
	return Pair{Access: access, AccessEndsAt: ends, Refresh: refresh.Text(), RefreshEndsAt: row.IdleEndsAt}, nil
}

// LookupAccess finds the live bearer session that an access token names. The
// token's signature is checked first; then one statement reads session, user,
// membership and role as they are now, so that a revocation, a ban and a new
// security version reach tokens that have not expired (rules R15, R18). Errors
// and the record of the use are those of [Service.Lookup].
func (s *Service) LookupAccess(ctx context.Context, raw string) (*Identity, error) {
	return s.lookupAccess(ctx, s, raw)
}

// lookupAccess asks finder for the session.
func (s *Service) lookupAccess(ctx context.Context, finder Finder, raw string) (*Identity, error) {
	if !s.Bearer() {
		return nil, ErrNoSession
	}
	claims, err := s.cfg.AccessTokens.Verify(ctx, raw)
	if errors.Is(err, ErrNoSession) {
		return nil, ErrNoSession
	}
	if err != nil {
		return nil, fmt.Errorf("session: access token: %w", problem.ErrUnavailable.With(err))
	}
	found, err := finder.LookupSession(ctx, claims.SessionID, claims.Epoch)
	if err != nil {
		return nil, err
	}
	if found.User.ID != claims.Subject || stampedBefore(claims.ID, found.Session.FreshAt) {
		return nil, ErrNoSession
	}
	return found, nil
}

// stamp says in an access token's id as of which elevation it was made.
func stamp(freshAt time.Time) string { return strconv.FormatInt(freshAt.UnixMicro(), 36) }

// stampedBefore reports whether the token with that id is from before the
// elevation at freshAt, which replaced it (CVE-2024-28197). A token from after it
// is fine: a cache may know the session as it was a moment ago.
func stampedBefore(id string, freshAt time.Time) bool {
	text, _, _ := strings.Cut(id, ".")
	micros, err := strconv.ParseInt(text, 36, 64)
	return err != nil || micros < freshAt.UnixMicro()
}

// activeKeys returns the subkeys under which refresh tokens are made now, which
// are known already if they are those at hand.
func (s *Service) activeKeys(ctx context.Context, known family.Keys) (family.Keys, error) {
	kid, next, err := s.cfg.Peppers.ActiveSubkey(ctx, crypto.PurposeToken, family.LabelNext)
	if err != nil {
		return family.Keys{}, problem.ErrUnavailable.With(err)
	}
	if kid == known.KID {
		return known, nil
	}
	keys, err := s.verifyingKeys(ctx, kid, next)
	if err != nil {
		return family.Keys{}, problem.ErrUnavailable.With(err)
	}
	return keys, nil
}

// keys returns the subkeys of the key that a token names. One that will never be
// had again makes the token worthless; one that cannot be had now proves nothing.
func (s *Service) keys(ctx context.Context, kid string) (family.Keys, error) {
	next, err := s.cfg.Peppers.Subkey(ctx, crypto.PurposeToken, family.LabelNext, kid)
	var keys family.Keys
	if err == nil {
		keys, err = s.verifyingKeys(ctx, kid, next)
	}
	switch {
	case errors.Is(err, crypto.ErrUnknownKey), errors.Is(err, crypto.ErrKeyDestroyed):
		return family.Keys{}, ErrNoSession.With(err)
	case err != nil:
		return family.Keys{}, problem.ErrUnavailable.With(err)
	}
	return keys, nil
}

func (s *Service) verifyingKeys(ctx context.Context, kid string, next []byte) (family.Keys, error) {
	keys := family.Keys{KID: kid, Next: next}
	var err error
	if keys.Tag, err = s.cfg.Peppers.Subkey(ctx, crypto.PurposeToken, family.LabelTag, kid); err != nil {
		return family.Keys{}, err
	}
	keys.Verifier, err = s.cfg.Peppers.Subkey(ctx, crypto.PurposeToken, family.LabelVerifier, kid)
	return keys, err
}

func (s *Service) salt() ([]byte, error) {
	salt := make([]byte, family.SaltSize)
	if _, err := io.ReadFull(s.cfg.Rand, salt); err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	return salt, nil
}
