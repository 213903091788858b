package principal_test

import (
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
)

// Where a superuser has a second factor, their powers need it (rule R22).
func TestR22_SuperuserPowersNeedTheEnrolledSecondFactor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		superuser, factor bool
		assurance         int
		want              error
	}{
		{true, false, 1, nil},
		{true, false, 2, nil},
		{true, true, 2, nil},
		{true, true, 1, principal.ErrSecondFactorRequired},
		{true, true, 0, principal.ErrSecondFactorRequired},
		{false, true, 2, problem.ErrForbidden},
		{false, true, 1, problem.ErrForbidden},
	} {
		p := &principal.Principal{UserID: "u", SessionID: "s", Superuser: c.superuser, SecondFactor: c.factor, Assurance: c.assurance}
		_, err := principal.RequireSuperuser(principal.NewContext(t.Context(), p))
		if c.want == nil {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, c.want)
		}
		assert.Equal(t, p.IsSuperuser(), c.want == nil)
	}
}
