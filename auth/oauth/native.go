package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/token"
)

// nonceLife is how long an app has between nonce and ID token (rule R20).
const nonceLife = 10 * time.Minute

// spentFor is how long an ID token is remembered beyond its end: the most that a
// provider's clock may be off.
const spentFor = 5 * time.Minute

// nonceOf is what is kept beside a nonce.
type nonceOf struct {
	Provider string `json:"provider"`
}

// Nonce is what an app hands to the provider's SDK, and back with the ID token that it
// gets.
type Nonce struct {
	Value     token.Secret
	ExpiresAt time.Time
}

// NewNonce makes the nonce of a sign-in, or of a link, by ID token. It is good once. It
// joins the transaction of ctx. Errors: ErrUnknownProvider, ErrNoIDTokens.
func (s *Service) NewNonce(ctx context.Context, providerID string) (Nonce, error) {
	from, err := s.provider(providerID)
	switch {
	case err != nil:
		return Nonce{}, err
	case !from.Provider().OpenIDConnect():
		return Nonce{}, ErrNoIDTokens
	}
	subject, err := s.newID() // of its own: whoever uses one up ends its siblings
	if err != nil {
		return Nonce{}, err
	}
	payload, err := encode(nonceOf{from.ID()})
	if err != nil {
		return Nonce{}, err
	}
	kept, value, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{Purpose: PurposeNonce, Subject: subject, TTL: nonceLife, Payload: payload})
	if err != nil {
		return Nonce{}, fmt.Errorf("oauth: make a nonce: %w", err)
	}
	return Nonce{Value: value, ExpiresAt: kept.ExpiresAt}, nil
}

// NativeParams are what an app got from the provider's SDK.
type NativeParams struct {
	// Provider is the id of a configured one.
	Provider string
	// IDToken is the token, and Nonce that of NewNonce. The token holds it as it is, or
	// its SHA-256 in hexadecimal.
	IDToken token.Secret
	Nonce   string
	// AccessToken is checked against the token where that names one. It is not kept: that
	// it is this account's, nothing proves.
	AccessToken token.Secret
	// User is the JSON that Apple's SDK hands out once, for the name.
	User string
	// SignUp is the token that an earlier sign-up left in the browser, if it is one.
	SignUp  string
	Attempt auth.AttemptParams
}

// SignInNative lets somebody in by an ID token that an app brought. Token and nonce are
// good once, and are used up in the transaction that finishes. It refuses to run inside a
// transaction, because it may ask the provider for its keys. Errors: ErrUnknownProvider,
// ErrNoIDTokens, ErrTokenSpent, those of provider.Client.VerifyIDToken, and those of a
// sign-in by Callback.
func (s *Service) SignInNative(ctx context.Context, p NativeParams) (Result, error) {
	if s.store.InTransaction(ctx) {
		return Result{}, auth.ErrInTransaction
	}
	if _, err := s.provider(p.Provider); err != nil {
		return Result{}, err
	}
	a, err := s.verifyNative(ctx, p)
	var result Result
	if err == nil {
		result, err = s.enter(ctx, a)
	}
	if err != nil {
		refused := Refused{Provider: p.Provider, Purpose: string(toSignIn), Client: p.Attempt.Client}
		return Result{}, s.refuse(ctx, refused, err)
	}
	return result, nil
}

// verifyNative returns whom an ID token vouches for. Its use is to be called in the
// transaction that makes something of it.
func (s *Service) verifyNative(ctx context.Context, p NativeParams) (arrival, error) {
	from, err := s.provider(p.Provider)
	if err != nil {
		return arrival{}, err
	}
	if err := s.checkNonce(ctx, p); err != nil {
		return arrival{}, err
	}
	proved, err := from.VerifyIDToken(ctx, provider.NativeToken{
		IDToken: p.IDToken, Nonce: p.Nonce, AccessToken: p.AccessToken, User: p.User,
	})
	if errors.Is(err, provider.ErrUnsupported) {
		return arrival{}, ErrNoIDTokens.With(err)
	}
	if err != nil {
		return arrival{}, fmt.Errorf("oauth: verify an ID token: %w", err)
	}
	return arrival{
		from: from, identity: proved.Identity, at: s.now(), attempt: p.Attempt, signUp: p.SignUp,
		use: func(ctx context.Context) error { return s.spend(ctx, p, proved.ExpiresAt) },
	}, nil
}

// checkNonce refuses what is no nonce of ours for this provider, before anybody is asked.
func (s *Service) checkNonce(ctx context.Context, p NativeParams) error {
	kept, err := s.cfg.Tokens.Peek(ctx, PurposeNonce, p.Nonce)
	if errors.Is(err, token.ErrInvalid) {
		return ErrTokenSpent.With(errors.New("the nonce is unknown, used or too old"))
	}
	if err != nil {
		return fmt.Errorf("oauth: find a nonce: %w", err)
	}
	var of nonceOf
	if err := json.Unmarshal(kept.Payload, &of); err != nil {
		return fmt.Errorf("oauth: read a nonce: %w", err)
	}
	if of.Provider != p.Provider {
		return ErrTokenSpent.With(errors.New("the nonce is another provider's"))
	}
	return nil
}

// spend uses the nonce and the token up, in the transaction of ctx. Of any number of
// concurrent calls one succeeds.
func (s *Service) spend(ctx context.Context, p NativeParams, end time.Time) error {
	_, err := s.cfg.Tokens.Consume(ctx, PurposeNonce, p.Nonce)
	switch {
	case errors.Is(err, token.ErrInvalid):
		return ErrTokenSpent.With(errors.New("the nonce was used meanwhile"))
	case err != nil:
		return fmt.Errorf("oauth: use a nonce up: %w", err)
	}
	hash := sha256.Sum256([]byte(p.IDToken.Reveal()))
	return s.store.SpendIDToken(ctx, hash[:], end.Add(spentFor))
}
