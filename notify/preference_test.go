package notify_test

import (
	"fmt"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/problem"
)

// preferences writes the settings down, a line each.
func (w *world) preferences(t *testing.T, userID string) (text string) {
	t.Helper()
	for _, s := range assert.Must(w.svc.Preferences(t.Context(), userID))(t) {
		text += fmt.Sprintf("%s %s enabled=%v default=%v mutable=%v\n", s.Category.Name, s.Channel, s.Enabled, s.Default, s.Mutable)
	}
	return text
}

func (w *world) stored(t *testing.T, userID string) []notify.Preference {
	t.Helper()
	return assert.Must(w.fake.Preferences(t.Context(), "", userID))(t)
}

func TestPreferencesListEveryCategoryAndChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, "ada", "news", notify.Mail, true)
	w.set(t, "ada", "organization", notify.InApp, false)
	w.set(t, "bob", "news", notify.InApp, false)
	assert.Equal(t, w.preferences(t, "ada"), `security in-app enabled=true default=true mutable=false
security mail enabled=true default=true mutable=false
billing in-app enabled=true default=true mutable=false
billing mail enabled=true default=true mutable=false
organization in-app enabled=false default=true mutable=true
organization mail enabled=false default=false mutable=true
comments in-app enabled=true default=true mutable=true
comments mail enabled=true default=true mutable=true
news in-app enabled=true default=true mutable=true
news mail enabled=true default=false mutable=true
legal in-app enabled=false default=false mutable=true
legal mail enabled=true default=true mutable=false
`)
}

func TestOnlyDeviationsAreStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, "ada", "comments", notify.Mail, true) // the default
	assert.Len(t, w.stored(t, "ada"), 0)
	w.set(t, "ada", "comments", notify.Mail, false)
	assert.Equal(t, w.stored(t, "ada"), []notify.Preference{{UserID: "ada", Category: "comments", Channel: notify.Mail, UpdatedAt: w.now}})
	w.set(t, "ada", "comments", notify.Mail, true)
	assert.Len(t, w.stored(t, "ada"), 0)
	assert.Equal(t, w.users.held, []string{"ada", "ada", "ada"})
}

// A default that changes reaches whoever never chose.
func TestANewDefaultReachesWhoDidNotChoose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, "ada", "news", notify.Mail, true)
	w.set(t, "ada", "news", notify.Mail, false) // back to the default
	w.set(t, "bob", "news", notify.InApp, false)
	later := newWorld(t, func(c *notify.Config) {
		c.Users = w.users
		c.Categories = []notify.Category{{Name: "news", Channels: notify.Channels()}}
	})
	for _, user := range []string{"ada", "bob"} {
		for _, p := range w.stored(t, user) {
			assert.NoError(t, later.fake.PutPreference(t.Context(), p))
		}
	}
	assert.Contains(t, later.preferences(t, "ada"), "news mail enabled=true default=true")
	assert.Contains(t, later.preferences(t, "bob"), "news in-app enabled=false default=true")
	assert.Contains(t, later.preferences(t, "bob"), "news mail enabled=true default=true")
}

func TestSecurityAndBillingCannotBeMuted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, category := range []string{notify.CategorySecurity, notify.CategoryBilling} {
		for _, ch := range notify.Channels() {
			_, err := w.svc.SetPreference(t.Context(), "ada", category, ch, false)
			assert.ErrorIs(t, err, notify.ErrCannotMute)
			assert.Equal(t, problem.KindOf(err), problem.Conflict)
			w.set(t, "ada", category, ch, true) // as it is
			// Nor by a row from wherever: an import, an earlier version, a bug.
			assert.NoError(t, w.fake.PutPreference(t.Context(), notify.Preference{UserID: "ada", Category: category, Channel: ch}))
		}
		n := comment("ada")
		n.Category = category
		w.send(t, n)
	}
	assert.Len(t, w.list(t, "ada"), 2)
	assert.Equal(t, w.mails.to(), []string{"ada", "ada"})
	assert.Contains(t, w.preferences(t, "ada"), "security in-app enabled=true")
	for _, change := range []notify.Category{{Name: notify.CategorySecurity}, {Name: notify.CategoryBilling}} {
		_, err := notify.New(w.fake, notify.Config{Categories: []notify.Category{change}})
		assert.Contains(t, err.Error(), "it is built in and stays as it is")
	}
}

// What is required is so on its channels; another one is the user's to choose.
func TestARequiredCategoryMayHaveMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.svc.SetPreference(t.Context(), "ada", "legal", notify.Mail, false)
	assert.ErrorIs(t, err, notify.ErrCannotMute)
	w.set(t, "ada", "legal", notify.InApp, true)
	n := comment("ada", "bob")
	n.Category = "legal"
	w.send(t, n)
	assert.Len(t, w.list(t, "ada"), 1)
	assert.Len(t, w.list(t, "bob"), 0)
	assert.Equal(t, w.mails.to(), []string{"ada", "bob"})
	w.set(t, "ada", "legal", notify.InApp, false)
	assert.Len(t, w.stored(t, "ada"), 0)
}

func TestUnknownCategoriesAndChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.svc.SetPreference(t.Context(), "ada", "nothing", notify.Mail, false)
	assert.ErrorIs(t, err, notify.ErrUnknownCategory)
	_, err = w.svc.SetPreference(t.Context(), "ada", "news", "sms", false)
	assert.ErrorIs(t, err, notify.ErrUnknownChannel)
	mute := newWorld(t, func(c *notify.Config) { c.Mailer = nil })
	_, err = mute.svc.SetPreference(t.Context(), "ada", "news", notify.Mail, true)
	assert.ErrorIs(t, err, notify.ErrUnknownChannel)
	assert.NotContains(t, mute.preferences(t, "ada"), "mail")
	mute.send(t, comment("ada"))
	assert.Len(t, mute.list(t, "ada"), 1)
}

func TestAHostDeclaresTheOrganizationsCategoryOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *notify.Config) {
		c.Categories = []notify.Category{{Name: notify.CategoryOrganization, Channels: []notify.Channel{notify.Mail}}, {Name: "news"}}
	})
	assert.Contains(t, w.preferences(t, "ada"), "billing mail enabled=true default=true mutable=false\norganization in-app enabled=false default=false mutable=true\norganization mail enabled=true")
}
