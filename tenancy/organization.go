package tenancy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tenon-go/tenon/principal"
)

// RoleOwner is the role of the one member whom Organization.OwnerID names, and
// of nobody else (rule R31). The store keeps the two in step. It may do everything.
const RoleOwner = "owner"

// RoleAdmin may do everything in Statements but delete the organization, unless
// Config.Roles says something else. TransferToAdmin looks for it.
const RoleAdmin = "admin"

// RoleMember may read roles, unless Config.Roles says something else.
const RoleMember = "member"

// Organization is a company, team or household that shares what its members
// make. Times are UTC microseconds.
type Organization struct {
	ID string
	// Name is 1 to 100 printable characters.
	Name string
	// Slug is the unique name for URLs: lower-case ASCII letters, digits and
	// single hyphens.
	Slug string
	// Logo is the URL of a picture, or empty.
	Logo string
	// Metadata is a JSON object of the host's, or nil.
	Metadata json.RawMessage
	// OwnerID is the user who owns the organization: always exactly one, and
	// always a member.
	OwnerID string
	// SecondFactor is what the organization demands of its members' sessions (rule
	// R13).
	SecondFactor principal.SecondFactorPolicy
	// RolesVersion rises with each change of the organization's own roles (rule R18).
	RolesVersion         int64
	CreatedAt, UpdatedAt time.Time
}

// Member is a user's place in an organization.
type Member struct {
	ID             string
	OrganizationID string
	UserID         string
	// Role is what the member may do: RoleOwner, or one or more other roles, sorted and
	// with commas between them.
	Role      string
	CreatedAt time.Time
}

// plausible reports whether an id, which may come straight from a header or a path, can
// be asked for: a database takes no NUL and no broken UTF-8, and nobody's id has them.
func plausible(id string) bool {
	return len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// maxID bounds ids, in bytes.
const maxID = 64

const (
	maxName     = 100 // code points
	maxSlugStem = 40
	slugEnd     = 8
	unnamed     = "My organization"
	slugUnnamed = "organization"
)

// DefaultName words the name of a user's first organization: "Ada's
// organization", or "My organization" for a user without a name.
func DefaultName(userName string) string {
	name := oneLine(userName)
	if name == "" {
		return unnamed
	}
	const end = "'s organization"
	return cut(name, maxName-len(end)) + end
}

// cleanName makes a name that can be shown and stored: one line of printable
// characters, maxName at most, never empty.
func cleanName(name string) string {
	if name = cut(oneLine(name), maxName); name == "" {
		return unnamed
	}
	return name
}

// oneLine drops what can't be printed and joins what is left with single spaces.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// cut keeps at most n code points.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return strings.TrimSpace(text[:i])
		}
		n--
	}
	return text
}

// newSlug makes a slug of a name's ASCII letters and digits and a random end of
// 40 bits, which tells organizations of one name apart and is not a secret.
func newSlug(random io.Reader, name string) (string, error) {
	const alphabet = "abcdefghijkmnpqrstuvwxyz23456789" // without what looks alike
	var end [slugEnd]byte
	if _, err := io.ReadFull(random, end[:]); err != nil {
		return "", fmt.Errorf("slug: %w", err)
	}
	for i, b := range end {
		end[i] = alphabet[int(b)%len(alphabet)]
	}
	return slugStem(name) + "-" + string(end[:]), nil
}

// slugStem keeps the letters under their accents.
func slugStem(name string) string {
	var b strings.Builder
	hyphen := false
	for _, r := range norm.NFKD.String(name) {
		switch r = unicode.ToLower(r); {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			if hyphen && b.Len() > 0 {
				b.WriteByte('-')
			}
			hyphen = false
			b.WriteRune(r)
		case r != '\'' && r != '’' && !unicode.Is(unicode.Mn, r):
			hyphen = true
		}
		if b.Len() >= maxSlugStem {
			break
		}
	}
	stem := strings.Trim(b.String()[:min(b.Len(), maxSlugStem)], "-")
	if stem == "" {
		return slugUnnamed
	}
	return stem
}
