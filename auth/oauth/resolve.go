package oauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
)

// errOvertaken means that a concurrent call changed whose account it is.
var errOvertaken = errors.New("oauth: overtaken")

// maxLooks is how often it is looked whose account it is: a second time after somebody
// else made the user or the link, and once more because that may have been undone.
const maxLooks = 3

// enter lets somebody in whom a provider vouches for, in one transaction. Who was overtaken
// looks once more in a new one, and finds what the other did: two callbacks of one new
// account make one user.
func (s *Service) enter(ctx context.Context, a arrival) (result Result, err error) {
	for range maxLooks {
		result = Result{}
		err = s.store.InTx(ctx, func(ctx context.Context) (err error) {
			result, err = s.enterOnce(ctx, a)
			return err
		})
		if !overtaken(err) {
			break
		}
	}
	switch {
	case err == nil:
		return result, nil
	case overtaken(err), errors.Is(err, auth.ErrNotAdmitted):
		return Result{}, ErrNotAdmitted.With(err)
	}
	return Result{}, fmt.Errorf("oauth: sign in: %w", err)
}

// overtaken reports whether another look may find something else.
func overtaken(err error) bool {
	for _, target := range []error{errOvertaken, ErrLinkedElsewhere, auth.ErrAddressTaken, auth.ErrStale, auth.ErrUserNotFound} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func (s *Service) enterOnce(ctx context.Context, a arrival) (Result, error) {
	if a.use != nil {
		if err := a.use(ctx); err != nil {
			return Result{}, err
		}
	}
	whose, err := s.resolve(ctx, a)
	switch {
	case err != nil:
		return Result{}, err
	case whose.waits:
		return s.attach(ctx, a)
	}
	if err := s.keepTokens(ctx, a, whose.link); err != nil {
		return Result{}, err
	}
	result := Result{User: whose.user, New: whose.isNew, CallbackURL: a.attempt.CallbackURL}
	if whose.isNew && a.newUserCallbackURL != "" {
		result.CallbackURL = a.newUserCallbackURL
	}
	if a.challenge != "" {
		result.Handoff, err = s.handOff(ctx, a, whose.user)
		return result, err
	}
	result.Outcome, err = s.admit(ctx, a, whose.user)
	result.Outcome.CallbackURL = result.CallbackURL
	return result, err
}

// admit goes through the door.
func (s *Service) admit(ctx context.Context, a arrival, user auth.User) (auth.Outcome, error) {
	attempt, err := s.cfg.Auth.Attempt(ctx, door.NewProof(door.Proven{
		UserID: user.ID, SecurityVersion: user.SecurityVersion, Channel: door.ProviderChannel(a.from.ID()), At: a.at,
	}), a.attempt)
	if err != nil {
		return auth.Outcome{}, err
	}
	return s.cfg.Auth.Complete(ctx, attempt)
}

// whose says whose account it is.
type whose struct {
	user  auth.User
	isNew bool
	// link is zero where the user comes in without one.
	link Link
	// waits says that it is nobody's before our own mail proves the address.
	waits bool
}

// resolve finds or makes the user, and links the account where that may be: the table of
// the package comment. It runs in the transaction that finishes the sign-in.
func (s *Service) resolve(ctx context.Context, a arrival) (whose, error) {
	link, err := s.store.LinkByIdentity(ctx, a.id())
	switch {
	case err == nil:
		return s.linked(ctx, a, link)
	case !errors.Is(err, ErrNotFound):
		return whose{}, err
	}
	mailbox, err := a.identity.Mailbox()
	if err != nil {
		return whose{}, err
	}
	address, err := auth.ParseAddress(mailbox)
	switch {
	case err != nil:
		return whose{}, err
	case !a.identity.EmailProven || s.cfg.Auth.IsReserved(address):
		return s.waiting(a)
	}
	return s.owner(ctx, a, address)
}

// waiting is whose an address is that the provider does not prove: nobody's, before our
// mail proves it. Nobody looks for a user who has it (rule R7).
func (s *Service) waiting(a arrival) (whose, error) {
	if a.from.noSignUp {
		return whose{}, ErrSignUpDisabled
	}
	return whose{waits: true}, nil
}

// linked is the user of a link, who is held before the row of the link is touched.
func (s *Service) linked(ctx context.Context, a arrival, link Link) (whose, error) {
	if err := s.cfg.Users.Hold(ctx, link.UserID); err != nil {
		return whose{}, err
	}
	used, err := s.store.UseLink(ctx, link.UserID, link.ID, a.identity.Email, s.now())
	if err != nil {
		return whose{}, err
	}
	if !used {
		return whose{}, errOvertaken
	}
	user, err := s.cfg.Users.UserByID(ctx, link.UserID)
	switch {
	case err != nil:
		return whose{}, err
	case !user.EmailVerified:
		return s.linkedUnproven(ctx, a, user)
	}
	return whose{user: user, link: link}, nil
}

// linkedUnproven is a user with a link who never proved the address: a host may have
// imported both. Whoever linked it may not be whose mailbox it is (rule R4), so that the
// link alone lets nobody in.
func (s *Service) linkedUnproven(ctx context.Context, a arrival, user auth.User) (whose, error) {
	address, err := auth.ParseAddress(a.identity.Email)
	if err != nil || !a.identity.EmailProven || address.Key != user.Email || user.Superuser || s.cfg.Auth.IsReserved(address) {
		return whose{}, ErrNotAdmitted
	}
	return s.prove(ctx, a, user)
}

// owner is whose account it is by a mailbox that the provider proves.
func (s *Service) owner(ctx context.Context, a arrival, address auth.Address) (whose, error) {
	user, _, err := s.cfg.Users.UserByEmail(ctx, address.Key)
	switch {
	case errors.Is(err, auth.ErrUserNotFound) && a.from.noSignUp:
		return whose{}, ErrSignUpDisabled
	case errors.Is(err, auth.ErrUserNotFound):
		return s.create(ctx, a)
	case err != nil:
		return whose{}, err
	case !user.EmailVerified && user.Superuser:
		return s.waiting(a) // only our own mail proves those
	case !user.EmailVerified:
		return s.prove(ctx, a, user)
	case user.Superuser || s.cfg.ExplicitLinks:
		return whose{}, ErrLinkFirst
	case !user.SecondFactorAt.IsZero():
		return whose{user: user}, nil
	}
	return s.adopt(ctx, a, user)
}

// adopt links the account to the user who has proven the same mailbox.
func (s *Service) adopt(ctx context.Context, a arrival, user auth.User) (whose, error) {
	if err := s.cfg.Users.Hold(ctx, user.ID); err != nil {
		return whose{}, err
	}
	held, err := s.cfg.Users.UserByID(ctx, user.ID)
	switch {
	case err != nil:
		return whose{}, err
	case held.SecurityVersion != user.SecurityVersion: // may have another address by now, or a second factor
		return whose{}, errOvertaken
	}
	have, err := s.store.Links(ctx, user.ID)
	if err != nil {
		return whose{}, err
	}
	if len(have) >= s.cfg.MaxPerUser {
		return whose{}, ErrTooMany
	}
	link, err := s.add(ctx, a, user)
	if err != nil {
		return whose{}, err
	}
	return whose{user: user, link: link}, s.tell(ctx, user, MailLinked, link)
}

// prove gives the account to whoever just proved its mailbox, stripped of all that
// strangers may have put there (rule R4).
func (s *Service) prove(ctx context.Context, a arrival, user auth.User) (whose, error) {
	user, err := s.cfg.Auth.ProveUser(ctx, auth.Proving{
		UserID: user.ID, From: user.SecurityVersion, Proof: door.ProviderChannel(a.from.ID()), Client: a.attempt.Client,
	})
	if err != nil {
		return whose{}, err
	}
	link, err := s.add(ctx, a, user)
	return whose{user: user, link: link}, err
}

// create makes a user.
func (s *Service) create(ctx context.Context, a arrival) (whose, error) {
	user, err := s.cfg.Auth.CreateProven(ctx, auth.NewUser{
		Email: a.identity.Email, Name: a.name(), Image: a.image(), Client: a.attempt.Client,
	}, door.ProviderChannel(a.from.ID()))
	if err != nil {
		return whose{}, err
	}
	link, err := s.add(ctx, a, user)
	return whose{user: user, isNew: true, link: link}, err
}

// add links the account to the user, whom the transaction holds.
func (s *Service) add(ctx context.Context, a arrival, user auth.User) (Link, error) {
	link, err := s.newLink(a, user.ID)
	if err != nil {
		return Link{}, err
	}
	if err := s.store.AddLink(ctx, link); err != nil {
		return Link{}, err
	}
	return link, hook.Call(ctx, s.cfg.Hooks.AccountLinked, Linked{Link: link, Automatic: true, Client: a.attempt.Client})
}

// newLink is a link that is not kept yet.
func (s *Service) newLink(a arrival, userID string) (Link, error) {
	id, err := s.newID()
	if err != nil {
		return Link{}, err
	}
	now := s.now()
	return Link{
		ID: id, UserID: userID, Provider: a.from.ID(), Identity: a.id(), Email: a.identity.Email, CreatedAt: now, LastUsedAt: now,
	}, nil
}

// name is what a new user is called, or "" where the provider says nothing of use.
func (a arrival) name() string {
	name, err := auth.CleanName(a.identity.Name)
	if err != nil {
		return ""
	}
	return name
}

func (a arrival) image() string {
	image, err := auth.CleanImage(a.identity.Picture)
	if err != nil {
		return ""
	}
	return image
}

// keepTokens keeps what the provider granted, where the host wants that. Another client at
// the same issuer, by which the account was linked, could make nothing of it.
func (s *Service) keepTokens(ctx context.Context, a arrival, link Link) error {
	if !a.from.keepTokens || link.Provider != a.from.ID() || a.tokens.Access.IsZero() {
		return nil
	}
	scopes := a.tokens.Scopes
	if scopes == nil { // RFC 6749 section 5.1: what was asked for
		scopes = append(a.from.Provider().Scopes, a.scopes...)
	}
	now := s.now()
	g := Grant{
		LinkID: link.ID, UserID: link.UserID, Scopes: scopes, AccessEndsAt: a.tokens.ExpiresAt, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.seal(ctx, &g, a.tokens); err != nil {
		return err
	}
	return s.store.PutGrant(ctx, g)
}
