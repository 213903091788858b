package team

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

const maxName = 100 // code points

// Config configures a Service. Fields without "Defaults to" are required.
type Config struct {
	// Organizations judges who may do what.
	Organizations *tenancy.Service
	// MaxTeams is how many teams an organization may have. Defaults to no limit.
	MaxTeams int
	// MaxMembers is how many members a team may have. Defaults to no limit.
	MaxMembers int
	// Hooks run inside the transactions of the package.
	Hooks Hooks
	// Now is the clock. Defaults to the store's (rule R32).
	Now func() time.Time
	// Rand makes ids. It must be safe for concurrent use. Defaults to crypto/rand.Reader.
	Rand io.Reader
}

// Service keeps teams. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
}

// New returns a Service on store, or says what is wrong with cfg. It does no I/O.
func New(store Store, cfg Config) (*Service, error) {
	if store == nil || cfg.Organizations == nil {
		return nil, errors.New("team: a store and Config.Organizations are required")
	}
	if cfg.MaxTeams < 0 || cfg.MaxMembers < 0 {
		return nil, errors.New("team: Config.MaxTeams and Config.MaxMembers must not be negative")
	}
	if cfg.Now == nil {
		cfg.Now = store.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	return &Service{store: store, cfg: cfg}, nil
}

// now is the one clock (rule R32), as exact as the databases are.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// clean trims a name and judges it.
func clean(name string) (string, error) {
	name = strings.TrimSpace(name)
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, odd) {
		return "", ErrInvalidName
	}
	return name, nil
}

// Create makes a team in the organization, which takes "team: create". It joins the
// transaction of ctx; Hooks.TeamCreated runs in it. Errors: ErrInvalidName, ErrNameTaken,
// ErrTooManyTeams, those of tenancy.Service.Authorize.
func (s *Service) Create(ctx context.Context, caller *principal.Principal, organizationID, name string) (t Team, err error) {
	if name, err = clean(name); err != nil {
		return Team{}, err
	}
	err = s.change(ctx, caller, organizationID, "create", func(ctx context.Context) error {
		o, m, err := s.cfg.Organizations.AuthorizeAlone(ctx, caller, organizationID, "team", "create")
		if err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		id, err := s.newID()
		if err != nil {
			return err
		}
		now := s.now()
		t = Team{ID: id, OrganizationID: o.ID, Name: name, CreatedAt: now, UpdatedAt: now}
		if err := s.store.CreateTeam(ctx, t, s.cfg.MaxTeams); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.TeamCreated, Changed{After: t, ActorID: m.UserID})
	})
	return t, err
}

// Rename gives the organization's team another name, which takes "team: update". It
// joins the transaction of ctx; Hooks.TeamUpdated runs in it. Errors: ErrNotFound,
// ErrInvalidName, ErrNameTaken, those of tenancy.Service.Authorize.
func (s *Service) Rename(ctx context.Context, caller *principal.Principal, organizationID, id, name string) (t Team, err error) {
	if name, err = clean(name); err != nil {
		return Team{}, err
	}
	err = s.change(ctx, caller, organizationID, "rename", func(ctx context.Context) error {
		o, m, err := s.cfg.Organizations.Authorize(ctx, caller, organizationID, "team", "update")
		if err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		before, err := s.find(ctx, o.ID, id)
		if err != nil {
			return err
		}
		if t, err = s.store.RenameTeam(ctx, o.ID, id, name, s.now()); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.TeamUpdated, Changed{Before: before, After: t, ActorID: m.UserID})
	})
	return t, err
}

// Remove deletes the organization's team, which takes "team: delete". It joins the
// transaction of ctx; Hooks.TeamDeleted runs in it. Errors: ErrNotFound, those of
// tenancy.Service.Authorize.
func (s *Service) Remove(ctx context.Context, caller *principal.Principal, organizationID, id string) error {
	return s.change(ctx, caller, organizationID, "remove", func(ctx context.Context) error {
		o, m, err := s.cfg.Organizations.Authorize(ctx, caller, organizationID, "team", "delete")
		if err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		before, err := s.find(ctx, o.ID, id)
		if err != nil {
			return err
		}
		members, err := s.store.DeleteTeam(ctx, o.ID, id)
		if err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.TeamDeleted, Changed{Before: before, UserIDs: members, ActorID: m.UserID})
	})
}

// change runs work in a transaction, in which the caller asks for the organization.
func (s *Service) change(ctx context.Context, caller *principal.Principal, organizationID, what string, work func(ctx context.Context) error) error {
	if err := s.store.InTx(rowscope.Asking(ctx, caller.UserID, organizationID), work); err != nil {
		return fmt.Errorf("team: %s: %w", what, err)
	}
	return nil
}

// find returns the organization's team.
func (s *Service) find(ctx context.Context, organizationID, id string) (Team, error) {
	list, err := s.store.Teams(ctx, organizationID, id)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Team{}, err
	}
	return list[0], nil
}

// List returns the organization's teams to a member. Errors: those of
// tenancy.Service.Enter.
func (s *Service) List(ctx context.Context, caller *principal.Principal, organizationID string) ([]Team, error) {
	if _, _, err := s.cfg.Organizations.Enter(ctx, caller, organizationID); err != nil {
		return nil, fmt.Errorf("team: list: %w", err)
	}
	list, err := s.store.Teams(rowscope.Within(ctx, organizationID), organizationID)
	if err != nil {
		return nil, fmt.Errorf("team: list: %w", err)
	}
	return list, nil
}

// ListOf returns the teams that a user is in: the caller's own, of one organization or,
// without an organizationID, of all that the caller may act in now; those of another
// member of the organization, which takes "member: update". Errors: ErrNotInOrganization
// for somebody who is no member, those of tenancy.Service.Authorize and Enter.
func (s *Service) ListOf(ctx context.Context, caller *principal.Principal, userID, organizationID string) ([]Team, error) {
	list, err := s.listOf(ctx, caller, userID, organizationID)
	if err != nil {
		return nil, fmt.Errorf("team: list a user's: %w", err)
	}
	return list, nil
}

func (s *Service) listOf(ctx context.Context, caller *principal.Principal, userID, organizationID string) ([]Team, error) {
	own := userID == "" || userID == caller.UserID
	switch {
	case own && organizationID == "":
		return s.everywhere(ctx, caller)
	case own:
		if _, _, err := s.cfg.Organizations.Enter(ctx, caller, organizationID); err != nil {
			return nil, err
		}
		return s.store.TeamsOf(ctx, caller.UserID, organizationID)
	}
	if _, _, err := s.cfg.Organizations.Authorize(ctx, caller, organizationID, "member", "update"); err != nil {
		return nil, err
	}
	ctx = rowscope.Within(ctx, organizationID)
	if _, _, err := s.cfg.Organizations.Membership(ctx, organizationID, userID); err != nil {
		return nil, notMember(err)
	}
	return s.store.TeamsOf(ctx, userID, organizationID)
}

// everywhere leaves out the teams of organizations whose policy keeps the caller out
// (rule R13).
func (s *Service) everywhere(ctx context.Context, caller *principal.Principal) ([]Team, error) {
	list, err := s.store.TeamsOf(ctx, caller.UserID, "")
	if err != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, t := range list {
		if _, asked := closed[t.OrganizationID]; asked {
			continue
		}
		_, _, err := s.cfg.Organizations.Enter(ctx, caller, t.OrganizationID)
		closed[t.OrganizationID] = err != nil
		if err != nil && !errors.Is(err, tenancy.ErrNotFound) && !errors.Is(err, principal.ErrSecondFactorRequired) {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(t Team) bool { return closed[t.OrganizationID] }), nil
}

// notMember says that somebody else is not a member.
func notMember(err error) error {
	if errors.Is(err, tenancy.ErrNotFound) {
		return ErrNotInOrganization
	}
	return err
}
