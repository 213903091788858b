package provider

import (
	"slices"
	"strings"
)

// Fields says where a profile has what: the claims of the ID token, or what UserInfoURL answers. A path is the name of a
// member, or names and indexes joined by dots: "images.0.url". Every zero field stands for OpenID Connect's name.
type Fields struct {
	// Subject is the path of the immutable identifier, or the paths of its parts, which are joined by colons. All parts
	// must be there. Addresses, login names and display names are refused: they change hands. Defaults to "sub".
	Subject []string
	// Email is the path of the address. Defaults to "email".
	Email string
	// EmailVerified is the path of the flag that counts only as JSON's true. Defaults to "email_verified".
	EmailVerified string
	// Name holds paths of which the first with a text is taken. Defaults to "name".
	Name []string
	// Picture is the path of an https URL, or one with paths in braces: "https://cdn.example/{id}.png". Defaults to
	// "picture".
	Picture string
	// HostedDomain is the path of the domain that manages the account. Defaults to "hd".
	HostedDomain string
}

func (f Fields) withDefaults() Fields {
	or := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if len(f.Subject) == 0 {
		f.Subject = []string{"sub"}
	}
	if len(f.Name) == 0 {
		f.Name = []string{"name"}
	}
	f.Subject, f.Name = slices.Clone(f.Subject), slices.Clone(f.Name)
	or(&f.Email, "email")
	or(&f.EmailVerified, "email_verified")
	or(&f.Picture, "picture")
	or(&f.HostedDomain, "hd")
	return f
}

// mutable are names of what people choose, change and hand on.
func mutable() []string {
	return []string{
		"", "email", "mail", "email_address", "upn", "unique_name", "preferred_username", "username", "user_name", "login",
		"name", "nickname", "display_name", "displayname", "global_name", "handle", "screen_name", "slug", "phone",
		"phone_number", "userprincipalname",
	}
}

func (f Fields) subjectIsImmutable() bool {
	return !slices.ContainsFunc(f.Subject, func(path string) bool {
		return slices.Contains(mutable(), strings.ToLower(path[strings.LastIndexAny(path, "./")+1:]))
	})
}

// Emails is an endpoint that lists the addresses of an account, as GitHub and Bitbucket have it. The primary confirmed one
// is taken; without one the identity has no address, and [Identity.Mailbox] says what to do.
type Emails struct {
	// URL is asked with the access token.
	URL string
	// List is the path of the list in the answer. Defaults to the answer itself.
	List string
	// Primary and Verified are the flags of an entry, which count only as JSON's true. Default to "primary" and "verified".
	Primary, Verified string
	// Ignore is a domain whose addresses are no mailboxes, such as users.noreply.github.com. Defaults to none.
	Ignore string
}

func (e *Emails) url() string {
	if e == nil {
		return ""
	}
	return e.URL
}
