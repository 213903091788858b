package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/tenon-go/tenon/auth/password/common"
)

// How much of a password may be decoration around a common one, as in
// "Password1!", and how long the common one must be then.
const (
	maxDecoration = 4
	minDecorated  = 6
)

// fold makes the same of what differs by case, accents, width or ligatures.
func fold(s string) string {
	bare := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
	return cases.Fold().String(bare)
}

// plain undoes the usual replacements of letters. A one stands for an i or an l.
func plain(s string, one rune) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '0':
			return 'o'
		case '1', '!', '|':
			return one
		case '3':
			return 'e'
		case '4', '@':
			return 'a'
		case '5', '$':
			return 's'
		case '7', '+':
			return 't'
		}
		return r
	}, s)
}

// isCommon reports whether prepared is a password of the list, in any case, with
// or without spaces, with letters replaced, reversed, repeated, or with up to
// four digits and symbols around it.
func isCommon(prepared string) bool {
	word := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, fold(prepared))
	if isVariant(word) {
		return true
	}
	bare := strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) })
	return len(bare) >= minDecorated && len(word)-len(bare) <= maxDecoration && isVariant(bare)
}

func isVariant(word string) bool {
	for _, s := range [...]string{word, plain(word, 'i'), plain(word, 'l')} {
		if common.Contains(s) || common.Contains(reverse(s)) || common.Contains(unit(s)) {
			return true
		}
	}
	return false
}

// unit returns what s consists of many times over, or s.
func unit(s string) string {
	if s == "" {
		return s
	}
	// The first place where s begins again inside of itself written twice.
	period := 1 + strings.Index((s + s)[1:], s)
	return s[:period]
}

func reverse(s string) string {
	runes := []rune(s)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return string(runes)
}

// From minTerm letters and digits a word is compared with, and from sureTerm it
// may stand nowhere in the password. A shorter one may if minBeside others remain
// without it: many words have a short name inside.
const (
	minTerm   = 3
	sureTerm  = 5
	minBeside = 8
)

// resembles answers ErrTooSimilar if prepared is made of what everybody knows
// about c: the address, its local part, the parts of both it and the name, a
// product; in any case, backwards, with other separators, with letters replaced.
func (p Policy) resembles(prepared string, c Candidate) error {
	local := c.Email
	if at := strings.LastIndexByte(c.Email, '@'); at >= 0 {
		local = c.Email[:at]
	}
	text := readings(prepared)
	for _, known := range []struct {
		words   []string
		message string
	}{
		{append(parts(local), c.Email, local), "The password contains your e-mail address or a part of it. Choose one that has nothing to do with it; a few unrelated words work well."},
		{append(parts(c.Name), c.Name), "The password contains your name. Choose one that has nothing to do with it; a few unrelated words work well."},
		{p.Products, "The password contains the name of this site or company. Choose one that has nothing to do with it; a few unrelated words work well."},
	} {
		for _, word := range known.words {
			if contain(text, word) {
				return saying(ErrTooSimilar, known.message)
			}
		}
	}
	return nil
}

// parts splits a name or the local part of an address.
func parts(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !isSolid(r) && !unicode.Is(unicode.M, r) })
}

// readings returns s as letters and digits: as it stands, and with the usual
// replacements of letters undone.
func readings(s string) [3]string {
	s = fold(s)
	return [...]string{solid(s), solid(plain(s, 'i')), solid(plain(s, 'l'))}
}

// contain reports whether one reading of a password contains the same reading of
// word.
func contain(password [3]string, word string) bool {
	for i, term := range readings(word) {
		if hides(password[i], term) || hides(password[i], reverse(term)) {
			return true
		}
	}
	return false
}

func hides(text, term string) bool {
	n := utf8.RuneCountInString(term)
	if n < minTerm || !strings.Contains(text, term) {
		return false
	}
	return n >= sureTerm || utf8.RuneCountInString(strings.ReplaceAll(text, term, "")) < minBeside
}

// solid keeps the letters and digits of s.
func solid(s string) string {
	return strings.Map(func(r rune) rune {
		if isSolid(r) {
			return r
		}
		return -1
	}, s)
}

func isSolid(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
