package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// Kinds of mail that tell an owner that an account at a provider can sign in from now on,
// or can no more. Extra.Provider is the provider's name.
const (
	MailLinked   = "account-linked"
	MailUnlinked = "account-unlinked"
)

// Accounts returns the user's accounts at providers, in the order in which they were
// linked, for the list of all ways in. Scopes are there while a grant is. It joins the
// transaction of ctx. Whether the caller may see them is the caller's to judge.
func (s *Service) Accounts(ctx context.Context, userID string) ([]account.Account, error) {
	links, err := s.store.Links(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("oauth: list the links: %w", err)
	}
	accounts := make([]account.Account, len(links))
	for i, l := range links {
		scopes, err := s.scopes(ctx, l)
		if err != nil {
			return nil, err
		}
		used := l.LastUsedAt
		if used.Before(l.CreatedAt) {
			used = l.CreatedAt
		}
		accounts[i] = account.Account{
			ID: l.ID, ProviderID: l.Provider, AccountID: l.Identity.Subject, UserID: l.UserID, Scopes: scopes,
			CreatedAt: l.CreatedAt, UpdatedAt: used,
		}
	}
	return accounts, nil
}

// scopes are those of the link's grant, if it has one that has not ended.
func (s *Service) scopes(ctx context.Context, l Link) ([]string, error) {
	g, err := s.store.FindGrant(ctx, l.UserID, l.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("oauth: find a grant: %w", err)
	case !g.EndedAt.IsZero():
		return nil, nil
	}
	return g.Scopes, nil
}

// Unlink takes one of the caller's accounts at a provider away, with its tokens. Every
// other session of the user and whatever is in flight ends, and the owner is told by mail
// (rules R1, R12). The caller must be fresh. It joins the transaction of ctx.
//
// The account stays that is the only way in: the user has no password, no other link of a
// configured provider, and nothing that Config.OtherWays knows of.
//
// Errors: account.ErrNotFresh, ErrNotFound, ErrLastWayIn, auth.ErrStale.
func (s *Service) Unlink(ctx context.Context, c account.Caller, id string) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	change := auth.Change{UserID: userID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID}
	err = s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		removed, err := s.store.RemoveLink(ctx, userID, id)
		if err != nil {
			return err
		}
		if err := s.mayGo(ctx, user); err != nil {
			return err
		}
		if err := s.tell(ctx, user, MailUnlinked, removed); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.AccountUnlinked, Unlinked{Link: removed, Client: c.Client})
	})
	if err != nil {
		return fmt.Errorf("oauth: unlink: %w", err)
	}
	return nil
}

// mayGo judges what is left of an account, whose user is locked, without a link that was
// just deleted.
func (s *Service) mayGo(ctx context.Context, user auth.User) error {
	at, err := s.cfg.Users.PasswordSetAt(ctx, user.ID)
	if err != nil || !at.IsZero() {
		return err
	}
	left, err := s.Ways(ctx, user.ID)
	if err != nil || left > 0 {
		return err
	}
	other, err := s.cfg.OtherWays(ctx, user)
	if err == nil && !other {
		err = ErrLastWayIn
	}
	return err
}

// tell mails the owner what happened to a link. No budget counts it: only who is signed
// in, or has proven the mailbox, causes one.
func (s *Service) tell(ctx context.Context, user auth.User, kind string, l Link) error {
	name := l.Provider
	if p, err := s.provider(l.Provider); err == nil {
		name = p.Name()
	}
	return s.cfg.Auth.Notify(ctx, user, kind, map[string]string{"Provider": name})
}

// BeginLink sends the caller, who must be fresh, to a provider to link an account there
// (rule R20). It comes back in the same session of the same browser, which must still be
// fresh then, or not at all. It refuses to run inside a transaction. Errors:
// account.ErrNotFresh, ErrBrowserOnly, those of Begin.
func (s *Service) BeginLink(ctx context.Context, c account.Caller, p BeginParams) (Begun, error) {
	if _, err := c.FreshPerson(); err != nil {
		return Begun{}, err
	}
	return s.beginOwn(ctx, c, toLink, p)
}

// LinkNative links the account of an ID token that an app brought to the caller, who must
// be fresh (rule R20). Token and nonce are good once. It refuses to run inside a
// transaction. Errors: account.ErrNotFresh, ErrSessionChanged, ErrLinkedElsewhere,
// ErrTooMany, and those of SignInNative about the token.
func (s *Service) LinkNative(ctx context.Context, c account.Caller, p NativeParams) error {
	userID, err := c.FreshPerson()
	if err != nil {
		return err
	}
	if s.store.InTransaction(ctx) {
		return auth.ErrInTransaction
	}
	if _, err := s.provider(p.Provider); err != nil {
		return err
	}
	a, err := s.verifyNative(ctx, p)
	if err == nil {
		err = s.connect(ctx, c, a)
	}
	if err != nil {
		return s.refuse(ctx, Refused{Provider: p.Provider, Purpose: string(toLink), UserID: userID, Client: c.Client}, err)
	}
	return nil
}

// beginOwn begins a flow that ends in the session of the caller.
func (s *Service) beginOwn(ctx context.Context, c account.Caller, to purpose, p BeginParams) (Begun, error) {
	if p.Bearer || p.Challenge != "" {
		return Begun{}, ErrBrowserOnly
	}
	return s.begin(ctx, beginning{
		flow: flow{
			Provider: p.Provider, Purpose: to, Scopes: p.Scopes, CallbackURL: p.CallbackURL, ErrorCallbackURL: p.ErrorCallbackURL,
			SessionID: c.Principal.SessionID, UserID: c.Principal.UserID, SecurityVersion: c.SecurityVersion,
		},
		browser: p.Browser, loginHint: p.LoginHint, reauthenticate: to == toStepUp,
	})
}

// sameSession returns who came back, if it is the session in which the flow began, and
// nothing protects the account otherwise since. It must be fresh still where an account is
// linked.
func (s *Service) sameSession(f flow, who func() (account.Caller, error)) (account.Caller, error) {
	if who == nil {
		return account.Caller{}, ErrSessionChanged
	}
	c, err := who()
	if err == nil {
		_, err = c.Person()
	}
	switch {
	case err != nil:
		return account.Caller{}, fmt.Errorf("oauth: find the caller: %w", changed(err))
	case c.Principal.UserID != f.UserID, c.Principal.SessionID != f.SessionID, c.SecurityVersion != f.SecurityVersion:
		return account.Caller{}, ErrSessionChanged.With(errors.New("another session came back"))
	case f.Purpose == toLink && c.Principal.Restricted: // the route is open to those who step up
		return account.Caller{}, principal.ErrSecondFactorRequired
	case f.Purpose == toLink && !c.Fresh:
		return account.Caller{}, ErrSessionChanged.With(errors.New("the session is not fresh any more"))
	}
	return c, nil
}

// changed turns what nobody's session, or another's, comes to into ErrSessionChanged.
func changed(err error) error {
	switch problem.KindOf(err) {
	case problem.Unauthenticated, problem.PermissionDenied:
		return ErrSessionChanged.With(err)
	}
	return err
}

// held runs fn in a transaction that holds the caller's user, whose session and whose
// version must still be the caller's: the provider took its time.
func (s *Service) held(ctx context.Context, c account.Caller, fn func(ctx context.Context, user auth.User) error) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Users.Hold(ctx, c.Principal.UserID); err != nil {
			return err
		}
		user, err := s.cfg.Users.UserByID(ctx, c.Principal.UserID)
		if err != nil {
			return err
		}
		lives, err := s.cfg.SessionLives(ctx, c.Principal)
		switch {
		case err != nil:
			return err
		case !lives || user.SecurityVersion != c.SecurityVersion:
			return ErrSessionChanged.With(errors.New("the session ended meanwhile"))
		}
		return fn(ctx, user)
	})
}

// connect makes an account at a provider the caller's, who has just proven to have it.
// Every other session and whatever is in flight ends, and the owner is told by mail
// (rules R1, R12). An account that is the caller's already stays as it is, with the tokens
// that were granted now.
func (s *Service) connect(ctx context.Context, c account.Caller, a arrival) error {
	if _, err := c.FreshPerson(); err != nil {
		return err
	}
	err := s.held(ctx, c, func(ctx context.Context, _ auth.User) error {
		if a.use != nil {
			if err := a.use(ctx); err != nil {
				return err
			}
		}
		have, err := s.store.LinkByIdentity(ctx, a.id())
		switch {
		case errors.Is(err, ErrNotFound):
			return s.addOwn(ctx, c, a)
		case err != nil:
			return err
		case have.UserID != c.Principal.UserID:
			return ErrLinkedElsewhere
		}
		return s.keepTokens(ctx, a, have)
	})
	switch {
	case errors.Is(err, auth.ErrStale), errors.Is(err, auth.ErrUserNotFound):
		return ErrSessionChanged.With(err)
	case err != nil:
		return fmt.Errorf("oauth: link: %w", err)
	}
	return nil
}

// addOwn gives the caller a link, in the transaction of ctx.
func (s *Service) addOwn(ctx context.Context, c account.Caller, a arrival) error {
	change := auth.Change{UserID: c.Principal.UserID, From: c.SecurityVersion, KeepSession: c.Principal.SessionID}
	return s.cfg.Auth.Secure(ctx, change, func(ctx context.Context, user auth.User) error {
		have, err := s.store.Links(ctx, user.ID)
		if err != nil {
			return err
		}
		if len(have) >= s.cfg.MaxPerUser {
			return ErrTooMany
		}
		l, err := s.newLink(a, user.ID)
		if err != nil {
			return err
		}
		if err := s.store.AddLink(ctx, l); err != nil {
			return err
		}
		if err := s.keepTokens(ctx, a, l); err != nil {
			return err
		}
		if err := s.tell(ctx, user, MailLinked, l); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.AccountLinked, Linked{Link: l, Client: c.Client})
	})
}

// BeginStepUp sends the caller to a provider to prove an account that is linked, once
// more: the provider is asked to let nobody pass who is just signed in there. It is for
// users who have nothing stronger to prove (rule R12): no password, passkey or second
// factor. It refuses to run inside a transaction. Errors: ErrNoStepUp, ErrNotFound,
// ErrNotReauthenticated where the provider could never say so, ErrBrowserOnly, those of
// Begin.
func (s *Service) BeginStepUp(ctx context.Context, c account.Caller, p BeginParams) (Begun, error) {
	userID, err := c.Person()
	if err != nil {
		return Begun{}, err
	}
	if s.store.InTransaction(ctx) {
		return Begun{}, auth.ErrInTransaction
	}
	at, err := s.provider(p.Provider)
	if err != nil {
		return Begun{}, err
	}
	user, err := s.cfg.Users.UserByID(ctx, userID)
	if err != nil {
		return Begun{}, fmt.Errorf("oauth: begin a step-up: %w", err)
	}
	links, err := s.provable(ctx, user)
	if err != nil {
		return Begun{}, err
	}
	i := slices.IndexFunc(links, func(l Link) bool { return l.Provider == p.Provider })
	switch {
	case i < 0:
		return Begun{}, ErrNotFound
	case !at.Provider().OpenIDConnect():
		return Begun{}, ErrNotReauthenticated
	}
	p.LoginHint, p.Scopes = links[i].Email, nil
	return s.beginOwn(ctx, c, toStepUp, p)
}

// provable returns the links of a user who has nothing stronger to prove.
func (s *Service) provable(ctx context.Context, user auth.User) ([]Link, error) {
	set, err := s.cfg.Users.PasswordSetAt(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("oauth: find the password: %w", err)
	}
	passkeys, err := s.cfg.Passkeys(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("oauth: count passkeys: %w", err)
	}
	if !set.IsZero() || passkeys > 0 || !user.SecondFactorAt.IsZero() {
		return nil, ErrNoStepUp
	}
	links, err := s.store.Links(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("oauth: find the links: %w", err)
	}
	return links, nil
}

// stepUp makes the caller's session fresh, with a new token, by what a provider says that
// was proven since the flow began.
func (s *Service) stepUp(ctx context.Context, c account.Caller, f flow, a arrival) (account.StepUpResult, error) {
	// A proof from before says that somebody left a session open there, and none that the
	// provider does not say. Providers tell whole seconds.
	at := a.identity.AuthenticatedAt
	if at.Before(f.BegunAt.Truncate(time.Second).Add(-s.cfg.Client.Leeway)) {
		return account.StepUpResult{}, ErrNotReauthenticated
	}
	if at.After(a.at) {
		at = a.at // their clock is ahead of ours
	}
	channel := door.ProviderChannel(a.from.ID())
	result := account.StepUpResult{FreshUntil: at.Add(s.cfg.FreshFor)}
	err := s.held(ctx, c, func(ctx context.Context, user auth.User) error {
		links, err := s.provable(ctx, user)
		if err != nil {
			return err
		}
		if err := s.useOwn(ctx, links, a); err != nil {
			return err
		}
		proof := door.NewProof(door.Proven{UserID: user.ID, SecurityVersion: c.SecurityVersion, Channel: channel, At: at})
		if result.Grant, err = s.cfg.Sessions.Elevate(ctx, c.Principal, proof); err != nil {
			return changed(err)
		}
		result.Grant.UserID, result.Grant.SecurityVersion = user.ID, c.SecurityVersion
		return hook.Call(ctx, s.cfg.Auth.Hooks().SteppedUp, auth.SteppedUp{
			UserID: user.ID, SessionID: c.Principal.SessionID, Channel: channel, Client: c.Client,
		})
	})
	if err != nil {
		return account.StepUpResult{}, fmt.Errorf("oauth: step up: %w", err)
	}
	return result, nil
}

// useOwn records that somebody proved one of links. ErrOtherAccount for another account.
func (s *Service) useOwn(ctx context.Context, links []Link, a arrival) error {
	i := slices.IndexFunc(links, func(l Link) bool { return l.Identity == a.id() })
	if i < 0 {
		return ErrOtherAccount
	}
	used, err := s.store.UseLink(ctx, links[i].UserID, links[i].ID, a.identity.Email, s.now())
	if err == nil && !used {
		err = ErrOtherAccount
	}
	return err
}

// notProven counts it against the caller's session that a provider proved something else
// than it had to, and returns what to answer. The fifth time ends the session (rule R12).
// It commits alone.
func (s *Service) notProven(ctx context.Context, c account.Caller, answer error) error {
	wrong := []error{ErrOtherAccount, ErrNotReauthenticated, provider.ErrInvalidIDToken, provider.ErrProfile, provider.ErrCodeRefused}
	if !slices.ContainsFunc(wrong, func(target error) bool { return errors.Is(answer, target) }) {
		return answer
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceWithin)
	defer cancel()
	ended, err := s.cfg.Sessions.RecordStepUpFailure(ctx, c.Principal)
	switch {
	case err != nil:
		return fmt.Errorf("oauth: record a wrong proof: %w", err)
	case ended:
		return account.ErrSessionEnded.With(answer)
	}
	return answer
}
