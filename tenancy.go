package tenon

import (
	"context"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func (a *App) wireTenancy() (err error) {
	a.Organizations, err = tenancy.New(tenancybun.New(a.DB), tenancy.Config{
		Users:       a.users,
		Hooks:       tenancy.JoinHooks(a.forgetRoles(), a.cfg.TenancyHooks),
		OwnerPolicy: a.cfg.OwnerPolicy,
		Now:         a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.tenancyHTTP, err = tenancy.NewHandler(a.Organizations, tenancy.HandlerConfig{FreshFor: account.DefaultFreshFor})
	return err
}

// createDefaultOrganization gives every new user a company of their own, in the
// transaction that makes the user.
func (a *App) createDefaultOrganization(ctx context.Context, e auth.UserCreated) error {
	_, err := a.Organizations.CreateDefault(ctx, e.User.ID, tenancy.DefaultName(e.User.Name))
	return err
}
