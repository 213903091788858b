package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

const (
	// refreshEarly is how long before its end an access token is replaced.
	refreshEarly = time.Minute
	// refreshTurn is how long one call has to replace it; refreshWork, which is shorter, is
	// when that call gives up, so that two are never at the provider with one refresh token.
	refreshTurn = 30 * time.Second
	refreshWork = 20 * time.Second
	// firstLook and longestLook are between the looks of those who wait for it, of whom
	// nobody looks more often than maxGrantLooks: for five seconds.
	firstLook, longestLook = 20 * time.Millisecond, 500 * time.Millisecond
	maxGrantLooks          = 14
)

// Access is a token for a provider's API.
type Access struct {
	// Link is the user's account at the provider.
	Link Link
	// Token is the bearer token.
	Token token.Secret
	// EndsAt is when it runs out, zero where the provider does not say.
	EndsAt time.Time
	// Scopes are what it permits.
	Scopes []string
}

// AccessToken returns a token for the API of the provider at which the user has that
// linked account, for a call on the user's behalf. It is good for a minute yet, or was
// just made: of any number of concurrent calls one asks the provider, and the others wait
// for what it gets, up to five seconds and no longer than ctx. No transaction is open
// meanwhile. Who calls for whom is the caller's to judge.
//
// Once the provider says that its permission has ended, that is remembered, and nobody
// asks again before the account is linked or signs in anew.
//
// Errors: ErrNotFound, ErrNoGrant, ErrGrantEnded, ErrUnknownProvider where the provider is
// not configured any more, auth.ErrInTransaction, provider.ErrMisconfigured, and
// problem.ErrUnavailable while the provider cannot be asked.
func (s *Service) AccessToken(ctx context.Context, userID, linkID string) (Access, error) {
	return s.access(ctx, userID, linkID, false)
}

// RefreshAccess is AccessToken for a token that the provider's API did not accept: it
// returns one that was made after the call began. Errors: those of AccessToken, and
// ErrNoRefreshToken.
func (s *Service) RefreshAccess(ctx context.Context, userID, linkID string) (Access, error) {
	return s.access(ctx, userID, linkID, true)
}

func (s *Service) access(ctx context.Context, userID, linkID string, anew bool) (Access, error) {
	if s.store.InTransaction(ctx) {
		return Access{}, auth.ErrInTransaction
	}
	a, err := s.allowance(ctx, userID, linkID)
	if err != nil {
		return Access{}, err
	}
	a.anew = anew
	pause := firstLook
	for range maxGrantLooks {
		done, err := s.ask(ctx, &a)
		if err != nil {
			return Access{}, err
		}
		if done {
			return s.opened(ctx, a)
		}
		if err := wait(ctx, pause); err != nil {
			return Access{}, err
		}
		pause = min(2*pause, longestLook)
		if err := s.look(ctx, &a); err != nil {
			return Access{}, err
		}
	}
	return Access{}, problem.ErrUnavailable.With(errors.New("oauth: another call is at the provider"))
}

// allowance is what a provider lets us do with one account, as it was last looked at.
type allowance struct {
	from  configured
	link  Link
	grant Grant
	// first is the generation that was seen first. What is later was made meanwhile.
	first int64
	// anew wants a later one.
	anew bool
}

// allowance finds the user's own account first, by one statement whatever there is (rule
// R7).
func (s *Service) allowance(ctx context.Context, userID, linkID string) (a allowance, err error) {
	links, err := s.store.Links(ctx, userID)
	if err != nil {
		return allowance{}, fmt.Errorf("oauth: find a link: %w", err)
	}
	i := slices.IndexFunc(links, func(l Link) bool { return l.ID == linkID })
	if i < 0 {
		return allowance{}, ErrNotFound
	}
	a.link = links[i]
	switch a.from, err = s.provider(a.link.Provider); {
	case err != nil:
		return allowance{}, err
	case !a.from.keepTokens:
		return allowance{}, ErrNoGrant // the host does not want them any more
	}
	err = s.look(ctx, &a)
	a.first = a.grant.Generation
	return a, err
}

// look reads the grant again. One that has ended is an error.
func (s *Service) look(ctx context.Context, a *allowance) (err error) {
	a.grant, err = s.store.FindGrant(ctx, a.link.UserID, a.link.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return ErrNoGrant
	case err != nil:
		return fmt.Errorf("oauth: find a grant: %w", err)
	case !a.grant.EndedAt.IsZero():
		return ErrGrantEnded
	}
	return nil
}

// alive reports whether the access token has not run out.
func (g Grant) alive(now time.Time) bool {
	return g.AccessEndsAt.IsZero() || now.Before(g.AccessEndsAt)
}

// due reports whether the access token is to be replaced: a minute before its end, or
// half-way where it lives shorter than two.
func (g Grant) due(now time.Time) bool {
	early := min(refreshEarly, g.AccessEndsAt.Sub(g.UpdatedAt)/2)
	return !g.AccessEndsAt.IsZero() && !now.Before(g.AccessEndsAt.Add(-early))
}

// ask sees to it that there is a token that does, and reports whether there is one. It
// asks the provider if that is nobody else's turn.
func (s *Service) ask(ctx context.Context, a *allowance) (done bool, err error) {
	now, g := s.now(), a.grant
	later := g.Generation > a.first
	switch {
	case g.alive(now) && (later || !a.anew && !g.due(now)):
		return true, nil
	case len(g.Refresh) == 0 && a.anew:
		return false, ErrNoRefreshToken
	case len(g.Refresh) == 0 && !g.alive(now):
		return false, ErrGrantEnded
	case len(g.Refresh) == 0:
		return true, nil
	}
	mine := false
	if !g.RefreshingUntil.After(now) {
		if mine, err = s.store.ClaimRefresh(ctx, g.LinkID, g.Generation, now, now.Add(refreshTurn)); err != nil {
			return false, fmt.Errorf("oauth: claim a refresh: %w", err)
		}
	}
	if mine {
		return s.refresh(ctx, a)
	}
	return g.alive(now) && !a.anew, nil // the old one does for the moment
}

// wait returns after pause, or with the error of ctx.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refresh asks the provider, whose turn the caller has. It goes on when the caller hangs
// up: a provider that rotates refresh tokens has used the old one up by then, and the new
// one would be lost.
func (s *Service) refresh(ctx context.Context, a *allowance) (done bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshWork)
	defer cancel()
	old, err := s.cfg.Keys.Open(ctx, RefreshField(a.link.ID), a.grant.Refresh)
	if err != nil {
		return false, fmt.Errorf("oauth: open a token: %w", err)
	}
	tokens, err := a.from.Refresh(ctx, token.NewSecret(string(old)))
	switch {
	case errors.Is(err, provider.ErrGrantEnded):
		return false, s.end(ctx, a)
	case err != nil:
		return false, fmt.Errorf("oauth: refresh a token: %w", err)
	}
	next := a.grant
	if tokens.Scopes != nil {
		next.Scopes = tokens.Scopes
	}
	next.AccessEndsAt, next.UpdatedAt = tokens.ExpiresAt, s.now()
	if err := s.seal(ctx, &next, tokens); err != nil {
		return false, err
	}
	done, err = s.store.FinishRefresh(ctx, next)
	if err != nil {
		return false, fmt.Errorf("oauth: keep a refreshed token: %w", err)
	}
	if !done { // the grant is another one by now, and counts, or is gone
		return false, nil
	}
	a.grant = next
	return true, nil
}

// seal puts the tokens into g, for its row.
func (s *Service) seal(ctx context.Context, g *Grant, t provider.Tokens) (err error) {
	if g.Access, err = s.cfg.Keys.Seal(ctx, AccessField(g.LinkID), []byte(t.Access.Reveal())); err != nil {
		return fmt.Errorf("oauth: seal a token: %w", err)
	}
	if t.Refresh.IsZero() {
		g.Refresh = nil
		return nil
	}
	if g.Refresh, err = s.cfg.Keys.Seal(ctx, RefreshField(g.LinkID), []byte(t.Refresh.Reveal())); err != nil {
		return fmt.Errorf("oauth: seal a token: %w", err)
	}
	return nil
}

// end marks the grant, unless it is another one by now, which counts.
func (s *Service) end(ctx context.Context, a *allowance) error {
	now := s.now()
	return s.store.InTx(ctx, func(ctx context.Context) error {
		ended, err := s.store.FinishRefresh(ctx, Grant{LinkID: a.link.ID, Generation: a.grant.Generation, EndedAt: now, UpdatedAt: now})
		if err != nil {
			return fmt.Errorf("oauth: mark a grant as ended: %w", err)
		}
		if !ended {
			return nil
		}
		return hook.Call(ctx, s.cfg.Hooks.GrantEnded, GrantEnded{LinkID: a.link.ID, UserID: a.link.UserID, Provider: a.link.Provider})
	})
}

// opened returns the access token of a.
func (s *Service) opened(ctx context.Context, a allowance) (Access, error) {
	raw, err := s.cfg.Keys.Open(ctx, AccessField(a.link.ID), a.grant.Access)
	if err != nil {
		return Access{}, fmt.Errorf("oauth: open a token: %w", err)
	}
	return Access{Link: a.link, Token: token.NewSecret(string(raw)), EndsAt: a.grant.AccessEndsAt, Scopes: a.grant.Scopes}, nil
}

// Info is an account at a provider, as the provider describes it now.
type Info struct {
	Link     Link
	Identity provider.Identity
	// Profile is what the provider sent.
	Profile map[string]json.RawMessage
}

// Info asks the provider about the user's linked account, with the access token that is
// kept. It changes nothing, so it does not refresh either (rule R23): AccessToken does.
//
// Errors: those of AccessToken; ErrAccessEnded where the token has run out or the provider
// does not accept it; provider.ErrUnsupported where the provider tells nothing that way.
func (s *Service) Info(ctx context.Context, userID, linkID string) (Info, error) {
	if s.store.InTransaction(ctx) {
		return Info{}, auth.ErrInTransaction
	}
	a, err := s.allowance(ctx, userID, linkID)
	switch {
	case err != nil:
		return Info{}, err
	case !a.grant.alive(s.now()):
		return Info{}, ErrAccessEnded
	}
	access, err := s.opened(ctx, a)
	if err != nil {
		return Info{}, err
	}
	said, err := a.from.UserInfo(ctx, access.Token)
	switch {
	case errors.Is(err, provider.ErrProfile):
		return Info{}, ErrAccessEnded.With(err)
	case err != nil:
		return Info{}, fmt.Errorf("oauth: ask for userinfo: %w", err)
	case said.Identity.Issuer != a.link.Identity.Issuer || said.Identity.Subject != a.link.Identity.Subject:
		return Info{}, ErrAccessEnded.With(provider.ErrOtherSubject)
	}
	return Info{Link: a.link, Identity: said.Identity, Profile: said.Profile}, nil
}
