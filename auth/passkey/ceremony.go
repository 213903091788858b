package passkey

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-go/tenon/token"
)

// Sizes and times of ceremonies.
const (
	// ceremonyLife is how long options can be answered.
	ceremonyLife = 5 * time.Minute
	// challengeLength is of random bytes (WebAuthn §13.4.3: at least 16).
	challengeLength = 32
	// handleLength is of random bytes (WebAuthn §14.6.1: at most 64, and nothing that
	// tells who the user is).
	handleLength = 32
)

// Kind says what a ceremony is for. The answer to one is nothing to another.
type Kind string

// The kinds of ceremonies.
const (
	KindRegister   Kind = "register"
	KindSignIn     Kind = "sign-in"
	KindSecondStep Kind = "second-step"
	KindStepUp     Kind = "step-up"
)

// Ceremony is what was asked of an authenticator, until it answers. It is used once.
type Ceremony struct {
	ID   string // UUIDv7
	Kind Kind
	// Owner is the hash of who may answer: of the browser's cookie, of a bearer
	// client's token, or of the session.
	Owner []byte
	// Challenge is what the authenticator signs.
	Challenge []byte
	// UserID is whose passkey is asked for, empty for a sign-in: who that is, the
	// passkey alone says.
	UserID string
	// SecurityVersion is the user's when it was asked (rule R1), zero for a sign-in.
	SecurityVersion int64
	// UserVerification says that the authenticator must verify its user.
	UserVerification bool
	// Bearer says that a pair of tokens was asked for, and no cookie (rule R16).
	Bearer    bool
	CreatedAt time.Time
	ExpiresAt time.Time
}

// begin completes c and keeps it. It holds the ceremony's user (rule R3).
func (s *Service) begin(ctx context.Context, c Ceremony, also func(ctx context.Context) error) (Ceremony, error) {
	var err error
	if c.ID, err = s.newID(); err != nil {
		return Ceremony{}, err
	}
	if c.Challenge, err = s.random(challengeLength); err != nil {
		return Ceremony{}, err
	}
	c.CreatedAt = s.now()
	c.ExpiresAt = c.CreatedAt.Add(ceremonyLife)
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if c.UserID != "" {
			if err := s.cfg.Users.Hold(ctx, c.UserID); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(ctx); err != nil {
				return err
			}
		}
		return s.store.AddCeremony(ctx, c)
	})
	if err != nil {
		return Ceremony{}, fmt.Errorf("passkey: begin a ceremony: %w", err)
	}
	return c, nil
}

// claim uses up the ceremony that an answer belongs to. It is gone whatever the
// answer turns out to be.
func (s *Service) claim(ctx context.Context, owner []byte, challenge string, kinds ...Kind) (Ceremony, error) {
	raw, err := base64.RawURLEncoding.DecodeString(challenge)
	if err != nil || len(raw) != challengeLength || len(owner) == 0 {
		return Ceremony{}, ErrCeremonyNotFound
	}
	c, err := s.store.ClaimCeremony(ctx, owner, raw, s.now())
	if err != nil {
		return Ceremony{}, fmt.Errorf("passkey: claim a ceremony: %w", err)
	}
	if !slices.Contains(kinds, c.Kind) {
		return Ceremony{}, ErrCeremonyNotFound
	}
	return c, nil
}

// browser returns the token that raw is, or a new one: a browser keeps its own, so
// that its tabs do not end each other's ceremonies.
func (s *Service) browser(raw string) (token.Token, error) {
	if known, err := token.Parse(token.KindFlow, raw); err == nil {
		return known, nil
	}
	fresh, err := token.Generate(s.cfg.Rand, token.KindFlow)
	if err != nil {
		return token.Token{}, fmt.Errorf("passkey: make a token: %w", err)
	}
	return fresh, nil
}

// ownerOf hashes the token of a browser or of a bearer client. A plain hash suffices
// for 190 random bits, and nothing hangs on it alone: the authenticator must sign.
func ownerOf(raw string) []byte {
	t, err := token.Parse(token.KindFlow, raw)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256([]byte("tenon passkey browser v1\x00" + t.Secret().Reveal()))
	return sum[:]
}

// ownerSession is the owner of what a signed-in user asks for: it belongs to the
// session, and needs no cookie of its own.
func ownerSession(sessionID string) []byte {
	sum := sha256.Sum256([]byte("tenon passkey session v1\x00" + sessionID))
	return sum[:]
}
