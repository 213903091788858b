package tenancy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tenon-go/tenon/internal/entered"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// Permissions are actions by resource, such as {"member": {"create", "delete"}}.
type Permissions = principal.Permissions

// Statements returns everything that can be done with an organization's own things, by
// resource: organization, member, invitation, team, ac, which is access control, the
// organization's own roles, and audit, the trail of what was done. Config.Statements adds
// the host's.
func Statements() Permissions {
	return Permissions{
		"organization": {"update", "delete"},
		"member":       {"create", "update", "delete"},
		"invitation":   {"create", "cancel"},
		"team":         {"create", "update", "delete"},
		"ac":           {"create", "read", "update", "delete"},
		"audit":        {"read"},
	}
}

// maxRoles is how many roles one member may have.
const maxRoles = 10

// roleName is what a role may be called: nothing that could look like another one, and
// nothing that the list of a member's roles is written with.
var roleName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// word is a resource or an action.
var word = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:-]{0,63}$`)

// learnRoles judges what Config says about roles, and keeps it.
func (s *Service) learnRoles() error {
	s.statements = merge(Statements(), s.cfg.Statements)
	for resource, actions := range s.cfg.Statements {
		if !word.MatchString(resource) || len(actions) == 0 || slices.ContainsFunc(actions, func(a string) bool { return !word.MatchString(a) }) {
			return fmt.Errorf("tenancy: Config.Statements: %q needs a name and actions of letters, digits and _.:-", resource)
		}
	}
	admin := Statements()
	admin["organization"] = []string{"update"}
	s.roles = map[string]Permissions{RoleAdmin: admin, RoleMember: {"ac": {"read"}}}
	for name, permissions := range s.cfg.Roles {
		switch {
		case name == RoleOwner:
			return errors.New("tenancy: Config.Roles: the owner may do everything")
		case !roleName.MatchString(name):
			return fmt.Errorf("tenancy: Config.Roles: %q must be 1 to 64 lower-case letters, digits, _ and -", name)
		case !s.statements.Contains(permissions):
			return fmt.Errorf("tenancy: Config.Roles: %q allows what neither Statements nor Config.Statements has", name)
		}
		s.roles[name] = merge(permissions)
	}
	s.roles[RoleOwner] = s.statements
	return nil
}

// merge returns everything in all, in an order that depends on nothing else.
func merge(all ...Permissions) Permissions {
	merged := Permissions{}
	for _, p := range all {
		for resource, actions := range p {
			merged[resource] = append(slices.Grow(merged[resource], max(1, len(actions))), actions...)
		}
	}
	for resource, actions := range merged {
		slices.Sort(actions)
		merged[resource] = slices.Compact(actions)
	}
	return merged
}

// ParseRoles reads the roles of a member as clients write them: each of list is a name,
// or several with commas between them. It returns them as Member.Role has them: in
// lower case, sorted, each once. Errors: ErrUseTransfer if RoleOwner is among them (rule
// R31), ErrRoleNotFound for what can't be a role's name and for none at all.
func ParseRoles(list ...string) (string, error) {
	var names []string
	for name := range strings.SplitSeq(strings.Join(list, ","), ",") {
		// Only ASCII is folded, so that no other letter becomes one of a role's name.
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, strings.Map(lower, name))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case slices.Contains(names, RoleOwner):
		return "", ErrUseTransfer
	case len(names) == 0, len(names) > maxRoles, slices.ContainsFunc(names, func(n string) bool { return !roleName.MatchString(n) }):
		return "", ErrRoleNotFound
	}
	return strings.Join(names, ","), nil
}

func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}

// Permissions returns what a member with the role, which may be several with commas
// between them, may do in the organization whose RolesVersion is version: both as one
// statement read them (rule R18). A role that does not exist allows nothing. It asks the
// database once for each organization, role and version that it has not met, and never
// where all roles are the program's.
func (s *Service) Permissions(ctx context.Context, organizationID, role string, version int64) (Permissions, error) {
	if p, ok := s.roles[role]; ok {
		return p, nil
	}
	key := roleKey{organizationID, role, version}
	if p, ok := s.known.get(key); ok {
		return p, nil
	}
	var own []Role
	if version > 0 && !s.builtIn(role) {
		var err error
		if own, key.version, err = s.store.Roles(ctx, organizationID); err != nil {
			return nil, fmt.Errorf("tenancy: permissions: %w", err)
		}
	}
	var all []Permissions
	for name := range strings.SplitSeq(role, ",") {
		if p, ok := s.roles[name]; ok && name != RoleOwner {
			all = append(all, p)
		} else if i := slices.IndexFunc(own, func(r Role) bool { return r.Name == name }); i >= 0 {
			all = append(all, own[i].Permissions)
		}
	}
	p := merge(all...)
	// What a transaction reads may never be committed.
	if !s.store.InTransaction(ctx) {
		s.known.put(key, p)
	}
	return p, nil
}

// builtIn reports whether all of a member's roles are the program's.
func (s *Service) builtIn(role string) bool {
	for name := range strings.SplitSeq(role, ",") {
		if s.roles[name] == nil {
			return false
		}
	}
	return true
}

// roleKey is what permissions follow from.
type roleKey struct {
	organizationID, role string
	version              int64
}

// maxKnown bounds what a process remembers. It forgets everything when it is full: that
// is seldom, and costs each organization one statement.
const maxKnown = 8192

// roleCache remembers permissions, which never change for one key.
type roleCache struct {
	mu  sync.RWMutex
	all map[roleKey]Permissions
}

func (c *roleCache) get(k roleKey) (Permissions, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.all[k]
	return p, ok
}

func (c *roleCache) put(k roleKey, p Permissions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= maxKnown {
		c.all = map[roleKey]Permissions{}
	}
	c.all[k] = p
}

// Authorize returns the organization and the caller's place in it if the caller may act
// there (see Enter) and their role allows the action on the resource. In a transaction
// it holds the organization and then the membership until the transaction ends: a
// demotion or a removal that committed first wins, a later one waits. Hold users before
// (the locks are taken in the order user, organization, member).
//
// Errors: ErrNotFound for everybody who is not a member, principal.ErrSecondFactorRequired
// where the organization's policy keeps the caller out, and for a member whose role does
// not allow it what [NotAllowed] returns.
func (s *Service) Authorize(ctx context.Context, caller *principal.Principal, organizationID, resource, action string) (Organization, Member, error) {
	ctx = rowscope.Asking(ctx, caller.UserID, organizationID)
	o, m, err := s.place(ctx, organizationID, caller.UserID)
	if err == nil {
		err = s.judge(rowscope.Within(ctx, o.ID), caller, o, m, resource, action)
	}
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: authorize: %w", err)
	}
	return o, m, nil
}

// AuthorizeAlone is Authorize that locks the organization until the transaction of ctx
// ends, for what is counted there: nobody else who asks for this lock, and nobody who
// changes the organization, its roles or its members, goes on meanwhile. Whoever asks for
// more than Authorize holds asks for it here and not afterwards, or two wait for each
// other. Errors: those of Authorize; that of the store outside a transaction.
func (s *Service) AuthorizeAlone(ctx context.Context, caller *principal.Principal, organizationID, resource, action string) (Organization, Member, error) {
	o, m, err := s.lock(ctx, caller, organizationID, resource, action)
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: authorize: %w", err)
	}
	return o, m, nil
}

// judge says whether the caller may act in the organization, and, unless resource is
// empty, do this. An API key may do what both its own permissions and its user's role
// allow, in its organization.
func (s *Service) judge(ctx context.Context, caller *principal.Principal, o Organization, m Member, resource, action string) error {
	if foreign(caller, o.ID) {
		return ErrNotFound
	}
	entered.Note(ctx, o.ID)
	if err := o.SecondFactor.Check(caller, s.now()); err != nil {
		return err
	}
	switch {
	case resource == "" && caller.APIKeyID != "":
		return problem.ErrForbidden
	case resource == "":
		return nil
	case caller.APIKeyID != "" && !caller.Can(resource, action):
		return NotAllowed(resource, action)
	}
	return s.require(ctx, o, m, resource, action)
}

// AuthorizeUser is Authorize for a user who does not call: it says whether they, as an
// invitation's inviter, still may. The organization's policy judges sessions, and there
// is none here.
func (s *Service) AuthorizeUser(ctx context.Context, userID, organizationID, resource, action string) (Organization, Member, error) {
	o, m, err := s.place(ctx, organizationID, userID)
	if err == nil {
		err = s.require(ctx, o, m, resource, action)
	}
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: authorize: %w", err)
	}
	return o, m, nil
}

// place reads a membership, and holds it where there is a transaction to hold it in.
func (s *Service) place(ctx context.Context, organizationID, userID string) (Organization, Member, error) {
	if !plausible(organizationID) {
		return Organization{}, Member{}, ErrNotFound
	}
	if s.store.InTransaction(ctx) {
		return s.store.HoldMembership(ctx, organizationID, userID)
	}
	return s.store.Membership(ctx, organizationID, userID)
}

// require returns the error of NotAllowed if the member may not.
func (s *Service) require(ctx context.Context, o Organization, m Member, resource, action string) error {
	p, err := s.Permissions(ctx, o.ID, m.Role, o.RolesVersion)
	if err != nil {
		return err
	}
	if !p.Allows(resource, action) {
		return NotAllowed(resource, action)
	}
	return nil
}

// ResolveRoles is ParseRoles for roles that exist in the organization: those of
// Config.Roles and its own. In a transaction it keeps its own from being deleted until
// the transaction ends. Errors: those of ParseRoles; ErrRoleNotFound for one that does
// not exist.
func (s *Service) ResolveRoles(ctx context.Context, o Organization, list ...string) (string, error) {
	role, err := ParseRoles(list...)
	if err != nil {
		return "", err
	}
	var own []string
	for name := range strings.SplitSeq(role, ",") {
		if s.roles[name] == nil {
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		return role, nil
	}
	found, err := s.ownRoles(ctx, o.ID, own)
	if err != nil {
		return "", fmt.Errorf("tenancy: resolve roles: %w", err)
	}
	if len(found) < len(own) {
		return "", ErrRoleNotFound
	}
	return role, nil
}

// ownRoles returns which of the names are roles of the organization's own.
func (s *Service) ownRoles(ctx context.Context, organizationID string, names []string) (found []string, err error) {
	if s.store.InTransaction(ctx) {
		return s.store.HoldRoles(ctx, organizationID, names)
	}
	roles, _, err := s.store.Roles(ctx, organizationID)
	for _, r := range roles {
		if slices.Contains(names, r.Name) {
			found = append(found, r.Name)
		}
	}
	return found, err
}

// MayGrant reports whether the member may give role to somebody whose role is had, which
// is empty for somebody new: nobody grants what they do not have themselves.
func (s *Service) MayGrant(ctx context.Context, o Organization, by Member, had, role string) (bool, error) {
	var sets [3]Permissions
	for i, r := range []string{by.Role, had, role} {
		var err error
		if sets[i], err = s.Permissions(ctx, o.ID, r, o.RolesVersion); err != nil {
			return false, fmt.Errorf("tenancy: may grant: %w", err)
		}
	}
	return merge(sets[0], sets[1]).Contains(sets[2]), nil
}
