package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
)

// slugAttempts is how often a taken slug is replaced by another one. Two that
// meet by chance are rare; five in a row are a broken source of randomness.
const slugAttempts = 5

// CreateDefault makes the organization that a new user starts with, in the
// caller's transaction, in which the user was made. The user becomes its owner
// and first member. The name is cleaned and cut rather than refused, because it
// usually comes from the user's own; without one it is "My organization" (see
// [DefaultName]). The slug is made of the name and a random end.
//
// It returns ErrNoTransaction outside a transaction, and the error of
// Users.Hold if there is no such user.
func (s *Service) CreateDefault(ctx context.Context, userID, name string) (Organization, error) {
	if !s.store.InTransaction(ctx) {
		return Organization{}, ErrNoTransaction
	}
	if err := s.cfg.Users.Hold(ctx, userID); err != nil {
		return Organization{}, fmt.Errorf("tenancy: create: %w", err)
	}
	o, owner, err := s.describe(userID, cleanName(name))
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: create: %w", err)
	}
	if err := s.settle(rowscope.Within(ctx, o.ID), &o, owner, s.insert); err != nil {
		return Organization{}, fmt.Errorf("tenancy: create: %w", err)
	}
	return o, nil
}

// settle inserts an organization with its owner and tells the hooks.
func (s *Service) settle(ctx context.Context, o *Organization, owner Member, insert func(context.Context, *Organization, Member) error) error {
	event := MemberJoined{Organization: *o, Member: owner, ActorID: owner.UserID}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeMemberJoined, event); err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	if err := insert(ctx, o, owner); err != nil {
		return err
	}
	event.Organization = *o
	err := hook.Call(ctx, s.cfg.Hooks.OrganizationCreated, OrganizationCreated{Organization: *o, ActorID: owner.UserID})
	if err == nil {
		err = hook.Call(ctx, s.cfg.Hooks.MemberJoined, event)
	}
	if err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	return nil
}

// describe makes the rows, but for the slug.
func (s *Service) describe(userID, name string) (Organization, Member, error) {
	organizationID, err := s.newID()
	if err != nil {
		return Organization{}, Member{}, err
	}
	memberID, err := s.newID()
	if err != nil {
		return Organization{}, Member{}, err
	}
	now := s.now()
	return Organization{ID: organizationID, Name: name, OwnerID: userID, CreatedAt: now, UpdatedAt: now},
		Member{ID: memberID, OrganizationID: organizationID, UserID: userID, Role: RoleOwner, CreatedAt: now},
		nil
}

func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("id: %w", err)
	}
	return id.String(), nil
}

// insert stores o under a free slug. The unique index decides what is free.
func (s *Service) insert(ctx context.Context, o *Organization, owner Member) error {
	for range slugAttempts {
		slug, err := newSlug(s.cfg.Rand, o.Name)
		if err != nil {
			return err
		}
		o.Slug = slug
		if err = s.store.CreateOrganization(ctx, *o, owner); !errors.Is(err, ErrSlugTaken) {
			return err
		}
	}
	return ErrSlugTaken
}
