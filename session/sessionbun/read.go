package sessionbun

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/session"
)

// sessionColumns are what scanned reads, in its order.
const sessionColumns = "s.id, s.user_id, COALESCE(s.organization_id, ''), s.security_version, s.channels," +
	" s.proven_at, s.fresh_at, s.fresh_channels, s.browser_only, s.ip, s.user_agent, s.created_at, s.last_seen_at," +
	" s.idle_ends_at, s.ends_at, s.generation > 0, COALESCE(s.actor_id, ''), COALESCE(s.actor_session_id, ''), s.trusted_until, COALESCE(s.team_id, '')"

// scanned is a session on its way from the columns.
type scanned struct {
	session.Session
	channels, freshChannels, ip string
}

func (s *scanned) targets() []any {
	return append(make([]any, 0, 32),
		&s.ID, &s.UserID, &s.OrganizationID, &s.SecurityVersion, &s.channels,
		bundb.ScanTime(&s.ProvenAt), bundb.ScanTime(&s.FreshAt), &s.freshChannels, &s.BrowserOnly, &s.ip, &s.UserAgent,
		bundb.ScanTime(&s.CreatedAt), bundb.ScanTime(&s.LastSeenAt), bundb.ScanTime(&s.IdleEndsAt), bundb.ScanTime(&s.EndsAt), &s.Bearer,
		&s.ActorID, &s.ActorSessionID, bundb.ScanTime(&s.TrustedUntil), &s.TeamID,
	)
}

func (s *scanned) session() (session.Session, error) {
	s.Channels = strings.Split(s.channels, " ")
	switch s.freshChannels {
	case s.channels: // nothing was proven since the sign-in
		s.FreshChannels = s.Channels
	case "":
	default:
		s.FreshChannels = strings.Split(s.freshChannels, " ")
	}
	if s.ip == "" {
		return s.Session, nil
	}
	var err error
	if s.IP, err = netip.ParseAddr(s.ip); err != nil {
		return session.Session{}, fmt.Errorf("sessionbun: session %s: the stored address is not one", s.ID)
	}
	return s.Session, nil
}

// FindSession implements session.Store.
func (s *Store) FindSession(ctx context.Context, selector string) (session.Found, error) {
	return s.found(ctx, s.find, selector)
}

// FindSessionByID implements session.Store.
func (s *Store) FindSessionByID(ctx context.Context, id string) (session.Found, error) {
	return s.found(ctx, s.findByID, id)
}

// FindActor implements session.Store.
func (s *Store) FindActor(ctx context.Context, id string) (session.Found, error) {
	return s.found(ctx, s.findActor, id)
}

// SessionOwner implements session.Store.
func (s *Store) SessionOwner(ctx context.Context, id string) (userID string, err error) {
	err = s.owner.QueryRow(ctx, id).Scan(&userID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", session.ErrSessionNotFound
	}
	return userID, bundb.Wrap("sessionbun: find an owner", err)
}

// found looks a session up before anybody is known, for whom a scope could be.
func (s *Store) found(ctx context.Context, statement bundb.Statement, key string) (session.Found, error) {
	var (
		row   scanned
		found session.Found
	)
	err := statement.Scan(s.AsSystem(ctx), []any{key}, appendFound(row.targets(), &found)...)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Found{}, session.ErrNoSession
	}
	if err != nil {
		return session.Found{}, bundb.Wrap("sessionbun: find", err)
	}
	if found.Session, err = row.session(); err != nil {
		return session.Found{}, err
	}
	found.User.ID = found.Session.UserID
	return found, nil
}

func appendFound(targets []any, f *session.Found) []any {
	u := &f.User
	return append(targets,
		&f.Verifier.KID, &f.Verifier.MAC,
		&u.Email, &u.Name, &u.Image, &u.EmailVerified, &u.Superuser, &u.SecondFactor, bundb.ScanTime(&u.CreatedAt), bundb.ScanTime(&u.UpdatedAt),
		&f.Role, bundb.ScanTime(&f.SecondFactorPolicy.From), &f.SecondFactorPolicy.AcceptTrustedDevices, &f.RolesVersion,
	)
}

// ListSessions implements session.Store.
func (s *Store) ListSessions(ctx context.Context, userID string, now time.Time, limit int) ([]session.Session, error) {
	rows, err := s.list.Query(ctx, userID, now, now, limit)
	if err != nil {
		return nil, bundb.Wrap("sessionbun: list", err)
	}
	defer rows.Close()
	var list []session.Session
	for rows.Next() {
		var row scanned
		if err := rows.Scan(row.targets()...); err != nil {
			return nil, bundb.Wrap("sessionbun: list", err)
		}
		found, err := row.session()
		if err != nil {
			return nil, err
		}
		list = append(list, found)
	}
	return list, bundb.Wrap("sessionbun: list", rows.Err())
}
