package jwt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tenon-go/tenon/crypto"
)

const (
	// MaxSize is the length of the longest token that is looked at, in bytes.
	MaxSize = 8 << 10
	// MaxTTL is the longest life of a token. It is no setting, so that all processes agree how long a retired key is
	// needed.
	MaxTTL = time.Hour

	defaultTTL          = 10 * time.Minute
	defaultLeeway       = 5 * time.Second
	maxLeeway           = time.Minute
	defaultRotateEvery  = 30 * 24 * time.Hour
	defaultPublishAhead = 24 * time.Hour
	defaultJWKSMaxAge   = 15 * time.Minute
	defaultCacheFor     = 30 * time.Second

	// retireSlack is how much longer a retired key is kept than any token needs it.
	retireSlack = 10 * time.Minute
	// rereadEvery is how often key ids that are not known may cause a read.
	rereadEvery = time.Second
	// readWithin bounds one read of the keys.
	readWithin = 5 * time.Second
)

// Sealer seals private keys for their rows. *crypto.Keyring implements it.
type Sealer interface {
	Seal(ctx context.Context, field crypto.Field, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, field crypto.Field, sealed []byte) ([]byte, error)
}

// Config of a [Service]. Sealer, Issuer, Audience and Now are required.
type Config struct {
	// Sealer seals the private keys. Required.
	Sealer Sealer
	// Issuer is the iss of every token: the site's origin, such as https://example.com. Required.
	Issuer string
	// Audience is the aud of access tokens, which Verify asks for. Required.
	Audience string
	// TTL is the life of a token whose claims name no end. Defaults to 10 minutes; at most MaxTTL.
	TTL time.Duration
	// Leeway is how far in the future a token may have been made, for clocks that differ. The end of a token is exact.
	// Defaults to 5 seconds; at most a minute.
	Leeway time.Duration
	// RotateEvery is how long a key signs. Defaults to 30 days.
	RotateEvery time.Duration
	// PublishAhead is how long a key is published before it signs. Defaults to 24 hours; at least JWKSMaxAge and
	// CacheFor together, and less than RotateEvery.
	PublishAhead time.Duration
	// JWKSMaxAge is how long others may cache the key set. Defaults to 15 minutes.
	JWKSMaxAge time.Duration
	// CacheFor is how long this process goes on with the keys it has read, so how long a key that another process
	// revoked may still verify here. Defaults to 30 seconds; at most 10 minutes.
	CacheFor time.Duration
	// Now is the clock: that of the database (R32). Required.
	Now func() time.Time
	// Rand makes private keys and token ids; it is safe for concurrent use. Defaults to crypto/rand.Reader.
	Rand io.Reader
	// Logger gets one line for each change of keys and each row that does not open. Defaults to slog.Default().
	Logger *slog.Logger
}

// Service mints and verifies tokens and keeps their keys. It is safe for concurrent use.
type Service struct {
	store Store
	cfg   Config
	keys  *cache
}

// New returns a Service over the keys in store. It does no I/O; it returns an error that is [ErrConfig] if cfg is not
// acceptable.
func New(store Store, cfg Config) (*Service, error) {
	if store == nil {
		return nil, fmt.Errorf("jwt: New without a store: %w", ErrConfig)
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Service{store: store, cfg: cfg, keys: &cache{store: store, cfg: cfg}}, nil
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.TTL, defaultTTL},
		{&c.Leeway, defaultLeeway},
		{&c.RotateEvery, defaultRotateEvery},
		{&c.PublishAhead, defaultPublishAhead},
		{&c.JWKSMaxAge, defaultJWKSMaxAge},
		{&c.CacheFor, defaultCacheFor},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	need := func(ok bool, problem string) {
		if !ok {
			errs = append(errs, fmt.Errorf("jwt: Config.%s: %w", problem, ErrConfig))
		}
	}
	need(c.Sealer != nil, "Sealer is required")
	need(c.Now != nil, "Now is required")
	need(validName(c.Issuer), "Issuer is required: at most 255 printable ASCII characters, without quotes and backslashes")
	need(validName(c.Audience), "Audience is required: at most 255 printable ASCII characters, without quotes and backslashes")
	need(c.TTL >= time.Second && c.TTL <= MaxTTL, "TTL must be between a second and an hour")
	need(c.Leeway > 0 && c.Leeway <= maxLeeway, "Leeway must be positive and at most a minute")
	need(c.JWKSMaxAge >= time.Second, "JWKSMaxAge must be a second or more")
	need(c.CacheFor > 0 && c.CacheFor <= retireSlack, "CacheFor must be positive and at most 10 minutes")
	need(c.PublishAhead >= c.JWKSMaxAge+c.CacheFor, "PublishAhead must cover JWKSMaxAge and CacheFor")
	need(c.RotateEvery > c.PublishAhead, "RotateEvery must be longer than PublishAhead")
	return errors.Join(errs...)
}

// retiredFor is how long a key stays after it signed its last token: until that token ran out, in processes and key
// sets that learned late of the change as well.
func (c Config) retiredFor() time.Duration {
	return maxLife + c.Leeway + c.CacheFor + c.JWKSMaxAge + retireSlack
}

// now is the clock without its monotonic part, as the database keeps it.
func (c Config) now() time.Time { return c.Now().UTC().Truncate(time.Microsecond) }
