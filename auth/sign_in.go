package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/crypto"
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
	// TrustedDevice is the cookie of a trusted device, if the browser has one: see
	// Handler.TrustedDevice.
	TrustedDevice string
	// CallbackURL is put into the link that is mailed again if the address was
	// never proven, and kept until the second step.
	CallbackURL string
	Client      Client
}

// SignIn proves a password and completes the attempt: to a session, or to the
// challenge of the second factor. It refuses to run inside a
// transaction (rule R8); to join one, call [Service.ProvePassword] before it and
// [Service.Complete] in it.
//
// Errors: those of both.
func (s *Service) SignIn(ctx context.Context, p SignInParams) (User, Outcome, error) {
	attempt, err := s.ProvePassword(ctx, p)
	if err != nil {
		return User{}, Outcome{}, err
	}
	outcome, err := s.Complete(ctx, attempt)
	return attempt.user, outcome, err
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
	decoy, err := s.decoyHash(ctx, address.Key)
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
	if err := s.Failed(ctx, SignInFailed{UserID: user.ID, Factor: factorPassword, Client: p.Client}); err != nil {
		return err
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

// decoyRow is the row that decoys are sealed for. labelDecoy names the subkey by
// which a new key is noticed, and labelDecoyKind that of identifiers.
const (
	decoyRow       = "decoy"
	labelDecoy     = "decoy"
	labelDecoyKind = "decoy-kind"
)

// mixLife is how long a count of the kinds of hashes is used.
const mixLife = 5 * time.Minute

// decoys are hashes of random bytes, one for each kind of hash that is stored,
// made once, and sealed under the active key of passwords.
type decoys struct {
	mu     sync.Mutex
	hashes map[string]string // by kind
	kid    string
	sealed map[string][]byte // by kind
	mix    password.Mix
	asOf   time.Time // of mix; zero if it was never counted
}

// decoyHash returns the sealed decoy of an identifier. Everybody's sign-in waits
// for it, not only that of unknown addresses. It moves to a new key when users'
// hashes do, so that it outlives the old key as they do. Its kind follows a MAC of
// the identifier in the proportions in which kinds are stored (rule R7): while
// imported hashes wait for their first sign-in, an address that is nobody's takes
// as long as one of them or as long as one of ours, always the same.
func (s *Service) decoyHash(ctx context.Context, identifier string) ([]byte, error) {
	kid, _, err := s.cfg.Keys.ActiveSubkey(ctx, crypto.PurposePassword, labelDecoy)
	if err != nil {
		return nil, fmt.Errorf("auth: key of passwords: %w", err)
	}
	kind, err := s.decoyKind(ctx, identifier)
	if err != nil {
		return nil, err
	}
	d := &s.decoys
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kid != kid {
		d.kid, d.sealed = kid, map[string][]byte{}
	}
	if sealed, ok := d.sealed[kind]; ok {
		return sealed, nil
	}
	if d.hashes == nil {
		d.hashes = map[string]string{}
	}
	if d.hashes[kind] == "" {
		if d.hashes[kind], err = s.cfg.Passwords.Decoy(ctx, kind); err != nil {
			return nil, fmt.Errorf("auth: make the decoy: %w", err)
		}
	}
	sealed, err := s.cfg.Keys.Seal(ctx, PasswordField(userPassword, decoyRow), []byte(d.hashes[kind]))
	if err != nil {
		return nil, fmt.Errorf("auth: seal the decoy: %w", err)
	}
	d.sealed[kind] = sealed
	return sealed, nil
}

// decoyKind returns the kind of the decoy of an identifier.
func (s *Service) decoyKind(ctx context.Context, identifier string) (string, error) {
	mix, err := s.passwordMix(ctx)
	if err != nil || len(mix) == 0 {
		return "", err
	}
	mac, err := s.mac(ctx, labelDecoyKind, identifier)
	if err != nil {
		return "", err
	}
	return mix.Pick(binary.BigEndian.Uint64(mac)), nil
}

// passwordMix returns how many hashes of which kind are stored. Whoever finds the
// count old counts anew while the others go on with it; if that fails, it stays.
func (s *Service) passwordMix(ctx context.Context) (password.Mix, error) {
	d, now := &s.decoys, s.now()
	known, never, due := d.known(now)
	if !due {
		return known, nil
	}
	mix, err := s.store.PasswordKinds(ctx)
	if err != nil && never {
		return nil, fmt.Errorf("auth: count the kinds of hashes: %w", err)
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "auth: the kinds of hashes were not counted", "error", err)
		return known, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mix, d.asOf = mix, now
	return mix, nil
}

// known returns the count as it is known, whether there never was one, and whether
// the caller has to count.
func (d *decoys) known(now time.Time) (mix password.Mix, never, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	never = d.asOf.IsZero()
	due = never || now.Sub(d.asOf) >= mixLife
	if due && !never {
		d.asOf = now
	}
	return d.mix, never, due
}

// importHash reads a hash of another system and returns what to store, and its
// kind, which is empty if it is like the ones that are made here.
func (s *Service) importHash(ctx context.Context, raw string) (stored, kind string, err error) {
	imported, err := s.cfg.Passwords.Import(raw)
	if err != nil {
		return "", "", fmt.Errorf("auth: import a password hash: %w", err)
	}
	own, err := s.cfg.Passwords.Decoy(ctx, "")
	if err != nil {
		return "", "", fmt.Errorf("auth: import a password hash: %w", err)
	}
	if ours, err := password.ParseImported(own); err == nil && ours.Kind() == imported.Kind() {
		return imported.Stored(), "", nil
	}
	return imported.Stored(), imported.Kind(), nil
}
