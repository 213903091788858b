package passwordless

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// LinkParams ask for a link.
type LinkParams struct {
	Email string
	// Name is what a new user will be called, if the same browser opens the link.
	// Defaults to the local part of the address.
	Name string
	// CallbackURL, NewUserCallbackURL and ErrorCallbackURL are where the page of the
	// link leads: everybody, new users, and those whose link is dead. They must have
	// passed the list of redirect targets.
	CallbackURL, NewUserCallbackURL, ErrorCallbackURL string
	// Flow is the flow of an earlier request of the client, if any.
	Flow   string
	Client auth.Client
}

// payload is what the row of a link keeps besides the address and the version.
type payload struct {
	UserID string `json:"user,omitempty"`
	// Display is the address as it was typed.
	Display string `json:"display"`
	Name    string `json:"name,omitempty"`
	Flow    []byte `json:"flow"`
}

// SendLink mails a link that lets in, within the budget of rule R6, and returns the
// flow to be kept by the client that asked. It does the same work and reports
// nothing whether the address is a user's, banned or not, waits to be proven, or is
// nobody's (rule R7). It joins the transaction of ctx. Errors:
// auth.ErrInvalidEmail, auth.ErrInvalidName.
func (s *Service) SendLink(ctx context.Context, p LinkParams) (flow token.Secret, err error) {
	address, err := auth.ParseAddress(p.Email)
	if err != nil {
		return token.Secret{}, err
	}
	if p.Name != "" {
		if p.Name, err = auth.CleanName(p.Name); err != nil {
			return token.Secret{}, err
		}
	}
	known, err := s.flow(p.Flow)
	if err != nil {
		return token.Secret{}, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		found, err := s.find(ctx, address)
		if err != nil {
			return err
		}
		return s.postLink(ctx, found, payload{Display: address.Display, Name: p.Name, Flow: hashFlow(known)}, p)
	})
	if err != nil {
		return token.Secret{}, fmt.Errorf("passwordless: send a link: %w", err)
	}
	return known.Secret(), nil
}

// found is whom an address belongs to.
type found struct {
	address auth.Address
	user    auth.User   // no ID: nobody
	signUp  auth.SignUp // no ID: none waits
}

// find looks for a user and for a sign-up, whatever it finds first.
func (s *Service) find(ctx context.Context, address auth.Address) (found, error) {
	f := found{address: address}
	var err error
	if f.user, _, err = s.store.UserByEmail(ctx, address.Key); err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return found{}, err
	}
	if f.signUp, err = s.store.NewestSignUp(ctx, address.Key, s.now()); err != nil && !errors.Is(err, auth.ErrSignUpNotFound) {
		return found{}, err
	}
	return f, nil
}

func (f found) known() bool { return f.user.ID != "" }

// mailbox is where mail goes: the address that is on record, not another spelling
// of it, which may be a mailbox of its own at a host that tells cases apart.
func (f found) mailbox() auth.Address {
	for _, display := range []string{f.user.Display, f.user.Email} {
		if address, err := auth.ParseAddress(display); err == nil && address.Key == f.address.Key {
			return address
		}
	}
	return f.address
}

func (s *Service) postLink(ctx context.Context, f found, content payload, p LinkParams) error {
	content.UserID = f.user.ID
	encoded, err := json.Marshal(content)
	if err != nil {
		return err
	}
	letter := auth.Letter{
		To: f.mailbox(), Kind: MailLink, Every: mailEvery, Client: p.Client, Silent: s.cfg.Policy.NoSignUp && !f.known(),
	}
	_, err = s.cfg.Users.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		_, secret, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
			Purpose: PurposeLink, Subject: f.address.Key, SecurityVersion: f.user.SecurityVersion, TTL: Life, Payload: encoded,
		})
		return mail.Data{Name: f.user.Name, Email: letter.To.Display, Link: s.link(secret, p), ExpiresIn: Life}, err
	})
	return err
}

func (s *Service) link(secret token.Secret, p LinkParams) string {
	query := url.Values{"token": {secret.Reveal()}}
	for name, target := range map[string]string{
		"callbackURL": p.CallbackURL, "newUserCallbackURL": p.NewUserCallbackURL, "errorCallbackURL": p.ErrorCallbackURL,
	} {
		if target != "" {
			query.Set(name, target)
		}
	}
	return s.cfg.LinkBase + "/magic-link/verify?" + query.Encode()
}

// Link is what a mailed link would do.
type Link struct {
	// ID names the link. It opens nothing.
	ID string
	// Email is the address of the account, as it is written there.
	Email string
	// UserID is whom it lets in, empty for somebody new.
	UserID string
	// SameBrowser says that the client that opens it is the one that asked for it.
	SameBrowser bool

	claim claim
}

// PeekLink returns what the secret of a mailed link would do for the client with
// that flow. It consumes nothing. Errors: token.ErrInvalid.
func (s *Service) PeekLink(ctx context.Context, raw, flow string) (Link, error) {
	oneTime, err := s.cfg.Tokens.Peek(ctx, PurposeLink, raw)
	if err != nil {
		return Link{}, err
	}
	var content payload
	if err := json.Unmarshal(oneTime.Payload, &content); err != nil {
		return Link{}, fmt.Errorf("passwordless: read a link: %w", err)
	}
	l := Link{ID: oneTime.ID, Email: content.Display, UserID: content.UserID}
	if known, err := token.Parse(token.KindFlow, flow); err == nil {
		l.SameBrowser = hmac.Equal(hashFlow(known), content.Flow)
	}
	l.claim = claim{userID: content.UserID, version: oneTime.SecurityVersion, profile: auth.NewUser{Email: content.Display}}
	if l.SameBrowser { // else whoever typed it may be a stranger (rule R5)
		l.claim.profile.Name = content.Name
	}
	if l.UserID == "" {
		return l, nil
	}
	user, err := s.store.UserByID(ctx, l.UserID)
	if errors.Is(err, auth.ErrUserNotFound) || err == nil && user.SecurityVersion != oneTime.SecurityVersion {
		return Link{}, token.ErrInvalid
	}
	if err != nil {
		return Link{}, fmt.Errorf("passwordless: find the user of a link: %w", err)
	}
	l.Email = user.Display
	return l, nil
}

// UseLinkParams carry the secret of a mailed link.
type UseLinkParams struct {
	// Token is the secret of the link.
	Token string
	// LinkID, if set, is the link that was shown to the person who confirms. Another
	// one is refused.
	LinkID string
	// Flow is that of the client that opens the link.
	Flow string
	// NeedFlow refuses a link that another client asked for.
	NeedFlow bool
	// Attempt says what session is asked for. Its Client is that of the request.
	Attempt auth.AttemptParams
}

// UseLink consumes the secret of a mailed link and lets in, in one transaction,
// which joins that of ctx; a new user is made in it, too. Errors: token.ErrInvalid
// for every link that does not or no longer work, or whose user may not come in,
// auth.ErrLinkReplaced, ErrOtherBrowser, what auth.Hooks.BeforeSignUp returns.
func (s *Service) UseLink(ctx context.Context, p UseLinkParams) (Result, error) {
	link, err := s.PeekLink(ctx, p.Token, p.Flow)
	switch {
	case err != nil:
		return Result{}, err
	case p.LinkID != "" && p.LinkID != link.ID:
		return Result{}, auth.ErrLinkReplaced
	case p.NeedFlow && !link.SameBrowser:
		return Result{}, ErrOtherBrowser
	}
	result, err := s.enter(ctx, link.claim, p.Attempt, func(ctx context.Context) error {
		_, err := s.cfg.Tokens.Consume(ctx, PurposeLink, p.Token)
		return err
	})
	if errors.Is(err, errGone) {
		return Result{}, token.ErrInvalid
	}
	return result, err
}
