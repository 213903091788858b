package session

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/token"
)

// Kind is the kind of a session's token (see package token).
const Kind = token.KindSession

// maxUserAgent bounds what is stored of a User-Agent header, in bytes.
const maxUserAgent = 512

// Start makes a session for whoever the pass vouches for, in the caller's
// transaction, and returns its token. Only package auth can make a pass, so
// this is the only way to a session (rule R2).
//
// Each call makes a fresh token of 190 random bits, or a pair for a bearer
// session, whose refresh token has 256 (ASVS 7.2.3, 7.2.4). The
// door's transaction began by updating the user's row, which holds the user
// against a concurrent deletion, ban or reset (rules R1, R3).
//
// It returns ErrBearerUnavailable for a bearer session where there are none,
// ErrNoPass for a pass that vouches for nothing and ErrNoTransaction
// outside a transaction.
func (s *Service) Start(ctx context.Context, pass door.Pass) (Grant, error) {
	facts, ok := pass.Facts()
	if !ok {
		return Grant{}, ErrNoPass
	}
	return s.start(ctx, facts)
}

// start takes the facts as they are: its callers know that they are true.
func (s *Service) start(ctx context.Context, facts door.Facts) (Grant, error) {
	if !s.store.InTransaction(ctx) {
		return Grant{}, ErrNoTransaction
	}
	if !validChannels(facts.Channels) || facts.ProvenAt.IsZero() {
		return Grant{}, fmt.Errorf("session: start: channels or the time of proof are missing: %w", ErrNoPass)
	}
	if (facts.ActorID == "") != (facts.ActorSessionID == "") || facts.ActorID != "" && (facts.Bearer || facts.ActorID == facts.UserID) {
		return Grant{}, fmt.Errorf("session: start: impersonation is for another user, in a cookie: %w", ErrNoPass)
	}
	var err error
	if facts.OrganizationID, err = s.startingOrganization(ctx, facts); err != nil {
		return Grant{}, fmt.Errorf("session: start: %w", err)
	}
	grant, record, err := s.newRecord(ctx, facts)
	if err != nil {
		return Grant{}, fmt.Errorf("session: start: %w", err)
	}
	if err := s.store.CreateSession(ctx, record); err != nil {
		return Grant{}, fmt.Errorf("session: start: %w", err)
	}
	if err := hook.Call(ctx, s.cfg.Hooks.SessionStarted, SessionStarted{Session: record.Session}); err != nil {
		return Grant{}, fmt.Errorf("session: start: hook: %w", err)
	}
	if facts.ActorID != "" {
		return grant, nil // the user's own sessions make no room for it
	}
	if err := s.evict(ctx, facts.UserID); err != nil {
		return Grant{}, err
	}
	return grant, nil
}

// evict ends the user's sessions beyond the limit. The door holds the user's row
// exclusively, so that sign-ins of one user count one after the other; trusted
// starts at the same instant may leave the limit exceeded until the next.
func (s *Service) evict(ctx context.Context, userID string) error {
	if s.cfg.MaxPerUser < 0 {
		return nil
	}
	_, err := s.end(ctx, Ending{UserID: userID, KeepLatest: s.cfg.MaxPerUser})
	return err
}

// newRecord describes the session and makes its secrets, which only the grant
// has.
func (s *Service) newRecord(ctx context.Context, facts door.Facts) (Grant, Record, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return Grant{}, Record{}, fmt.Errorf("id: %w", err)
	}
	session := s.describe(id.String(), facts)
	if session.Bearer {
		record, pair, err := s.newFamily(ctx, session)
		return Grant{Session: session, Pair: pair}, record, err
	}
	tok, verifier, err := s.newToken(ctx, session.ID)
	if err != nil {
		return Grant{}, Record{}, err
	}
	record := Record{Session: session, Selector: tok.Selector(), Verifier: verifier}
	return Grant{Session: session, Token: tok.Secret()}, record, nil
}

func (s *Service) describe(id string, facts door.Facts) Session {
	now, provenAt := s.now(), facts.ProvenAt.UTC().Truncate(time.Microsecond)
	session := Session{
		ID:              id,
		ActorID:         facts.ActorID,
		ActorSessionID:  facts.ActorSessionID,
		UserID:          facts.UserID,
		OrganizationID:  facts.OrganizationID,
		SecurityVersion: facts.SecurityVersion,
		Channels:        facts.Channels,
		ProvenAt:        provenAt,
		FreshAt:         provenAt,
		FreshChannels:   facts.Channels,
		TrustedUntil:    facts.TrustedUntil.UTC().Truncate(time.Microsecond),
		BrowserOnly:     facts.BrowserOnly,
		Bearer:          facts.Bearer,
		IP:              facts.IP.Unmap().WithZone(""),
		UserAgent:       clean(facts.UserAgent),
		CreatedAt:       now,
		LastSeenAt:      now,
	}
	if facts.ActorID != "" {
		session.FreshAt, session.FreshChannels = time.Unix(0, 0).UTC(), nil // nobody proved to be the user (rule R22)
	}
	life := s.cfg.lifetime(&session)
	session.IdleEndsAt, session.EndsAt = now.Add(life.Idle), now.Add(life.Absolute)
	return session
}

// startingOrganization returns the organization that the facts name, else the
// user's default, and holds it either way.
func (s *Service) startingOrganization(ctx context.Context, facts door.Facts) (organizationID string, err error) {
	if s.cfg.Organizations == nil {
		return facts.OrganizationID, nil
	}
	hold := func(ctx context.Context) error {
		if organizationID = facts.OrganizationID; organizationID != "" {
			return s.cfg.Organizations.Hold(ctx, organizationID)
		}
		organizationID, err = s.cfg.Organizations.HoldDefault(ctx, facts.UserID)
		return err
	}
	ctx = rowscope.Asking(ctx, facts.UserID, "")
	if !rowscope.Of(ctx).Switched {
		err = hold(ctx)
		return organizationID, err
	}
	// Whoever signs in may be signed in as somebody else.
	err = s.store.InTx(ctx, hold)
	return organizationID, err
}

func (s *Service) holdOrganization(ctx context.Context, organizationID string) error {
	if organizationID == "" || s.cfg.Organizations == nil {
		return nil
	}
	return s.cfg.Organizations.Hold(ctx, organizationID)
}

// SetOrganization makes the organization active in the user's session, or none
// if organizationID is empty. It joins the caller's transaction. Whether the
// user may act there is the caller's to judge (rule R13), and is read anew with
// every lookup: without a membership the organization is no scope (rule R18).
// It returns ErrSessionNotFound if the user has no such session.
func (s *Service) SetOrganization(ctx context.Context, userID, sessionID, organizationID string) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.holdOrganization(ctx, organizationID); err != nil {
			return fmt.Errorf("session: set organization: %w", err)
		}
		if err := s.store.SetOrganization(ctx, userID, sessionID, organizationID); err != nil {
			return fmt.Errorf("session: set organization: %w", err)
		}
		return s.LogRevocation(ctx, Revocation{UserID: userID, SessionID: sessionID})
	})
}

// SetTeam makes the team of the active organization active in the user's session, or
// none if teamID is empty. It joins the caller's transaction; whether the user is in the
// team is the caller's to judge. It returns ErrSessionNotFound if the user has no such
// session in which the organization is active.
func (s *Service) SetTeam(ctx context.Context, userID, sessionID, organizationID, teamID string) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.SetTeam(ctx, userID, sessionID, organizationID, teamID); err != nil {
			return fmt.Errorf("session: set team: %w", err)
		}
		return s.LogRevocation(ctx, Revocation{UserID: userID, SessionID: sessionID})
	})
}

// LeaveOrganization takes the organization from every session of users who are members
// no longer, in the transaction that ends their membership.
func (s *Service) LeaveOrganization(ctx context.Context, organizationID string, userIDs ...string) error {
	return s.leave(ctx, userIDs, func(ctx context.Context, some []string) error {
		return s.store.LeaveOrganization(ctx, organizationID, some)
	})
}

// LeaveTeam takes the team from every session of users who are in it no longer, in the
// transaction that takes them out.
func (s *Service) LeaveTeam(ctx context.Context, teamID string, userIDs ...string) error {
	return s.leave(ctx, userIDs, func(ctx context.Context, some []string) error {
		return s.store.LeaveTeam(ctx, teamID, some)
	})
}

// leaveBatch is how many users one statement names.
const leaveBatch = 200

func (s *Service) leave(ctx context.Context, userIDs []string, leave func(ctx context.Context, some []string) error) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		for some := range slices.Chunk(userIDs, leaveBatch) {
			if err := leave(ctx, some); err != nil {
				return fmt.Errorf("session: leave: %w", err)
			}
		}
		for _, id := range userIDs {
			if err := s.LogRevocation(ctx, Revocation{UserID: id}); err != nil {
				return err
			}
		}
		return nil
	})
}

// clean makes a header's text fit to store and to show: valid UTF-8 without
// control characters, cut to maxUserAgent bytes.
func clean(text string) string {
	if len(text) > maxUserAgent {
		text = text[:maxUserAgent]
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}

// TrustedStart describes a session that the host itself vouches for.
// Its fields mean what they mean in [Session].
type TrustedStart struct {
	UserID          string
	SecurityVersion int64
	// OrganizationID defaults to the user's default organization.
	OrganizationID string
	// Channels defaults to one channel named "host".
	Channels    []string
	BrowserOnly bool
	Bearer      bool
	IP          netip.Addr
	UserAgent   string
}

// StartTrusted makes a session without a pass, for a host that has its own
// sign-in and composes this package alone: the host says that the user proved
// who they are just now and that nothing forbids them to sign in. It opens a
// transaction, or joins the one in ctx, and holds the user through
// Config.Users. A host that uses package auth never calls it, and package tenon
// doesn't (rule R2). Starts of one user at the same moment may exceed
// Config.MaxPerUser until the next one, unless Users.Hold holds exclusively.
func (s *Service) StartTrusted(ctx context.Context, start TrustedStart) (Grant, error) {
	if start.UserID == "" {
		return Grant{}, ErrNoPass
	}
	facts := door.Facts{
		UserID:          start.UserID,
		SecurityVersion: start.SecurityVersion,
		OrganizationID:  start.OrganizationID,
		Channels:        slices.Clone(start.Channels),
		ProvenAt:        s.now(),
		BrowserOnly:     start.BrowserOnly,
		Bearer:          start.Bearer,
		IP:              start.IP,
		UserAgent:       start.UserAgent,
	}
	if len(facts.Channels) == 0 {
		facts.Channels = []string{"host"}
	}
	var grant Grant
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		if s.cfg.Users != nil {
			if err := s.cfg.Users.Hold(ctx, facts.UserID); err != nil {
				return fmt.Errorf("session: start: %w", err)
			}
		}
		var err error
		grant, err = s.start(ctx, facts)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	return grant, nil
}
