package tenancy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/internal/entered"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
	"github.com/tenon-go/tenon/principal"
)

// MaxGrace is how long members may have to enrol at most.
const MaxGrace = 365 * 24 * time.Hour

// Enter returns the organization and the caller's place in it, if the caller may act
// there: ErrNotFound for everybody who is not a member (promise 7) and for keys of another
// organization, and
// principal.ErrSecondFactorRequired where the organization demands a factor that the
// caller's session has not proven. Whatever makes an organization the scope asks it:
// an id in a path, a query or a body, and a choice of the active one (rule R13).
// Lookups of sessions ask the same policy for the active one by themselves.
func (s *Service) Enter(ctx context.Context, caller *principal.Principal, organizationID string) (Organization, Member, error) {
	if !plausible(organizationID) || foreign(caller, organizationID) {
		return Organization{}, Member{}, ErrNotFound
	}
	o, m, err := s.store.Membership(rowscope.Asking(ctx, caller.UserID, organizationID), organizationID, caller.UserID)
	if err != nil {
		return Organization{}, Member{}, fmt.Errorf("tenancy: enter: %w", err)
	}
	entered.Note(ctx, o.ID)
	if err := o.SecondFactor.Check(caller, s.now()); err != nil {
		return Organization{}, Member{}, err
	}
	return o, m, nil
}

// SecondFactorParams say what an organization demands of its members from now on.
type SecondFactorParams struct {
	OrganizationID string
	// Caller is the owner.
	Caller *principal.Principal
	// Required demands a second factor of every member. Otherwise nothing is demanded.
	Required bool
	// Grace is how long members have from now on to enrol, MaxGrace at most.
	Grace time.Duration
	// AcceptTrustedDevices lets sessions pass that began on a trusted device.
	AcceptTrustedDevices bool
}

// SetSecondFactorPolicy changes what the organization demands of its members'
// sessions (rule R13). From the end of the grace period on, the organization is no
// scope of a session that has not proven a second factor, the owner's own included.
// It joins the transaction of ctx; Hooks.SecondFactorPolicySet runs in it. Errors: as
// Enter; ErrNotOwner for a member who is not the owner.
func (s *Service) SetSecondFactorPolicy(ctx context.Context, p SecondFactorParams) (o Organization, err error) {
	if p.Grace < 0 || p.Grace > MaxGrace {
		return Organization{}, fmt.Errorf("tenancy: set the second factor policy: the grace period must be between 0 and %v", MaxGrace)
	}
	err = s.store.InTx(rowscope.Asking(ctx, p.Caller.UserID, p.OrganizationID), func(ctx context.Context) error {
		if o, _, err = s.Enter(ctx, p.Caller, p.OrganizationID); err != nil {
			return err
		}
		ctx = rowscope.Within(ctx, o.ID)
		now := s.now()
		o.SecondFactor, o.UpdatedAt = principal.SecondFactorPolicy{}, now
		if p.Required {
			o.SecondFactor = principal.SecondFactorPolicy{From: now.Add(p.Grace), AcceptTrustedDevices: p.AcceptTrustedDevices}
		}
		err := s.store.SetSecondFactorPolicy(ctx, o.ID, p.Caller.UserID, o.SecondFactor, now)
		if errors.Is(err, ErrNotFound) {
			return ErrNotOwner // they are a member, who entered
		}
		if err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.SecondFactorPolicySet, SecondFactorPolicySet{Organization: o, UserID: p.Caller.UserID})
	})
	if err != nil {
		return Organization{}, fmt.Errorf("tenancy: set the second factor policy: %w", err)
	}
	return o, nil
}
