package auth

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/rowscope"
)

// Bounds of a profile.
const (
	maxNameLength  = 128       // code points
	maxImageLength = 2048      // bytes of a picture's URL
	maxImageData   = 64 * 1024 // bytes of a picture given as a data URL
)

// What may prove an address.
const (
	// ProofMail is a mail of ours that somebody answered.
	ProofMail = "mail"
	// ProofHost is the word of the host, or of a superuser.
	ProofHost = "host"
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
	// EmailProof is what proved the address: ProofMail, ProofHost, or the channel of an
	// identity provider, such as provider:google (rule R19). It is empty where nothing
	// did, and where nobody wrote it down.
	EmailProof string
	// Superuser may use the administration of the whole installation.
	Superuser bool
	// SecurityVersion grows with every change of what protects the account;
	// whatever was issued under an older one is dead (rule R1).
	SecurityVersion int64
	// SecondFactorAt is when a second factor was turned on; it is zero for users
	// without one.
	SecondFactorAt time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
	LastSignInAt   time.Time
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

// Profile is what users say about themselves. A nil field stays as it is.
type Profile struct {
	Name *string
	// Image is the URL of a picture or a small data URL; empty takes it away.
	Image *string
}

// clean returns p with its fields cleaned.
func (p Profile) clean() (Profile, error) {
	var cleaned Profile
	if p.Name != nil {
		name, err := CleanName(*p.Name)
		if err != nil {
			return Profile{}, err
		}
		cleaned.Name = &name
	}
	if p.Image != nil {
		image, err := CleanImage(*p.Image)
		if err != nil {
			return Profile{}, err
		}
		cleaned.Image = &image
	}
	return cleaned, nil
}

// UpdateProfile changes a user's profile on behalf of actorID, who is the user or
// a superuser, and returns the user as it then is. It joins the transaction of
// ctx. Errors: ErrInvalidName, ErrInvalidImage, ErrUserNotFound.
func (s *Service) UpdateProfile(ctx context.Context, actorID, userID string, p Profile) (User, error) {
	p, err := p.clean()
	if err != nil {
		return User{}, err
	}
	var user User
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if user, err = s.store.UpdateProfile(ctx, userID, p, s.now()); err != nil {
			return err
		}
		return hook.Call(ctx, s.cfg.Hooks.UserUpdated, UserUpdated{User: user, ActorID: actorID})
	})
	if err != nil {
		return User{}, fmt.Errorf("auth: update a profile: %w", err)
	}
	return user, nil
}

// NewUser describes a user who exists without having signed up: made by a
// superuser, or moved from another system.
type NewUser struct {
	Email, Name, Image string
	// EmailVerified says that the address is known to be the user's. Without it
	// the user cannot sign in before they have proven the mailbox, and then lose
	// what they were given here (rule R4).
	EmailVerified bool
	// Password is what the user starts with, or empty. It is judged by
	// Config.PasswordPolicy.
	Password string
	// PasswordHash is a hash that another system made, or empty. The forms are
	// those of password.ParseImported. The first sign-in replaces it.
	PasswordHash string
	// CreatedAt defaults to now.
	CreatedAt time.Time
	Client    Client
	// ID and Sealed are for CreateProven: the user's id, and what NewPassword returned
	// for a user of that id. They default to a new id, and to no password.
	ID     string
	Sealed []byte
	// InvitationID is for CreateProven, and for UserCreated to say.
	InvitationID string
	// Then, if set, runs when the user is there, in the same transaction: an error
	// of its own takes the user back.
	Then func(ctx context.Context, user User) error
}

// CreateUser makes a user, with what Hooks.UserCreated adds, in one transaction,
// which joins that of ctx. A password is hashed before that; call it outside of one
// where n.Password is not empty. It mails nobody. Errors: ErrInvalidEmail,
// ErrInvalidName, ErrInvalidImage, ErrAddressTaken, those of NewPassword and of
// n.Then, ErrTwoPasswords, password.ErrNotImportable, and password.ErrFirebase and
// password.ErrFIPS for a hash that cannot be verified here.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (User, error) {
	signUp, _, err := s.newSignUp(SignUpParams{Email: n.Email, Name: n.Name, Image: n.Image})
	if err != nil {
		return User{}, err
	}
	user := signUp.preview()
	user.EmailVerified, user.SecurityVersion = n.EmailVerified, 1
	if n.EmailVerified {
		user.EmailProof = ProofHost
	}
	if !n.CreatedAt.IsZero() {
		user.CreatedAt = n.CreatedAt.UTC()
	}
	sealed, kind, err := s.firstPassword(ctx, user, n)
	if err != nil {
		return User{}, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.CreateUser(ctx, user, sealed); err != nil {
			return err
		}
		if kind != "" {
			if err := s.store.MarkImported(ctx, user.ID, kind); err != nil {
				return err
			}
		}
		if err := hook.Call(ctx, s.cfg.Hooks.UserCreated, UserCreated{User: user, Client: n.Client}); err != nil || n.Then == nil {
			return err
		}
		return n.Then(ctx, user)
	})
	if err != nil {
		return User{}, fmt.Errorf("auth: create a user: %w", err)
	}
	return user, nil
}

// firstPassword returns the sealed hash that a user is made with, and of which kind
// it is if another system made it.
func (s *Service) firstPassword(ctx context.Context, user User, n NewUser) (sealed []byte, kind string, err error) {
	switch {
	case n.Password != "" && n.PasswordHash != "":
		return nil, "", ErrTwoPasswords
	case n.Password != "":
		sealed, err = s.NewPassword(ctx, user, n.Password)
		return sealed, "", err
	case n.PasswordHash == "":
		return nil, "", nil
	}
	stored, kind, err := s.importHash(ctx, n.PasswordHash)
	if err != nil {
		return nil, "", err
	}
	if sealed, err = s.cfg.Keys.Seal(ctx, PasswordField(userPassword, user.ID), []byte(stored)); err != nil {
		return nil, "", fmt.Errorf("auth: seal a password hash: %w", err)
	}
	return sealed, kind, nil
}

// Deletion says whom to delete, and why it is permitted.
type Deletion struct {
	UserID string
	// ActorID is the user, or the superuser who deletes the user.
	ActorID string
	// From is the security version under which the deletion was permitted, such as
	// that of the session or of a mailed token. Zero permits it whatever the version
	// is.
	From int64
	// Permit, if set, runs when the user is locked, and may refuse: it consumes the
	// token that permits the deletion.
	Permit func(ctx context.Context) error
	// Notice is the kind of mail that tells the owner; see [Change]. Empty sends
	// none.
	Notice string
	Client Client
}

// DeleteUser deletes a user and, through Hooks, everything that others keep about
// the user, in one transaction, which joins that of ctx. It locks the user before
// anything else, so that whoever is about to write a row that refers to the user
// has either committed, and is seen by the hooks, or finds the user gone (rule
// R3). Hooks.BeforeUserDeleted may refuse. Every session ends. With row security the
// transaction of ctx must be one of the system's scope.
//
// Errors: ErrStale if the security version is no longer d.From, ErrUserNotFound,
// and those of the hooks.
func (s *Service) DeleteUser(ctx context.Context, d Deletion) error {
	if !s.store.InTransaction(ctx) {
		ctx = rowscope.ForSystem(ctx) // the user may be in any organization
	}
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		user, err := s.store.LockUser(ctx, d.UserID)
		switch {
		case err != nil:
			return err
		case d.From != 0 && user.SecurityVersion != d.From:
			return ErrStale
		case d.Permit != nil:
			err = d.Permit(ctx)
		}
		if err != nil {
			return err
		}
		if err := s.remove(ctx, user, d); err != nil {
			return err
		}
		return s.notify(ctx, user, d.Notice)
	})
	if err != nil {
		return fmt.Errorf("auth: delete a user: %w", err)
	}
	return nil
}

// remove deletes a user who is locked, between the hooks.
func (s *Service) remove(ctx context.Context, user User, d Deletion) error {
	before := BeforeUserDeleted{User: user, ActorID: d.ActorID}
	if err := hook.Call(ctx, s.cfg.Hooks.BeforeUserDeleted, before); err != nil {
		return err
	}
	if err := s.cfg.Sessions.EndOthers(ctx, user.ID, "", user.SecurityVersion+1); err != nil {
		return err
	}
	if err := s.store.DeleteUser(ctx, user.ID, user.SecurityVersion); err != nil {
		return err
	}
	return hook.Call(ctx, s.cfg.Hooks.UserDeleted, UserDeleted{User: user, ActorID: d.ActorID, Client: d.Client})
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
