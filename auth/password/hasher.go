package password

import (
	"cmp"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
)

const (
	saltLen = 16
	tagLen  = 32
)

// Config is the policy. Its zero value is right for most hosts.
type Config struct {
	// Algorithm is Argon2id or PBKDF2SHA256. Defaults to Argon2id, and to
	// PBKDF2SHA256 where FIPS 140 is enforced.
	Algorithm string
	// Memory of one argon2id hash in KiB. Defaults to 19456 (19 MiB).
	Memory uint32
	// Time is the passes of argon2id. Defaults to 2. Memory and Time together
	// must reach one of OWASP's minima: 46 MiB/1, 19 MiB/2, 12 MiB/3, 9 MiB/4,
	// 7 MiB/5.
	Time uint32
	// Parallelism is the lanes of one argon2id hash. Defaults to 1; more does not
	// help a busy server.
	Parallelism uint8
	// Iterations of PBKDF2. Defaults to 600,000, which is the least.
	Iterations int
	// Slots is how many hashes run at once. Defaults to GOMAXPROCS, or fewer
	// where MemoryBudget holds fewer: each takes up to 2 × Memory, because the
	// block of the last one may not be collected yet.
	Slots int
	// MemoryBudget in bytes. Defaults to 256 MiB. A stored hash with more memory
	// than Memory takes several slots.
	MemoryBudget int64
	// QueueTimeout is how long a caller waits for a slot. Defaults to 2 s.
	QueueTimeout time.Duration
	// MaxQueue is how many callers may wait. Defaults to 1024.
	MaxQueue int
	// Firebase is the project whose imported hashes are verified. Defaults to none.
	Firebase Firebase
	// Rand is the source of salts. Defaults to crypto/rand.Reader.
	Rand io.Reader
}

// Hasher hashes and verifies in bounded slots. Make it once and share it: two
// Hashers have two budgets. It is safe for concurrent use.
type Hasher struct {
	policy params
	rand   io.Reader
	slots  *slots
	share  int64 // KiB that one slot stands for

	firebase *firebaseKey

	derive func(p params, password string, salt []byte, length int) ([]byte, error)
}

// New returns a Hasher, or an error that names what is wrong with cfg.
func New(cfg Config) (*Hasher, error) {
	cfg.fill()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("password: config: %w", err)
	}
	project, err := cfg.Firebase.parse()
	if err != nil {
		return nil, fmt.Errorf("password: config: %w", err)
	}
	return &Hasher{
		policy: cfg.policy(),
		rand:   cfg.Rand,
		share:  int64(cfg.Memory),

		firebase: project,

		slots:  newSlots(cfg.Slots, cfg.MaxQueue, cfg.QueueTimeout),
		derive: params.derive,
	}, nil
}

func (c *Config) fill() {
	if c.Algorithm == "" {
		c.Algorithm = Argon2id
		if fips140.Enforced() {
			c.Algorithm = PBKDF2SHA256
		}
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.Memory = cmp.Or(c.Memory, 19<<10)
	c.Time = cmp.Or(c.Time, 2)
	c.Parallelism = cmp.Or(c.Parallelism, 1)
	c.Iterations = cmp.Or(c.Iterations, 600_000)
	c.MemoryBudget = cmp.Or(c.MemoryBudget, 256<<20)
	c.QueueTimeout = cmp.Or(c.QueueTimeout, 2*time.Second)
	c.MaxQueue = cmp.Or(c.MaxQueue, 1024)
	if c.Slots == 0 {
		affordable := c.MemoryBudget / (2 * 1024 * int64(c.Memory))
		c.Slots = max(1, min(runtime.GOMAXPROCS(0), int(affordable)))
	}
}

func (c *Config) validate() error {
	if c.Slots < 1 || c.MaxQueue < 0 || c.QueueTimeout < 0 || c.MemoryBudget < 0 {
		return errors.New("negative Slots, MaxQueue, QueueTimeout or MemoryBudget")
	}
	switch {
	case c.Algorithm == PBKDF2SHA256:
		if c.Iterations < 600_000 || c.Iterations > maxIterations {
			return fmt.Errorf("need 600000 to %d Iterations", maxIterations)
		}
	case c.Algorithm != Argon2id:
		return errors.New("unknown Algorithm")
	case c.Memory > maxMemory || c.Time > maxTime || c.Parallelism > maxThreads || uint64(c.Memory)*uint64(c.Time) > maxWork:
		return errors.New("too much Memory, Time or Parallelism")
	case !strongEnough(c.Memory, c.Time):
		return errors.New("too little Memory and Time: below every OWASP minimum")
	}
	return nil
}

// strongEnough says whether the parameters reach one of the minima that the
// OWASP Password Storage Cheat Sheet states as equal.
func strongEnough(memory, time uint32) bool {
	for _, least := range [...]struct{ mebibytes, time uint32 }{{46, 1}, {19, 2}, {12, 3}, {9, 4}, {7, 5}} {
		if memory >= least.mebibytes<<10 && time >= least.time {
			return true
		}
	}
	return false
}

func (c *Config) policy() params {
	if c.Algorithm == PBKDF2SHA256 {
		return params{algorithm: PBKDF2SHA256, iterations: c.Iterations}
	}
	return params{algorithm: Argon2id, memory: c.Memory, time: c.Time, threads: c.Parallelism}
}

// Hash returns the PHC string of a prepared password with a fresh salt. It
// answers ErrOverloaded, ErrTooLong above MaxBytes, and the context's error if
// that ends in line.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	out, err := h.fresh(0)
	if err != nil {
		return "", err
	}
	err = h.run(ctx, out.params, password, func() (err error) {
		out.tag, err = h.derive(out.params, password, out.salt, tagLen)
		return err
	})
	if err != nil {
		return "", err
	}
	return out.encode(), nil
}

// Verify says whether phc was made from the prepared password, and whether it
// should be made anew because its parameters are not the policy's: with every
// imported hash, so that it is replaced at the first sign-in. An error is neither
// yes nor no: those of Hash, ErrBadHash, and of an imported hash ErrFirebase and
// ErrFIPS. Parameters are bounded before any work.
//
// bcrypt sees 72 bytes only. A longer password never matches it: its owner has to
// choose a new one (ASVS 6.2.8).
func (h *Hasher) Verify(ctx context.Context, phc, password string) (match, needsRehash bool, err error) {
	stored, err := parse(phc)
	if err != nil {
		return false, false, err
	}
	if err := h.allowed(stored); err != nil {
		return false, false, err
	}
	err = h.run(ctx, stored.params, password, func() (err error) {
		match, err = h.match(stored, password)
		return err
	})
	if err != nil {
		return false, false, err
	}
	return match, stored.params != h.policy || len(stored.salt) < saltLen || len(stored.tag) != tagLen, nil
}

// Decoy returns a hash that no password matches: of the kind of an imported hash,
// or with the policy's parameters if kind is empty. Verifying it costs what a real
// one of the kind costs, in the same slots, so that an unknown account answers like
// a known one (ASVS 6.3.8, rule R7). Making it costs nothing: its tag is random.
func (h *Hasher) Decoy(ctx context.Context, kind string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("password: decoy: %w", err)
	}
	if kind != "" {
		return h.decoyOf(kind)
	}
	out, err := h.fresh(tagLen)
	if err != nil {
		return "", err
	}
	return out.encode(), nil
}

// Stats returns how busy the hasher is.
func (h *Hasher) Stats() Stats { return h.slots.stats() }

// fresh returns a hash of the policy with a random salt and a random tag of n
// bytes.
func (h *Hasher) fresh(n int) (hash, error) {
	buf := make([]byte, saltLen+n)
	if _, err := io.ReadFull(h.rand, buf); err != nil {
		return hash{}, fmt.Errorf("password: salt: %w", err)
	}
	return hash{params: h.policy, salt: buf[:saltLen:saltLen], tag: buf[saltLen:]}, nil
}

// run calls fn in as many slots as p takes, if the password is not too long.
func (h *Hasher) run(ctx context.Context, p params, password string, fn func() error) error {
	if len(password) > MaxBytes {
		return ErrTooLong
	}
	return h.slots.run(ctx, h.weight(p), func() error {
		if err := fn(); err != nil {
			return fmt.Errorf("password: derive: %w", err)
		}
		return nil
	})
}

// weight is how many slots a hash takes: as many as its memory would fill.
func (h *Hasher) weight(p params) int64 {
	if p.algorithm == firebase {
		p = h.firebase.params
	}
	return max(1, (int64(p.memory)+h.share-1)/h.share)
}
