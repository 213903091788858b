package tenancy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

// holder is users of whom some are gone; it notes whom it held.
type holder struct{ held []string }

var errGone = problem.New(problem.NotFound, "GONE", "gone")

func (h *holder) Hold(_ context.Context, userID string) error {
	h.held = append(h.held, userID)
	if userID == "gone" {
		return errGone
	}
	return nil
}

type world struct {
	fake  *tenancytest.Fake
	users *holder
	svc   *tenancy.Service
}

func newWorld(t *testing.T, change func(*tenancy.Config)) *world {
	t.Helper()
	w := &world{users: &holder{}}
	w.fake = tenancytest.NewFake(func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC) })
	cfg := tenancy.Config{Users: w.users}
	if change != nil {
		change(&cfg)
	}
	w.svc = assert.Must(tenancy.New(w.fake, cfg))(t)
	return w
}

func (w *world) defaultOf(t *testing.T, userID string) (id string) {
	t.Helper()
	assert.NoError(t, w.fake.InTx(t.Context(), func(ctx context.Context) (err error) {
		id, err = w.svc.HoldDefault(ctx, userID)
		return err
	}))
	return id
}

func (w *world) create(t *testing.T, userID, name string) (o tenancy.Organization, err error) {
	t.Helper()
	err = w.fake.InTx(t.Context(), func(ctx context.Context) error {
		o, err = w.svc.CreateDefault(ctx, userID, name)
		return err
	})
	return o, err
}

func TestNewWantsAStoreAndUsers(t *testing.T) {
	t.Parallel()
	_, err := tenancy.New(nil, tenancy.Config{Users: &holder{}})
	assert.Error(t, err)
	_, err = tenancy.New(tenancytest.NewFake(nil), tenancy.Config{})
	assert.Error(t, err)
}

func TestR31_TheCreatorIsTheOnlyOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	created := assert.Must(w.create(t, "u1", "Ada's organization"))(t)
	now := time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)
	assert.Equal(t, created.OwnerID, "u1")
	assert.Equal(t, created.CreatedAt, now)
	assert.Equal(t, created.UpdatedAt, now)
	o, m, err := w.svc.Membership(t.Context(), created.ID, "u1")
	assert.NoError(t, err)
	assert.Equal(t, o, created)
	assert.Equal(t, m.Role, tenancy.RoleOwner)
	assert.Equal(t, w.defaultOf(t, "u1"), created.ID)
	assert.Equal(t, w.defaultOf(t, "u2"), "")
	_, err = w.svc.HoldDefault(t.Context(), "u1")
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
	_, _, err = w.svc.Membership(t.Context(), created.ID, "u2")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestR3_CreateHoldsTheUserFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.create(t, "gone", "")
	assert.ErrorIs(t, err, errGone)
	assert.Equal(t, w.defaultOf(t, "gone"), "")
	_, err = w.svc.CreateDefault(t.Context(), "u1", "")
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
	assert.Equal(t, w.users.held, []string{"gone"})
	o := assert.Must(w.create(t, "u1", ""))(t)
	assert.ErrorIs(t, w.svc.Hold(t.Context(), o.ID), tenancy.ErrNoTransaction)
	assert.NoError(t, w.fake.InTx(t.Context(), func(ctx context.Context) error { return w.svc.Hold(ctx, o.ID) }))
}

func TestNamesAreCleaned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, want := range map[string]string{
		"":                              "My organization",
		" \t\r\n ":                      "My organization",
		"\x00\xff\u200b":                "My organization",
		"  Ada's \r\n organization\x00": "Ada's organization",
		"株式会社":                          "株式会社",
		strings.Repeat("é", 300):        strings.Repeat("é", 100),
		strings.Repeat("a", 99) + "  b": strings.Repeat("a", 99),
	} {
		assert.Equal(t, assert.Must(w.create(t, "u1", name))(t).Name, want)
	}
	for user, want := range map[string]string{
		"":                        "My organization",
		"Ada":                     "Ada's organization",
		" Ada\n Lovelace ":        "Ada Lovelace's organization",
		strings.Repeat("é", 2000): strings.Repeat("é", 85) + "'s organization",
	} {
		assert.Equal(t, tenancy.DefaultName(user), want)
	}
}

var slugShape = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func TestSlugsAreMadeOfNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *tenancy.Config) { c.Rand = nil })
	for name, stem := range map[string]string{
		"Ada's organization":           "adas-organization",
		"Ünïcode & Söhne":              "unicode-sohne",
		"株式会社":                         "organization",
		"---":                          "organization",
		"  a  --  b  ":                 "a-b",
		"ＡＢＣ Ⅷ":                        "abc-viii",
		strings.Repeat("ab ", 40):      strings.Repeat("ab-", 13) + "a",
		strings.Repeat("x", 39) + " y": strings.Repeat("x", 39),
	} {
		slug := assert.Must(w.create(t, "u1", name))(t).Slug
		assert.Equal(t, slug[:len(slug)-9], stem)
		assert.True(t, slugShape.MatchString(slug) && len(slug) <= 49, slug)
	}
}

func FuzzCreateDefault(f *testing.F) {
	for _, seed := range []string{"", "Ada's organization", "ﬁ ﷺ", "\xff\x00", "-a-", strings.Repeat("́", 500)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := newWorld(t, nil)
		o, err := w.create(t, "u1", tenancy.DefaultName(name))
		assert.NoError(t, err)
		if n := utf8.RuneCountInString(o.Name); n < 1 || n > 100 || !utf8.ValidString(o.Name) || strings.ContainsAny(o.Name, "\x00\r\n") {
			t.Errorf("name %q", o.Name)
		}
		if !slugShape.MatchString(o.Slug) || len(o.Slug) > 49 {
			t.Errorf("slug %q", o.Slug)
		}
	})
}

// scripted is randomness whose slugs' ends repeat as often as it says.
func scripted(repeats int) io.Reader {
	var b bytes.Buffer
	b.Write(bytes.Repeat([]byte{1}, 32)) // two ids
	b.Write(bytes.Repeat([]byte{7}, 8))
	b.Write(bytes.Repeat([]byte{2}, 32))
	b.Write(bytes.Repeat([]byte{7}, 8*repeats))
	b.Write(bytes.Repeat([]byte{8}, 8))
	return &b
}

func TestATakenSlugIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *tenancy.Config) { c.Rand = scripted(4) })
	first := assert.Must(w.create(t, "u1", "Ada"))(t)
	second := assert.Must(w.create(t, "u2", "Ada"))(t)
	assert.NotEqual(t, first.Slug, second.Slug)
	w = newWorld(t, func(c *tenancy.Config) { c.Rand = scripted(5) })
	assert.Must(w.create(t, "u1", "Ada"))(t)
	_, err := w.create(t, "u2", "Ada")
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	assert.Equal(t, w.defaultOf(t, "u2"), "")
	_, err = w.create(t, "u3", "Ada")
	assert.NotEqual(t, err, nil) // the randomness has run dry
}

func TestHooksRunInsideTheTransaction(t *testing.T) {
	t.Parallel()
	var heard []string
	note := tenancy.Hooks{
		OrganizationCreated: func(_ context.Context, e tenancy.OrganizationCreated) error {
			heard = append(heard, "created "+e.Organization.Name)
			return nil
		},
		MemberJoined: func(_ context.Context, e tenancy.MemberJoined) error {
			heard = append(heard, "joined "+e.Organization.Name+" "+e.Member.UserID+" "+e.Member.Role)
			return nil
		},
	}
	w := newWorld(t, func(c *tenancy.Config) { c.Hooks = tenancy.JoinHooks(tenancy.Hooks{}, note, note) })
	assert.Must(w.create(t, "u1", "A"))(t)
	assert.Equal(t, heard, []string{"created A", "created A", "joined A u1 owner", "joined A u1 owner"})
	veto := errors.New("veto")
	for _, hooks := range []tenancy.Hooks{
		{OrganizationCreated: func(context.Context, tenancy.OrganizationCreated) error { return veto }},
		{MemberJoined: func(context.Context, tenancy.MemberJoined) error { return veto }},
	} {
		w := newWorld(t, func(c *tenancy.Config) { c.Hooks = tenancy.JoinHooks(hooks, note) })
		_, err := w.create(t, "u1", "A")
		assert.ErrorIs(t, err, veto)
		assert.Equal(t, w.defaultOf(t, "u1"), "")
	}
}
