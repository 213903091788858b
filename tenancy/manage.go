package tenancy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

const (
	maxSlug     = 64
	maxLogo     = 2048
	maxMetadata = 16 << 10 // bytes
	// maxOrganizations is how many one list has at most.
	maxOrganizations = 1000
)

var slugShape = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CreateParams describe a new organization.
type CreateParams struct {
	// Caller becomes its owner and first member.
	Caller *principal.Principal
	// Name is one line of 1 to 100 printable characters, Slug up to 64 lower-case ASCII
	// letters, digits and single hyphens, Logo an http or https URL or empty, and
	// Metadata a JSON object of 16 kB at most or nil.
	Name, Slug, Logo string
	Metadata         json.RawMessage
	// KeepActive leaves the caller's active organization as it is.
	KeepActive bool
}

// Create makes an organization and, unless told otherwise, the caller's active one. It
// joins the transaction of ctx. Errors: problem.ErrValidation; ErrExists if the slug is
// taken; those of the hooks.
func (s *Service) Create(ctx context.Context, p CreateParams) (o Organization, owner Member, err error) {
	if err := checkAll(&p.Name, &p.Slug, &p.Logo, &p.Metadata); err != nil {
		return Organization{}, Member{}, err
	}
	err = s.store.InTx(rowscope.Asking(ctx, p.Caller.UserID, ""), func(ctx context.Context) error {
		if o, owner, err = s.create(ctx, p); err != nil || p.KeepActive {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		if err := s.choose(ctx, p.Caller, o.ID); err != nil {
			return err
		}
		return s.activate(ctx, p.Caller, o.ID)
	})
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: create: %w", err)
	}
	return o, owner, nil
}

func (s *Service) create(ctx context.Context, p CreateParams) (Organization, Member, error) {
	if err := s.cfg.Users.Hold(ctx, p.Caller.UserID); err != nil {
		return Organization{}, Member{}, err
	}
	o, owner, err := s.describe(p.Caller.UserID, p.Name)
	if err != nil {
		return Organization{}, Member{}, err
	}
	ctx = rowscope.Within(ctx, o.ID)
	o.Slug, o.Logo, o.Metadata = p.Slug, p.Logo, p.Metadata
	event := OrganizationCreated{Organization: o, ActorID: owner.UserID}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeOrganizationCreated, event); err != nil {
		return Organization{}, Member{}, fmt.Errorf("hook: %w", err)
	}
	err = s.settle(ctx, &o, owner, func(ctx context.Context, o *Organization, owner Member) error {
		err := s.store.CreateOrganization(ctx, *o, owner)
		if errors.Is(err, ErrSlugTaken) {
			return ErrExists
		}
		return err
	})
	return o, owner, err
}

// UpdateParams say what changes of an organization; nil stays as it is.
type UpdateParams struct {
	Caller         *principal.Principal
	OrganizationID string
	// The fields are those of CreateParams. An empty Logo takes it away, and so does
	// Metadata of null.
	Name, Slug, Logo *string
	Metadata         *json.RawMessage
}

// Update changes an organization, which takes the permission organization:update. It
// joins the transaction of ctx. Errors: those of Authorize; problem.ErrValidation;
// ErrSlugTaken.
func (s *Service) Update(ctx context.Context, p UpdateParams) (o Organization, err error) {
	if p.Name != nil { // the caller's stays as it was typed
		name := *p.Name
		p.Name = &name
	}
	if err := checkAll(p.Name, p.Slug, p.Logo, p.Metadata); err != nil {
		return Organization{}, err
	}
	err = s.change(ctx, p.Caller, p.OrganizationID, "organization", "update", func(ctx context.Context, before Organization, _ Member) error {
		o = before
		o.Name, o.Slug, o.Logo = *cmp.Or(p.Name, &o.Name), *cmp.Or(p.Slug, &o.Slug), *cmp.Or(p.Logo, &o.Logo)
		o.Metadata = *cmp.Or(p.Metadata, &o.Metadata)
		o.UpdatedAt = s.now()
		if err := s.store.UpdateOrganization(ctx, o); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.OrganizationUpdated, OrganizationUpdated{Before: before, After: o, ActorID: p.Caller.UserID})
	})
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: update: %w", err)
	}
	return o, nil
}

// change runs fn in a transaction that has locked the organization, for a caller who
// may do so: nobody else changes the organization, its roles or its members meanwhile.
func (s *Service) change(
	ctx context.Context, caller *principal.Principal, organizationID, resource, action string,
	fn func(ctx context.Context, o Organization, actor Member) error,
) error {
	return s.store.InTx(rowscope.Asking(ctx, caller.UserID, organizationID), func(ctx context.Context) error {
		o, m, err := s.lock(ctx, caller, organizationID, resource, action)
		if err != nil {
			return err
		}
		return fn(rowscope.Within(ctx, o.ID), o, m)
	})
}

func (s *Service) lock(ctx context.Context, caller *principal.Principal, organizationID, resource, action string) (Organization, Member, error) {
	if !plausible(organizationID) {
		return Organization{}, Member{}, ErrNotFound
	}
	ctx = rowscope.Asking(ctx, caller.UserID, organizationID)
	o, m, err := s.store.LockOrganization(ctx, organizationID, caller.UserID)
	if err == nil {
		err = s.judge(rowscope.Within(ctx, o.ID), caller, o, m, resource, action)
	}
	return o, m, err
}

// Delete deletes an organization with its members, roles and whatever hooks take along,
// which takes the permission organization:delete. It joins the transaction of ctx.
// Errors: those of Authorize; those of Config.Deletion; those of the hooks.
func (s *Service) Delete(ctx context.Context, caller *principal.Principal, organizationID string) (o Organization, err error) {
	err = s.change(ctx, caller, organizationID, "organization", "delete", func(ctx context.Context, found Organization, _ Member) error {
		o = found
		members, err := s.store.LockMembers(ctx, o.ID)
		switch {
		case err != nil:
			return err
		case s.cfg.Deletion == DeleteNever:
			return ErrDeletionDisabled
		case s.cfg.Deletion == DeleteAlone && len(members) > 1:
			return ErrHasMembers
		}
		return s.deleteOrganization(ctx, OrganizationDeleted{Organization: o, Members: members, ActorID: caller.UserID})
	})
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: delete: %w", err)
	}
	return o, nil
}

// List returns the organizations that the user is a member of, in the order in which
// they joined, 1000 at most.
func (s *Service) List(ctx context.Context, userID string) ([]Organization, error) {
	list, err := s.store.Organizations(ctx, userID, maxOrganizations)
	if err != nil {
		return nil, fmt.Errorf("tenancy: list: %w", err)
	}
	return list, nil
}

// CheckSlug returns nil if an organization could have the slug, problem.ErrValidation if
// none could, and ErrSlugTaken if another one has it.
func (s *Service) CheckSlug(ctx context.Context, slug string) error {
	if err := checkAll(nil, &slug, nil, nil); err != nil {
		return err
	}
	taken, err := s.store.SlugTaken(ctx, slug)
	if err != nil {
		return fmt.Errorf("tenancy: check a slug: %w", err)
	}
	if taken {
		return ErrSlugTaken
	}
	return nil
}

// checkAll says which of the fields that are not nil are wrong, and cleans them.
func checkAll(name, slug, logo *string, metadata *json.RawMessage) error {
	var wrong []problem.FieldError
	fail := func(field, message string) {
		wrong = append(wrong, problem.FieldError{Field: field, Code: "INVALID_VALUE", Message: message})
	}
	if name != nil {
		if *name = oneLine(*name); *name == "" || utf8.RuneCountInString(*name) > maxName {
			fail("name", "must be 1 to 100 printable characters")
		}
	}
	if slug != nil && (len(*slug) > maxSlug || !slugShape.MatchString(*slug)) {
		fail("slug", "must be 1 to 64 lower-case letters, digits and single hyphens")
	}
	if logo != nil && *logo != "" && !validLogo(*logo) {
		fail("logo", "must be an http or https address of at most 2048 bytes")
	}
	if metadata != nil && !cleanMetadata(metadata) {
		fail("metadata", "must be a JSON object of at most 16 kB")
	}
	if len(wrong) > 0 {
		return problem.ErrValidation.WithFields(wrong...)
	}
	return nil
}

func validLogo(logo string) bool {
	u, err := url.Parse(logo)
	return err == nil && len(logo) <= maxLogo && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// cleanMetadata writes what is nothing as nil, and an object without spaces.
func cleanMetadata(metadata *json.RawMessage) bool {
	text := strings.TrimSpace(string(*metadata))
	if text == "" || text == "null" {
		*metadata = nil
		return true
	}
	var compact bytes.Buffer
	if !strings.HasPrefix(text, "{") || json.Compact(&compact, []byte(text)) != nil || compact.Len() > maxMetadata {
		return false
	}
	*metadata = compact.Bytes()
	return true
}
