package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/principal"
)

// errNoSessions is for hosts that forgot Config.Sessions.
var errNoSessions = errors.New("tenancy: Config.Sessions is required for this")

// SetActive makes the organization the active one of the caller's session, and the one
// in which the caller's next session starts. With an empty organizationID none is active
// any more; where the next session starts stays as it is. It joins the transaction of
// ctx. Errors: those of Enter.
func (s *Service) SetActive(ctx context.Context, caller *principal.Principal, organizationID string) (o Organization, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if organizationID == "" {
			return s.activate(ctx, caller, "")
		}
		if err := s.choose(ctx, caller, organizationID); err != nil {
			return err
		}
		o, _, err = s.Enter(ctx, caller, organizationID)
		return err
	})
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: set active: %w", err)
	}
	return o, nil
}

// choose holds the organization and the caller's place in it before the session is
// touched: whoever ends the membership meanwhile waits, and clears the session then.
func (s *Service) choose(ctx context.Context, caller *principal.Principal, organizationID string) error {
	if err := s.store.Choose(ctx, organizationID, caller.UserID, s.now()); err != nil {
		return err
	}
	return s.activate(ctx, caller, organizationID)
}

func (s *Service) activate(ctx context.Context, caller *principal.Principal, organizationID string) error {
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
	for _, id := range named {
		switch {
		case id == "" || id == organizationID:
		case organizationID == "":
			organizationID = id
		default:
			return "", ErrTwoOrganizations
		}
	}
	switch {
	case organizationID == "":
		return caller.Organization()
	case caller.APIKeyID != "" && caller.OrganizationID != "" && caller.OrganizationID != organizationID:
		return "", ErrNotFound
	}
	return organizationID, nil
}

// Scope returns the caller with the organization as the scope, with their role and
// permissions there as they are now. Where they may not act there the scope is none, and
// principal.RequireOrganization says why: ErrNotFound for everybody who is not a member,
// principal.ErrSecondFactorRequired where its policy keeps them out. The error is an
// outage.
func (s *Service) Scope(ctx context.Context, caller *principal.Principal, organizationID string) (*principal.Principal, error) {
	scoped := *caller
	scoped.OrganizationID, scoped.RestrictedOrganizationID, scoped.Role, scoped.Permissions, scoped.ScopeErr = "", "", "", nil, nil
	o, m, err := s.Enter(ctx, caller, organizationID)
	switch {
	case caller.APIKeyID != "" || errors.Is(err, ErrNotFound):
		scoped.ScopeErr = ErrNotFound
	case errors.Is(err, principal.ErrSecondFactorRequired):
		scoped.RestrictedOrganizationID, scoped.ScopeErr = organizationID, principal.ErrSecondFactorRequired
	case err != nil:
		return nil, err
	default:
		scoped.OrganizationID, scoped.Role = o.ID, m.Role
		if scoped.Permissions, err = s.Permissions(ctx, o.ID, m.Role, o.RolesVersion); err != nil {
			return nil, err
		}
	}
	return &scoped, nil
}
