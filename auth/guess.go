package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// GuessKey names what is being guessed at: one factor of one account. The
// account is a MAC of its identifier, so that unknown ones are counted in the
// same way and the table names nobody.
type GuessKey struct {
	Factor  string
	Account []byte
}

// Pace says how fast one factor of one account may be guessed at (rule R8).
// The first Free guesses are not slowed down. From then on the wait after a
// guess starts at Step and doubles with each further one up to MaxWait. At Cap
// guesses none is welcome. One guess is forgotten in every full Decay since the
// last; a zero Decay forgets none. A Latch forgets none from the Cap on: the
// counter stays until it is taken back. The Cap of a Latch is LockedAt, that of any
// other pace is less, and all is forgotten within 14 days.
//
// With a Window it is simpler: Cap guesses are welcome in a window, which starts
// with its first guess, and all are forgotten when it ends.
type Pace struct {
	Free    int
	Step    time.Duration
	MaxWait time.Duration
	Cap     int
	Decay   time.Duration
	Latch   bool
	Window  time.Duration
}

// LockedAt is how many remembered guesses of strangers lock a factor of an account
// against strangers (NIST SP 800-63B-4 §3.2.2: at most 100 failures in a row). Every
// latch is there and no other pace gets there, so that a counter tells by itself
// whether it locks: those that do are kept, the others are deleted when they are
// forgotten.
const LockedAt = 100

// errPace is a mistake of the program's: with such a pace, a counter would be
// deleted while it matters, or never.
var errPace = errors.New("auth: a pace needs a Cap: LockedAt with a Latch and less without, and must forget within 14 days")

// validate returns errPace for a pace whose counters could not be told apart.
func (p Pace) validate() error {
	switch {
	case p.Latch && (p.Cap != LockedAt || p.Window > 0),
		!p.Latch && (p.Cap <= 0 || p.Cap >= LockedAt),
		p.Window > guessMemory, p.Decay > guessMemory/time.Duration(p.Cap):
		return errPace
	}
	return nil
}

// passwordPace follows NIST SP 800-63B-4 §3.2.2: growing waits, and fewer than 100
// failures in a row.
func passwordPace() Pace {
	return Pace{Free: 5, Step: time.Second, MaxWait: 15 * time.Minute, Cap: LockedAt - 1, Decay: time.Hour}
}

// strangerPace is passwordPace for clients that nobody has signed in from: at its
// cap it refuses them until the owner of the mailbox, or an administrator, unlocks
// the account (rule R9).
func strangerPace() Pace {
	pace := passwordPace()
	pace.Cap, pace.Latch = LockedAt, true
	return pace
}

// devicePace is for a browser that the user has signed in from. Nobody else can
// use it up without stealing the cookie, so it needs no unlocking.
func devicePace() Pace {
	return Pace{Free: 5, Step: time.Second, MaxWait: 15 * time.Minute, Cap: 30, Decay: time.Hour}
}

// signUpProofPace allows five tries at the password of one sign-up (rule R5),
// which itself lives a day.
func signUpProofPace() Pace {
	return Pace{Free: 5, Cap: 5}
}

// codePace allows ten tries a day at the codes that are mailed to an address,
// whatever they are for and however many are mailed (rule R10).
func codePace() Pace { return Pace{Cap: 10, Window: day} }

// Remaining returns how many of count guesses are still remembered after the
// time since the last one.
//
// With a Window, since is the time since the first.
func (p Pace) Remaining(count int, since time.Duration) int {
	if p.Window > 0 && since >= p.Window {
		return 0
	}
	if p.Decay <= 0 || since < 0 || p.latched(count) {
		return count
	}
	return max(0, count-int(since/p.Decay))
}

// latched reports whether count guesses stay until they are taken back.
func (p Pace) latched(count int) bool { return p.Latch && p.Cap > 0 && count >= p.Cap }

// never stands for the wait at a cap from which nothing is forgotten. Whatever
// such a counter protects does not live that long, or is unlocked.
const never = 24 * time.Hour

// Left returns how long to wait until the next guess, with count guesses
// remembered and that time since the last one. Zero means that it is welcome.
func (p Pace) Left(count int, since time.Duration) time.Duration {
	switch {
	case p.Window > 0 && count < p.Cap:
		return 0
	case p.Window > 0:
		return max(0, p.Window-since)
	case p.latched(count), p.Cap > 0 && count >= p.Cap && p.Decay <= 0:
		return never
	case p.Cap > 0 && count >= p.Cap:
		return max(0, p.Decay-since)
	case count < p.Free || p.Step <= 0:
		return 0
	}
	doublings := min(count-p.Free, 30)
	return max(0, min(p.MaxWait, p.Step<<doublings)-since)
}

const labelGuess = "guess"

// charge counts a guess before it is checked. It must not run inside a
// transaction, whose rollback would take the charge back.
func (s *Service) charge(ctx context.Context, factor, identifier string, pace Pace) (GuessKey, error) {
	if s.store.InTransaction(ctx) {
		return GuessKey{}, ErrInTransaction
	}
	if err := pace.validate(); err != nil {
		return GuessKey{}, err
	}
	account, err := s.mac(ctx, labelGuess, factor, identifier)
	if err != nil {
		return GuessKey{}, err
	}
	key := GuessKey{Factor: factor, Account: account}
	wait, err := s.store.Charge(ctx, key, pace, s.now())
	if err != nil {
		return GuessKey{}, fmt.Errorf("auth: charge a guess: %w", err)
	}
	if pace.Latch && wait >= never {
		return GuessKey{}, ErrLocked.WithRetryAfter(wait)
	}
	if wait > 0 {
		return GuessKey{}, ErrTooManyAttempts.WithRetryAfter(wait)
	}
	return key, nil
}

// chargeSignIn counts a guess by which somebody wants to come in: as the device's,
// if device is the cookie of one that the owner of the address has signed in from,
// else as one of all strangers together (rule R9). Strangers at the cap cause a mail
// with a link that unlocks. Addresses that are nobody's cost the same.
func (s *Service) chargeSignIn(ctx context.Context, factor string, address Address, device string, client Client) (GuessKey, error) {
	if s.store.InTransaction(ctx) {
		return GuessKey{}, ErrInTransaction
	}
	known, err := s.KnownDevice(ctx, device)
	if err != nil && !errors.Is(err, ErrDeviceNotFound) {
		return GuessKey{}, err
	}
	if err == nil && known.Email == address.Key {
		return s.charge(ctx, factor+"-device", address.Key+"\x00"+known.ID, devicePace())
	}
	key, err := s.charge(ctx, factor, address.Key, strangerPace())
	if errors.Is(err, ErrLocked) {
		if mailErr := s.offerUnlock(ctx, address, client); mailErr != nil {
			return GuessKey{}, mailErr
		}
	}
	return key, err
}

// The mail that unlocks: its template, the token of its link, how long that works,
// and how often it may go.
const (
	MailUnlock                  = "unlock-account"
	PurposeUnlock token.Purpose = "one:unlock-account"
	unlockLife                  = day
	unlockEvery                 = 6 * time.Hour
)

// offerUnlock mails the owner of a locked account the link that unlocks it. It
// does the same where there is nobody to mail (rule R7).
func (s *Service) offerUnlock(ctx context.Context, address Address, client Client) error {
	user, _, err := s.store.UserByEmail(ctx, address.Key)
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		return fmt.Errorf("auth: find the user to unlock: %w", err)
	}
	if err != nil {
		if user.ID, err = s.newID(); err != nil {
			return err
		}
	}
	to, err := AddressOf(user)
	if err != nil {
		to = address
	}
	letter := Letter{To: to, Kind: MailUnlock, Every: unlockEvery, Client: client, Silent: !user.EmailVerified}
	_, err = s.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		_, secret, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
			Purpose: PurposeUnlock, Subject: user.ID, SecurityVersion: user.SecurityVersion, TTL: unlockLife,
		})
		if err != nil {
			return mail.Data{}, err
		}
		return mail.Data{Name: user.Name, Email: to.Display, Link: s.Link("unlock-account", secret, ""), ExpiresIn: unlockLife}, nil
	})
	return err
}

// Unlockable returns the user whose account the secret of a mailed link unlocks.
// It consumes nothing. Errors: token.ErrInvalid.
func (s *Service) Unlockable(ctx context.Context, raw string) (User, error) {
	oneTime, err := s.cfg.Tokens.Peek(ctx, PurposeUnlock, raw)
	if err != nil {
		return User{}, err
	}
	user, err := s.store.UserByID(ctx, oneTime.Subject)
	if errors.Is(err, ErrUserNotFound) || err == nil && user.SecurityVersion != oneTime.SecurityVersion {
		return User{}, token.ErrInvalid
	}
	if err != nil {
		return User{}, fmt.Errorf("auth: find the user to unlock: %w", err)
	}
	return user, nil
}

// UnlockByMail consumes the secret of a mailed link and takes the strangers'
// guesses back, in one transaction, which joins that of ctx. A link that was mailed
// before what protects the account changed is dead (rule R1). Errors:
// token.ErrInvalid.
func (s *Service) UnlockByMail(ctx context.Context, raw string) (user User, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if user, err = s.Unlockable(ctx, raw); err != nil {
			return err
		}
		if _, err := s.cfg.Tokens.Consume(ctx, PurposeUnlock, raw); err != nil {
			return err
		}
		return s.Unlock(ctx, user.ID, user.ID)
	})
	if err != nil {
		return User{}, fmt.Errorf("auth: unlock by mail: %w", err)
	}
	return user, nil
}

// Unlock takes back what strangers guessed at the user's account, in the
// transaction of ctx if there is one: from then on they are counted anew. actorID is
// who does it: an administrator, or the user, who has proven the mailbox. It is no
// error if nothing was counted. Errors: ErrUserNotFound.
func (s *Service) Unlock(ctx context.Context, userID, actorID string) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		user, err := s.store.UserByID(ctx, userID)
		if err != nil {
			return err
		}
		if err := s.forgetStrangers(ctx, user); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.UserUnlocked, UserUnlocked{UserID: userID, ActorID: actorID})
	})
	if err != nil {
		return fmt.Errorf("auth: unlock: %w", err)
	}
	return nil
}

// forgetStrangers takes back what strangers guessed at the user's account.
func (s *Service) forgetStrangers(ctx context.Context, user User) error {
	account, err := s.mac(ctx, labelGuess, factorPassword, user.Email)
	if err != nil {
		return err
	}
	return s.store.ForgetGuesses(ctx, GuessKey{Factor: factorPassword, Account: account})
}

// unchecked gives a guess back that no slot was free to check: whoever keeps the
// slots busy must not use up the guesses of others. It returns err.
func (s *Service) unchecked(ctx context.Context, key GuessKey, err error) error {
	if !errors.Is(err, password.ErrOverloaded) {
		return err
	}
	return errors.Join(err, s.store.Refund(ctx, key))
}

// mac identifies parts under the key that label names, without storing them.
func (s *Service) mac(ctx context.Context, label string, parts ...string) ([]byte, error) {
	_, key, err := s.cfg.Keys.ActiveSubkey(ctx, s.cfg.TokenPurpose, label)
	if err != nil {
		return nil, fmt.Errorf("auth: key for %s: %w", label, err)
	}
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil), nil
}

// How long a device stays known, when it gets a new cookie, and how many a user
// may have.
const (
	deviceLife    = 180 * day
	deviceRenewal = 30 * day
	maxDevices    = 20
)

// Device is a browser that a user has signed in from, with all factors (rule R9).
// It proves nothing and opens nothing: guesses from it are counted apart from those
// of strangers, so that strangers cannot lock its owner out.
type Device struct {
	ID     string // UUIDv7
	UserID string
	// Email is the lookup key of the user's address. Stores read it, and do not
	// write it.
	Email string
	// SecurityVersion is the user's when the device was issued; with another one the
	// device is a stranger's (rule R1).
	SecurityVersion int64
	// Selector finds the row; Verifier recognises the rest of the token.
	Selector  string
	Verifier  token.Verifier
	CreatedAt time.Time
	ExpiresAt time.Time
}

// binding ties the hash to whom the device belongs to.
func (d Device) binding() token.Binding {
	return token.Binding{Purpose: "device", Row: d.ID + "/" + d.UserID + "/" + strconv.FormatInt(d.SecurityVersion, 10)}
}

// KnownDevice returns the device whose cookie raw is, if its user's account is as
// it was when it was issued. Everything else is ErrDeviceNotFound, without I/O if
// raw is no token at all.
func (s *Service) KnownDevice(ctx context.Context, raw string) (Device, error) {
	t, err := token.Parse(token.KindDevice, raw)
	if err != nil {
		return Device{}, ErrDeviceNotFound
	}
	device, err := s.store.DeviceBySelector(ctx, t.Selector(), s.now())
	if err == nil {
		err = s.tokens.Verify(ctx, t, device.binding(), device.Verifier)
	}
	switch {
	case errors.Is(err, ErrDeviceNotFound) || errors.Is(err, token.ErrMismatch):
		return Device{}, ErrDeviceNotFound
	case err != nil:
		return Device{}, fmt.Errorf("auth: find a device: %w", err)
	}
	return device, nil
}

// RememberDevice makes the browser that was just given a session a known device of
// its user, and returns the cookie to set: call it where the session is handed
// over, and nowhere before. raw is the cookie that the browser has. The zero Secret
// means that it may keep it: the device is the user's, not a month old, and hashed
// under the key of today.
func (s *Service) RememberDevice(ctx context.Context, grant Grant, raw string) (token.Secret, error) {
	known, err := s.KnownDevice(ctx, raw)
	if err != nil && !errors.Is(err, ErrDeviceNotFound) {
		return token.Secret{}, err
	}
	device, secret, err := s.newDevice(ctx, grant)
	if err != nil {
		return token.Secret{}, err
	}
	young := device.CreatedAt.Sub(known.CreatedAt) < deviceRenewal && device.Verifier.KID == known.Verifier.KID
	if known.UserID == grant.UserID && young {
		return token.Secret{}, nil
	}
	if err := s.store.AddDevice(ctx, device, known.ID, maxDevices); err != nil {
		return token.Secret{}, fmt.Errorf("auth: remember a device: %w", err)
	}
	return secret, nil
}

func (s *Service) newDevice(ctx context.Context, grant Grant) (Device, token.Secret, error) {
	id, err := s.newID()
	if err != nil {
		return Device{}, token.Secret{}, err
	}
	t, err := token.Generate(s.cfg.Rand, token.KindDevice)
	if err != nil {
		return Device{}, token.Secret{}, fmt.Errorf("auth: make a device token: %w", err)
	}
	now := s.now()
	device := Device{
		ID: id, UserID: grant.UserID, SecurityVersion: grant.SecurityVersion,
		Selector: t.Selector(), CreatedAt: now, ExpiresAt: now.Add(deviceLife),
	}
	if device.Verifier, err = s.tokens.Hash(ctx, t, device.binding()); err != nil {
		return Device{}, token.Secret{}, fmt.Errorf("auth: hash a device token: %w", err)
	}
	return device, t.Secret(), nil
}
