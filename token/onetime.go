package token

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"
)

// Purpose says what a one-time token does, such as "verify-email". It is part of
// the lookup, of the key and of the hash, so that a token made for one purpose
// is nothing to another. It may open with the kind of its tokens and a colon,
// "vrf:verify-email", which shows in the token's text.
type Purpose string

// Kind returns the kind of the purpose's tokens: KindOneTime, unless it names
// another.
func (p Purpose) Kind() Kind {
	if kind, _, ok := strings.Cut(string(p), ":"); ok {
		return Kind(kind)
	}
	return KindOneTime
}

// Valid reports whether p is a name of 1 to 40 lower-case letters, digits and
// hyphens, with a valid kind and a colon before it or not.
func (p Purpose) Valid() bool {
	name := string(p)
	if _, after, ok := strings.Cut(name, ":"); ok {
		name = after
	}
	return p.Kind().Valid() && name != "" && len(name) <= 40 &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// OneTime is a one-time token without its secret.
type OneTime struct {
	ID      string // UUIDv7
	Purpose Purpose
	Subject string // whom or what it acts on: a user, a pending sign-up
	Tenant  string // the organization that owns it, empty if none does

	// SecurityVersion is the version of the subject's state at issue. Who
	// consumes the token must change that state only WHERE it still has this
	// version, so that nothing in flight outlives a reset.
	SecurityVersion int64

	CreatedAt  time.Time
	ExpiresAt  time.Time
	ConsumedAt time.Time       // zero until consumed
	Attempts   int             // see Service.Charge
	Payload    json.RawMessage // the issuer's own, in clear: never a secret
}

// binding ties the hash to everything in the row that decides what the token
// does, so that a row edited in the database opens nothing.
func (t OneTime) binding() Binding {
	row := make([]byte, 0, 256)
	for _, field := range [...]string{t.ID, t.Subject, t.ExpiresAt.UTC().Format(time.RFC3339Nano), string(t.Payload)} {
		row = appendField(row, field)
	}
	row = appendVersion(row, t.SecurityVersion)
	return Binding{Purpose: string(t.Purpose), Row: string(row), Tenant: t.Tenant}
}

// Config is what a Service needs besides its Store.
type Config struct {
	// Peppers hands out the keys of the hashes. Required.
	Peppers Peppers
	// Now is the clock. Defaults to the Store's where it has a method Now, as
	// tokenbun's has, else to time.Now.
	Now func() time.Time
	// Rand is the source of secrets. Defaults to crypto/rand.Reader.
	Rand io.Reader
	// MaxLive bounds the unconsumed tokens of one purpose and subject; issuing
	// another drops the oldest. Defaults to 20.
	MaxLive int
	// Logger gets the reason of each refusal, never a token. Defaults to
	// slog.Default().
	Logger *slog.Logger
}

// Service issues and consumes one-time tokens. It is safe for concurrent use.
type Service struct {
	store   Store
	hasher  *Hasher
	now     func() time.Time
	rand    io.Reader
	maxLive int
	log     *slog.Logger
}

// New returns a Service on store.
func New(store Store, cfg Config) (*Service, error) {
	if store == nil || cfg.Peppers == nil {
		return nil, errors.New("token: New needs a Store and Peppers")
	}
	if cfg.MaxLive < 0 {
		return nil, errors.New("token: MaxLive is negative")
	}
	return &Service{
		store:   store,
		hasher:  NewHasher(cfg.Peppers),
		now:     clock(store, cfg.Now),
		rand:    cfg.Rand,
		maxLive: cmp.Or(cfg.MaxLive, 20),
		log:     cmp.Or(cfg.Logger, slog.Default()),
	}, nil
}

// clock returns now, or its default, in the precision that databases keep.
func clock(store Store, now func() time.Time) func() time.Time {
	if now == nil {
		now = time.Now
		if c, ok := store.(interface{ Now() time.Time }); ok {
			now = c.Now
		}
	}
	return func() time.Time { return now().UTC().Truncate(time.Microsecond) }
}

// validText reports whether s fits a text column of both databases.
func validText(s string) bool {
	return len(s) <= 255 && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}
