package principal_test

import (
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
)

// The whole table of policy, session and moment (rules R11, R13).
func TestR13_OneFunctionJudgesEveryPolicy(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var (
		never time.Time
		past  = now.Add(-time.Hour)
		soon  = now.Add(time.Hour)
		later = now.Add(2 * time.Hour)
	)
	for _, c := range []struct {
		name      string
		from      time.Time
		trusts    bool
		assurance int
		trust     time.Time
		satisfied bool
		due       time.Time
	}{
		{"no policy", never, false, 1, never, true, never},
		{"no policy that trusts devices", never, true, 1, past, true, never},
		{"grace", soon, false, 1, never, true, soon},
		{"grace has ended this moment", now, false, 1, never, false, never},
		{"the moment before", now.Add(1), false, 1, never, true, now.Add(1)},
		{"in force", past, false, 1, never, false, never},
		{"in force, a key", past, false, 0, never, false, never},
		{"two factors in grace", soon, false, 2, never, true, never},
		{"two factors", past, false, 2, never, true, never},
		{"a trusted device is no factor", past, false, 1, soon, false, never},
		{"a trusted device that the policy accepts", past, true, 1, soon, true, soon},
		{"whose trust ends this moment", past, true, 1, now, false, never},
		{"whose trust has ended", past, true, 1, past, false, never},
		{"whose trust ends before the grace", later, true, 1, soon, true, later},
		{"whose trust outlives the grace", soon, true, 1, later, true, later},
		{"whose trust does not count outlives the grace", soon, false, 1, later, true, soon},
		{"no trusted device", past, true, 1, never, false, never},
		{"two factors on a trusted device", past, true, 2, past, true, never},
	} {
		p := principal.SecondFactorPolicy{From: c.from, AcceptTrustedDevices: c.trusts}
		got := p.Judge(principal.Evidence{Assurance: c.assurance, TrustedUntil: c.trust}, now)
		if got.Satisfied != c.satisfied || !got.Due.Equal(c.due) {
			t.Errorf("%s: %+v", c.name, got)
		}
		caller := &principal.Principal{UserID: "u", Assurance: c.assurance, TrustedUntil: c.trust}
		if err := p.Check(caller, now); (err == nil) != c.satisfied {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	assert.ErrorIs(t, principal.SecondFactorPolicy{}.Check(nil, now), principal.ErrSecondFactorRequired)
}

// What a restricted session opens: nothing, whoever asks and however.
func TestR13_ARestrictedCallerIsNobodyButWhereTheyEnrol(t *testing.T) {
	t.Parallel()
	restricted := &principal.Principal{UserID: "u", SessionID: "s", Superuser: true, Assurance: 2, OrganizationID: "o", Restricted: true}
	ctx := principal.NewContext(t.Context(), restricted)
	_, ok := principal.FromContext(ctx)
	assert.False(t, ok, "a restricted caller is a caller")
	assert.True(t, principal.IsRestricted(ctx), "it is known why")
	for _, require := range []func() (*principal.Principal, error){
		func() (*principal.Principal, error) { return principal.RequireUser(ctx) },
		func() (*principal.Principal, error) { return principal.RequireSuperuser(ctx) },
		func() (*principal.Principal, error) { return principal.RequireOrganization(ctx) },
	} {
		_, err := require()
		assert.ErrorIs(t, err, principal.ErrSecondFactorRequired)
	}
	allowed := principal.AllowRestricted(ctx)
	got, err := principal.RequireUser(allowed)
	assert.NoError(t, err)
	assert.True(t, got == restricted, "where they enrol, they are the caller")
	_, err = principal.RequireSuperuser(allowed)
	assert.ErrorIs(t, err, principal.ErrSecondFactorRequired)
	_, err = principal.RequireOrganization(allowed)
	assert.ErrorIs(t, err, principal.ErrSecondFactorRequired)
	assert.False(t, restricted.IsSuperuser(), "a restricted superuser has powers")
	_, ok = principal.FromContext(principal.NewContext(allowed, nil))
	assert.False(t, ok, "nil hides the outer caller")
}

func TestR13_AScopeThatAPolicyClosedSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    *principal.Principal
		want error
	}{
		{&principal.Principal{UserID: "u", OrganizationID: "o", Role: "member"}, nil},
		{&principal.Principal{APIKeyID: "k", OrganizationID: "o"}, nil},
		{&principal.Principal{UserID: "u"}, principal.ErrNoOrganization},
		{&principal.Principal{UserID: "u", RestrictedOrganizationID: "o"}, principal.ErrSecondFactorRequired},
	} {
		_, err := principal.RequireOrganization(principal.NewContext(t.Context(), c.p))
		if c.want == nil {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, c.want)
		}
	}
}
