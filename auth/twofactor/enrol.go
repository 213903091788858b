package twofactor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/totp"
)

// EnableParams turn a second factor on.
type EnableParams struct {
	// Method is auth.MethodTOTP, auth.MethodPasskey or auth.MethodMailCode. Defaults
	// to auth.MethodTOTP.
	Method string
	// Password is the caller's, where they have one.
	Password string
	// Issuer is what the app calls the product. Defaults to Config.Issuer.
	Issuer string
}

// Enabled is what to show, once.
type Enabled struct {
	Method string
	// URI is for the app; it is there for auth.MethodTOTP alone, and the factor is not
	// on before a code of it was verified.
	URI token.Secret
	// RecoveryCodes are valid as soon as the factor is on.
	RecoveryCodes []string
}

// Enable starts to enrol an app, or turns another second factor on. The caller needs
// the password, where there is one, a fresh proof where there is none, and a fresh
// second factor where one is on already (rule R12). It refuses to run inside a
// transaction.
//
// Errors: account.ErrNotFresh, auth.ErrInvalidPassword, ErrInvalidIssuer,
// ErrMailCodesOff, ErrTOTPFirst, ErrNoPasskey, auth.ErrStale.
func (s *Service) Enable(ctx context.Context, c account.Caller, p EnableParams) (Enabled, error) {
	if p.Issuer != "" && !totp.ValidIssuer(p.Issuer) {
		return Enabled{}, ErrInvalidIssuer
	}
	if p.Method == auth.MethodMailCode && !s.cfg.Policy.MailCodes {
		return Enabled{}, ErrMailCodesOff
	}
	user, err := s.permit(ctx, c, p.Password)
	if err != nil {
		return Enabled{}, err
	}
	switch p.Method {
	case auth.MethodMailCode:
		return s.enableMailCodes(ctx, c, user)
	case auth.MethodPasskey:
		return s.enablePasskeys(ctx, c, user)
	}
	return s.enrol(ctx, c, user, p.Issuer)
}

// permit asks for what every change of the factors takes, outside any transaction,
// because a password is a guess (rule R8).
func (s *Service) permit(ctx context.Context, c account.Caller, password string) (auth.User, error) {
	userID, err := c.Person()
	if err != nil {
		return auth.User{}, err
	}
	if s.store.InTransaction(ctx) {
		return auth.User{}, auth.ErrInTransaction
	}
	at, err := s.store.PasswordSetAt(ctx, userID)
	if err != nil {
		return auth.User{}, fmt.Errorf("twofactor: find the password: %w", err)
	}
	switch {
	case !c.Fresh && (c.Principal.SecondFactor || at.IsZero()):
		return auth.User{}, account.ErrNotFresh
	case !at.IsZero() && password == "":
		return auth.User{}, auth.ErrInvalidPassword
	case !at.IsZero():
		if err := s.cfg.Account.VerifyPassword(ctx, c, password); err != nil {
			return auth.User{}, err
		}
	}
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return auth.User{}, fmt.Errorf("twofactor: find the user: %w", err)
	}
	return user, nil
}

// enrol shows a new secret, which waits for its first code.
func (s *Service) enrol(ctx context.Context, c account.Caller, user auth.User, issuer string) (Enabled, error) {
	id, err := s.newID()
	if err != nil {
		return Enabled{}, err
	}
	secret, err := s.scheme.NewSecret()
	if err != nil {
		return Enabled{}, fmt.Errorf("twofactor: enrol: %w", err)
	}
	uri, err := s.uri(s.scheme, secret, issuer, user)
	if err != nil {
		return Enabled{}, err
	}
	sealed, err := s.cfg.Keys.Seal(ctx, SecretField(id), []byte(secret.Reveal()))
	if err != nil {
		return Enabled{}, fmt.Errorf("twofactor: seal a secret: %w", err)
	}
	shown, rows, err := s.newRecoveryCodes(ctx, user.ID)
	if err != nil {
		return Enabled{}, err
	}
	made := s.scheme.Config()
	e := Enrolment{
		ID: id, UserID: user.ID, SessionID: c.Principal.SessionID, SecurityVersion: c.SecurityVersion, Secret: sealed,
		Algorithm: made.Algorithm, Digits: made.Digits, Period: made.Period, CreatedAt: s.now(),
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.lock(ctx, user.ID, c.SecurityVersion); err != nil {
			return err
		}
		return s.store.PutEnrolment(ctx, e, rows)
	})
	if err != nil {
		return Enabled{}, fmt.Errorf("twofactor: enrol: %w", err)
	}
	return Enabled{Method: auth.MethodTOTP, URI: uri, RecoveryCodes: shown}, nil
}

// lock takes the account, if it still has that security version (rule R1).
func (s *Service) lock(ctx context.Context, userID string, version int64) error {
	user, err := s.store.LockUser(ctx, userID)
	if errors.Is(err, auth.ErrUserNotFound) || err == nil && user.SecurityVersion != version {
		return auth.ErrStale
	}
	return err
}

// uri names the account by the address as its owner writes it.
func (s *Service) uri(scheme totp.Scheme, secret totp.Secret, issuer string, user auth.User) (token.Secret, error) {
	if issuer == "" {
		issuer = s.cfg.Issuer
	}
	uri, err := scheme.URI(secret, issuer, user.Display)
	if errors.Is(err, totp.ErrLabel) { // a colon in a quoted local part
		uri, err = scheme.URI(secret, issuer, user.ID)
	}
	if err != nil {
		return token.Secret{}, fmt.Errorf("twofactor: make a URI: %w", err)
	}
	return uri, nil
}

// Pending returns the URI of the enrolment that the caller's session waits for, and
// its id. The caller needs a fresh proof, or the password; a fresh second factor
// where one is on already. Once it is confirmed nobody sees the secret again (rule
// R12). Errors: ErrNotEnrolled, account.ErrNotFresh, auth.ErrInvalidPassword.
func (s *Service) Pending(ctx context.Context, c account.Caller, password string) (id string, uri token.Secret, err error) {
	userID, err := c.Person()
	if err != nil {
		return "", token.Secret{}, err
	}
	if !c.Fresh || password != "" {
		if _, err := s.permit(ctx, c, password); err != nil {
			return "", token.Secret{}, err
		}
	}
	e, err := s.pending(ctx, c)
	if err != nil {
		return "", token.Secret{}, err
	}
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return "", token.Secret{}, fmt.Errorf("twofactor: find the user: %w", err)
	}
	scheme, secret, err := s.open(ctx, e)
	if err != nil {
		return "", token.Secret{}, err
	}
	uri, err = s.uri(scheme, secret, "", user)
	return e.ID, uri, err
}

// pending returns the unconfirmed enrolment of the caller's session.
func (s *Service) pending(ctx context.Context, c account.Caller) (Enrolment, error) {
	e, err := s.store.EnrolmentOf(ctx, c.Principal.UserID, false)
	if err != nil {
		return Enrolment{}, fmt.Errorf("twofactor: find an enrolment: %w", err)
	}
	own := e.SessionID == c.Principal.SessionID && e.SecurityVersion == c.SecurityVersion
	if !own || s.now().Sub(e.CreatedAt) > PendingLife {
		return Enrolment{}, ErrNotEnrolled
	}
	return e, nil
}

// open returns the secret of an enrolment, and how its codes are made.
func (s *Service) open(ctx context.Context, e Enrolment) (totp.Scheme, totp.Secret, error) {
	scheme, err := totp.New(totp.Config{
		Algorithm: e.Algorithm, Digits: e.Digits, Period: e.Period, Strict: s.cfg.Policy.TOTP.Strict,
	})
	if err != nil {
		return totp.Scheme{}, totp.Secret{}, fmt.Errorf("twofactor: the codes of an app: %w", err)
	}
	raw, err := s.cfg.Keys.Open(ctx, SecretField(e.ID), e.Secret)
	if err != nil {
		return totp.Scheme{}, totp.Secret{}, fmt.Errorf("twofactor: open a secret: %w", err)
	}
	secret, err := totp.ParseSecret(string(raw))
	if err != nil {
		return totp.Scheme{}, totp.Secret{}, fmt.Errorf("twofactor: read a secret: %w", err)
	}
	return scheme, secret, nil
}

// confirm turns the second factor on by the first code of an enrolment.
func (s *Service) confirm(ctx context.Context, c account.Caller, e Enrolment, step int64, guess auth.GuessKey) (auth.User, auth.Grant, error) {
	var user auth.User
	var grant auth.Grant
	at, notice := s.now(), MailEnabled
	if _, err := s.store.EnrolmentOf(ctx, e.UserID, true); err == nil {
		notice = MailChanged
	} else if !errors.Is(err, ErrNotEnrolled) {
		return auth.User{}, auth.Grant{}, fmt.Errorf("twofactor: find the app: %w", err)
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		err := s.secure(ctx, c, notice, func(ctx context.Context, u auth.User) error {
			confirmed, err := s.store.ConfirmEnrolment(ctx, u.ID, e.ID, step, at)
			if err != nil {
				return err
			}
			if !confirmed {
				return ErrNotEnrolled
			}
			user = u
			return s.turnOn(ctx, &user, at, false)
		})
		if err != nil {
			return err
		}
		grant, err = s.elevate(ctx, c, user, auth.ChannelTOTP, at)
		if err != nil {
			return err
		}
		return s.cfg.Auth.GiveBack(ctx, guess)
	})
	if err != nil {
		return auth.User{}, auth.Grant{}, fmt.Errorf("twofactor: confirm an enrolment: %w", err)
	}
	return user, grant, nil
}

// turnOn records that the user signs in with two factors, inside the transaction
// that secures it. mail says that the second is a mailed code.
func (s *Service) turnOn(ctx context.Context, user *auth.User, at time.Time, mail bool) error {
	if err := s.store.SetMailFactor(ctx, user.ID, mail); err != nil {
		return err
	}
	if !user.SecondFactorAt.IsZero() {
		return nil
	}
	user.SecondFactorAt = at
	return s.store.SetSecondFactor(ctx, user.ID, at)
}

// secure makes a change under the version of the caller's session, which goes on.
func (s *Service) secure(ctx context.Context, c account.Caller, notice string, apply func(ctx context.Context, user auth.User) error) error {
	return s.cfg.Auth.Secure(ctx, auth.Change{
		UserID: c.Principal.UserID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID, Notice: notice,
	}, apply)
}

// elevate gives the caller's session a new token, under the user's version of now.
func (s *Service) elevate(ctx context.Context, c account.Caller, user auth.User, channel string, at time.Time) (auth.Grant, error) {
	proof := door.NewProof(door.Proven{UserID: user.ID, SecurityVersion: user.SecurityVersion, Channel: channel, At: at})
	grant, err := s.cfg.Sessions.Elevate(ctx, c.Principal, proof)
	grant.UserID, grant.SecurityVersion = user.ID, user.SecurityVersion
	return grant, err
}

// enableMailCodes makes mailed codes the second step of an account with nothing
// stronger. After the mailbox they are none, and only recovery codes are left (rule
// R11).
func (s *Service) enableMailCodes(ctx context.Context, c account.Caller, user auth.User) (Enabled, error) {
	return s.enableNow(ctx, c, user, auth.MethodMailCode, func(ctx context.Context) error {
		factors, err := s.Factors(ctx, user.ID)
		if err == nil && (factors.TOTP || factors.Passkeys > 0) {
			err = ErrTOTPFirst
		}
		return err
	})
}

// Strengthen ends mailed codes as the second step of a user who has just got something
// stronger: the door asks for that from then on, and so does a step-up (rules R11,
// R12). Call it in the transaction of Auth.Secure in which that is added.
func (s *Service) Strengthen(ctx context.Context, userID string) error {
	if err := s.store.SetMailFactor(ctx, userID, false); err != nil {
		return fmt.Errorf("twofactor: strengthen: %w", err)
	}
	return nil
}

// enablePasskeys makes the passkeys that the user has a second step, too.
func (s *Service) enablePasskeys(ctx context.Context, c account.Caller, user auth.User) (Enabled, error) {
	return s.enableNow(ctx, c, user, auth.MethodPasskey, func(ctx context.Context) error {
		n, err := s.passkeys(ctx, user.ID)
		if err == nil && n == 0 {
			err = ErrNoPasskey
		}
		return err
	})
}

// enableNow turns a second factor on that needs no confirmation, with new recovery
// codes, if permit, inside the change, permits it.
func (s *Service) enableNow(ctx context.Context, c account.Caller, user auth.User, method string, permit func(ctx context.Context) error) (Enabled, error) {
	shown, rows, err := s.newRecoveryCodes(ctx, user.ID)
	if err != nil {
		return Enabled{}, err
	}
	err = s.secure(ctx, c, MailEnabled, func(ctx context.Context, u auth.User) error {
		if err := permit(ctx); err != nil {
			return err
		}
		if err := s.store.PutRecoveryCodes(ctx, u.ID, rows); err != nil {
			return err
		}
		return s.turnOn(ctx, &u, s.now(), method == auth.MethodMailCode)
	})
	if err != nil {
		return Enabled{}, fmt.Errorf("twofactor: turn on: %w", err)
	}
	return Enabled{Method: method, RecoveryCodes: shown}, nil
}

// Disable turns the second factor off and deletes the app and the recovery codes. The
// other sessions, challenges and trusted devices end, and the owner is told (rule
// R1). The caller needs the password, where there is one, and a fresh second factor.
// It refuses to run inside a transaction. Errors: ErrOff, account.ErrNotFresh,
// auth.ErrInvalidPassword, auth.ErrStale.
func (s *Service) Disable(ctx context.Context, c account.Caller, password string) error {
	user, err := s.permit(ctx, c, password)
	if err != nil {
		return err
	}
	if user.SecondFactorAt.IsZero() {
		return ErrOff
	}
	err = s.secure(ctx, c, MailDisabled, func(ctx context.Context, u auth.User) error { return s.turnOff(ctx, u.ID) })
	if err != nil {
		return fmt.Errorf("twofactor: turn off: %w", err)
	}
	return nil
}

// Forget turns the second factor off in the transaction of ctx, which must have
// raised the security version: for whoever takes an account over by proof of its
// mailbox, from somebody who never proved it (rule R4).
func (s *Service) Forget(ctx context.Context, userID string) error {
	if err := s.turnOff(ctx, userID); err != nil {
		return fmt.Errorf("twofactor: forget: %w", err)
	}
	return nil
}

// turnOff takes every second factor of the package away, inside the transaction that
// secures it.
func (s *Service) turnOff(ctx context.Context, userID string) error {
	if err := s.store.SetMailFactor(ctx, userID, false); err != nil {
		return err
	}
	if err := s.store.SetSecondFactor(ctx, userID, time.Time{}); err != nil {
		return err
	}
	return s.store.DropFactors(ctx, userID)
}
