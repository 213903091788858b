package authtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

// adminWorld is a store of users with what superusers do to them.
type adminWorld struct {
	*world
	Store admin.Store
}

// TestAdminStore holds the stores that open returns, which must implement
// admin.Store besides auth.Store, to the contract at admin.Store.
func TestAdminStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, w *adminWorld)
	}{
		{"Record has everything, and nobody is not found", testRecord},
		{"Records selects, orders, limits and counts", testRecords},
		{"Records selects nobody for what makes no sense", testRecordsOfNonsense},
		{"SetProfile replaces name and image", testSetProfile},
		{"SetBan replaces, LiftBan ends, Admit takes an ended one away", testBans},
		{"SetSuperuser leaves one who is not banned", testSetSuperuser},
		{"SetSuperuser leaves one of two who demote each other", testSuperuserRace},
		{"an outage is not 'not found'", testAdminOutage},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := open(t)
			store, ok := env.Store.(admin.Store)
			if !ok {
				t.Fatal("the store does not implement admin.Store")
			}
			c.test(t, &adminWorld{world: &world{Env: env, now: epoch()}, Store: store})
		})
	}
}

func (w *adminWorld) setBan(t *testing.T, b admin.Ban) error {
	t.Helper()
	return w.Store.InTx(t.Context(), func(ctx context.Context) error { return w.Store.SetBan(ctx, b) })
}

func (w *adminWorld) setSuperuser(ctx context.Context, id string, superuser bool) (changed bool, err error) {
	err = w.Store.InTx(ctx, func(ctx context.Context) error {
		changed, err = w.Store.SetSuperuser(ctx, id, superuser, w.now)
		return err
	})
	return changed, err
}

func testRecord(t *testing.T, w *adminWorld) {
	user := w.user(t, "ada@example.com")
	got, err := w.Store.Record(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.Equal(t, got, admin.Record{User: user})
	_, err = w.Store.Record(t.Context(), newID())
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testRecords(t *testing.T, w *adminWorld) {
	var ids []string
	for i, email := range []string{"ada@example.com", "bob@example.org", "a_a%!@example.org"} {
		user := w.describe(email)
		user.CreatedAt, user.EmailVerified, user.Name = w.now.Add(time.Duration(i)*time.Hour), i != 1, []string{"Ada", "bob", "Zoe"}[i]
		assert.NoError(t, w.Env.Store.CreateUser(t.Context(), user, nil))
		ids = append(ids, user.ID)
	}
	assert.NoError(t, w.setBan(t, admin.Ban{UserID: ids[0], At: w.now, Until: w.now.Add(time.Hour)}))
	assert.NoError(t, w.setBan(t, admin.Ban{UserID: ids[1], At: w.now}))
	_, err := w.setSuperuser(t.Context(), ids[2], true)
	assert.NoError(t, err)
	is := func(f admin.Field, m admin.Match, v any) []admin.Condition {
		return []admin.Condition{{Field: f, Match: m, Value: v}}
	}
	for name, c := range map[string]struct {
		q     admin.Query
		want  []int
		total int
	}{
		"the oldest first":          {admin.Query{}, []int{0, 1, 2}, 3},
		"the youngest first":        {admin.Query{Descending: true}, []int{2, 1, 0}, 3},
		"a page":                    {admin.Query{Limit: 1, Offset: 1}, []int{1}, 3},
		"beyond the end":            {admin.Query{Offset: 5}, nil, 3},
		"by address":                {admin.Query{OrderBy: admin.FieldEmail}, []int{2, 0, 1}, 3},
		"contains":                  {admin.Query{Where: is(admin.FieldEmail, admin.Contains, "EXAMPLE.ORG")}, []int{1, 2}, 2},
		"signs are themselves":      {admin.Query{Where: is(admin.FieldEmail, admin.Contains, "a_a%!")}, []int{2}, 1},
		"starts":                    {admin.Query{Where: is(admin.FieldName, admin.StartsWith, "a")}, []int{0}, 1},
		"ends":                      {admin.Query{Where: is(admin.FieldEmail, admin.EndsWith, "example.com")}, []int{0}, 1},
		"equal":                     {admin.Query{Where: is(admin.FieldID, admin.Equal, ids[1])}, []int{1}, 1},
		"not equal":                 {admin.Query{Where: is(admin.FieldID, admin.NotEqual, ids[1])}, []int{0, 2}, 2},
		"verified":                  {admin.Query{Where: is(admin.FieldVerified, admin.Equal, true)}, []int{0, 2}, 2},
		"not verified":              {admin.Query{Where: is(admin.FieldVerified, admin.NotEqual, true)}, []int{1}, 1},
		"banned":                    {admin.Query{Where: is(admin.FieldBanned, admin.Equal, true)}, []int{0, 1}, 2},
		"banned, an hour later":     {admin.Query{Now: w.now.Add(time.Hour), Where: is(admin.FieldBanned, admin.Equal, true)}, []int{1}, 1},
		"not banned, an hour later": {admin.Query{Now: w.now.Add(time.Hour), Where: is(admin.FieldBanned, admin.Equal, false)}, []int{0, 2}, 2},
		"superusers":                {admin.Query{Where: is(admin.FieldRole, admin.Equal, "admin")}, []int{2}, 1},
		"others":                    {admin.Query{Where: is(admin.FieldRole, admin.Equal, "user")}, []int{0, 1}, 2},
		"since":                     {admin.Query{Where: is(admin.FieldCreatedAt, admin.GreaterOrEqual, w.now.Add(time.Hour))}, []int{1, 2}, 2},
		"both": {admin.Query{Where: append(is(admin.FieldEmail, admin.Contains, "example.org"),
			is(admin.FieldVerified, admin.Equal, true)...)}, []int{2}, 1},
	} {
		if c.q.Limit == 0 {
			c.q.Limit = 10
		}
		if c.q.Now.IsZero() {
			c.q.Now = w.now
		}
		if c.q.OrderBy == "" {
			c.q.OrderBy = admin.FieldCreatedAt
		}
		got, total, err := w.Store.Records(t.Context(), c.q)
		assert.NoError(t, err)
		same := total == c.total && len(got) == len(c.want)
		for i := 0; same && i < len(got); i++ {
			same = got[i].ID == ids[c.want[i]]
		}
		if !same {
			t.Errorf("%s: %d of %d users, want %v of %d: %+v", name, len(got), total, c.want, c.total, got)
		}
	}
}

func testRecordsOfNonsense(t *testing.T, w *adminWorld) {
	w.user(t, "ada@example.com")
	for _, c := range []admin.Condition{
		{Field: "password", Match: admin.Equal, Value: "x"},
		{Field: admin.FieldVerified, Match: admin.Less, Value: true},
		{Field: admin.FieldCreatedAt, Match: admin.Contains, Value: w.now},
		{Field: admin.FieldEmail, Match: admin.Equal, Value: 3},
		{Field: admin.FieldBanned, Match: admin.Equal, Value: "true"},
	} {
		_, total, err := w.Store.Records(t.Context(), admin.Query{Where: []admin.Condition{c}, Limit: 10, Now: w.now, OrderBy: admin.FieldID})
		assert.NoError(t, err)
		if total != 0 {
			t.Errorf("%+v selects %d users", c, total)
		}
	}
}

func testSetProfile(t *testing.T, w *adminWorld) {
	user, other := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	later := w.now.Add(time.Hour)
	assert.NoError(t, w.Store.SetProfile(t.Context(), user.ID, "Countess", "", later))
	user.Name, user.Image, user.UpdatedAt = "Countess", "", later
	for _, want := range []auth.User{user, other} {
		got, err := w.Store.Record(t.Context(), want.ID)
		assert.NoError(t, err)
		assert.Equal(t, got.User, want)
	}
	assert.ErrorIs(t, w.Store.SetProfile(t.Context(), newID(), "x", "", later), auth.ErrUserNotFound)
}

func testBans(t *testing.T, w *adminWorld) {
	user := w.user(t, "ada@example.com")
	forever := admin.Ban{UserID: user.ID, ActorID: "root", Reason: "spam", At: w.now}
	short := forever
	short.Reason, short.Until = "less", w.now.Add(2*time.Hour)
	assert.Error(t, w.Store.SetBan(t.Context(), forever)) // no transaction
	assert.ErrorIs(t, w.setBan(t, admin.Ban{UserID: newID(), At: w.now}), auth.ErrUserNotFound)
	for _, b := range []admin.Ban{forever, short} {
		assert.NoError(t, w.setBan(t, b))
		assert.ErrorIs(t, w.admit(t, user.ID, 1), auth.ErrNotAdmitted) // an hour later
		got, err := w.Store.Record(t.Context(), user.ID)
		assert.NoError(t, err)
		assert.Equal(t, []any{got.BannedAt, got.BannedUntil, got.BanReason, got.BannedBy}, []any{b.At, b.Until, b.Reason, b.ActorID})
	}
	short.Until = w.now.Add(time.Hour) // ends when the sign-in comes
	assert.NoError(t, w.setBan(t, short))
	assert.NoError(t, w.admit(t, user.ID, 1))
	got, err := w.Store.Record(t.Context(), user.ID)
	assert.NoError(t, err)
	assert.True(t, got.BannedAt.IsZero() && got.BannedUntil.IsZero(), "the ended ban is gone")
	assert.NoError(t, w.setBan(t, forever))
	for _, want := range []bool{true, false} {
		lifted, err := w.Store.LiftBan(t.Context(), user.ID, w.now)
		assert.NoError(t, err)
		assert.Equal(t, lifted, want)
	}
	assert.NoError(t, w.admit(t, user.ID, 1))
	_, err = w.Store.LiftBan(t.Context(), newID(), w.now)
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testSetSuperuser(t *testing.T, w *adminWorld) {
	ada, bob := w.user(t, "ada@example.com"), w.user(t, "bob@example.com")
	_, err := w.Store.SetSuperuser(t.Context(), ada.ID, true, w.now)
	assert.Error(t, err) // no transaction
	set := func(id string, superuser, want bool) {
		t.Helper()
		changed, err := w.setSuperuser(t.Context(), id, superuser)
		assert.NoError(t, err)
		assert.Equal(t, changed, want)
	}
	set(bob.ID, false, false)
	set(ada.ID, true, true)
	set(ada.ID, true, false)
	_, err = w.setSuperuser(t.Context(), ada.ID, false)
	assert.ErrorIs(t, err, admin.ErrLastSuperuser)
	set(bob.ID, true, true)
	assert.NoError(t, w.setBan(t, admin.Ban{UserID: bob.ID, At: w.now}))
	_, err = w.setSuperuser(t.Context(), ada.ID, false)
	assert.ErrorIs(t, err, admin.ErrLastSuperuser)
	_, err = w.Store.LiftBan(t.Context(), bob.ID, w.now)
	assert.NoError(t, err)
	set(ada.ID, false, true)
	got, err := w.Store.Record(t.Context(), ada.ID)
	assert.NoError(t, err)
	assert.False(t, got.Superuser, "ada is a user again")
	_, err = w.setSuperuser(t.Context(), newID(), true)
	assert.ErrorIs(t, err, auth.ErrUserNotFound)
}

func testSuperuserRace(t *testing.T, w *adminWorld) {
	ids := make(chan string, racers)
	for i := range racers {
		user := w.user(t, string(rune('a'+i))+"@example.com")
		_, err := w.setSuperuser(t.Context(), user.ID, true)
		assert.NoError(t, err)
		ids <- user.ID
	}
	won, lost := race(t, func(ctx context.Context) error {
		_, err := w.setSuperuser(ctx, <-ids, false)
		return err
	})
	assert.Equal(t, won, racers-1)
	for _, err := range lost {
		assert.ErrorIs(t, err, admin.ErrLastSuperuser)
	}
}

func testAdminOutage(t *testing.T, w *adminWorld) {
	user := w.user(t, "ada@example.com")
	w.Break()
	ctx := t.Context()
	_, recordErr := w.Store.Record(ctx, user.ID)
	_, _, listErr := w.Store.Records(ctx, admin.Query{Limit: 1, OrderBy: admin.FieldID})
	_, liftErr := w.Store.LiftBan(ctx, user.ID, w.now)
	_, roleErr := w.setSuperuser(ctx, user.ID, true)
	for name, err := range map[string]error{
		"Record": recordErr, "Records": listErr, "LiftBan": liftErr, "SetSuperuser": roleErr,
		"SetProfile": w.Store.SetProfile(ctx, user.ID, "x", "", w.now), "SetBan": w.setBan(t, admin.Ban{UserID: user.ID, At: w.now}),
	} {
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, auth.ErrUserNotFound) {
			t.Errorf("%s during an outage: %v", name, err)
		}
	}
}
