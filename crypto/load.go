package crypto

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"time"
)

// active returns the active key of a slot, never a stale one.
func (k *Keyring) active(ctx context.Context, s slot, seal bool) (handle, error) {
	return k.fetch(ctx, query{slot: s}, seal)
}

// byID returns the key that an envelope or a stored MAC names. While the KMS is down a stale one serves.
func (k *Keyring) byID(ctx context.Context, id keyID) (handle, error) {
	h, err := k.fetch(ctx, query{id: id, byID: true}, false)
	if err != nil && isUnavailable(err) {
		if h, ok := k.cache.findStale(id, k.now(), k.cfg.Cache.StaleFor); ok {
			return h, nil
		}
	}
	return h, err
}

// fetch finds a key in the cache or loads it. One caller loads, the others wait for it; if it fails for a reason of its
// own, such as the end of its ctx or its broken transaction, the next one tries. A caller inside a transaction waits for
// nobody: it holds a connection, and the one who loads may be waiting for just that.
func (k *Keyring) fetch(ctx context.Context, q query, seal bool) (handle, error) {
	for {
		if h, ok := k.cache.find(q, k.now(), seal); ok {
			return h, nil
		}
		f, leader, err := k.cache.join(q, k.now())
		if err != nil {
			return handle{}, err
		}
		if leader {
			k.stats.misses.Add(1)
			return k.lead(ctx, q, f, seal)
		}
		if k.store.InTransaction(ctx) {
			return k.alone(ctx, q, seal)
		}
		select {
		case <-ctx.Done():
			return handle{}, ctx.Err()
		case <-f.done:
		}
		if f.err == nil || f.shared {
			return k.follow(f, seal)
		}
	}
}

// alone loads for one caller while another flight is under way, whose result is kept.
func (k *Keyring) alone(ctx context.Context, q query, seal bool) (handle, error) {
	k.stats.misses.Add(1)
	e, err := k.load(ctx, q)
	if err != nil {
		return handle{}, k.explain(ctx, q, err)
	}
	if seal {
		k.cache.countSeal(e.id)
	}
	return e.handle, nil
}

// follow takes over the result of a flight that another caller led.
func (k *Keyring) follow(f *flight, seal bool) (handle, error) {
	if f.err == nil && seal {
		k.cache.countSeal(f.h.id)
	}
	return f.h, f.err
}

// lead loads for itself and for those who wait. The flight ends even if the KMS panics.
func (k *Keyring) lead(ctx context.Context, q query, f *flight, seal bool) (handle, error) {
	e, err := (*entry)(nil), error(ErrKMSUnavailable)
	var keep miss
	defer func() { k.cache.land(q, f, e, err, keep) }()
	e, err = k.load(ctx, q)
	if err != nil {
		f.shared = ctx.Err() == nil && !k.store.InTransaction(ctx)
		keep = k.worthKeeping(err)
		return handle{}, k.explain(ctx, q, err)
	}
	if seal {
		e.seals++
	}
	return e.handle, nil
}

// explain logs what an operator must know, and drops a cached key that the key table or the KMS no longer gives.
func (k *Keyring) explain(ctx context.Context, q query, err error) error {
	switch {
	case isUnavailable(err):
		k.cfg.Logger.WarnContext(ctx, "crypto: the KMS is unavailable", slog.Any("error", err))
	case errors.Is(err, ErrUnknownKey), errors.Is(err, ErrNoActiveKey):
		k.cache.drop(q)
	case errors.Is(err, ErrKeyringMissing), errors.Is(err, ErrKeyTampered):
		k.cache.drop(q)
		k.cfg.Logger.ErrorContext(ctx, "crypto: a key cannot be used", slog.Any("error", err))
	}
	return err
}

// worthKeeping says for how long a failure is remembered: those that the next caller would meet as well.
func (k *Keyring) worthKeeping(err error) miss {
	for _, kind := range []error{ErrKMSUnavailable, ErrUnknownKey, ErrNoActiveKey, ErrKeyringMissing, ErrKeyTampered} {
		if errors.Is(err, kind) {
			return miss{err: err, until: k.now().Add(k.cfg.Cache.NegativeFor)}
		}
	}
	return miss{}
}

// load reads and unwraps a key. Its age counts from before the read, so that no change can hide behind a slow KMS.
func (k *Keyring) load(ctx context.Context, q query) (*entry, error) {
	began := k.now()
	row, err := k.read(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := row.usable(); err != nil {
		return nil, err
	}
	id, err := parseKeyID(row.ID)
	if err != nil {
		return nil, err
	}
	dek, err := k.unwrap(ctx, row)
	if err != nil {
		return nil, err
	}
	defer clear(dek)
	return &entry{
		handle:  handle{id: id, slot: slot{row.Purpose, row.Tenant}, dek: [keySize]byte(dek)},
		active:  row.State == StateActive,
		loaded:  began,
		expires: began.Add(k.cfg.Cache.MaxAge - k.jitter()),
		subkeys: make(map[string][keySize]byte),
	}, nil
}

func (k *Keyring) read(ctx context.Context, q query) (Key, error) {
	if q.byID {
		return k.store.Key(ctx, q.id.String())
	}
	row, err := k.store.ActiveKey(ctx, q.slot.purpose, q.slot.tenant)
	if err == nil && (row.State != StateActive || slot{row.Purpose, row.Tenant} != q.slot) {
		return Key{}, ErrNoActiveKey
	}
	return row, err
}

// jitter spreads the reloads of many processes that started together.
func (k *Keyring) jitter() time.Duration {
	var b [2]byte
	if _, err := io.ReadFull(k.cfg.Rand, b[:]); err != nil {
		return 0
	}
	most := k.cfg.Cache.MaxAge * jitterPercent / 100
	return most * time.Duration(binary.BigEndian.Uint16(b[:])) / (1 << 16)
}
