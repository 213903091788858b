package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// RotateDEK makes a new active key for purpose (and tenant, if it is not empty) and retires the old one, which goes on
// opening what it sealed. It returns the id of the new key. Other processes seal with the old key until their cache
// forgets it, at most CacheConfig.MaxAge; Reencrypt then moves the rows.
//
// Errors: [ErrNoActiveKey] if there is nothing to rotate, [ErrKeyChanged] if another rotation was faster (its key is as
// new as this one would have been), [ErrInTransaction], and those of Seal.
func (k *Keyring) RotateDEK(ctx context.Context, purpose, tenant string) (kid string, err error) {
	if err := k.refuseTransaction(ctx, "rotate"); err != nil {
		return "", err
	}
	old, err := k.store.ActiveKey(ctx, purpose, tenant)
	if err != nil {
		return "", fmt.Errorf("crypto: rotate: %w", err)
	}
	retire, err := k.transition(ctx, old, StateDecryptOnly)
	if err != nil {
		return "", fmt.Errorf("crypto: rotate: %w", err)
	}
	// The new key is stored, and has been read back through the KMS, before the old one is let go.
	next, err := k.newKey(ctx, slot{purpose, tenant}, StatePending)
	if err != nil {
		return "", fmt.Errorf("crypto: rotate: %w", err)
	}
	if err := k.store.InsertKeys(ctx, next); err != nil {
		return "", fmt.Errorf("crypto: rotate: %w", err)
	}
	activate, err := k.transition(ctx, next, StateActive)
	if err == nil {
		err = k.store.ChangeStates(ctx, retire, activate)
	}
	k.forget(old.ID, next.ID) // after an error too: a commit may have been done and its answer lost
	if err != nil {
		discard := StateChange{ID: next.ID, From: StatePending, To: StateDestroyed, At: k.now()}
		return "", fmt.Errorf("crypto: rotate: %w", errors.Join(err, k.store.ChangeStates(ctx, discard)))
	}
	k.cfg.Logger.InfoContext(ctx, "crypto: key rotated", slog.String("purpose", purpose),
		slog.String("old", old.ID), slog.String("new", next.ID))
	return next.ID, nil
}

// transition unwraps a key to authenticate its next state. This refuses a row whose present state is forged.
func (k *Keyring) transition(ctx context.Context, row Key, to State) (StateChange, error) {
	dek, err := k.unwrap(ctx, row)
	if err != nil {
		return StateChange{}, err
	}
	defer clear(dek)
	change := StateChange{ID: row.ID, From: row.State, To: to}
	if to == StateDecryptOnly {
		change.At = k.now()
		row.RetiredAt = change.At
	}
	row.State = to
	change.StateMAC, err = row.stateMAC(dek)
	return change, err
}

func (k *Keyring) forget(kids ...string) {
	ids := make([]keyID, 0, len(kids))
	for _, kid := range kids {
		if id, err := parseKeyID(kid); err == nil {
			ids = append(ids, id)
		}
	}
	k.cache.forget(ids...)
}

// RewrapReport says what RewrapKEK did.
type RewrapReport struct {
	Rewrapped int // rows now under the newest version of Config.KMS
	Current   int // rows that were there already
	Lost      int // rows that someone else changed meanwhile
}

// RewrapKEK moves every wrapped key to the newest version of Config.KMS: after that key was rotated in its service, or
// after Config.KMS was replaced and the old one became a PreviousKMS. It touches rows of the key table only, and may be
// stopped and run again at any time. Where the service can rewrap, no data key is shown to this process. Every process
// must know the new KMS (as a PreviousKMS, if not yet as its KMS) before the first one calls RewrapKEK.
//
// It stops at the first error, with the report so far. Errors: [ErrKeyringMissing], [ErrKMSUnavailable],
// [ErrKMSRefused], [ErrInTransaction], those of the store.
func (k *Keyring) RewrapKEK(ctx context.Context) (report RewrapReport, err error) {
	if err := k.refuseTransaction(ctx, "rewrap"); err != nil {
		return report, err
	}
	version, err := k.newestVersion(ctx)
	if err != nil {
		return report, fmt.Errorf("crypto: rewrap: %w", err)
	}
	live := KeyFilter{States: []State{StatePending, StateActive, StateDecryptOnly}}
	err = k.eachKey(ctx, live, func(row Key) error {
		if row.KEK == k.cfg.KMS.URI() && row.KEKVersion == version {
			report.Current++
			return nil
		}
		err := k.rewrap(ctx, row)
		switch {
		case err == nil:
			report.Rewrapped++
		case errors.Is(err, ErrKeyChanged):
			report.Lost++
			return nil
		}
		return err
	})
	if err != nil {
		return report, fmt.Errorf("crypto: rewrap: %w", err)
	}
	k.cfg.Logger.InfoContext(ctx, "crypto: keys rewrapped", slog.Int("rewrapped", report.Rewrapped),
		slog.Int("current", report.Current), slog.Int("lost", report.Lost))
	return report, nil
}

func (k *Keyring) newestVersion(ctx context.Context) (version string, err error) {
	versioned, ok := k.cfg.KMS.(Rewrapper)
	if !ok {
		return "", nil
	}
	err = k.callKMS(ctx, "key version", func(ctx context.Context) (err error) {
		version, err = versioned.Version(ctx)
		return err
	})
	return version, err
}

func (k *Keyring) rewrap(ctx context.Context, row Key) error {
	move := k.moveWrapping
	service, ok := k.cfg.KMS.(Rewrapper)
	if ok && row.KEK == k.cfg.KMS.URI() {
		move = func(ctx context.Context, row Key) (Wrapped, error) { return k.rewrapInside(ctx, service, row) }
	}
	w, err := move(ctx, row)
	if err != nil || bytes.Equal(w.Bytes, row.Wrapped) {
		return err
	}
	return k.store.ReplaceWrapping(ctx, row.ID, row.Wrapped, w)
}

// rewrapInside lets the service do it. What it returns cannot be tried out without showing the data key, so all that
// can be seen from outside is checked before the old wrapping is given up.
func (k *Keyring) rewrapInside(ctx context.Context, service Rewrapper, row Key) (w Wrapped, err error) {
	err = k.callKMS(ctx, "rewrap", func(ctx context.Context) (err error) {
		w, err = service.Rewrap(ctx, row.wrapped(), row.kmsContext())
		return err
	})
	if err == nil && (w.KEK != row.KEK || len(w.Bytes) == 0) {
		err = fmt.Errorf("crypto: rewrap answered for another key: %w", ErrKMSRefused)
	}
	return w, err
}

// moveWrapping unwraps with the old KMS, wraps with the new one, and tries out what it got.
func (k *Keyring) moveWrapping(ctx context.Context, row Key) (w Wrapped, err error) {
	dek, err := k.unwrap(ctx, row)
	if err != nil {
		return w, err
	}
	defer clear(dek)
	w, err = k.wrap(ctx, row, dek)
	if err != nil {
		return w, err
	}
	row.KEK, row.KEKVersion, row.Wrapped = w.KEK, w.Version, w.Bytes
	return w, k.examineKey(ctx, row)
}
