package team

import (
	"context"
	"errors"
	"slices"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

// AddMember puts a member of the organization into one of its teams, which takes
// "member: update". Who is in it already stays. It joins the transaction of ctx;
// Hooks.MemberAdded runs in it. Errors: ErrNotFound, ErrNotInOrganization, ErrTeamFull,
// those of tenancy.Service.Authorize.
func (s *Service) AddMember(ctx context.Context, caller *principal.Principal, organizationID, teamID, userID string) (m Member, err error) {
	err = s.change(ctx, caller, organizationID, "add a member", func(ctx context.Context) error {
		o, actor, err := s.cfg.Organizations.Authorize(ctx, caller, organizationID, "member", "update")
		if err != nil {
			return err
		}
		m, err = s.add(rowscope.Within(ctx, o.ID), o.ID, teamID, userID, actor.UserID)
		return notMember(err)
	})
	return m, err
}

// add tells the hooks of new places only.
func (s *Service) add(ctx context.Context, organizationID, teamID, userID, actorID string) (Member, error) {
	id, err := s.newID()
	if err != nil {
		return Member{}, err
	}
	t, err := s.find(ctx, organizationID, teamID)
	if err != nil {
		return Member{}, err
	}
	m, err := s.store.AddMember(ctx, Member{
		ID: id, OrganizationID: organizationID, TeamID: teamID, UserID: userID, CreatedAt: s.now(),
	}, s.cfg.MaxMembers)
	if err != nil || m.ID != id {
		return m, err
	}
	return m, hook.Call(ctx, s.cfg.Hooks.MemberAdded, MemberChanged{Team: t, Member: m, ActorID: actorID})
}

// RemoveMember takes somebody out of a team of the organization, which takes "member:
// delete". It joins the transaction of ctx; Hooks.MemberRemoved runs in it. Errors:
// ErrNotFound, ErrNotMember, those of tenancy.Service.Authorize.
func (s *Service) RemoveMember(ctx context.Context, caller *principal.Principal, organizationID, teamID, userID string) error {
	return s.change(ctx, caller, organizationID, "remove a member", func(ctx context.Context) error {
		o, actor, err := s.cfg.Organizations.Authorize(ctx, caller, organizationID, "member", "delete")
		if err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		t, err := s.find(ctx, o.ID, teamID)
		if err != nil {
			return err
		}
		m, err := s.store.RemoveMember(ctx, o.ID, teamID, userID)
		if err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.MemberRemoved, MemberChanged{Team: t, Member: m, ActorID: actor.UserID})
	})
}

// Members returns who is in a team, to those who are in it and to those who may "team:
// update". Errors: ErrNotFound, also for a team of an organization that the caller is no
// member of; ErrNotMember for other members; those of tenancy.Service.Enter.
func (s *Service) Members(ctx context.Context, caller *principal.Principal, teamID string) (list []Member, err error) {
	err = s.change(ctx, caller, "", "list members", func(ctx context.Context) error {
		t, err := s.store.FindForMember(ctx, caller.UserID, teamID)
		if err != nil {
			return err
		}
		if _, _, err := s.cfg.Organizations.Enter(ctx, caller, t.OrganizationID); err != nil {
			return hidden(err)
		}
		ctx = rowscope.Within(ctx, t.OrganizationID)
		if list, err = s.store.Members(ctx, t.OrganizationID, t.ID); err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(m Member) bool { return m.UserID == caller.UserID }) {
			return nil
		}
		_, _, err = s.cfg.Organizations.Authorize(ctx, caller, t.OrganizationID, "team", "update")
		if errors.Is(err, tenancy.NotAllowed("team", "update")) {
			err = ErrNotMember
		}
		return hidden(err)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// hidden makes an organization that is not the caller's a team that is not.
func hidden(err error) error {
	if errors.Is(err, tenancy.ErrNotFound) {
		return ErrNotFound
	}
	return err
}

// Choose returns the team that the caller, who is in it, wants to make active in the
// organization. In a transaction the caller stays in it until that ends: whoever takes
// them out waits, and takes the team out of their sessions then. Errors: ErrNotFound,
// ErrNotMember, those of tenancy.Service.Enter.
func (s *Service) Choose(ctx context.Context, caller *principal.Principal, organizationID, teamID string) (t Team, err error) {
	err = s.change(ctx, caller, organizationID, "choose", func(ctx context.Context) error {
		if _, _, err := s.cfg.Organizations.Enter(ctx, caller, organizationID); err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, organizationID)
		if t, err = s.find(ctx, organizationID, teamID); err != nil {
			return err
		}
		_, err := s.store.HoldMember(ctx, organizationID, teamID, caller.UserID)
		return err
	})
	return t, err
}

// Check returns ErrNotFound unless all are teams of the organization, as
// invitation.Teams wants it.
func (s *Service) Check(ctx context.Context, organizationID string, teamIDs []string) error {
	list, err := s.store.Teams(ctx, organizationID, teamIDs...)
	if err == nil && len(list) != len(teamIDs) {
		err = ErrNotFound
	}
	return err
}

// Join puts a new member of the organization into the teams, those that are gone
// excepted, in the transaction of ctx; Hooks.MemberAdded runs in it. Errors: ErrTeamFull.
func (s *Service) Join(ctx context.Context, organizationID, userID string, teamIDs []string) error {
	for _, id := range teamIDs {
		_, err := s.add(ctx, organizationID, id, userID, userID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
