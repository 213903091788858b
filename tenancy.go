package tenon

import (
	"cmp"
	"context"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func (a *App) wireTenancy() (err error) {
	cfg := a.cfg.Organizations
	cfg.Users, cfg.People, cfg.Sessions = a.users, people{a.users}, activeOrganizations{a}
	cfg.Hooks = tenancy.JoinHooks(a.forgetRoles(), a.leaveSessions(), a.cfg.TenancyHooks)
	cfg.OwnerPolicy = cmp.Or(a.cfg.OwnerPolicy, cfg.OwnerPolicy)
	cfg.Now = a.DB.Now
	if a.Organizations, err = tenancy.New(tenancybun.New(a.DB), cfg); err != nil {
		return err
	}
	a.tenancyHTTP, err = tenancy.NewHandler(a.Organizations, tenancy.HandlerConfig{FreshFor: account.DefaultFreshFor})
	return err
}

// people describes users to those who are in an organization with them.
type people struct{ users *authbun.Store }

// Profiles implements tenancy.People.
func (p people) Profiles(ctx context.Context, userIDs []string) (map[string]tenancy.Profile, error) {
	users, err := p.users.Users(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	profiles := make(map[string]tenancy.Profile, len(users))
	for _, u := range users {
		profiles[u.ID] = tenancy.Profile{ID: u.ID, Email: u.Display, Name: u.Name, Image: u.Image}
	}
	return profiles, nil
}

// UserByEmail implements tenancy.People. What is no address is nobody's.
func (p people) UserByEmail(ctx context.Context, email string) (userID string, err error) {
	address, err := auth.ParseAddress(email)
	if err != nil {
		return "", auth.ErrUserNotFound
	}
	user, _, err := p.users.UserByEmail(ctx, address.Key)
	return user.ID, err
}

// HoldVersion implements tenancy.People.
func (p people) HoldVersion(ctx context.Context, userID string) (int64, error) {
	return p.users.HoldVersion(ctx, userID)
}

// activeOrganizations lets package tenancy choose a session's organization. Sessions are
// wired after organizations.
type activeOrganizations struct{ app *App }

// SetOrganization implements tenancy.Sessions.
func (s activeOrganizations) SetOrganization(ctx context.Context, userID, sessionID, organizationID string) error {
	return s.app.Sessions.SetOrganization(ctx, userID, sessionID, organizationID)
}

// leaveSessions takes organizations out of the sessions of those who are members no
// longer: whoever joins again finds no session that acts there already.
func (a *App) leaveSessions() tenancy.Hooks {
	return tenancy.Hooks{
		MemberLeft: func(ctx context.Context, e tenancy.MemberLeft) error {
			return a.Sessions.LeaveOrganization(ctx, e.Member.OrganizationID, e.Member.UserID)
		},
		OrganizationDeleted: func(ctx context.Context, e tenancy.OrganizationDeleted) error {
			return a.Sessions.LeaveOrganization(ctx, e.Organization.ID, e.UserIDs()...)
		},
	}
}

// createDefaultOrganization gives every new user a company of their own, in the
// transaction that makes the user.
func (a *App) createDefaultOrganization(ctx context.Context, e auth.UserCreated) error {
	_, err := a.Organizations.CreateDefault(ctx, e.User.ID, tenancy.DefaultName(e.User.Name))
	return err
}
