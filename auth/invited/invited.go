package invited

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// MailSignIn is the kind of the mail to somebody who has an account already; it names the
// template.
const MailSignIn = "invitation-sign-in"

// signInEvery is the time in which one such mail may go to an address.
const signInEvery = time.Minute

// ErrReplaced means that the link is of another invitation than the one that was shown.
var ErrReplaced = problem.New(problem.Conflict, "INVITATION_REPLACED",
	"You opened another invitation meanwhile. Look at what it says and try again.")

// Offer is what an invitation offers.
type Offer struct {
	InvitationID, OrganizationID string
	// Organization is the name.
	Organization string
	// Email is the invited address, as it was typed.
	Email string
}

// Invitations is what the package needs of invitations.
type Invitations interface {
	// Offer returns what a mailed secret offers to somebody who signs up by it, and
	// asks nothing about who has the address. It returns token.ErrInvalid for one that
	// does not or no longer work, and what else keeps newcomers out.
	Offer(ctx context.Context, secret string) (Offer, error)
	// Welcome makes the user, whose mailbox the secret has just proven, a member, and
	// uses the secret up, in the transaction of ctx.
	Welcome(ctx context.Context, secret, userID string) error
}

// Store is what the package reads of users. The methods are those of auth.Store, with
// its contract.
type Store interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	UserByEmail(ctx context.Context, email string) (auth.User, []byte, error)
	Hold(ctx context.Context, id string) error
}

// Config configures a Service. All fields are required.
type Config struct {
	// Users is the service of package auth: budgets, passwords, and the door.
	Users *auth.Service
	// Invitations are those that people sign up by.
	Invitations Invitations
	// SignInURL is where people sign in who have an account already. The mail to them
	// leads there.
	SignInURL string
	// Now is the one clock (rule R32).
	Now func() time.Time
}

// Service lets people in by invitations. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store. It does no I/O. The error names every field that is
// missing.
func New(store Store, cfg Config) (*Service, error) {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, errors.New(field+" is required"))
		}
	}
	need(store != nil, "store")
	need(cfg.Users != nil, "Users")
	need(cfg.Invitations != nil, "Invitations")
	need(cfg.SignInURL != "", "SignInURL")
	need(cfg.Now != nil, "Now")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("invited: config: %w", err)
	}
	return &Service{store: store, cfg: cfg}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Params say who comes by which invitation.
type Params struct {
	// Secret is that of the mailed link.
	Secret string
	// ShownID, if set, is the invitation that was shown to the person. The secret of
	// another one is refused.
	ShownID string
	// Name is what the user is called. Defaults to the local part of the address.
	Name string
	// Password is what the user starts with, judged by the policy. Empty is none: there
	// are links and codes.
	Password string
	// Attempt says what session is asked for. Its OrganizationID is set by Enter.
	Attempt auth.AttemptParams
}

// Result is a sign-up by an invitation.
type Result struct {
	// User is who was made, or, where Known is true, who would have been.
	User    auth.User
	Outcome auth.Outcome
	// Known says that somebody has an account with the address. Nothing was changed,
	// they were mailed, and nobody is signed in. Do not tell.
	Known bool
}

// attempts is how often Enter begins anew where somebody else takes the address
// meanwhile.
const attempts = 3

// Enter makes the user of an invitation's address, a member of its organization, and
// their session, in one transaction, which joins that of ctx. A user who exists with that
// address unproven proves it by this, and loses what they had before (rule R4). The name
// and the password are judged, and the password is hashed, before anything is looked up.
//
// Errors: those of Invitations; ErrReplaced, auth.ErrInvalidName, those of
// auth.Service.NewPassword, what auth.Hooks.BeforeSignUp and the hooks of new members
// return.
func (s *Service) Enter(ctx context.Context, p Params) (Result, error) {
	for range attempts {
		result, err := s.enter(ctx, p)
		if errors.Is(err, auth.ErrAddressTaken) || errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrUserNotFound) {
			continue
		}
		if err != nil {
			return Result{}, fmt.Errorf("invited: enter: %w", err)
		}
		return result, nil
	}
	return Result{}, problem.ErrUnavailable
}

func (s *Service) enter(ctx context.Context, p Params) (Result, error) {
	offer, err := s.cfg.Invitations.Offer(ctx, p.Secret)
	if err != nil {
		return Result{}, err
	}
	if p.ShownID != "" && p.ShownID != offer.InvitationID {
		return Result{}, ErrReplaced
	}
	user, known, err := s.describe(ctx, offer, p)
	if err != nil {
		return Result{}, err
	}
	var sealed []byte
	if p.Password != "" {
		if sealed, err = s.cfg.Users.NewPassword(ctx, user, p.Password); err != nil {
			return Result{}, err
		}
	}
	if known {
		return s.remind(ctx, user, offer, p)
	}
	return s.welcome(ctx, user, sealed, offer, p)
}

// describe returns who the invitation is for: somebody who exists unproven, somebody new,
// or, where known is true, somebody new who stands for the user with that address.
func (s *Service) describe(ctx context.Context, offer Offer, p Params) (user auth.User, known bool, err error) {
	address, err := auth.ParseAddress(offer.Email)
	if err != nil {
		return auth.User{}, false, err
	}
	local, _, _ := strings.Cut(address.Display, "@")
	name, err := auth.CleanName(cmp.Or(p.Name, local))
	if err != nil {
		return auth.User{}, false, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return auth.User{}, false, fmt.Errorf("make an id: %w", err)
	}
	now := s.now()
	user = auth.User{
		ID: id.String(), Email: address.Key, Display: address.Display, Name: name, EmailVerified: true, CreatedAt: now, UpdatedAt: now,
	}
	found, _, err := s.store.UserByEmail(ctx, address.Key)
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return user, false, nil
	case err != nil:
		return auth.User{}, false, err
	case found.EmailVerified:
		return user, true, nil
	}
	return found, false, nil
}

// remind does what a sign-up with a known address does: it asks the hook, mails the
// owner, and changes nothing.
func (s *Service) remind(ctx context.Context, user auth.User, offer Offer, p Params) (Result, error) {
	address, err := auth.ParseAddress(offer.Email)
	if err != nil {
		return Result{}, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		event := auth.BeforeSignUp{Address: address, Name: user.Name, Client: p.Attempt.Client}
		if err := hook.Call(ctx, s.cfg.Users.Hooks().BeforeSignUp, event); err != nil {
			return err
		}
		letter := auth.Letter{To: address, Kind: MailSignIn, Every: signInEvery, Client: p.Attempt.Client}
		_, err := s.cfg.Users.Post(ctx, letter, func(context.Context) (mail.Data, error) {
			return mail.Data{Email: address.Display, Link: s.cfg.SignInURL, Extra: map[string]string{"Organization": offer.Organization}}, nil
		})
		return err
	})
	return Result{User: user, Outcome: auth.Outcome{CallbackURL: p.Attempt.CallbackURL}, Known: true}, err
}

// welcome makes the user, the member and the session.
func (s *Service) welcome(ctx context.Context, user auth.User, sealed []byte, offer Offer, p Params) (result Result, err error) {
	p.Attempt.OrganizationID = offer.OrganizationID
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if result.User, err = s.owner(ctx, user, sealed, offer, p); err != nil {
			return err
		}
		if err := s.cfg.Invitations.Welcome(ctx, p.Secret, result.User.ID); err != nil {
			return err
		}
		attempt, err := s.cfg.Users.Attempt(ctx, door.NewProof(door.Proven{
			UserID: result.User.ID, SecurityVersion: result.User.SecurityVersion, Channel: auth.ChannelMailbox, At: s.now(),
		}), p.Attempt)
		if err != nil {
			return err
		}
		result.Outcome, err = s.cfg.Users.Complete(ctx, attempt)
		return err
	})
	if errors.Is(err, auth.ErrNotAdmitted) { // banned: as if the secret were nobody's
		err = token.ErrInvalid
	}
	if err != nil {
		return Result{}, err
	}
	return result, nil
}

// owner makes the user, or proves the one who exists.
func (s *Service) owner(ctx context.Context, user auth.User, sealed []byte, offer Offer, p Params) (auth.User, error) {
	if user.EmailVerified { // described, and new
		return s.cfg.Users.CreateProven(ctx, auth.NewUser{
			Email: offer.Email, Name: user.Name, ID: user.ID, Sealed: sealed, InvitationID: offer.InvitationID, Client: p.Attempt.Client,
		}, auth.ProofMail)
	}
	if err := s.store.Hold(ctx, user.ID); err != nil {
		return auth.User{}, err
	}
	return s.cfg.Users.ProveUser(ctx, auth.Proving{
		UserID: user.ID, From: user.SecurityVersion, Password: sealed, Proof: auth.ProofMail, Client: p.Attempt.Client,
	})
}
