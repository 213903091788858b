package tenancy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
)

func caller(userID string, assurance int) *principal.Principal {
	return &principal.Principal{UserID: userID, SessionID: "s", Assurance: assurance}
}

// Whoever wants to act in an organization is asked for what it demands (rule R13).
func TestR13_EnterAsksForMembershipThenForTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := assert.Must(w.create(t, "owner", "Ada"))(t)
	assert.NoError(t, w.fake.Join(t.Context(), tenancy.Member{ID: uuid.NewString(), OrganizationID: o.ID, UserID: "member", Role: "member"}))
	demand := func(grace time.Duration, trusts bool) {
		_, err := w.svc.SetSecondFactorPolicy(t.Context(), tenancy.SecondFactorParams{
			OrganizationID: o.ID, Caller: caller("owner", 2), Required: true, Grace: grace, AcceptTrustedDevices: trusts,
		})
		assert.NoError(t, err)
	}
	enter := func(p *principal.Principal) error {
		_, _, err := w.svc.Enter(t.Context(), p, o.ID)
		return err
	}
	trusted := caller("member", 1)
	trusted.TrustedUntil = w.fake.Now().Add(time.Hour)
	assert.NoError(t, enter(caller("member", 1)))
	demand(time.Hour, false)
	assert.NoError(t, enter(caller("member", 1)))
	demand(0, false)
	for _, p := range []*principal.Principal{caller("member", 1), caller("owner", 1), trusted, {UserID: "member", APIKeyID: "k", OrganizationID: o.ID}} {
		assert.ErrorIs(t, enter(p), principal.ErrSecondFactorRequired)
	}
	assert.NoError(t, enter(caller("member", 2)))
	demand(0, true)
	assert.NoError(t, enter(trusted))
	// A stranger does not learn that there is a policy (promise 7).
	assert.ErrorIs(t, enter(caller("stranger", 1)), tenancy.ErrNotFound)
}

// The policy is the owner's, who is held to it like everybody.
func TestR13_OnlyTheOwnerSetsThePolicy(t *testing.T) {
	t.Parallel()
	var events []tenancy.SecondFactorPolicySet
	refuse := false
	w := newWorld(t, func(c *tenancy.Config) {
		c.Hooks.SecondFactorPolicySet = func(_ context.Context, e tenancy.SecondFactorPolicySet) error {
			if refuse {
				return errors.New("no")
			}
			events = append(events, e)
			return nil
		}
	})
	o := assert.Must(w.create(t, "owner", "Ada"))(t)
	assert.NoError(t, w.fake.Join(t.Context(), tenancy.Member{ID: uuid.NewString(), OrganizationID: o.ID, UserID: "admin", Role: "admin"}))
	set := func(p *principal.Principal, required bool, grace time.Duration) error {
		_, err := w.svc.SetSecondFactorPolicy(t.Context(), tenancy.SecondFactorParams{
			OrganizationID: o.ID, Caller: p, Required: required, Grace: grace, AcceptTrustedDevices: true,
		})
		return err
	}
	assert.ErrorIs(t, set(caller("admin", 2), true, 0), tenancy.ErrNotOwner)
	assert.ErrorIs(t, set(caller("stranger", 2), true, 0), tenancy.ErrNotFound)
	for _, grace := range []time.Duration{-1, tenancy.MaxGrace + 1} {
		assert.Error(t, set(caller("owner", 2), true, grace))
	}
	assert.Len(t, events, 0)
	assert.NoError(t, set(caller("owner", 1), true, time.Hour))
	assert.Equal(t, events[0].Organization.SecondFactor,
		principal.SecondFactorPolicy{From: w.fake.Now().Add(time.Hour), AcceptTrustedDevices: true})
	assert.Equal(t, events[0].UserID, "owner")
	assert.NoError(t, set(caller("owner", 1), true, 0))
	assert.ErrorIs(t, set(caller("owner", 1), false, 0), principal.ErrSecondFactorRequired)
	refuse = true
	assert.Error(t, set(caller("owner", 2), false, 0))
	got, _, err := w.svc.Membership(t.Context(), o.ID, "owner")
	assert.NoError(t, err)
	assert.False(t, got.SecondFactor.From.IsZero(), "a hook's refusal undoes it")
	refuse = false
	assert.NoError(t, set(caller("owner", 2), false, 0))
	got, _, err = w.svc.Membership(t.Context(), o.ID, "owner")
	assert.NoError(t, err)
	assert.Equal(t, got.SecondFactor, principal.SecondFactorPolicy{})
}
