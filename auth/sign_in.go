package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/hook"
)

const factorPassword = "password"

// SignInParams are what a person types to sign in.
type SignInParams struct {
	Email    string
	Password string
	// BrowserOnly asks for a session that ends with the browser.
	BrowserOnly bool
	// Bearer asks for a pair of tokens instead of a cookie (rule R16).
	Bearer bool
	// Device is the cookie of a known device, if the browser has one (rule R9): see
	// Handler.Device.
	Device string
	// CallbackURL is put into the link that is mailed again if the address was
	// never proven.
	CallbackURL string
	Client      Client
}

// SignIn proves a password and completes the attempt. It refuses to run inside a
// transaction (rule R8); to join one, call [Service.ProvePassword] before it and
// [Service.Complete] in it.
//
// Errors: those of both.
func (s *Service) SignIn(ctx context.Context, p SignInParams) (User, Grant, error) {
	attempt, err := s.ProvePassword(ctx, p)
	if err != nil {
		return User{}, Grant{}, err
	}
	grant, err := s.Complete(ctx, attempt)
	return attempt.user, grant, err
}

// ProvePassword charges a guess, checks the password without a transaction open,
// and returns the attempt. The guess stays charged until [Service.Complete]. Wrong passwords, unknown, banned and unproven
// addresses cost the same and answer ErrInvalidCredentials. Other errors:
// ErrInvalidEmail, ErrTooManyAttempts, ErrLocked, ErrInTransaction,
// password.ErrOverloaded.
func (s *Service) ProvePassword(ctx context.Context, p SignInParams) (Attempt, error) {
	address, err := ParseAddress(p.Email)
	if err != nil {
		return Attempt{}, err
	}
	prepared, err := password.Normalize(p.Password)
	if err != nil {
		return Attempt{}, ErrInvalidCredentials
	}
	key, err := s.chargeSignIn(ctx, factorPassword, address, p.Device, p.Client)
	if err != nil {
		return Attempt{}, err
	}
	user, proof, err := s.checkPassword(ctx, address, prepared)
	if err != nil {
		return Attempt{}, s.unchecked(ctx, key, err)
	}
	if !proof.match {
		return Attempt{}, s.refuse(ctx, address, user, p)
	}
	if proof.rehash {
		s.rehash(ctx, user.ID, proof.sealed, prepared)
	}
	attempt := s.attempt(user, ChannelPassword, p)
	attempt.guess = key
	return attempt, nil
}

// passwordProof is the outcome of a check, with the sealed hash it was made
// against.
type passwordProof struct {
	match, rehash bool
	sealed        []byte
}

// checkPassword checks prepared against the user's hash, or against the decoy
// if the address is nobody's: both are opened with the same key and verified
// through the same slots, so that both cost and fail alike (rule R7).
func (s *Service) checkPassword(ctx context.Context, address Address, prepared string) (User, passwordProof, error) {
	decoy, err := s.decoyHash(ctx)
	if err != nil {
		return User{}, passwordProof{}, err
	}
	user, sealed, err := s.store.UserByEmail(ctx, address.Key)
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		return User{}, passwordProof{}, fmt.Errorf("auth: find the user: %w", err)
	}
	known := err == nil && len(sealed) > 0 && user.EmailVerified
	field := PasswordField(userPassword, user.ID)
	if !known {
		field, sealed = PasswordField(userPassword, decoyRow), decoy
	}
	hash, err := s.cfg.Keys.Open(ctx, field, sealed)
	if err != nil {
		return User{}, passwordProof{}, fmt.Errorf("auth: open a password hash: %w", err)
	}
	match, rehash, err := s.cfg.Passwords.Verify(ctx, string(hash), prepared)
	if err != nil {
		return User{}, passwordProof{}, fmt.Errorf("auth: verify a password: %w", err)
	}
	return user, passwordProof{match: match && known, rehash: rehash && known, sealed: sealed}, nil
}

// refuse leaves the trace of a wrong guess and returns the one answer to it.
func (s *Service) refuse(ctx context.Context, address Address, user User, p SignInParams) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		return hook.Call(ctx, s.cfg.Hooks.SignInFailed, SignInFailed{UserID: user.ID, Factor: factorPassword, Client: p.Client})
	})
	if err != nil {
		return fmt.Errorf("auth: record a failed sign-in: %w", err)
	}
	if err := s.remind(ctx, address, p); err != nil {
		return fmt.Errorf("auth: remind of a sign-up: %w", err)
	}
	return ErrInvalidCredentials
}

// rehash replaces a hash made with other parameters than today's. It is a
// compare-and-set on the hash that was verified: a password that changed in the
// meantime stays (rule R1). A failure costs nothing but another try next time.
func (s *Service) rehash(ctx context.Context, userID string, old []byte, prepared string) {
	sealed, err := s.hashAndSeal(ctx, userPassword, userID, prepared)
	if err == nil {
		_, err = s.store.ReplacePassword(ctx, userID, old, sealed, s.now())
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "auth: a password hash was not renewed", "user_id", userID, "error", err)
	}
}

// decoyRow is the row that the decoy hash is sealed for, and labelDecoy names the
// subkey by which a new key is noticed.
const (
	decoyRow   = "decoy"
	labelDecoy = "decoy"
)

// decoy is a hash of random bytes, made once with the current parameters, and
// sealed under the active key of passwords.
type decoy struct {
	mu     sync.Mutex
	hash   string
	kid    string
	sealed []byte
}

// decoyHash returns the sealed decoy. Everybody's first sign-in waits for it, not
// only that of unknown addresses. It moves to a new key when users' hashes do, so
// that it outlives the old key as they do.
func (s *Service) decoyHash(ctx context.Context) ([]byte, error) {
	kid, _, err := s.cfg.Keys.ActiveSubkey(ctx, crypto.PurposePassword, labelDecoy)
	if err != nil {
		return nil, fmt.Errorf("auth: key of passwords: %w", err)
	}
	d := &s.decoy
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kid == kid {
		return d.sealed, nil
	}
	if d.hash == "" {
		if d.hash, err = s.cfg.Passwords.Decoy(ctx, ""); err != nil {
			return nil, fmt.Errorf("auth: make the decoy: %w", err)
		}
	}
	sealed, err := s.cfg.Keys.Seal(ctx, PasswordField(userPassword, decoyRow), []byte(d.hash))
	if err != nil {
		return nil, fmt.Errorf("auth: seal the decoy: %w", err)
	}
	d.kid, d.sealed = kid, sealed
	return sealed, nil
}
