package notify

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Channel is a way by which notifications reach people.
type Channel string

// The channels.
const (
	// InApp is the list behind the bell.
	InApp Channel = "in-app"
	// Mail is a mail to the proven address.
	Mail Channel = "mail"
)

// Channels returns all channels in the order in which preferences list them.
func Channels() []Channel { return []Channel{InApp, Mail} }

// The categories that there always are.
const (
	// CategorySecurity is about the account: its passwords, factors and sessions. It
	// goes by both channels and cannot be muted.
	CategorySecurity = "security"
	// CategoryBilling is about payments and plans. It goes by both channels and cannot
	// be muted.
	CategoryBilling = "billing"
	// CategoryOrganization is about who joined, left or may do what. It goes in-app.
	// Config.Categories may declare it otherwise.
	CategoryOrganization = "organization"
)

// Category is a kind of notifications that users decide about together.
type Category struct {
	// Name is lower-case ASCII words with dots or dashes between them, 64 characters at
	// most.
	Name string
	// Description is a sentence for pages of preferences. It may be empty.
	Description string
	// Channels are those by which notifications go to whoever did not choose. Defaults
	// to InApp.
	Channels []Channel
	// Required forbids to mute the category on Channels; other channels may be turned
	// on and off. Defaults to false: users decide.
	Required bool
}

// name is what categories, and the types of notifications, are called.
var name = regexp.MustCompile(`^[a-z][a-z0-9]*([._-][a-z0-9]+)*$`)

const maxName = 64

func validName(s string) bool { return len(s) <= maxName && name.MatchString(s) }

func (c Category) validate() error {
	switch {
	case !validName(c.Name):
		return fmt.Errorf("category %q: the name is not lower-case words with dots or dashes between them", c.Name)
	case c.Name == CategorySecurity || c.Name == CategoryBilling:
		return fmt.Errorf("category %q: it is built in and stays as it is", c.Name)
	case slices.ContainsFunc(c.Channels, func(ch Channel) bool { return !slices.Contains(Channels(), ch) }):
		return fmt.Errorf("category %q: there is no such channel", c.Name)
	}
	return nil
}

// byDefault reports whether the category goes by the channel to whoever did not
// choose.
func (c Category) byDefault(ch Channel) bool { return slices.Contains(c.Channels, ch) }

// mutable reports whether users may turn the channel off.
func (c Category) mutable(ch Channel) bool { return !c.Required || !c.byDefault(ch) }

// reaches reports whether the category goes by the channel to the owner of the
// deviations. What is required goes, whatever the rows say.
func (c Category) reaches(ch Channel, deviations []Preference) bool {
	if !c.mutable(ch) {
		return true
	}
	for _, p := range deviations {
		if p.Category == c.Name && p.Channel == ch {
			return p.Enabled
		}
	}
	return c.byDefault(ch)
}

// categories returns the built-in ones and the host's, in the order of preferences.
func categories(own []Category) ([]Category, error) {
	all := []Category{
		{Name: CategorySecurity, Description: "Sign-ins, passwords and other news about the safety of your account.", Channels: Channels(), Required: true},
		{Name: CategoryBilling, Description: "Invoices, payments and changes of your plan.", Channels: Channels(), Required: true},
		{Name: CategoryOrganization, Description: "Who joins and leaves your organizations, and who may do what.", Channels: []Channel{InApp}},
	}
	var errs []error
	seen := map[string]bool{}
	for _, c := range own {
		if len(c.Channels) == 0 {
			c.Channels = []Channel{InApp}
		}
		c.Channels = slices.Clone(c.Channels)
		errs = append(errs, c.validate())
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("category %q is declared twice", c.Name))
		}
		seen[c.Name] = true
		if i := slices.IndexFunc(all, func(b Category) bool { return b.Name == c.Name }); i >= 0 {
			all[i] = c
			continue
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}
