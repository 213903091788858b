package oauth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

// flowLife is how long somebody may take at a provider.
const flowLife = 10 * time.Minute

// maxPayload is what package token keeps beside a token, in bytes.
const maxPayload = 2048

// purpose is what a flow is for. Each has its case in Service.permit and Service.finish.
type purpose string

const (
	toSignIn purpose = "sign-in"
	toLink   purpose = "link"
	toStepUp purpose = "step-up"
)

// flow is what somebody went to a provider for. It is kept beside the one-time token that
// is the parameter state; nothing of it is secret.
type flow struct {
	Provider string  `json:"provider"`
	Purpose  purpose `json:"purpose"`
	// Browser is the hash of the token of the browser that began the flow. A bearer
	// client has none: its challenge is the tie.
	Browser            []byte   `json:"browser,omitempty"`
	RedirectURI        string   `json:"redirect"`
	CallbackURL        string   `json:"callback,omitempty"`
	NewUserCallbackURL string   `json:"newUser,omitempty"`
	ErrorCallbackURL   string   `json:"error,omitempty"`
	Scopes             []string `json:"scopes,omitempty"`
	// SessionID is the session in which linking or a step-up was asked for.
	SessionID string `json:"session,omitempty"`
	// Challenge is the S256 challenge of a bearer client (rule R16). Where it is there,
	// the flow ends in a code.
	Challenge string `json:"challenge,omitempty"`
	// KID names the key that verifier and nonce are made with.
	KID string `json:"kid"`

	// UserID and SecurityVersion are whose account is linked or proven again, and under
	// which version (rule R20); empty where somebody signs in.
	UserID          string    `json:"-"`
	SecurityVersion int64     `json:"-"`
	BegunAt         time.Time `json:"-"`
}

func (f flow) bearer() bool { return f.Challenge != "" }

// keepFlow issues the state of f.
func (s *Service) keepFlow(ctx context.Context, f flow) (state token.Secret, err error) {
	subject := f.UserID
	if subject == "" {
		// One of its own: whoever uses a state up ends its siblings.
		if subject, err = s.newID(); err != nil {
			return token.Secret{}, err
		}
	}
	payload, err := encode(f)
	if err != nil {
		return token.Secret{}, err
	}
	_, state, err = s.cfg.Tokens.Issue(ctx, token.IssueParams{
		Purpose: PurposeState, Subject: subject, SecurityVersion: f.SecurityVersion, TTL: flowLife, Payload: payload,
	})
	if err != nil {
		return token.Secret{}, fmt.Errorf("oauth: keep a flow: %w", err)
	}
	return state, nil
}

// encode leaves the ampersands of URLs as they are: there is not much room.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("oauth: encode: %w", err)
	}
	if b.Len() > maxPayload {
		return nil, ErrTooLong
	}
	return b.Bytes(), nil
}

// findFlow returns the flow that came back with a state: to that provider's path, in that
// browser. It consumes nothing, so that whoever gets hold of a state cannot spoil it.
func (s *Service) findFlow(ctx context.Context, state, providerID, browser string) (flow, error) {
	kept, err := s.cfg.Tokens.Peek(ctx, PurposeState, state)
	if errors.Is(err, token.ErrInvalid) {
		return flow{}, ErrState.With(errors.New("the state is unknown, used or too old"))
	}
	if err != nil {
		return flow{}, fmt.Errorf("oauth: find a flow: %w", err)
	}
	var f flow
	if err := json.Unmarshal(kept.Payload, &f); err != nil {
		return flow{}, fmt.Errorf("oauth: read a flow: %w", err)
	}
	f.BegunAt = kept.CreatedAt
	if f.Purpose != toSignIn {
		f.UserID, f.SecurityVersion = kept.Subject, kept.SecurityVersion
	}
	switch {
	case f.Provider != providerID:
		return flow{}, ErrState.With(errors.New("the state is another provider's"))
	case !f.bearer() && !isBrowser(f.Browser, browser):
		return flow{}, ErrState.With(errors.New("the state is another browser's"))
	}
	return f, nil
}

// useFlow uses a state up. Of any number of concurrent calls one succeeds.
func (s *Service) useFlow(ctx context.Context, state string) error {
	_, err := s.cfg.Tokens.Consume(ctx, PurposeState, state)
	switch {
	case errors.Is(err, token.ErrInvalid):
		return ErrState.With(errors.New("the state was used meanwhile"))
	case err != nil:
		return fmt.Errorf("oauth: use a flow up: %w", err)
	}
	return nil
}

// labelFlow names the key of verifiers and nonces.
const labelFlow = "oauth-flow"

// flowSecrets are what PKCE and OpenID Connect want kept. They are made from the state
// each time, so that no row has them.
type flowSecrets struct {
	verifier token.Secret
	nonce    string
}

func flowSecretsOf(key []byte, state string) flowSecrets {
	return flowSecrets{
		verifier: token.NewSecret(derive(key, "verifier", state)),
		nonce:    derive(key, "nonce", state),
	}
}

// derive returns 43 characters, which is what RFC 7636 asks a verifier to have.
func derive(key []byte, label, state string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(label + "\x00" + state))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// secretsOf returns the secrets of a flow that came back.
func (s *Service) secretsOf(ctx context.Context, f flow, state string) (flowSecrets, error) {
	key, err := s.cfg.Keys.Subkey(ctx, crypto.PurposeToken, labelFlow, f.KID)
	if err != nil {
		return flowSecrets{}, fmt.Errorf("oauth: derive the secrets of a flow: %w", err)
	}
	return flowSecretsOf(key, state), nil
}

// browser returns the token that the browser has, or a new one.
func (s *Service) browser(raw string) (token.Token, error) {
	if known, err := token.Parse(token.KindFlow, raw); err == nil {
		return known, nil
	}
	fresh, err := token.Generate(s.cfg.Rand, token.KindFlow)
	if err != nil {
		return token.Token{}, fmt.Errorf("oauth: make a token for a browser: %w", err)
	}
	return fresh, nil
}

// hashBrowser hashes the token of a browser. A plain hash suffices for 190 random bits.
func hashBrowser(t token.Token) []byte {
	sum := sha256.Sum256([]byte("tenon oauth browser v1\x00" + t.Secret().Reveal()))
	return sum[:]
}

// isBrowser reports whether raw is the token of the browser with that hash.
func isBrowser(hash []byte, raw string) bool {
	known, err := token.Parse(token.KindFlow, raw)
	return err == nil && len(hash) > 0 && subtle.ConstantTimeCompare(hashBrowser(known), hash) == 1
}
