package passkeytest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/internal/faketx"
)

// Fake is a passkey.Store in memory. Its Fail makes every call return an error.
type Fake struct {
	*faketx.DB[state]
}

var _ passkey.Store = (*Fake)(nil)

type state struct {
	passkeys   map[string]passkey.Passkey // by id
	handles    map[string][]byte          // by user
	ceremonies map[string]passkey.Ceremony
}

func (s state) clone() state {
	return state{passkeys: maps.Clone(s.passkeys), handles: maps.Clone(s.handles), ceremonies: maps.Clone(s.ceremonies)}
}

// NewFake returns an empty Fake.
func NewFake() *Fake {
	return &Fake{faketx.New(state{
		passkeys: map[string]passkey.Passkey{}, handles: map[string][]byte{}, ceremonies: map[string]passkey.Ceremony{},
	}, state.clone)}
}

// Handle implements passkey.PasskeyStore.
func (f *Fake) Handle(ctx context.Context, userID string, fresh []byte) (handle []byte, err error) {
	err = f.Do(ctx, func(s *state) error {
		if s.handles[userID] == nil && len(fresh) > 0 {
			s.handles[userID] = bytes.Clone(fresh)
		}
		if handle = bytes.Clone(s.handles[userID]); handle == nil {
			return passkey.ErrNotFound
		}
		return nil
	})
	return handle, err
}

// Add implements passkey.PasskeyStore.
func (f *Fake) Add(ctx context.Context, p passkey.Passkey) error {
	return f.Do(ctx, func(s *state) error {
		for _, other := range s.passkeys {
			if bytes.Equal(other.CredentialID, p.CredentialID) {
				return passkey.ErrAlreadyRegistered
			}
		}
		s.passkeys[p.ID] = p
		return nil
	})
}

// Passkeys implements passkey.PasskeyStore.
func (f *Fake) Passkeys(ctx context.Context, userID string) (all []passkey.Passkey, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, p := range s.passkeys {
			if p.UserID == userID {
				all = append(all, p)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b passkey.Passkey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// ByCredential implements passkey.PasskeyStore.
func (f *Fake) ByCredential(ctx context.Context, credentialID []byte) (found passkey.Passkey, handle []byte, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, p := range s.passkeys {
			if bytes.Equal(p.CredentialID, credentialID) && s.handles[p.UserID] != nil {
				found, handle = p, bytes.Clone(s.handles[p.UserID])
				return nil
			}
		}
		return passkey.ErrNotFound
	})
	return found, handle, err
}

// Use implements passkey.PasskeyStore.
func (f *Fake) Use(ctx context.Context, u passkey.Use) (used bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		p, ok := s.passkeys[u.ID]
		used = ok && p.UserID == u.UserID && (u.SignCount > p.SignCount || u.SignCount == 0 && p.SignCount == 0)
		if used {
			p.SignCount, p.BackupState, p.LastUsedAt = u.SignCount, u.BackupState, u.At
			s.passkeys[u.ID] = p
		}
		return nil
	})
	return used && err == nil, err
}

// own changes a user's passkey.
func (f *Fake) own(ctx context.Context, userID, id string, change func(s *state, p *passkey.Passkey)) (p passkey.Passkey, err error) {
	err = f.Do(ctx, func(s *state) error {
		var ok bool
		if p, ok = s.passkeys[id]; !ok || p.UserID != userID {
			p = passkey.Passkey{}
			return passkey.ErrNotFound
		}
		change(s, &p)
		return nil
	})
	return p, err
}

// Rename implements passkey.PasskeyStore.
func (f *Fake) Rename(ctx context.Context, userID, id, name string) (passkey.Passkey, error) {
	return f.own(ctx, userID, id, func(s *state, p *passkey.Passkey) {
		p.Name = name
		s.passkeys[id] = *p
	})
}

// Remove implements passkey.PasskeyStore.
func (f *Fake) Remove(ctx context.Context, userID, id string) (passkey.Passkey, error) {
	return f.own(ctx, userID, id, func(s *state, _ *passkey.Passkey) { delete(s.passkeys, id) })
}

// Forget implements passkey.PasskeyStore.
func (f *Fake) Forget(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.passkeys, func(_ string, p passkey.Passkey) bool { return p.UserID == userID })
		maps.DeleteFunc(s.ceremonies, func(_ string, c passkey.Ceremony) bool { return c.UserID == userID })
		delete(s.handles, userID)
		return nil
	})
}

// AddCeremony implements passkey.CeremonyStore.
func (f *Fake) AddCeremony(ctx context.Context, c passkey.Ceremony) error {
	return f.Do(ctx, func(s *state) error { s.ceremonies[c.ID] = c; return nil })
}

// ClaimCeremony implements passkey.CeremonyStore.
func (f *Fake) ClaimCeremony(ctx context.Context, owner, challenge []byte, now time.Time) (claimed passkey.Ceremony, err error) {
	err = f.Do(ctx, func(s *state) error {
		for id, c := range s.ceremonies {
			if bytes.Equal(c.Owner, owner) && bytes.Equal(c.Challenge, challenge) && c.ExpiresAt.After(now) {
				claimed = c
				delete(s.ceremonies, id)
				return nil
			}
		}
		return passkey.ErrCeremonyNotFound
	})
	return claimed, err
}

// PruneCeremonies implements passkey.CeremonyStore.
func (f *Fake) PruneCeremonies(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.ceremonies, func(_ string, c passkey.Ceremony) bool {
			old := !c.ExpiresAt.After(now) && n < limit
			if old {
				n++
			}
			return old
		})
		return nil
	})
	return n, err
}
