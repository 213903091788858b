package principal

import (
	"context"
	"slices"

	"github.com/tenon-go/tenon/problem"
)

// Permissions are actions by resource, such as {"invoices": {"read", "write"}}. They
// are shared by those who have them: do not change them.
type Permissions map[string][]string

// Allows reports whether the action on the resource is among p.
func (p Permissions) Allows(resource, action string) bool {
	return slices.Contains(p[resource], action)
}

// Contains reports whether everything in other is in p.
func (p Permissions) Contains(other Permissions) bool {
	for resource, actions := range other {
		for _, action := range actions {
			if !p.Allows(resource, action) {
				return false
			}
		}
	}
	return true
}

// ErrNotPermitted means that the caller is a member of the organization, and that
// their role does not allow what was asked for.
var ErrNotPermitted = problem.New(problem.PermissionDenied, "YOU_ARE_NOT_ALLOWED",
	"Your role in the organization does not allow this.")

// Can reports whether the caller's role in OrganizationID allows the action on the
// resource. Without an organization, or behind a policy that restricts the caller,
// nothing is allowed.
func (p *Principal) Can(resource, action string) bool {
	return p.OrganizationID != "" && !p.Restricted && p.Permissions.Allows(resource, action)
}

// RequirePermission is RequireOrganization for callers whose role there allows the
// action on the resource; others get ErrNotPermitted. With Require it is middleware:
//
//	mux.Handle("GET /invoices", principal.Require(principal.RequirePermission("invoices", "read"))(list))
func RequirePermission(resource, action string) func(context.Context) (*Principal, error) {
	return func(ctx context.Context) (*Principal, error) {
		p, err := RequireOrganization(ctx)
		if err != nil {
			return nil, err
		}
		if !p.Can(resource, action) {
			return nil, ErrNotPermitted
		}
		return p, nil
	}
}
