package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tenon-go/tenon/token"
)

// How long a device stays known, when it gets a new cookie, and how many a user
// may have.
const (
	deviceLife    = 180 * day
	deviceRenewal = 30 * day
	maxDevices    = 20
)

// Device is a browser that a user has signed in from, with all factors (rule R9).
// It proves nothing and opens nothing: guesses from it are counted apart from those
// of strangers, so that strangers cannot lock its owner out.
type Device struct {
	ID     string // UUIDv7
	UserID string
	// Email is the lookup key of the user's address. Stores read it, and do not
	// write it.
	Email string
	// SecurityVersion is the user's when the device was issued; with another one the
	// device is a stranger's (rule R1).
	SecurityVersion int64
	// Selector finds the row; Verifier recognises the rest of the token.
	Selector  string
	Verifier  token.Verifier
	CreatedAt time.Time
	ExpiresAt time.Time
}

// binding ties the hash to whom the device belongs to.
func (d Device) binding() token.Binding {
	return token.Binding{Purpose: "device", Row: d.ID + "/" + d.UserID + "/" + strconv.FormatInt(d.SecurityVersion, 10)}
}

// KnownDevice returns the device whose cookie raw is, if its user's account is as
// it was when it was issued. Everything else is ErrDeviceNotFound, without I/O if
// raw is no token at all.
func (s *Service) KnownDevice(ctx context.Context, raw string) (Device, error) {
	t, err := token.Parse(token.KindDevice, raw)
	if err != nil {
		return Device{}, ErrDeviceNotFound
	}
	device, err := s.store.DeviceBySelector(ctx, t.Selector(), s.now())
	if err == nil {
		err = s.devices.Verify(ctx, t, device.binding(), device.Verifier)
	}
	switch {
	case errors.Is(err, ErrDeviceNotFound) || errors.Is(err, token.ErrMismatch):
		return Device{}, ErrDeviceNotFound
	case err != nil:
		return Device{}, fmt.Errorf("auth: find a device: %w", err)
	}
	return device, nil
}

// RememberDevice makes the browser that was just given a session a known device of
// its user, and returns the cookie to set: call it where the session is handed
// over, and nowhere before. raw is the cookie that the browser has. The zero Secret
// means that it may keep it: the device is the user's, not a month old, and hashed
// under the key of today.
func (s *Service) RememberDevice(ctx context.Context, grant Grant, raw string) (token.Secret, error) {
	known, err := s.KnownDevice(ctx, raw)
	if err != nil && !errors.Is(err, ErrDeviceNotFound) {
		return token.Secret{}, err
	}
	device, secret, err := s.newDevice(ctx, grant)
	if err != nil {
		return token.Secret{}, err
	}
	young := device.CreatedAt.Sub(known.CreatedAt) < deviceRenewal && device.Verifier.KID == known.Verifier.KID
	if known.UserID == grant.UserID && young {
		return token.Secret{}, nil
	}
	if err := s.store.AddDevice(ctx, device, known.ID, maxDevices); err != nil {
		return token.Secret{}, fmt.Errorf("auth: remember a device: %w", err)
	}
	return secret, nil
}

func (s *Service) newDevice(ctx context.Context, grant Grant) (Device, token.Secret, error) {
	id, err := s.newID()
	if err != nil {
		return Device{}, token.Secret{}, err
	}
	t, err := token.Generate(s.cfg.Rand, token.KindDevice)
	if err != nil {
		return Device{}, token.Secret{}, fmt.Errorf("auth: make a device token: %w", err)
	}
	now := s.now()
	device := Device{
		ID: id, UserID: grant.UserID, SecurityVersion: grant.SecurityVersion,
		Selector: t.Selector(), CreatedAt: now, ExpiresAt: now.Add(deviceLife),
	}
	if device.Verifier, err = s.devices.Hash(ctx, t, device.binding()); err != nil {
		return Device{}, token.Secret{}, fmt.Errorf("auth: hash a device token: %w", err)
	}
	return device, t.Secret(), nil
}
