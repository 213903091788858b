package audit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/cursor"
)

// Keys seal what is personal and hand out the key of the MACs; *crypto.Keyring does,
// with [Purpose] among its purposes.
type Keys interface {
	Seal(ctx context.Context, field crypto.Field, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, field crypto.Field, sealed []byte) ([]byte, error)
	ActiveSubkey(ctx context.Context, purpose, label string) (kid string, key []byte, err error)
	Subkey(ctx context.Context, purpose, label, kid string) ([]byte, error)
}

// The defaults of Config.
const (
	DefaultSealEvery   = 500 * time.Millisecond
	DefaultAnchorEvery = time.Minute
)

// minRetention keeps a typing mistake from emptying the trail.
const minRetention = 24 * time.Hour

// Config configures a [Service]. Only Keys has no default.
type Config struct {
	// Keys seal and authenticate the trail. Required.
	Keys Keys
	// Anchor is handed the head of a chain that grew: the number of its rows and the
	// hash of the last. Kept where those who write to the database cannot change it, it
	// shows what a MAC alone cannot, that somebody put an older state of the whole chain
	// back: see [VerifyParams].Known. It is called outside of transactions, by one
	// process at a time, and has five seconds for all heads that are due, since rows wait
	// for it; after an error it is called again when AnchorEvery is over. Defaults to a
	// line of the log.
	Anchor func(ctx context.Context, h Head) error
	// AnchorEvery is how often the head of one chain is anchored at most. Defaults to
	// DefaultAnchorEvery.
	AnchorEvery time.Duration
	// SealEvery is how often [Service.Run] looks for rows to seal, so about how long a
	// row waits. Defaults to DefaultSealEvery.
	SealEvery time.Duration
	// Retention is how long entries are kept at least; [Service.Maintain] deletes older
	// ones and leaves a signed checkpoint. A day or more. Defaults to for ever.
	Retention time.Duration
	// Logger is told of what was tampered with, and of heads. Defaults to
	// slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to the store's (rule R32).
	Now func() time.Time
	// Rand makes ids and blinds what is hashed. It must be safe for concurrent use.
	// Defaults to crypto/rand.Reader.
	Rand io.Reader
}

// Service keeps the trail. It is safe for concurrent use.
type Service struct {
	store   Store
	cfg     Config
	cursors *cursor.Codec
	made    atomic.Uint32 // ids
	// verified is how many rows one page of a verification looks at.
	verified int64
}

// New returns a Service on store, or says what is wrong with cfg. It does no I/O and
// starts nothing: rows are sealed by [Service.Run] or [Service.Drain].
func New(store Store, cfg Config) (*Service, error) {
	switch {
	case store == nil:
		return nil, errors.New("audit: a store is required")
	case cfg.Keys == nil:
		return nil, errors.New("audit: Config.Keys is required")
	case cfg.AnchorEvery < 0 || cfg.SealEvery < 0:
		return nil, errors.New("audit: Config.AnchorEvery and SealEvery must not be negative")
	case cfg.Retention != 0 && cfg.Retention < minRetention:
		return nil, fmt.Errorf("audit: Config.Retention must be at least %v", minRetention)
	}
	cfg.AnchorEvery = cmp.Or(cfg.AnchorEvery, DefaultAnchorEvery)
	cfg.SealEvery = cmp.Or(cfg.SealEvery, DefaultSealEvery)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Now == nil {
		cfg.Now = store.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	s := &Service{store: store, cfg: cfg, cursors: cursor.New(cfg.Keys, "audit"), verified: maxVerified}
	if s.cfg.Anchor == nil {
		s.cfg.Anchor = s.logHead
	}
	return s, nil
}

// logHead is the default of Config.Anchor.
func (s *Service) logHead(ctx context.Context, h Head) error {
	s.cfg.Logger.InfoContext(ctx, "audit: head of a chain", slog.String("organization_id", h.OrganizationID),
		slog.Int64("count", h.Count), slog.String("head", h.String()))
	return nil
}
