package auth

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Bounds of an e-mail address in bytes (RFC 5321 §4.5.3.1, errata 1690).
const (
	maxAddressLength = 254
	maxLocalLength   = 64
)

// Address is an e-mail address in its three forms. The zero Address is not one;
// [ParseAddress] makes them.
type Address struct {
	// Key identifies the mailbox: the local part in lower-case ASCII, the domain
	// as IDNA makes it. Two spellings of one mailbox share a Key.
	Key string
	// Display is the address as it was typed, without surrounding spaces. A domain
	// outside ASCII is shown as its name reads, without what was typed invisibly.
	Display string
	// Mailbox is where mail goes: the local part as typed, the domain in ASCII.
	Mailbox string
}

// ParseAddress reads an address as a person types it. It accepts an ASCII local
// part of RFC 5321 dot-strings and a domain of two labels or more, in ASCII or
// Unicode. Everything else is [ErrInvalidEmail]: quoted local parts, comments,
// address literals, and letters outside ASCII before the @, which case mapping
// could turn into somebody else's address.
func ParseAddress(typed string) (Address, error) {
	typed = strings.Trim(typed, " \t")
	if len(typed) > maxAddressLength {
		return Address{}, ErrInvalidEmail
	}
	at := strings.LastIndexByte(typed, '@')
	if at < 0 {
		return Address{}, ErrInvalidEmail
	}
	local := typed[:at]
	domain, ok := asciiDomain(typed[at+1:])
	if !ok || !isDotString(local) || !isHostname(domain) {
		return Address{}, ErrInvalidEmail
	}
	mailbox := local + "@" + domain
	if len(mailbox) > maxAddressLength {
		return Address{}, ErrInvalidEmail
	}
	display := typed
	if strings.ContainsFunc(typed, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if shown, err := idna.Display.ToUnicode(domain); err == nil {
			display = local + "@" + shown
		}
	}
	return Address{
		Key:     lowerASCII(local) + "@" + domain,
		Display: display,
		Mailbox: mailbox,
	}, nil
}

// asciiDomain returns domain as IDNA looks it up. A domain whose ASCII form would
// not be looked up as itself has no stable name, and is none.
func asciiDomain(domain string) (string, bool) {
	if !utf8.ValidString(domain) {
		return "", false
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", false
	}
	again, err := idna.Lookup.ToASCII(ascii)
	return ascii, err == nil && again == ascii
}

// budgetKey is the mailbox behind a sub-address: mail for ada+shop@example.com
// reaches the same person as mail for ada@example.com (rule R6).
func (a Address) budgetKey() string {
	at := strings.LastIndexByte(a.Key, '@')
	if at < 0 {
		return a.Key
	}
	local, _, _ := strings.Cut(a.Key[:at], "+")
	return local + a.Key[at:]
}

// isDotString reports whether local is an RFC 5321 Dot-string: atoms with
// single dots between them.
func isDotString(local string) bool {
	if local == "" || len(local) > maxLocalLength {
		return false
	}
	for _, atom := range strings.Split(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, isNotAtext) {
			return false
		}
	}
	return true
}

func isNotAtext(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isHostname reports whether domain, already in ASCII, can receive mail: two
// labels or more, the last one not a number.
func isHostname(domain string) bool {
	labels := strings.Split(domain, ".")
	if len(labels) < 2 || len(domain) > 253 {
		return false
	}
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != ""
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
