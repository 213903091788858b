package authtest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/token"
)

var _ twofactor.Store = (*Fake)(nil)

// SetMailFactor implements twofactor.UserStore.
func (f *Fake) SetMailFactor(ctx context.Context, userID string, on bool) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		if _, ok := s.users[userID]; !ok {
			return auth.ErrUserNotFound
		}
		s.mailFactors[userID] = on
		return nil
	})
}

// MailFactor implements twofactor.UserStore.
func (f *Fake) MailFactor(ctx context.Context, userID string) (on bool, err error) {
	err = f.Do(ctx, func(s *state) error { on = s.mailFactors[userID]; return nil })
	return on && err == nil, err
}

// PutEnrolment implements twofactor.EnrolmentStore.
func (f *Fake) PutEnrolment(ctx context.Context, e twofactor.Enrolment, codes []twofactor.RecoveryCode) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		for id, other := range s.enrolments {
			if other.UserID == e.UserID && other.ConfirmedAt.IsZero() {
				s.dropEnrolment(id)
			}
		}
		e.Secret = slices.Clone(e.Secret)
		s.enrolments[e.ID] = e
		s.putRecovery(e.ID, codes)
		return nil
	})
}

// dropEnrolment takes the recovery codes that wait for it along.
func (s *state) dropEnrolment(id string) {
	delete(s.enrolments, id)
	maps.DeleteFunc(s.recovery, func(_ string, c twofactor.RecoveryCode) bool { return c.Enrolment == id })
}

func (s *state) putRecovery(enrolment string, codes []twofactor.RecoveryCode) {
	for _, c := range codes {
		c.Enrolment, c.Verifier.MAC = enrolment, slices.Clone(c.Verifier.MAC)
		s.recovery[c.ID] = c
	}
}

// EnrolmentOf implements twofactor.EnrolmentStore.
func (f *Fake) EnrolmentOf(ctx context.Context, userID string, confirmed bool) (e twofactor.Enrolment, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, e = range s.enrolments {
			if e.UserID == userID && e.ConfirmedAt.IsZero() != confirmed {
				e.Secret = slices.Clone(e.Secret)
				return nil
			}
		}
		return twofactor.ErrNotEnrolled
	})
	if err != nil {
		return twofactor.Enrolment{}, err
	}
	return e, nil
}

// ConfirmEnrolment implements twofactor.EnrolmentStore.
func (f *Fake) ConfirmEnrolment(ctx context.Context, userID, id string, step int64, now time.Time) (confirmed bool, err error) {
	if err := f.requireTx(ctx); err != nil {
		return false, err
	}
	err = f.Do(ctx, func(s *state) error {
		e, ok := s.enrolments[id]
		if confirmed = ok && e.UserID == userID && e.ConfirmedAt.IsZero(); !confirmed {
			return nil
		}
		for other, o := range s.enrolments {
			if o.UserID == userID && other != id {
				s.dropEnrolment(other)
			}
		}
		s.dropRecovery(userID)
		e.ConfirmedAt, e.LastStep = now, step
		s.enrolments[id] = e
		for codeID, c := range s.recovery {
			if c.Enrolment == id {
				c.Enrolment = ""
				s.recovery[codeID] = c
			}
		}
		return nil
	})
	return confirmed && err == nil, err
}

// dropRecovery deletes the user's valid codes.
func (s *state) dropRecovery(userID string) {
	maps.DeleteFunc(s.recovery, func(_ string, c twofactor.RecoveryCode) bool { return c.UserID == userID && c.Enrolment == "" })
}

// AcceptStep implements twofactor.EnrolmentStore.
func (f *Fake) AcceptStep(ctx context.Context, userID, id string, step int64) (accepted bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		e, ok := s.enrolments[id]
		if accepted = ok && e.UserID == userID && !e.ConfirmedAt.IsZero() && e.LastStep < step; accepted {
			e.LastStep = step
			s.enrolments[id] = e
		}
		return nil
	})
	return accepted && err == nil, err
}

// DropFactors implements twofactor.EnrolmentStore.
func (f *Fake) DropFactors(ctx context.Context, userID string) error {
	return f.Do(ctx, func(s *state) error { s.dropFactors(userID); return nil })
}

func (s *state) dropFactors(userID string) {
	maps.DeleteFunc(s.enrolments, func(_ string, e twofactor.Enrolment) bool { return e.UserID == userID })
	maps.DeleteFunc(s.recovery, func(_ string, c twofactor.RecoveryCode) bool { return c.UserID == userID })
}

// PruneEnrolments implements twofactor.EnrolmentStore.
func (f *Fake) PruneEnrolments(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		for id, e := range s.enrolments {
			if n < limit && e.ConfirmedAt.IsZero() && e.CreatedAt.Before(before) {
				s.dropEnrolment(id)
				n++
			}
		}
		return nil
	})
	return n, err
}

// PutRecoveryCodes implements twofactor.RecoveryStore.
func (f *Fake) PutRecoveryCodes(ctx context.Context, userID string, codes []twofactor.RecoveryCode) error {
	return f.Do(ctx, func(s *state) error {
		s.dropRecovery(userID)
		s.putRecovery("", codes)
		return nil
	})
}

// RecoveryKeys implements twofactor.RecoveryStore.
func (f *Fake) RecoveryKeys(ctx context.Context, userID string) (map[string]int, error) {
	left := map[string]int{}
	err := f.Do(ctx, func(s *state) error {
		for _, c := range s.recovery {
			if c.UserID == userID && c.Enrolment == "" && c.UsedAt.IsZero() {
				left[c.Verifier.KID]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return left, nil
}

// UseRecoveryCode implements twofactor.RecoveryStore.
func (f *Fake) UseRecoveryCode(ctx context.Context, userID string, v token.Verifier, now time.Time) (used bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		for id, c := range s.recovery {
			mine := c.UserID == userID && c.Enrolment == "" && c.UsedAt.IsZero()
			if mine && c.Verifier.KID == v.KID && bytes.Equal(c.Verifier.MAC, v.MAC) {
				c.UsedAt, used = now, true
				s.recovery[id] = c
				return nil
			}
		}
		return nil
	})
	return used && err == nil, err
}

// AddTrusted implements twofactor.TrustStore.
func (f *Fake) AddTrusted(ctx context.Context, d twofactor.TrustedDevice, keep int) error {
	if err := f.requireTx(ctx); err != nil {
		return err
	}
	return f.Do(ctx, func(s *state) error {
		s.trusted[d.ID] = d
		mine := s.trustedOf(d.UserID)
		slices.SortFunc(mine, func(a, b twofactor.TrustedDevice) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		for i, other := range mine {
			if i >= keep || other.SecurityVersion < d.SecurityVersion {
				delete(s.trusted, other.ID)
			}
		}
		return nil
	})
}

func (s *state) trustedOf(userID string) []twofactor.TrustedDevice {
	var mine []twofactor.TrustedDevice
	for _, d := range s.trusted {
		if d.UserID == userID {
			mine = append(mine, d)
		}
	}
	return mine
}

// trusts reports whether the device is trusted.
func (s *state) trusts(d twofactor.TrustedDevice, now time.Time) bool {
	user, ok := s.users[d.UserID]
	return ok && user.SecurityVersion == d.SecurityVersion && d.ExpiresAt.After(now)
}

// TrustedByID implements twofactor.TrustStore.
func (f *Fake) TrustedByID(ctx context.Context, userID, id string, now time.Time) (found twofactor.TrustedDevice, err error) {
	err = f.Do(ctx, func(s *state) error {
		d, ok := s.trusted[id]
		if !ok || d.UserID != userID || !s.trusts(d, now) {
			return twofactor.ErrTrustNotFound
		}
		found = d
		return nil
	})
	return found, err
}

// RotateTrusted implements twofactor.TrustStore.
func (f *Fake) RotateTrusted(ctx context.Context, id string, from, to token.Verifier, ip netip.Addr, now time.Time) (rotated bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		d, ok := s.trusted[id]
		rotated = ok && d.Verifier.KID == from.KID && bytes.Equal(d.Verifier.MAC, from.MAC) && s.trusts(d, now)
		if rotated {
			d.Verifier, d.IP, d.LastUsedAt = to, ip, now
			s.trusted[id] = d
		}
		return nil
	})
	return rotated && err == nil, err
}

// ListTrusted implements twofactor.TrustStore.
func (f *Fake) ListTrusted(ctx context.Context, userID string, now time.Time) (list []twofactor.TrustedDevice, err error) {
	err = f.Do(ctx, func(s *state) error {
		list = slices.DeleteFunc(s.trustedOf(userID), func(d twofactor.TrustedDevice) bool { return !s.trusts(d, now) })
		slices.SortFunc(list, func(a, b twofactor.TrustedDevice) int {
			return cmp.Or(b.LastUsedAt.Compare(a.LastUsedAt), cmp.Compare(b.ID, a.ID))
		})
		return nil
	})
	return list, err
}

// DropTrusted implements twofactor.TrustStore.
func (f *Fake) DropTrusted(ctx context.Context, userID, id string) (dropped bool, err error) {
	err = f.Do(ctx, func(s *state) error {
		if dropped = s.trusted[id].UserID == userID && userID != ""; dropped {
			delete(s.trusted, id)
		}
		return nil
	})
	return dropped && err == nil, err
}

// PruneTrusted implements twofactor.TrustStore.
func (f *Fake) PruneTrusted(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.trusted, func(_ string, d twofactor.TrustedDevice) bool {
			prune := !d.ExpiresAt.After(now) && n < limit
			if prune {
				n++
			}
			return prune
		})
		return nil
	})
	return n, err
}
