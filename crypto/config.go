package crypto

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

const (
	defaultIDColumn   = "id"
	defaultMaxAge     = 10 * time.Minute
	defaultStaleFor   = time.Hour
	defaultNegative   = 2 * time.Second
	defaultCapacity   = 1024
	defaultTimeout    = 5 * time.Second
	defaultRotateDays = 365
	defaultGrace      = time.Hour
	defaultSealLimit  = 1 << 32
	jitterPercent     = 10
)

// Config of a [Keyring]. There is no default KMS: a key that nobody chose is a key that nobody keeps (R28).
type Config struct {
	// KMS wraps the data keys. Required.
	KMS KMS
	// PreviousKMS unwrap keys that RewrapKEK has not moved to KMS yet.
	PreviousKMS []KMS
	// Purposes are the purposes that Init makes keys for. Defaults to data, token and password.
	Purposes []string
	// TenantPurposes are those of Purposes whose fields with a tenant are sealed by that tenant's own key, made by
	// EnsureTenantKey and destroyed by DestroyTenant. There is no fall-back to the shared key, so that what is
	// destroyed is destroyed. Defaults to none.
	TenantPurposes []string
	// Sealed are the columns that Reencrypt, Verify and the counts cover.
	Sealed []SealedColumn
	// Rows reaches the columns in Sealed. Defaults to the Store, where that is a SealedStore too.
	Rows SealedStore
	// InUse are further places that need keys.
	InUse []KIDSource
	// Cache bounds the cache of unwrapped data keys.
	Cache CacheConfig
	// KMSTimeout bounds one call of the KMS. Defaults to 5 seconds.
	KMSTimeout time.Duration
	// RotateAfter is the age at which Status reports that a key is due for rotation. Defaults to 365 days.
	RotateAfter time.Duration
	// RotateAfterSeals is the number of seals at which Status reports the same. Defaults to 2^32.
	RotateAfterSeals int64
	// DestroyGrace is how long a key stays after it was retired before DestroyKey takes it: other processes seal with
	// it until their cache forgets, and their transactions end later still. Defaults to one hour; at least twice
	// Cache.MaxAge.
	DestroyGrace time.Duration
	// Now is the clock. Defaults to time.Now; hosts pass the clock of their database (R32).
	Now func() time.Time
	// Rand makes data keys, key ids and salts; it is safe for concurrent use. Defaults to crypto/rand.Reader. Nonces
	// always come from the system.
	Rand io.Reader
	// Logger gets one line for each change of keys and each outage survived. Defaults to slog.Default().
	Logger *slog.Logger
}

// CacheConfig bounds the cache of unwrapped data keys.
type CacheConfig struct {
	// MaxAge is how long a key is used before it is read and unwrapped again, so how long a change made by another
	// process or in the KMS may stay unseen. Shortened at random by up to a tenth. Defaults to 10 minutes.
	MaxAge time.Duration
	// StaleFor is how much longer a key may open (never seal) while the KMS is unavailable. Defaults to one hour;
	// negative for never.
	StaleFor time.Duration
	// NegativeFor is how long a failure is remembered before the store or KMS is asked again. Defaults to 2 seconds.
	NegativeFor time.Duration
	// Capacity is the number of keys held. Defaults to 1024.
	Capacity int
}

func (c Config) withDefaults(store Store) Config {
	if c.Purposes == nil {
		c.Purposes = []string{PurposeData, PurposeToken, PurposePassword}
	}
	c.Purposes = slices.Compact(slices.Sorted(slices.Values(c.Purposes)))
	c.Sealed = slices.Clone(c.Sealed)
	for i := range c.Sealed {
		c.Sealed[i].IDColumn = or(c.Sealed[i].IDColumn, defaultIDColumn)
	}
	if c.Rows == nil {
		c.Rows, _ = store.(SealedStore)
	}
	c.Cache.MaxAge = or(c.Cache.MaxAge, defaultMaxAge)
	c.Cache.StaleFor = max(or(c.Cache.StaleFor, defaultStaleFor), 0)
	c.Cache.NegativeFor = or(c.Cache.NegativeFor, defaultNegative)
	c.Cache.Capacity = or(c.Cache.Capacity, defaultCapacity)
	c.KMSTimeout = or(c.KMSTimeout, defaultTimeout)
	c.RotateAfter = or(c.RotateAfter, defaultRotateDays*24*time.Hour)
	c.RotateAfterSeals = or(c.RotateAfterSeals, defaultSealLimit)
	c.DestroyGrace = or(c.DestroyGrace, max(defaultGrace, 2*c.Cache.MaxAge))
	if c.Now == nil {
		c.Now = time.Now
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
	for _, p := range c.Purposes {
		if !purposePattern.MatchString(p) {
			return invalid("Purposes", "lower-case letters, digits and hyphens")
		}
	}
	for _, p := range c.TenantPurposes {
		if !slices.Contains(c.Purposes, p) {
			return invalid("TenantPurposes", "must be among Purposes")
		}
	}
	switch {
	case c.KMS == nil:
		return invalid("KMS", "required")
	case c.Cache.MaxAge < 0 || c.Cache.NegativeFor < 0 || c.Cache.Capacity < 0:
		return invalid("Cache", "negative")
	case c.KMSTimeout < 0 || c.RotateAfter < 0 || c.RotateAfterSeals < 0:
		return invalid("KMSTimeout, RotateAfter or RotateAfterSeals", "negative")
	case c.DestroyGrace < 2*c.Cache.MaxAge:
		return invalid("DestroyGrace", "less than twice Cache.MaxAge")
	}
	return c.validateSealed()
}

func (c Config) validateSealed() error {
	if len(c.Sealed) > 0 && c.Rows == nil {
		return invalid("Rows", "required with Sealed, since the store is no SealedStore")
	}
	seen := make(map[string]bool)
	for _, s := range c.Sealed {
		switch {
		case s.validate() != nil:
			return invalid("Sealed", "names must be plain identifiers")
		case !slices.Contains(c.Purposes, s.Purpose):
			return invalid("Sealed", "purpose of "+s.String()+" must be among Purposes")
		case seen[s.String()]:
			return invalid("Sealed", s.String()+" twice")
		}
		seen[s.String()] = true
	}
	for _, s := range c.InUse {
		if s.Name == "" || s.Count == nil {
			return invalid("InUse", "needs a name and a function")
		}
	}
	return nil
}

func invalid(field, why string) error {
	return fmt.Errorf("crypto: Config.%s: %s: %w", field, why, ErrInvalid)
}

// or returns v, or d where v is zero.
func or[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
