package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// PurposeVerifyEmail is the purpose of the token that proves a mailbox.
const PurposeVerifyEmail token.Purpose = "vrf:verify-email"

// kindBrowser is the kind of the token that recognises a browser (rule R5).
const kindBrowser token.Kind = "brw"

// Kinds of mail that the package sends; they name templates.
const (
	MailVerifyEmail   = "verify-email"
	MailSignUpAttempt = "sign-up-attempt"
	// MailPasswordChanged tells an owner that the password is another one.
	MailPasswordChanged = "password-changed"
)

// How often the kinds of mail may go to one address.
const (
	verifyEvery  = time.Minute
	attemptEvery = day
)

// SignUpParams are what a person types to sign up.
type SignUpParams struct {
	Name     string
	Email    string
	Password string
	// Image is optional: the URL of a picture.
	Image string
	// CallbackURL is where the page of the mailed link leads afterwards. It must
	// have passed the list of redirect targets.
	CallbackURL string
	// Browser is the token that an earlier sign-up left in the browser, if any.
	Browser string
	Client  Client
}

// SignUpResult is the same for addresses that are free and for those taken.
type SignUpResult struct {
	// User is what the user will be once the address is proven.
	User User
	// Browser is to be kept by the browser for a day: with it, the mailed link
	// keeps the password that was typed (rule R5).
	Browser token.Secret
}

// SignUp writes a sign-up that waits for its address to be proven, and mails the
// link that proves it. If the address belongs to a user already, the answer and
// the work are the same; its owner is told by mail, once a day at most.
//
// The password is judged before anything is looked up, so that a refusal says
// nothing about the address.
//
// It joins the transaction of ctx; with PasswordPolicy.Breaches set, that asks a
// service while the transaction is open, so better have none. Errors:
// ErrInvalidEmail, ErrInvalidName, ErrInvalidImage, those of
// password.Policy.Check, password.ErrOverloaded, and what Hooks.BeforeSignUp
// returns.
func (s *Service) SignUp(ctx context.Context, p SignUpParams) (SignUpResult, error) {
	signUp, address, err := s.newSignUp(p)
	if err != nil {
		return SignUpResult{}, err
	}
	prepared, err := s.cfg.PasswordPolicy.Prepare(ctx, password.Candidate{
		Password: p.Password, Email: address.Display, Name: signUp.Name,
	})
	if err != nil {
		return SignUpResult{}, err
	}
	if signUp.Password, err = s.hashAndSeal(ctx, signUpPassword, signUp.ID, prepared); err != nil {
		return SignUpResult{}, err
	}
	return s.writeSignUp(ctx, signUp, address, p, nil)
}

// SignUpWith is SignUp without a password, for somebody who comes with something else
// that will let them in, such as an account at an identity provider whose word proves
// no mailbox (rule R19). attach writes it down, in the transaction of the sign-up;
// Hooks.SignUpProven says later whether it may stay. p.Password is ignored. Everything
// is as in SignUp, whoever has the address. Errors: ErrInvalidEmail, ErrInvalidName,
// ErrInvalidImage, those of attach and of Hooks.BeforeSignUp.
func (s *Service) SignUpWith(ctx context.Context, p SignUpParams, attach func(ctx context.Context, signUp SignUp) error) (SignUpResult, error) {
	signUp, address, err := s.newSignUp(p)
	if err != nil {
		return SignUpResult{}, err
	}
	return s.writeSignUp(ctx, signUp, address, p, attach)
}

// writeSignUp ties the sign-up to the browser and writes it down.
func (s *Service) writeSignUp(
	ctx context.Context, signUp SignUp, address Address, p SignUpParams, attach func(ctx context.Context, signUp SignUp) error,
) (SignUpResult, error) {
	browser, err := s.browser(p.Browser)
	if err != nil {
		return SignUpResult{}, err
	}
	signUp.BrowserHash = hashBrowser(browser)
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.recordSignUp(ctx, signUp, address, p); err != nil || attach == nil {
			return err
		}
		return attach(ctx, signUp)
	})
	if err != nil {
		return SignUpResult{}, fmt.Errorf("auth: sign up: %w", err)
	}
	return SignUpResult{User: signUp.preview(), Browser: browser.Secret()}, nil
}

// newSignUp validates p and makes the row, without its password and browser.
func (s *Service) newSignUp(p SignUpParams) (SignUp, Address, error) {
	address, addressErr := ParseAddress(p.Email)
	name, nameErr := CleanName(p.Name)
	image, imageErr := CleanImage(p.Image)
	for _, err := range []error{nameErr, addressErr, imageErr} {
		if err != nil {
			return SignUp{}, Address{}, err
		}
	}
	id, err := s.newID()
	if err != nil {
		return SignUp{}, Address{}, err
	}
	userID, err := s.newID()
	if err != nil {
		return SignUp{}, Address{}, err
	}
	now := s.now()
	return SignUp{
		ID: id, UserID: userID,
		Email: address.Key, Display: address.Display,
		Name: name, Image: image,
		CreatedAt: now, ExpiresAt: now.Add(pendingLife),
	}, address, nil
}

// recordSignUp does the same statements whether the address is taken or free
// (rule R4), and mails accordingly.
func (s *Service) recordSignUp(ctx context.Context, signUp SignUp, address Address, p SignUpParams) error {
	event := BeforeSignUp{Address: address, Name: signUp.Name, Client: p.Client}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeSignUp, event); err != nil {
		return err
	}
	if err := s.store.AddSignUp(ctx, signUp); err != nil {
		return err
	}
	mailed, err := s.mailSignUp(ctx, signUpMail{
		signUp: signUp, callbackURL: p.CallbackURL, client: p.Client, takenKind: MailSignUpAttempt,
	})
	if err != nil {
		return err
	}
	// A sign-up whose link was not mailed pushes out none whose link was (rule R6).
	return s.store.DropSignUps(ctx, signUp.Email, maxPending, !mailed)
}

// signUpMail is a mail about a sign-up.
type signUpMail struct {
	signUp      SignUp
	callbackURL string
	client      Client
	// takenKind is the kind of mail for the user whose address it is; none goes
	// if it is empty.
	takenKind string
	// mute does the work but mails nothing.
	mute bool
}

// mailSignUp mails the link of a sign-up to its address, or, where the address
// belongs to a user, a note to that user. Over the budget it mails nothing, and
// earlier links stay valid (rule R6): the token that was made is taken back
// before it can push an older one out. The statements are the same in every case.
// It reports whether a mail went.
func (s *Service) mailSignUp(ctx context.Context, m signUpMail) (sent bool, err error) {
	owner, _, err := s.store.UserByEmail(ctx, m.signUp.Email)
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		return false, err
	}
	whose, letter := m.signUp.preview(), Letter{Kind: MailVerifyEmail, Every: verifyEvery, Client: m.client}
	taken := err == nil && owner.EmailVerified // who exists unproven is nobody yet (rule R4)
	if taken {
		whose, letter.Kind, letter.Every = owner, m.takenKind, attemptEvery
	}
	letter.Silent = m.mute || letter.Kind == ""
	if letter.To, err = AddressOf(whose); err != nil {
		return false, err
	}
	return s.post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		_, secret, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
			Purpose: PurposeVerifyEmail, Subject: m.signUp.ID, TTL: max(time.Second, m.signUp.ExpiresAt.Sub(s.now())),
		})
		data := mail.Data{Name: whose.Name, Email: letter.To.Display}
		if !taken {
			data.Link, data.ExpiresIn = s.Link("verify-email", secret, m.callbackURL), pendingLife
		}
		return data, err
	})
}

// enqueue renders a mail and puts it into the outbox of the transaction.
func (s *Service) enqueue(ctx context.Context, kind string, to Address, data mail.Data) error {
	message, err := s.cfg.Templates.Render("", kind, data)
	if err != nil {
		return fmt.Errorf("render %s: %w", kind, err)
	}
	message.To = to.Mailbox
	return s.cfg.Outbox.Enqueue(ctx, message)
}

// browser returns the token that recognises the browser: the one it has, or a
// new one.
func (s *Service) browser(raw string) (token.Token, error) {
	if known, err := token.Parse(kindBrowser, raw); err == nil {
		return known, nil
	}
	fresh, err := token.Generate(s.cfg.Rand, kindBrowser)
	if err != nil {
		return token.Token{}, fmt.Errorf("auth: make a browser token: %w", err)
	}
	return fresh, nil
}

// hashBrowser hashes a browser's token. A plain hash suffices for 190 random
// bits, and no row's rights hang on it alone: the mailed token is needed too.
func hashBrowser(t token.Token) []byte {
	sum := sha256.Sum256([]byte("tenon browser v1\x00" + t.Secret().Reveal()))
	return sum[:]
}

// preview is the user that the sign-up will become.
func (p SignUp) preview() User {
	return User{
		ID: p.UserID, Email: p.Email, Display: p.Display, Name: p.Name, Image: p.Image,
		CreatedAt: p.CreatedAt, UpdatedAt: p.CreatedAt,
	}
}

// Columns that hold sealed password hashes.
const (
	signUpPassword = "tenon_sign_ups"
	userPassword   = "tenon_credentials"
)

// PasswordField is the place of a sealed password hash: the table, and the row
// that is the sign-up's id or the user's. Stores register it for re-encryption.
func PasswordField(table, row string) crypto.Field {
	return crypto.Column{Purpose: crypto.PurposePassword, Table: table, Column: "password"}.Field(row, "")
}

// hashAndSeal hashes a prepared password in a slot and seals the hash for its row.
func (s *Service) hashAndSeal(ctx context.Context, table, row, prepared string) ([]byte, error) {
	hash, err := s.cfg.Passwords.Hash(ctx, prepared)
	if err != nil {
		return nil, fmt.Errorf("auth: hash: %w", err)
	}
	sealed, err := s.cfg.Keys.Seal(ctx, PasswordField(table, row), []byte(hash))
	if err != nil {
		return nil, fmt.Errorf("auth: seal a password hash: %w", err)
	}
	return sealed, nil
}
