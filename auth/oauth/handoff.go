package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/token"
)

// handoffLife is how long a bearer client has to redeem its code (rule R16).
const handoffLife = time.Minute

// handoff is what is kept beside the code of a bearer client.
type handoff struct {
	UserID    string `json:"user"`
	Provider  string `json:"provider"`
	Challenge string `json:"challenge"`
}

// handOff issues the code that ends the flow of a bearer client. No session exists.
func (s *Service) handOff(ctx context.Context, a arrival, user auth.User) (token.Secret, error) {
	subject, err := s.newID() // of its own: a second flow of the user does not end it
	if err != nil {
		return token.Secret{}, err
	}
	payload, err := encode(handoff{UserID: user.ID, Provider: a.from.ID(), Challenge: a.challenge})
	if err != nil {
		return token.Secret{}, err
	}
	_, code, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
		Purpose: PurposeHandoff, Subject: subject, SecurityVersion: user.SecurityVersion, TTL: handoffLife, Payload: payload,
	})
	if err != nil {
		return token.Secret{}, fmt.Errorf("oauth: issue a code: %w", err)
	}
	return code, nil
}

// isHandoff reports whether a code that came to a callback is one of ours: somebody made
// the callback of another provider the target of an app's flow, to have the code sent
// there (rule R16).
func isHandoff(code token.Secret) bool {
	_, err := token.Parse(PurposeHandoff.Kind(), code.Reveal())
	return err == nil
}

// RedeemParams are what a bearer client ends its flow with.
type RedeemParams struct {
	// Code came to the client's callbackURL.
	Code string
	// Verifier is what the challenge of the flow was made from (RFC 7636).
	Verifier string
	Client   auth.Client
}

var plainVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// Redeem lets the bearer client in that began the flow: it uses the code up and goes
// through the door, in one transaction, which joins that of ctx. A wrong verifier uses
// nothing up. Errors: token.ErrInvalid for every code that does not or no longer work, or
// whose flow was another client's; ErrNotAdmitted.
func (s *Service) Redeem(ctx context.Context, p RedeemParams) (Result, error) {
	kept, err := s.cfg.Tokens.Peek(ctx, PurposeHandoff, p.Code)
	if err != nil {
		return Result{}, err
	}
	var h handoff
	if err := json.Unmarshal(kept.Payload, &h); err != nil {
		return Result{}, fmt.Errorf("oauth: read a code: %w", err)
	}
	if !answers(p.Verifier, h.Challenge) {
		refused := Refused{Provider: h.Provider, Purpose: string(toSignIn), UserID: h.UserID, Client: p.Client}
		return Result{}, s.refuse(ctx, refused, token.ErrInvalid.With(errors.New("the verifier is another client's")))
	}
	var result Result
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// The user before the code: a deletion locks in that order (rule R3).
		if err := s.cfg.Users.Hold(ctx, h.UserID); err != nil {
			return err
		}
		if _, err := s.cfg.Tokens.Consume(ctx, PurposeHandoff, p.Code); err != nil {
			return err
		}
		attempt, err := s.cfg.Auth.Attempt(ctx, door.NewProof(door.Proven{
			UserID: h.UserID, SecurityVersion: kept.SecurityVersion, Channel: door.ProviderChannel(h.Provider), At: kept.CreatedAt,
		}), auth.AttemptParams{Bearer: true, Client: p.Client})
		if err != nil {
			return err
		}
		result.User = attempt.User()
		result.Outcome, err = s.cfg.Auth.Complete(ctx, attempt)
		return err
	})
	switch {
	case err == nil:
		return result, nil
	case errors.Is(err, auth.ErrNotAdmitted), errors.Is(err, auth.ErrUserNotFound):
		return Result{}, ErrNotAdmitted.With(err)
	}
	return Result{}, fmt.Errorf("oauth: redeem a code: %w", err)
}

// answers reports whether the verifier is that of an S256 challenge.
func answers(verifier, challenge string) bool {
	if !plainVerifier.MatchString(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}
