package auth_test

import (
	"strings"
	"testing"

	"github.com/tenon-go/tenon/auth"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]auth.Address{
		"Ada@Example.com":          {Key: "ada@example.com", Display: "Ada@Example.com", Mailbox: "Ada@example.com"},
		" ada@example.com\t":       {Key: "ada@example.com", Display: "ada@example.com", Mailbox: "ada@example.com"},
		"A.B+c@BÜCHER.example":     {Key: "a.b+c@xn--bcher-kva.example", Display: "A.B+c@bücher.example", Mailbox: "A.B+c@xn--bcher-kva.example"},
		"o'hara@sub.example.co.uk": {Key: "o'hara@sub.example.co.uk", Display: "o'hara@sub.example.co.uk", Mailbox: "o'hara@sub.example.co.uk"},
		"x@example。com":            {Key: "x@example.com", Display: "x@example.com", Mailbox: "x@example.com"},
	} {
		got, err := auth.ParseAddress(typed)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", typed, got, err, want)
		}
	}
}

// Each of these has reached somebody else's account, or header, somewhere.
func TestHostileAddressesAreRefused(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"", "@", "ada", "ada@", "@example.com", "ada@@example.com", "ada@localhost", "ada@[127.0.0.1]", "ada@127.0.0.1",
		"\u212aelvin@example.com", "ad\u00e0@example.com", "ada@exam\u200dple.com", "ada\uff20example.com", "ada\u200d@example.com",
		`"a b"@example.com`, "a b@example.com", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\x00", "ada\n@example.com",
		".ada@example.com", "ada.@example.com", "a..da@example.com", "ada@-example.com", "ada@example-.com", "ada@exa_mple.com",
		"ada@example..com", "ada@.example.com", "Ada <ada@example.com>", "ada@example.com,eve@example.com", "ada(comment)@example.com",
		"ada@example.com@evil.com\xff", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a.", 130) + "com",
		"a@" + strings.Repeat("a", 64) + ".com", "0@0\x9c.A", "a@xn--0-q10i.a", "a@exam\u0080ple.com",
	} {
		if got, err := auth.ParseAddress(typed); err == nil {
			t.Errorf("%q is accepted as %+v", typed, got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"ada@example.com", "A@BÜCHER.example", "\u212a@x.de", "a@b@c.de", "a+b@c.de", " a@b.cd "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		a, err := auth.ParseAddress(typed)
		if err != nil {
			return
		}
		again, err := auth.ParseAddress(a.Key)
		if err != nil || again.Key != a.Key {
			t.Errorf("%q has the key %q, whose key is %q, %v", typed, a.Key, again.Key, err)
		}
		for _, form := range []string{a.Key, a.Mailbox} {
			if strings.ContainsFunc(form, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.Count(form, "@") != 1 {
				t.Errorf("%q became %q", typed, form)
			}
		}
	})
}
