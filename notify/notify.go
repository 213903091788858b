package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/cursor"
)

// DefaultKeep is how long notifications are kept if Config says nothing.
const DefaultKeep = 180 * 24 * time.Hour

// Config configures a Service. Categories and Keep are the host's to choose; package
// tenon sets the rest. Fields without "Defaults to" are required.
type Config struct {
	// Categories are the host's own, beside the built-in ones. One that is called
	// CategoryOrganization takes the place of that. Defaults to none.
	Categories []Category
	// Keep is how long a notification is kept, read or not, and its key remembered; at
	// least an hour. Defaults to DefaultKeep.
	Keep time.Duration

	// Users are those of the recipients.
	Users Users
	// Mailer mails what goes by mail. Defaults to nil: nothing goes by mail, and
	// preferences list no such channel.
	Mailer Mailer
	// Keys authenticate cursors; *crypto.Keyring is one.
	Keys cursor.Keys
	// Now is the one clock (rule R32).
	Now func() time.Time
	// Rand defaults to crypto/rand.
	Rand io.Reader
}

// Users is what the package needs of the users; authbun.Store is one.
type Users interface {
	// HoldUsers keeps those of the users who exist from being deleted until the
	// transaction of ctx ends, in the order of their ids, and returns them. Without wait
	// it leaves out whom another transaction is just deleting or changing.
	HoldUsers(ctx context.Context, ids []string, wait bool) (held []string, err error)
}

// Mailer mails notifications.
type Mailer interface {
	// MailNotification mails l to its recipient once the transaction of ctx has
	// committed. A recipient whom no mail reaches, because no address is proven or a
	// budget is used up, is no error: that would take back what the notification is
	// about.
	MailNotification(ctx context.Context, l Letter) error
}

// Letter is a notification that goes by mail.
type Letter struct {
	Item
	// Mutable says that the recipient can turn mails of the category off.
	Mutable bool
	// FromStranger is that of the Notification.
	FromStranger bool
}

// Service is the package's logic. It is safe for concurrent use.
type Service struct {
	store      Store
	cfg        Config
	categories []Category
	channels   []Channel
	cursors    *cursor.Codec
}

// New returns a Service on store. It does no I/O. The error names every field of cfg
// that is missing or wrong.
func New(store Store, cfg Config) (*Service, error) {
	cfg.Keep = cmp.Or(cfg.Keep, DefaultKeep)
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	all, err := categories(cfg.Categories)
	if err := errors.Join(cfg.validate(store), err); err != nil {
		return nil, fmt.Errorf("notify: config: %w", err)
	}
	s := &Service{store: store, cfg: cfg, categories: all, channels: Channels(), cursors: cursor.New(cfg.Keys, "notifications")}
	if cfg.Mailer == nil {
		s.channels = []Channel{InApp}
	}
	return s, nil
}

func (c Config) validate(store Store) error {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, errors.New(field))
		}
	}
	need(store != nil, "a store is required")
	need(c.Users != nil, "Users is required")
	need(c.Keys != nil, "Keys is required")
	need(c.Now != nil, "Now is required")
	need(c.Keep >= time.Hour, "Keep must be an hour or longer")
	return errors.Join(errs...)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// newID returns a UUIDv7.
func (s *Service) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("notify: make an id: %w", err)
	}
	return id.String(), nil
}

// category returns the one of that name.
func (s *Service) category(name string) (Category, error) {
	i := slices.IndexFunc(s.categories, func(c Category) bool { return c.Name == name })
	if i < 0 {
		return Category{}, ErrUnknownCategory
	}
	return s.categories[i], nil
}

// pruneBatch is how many rows one statement of Maintain deletes at most.
const pruneBatch = 1000

// Maintain deletes what was kept for long enough, a thousand rows a statement, until
// none is left or ctx ends.
func (s *Service) Maintain(ctx context.Context) error {
	before := s.now().Add(-s.cfg.Keep)
	for n := pruneBatch; n == pruneBatch; {
		var err error
		if n, err = s.store.PruneItems(ctx, before, pruneBatch); err != nil {
			return fmt.Errorf("notify: prune: %w", err)
		}
	}
	return nil
}

// Forget deletes what is kept about a user, in the transaction of ctx that deletes
// them and in which they are locked.
func (s *Service) Forget(ctx context.Context, userID string) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.ForgetItems(ctx, userID); err != nil {
			return err
		}
		return s.store.ForgetPreferences(ctx, userID)
	})
	if err != nil {
		return fmt.Errorf("notify: forget a user: %w", err)
	}
	return nil
}

// ForgetPreferences makes the defaults the user's choice again, in the transaction of
// ctx: because whoever chose otherwise never proved to own the account (rule R4).
func (s *Service) ForgetPreferences(ctx context.Context, userID string) error {
	if err := s.store.ForgetPreferences(ctx, userID); err != nil {
		return fmt.Errorf("notify: forget preferences: %w", err)
	}
	return nil
}
