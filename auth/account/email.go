package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// Purposes of the tokens of mailed links. All are bound to the user's security
// version.
const (
	// PurposeLeaveEmail is of the link to the address that the user has.
	PurposeLeaveEmail token.Purpose = "chg:leave-email"
	// PurposeEnterEmail is of the link to the new address.
	PurposeEnterEmail token.Purpose = "chg:enter-email"
	// PurposeDeleteUser is of the link that deletes an account.
	PurposeDeleteUser token.Purpose = "del:delete-user"
)

// Purposes returns those of all tokens that the package issues to users: whoever
// deletes a user deletes them, too.
func Purposes() []token.Purpose {
	return []token.Purpose{PurposeLeaveEmail, PurposeEnterEmail, PurposeDeleteUser}
}

// Kinds of mail about another address.
const (
	// MailLeaveEmail asks the address that the user has.
	MailLeaveEmail = "change-email"
	// MailEnterEmail asks the new one.
	MailEnterEmail = "change-email-new"
	// MailEmailChanged tells the address that the user had.
	MailEmailChanged = "email-changed"
)

const (
	linkLife  = time.Hour
	mailEvery = time.Minute // one mail of a kind per address
)

// The pages of the links, relative to the mount.
const (
	pathLeaveEmail = "change-email/confirm"
	pathEnterEmail = "change-email/verify"
	pathDeleteUser = "delete-user/callback"
)

// EmailParams ask to move to another address.
type EmailParams struct {
	New string
	// CallbackURL is where the pages of the links lead. It must have passed the
	// list of redirect targets.
	CallbackURL string
}

// move is what the tokens of a change carry: it is their payload, so that nothing
// but the links can say where the account goes.
type move struct {
	To          string `json:"to"`
	CallbackURL string `json:"callbackURL,omitempty"`
}

// RequestEmail mails the first of two links, to the address that the user has.
// Whether anybody has the new one is not looked at here, so the answer says
// nothing about it (rule R7). Over the mail budget no mail goes and the answer is
// the same (rule R6). The caller must be fresh. It joins the transaction of ctx.
// Errors: ErrNotFresh, auth.ErrInvalidEmail, ErrSameEmail, auth.ErrStale.
func (s *Service) RequestEmail(ctx context.Context, c Caller, p EmailParams) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	to, err := auth.ParseAddress(p.New)
	if err != nil {
		return err
	}
	user, err := s.current(ctx, userID, c.SecurityVersion)
	if err != nil {
		return err
	}
	if to.Key == user.Email {
		return ErrSameEmail
	}
	l := mailedLink{
		purpose: PurposeLeaveEmail, path: pathLeaveEmail, user: user,
		move: move{To: to.Display, CallbackURL: p.CallbackURL}, client: c.Client,
	}
	return s.mailOwner(ctx, MailLeaveEmail, l)
}

// current returns the user if the account is as it was under that version.
func (s *Service) current(ctx context.Context, userID string, version int64) (auth.User, error) {
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return auth.User{}, fmt.Errorf("account: find the user: %w", err)
	}
	if user.SecurityVersion != version {
		return auth.User{}, auth.ErrStale
	}
	return user, nil
}

// mailedLink is a link that wants to be made.
type mailedLink struct {
	purpose token.Purpose
	path    string
	user    auth.User
	move    move
	client  auth.Client
}

// issue makes the token of the link and returns its address.
func (s *Service) issue(ctx context.Context, l mailedLink) (address string, err error) {
	payload, err := json.Marshal(l.move)
	if err != nil {
		return "", fmt.Errorf("account: describe a link: %w", err)
	}
	_, secret, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
		Purpose: l.purpose, Subject: l.user.ID, SecurityVersion: l.user.SecurityVersion, TTL: linkLife, Payload: payload,
	})
	if err != nil {
		return "", err
	}
	return s.cfg.Auth.Link(l.path, secret, l.move.CallbackURL), nil
}

// mailOwner mails a link to the user's own address.
func (s *Service) mailOwner(ctx context.Context, kind string, l mailedLink) error {
	to, err := auth.AddressOf(l.user)
	if err != nil {
		return fmt.Errorf("account: the user's address: %w", err)
	}
	letter := auth.Letter{To: to, Kind: kind, Every: mailEvery, Client: l.client}
	_, err = s.cfg.Auth.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		if err := s.store.Hold(ctx, l.user.ID); err != nil {
			return mail.Data{}, err
		}
		address, err := s.issue(ctx, l)
		data := mail.Data{Name: l.user.Name, Email: to.Display, Link: address, ExpiresIn: linkLife}
		if l.move.To != "" {
			data.Extra = map[string]string{"NewEmail": l.move.To}
		}
		return data, err
	})
	return err
}

// EmailChange is what the page of a link shows.
type EmailChange struct {
	User auth.User
	// To is where the account goes.
	To          auth.Address
	CallbackURL string
}

// WaitingEmail returns the change that the secret of a mailed link is about:
// purpose is PurposeLeaveEmail or PurposeEnterEmail. It consumes nothing. Errors:
// token.ErrInvalid.
func (s *Service) WaitingEmail(ctx context.Context, purpose token.Purpose, raw string) (EmailChange, error) {
	one, err := s.cfg.Tokens.Peek(ctx, purpose, raw)
	if err != nil {
		return EmailChange{}, err
	}
	return s.describe(ctx, one)
}

// describe reads a token under the version that it was issued for.
func (s *Service) describe(ctx context.Context, one token.OneTime) (EmailChange, error) {
	user, err := s.current(ctx, one.Subject, one.SecurityVersion)
	if err != nil {
		return EmailChange{}, dead(err)
	}
	var m move
	if err := json.Unmarshal(one.Payload, &m); err != nil {
		return EmailChange{}, fmt.Errorf("account: read a link: %w", err)
	}
	to, err := auth.ParseAddress(m.To)
	if err != nil {
		return EmailChange{}, fmt.Errorf("account: read a link: %w", err)
	}
	return EmailChange{User: user, To: to, CallbackURL: m.CallbackURL}, nil
}

// dead turns every reason for which a link does not work any more into the one
// answer to it.
func dead(err error) error {
	for _, reason := range []error{auth.ErrStale, auth.ErrUserNotFound, auth.ErrAddressTaken} {
		if errors.Is(err, reason) {
			return token.ErrInvalid
		}
	}
	return err
}

// ConfirmEmail consumes the link that went to the user's address and mails the
// second one to the new address. If that belongs to a user already, the answer and
// the work are the same; its owner is told by mail and gets no link (rule R7).
// Shown, if set, is the new address that a page showed: a link to another one is
// refused with auth.ErrLinkReplaced. It joins the transaction of ctx. Errors:
// token.ErrInvalid.
func (s *Service) ConfirmEmail(ctx context.Context, raw, shown string, client auth.Client) (EmailChange, error) {
	change, err := s.WaitingEmail(ctx, PurposeLeaveEmail, raw)
	if err != nil {
		return EmailChange{}, err
	}
	if shown != "" && shown != change.To.Key {
		return EmailChange{}, auth.ErrLinkReplaced
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		// The user before the token: a deletion locks in that order (rule R3).
		if err := s.store.Hold(ctx, change.User.ID); err != nil {
			return err
		}
		if _, err := s.cfg.Tokens.Consume(ctx, PurposeLeaveEmail, raw); err != nil {
			return err
		}
		return s.askNewMailbox(ctx, change, client)
	})
	if err := dead(err); err != nil {
		return EmailChange{}, fmt.Errorf("account: confirm an address: %w", err)
	}
	return change, nil
}

// askNewMailbox mails the second link, or a note where the address is taken, by
// the same statements.
func (s *Service) askNewMailbox(ctx context.Context, change EmailChange, client auth.Client) error {
	_, _, err := s.store.UserByEmail(ctx, change.To.Key)
	if err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return err
	}
	letter := auth.Letter{To: change.To, Kind: MailEnterEmail, Every: mailEvery, Client: client}
	taken := err == nil
	if taken {
		letter = auth.EmailTaken(change.To, client)
	}
	l := mailedLink{
		purpose: PurposeEnterEmail, path: pathEnterEmail, user: change.User,
		move: move{To: change.To.Display, CallbackURL: change.CallbackURL}, client: client,
	}
	_, err = s.cfg.Auth.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		address, err := s.issue(ctx, l)
		if taken {
			return mail.Data{Email: change.To.Display}, err
		}
		return mail.Data{Email: change.To.Display, Link: address, ExpiresIn: linkLife}, err
	})
	return err
}

// VerifyEmailParams carry the secret of the link that went to the new address.
type VerifyEmailParams struct {
	Token string
	// Shown, if set, is the new address that a page showed. A link to another one is
	// refused with auth.ErrLinkReplaced.
	Shown string
	// Caller is whoever opens the link; their session goes on if it is the user's.
	Caller Caller
}

// VerifyEmail consumes the link that went to the new address and moves the account
// to it, in one transaction that joins that of ctx. Whatever was in flight is dead,
// every session ends but that of a caller who is the user, sign-ups that wait for
// the address end, and the old address is told. Errors: token.ErrInvalid, also
// where somebody else has proven the address in the meantime.
func (s *Service) VerifyEmail(ctx context.Context, p VerifyEmailParams) (auth.User, error) {
	one, err := s.cfg.Tokens.Peek(ctx, PurposeEnterEmail, p.Token)
	if err != nil {
		return auth.User{}, err
	}
	change, err := s.describe(ctx, one)
	if err != nil {
		return auth.User{}, err
	}
	if p.Shown != "" && p.Shown != change.To.Key {
		return auth.User{}, auth.ErrLinkReplaced
	}
	secure := auth.Change{UserID: one.Subject, From: one.SecurityVersion, Notice: MailEmailChanged}
	if id, err := p.Caller.Person(); err == nil && id == one.Subject {
		secure.KeepSession = p.Caller.Principal.SessionID
	}
	var moved auth.User
	err = s.cfg.Auth.Secure(ctx, secure, func(ctx context.Context, user auth.User) error {
		if _, err := s.cfg.Tokens.Consume(ctx, PurposeEnterEmail, p.Token); err != nil {
			return err
		}
		moved, err = s.moveTo(ctx, user, change.To, p.Caller.Client)
		return err
	})
	if err := dead(err); err != nil {
		return auth.User{}, fmt.Errorf("account: change an address: %w", err)
	}
	return moved, nil
}

// MoveTo moves the caller's account to an address whose mailbox was just proven by
// a code, as the present one's was, in one transaction that joins that of ctx. What
// was in flight is dead and the other sessions end; the old address is told.
// consume uses the proof up in that transaction. The caller must be fresh. Errors:
// ErrNotFresh, auth.ErrStale, auth.ErrAddressTaken, those of consume.
func (s *Service) MoveTo(ctx context.Context, c Caller, to auth.Address, consume func(ctx context.Context) error) (auth.User, error) {
	userID, err := c.FreshPerson()
	if err != nil {
		return auth.User{}, err
	}
	change := auth.Change{UserID: userID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID, Notice: MailEmailChanged}
	var moved auth.User
	err = s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		if err := consume(ctx); err != nil {
			return err
		}
		moved, err = s.moveTo(ctx, user, to, c.Client)
		return err
	})
	if err != nil {
		return auth.User{}, fmt.Errorf("account: change an address: %w", err)
	}
	return moved, nil
}

// moveTo gives the user another address, inside the transaction that secures it. That
// it is the one reserved for the superuser gives the account nothing: the account may
// be a stranger's, whose link the owner of the mailbox confirmed (rule R5).
func (s *Service) moveTo(ctx context.Context, user auth.User, to auth.Address, client auth.Client) (auth.User, error) {
	// Sign-ups first: whoever proves one locks the address before it makes a user.
	if err := s.store.DropSignUps(ctx, to.Key, 0, false); err != nil {
		return auth.User{}, err
	}
	old, err := auth.AddressOf(user)
	if err != nil {
		return auth.User{}, err
	}
	now := s.now()
	if err := s.store.SetEmail(ctx, user.ID, to, now); err != nil {
		return auth.User{}, err
	}
	user.Email, user.Display, user.EmailVerified, user.UpdatedAt = to.Key, to.Display, true, now
	event := auth.EmailChanged{UserID: user.ID, ActorID: user.ID, Old: old, New: to, Client: client}
	return user, hook.Call(ctx, s.cfg.Auth.Hooks().EmailChanged, event)
}
