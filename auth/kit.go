package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// This file is what the sub-packages of auth, and hosts with flows of their own,
// build on: guessing, mailing, passwords and attempts, each with its rule inside.

// Hooks returns those of Config, for the sub-packages to call: each event has one
// hook, whatever package causes it.
func (s *Service) Hooks() Hooks { return s.cfg.Hooks }

// Charge counts a guess at one factor of identifier before it is checked, by a
// statement that commits alone (rule R8). It returns ErrTooManyAttempts, with
// the time to wait, if the pace allows none now, and ErrInTransaction before any
// I/O inside a transaction. Charge identifiers that are nobody's alike.
func (s *Service) Charge(ctx context.Context, factor, identifier string, pace Pace) (GuessKey, error) {
	return s.charge(ctx, factor, identifier, pace)
}

const factorCode = "code"

// ChargeCode is Charge for a code that was mailed to address, whatever it is for:
// all codes of an address share ten guesses a day, then only links work (rule R10).
func (s *Service) ChargeCode(ctx context.Context, address Address) (GuessKey, error) {
	return s.charge(ctx, factorCode, address.Key, codePace())
}

// Failed leaves the trace of a wrong guess, in a transaction of its own.
func (s *Service) Failed(ctx context.Context, e SignInFailed) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		return hook.Call(ctx, s.cfg.Hooks.SignInFailed, e)
	})
	if err != nil {
		return fmt.Errorf("auth: record a failed sign-in: %w", err)
	}
	return nil
}

// GiveBack takes a charged guess back, because it was right or could not be
// checked.
func (s *Service) GiveBack(ctx context.Context, key GuessKey) error {
	if err := s.store.Refund(ctx, key); err != nil {
		return fmt.Errorf("auth: give a guess back: %w", err)
	}
	return nil
}

const factorOwnPassword = "own-password"

// CheckPassword checks the password of a user who is signed in, as a guess of
// its own kind: strangers at the sign-in form cannot use these guesses up. It
// refuses to run inside a transaction. Errors: ErrInvalidPassword, also for a
// user without a password, ErrTooManyAttempts, ErrInTransaction,
// password.ErrOverloaded, ErrUserNotFound.
func (s *Service) CheckPassword(ctx context.Context, userID, typed string) error {
	prepared, err := password.Normalize(typed)
	if err != nil {
		return ErrInvalidPassword
	}
	key, err := s.charge(ctx, factorOwnPassword, userID, passwordPace())
	if err != nil {
		return err
	}
	sealed, err := s.store.Password(ctx, userID)
	if err != nil {
		return fmt.Errorf("auth: read a password hash: %w", err)
	}
	if len(sealed) == 0 {
		return ErrInvalidPassword
	}
	hash, err := s.cfg.Keys.Open(ctx, PasswordField(userPassword, userID), sealed)
	if err != nil {
		return fmt.Errorf("auth: open a password hash: %w", err)
	}
	match, rehash, err := s.cfg.Passwords.Verify(ctx, string(hash), prepared)
	if err != nil {
		return s.unchecked(ctx, key, fmt.Errorf("auth: verify a password: %w", err))
	}
	if !match {
		return ErrInvalidPassword
	}
	if rehash {
		s.rehash(ctx, userID, sealed, prepared)
	}
	return s.GiveBack(ctx, key)
}

// NewPassword judges a password that user wants to have, hashes it in a slot and
// seals the hash for the user's row, ready for Store.SetPassword. Call it
// outside the transaction: hashing takes long and may wait. Errors: those of
// password.Policy.Check, password.ErrOverloaded.
func (s *Service) NewPassword(ctx context.Context, user User, typed string) (sealed []byte, err error) {
	second, err := s.hasSecondFactor(ctx, user)
	if err != nil {
		return nil, err
	}
	prepared, err := s.cfg.PasswordPolicy.Prepare(ctx, password.Candidate{
		Password: typed, Email: user.Display, Name: user.Name, SecondFactor: second,
	})
	if err != nil {
		return nil, err
	}
	return s.hashAndSeal(ctx, userPassword, user.ID, prepared)
}

// hasSecondFactor reports whether a password protects the account beside something
// as strong (NIST SP 800-63B-4 §3.1.1.2), where the policy makes a difference. A
// mailed code is not.
func (s *Service) hasSecondFactor(ctx context.Context, user User) (bool, error) {
	policy := s.cfg.PasswordPolicy
	if user.SecondFactorAt.IsZero() || policy.Least(true) == policy.Least(false) {
		return false, nil
	}
	factors, err := s.factors(ctx, user.ID)
	return factors.TOTP || factors.Passkeys > 0, err
}

// Letter is a mail that wants to go, within the budget of rule R6.
type Letter struct {
	To Address
	// Kind names the template and its budget.
	Kind string
	// Every is the time in which one mail of the kind may go to the address.
	Every time.Duration
	// Client is who asked; a network has a budget, too.
	Client Client
	// Silent does the same work for an address that gets no mail.
	Silent bool
}

// MailEmailTaken tells a user that somebody asked to move to the address that they
// have.
const MailEmailTaken = "change-email-taken"

// EmailTaken is the letter to whoever has the address that somebody else wants to
// move to, once a day: it goes in the place of what would prove the address, so that
// the asker cannot tell (rule R7). Mail it with the address alone.
func EmailTaken(to Address, client Client) Letter {
	return Letter{To: to, Kind: MailEmailTaken, Every: day, Client: client}
}

// Post runs write in a transaction and mails what it returns if the budgets of
// the address and of the client's network allow a mail. If they do not, or the
// letter is silent, what write did is undone and the earlier mails' links stay
// valid. The statements are the same in every case (rule R7). It joins the
// transaction of ctx and reports whether a mail goes.
func (s *Service) Post(ctx context.Context, l Letter, write func(ctx context.Context) (mail.Data, error)) (sent bool, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		sent, err = s.post(ctx, l, write)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("auth: post %s: %w", l.Kind, err)
	}
	return sent, nil
}

// Link returns the address of a page of ours with the secret of a mailed link.
// Path is relative to the mount, such as "reset-password"; callbackURL, which
// may be empty, must have passed the list of redirect targets.
func (s *Service) Link(path string, secret token.Secret, callbackURL string) string {
	query := url.Values{"token": {secret.Reveal()}}
	if callbackURL != "" {
		query.Set("callbackURL", callbackURL)
	}
	return s.cfg.LinkBase + "/" + path + "?" + query.Encode()
}

// AttemptParams are what the client asked for besides being let in.
type AttemptParams struct {
	// BrowserOnly asks for a session that ends with the browser.
	BrowserOnly bool
	// Bearer asks for a pair of tokens instead of a cookie, as the request of the
	// first factor did (rule R16); see [Handler.WantsTokens].
	Bearer bool
	// CallbackURL is where the client wants to go; it must have passed the list of
	// redirect targets. The second step keeps it.
	CallbackURL string
	// OrganizationID becomes the session's active organization. The user must be a
	// member. Defaults to the user's default organization.
	OrganizationID string
	// TrustedDevice is the cookie of a trusted device, if the browser has one: see
	// Handler.TrustedDevice.
	TrustedDevice string
	Client        Client
	// Guess is the guess that was charged for the proof, if there was one. The
	// door gives it back.
	Guess GuessKey
}

// Attempt turns a proof into an attempt to sign in. The proof's security version
// must be the user's. It joins the transaction of ctx. Errors: ErrNotAdmitted.
func (s *Service) Attempt(ctx context.Context, proof door.Proof, p AttemptParams) (Attempt, error) {
	proven, ok := proof.Facts()
	if !ok {
		return Attempt{}, ErrNotAdmitted
	}
	user, err := s.store.UserByID(ctx, proven.UserID)
	if errors.Is(err, ErrUserNotFound) {
		return Attempt{}, ErrNotAdmitted
	}
	if err != nil {
		return Attempt{}, fmt.Errorf("auth: attempt: %w", err)
	}
	if user.SecurityVersion != proven.SecurityVersion {
		return Attempt{}, ErrNotAdmitted
	}
	return Attempt{
		user: user, channels: []string{proven.Channel}, provenAt: proven.At,
		browserOnly: p.BrowserOnly, bearer: p.Bearer, callbackURL: p.CallbackURL, trusted: p.TrustedDevice, client: p.Client, guess: p.Guess,
		organizationID: p.OrganizationID,
	}, nil
}

// User returns who is attempting to sign in, as the proof found them.
func (a Attempt) User() User { return a.user }

// CreateProven makes a user whose mailbox has just been proven in another way
// than by the link of a sign-up, such as by a code, without a password. Every
// sign-up that waits for the address ends with it (rule R4), and
// Hooks.BeforeSignUp may refuse it. It must run in the transaction that consumes
// the proof, which is what EmailProof of the user will say, such as ProofMail. Of n it
// takes Email, Name, Image, Client, ID, Sealed and InvitationID; Name defaults to the
// local part of the address. Errors: ErrAddressTaken, ErrInvalidEmail, ErrInvalidName, ErrInvalidImage.
func (s *Service) CreateProven(ctx context.Context, n NewUser, proof string) (User, error) {
	if !s.store.InTransaction(ctx) {
		return User{}, ErrNoTransaction
	}
	if n.Name == "" {
		n.Name, _, _ = strings.Cut(n.Email, "@")
	}
	signUp, address, err := s.newSignUp(SignUpParams{Email: n.Email, Name: n.Name, Image: n.Image})
	if err != nil {
		return User{}, err
	}
	event := BeforeSignUp{Address: address, Name: signUp.Name, Client: n.Client}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeSignUp, event); err != nil {
		return User{}, err
	}
	// First, because it takes the turn that whoever proves a sign-up of the address
	// by its link waits for.
	if err := s.store.DropSignUps(ctx, address.Key, 0, false); err != nil {
		return User{}, fmt.Errorf("auth: drop the sign-ups of an address: %w", err)
	}
	user := signUp.preview()
	user.ID, user.EmailProof = cmp.Or(n.ID, user.ID), proof
	user, err = s.createProven(ctx, UserCreated{User: user, Client: n.Client, InvitationID: n.InvitationID}, n.Sealed)
	if err != nil {
		return User{}, fmt.Errorf("auth: create a user: %w", err)
	}
	return user, nil
}

// Change is a change to what protects an account: its password, its address, its
// factors, a ban, a deletion.
type Change struct {
	UserID string
	// From is the security version under which the change was permitted, such as
	// that of a mailed token. Zero permits it whatever the version is.
	From int64
	// KeepSession goes on; it is the session in which the user made the change.
	// Empty ends all.
	KeepSession string
	// Notice is the kind of mail that tells the owner, at the address that the
	// account had before the change (rule R12). It is not counted against the
	// budget: a stranger must not be able to silence it. Empty sends none.
	Notice string
}

// Secure is the one way to change what protects an account (rule R1). In one
// transaction, which joins that of ctx, it raises the security version before
// anything else, so that whatever is in flight is dead, runs apply, ends the
// user's other sessions, and mails the notice.
//
// It returns ErrStale, and changes nothing, if the version is no longer
// c.From, and ErrUserNotFound if the user is gone. apply gets the user as it was,
// with the new version.
func (s *Service) Secure(ctx context.Context, c Change, apply func(ctx context.Context, user User) error) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		version, err := s.store.RaiseVersion(ctx, c.UserID)
		if err != nil {
			return err
		}
		if c.From != 0 && version != c.From+1 {
			return ErrStale
		}
		user, err := s.store.UserByID(ctx, c.UserID)
		if err != nil {
			return err
		}
		if err := apply(ctx, user); err != nil {
			return err
		}
		if err := s.cfg.Sessions.EndOthers(ctx, c.UserID, c.KeepSession, version); err != nil {
			return err
		}
		return s.notify(ctx, user, c.Notice)
	})
	if err != nil {
		return fmt.Errorf("auth: secure an account: %w", err)
	}
	return nil
}

// notify mails the owner of an account what was changed.
func (s *Service) notify(ctx context.Context, user User, kind string) error {
	if kind == "" {
		return nil
	}
	return s.Notify(ctx, user, kind, nil)
}

// Notify mails the owner of an account what happened to it, in the transaction of
// ctx. Kind names the template, and extra is its Data.Extra. Such a mail is not
// counted against the budgets of rule R6: a stranger must not be able to silence it,
// so only what a stranger cannot cause may send one. [Hooks].OwnerTold runs, too.
func (s *Service) Notify(ctx context.Context, user User, kind string, extra map[string]string) error {
	to, err := AddressOf(user)
	if err != nil {
		return err
	}
	if err := s.enqueue(ctx, kind, to, mail.Data{Name: user.Name, Email: to.Display, Extra: extra}); err != nil {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.OwnerTold, OwnerTold{User: user, Kind: kind, Extra: extra})
}

// AddressOf is where mail for the user goes. A host's import may have a display
// form that does not parse; the key is the same mailbox.
func AddressOf(user User) (Address, error) {
	if address, err := ParseAddress(user.Display); err == nil && address.Key == user.Email {
		return address, nil
	}
	return ParseAddress(user.Email)
}

// Proving is the proof of the mailbox of a user who exists without one.
type Proving struct {
	UserID string
	// From is the security version under which the proof was given. Zero takes any.
	From int64
	// Password is the sealed hash of the password that the user has from now on. Empty
	// is none.
	Password []byte
	// Proof is what proved the mailbox, such as ProofMail.
	Proof  string
	Client Client
}

// ProveUser records that the mailbox of a user who exists unproven was just
// proven. What the account had before goes: its password, its sessions, and what hooks
// of UserVerified take away (rule R4). It must run in the transaction that consumes
// the proof. For a user whose address is proven it returns ErrAddressTaken, for another
// version ErrStale, and changes nothing.
func (s *Service) ProveUser(ctx context.Context, p Proving) (User, error) {
	if !s.store.InTransaction(ctx) {
		return User{}, ErrNoTransaction
	}
	var user User
	err := s.store.InTx(ctx, func(ctx context.Context) (err error) {
		if user, err = s.store.UserByID(ctx, p.UserID); err != nil {
			return err
		}
		// In the order of whoever proves a sign-up by its link: first the turn of the
		// address, then the user.
		if err := s.store.DropSignUps(ctx, user.Email, 0, false); err != nil {
			return err
		}
		user, err = s.proveUser(ctx, p)
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("auth: prove a user: %w", err)
	}
	return user, nil
}

// proveUser needs the turn of the address, and leaves no sign-up of it waiting.
func (s *Service) proveUser(ctx context.Context, p Proving) (proven User, err error) {
	err = s.Secure(ctx, Change{UserID: p.UserID, From: p.From}, func(ctx context.Context, user User) error {
		now := s.now()
		changed, err := s.store.SetVerified(ctx, user.ID, p.Proof, now)
		if err != nil {
			return err
		}
		if !changed {
			return ErrAddressTaken
		}
		if err := s.store.SetPassword(ctx, user.ID, p.Password, now); err != nil {
			return err
		}
		user.EmailVerified, user.EmailProof, user.UpdatedAt = true, p.Proof, now
		if user, err = s.claimSuperuser(ctx, user); err != nil {
			return err
		}
		proven = user
		return hook.Call(ctx, s.cfg.Hooks.UserVerified, UserVerified{User: user, Client: p.Client})
	})
	return proven, err
}

// Reset is a new password by proof of the mailbox.
type Reset struct {
	UserID string
	// From is the security version under which the proof was asked for.
	From        int64
	NewPassword string
	// Consume uses the proof up, in the transaction of the change. It must return
	// an error if somebody else did before.
	Consume func(ctx context.Context) error
	Client  Client
}

// ResetPassword sets a password for a user who has just proven the mailbox,
// whether there was one before or not, and tells them by mail. It signs nobody in.
// All sessions and whatever is in flight end (rule R1); a user who existed
// unproven is proven (rule R4). The password is judged and hashed before the
// transaction, which joins that of ctx, so that one that is refused costs no
// proof. It unlocks signing in from new devices. Errors: ErrStale, ErrUserNotFound, those of NewPassword and of Consume.
func (s *Service) ResetPassword(ctx context.Context, r Reset) error {
	user, err := s.store.UserByID(ctx, r.UserID)
	if err != nil {
		return fmt.Errorf("auth: reset a password: %w", err)
	}
	if r.From <= 0 || user.SecurityVersion != r.From {
		return ErrStale
	}
	sealed, err := s.NewPassword(ctx, user, r.NewPassword)
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// The user before the proof: a deletion locks in that order (rule R3).
		if err := s.putPassword(ctx, user, r, sealed); err != nil {
			return err
		}
		if err := r.Consume(ctx); err != nil {
			return err
		}
		// The mailbox is proven, and every known device died with the old version:
		// strangers must not keep the owner out now (rule R9).
		if err := s.forgetStrangers(ctx, user); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.PasswordChanged, PasswordChanged{UserID: user.ID, Client: r.Client})
	})
	if err != nil {
		return fmt.Errorf("auth: reset a password: %w", err)
	}
	return nil
}

func (s *Service) putPassword(ctx context.Context, user User, r Reset, sealed []byte) error {
	if !user.EmailVerified {
		proven, err := s.ProveUser(ctx, Proving{UserID: user.ID, From: r.From, Password: sealed, Proof: ProofMail, Client: r.Client})
		if errors.Is(err, ErrAddressTaken) {
			return ErrStale
		}
		if err != nil {
			return err
		}
		return s.notify(ctx, proven, MailPasswordChanged)
	}
	change := Change{UserID: user.ID, From: r.From, Notice: MailPasswordChanged}
	return s.Secure(ctx, change, func(ctx context.Context, user User) error {
		return s.store.SetPassword(ctx, user.ID, sealed, s.now())
	})
}
