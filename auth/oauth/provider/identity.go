package provider

import (
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
)

const (
	maxSubject = 255 // OpenID Connect Core section 2
	maxEmail   = 254 // RFC 5321
	maxName    = 128
	maxPicture = 2048
)

// Identity is an account at a provider. Issuer and Subject together are who it is, for ever; everything else may change
// from one sign-in to the next and identifies nobody.
type Identity struct {
	// Provider is the ID of the provider.
	Provider string
	// Issuer is the configured issuer; for Microsoft with the tenant in it.
	Issuer string
	// Subject is the provider's immutable identifier. It is never empty.
	Subject string
	// Email is the address that the provider has, "" where it has or tells none. It was not looked at beyond its form.
	Email string
	// EmailVerified says that the provider says that it confirmed Email: JSON's true and nothing else.
	EmailVerified bool
	// EmailProven says that this is proof of the mailbox: EmailVerified, within the provider's EmailAuthority (R19).
	// Without it Email is as if somebody had typed it.
	EmailProven bool
	// HostedDomain is the domain that manages the account, "" if none is told.
	HostedDomain string
	// Name is a display name of at most 128 printable characters, or "".
	Name string
	// Picture is an https URL, or "".
	Picture string
	// AuthenticatedAt is when the user last signed in at the provider (auth_time), zero where it does not say.
	AuthenticatedAt time.Time

	noMailbox error
}

// Mailbox returns Email, or why there is none: ErrNoVerifiedEmail or ErrEmailNotShared, whose texts say what to do. An
// account that is linked already signs in without one; a new account cannot.
func (i Identity) Mailbox() (string, error) {
	switch {
	case i.Email != "":
		return i.Email, nil
	case i.noMailbox != nil:
		return "", i.noMailbox
	}
	return "", ErrEmailNotShared
}

// identify maps a profile. The error is ErrProfile: without a subject there is nobody.
func (p Provider) identify(c claims) (Identity, error) {
	subject, err := p.subject(c)
	if err != nil {
		return Identity{}, err
	}
	i := Identity{
		Provider: p.ID, Issuer: p.issuerOf(c), Subject: subject,
		HostedDomain: c.text(p.Fields.HostedDomain), Name: p.name(c), Picture: p.picture(c),
		AuthenticatedAt: c.moment("auth_time"),
	}
	i.setEmail(c.text(p.Fields.Email), c.isTrue(p.Fields.EmailVerified), p.EmailAuthority)
	return i, nil
}

func (i *Identity) setEmail(email string, verified bool, authority EmailAuthority) {
	i.Email, i.EmailVerified, i.EmailProven = "", false, false
	if !looksLikeEmail(email) {
		return
	}
	i.Email, i.EmailVerified = email, verified
	i.EmailProven = verified && authority.covers(email, i.HostedDomain)
}

// looksLikeEmail is no judgement of the address; auth makes that. It keeps out what is none.
func looksLikeEmail(s string) bool {
	return len(s) <= maxEmail && strings.Index(s, "@") > 0 && !strings.HasSuffix(s, "@") &&
		strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) < 0
}

// subject joins the parts. Several parts must not hold the colon that joins them, or two accounts could be one.
func (p Provider) subject(c claims) (string, error) {
	var parts []string
	for _, path := range p.Fields.Subject {
		part := c.identifier(path)
		if part == "" || len(p.Fields.Subject) > 1 && strings.Contains(part, ":") {
			return "", because(ErrProfile, ErrSubject)
		}
		parts = append(parts, part)
	}
	subject := strings.Join(parts, ":")
	if len(subject) > maxSubject || strings.TrimSpace(subject) != subject || !printable(subject) {
		return "", because(ErrProfile, ErrSubject)
	}
	return subject, nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) < 0
}

func (p Provider) name(c claims) string {
	for _, path := range p.Fields.Name {
		if name := clean(c.text(path)); name != "" {
			return name
		}
	}
	return ""
}

// clean makes a name out of anything.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	runes := []rune(strings.Join(strings.Fields(s), " "))
	return strings.TrimSpace(string(runes[:min(len(runes), maxName)]))
}

var (
	placeholder = regexp.MustCompile(`\{[^{}]+\}`)
	plainPart   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
)

// picture fills in a template only with parts that cannot leave their place in the URL.
func (p Provider) picture(c claims) string {
	address := c.text(p.Fields.Picture)
	if strings.Contains(p.Fields.Picture, "{") {
		whole := true
		address = placeholder.ReplaceAllStringFunc(p.Fields.Picture, func(path string) string {
			part := c.identifier(path[1 : len(path)-1])
			whole = whole && plainPart.MatchString(part)
			return part
		})
		if !whole {
			return ""
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > maxPicture {
		return ""
	}
	return u.String()
}
