package authtest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/token"
)

var _ passwordless.Store = (*Fake)(nil)

// codeOf returns the id of the code of a flow, purpose and address, "" for none.
func (s *state) codeOf(flow []byte, purpose passwordless.Purpose, email string) string {
	for id, c := range s.codes {
		if bytes.Equal(c.Flow, flow) && c.Purpose == purpose && c.Email == email {
			return id
		}
	}
	return ""
}

// PutCode implements passwordless.CodeStore.
func (f *Fake) PutCode(ctx context.Context, c passwordless.Code) error {
	return f.Do(ctx, func(s *state) error {
		delete(s.codes, s.codeOf(c.Flow, c.Purpose, c.Email))
		c.Flow, c.Verifier.MAC = slices.Clone(c.Flow), slices.Clone(c.Verifier.MAC)
		s.codes[c.ID] = c
		return nil
	})
}

// KeepCode implements passwordless.CodeStore.
func (f *Fake) KeepCode(ctx context.Context, c passwordless.Code) error {
	return f.Do(ctx, func(s *state) error {
		id := s.codeOf(c.Flow, c.Purpose, c.Email)
		if id == "" {
			s.codes[c.ID] = c
			return nil
		}
		kept := s.codes[id]
		kept.AskedAt = c.AskedAt
		s.codes[id] = kept
		return nil
	})
}

// FindCode implements passwordless.CodeStore.
func (f *Fake) FindCode(ctx context.Context, flow []byte, purpose passwordless.Purpose, email string) (c passwordless.Code, err error) {
	err = f.Do(ctx, func(s *state) error {
		id := s.codeOf(flow, purpose, email)
		if id == "" {
			return token.ErrNotFound
		}
		c = s.codes[id]
		return nil
	})
	return c, err
}

// TryCode implements passwordless.CodeStore.
func (f *Fake) TryCode(ctx context.Context, id string, limit int, now time.Time) (bool, error) {
	return f.useCode(ctx, id, now, func(c *passwordless.Code) bool {
		if c.Attempts >= limit {
			return false
		}
		c.Attempts++
		return true
	})
}

// ConsumeCode implements passwordless.CodeStore.
func (f *Fake) ConsumeCode(ctx context.Context, id string, now time.Time) (bool, error) {
	return f.useCode(ctx, id, now, func(c *passwordless.Code) bool {
		c.ConsumedAt = now
		return true
	})
}

// useCode changes a code that can still be used.
func (f *Fake) useCode(ctx context.Context, id string, now time.Time, use func(c *passwordless.Code) bool) (used bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		c, ok := s.codes[id]
		if used = ok && c.ConsumedAt.IsZero() && c.ExpiresAt.After(now) && use(&c); used {
			s.codes[id] = c
		}
		return nil
	})
	return used && err == nil, err
}

// DropCodes implements passwordless.CodeStore.
func (f *Fake) DropCodes(ctx context.Context, email string) error {
	return f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.codes, func(_ string, c passwordless.Code) bool { return c.Email == email })
		return nil
	})
}

// PruneCodes implements passwordless.CodeStore.
func (f *Fake) PruneCodes(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.codes, func(_ string, c passwordless.Code) bool {
			old := c.AskedAt.Before(before) && n < limit
			if old {
				n++
			}
			return old
		})
		return nil
	})
	return n, err
}
