package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// errNoSessions is for hosts that forgot Config.Sessions.
var errNoSessions = errors.New("tenancy: Config.Sessions is required for this")

// SetActive makes the organization the active one of the caller's session, and the one
// in which the caller's next session starts. With an empty organizationID none is active
// any more; where the next session starts stays as it is. It joins the transaction of
// ctx. Errors: those of Enter.
func (s *Service) SetActive(ctx context.Context, caller *principal.Principal, organizationID string) (o Organization, err error) {
	err = s.store.InTx(rowscope.Asking(ctx, caller.UserID, organizationID), func(ctx context.Context) error {
		if organizationID == "" {
			return s.activate(ctx, caller, "")
		}
		if o, _, err = s.Enter(ctx, caller, organizationID); err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		// Held before the session is touched: whoever ends the membership meanwhile waits,
		// and clears the session then.
		if err := s.choose(ctx, caller, organizationID); err != nil {
			return err
		}
		return s.activate(ctx, caller, organizationID)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: set active: %w", err)
	}
	return o, nil
}

// choose remembers the choice, unless a superuser makes it who acts as the user: where
// their own sessions start is theirs to say.
func (s *Service) choose(ctx context.Context, caller *principal.Principal, organizationID string) error {
	if caller.ImpersonatorID != "" {
		_, _, err := s.store.HoldMembership(ctx, organizationID, caller.UserID)
		return err
	}
	return s.store.Choose(ctx, organizationID, caller.UserID, s.now())
}

func (s *Service) activate(ctx context.Context, caller *principal.Principal, organizationID string) error {
	if caller.SessionID == "" || caller.APIKeyID != "" {
		return problem.ErrForbidden
	}
	if s.cfg.Sessions == nil {
		return errNoSessions
	}
	return s.cfg.Sessions.SetOrganization(ctx, caller.UserID, caller.SessionID, organizationID)
}

// Resolve returns which organization a request is about (rule R13): the one that it
// names in its path, query or body, or else the caller's, which is that of the header
// X-Organization-Id where the request has one (see Service.Scope), and otherwise the
// session's. named are the places that could name one, empty where they do not. Whether
// the caller may act there is for Authorize or Enter to say.
//
// Errors: ErrTwoOrganizations if named has two different ones; ErrNotFound for an API
// key that belongs to another one; those of principal.Principal.Organization where
// nothing names any.
func Resolve(caller *principal.Principal, named ...string) (organizationID string, err error) {
	if organizationID, err = same(named); err != nil {
		return "", err
	}
	switch {
	case organizationID == "":
		return caller.Organization()
	case foreign(caller, organizationID):
		return "", ErrNotFound
	}
	return organizationID, nil
}

// same returns the one id that named has, or none.
func same(named []string) (id string, err error) {
	for _, n := range named {
		switch {
		case n == "" || n == id:
		case id == "":
			id = n
		default:
			return "", ErrTwoOrganizations
		}
	}
	return id, nil
}

// foreign reports whether the caller is an API key that has nothing to do there: a key's
// organization is fixed.
func foreign(caller *principal.Principal, organizationID string) bool {
	return caller.APIKeyID != "" && caller.OrganizationID != organizationID
}

// Scope returns the caller with the organization that all of named name as the scope of
// a request, with their role and permissions there as they are now. Where they may not
// act there the scope is none, and principal.Principal.ScopeErr says why: ErrNotFound for
// everybody who is not a member, principal.ErrSecondFactorRequired where the
// organization's policy keeps them out, ErrTwoOrganizations, or an outage.
func (s *Service) Scope(ctx context.Context, caller *principal.Principal, named ...string) *principal.Principal {
	id, err := same(named)
	if err == nil && id != "" && id == caller.OrganizationID {
		return caller
	}
	scoped := *caller
	scoped.OrganizationID, scoped.RestrictedOrganizationID, scoped.Role, scoped.Permissions = "", "", "", nil
	if err == nil {
		err = s.enterScope(ctx, caller, &scoped, id)
	}
	scoped.ScopeErr = err
	return &scoped
}

// enterScope fills scoped in if the caller may act in the organization.
func (s *Service) enterScope(ctx context.Context, caller, scoped *principal.Principal, organizationID string) error {
	if foreign(caller, organizationID) {
		return ErrNotFound
	}
	o, m, err := s.Enter(ctx, caller, organizationID)
	if err != nil {
		return err
	}
	permissions, err := s.Permissions(rowscope.Within(ctx, o.ID), o.ID, m.Role, o.RolesVersion)
	if err != nil {
		return err
	}
	scoped.OrganizationID, scoped.Role, scoped.Permissions = o.ID, m.Role, permissions
	return nil
}
