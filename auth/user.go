package auth

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of a profile.
const (
	maxNameLength  = 128       // code points
	maxImageLength = 2048      // bytes of a picture's URL
	maxImageData   = 64 * 1024 // bytes of a picture given as a data URL
)

// User is a person with a proven address. A sign-up whose address was never
// proven is a [SignUp], not a User (rule R4).
type User struct {
	// ID is a UUIDv7, made before the address was proven.
	ID string
	// Email is the lookup key; Display is the address as typed.
	Email   string
	Display string
	Name    string
	// Image is the URL of a picture, or empty.
	Image         string
	EmailVerified bool
	// Superuser may use the administration of the whole installation.
	Superuser bool
	// SecurityVersion grows with every change of what protects the account;
	// whatever was issued under an older one is dead (rule R1).
	SecurityVersion int64
	CreatedAt       time.Time
	UpdatedAt       time.Time
	LastSignInAt    time.Time
}

// SignUp is a sign-up that waits for its address to be proven. It is written in
// the same way for addresses that are taken and for those that are free.
type SignUp struct {
	ID string
	// UserID is the id that the user will have.
	UserID string
	// Email is the lookup key; Display is the address as typed.
	Email   string
	Display string
	Name    string
	Image   string
	// Password is the password's hash, sealed for this row; empty for a sign-up
	// without one.
	Password []byte
	// BrowserHash recognises the browser that signed up (rule R5).
	BrowserHash []byte
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// Client describes who sends a request. It serves the list of devices and the
// limits; nothing is decided by it alone.
type Client struct {
	// IP is the zero Addr where it is not known.
	IP        netip.Addr
	UserAgent string
}

// CleanName trims a name and checks it: 1 to 128 printable characters. It returns
// ErrInvalidName otherwise.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxNameLength {
		return "", ErrInvalidName
	}
	if strings.ContainsFunc(name, isUnprintable) || !strings.ContainsFunc(name, isVisible) {
		return "", ErrInvalidName
	}
	return name, nil
}

// isUnprintable finds what has no place in a name: controls, line separators,
// and marks that turn the direction of the text around it.
func isUnprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) || r == utf8.RuneError
}

// isVisible finds what leaves a mark: a name of joiners and fillers alone would be
// a blank.
func isVisible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// CleanImage returns image if it is an http or https URL, or a small picture in
// a data URL, and ErrInvalidImage otherwise. A larger data URL is dropped.
func CleanImage(image string) (string, error) {
	if image == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(image, "data:"); ok {
		return cleanDataURL(image, rest)
	}
	if len(image) > maxImageLength {
		return "", ErrInvalidImage
	}
	u, err := url.Parse(image)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return "", ErrInvalidImage
	}
	return u.String(), nil
}

func cleanDataURL(image, rest string) (string, error) {
	if len(image) > maxImageData {
		return "", nil
	}
	media, data, _ := strings.Cut(rest, ",")
	switch media {
	case "image/png;base64", "image/jpeg;base64", "image/gif;base64", "image/webp;base64":
	default:
		return "", ErrInvalidImage
	}
	if _, err := base64.StdEncoding.DecodeString(data); err != nil {
		return "", ErrInvalidImage
	}
	return image, nil
}
