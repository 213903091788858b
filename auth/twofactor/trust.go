package twofactor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/token"
)

const (
	// TrustLife is how long a browser is trusted after the second factor was proven in
	// it, however often it is used (rule R11).
	TrustLife = 30 * 24 * time.Hour
	// maxTrusted is how many trusted devices a user has at most: one more drops the
	// oldest.
	maxTrusted = 10
)

var _ auth.SecondFactors = (*Service)(nil)

// trustBinding ties the hash of a token to its row and its user's version.
func trustBinding(d TrustedDevice) token.Binding {
	return token.Binding{Purpose: "trusted device", Row: d.ID + "/" + d.UserID + "/" + strconv.FormatInt(d.SecurityVersion, 10)}
}

// newTrust makes a token for the device. What the browser gets begins with the
// device's id, by which a token that was replaced is still known.
func (s *Service) newTrust(ctx context.Context, d TrustedDevice) (auth.Trust, token.Verifier, error) {
	t, err := token.Generate(s.cfg.Rand, token.KindTrust)
	if err != nil {
		return auth.Trust{}, token.Verifier{}, fmt.Errorf("twofactor: make a token: %w", err)
	}
	verifier, err := s.tokens.Hash(ctx, t, trustBinding(d))
	if err != nil {
		return auth.Trust{}, token.Verifier{}, fmt.Errorf("twofactor: hash a token: %w", err)
	}
	return auth.Trust{Token: token.NewSecret(d.ID + "." + t.Secret().Reveal()), Until: d.ExpiresAt}, verifier, nil
}

// Trust implements auth.SecondFactors: the browser skips the second step for 30 days
// from now, unless its user's protection changes. A user has ten such devices at most.
// Hooks.DeviceTrusted runs in the transaction of ctx, in which the door locked the
// user.
func (s *Service) Trust(ctx context.Context, user auth.User, client auth.Client) (auth.Trust, error) {
	id, err := s.newID()
	if err != nil {
		return auth.Trust{}, err
	}
	now := s.now()
	d := TrustedDevice{
		ID: id, UserID: user.ID, SecurityVersion: user.SecurityVersion, Name: s.cfg.DeviceName(client.UserAgent),
		IP: client.IP.Unmap().WithZone(""), CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(TrustLife),
	}
	trust, verifier, err := s.newTrust(ctx, d)
	if err != nil {
		return auth.Trust{}, err
	}
	d.Verifier = verifier
	if err := s.store.AddTrusted(ctx, d, maxTrusted); err != nil {
		return auth.Trust{}, fmt.Errorf("twofactor: trust a device: %w", err)
	}
	return trust, hook.Call(ctx, s.cfg.Auth.Hooks().DeviceTrusted, auth.DeviceTrusted{
		UserID: user.ID, DeviceID: id, Until: d.ExpiresAt, Client: client,
	})
}

// Trusts implements auth.SecondFactors: it replaces the token of a trusted device, once.
// A token that was replaced already, or that only looks like one of the device, ends
// the trust, because nobody can tell whose copy it is; Hooks.TrustReplayed runs. It
// needs a first factor to come here, so strangers end nobody's trust.
func (s *Service) Trusts(ctx context.Context, a auth.TrustedAttempt) (auth.Trust, error) {
	id, raw, ok := strings.Cut(a.Raw, ".")
	if !ok || uuid.Validate(id) != nil {
		return auth.Trust{}, nil
	}
	presented, err := token.Parse(token.KindTrust, raw)
	if err != nil {
		return auth.Trust{}, nil //nolint:nilerr // no token of ours
	}
	d, err := s.store.TrustedByID(ctx, a.UserID, id, s.now())
	if errors.Is(err, ErrTrustNotFound) || err == nil && d.SecurityVersion != a.SecurityVersion {
		return auth.Trust{}, nil
	}
	if err != nil {
		return auth.Trust{}, fmt.Errorf("twofactor: find a trusted device: %w", err)
	}
	switch err := s.tokens.Verify(ctx, presented, trustBinding(d), d.Verifier); {
	case errors.Is(err, token.ErrMismatch):
		return auth.Trust{}, s.replayed(ctx, d, a.Client)
	case err != nil:
		return auth.Trust{}, fmt.Errorf("twofactor: verify a trusted device: %w", err)
	}
	trust, verifier, err := s.newTrust(ctx, d)
	if err != nil {
		return auth.Trust{}, err
	}
	rotated, err := s.store.RotateTrusted(ctx, d.ID, d.Verifier, verifier, a.Client.IP.Unmap().WithZone(""), s.now())
	if err != nil {
		return auth.Trust{}, fmt.Errorf("twofactor: rotate a trusted device: %w", err)
	}
	if !rotated {
		return auth.Trust{}, s.replayed(ctx, d, a.Client)
	}
	return trust, nil
}

// replayed ends the trust in a device of which there are two copies.
func (s *Service) replayed(ctx context.Context, d TrustedDevice, client auth.Client) error {
	dropped, err := s.store.DropTrusted(ctx, d.UserID, d.ID)
	if err != nil {
		return fmt.Errorf("twofactor: end a replayed trust: %w", err)
	}
	if !dropped {
		return nil
	}
	return hook.Call(ctx, s.cfg.Auth.Hooks().TrustReplayed, auth.TrustReplayed{UserID: d.UserID, DeviceID: d.ID, Client: client})
}

// TrustedDevices returns the caller's trusted devices, the one used last first.
func (s *Service) TrustedDevices(ctx context.Context, c account.Caller) ([]TrustedDevice, error) {
	userID, err := c.Person()
	if err != nil {
		return nil, err
	}
	list, err := s.store.ListTrusted(ctx, userID, s.now())
	if err != nil {
		return nil, fmt.Errorf("twofactor: list trusted devices: %w", err)
	}
	return list, nil
}

// RevokeTrusted ends the trust in a device of the caller's. It joins the transaction of
// ctx; Hooks.TrustRevoked runs in it. Errors: ErrTrustNotFound, also for somebody
// else's.
func (s *Service) RevokeTrusted(ctx context.Context, c account.Caller, id string) error {
	userID, err := c.Person()
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		dropped, err := s.store.DropTrusted(ctx, userID, id)
		if err != nil {
			return err
		}
		if !dropped {
			return ErrTrustNotFound
		}
		return hook.Call(ctx, s.cfg.Auth.Hooks().TrustRevoked, auth.TrustRevoked{UserID: userID, DeviceID: id})
	})
	if err != nil {
		return fmt.Errorf("twofactor: revoke a trusted device: %w", err)
	}
	return nil
}
