// Package authtest helps to test package auth and its stores: an in-memory
// Store, the suite that every store must pass, and a service with cheap parts.
package authtest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/auth/password"
	"github.com/tenon-go/tenon/auth/passwordless"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/internal/faketx"
)

// Fake is an auth.Store in memory. It is safe for concurrent use; NewFake makes
// one. Its Fail method stands for a database that is down.
type Fake struct {
	*faketx.DB[state]
}

var _ auth.Store = (*Fake)(nil)

type state struct {
	users     map[string]auth.User
	passwords map[string][]byte
	kinds     map[string]string
	bans      map[string]admin.Ban
	setAt     map[string]time.Time // of passwords
	claims    map[string]string
	signUps   map[string]auth.SignUp
	codes     map[string]passwordless.Code
	guesses   map[counterKey]counter
	budgets   map[counterKey]counter
	devices   map[string]auth.Device

	challenges map[string]challenge

	enrolments  map[string]twofactor.Enrolment
	recovery    map[string]twofactor.RecoveryCode
	mailFactors map[string]bool
	trusted     map[string]twofactor.TrustedDevice
}

type counterKey struct{ scope, target string }

type counter struct {
	count int
	at    time.Time
}

func (s state) clone() state {
	return state{
		users: maps.Clone(s.users), passwords: maps.Clone(s.passwords), kinds: maps.Clone(s.kinds), setAt: maps.Clone(s.setAt), bans: maps.Clone(s.bans),
		claims: maps.Clone(s.claims), signUps: maps.Clone(s.signUps), codes: maps.Clone(s.codes),
		guesses: maps.Clone(s.guesses), budgets: maps.Clone(s.budgets), devices: maps.Clone(s.devices), challenges: maps.Clone(s.challenges),
		enrolments: maps.Clone(s.enrolments), recovery: maps.Clone(s.recovery), mailFactors: maps.Clone(s.mailFactors), trusted: maps.Clone(s.trusted),
	}
}

// NewFake returns an empty Fake.
func NewFake() *Fake {
	return &Fake{faketx.New(state{
		users: map[string]auth.User{}, passwords: map[string][]byte{}, kinds: map[string]string{}, setAt: map[string]time.Time{}, bans: map[string]admin.Ban{},
		claims: map[string]string{}, signUps: map[string]auth.SignUp{}, codes: map[string]passwordless.Code{},
		guesses: map[counterKey]counter{}, budgets: map[counterKey]counter{}, devices: map[string]auth.Device{}, challenges: map[string]challenge{},
		enrolments: map[string]twofactor.Enrolment{}, recovery: map[string]twofactor.RecoveryCode{}, mailFactors: map[string]bool{}, trusted: map[string]twofactor.TrustedDevice{},
	}, state.clone)}
}

// Ban bans a user.
func (f *Fake) Ban(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error { s.bans[userID] = admin.Ban{UserID: userID}; return nil })
}

// CreateUser implements auth.UserStore.
func (f *Fake) CreateUser(ctx context.Context, user auth.User, password []byte) error {
	return f.Do(ctx, func(s *state) error {
		for _, other := range s.users {
			if other.Email == user.Email {
				return auth.ErrAddressTaken
			}
		}
		s.users[user.ID] = user
		if len(password) > 0 {
			s.passwords[user.ID], s.setAt[user.ID] = slices.Clone(password), user.UpdatedAt
		}
		return nil
	})
}

// UserByEmail implements auth.UserStore.
func (f *Fake) UserByEmail(ctx context.Context, email string) (user auth.User, password []byte, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, u := range s.users {
			if u.Email == email {
				user, password = u, slices.Clone(s.passwords[u.ID])
				return nil
			}
		}
		return auth.ErrUserNotFound
	})
	return user, password, err
}

// UserByID implements auth.UserStore.
func (f *Fake) UserByID(ctx context.Context, id string) (user auth.User, err error) {
	err = f.Do(ctx, func(s *state) error {
		var ok bool
		if user, ok = s.users[id]; !ok {
			return auth.ErrUserNotFound
		}
		return nil
	})
	return user, err
}

// Hold implements auth.UserStore.
func (f *Fake) Hold(ctx context.Context, id string) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	_, err := f.UserByID(ctx, id)
	return err
}

// RaiseVersion implements auth.UserStore.
func (f *Fake) RaiseVersion(ctx context.Context, id string) (version int64, err error) {
	if err := f.requireTx(ctx); err != nil {
		return 0, err
	}
	err = f.Do(ctx, func(s *state) error {
		user, ok := s.users[id]
		if !ok {
			return auth.ErrUserNotFound
		}
		user.SecurityVersion++
		s.users[id], version = user, user.SecurityVersion
		return nil
	})
	return version, err
}

// Admit implements auth.UserStore.
func (f *Fake) Admit(ctx context.Context, a auth.Admission) (enrolled bool, err error) {
	if err := f.requireTx(ctx); err != nil {
		return false, err
	}
	err = f.Do(ctx, func(s *state) error {
		user, ok := s.users[a.UserID]
		if !ok || user.SecurityVersion != a.SecurityVersion || s.isBanned(a.UserID, a.At) {
			return auth.ErrNotAdmitted
		}
		delete(s.bans, a.UserID)
		if enrolled = !user.SecondFactorAt.IsZero(); !enrolled || a.Done {
			user.LastSignInAt = a.At
		}
		s.users[a.UserID] = user
		s.refund(a.Guess)
		return nil
	})
	return enrolled && err == nil, err
}

// SetVerified implements auth.ProofStore.
func (f *Fake) SetVerified(ctx context.Context, userID, proof string, now time.Time) (changed bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		user, ok := s.users[userID]
		if !ok {
			return auth.ErrUserNotFound
		}
		if changed = !user.EmailVerified; changed {
			user.EmailVerified, user.EmailProof, user.UpdatedAt = true, proof, now
			s.users[userID] = user
		}
		return nil
	})
	return changed && err == nil, err
}

// Password implements auth.CredentialStore.
func (f *Fake) Password(ctx context.Context, userID string) (sealed []byte, err error) {
	err = f.Do(ctx, func(s *state) error {
		if _, ok := s.users[userID]; !ok {
			return auth.ErrUserNotFound
		}
		sealed = slices.Clone(s.passwords[userID])
		return nil
	})
	return sealed, err
}

// SetPassword implements auth.CredentialStore.
func (f *Fake) SetPassword(ctx context.Context, userID string, sealed []byte, now time.Time) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		s.setPassword(userID, sealed, now)
		return nil
	})
}

func (s *state) setPassword(userID string, sealed []byte, now time.Time) {
	s.passwords[userID], s.setAt[userID] = slices.Clone(sealed), now
	delete(s.kinds, userID)
}

// MarkImported implements auth.KindStore.
func (f *Fake) MarkImported(ctx context.Context, userID, kind string) error {
	return f.Do(ctx, func(s *state) error {
		if len(s.passwords[userID]) > 0 {
			s.kinds[userID] = kind
		}
		return nil
	})
}

// PasswordKinds implements auth.KindStore.
func (f *Fake) PasswordKinds(ctx context.Context) (mix password.Mix, err error) {
	err = f.Do(ctx, func(s *state) error {
		if len(s.kinds) == 0 {
			return nil
		}
		mix = s.count()
		return nil
	})
	return mix, err
}

// maxKinds is how many kinds are told apart.
const maxKinds = 32

func (s *state) count() password.Mix {
	all := password.Mix{"": 0}
	for userID, sealed := range s.passwords {
		if len(sealed) > 0 {
			all[s.kinds[userID]]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[b], all[a]), cmp.Compare(a, b))
	})
	mix := password.Mix{"": all[""]}
	for _, kind := range frequent {
		if len(mix) <= maxKinds {
			mix[kind] = all[kind]
		}
	}
	return mix
}

// ReplacePassword implements auth.CredentialStore.
func (f *Fake) ReplacePassword(ctx context.Context, userID string, old, sealed []byte, now time.Time) (replaced bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		if replaced = bytes.Equal(s.passwords[userID], old) && len(old) > 0; replaced {
			s.setPassword(userID, sealed, now)
		}
		return nil
	})
	return replaced && err == nil, err
}

// ClaimSuperuser implements auth.UserStore.
func (f *Fake) ClaimSuperuser(ctx context.Context, email, userID string, _ time.Time) (claimed bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		if _, taken := s.claims[email]; taken {
			return nil
		}
		s.claims[email], claimed = userID, true
		user := s.users[userID]
		user.Superuser = true
		s.users[userID] = user
		return nil
	})
	return claimed && err == nil, err
}

// AddSignUp implements auth.SignUpStore.
func (f *Fake) AddSignUp(ctx context.Context, p auth.SignUp) error {
	return f.Do(ctx, func(s *state) error { s.signUps[p.ID] = p; return nil })
}

// DropSignUps implements auth.SignUpStore.
func (f *Fake) DropSignUps(ctx context.Context, email string, keep int, newest bool) error {
	return f.Do(ctx, func(s *state) error {
		waiting := s.waiting(email)
		if newest {
			slices.Reverse(waiting)
		}
		for _, p := range waiting[min(keep, len(waiting)):] {
			delete(s.signUps, p.ID)
		}
		return nil
	})
}

// waiting returns the sign-ups of an address, newest first.
func (s *state) waiting(email string) []auth.SignUp {
	var found []auth.SignUp
	for _, p := range s.signUps {
		if p.Email == email {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b auth.SignUp) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return found
}

// NewestSignUp implements auth.SignUpStore.
func (f *Fake) NewestSignUp(ctx context.Context, email string, now time.Time) (signUp auth.SignUp, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, p := range s.waiting(email) {
			if p.ExpiresAt.After(now) {
				signUp = p
				return nil
			}
		}
		return auth.ErrSignUpNotFound
	})
	return signUp, err
}

// SignUpByID implements auth.SignUpStore.
func (f *Fake) SignUpByID(ctx context.Context, id string, now time.Time) (signUp auth.SignUp, err error) {
	err = f.Do(ctx, func(s *state) error {
		p, ok := s.signUps[id]
		if !ok || !p.ExpiresAt.After(now) {
			return auth.ErrSignUpNotFound
		}
		signUp = p
		return nil
	})
	return signUp, err
}

// ClaimSignUp implements auth.SignUpStore.
func (f *Fake) ClaimSignUp(ctx context.Context, email, id string, now time.Time) error {
	return f.Do(ctx, func(s *state) error {
		p, ok := s.signUps[id]
		if !ok || p.Email != email || !p.ExpiresAt.After(now) {
			return auth.ErrSignUpNotFound
		}
		maps.DeleteFunc(s.signUps, func(_ string, p auth.SignUp) bool { return p.Email == email })
		return nil
	})
}

// PruneSignUps implements auth.SignUpStore.
func (f *Fake) PruneSignUps(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.signUps, func(_ string, p auth.SignUp) bool {
			prune := !p.ExpiresAt.After(now) && n < limit
			if prune {
				n++
			}
			return prune
		})
		return nil
	})
	return n, err
}

func (f *Fake) requireTx(ctx context.Context) error {
	if !f.InTransaction(ctx) {
		return errNoTransaction
	}
	return nil
}
