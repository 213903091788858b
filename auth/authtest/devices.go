package authtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tenon-go/tenon/auth"
)

// AddDevice implements auth.DeviceStore.
func (f *Fake) AddDevice(ctx context.Context, d auth.Device, replaced string, keep int) error {
	return f.Do(ctx, func(s *state) error {
		if _, ok := s.users[d.UserID]; !ok {
			return auth.ErrUserNotFound
		}
		if s.devices[replaced].UserID == d.UserID {
			delete(s.devices, replaced)
		}
		d.Email = ""
		s.devices[d.ID] = d
		mine := slices.SortedFunc(maps.Values(s.devices), func(a, b auth.Device) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		mine = slices.DeleteFunc(mine, func(other auth.Device) bool { return other.UserID != d.UserID })
		for _, other := range mine {
			if other.SecurityVersion < d.SecurityVersion {
				delete(s.devices, other.ID)
			}
		}
		for _, old := range mine[min(keep, len(mine)):] {
			delete(s.devices, old.ID)
		}
		return nil
	})
}

// DeviceBySelector implements auth.DeviceStore.
func (f *Fake) DeviceBySelector(ctx context.Context, selector string, now time.Time) (found auth.Device, err error) {
	err = f.Do(ctx, func(s *state) error {
		for _, d := range s.devices {
			user, ok := s.users[d.UserID]
			if d.Selector == selector && d.ExpiresAt.After(now) && ok && user.SecurityVersion == d.SecurityVersion {
				found, found.Email = d, user.Email
				return nil
			}
		}
		return auth.ErrDeviceNotFound
	})
	return found, err
}

// PruneDevices implements auth.DeviceStore.
func (f *Fake) PruneDevices(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = f.Do(ctx, func(s *state) error {
		maps.DeleteFunc(s.devices, func(_ string, d auth.Device) bool {
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
