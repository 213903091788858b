package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/token"
)

const factorSignUpProof = "sign-up-proof"

// VerifyEmailParams carry the secret of a mailed link and what shows that the
// person who opens it is the one who signed up (rule R5).
type VerifyEmailParams struct {
	// Token is the secret of the link.
	Token string
	// SignUpID, if set, is the sign-up that was shown to the person who confirms.
	// A link of another one is refused.
	SignUpID string
	// Browser is the token that sign-up left in the browser. With it, the typed
	// password stays.
	Browser string
	// Password is the one typed at sign-up, for another browser. It may be
	// guessed at five times.
	Password string
	// NewPassword replaces everything that was typed at sign-up but the address.
	NewPassword string
	// Name is the name of the user whose sign-up is replaced by NewPassword.
	// Defaults to the local part of the address.
	Name   string
	Client Client
}

// WaitingSignUp returns the sign-up that the secret of a mailed link belongs to,
// and whether browser is the one that signed up. It consumes nothing. Errors:
// token.ErrInvalid.
func (s *Service) WaitingSignUp(ctx context.Context, raw, browser string) (signUp SignUp, sameBrowser bool, err error) {
	oneTime, err := s.cfg.Tokens.Peek(ctx, PurposeVerifyEmail, raw)
	if err != nil {
		return SignUp{}, false, err
	}
	signUp, err = s.store.SignUpByID(ctx, oneTime.Subject, s.now())
	if errors.Is(err, ErrSignUpNotFound) {
		return SignUp{}, false, token.ErrInvalid
	}
	if err != nil {
		return SignUp{}, false, fmt.Errorf("auth: find the sign-up: %w", err)
	}
	return signUp, isBrowserOf(signUp, browser), nil
}

// VerifyEmail consumes the secret of a mailed link and makes the user, with what
// Hooks.UserCreated adds, in one transaction. Every other sign-up of the address
// ends with it.
//
// It joins the transaction of ctx, except with Password set: that is a guess,
// and answers ErrInTransaction. Errors: token.ErrInvalid for every link that
// does not or no longer work, ErrLinkReplaced, ErrSignUpProofRequired, ErrWrongSignUpPassword,
// ErrTooManyAttempts, ErrInvalidName, those of password.Policy.Check,
// password.ErrOverloaded.
func (s *Service) VerifyEmail(ctx context.Context, p VerifyEmailParams) (User, error) {
	if p.Password != "" && s.store.InTransaction(ctx) {
		return User{}, ErrInTransaction
	}
	signUp, sameBrowser, err := s.WaitingSignUp(ctx, p.Token, p.Browser)
	if err != nil {
		return User{}, err
	}
	if p.SignUpID != "" && p.SignUpID != signUp.ID {
		return User{}, ErrLinkReplaced
	}
	user, err := s.willBe(ctx, signUp)
	if err != nil {
		return User{}, err
	}
	hash, err := s.proveSignUp(ctx, signUp, &user, sameBrowser, p)
	if err != nil {
		return User{}, err
	}
	return s.makeUser(ctx, user, signUp, hash, p.NewPassword == "", p.Client, func(ctx context.Context) error {
		_, err := s.cfg.Tokens.Consume(ctx, PurposeVerifyEmail, p.Token)
		return err
	})
}

// ProveSignUp makes the user of a sign-up whose mailbox was just proven in another
// way than by its link, such as by a code, from what was typed. Only the browser
// that signed up may do so; in others the link asks for what is missing (rule R5).
// consume uses the proof up, in the transaction that makes the user and joins that
// of ctx. Errors: token.ErrInvalid for a sign-up that is gone,
// ErrSignUpProofRequired, those of consume.
func (s *Service) ProveSignUp(ctx context.Context, signUpID, browser string, client Client, consume func(ctx context.Context) error) (User, error) {
	signUp, err := s.store.SignUpByID(ctx, signUpID, s.now())
	if errors.Is(err, ErrSignUpNotFound) {
		return User{}, token.ErrInvalid
	}
	if err != nil {
		return User{}, fmt.Errorf("auth: find the sign-up: %w", err)
	}
	if !isBrowserOf(signUp, browser) {
		return User{}, ErrSignUpProofRequired
	}
	user, err := s.willBe(ctx, signUp)
	if err != nil {
		return User{}, err
	}
	hash, err := s.proveSignUp(ctx, signUp, &user, true, VerifyEmailParams{})
	if err != nil {
		return User{}, err
	}
	return s.makeUser(ctx, user, signUp, hash, true, client, consume)
}

// makeUser turns a sign-up whose mailbox is proven into user, who starts with the
// password that has that hash, if it is not empty. kept says that whoever signed up
// proved the mailbox.
func (s *Service) makeUser(
	ctx context.Context, user User, signUp SignUp, hash []byte, kept bool, client Client, consume func(ctx context.Context) error,
) (User, error) {
	var sealed []byte
	var err error
	if hash != nil {
		if sealed, err = s.cfg.Keys.Seal(ctx, PasswordField(userPassword, user.ID), hash); err != nil {
			return User{}, fmt.Errorf("auth: seal a password hash: %w", err)
		}
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.ClaimSignUp(ctx, signUp.Email, signUp.ID, s.now()); err != nil {
			return err
		}
		if err := consume(ctx); err != nil {
			return err
		}
		if user.ID != signUp.UserID {
			user, err = s.proveUser(ctx, Proving{UserID: user.ID, Password: sealed, Proof: ProofMail, Client: client})
		} else {
			user.EmailProof = ProofMail
			user, err = s.createProven(ctx, UserCreated{User: user, Client: client}, sealed)
		}
		if err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.SignUpProven, SignUpProven{SignUpID: signUp.ID, User: user, Kept: kept, Client: client})
	})
	if errors.Is(err, ErrSignUpNotFound) || errors.Is(err, ErrAddressTaken) {
		return User{}, token.ErrInvalid
	}
	if err != nil {
		return User{}, fmt.Errorf("auth: verify an address: %w", err)
	}
	return user, nil
}

// willBe is the user that the sign-up becomes: a new one, or the one who exists
// with that address unproven. Others who have it make the claim fail later.
func (s *Service) willBe(ctx context.Context, signUp SignUp) (User, error) {
	owner, _, err := s.store.UserByEmail(ctx, signUp.Email)
	switch {
	case errors.Is(err, ErrUserNotFound):
		return signUp.preview(), nil
	case err != nil:
		return User{}, fmt.Errorf("auth: find the user of a sign-up: %w", err)
	case owner.EmailVerified:
		return signUp.preview(), nil
	}
	return owner, nil
}

// createProven makes the user whose address was just proven, in the transaction
// of that proof.
func (s *Service) createProven(ctx context.Context, e UserCreated, sealed []byte) (User, error) {
	now, user := s.now(), e.User
	user.EmailVerified, user.SecurityVersion = true, 1
	user.CreatedAt, user.UpdatedAt = now, now
	if err := s.store.CreateUser(ctx, user, sealed); err != nil {
		return User{}, err
	}
	user, err := s.claimSuperuser(ctx, user)
	if err != nil {
		return User{}, err
	}
	e.User = user
	return user, hook.Call(ctx, s.cfg.Hooks.UserCreated, e)
}

// IsReserved reports whether the address makes whoever proves it a superuser. Only our
// own mail proves it (rules R19, R33): another system's word is as if somebody had typed
// it.
func (s *Service) IsReserved(address Address) bool {
	return s.cfg.Superuser != "" && address.Key == s.cfg.Superuser
}

// claimSuperuser makes whoever just proved the configured address by mail a superuser.
// It acts once.
func (s *Service) claimSuperuser(ctx context.Context, user User) (User, error) {
	if user.Email != s.cfg.Superuser || user.EmailProof != ProofMail {
		return user, nil
	}
	claimed, err := s.store.ClaimSuperuser(ctx, user.Email, user.ID, s.now())
	user.Superuser = user.Superuser || claimed
	return user, err
}

// proveSignUp decides what of the sign-up may stay: with the browser or the
// password that made it, all of it; with a new password, the address alone. It
// returns the password hash that the user starts with.
func (s *Service) proveSignUp(ctx context.Context, signUp SignUp, user *User, sameBrowser bool, p VerifyEmailParams) ([]byte, error) {
	switch {
	case p.NewPassword != "":
		return s.replaceSignUp(ctx, user, p)
	case sameBrowser && len(signUp.Password) == 0:
		return nil, nil
	case sameBrowser:
		return s.cfg.Keys.Open(ctx, PasswordField(signUpPassword, signUp.ID), signUp.Password)
	case p.Password != "":
		return s.proveByPassword(ctx, signUp, p.Password)
	}
	return nil, ErrSignUpProofRequired
}

func (s *Service) replaceSignUp(ctx context.Context, user *User, p VerifyEmailParams) ([]byte, error) {
	local, _, _ := strings.Cut(user.Display, "@")
	if user.Name, user.Image = local, ""; p.Name != "" {
		name, err := CleanName(p.Name)
		if err != nil {
			return nil, err
		}
		user.Name = name
	}
	prepared, err := s.cfg.PasswordPolicy.Prepare(ctx, password.Candidate{
		Password: p.NewPassword, Email: user.Display, Name: user.Name,
	})
	if err != nil {
		return nil, err
	}
	hash, err := s.cfg.Passwords.Hash(ctx, prepared)
	if err != nil {
		return nil, fmt.Errorf("auth: hash: %w", err)
	}
	return []byte(hash), nil
}

func (s *Service) proveByPassword(ctx context.Context, signUp SignUp, typed string) ([]byte, error) {
	if len(signUp.Password) == 0 {
		return nil, ErrSignUpProofRequired
	}
	prepared, err := password.Normalize(typed)
	if err != nil {
		return nil, ErrWrongSignUpPassword
	}
	key, err := s.charge(ctx, factorSignUpProof, signUp.ID, signUpProofPace())
	if err != nil {
		return nil, err
	}
	hash, err := s.cfg.Keys.Open(ctx, PasswordField(signUpPassword, signUp.ID), signUp.Password)
	if err != nil {
		return nil, fmt.Errorf("auth: open a password hash: %w", err)
	}
	match, _, err := s.cfg.Passwords.Verify(ctx, string(hash), prepared)
	if err != nil {
		return nil, s.unchecked(ctx, key, fmt.Errorf("auth: verify a password: %w", err))
	}
	if !match {
		return nil, ErrWrongSignUpPassword
	}
	if err := s.store.Refund(ctx, key); err != nil {
		return nil, fmt.Errorf("auth: refund a guess: %w", err)
	}
	return hash, nil
}

// isBrowserOf reports whether browser is the token of the browser that signed up.
func isBrowserOf(signUp SignUp, browser string) bool {
	known, err := token.Parse(kindBrowser, browser)
	if err != nil || len(signUp.BrowserHash) == 0 {
		return false
	}
	return subtle.ConstantTimeCompare(hashBrowser(known), signUp.BrowserHash) == 1
}

// ResendParams ask for another mail with a link.
type ResendParams struct {
	Email       string
	CallbackURL string
	Client      Client
}

// ResendVerification mails a fresh link for the newest sign-up of the address,
// within the budget of rule R6; earlier links stay valid. It does the same work
// and reports nothing whether a sign-up waits, the address belongs to a user, or
// neither. It joins the transaction of ctx. Errors: ErrInvalidEmail.
func (s *Service) ResendVerification(ctx context.Context, p ResendParams) error {
	address, err := ParseAddress(p.Email)
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		signUp, err := s.store.NewestSignUp(ctx, address.Key, s.now())
		if errors.Is(err, ErrSignUpNotFound) {
			return s.mailNobody(ctx, address, p.Client)
		}
		if err != nil {
			return err
		}
		_, err = s.mailSignUp(ctx, signUpMail{signUp: signUp, callbackURL: p.CallbackURL, client: p.Client})
		return err
	})
	if err != nil {
		return fmt.Errorf("auth: resend: %w", err)
	}
	return nil
}

// mailNobody does what mailSignUp does, for a sign-up that does not exist.
func (s *Service) mailNobody(ctx context.Context, address Address, client Client) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	nobody := SignUp{ID: id, Email: address.Key, Display: address.Display, ExpiresAt: s.now().Add(pendingLife)}
	_, err = s.mailSignUp(ctx, signUpMail{signUp: nobody, client: client, mute: true})
	return err
}

// remind mails the link again to somebody who tried to sign in before the
// address was proven. The statements are the same where no mail goes, because the
// address belongs to a user or to nobody (rules R4, R7).
func (s *Service) remind(ctx context.Context, address Address, p SignInParams) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		signUp, err := s.store.NewestSignUp(ctx, address.Key, s.now())
		if errors.Is(err, ErrSignUpNotFound) {
			return s.mailNobody(ctx, address, p.Client)
		}
		if err != nil {
			return err
		}
		_, err = s.mailSignUp(ctx, signUpMail{signUp: signUp, callbackURL: p.CallbackURL, client: p.Client})
		return err
	})
}
