package tokentest

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/token"
)

var _ token.Peppers = (*Peppers)(nil)

// Peppers is a token.Peppers in memory whose roots are fixed by their position,
// so that hashes are the same in every run. It is safe for concurrent use.
type Peppers struct {
	mu     sync.Mutex
	active int
	gone   map[string]bool
	err    error
}

// NewPeppers returns Peppers with one root, whose id is "pep-1".
func NewPeppers() *Peppers { return &Peppers{active: 1, gone: map[string]bool{}} }

// Rotate makes a new root the active one and returns its id. Older roots still
// verify.
func (p *Peppers) Rotate() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active++
	return kid(p.active)
}

// Destroy destroys the root with this id: asking for it is a
// crypto.ErrKeyDestroyed from now on.
func (p *Peppers) Destroy(kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[kid] = true
}

// Fail makes every call return err until Fail(nil).
func (p *Peppers) Fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// ActiveSubkey implements token.Peppers.
func (p *Peppers) ActiveSubkey(ctx context.Context, purpose, label string) (string, []byte, error) {
	p.mu.Lock()
	id := kid(p.active)
	p.mu.Unlock()
	key, err := p.Subkey(ctx, purpose, label, id)
	return id, key, err
}

// Subkey implements token.Peppers.
func (p *Peppers) Subkey(ctx context.Context, purpose, label, id string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, p.err
	}
	if p.gone[id] {
		return nil, crypto.ErrKeyDestroyed
	}
	for n := 1; n <= p.active; n++ {
		if kid(n) == id {
			return hkdf.Key(sha256.New, []byte("tokentest root "+id), nil, purpose+"\x00"+label, 32)
		}
	}
	return nil, fmt.Errorf("tokentest: unknown pepper %q", id)
}

func kid(n int) string { return fmt.Sprintf("pep-%d", n) }
