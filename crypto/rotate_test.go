package crypto_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
)

func TestRotateDEK(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed, old := b.seal(t, f, "x"), b.active(t, "data", "")
	pepperKID, pepper, err := b.ActiveSubkey(t.Context(), "data", "token-pepper")
	assert.NoError(t, err)

	kid, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	assert.Equal(t, b.active(t, "data", "").ID, kid)
	assert.NotEqual(t, kid, old.ID)
	retired := assert.Must(b.store.Key(t.Context(), old.ID))(t)
	assert.Equal(t, retired.State, crypto.StateDecryptOnly)
	assert.Equal(t, retired.RetiredAt, b.clock.Now())

	b.requireOpens(t, f, sealed, "x")
	assert.Equal(t, assert.Must(crypto.KeyIDOf(b.seal(t, f, "x")))(t), kid)
	newKID, newPepper, err := b.ActiveSubkey(t.Context(), "data", "token-pepper")
	assert.NoError(t, err)
	assert.Equal(t, newKID, kid)
	assert.NotEqual(t, newPepper, pepper)
	verify, err := b.Subkey(t.Context(), "data", "token-pepper", pepperKID)
	assert.NoError(t, err)
	assert.Equal(t, verify, pepper)
	assert.Equal(t, b.states(t), map[crypto.State]int{crypto.StateActive: 3, crypto.StateDecryptOnly: 1})
}

func TestRotationReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	other := b.process(t)
	_, err := other.Seal(t.Context(), f, nil)
	assert.NoError(t, err)
	kid, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	fresh := b.seal(t, f, "x")
	got, err := other.Open(t.Context(), f, fresh) // at once
	assert.NoError(t, err)
	assert.Equal(t, string(got), "x")
	b.clock.add(maxAge)
	sealed, err := other.Seal(t.Context(), f, nil) // after the age of its cache at the latest
	assert.NoError(t, err)
	assert.Equal(t, assert.Must(crypto.KeyIDOf(sealed))(t), kid)
}

func TestRotateNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	for _, s := range [][2]string{{"vault", ""}, {"data", "org-1"}} {
		_, err := b.RotateDEK(t.Context(), s[0], s[1])
		assert.ErrorIs(t, err, crypto.ErrNoActiveKey)
	}
}

func TestRotationRace(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	var wg sync.WaitGroup
	for range 16 {
		k := b.process(t)
		wg.Go(func() {
			if _, err := k.RotateDEK(t.Context(), "data", ""); err != nil {
				assert.ErrorIs(t, err, crypto.ErrKeyChanged)
			}
		})
	}
	wg.Wait()
	states := b.states(t)
	assert.Equal(t, states[crypto.StateActive], 3)
	assert.Equal(t, states[crypto.StatePending], 0)
	assert.True(t, states[crypto.StateDecryptOnly] >= 1, "nobody won")
	b.requireOpens(t, f, sealed, "x")
	assert.NoError(t, b.Check(t.Context()))
}

func TestRotationDuringAnOutageChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	b.kms.Fail(crypto.ErrKMSUnavailable)
	_, err := b.RotateDEK(t.Context(), "data", "")
	assert.ErrorIs(t, err, crypto.ErrKMSUnavailable)
	b.kms.Fail(nil)
	assert.Equal(t, b.states(t), map[crypto.State]int{crypto.StateActive: 3})
	b.store.Fail(problem.ErrUnavailable)
	_, err = b.RotateDEK(t.Context(), "data", "")
	assert.ErrorIs(t, err, problem.ErrUnavailable)
}

// TestRotateDoesNotTrustAForgedRow refuses to build on an active row that a database writer made.
func TestRotateDoesNotTrustAForgedRow(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	row := b.active(t, "data", "")
	row.StateMAC[0] ^= 1
	b.store.PutKey(t, row)
	_, err := b.RotateDEK(t.Context(), "data", "")
	assert.ErrorIs(t, err, crypto.ErrKeyTampered)
}

func TestRewrapInsideTheService(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{TenantPurposes: []string{"data"}})
	assert.NoError(t, b.EnsureTenantKey(t.Context(), "data", "org-1"))
	f := secrets.Field("row", "org-1")
	sealed := b.seal(t, f, "x")
	report, err := b.RewrapKEK(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.RewrapReport{Current: 4})

	b.kms.Rotate()
	calls := b.kms.Calls()
	report, err = b.RewrapKEK(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.RewrapReport{Rewrapped: 4})
	assert.Equal(t, b.kms.Calls(), calls+5) // one version, four rewraps, no unwrap: no data key was shown
	assert.Equal(t, b.active(t, "data", "org-1").KEKVersion, "v2")
	b.kms.DropVersions()
	got, err := b.process(t).Open(t.Context(), f, sealed)
	assert.NoError(t, err)
	assert.Equal(t, string(got), "x")
	report, err = b.RewrapKEK(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.RewrapReport{Current: 4})
}

func TestRewrapToAnotherKMS(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	f := secrets.Field("row", "")
	sealed := b.seal(t, f, "x")
	_, err := b.RotateDEK(t.Context(), "data", "")
	assert.NoError(t, err)
	cfg := b.cfg
	cfg.KMS, cfg.PreviousKMS = cryptotest.NewKMS("memory:new"), []crypto.KMS{b.kms}
	moved := assert.Must(crypto.New(b.store, cfg))(t)
	assert.NoError(t, moved.Init(t.Context()))
	report, err := moved.RewrapKEK(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.RewrapReport{Rewrapped: 4})
	cfg.PreviousKMS = nil
	alone := assert.Must(crypto.New(b.store, cfg))(t)
	assert.NoError(t, alone.Init(t.Context()))
	got, err := alone.Open(t.Context(), f, sealed)
	assert.NoError(t, err)
	assert.Equal(t, string(got), "x")
	_, err = b.process(t).Open(t.Context(), f, sealed)
	assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
}

// brokenKMS answers with success and something that does not unwrap, or with another key's name.
type brokenKMS struct {
	*cryptotest.KMS
	rewrapAs string
}

func (k brokenKMS) Wrap(ctx context.Context, dek []byte, c map[string]string) (crypto.Wrapped, error) {
	w, err := k.KMS.Wrap(ctx, dek, c)
	w.Bytes = append(w.Bytes, 'x')
	return w, err
}

func (k brokenKMS) Rewrap(context.Context, crypto.Wrapped, map[string]string) (crypto.Wrapped, error) {
	return crypto.Wrapped{KEK: k.rewrapAs, Version: "v2", Bytes: []byte("x")}, nil
}

func TestABrokenKMSCostsNoKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	before := assert.Must(b.store.ListKeys(t.Context(), crypto.KeyFilter{}))(t)
	broken := brokenKMS{KMS: cryptotest.NewKMS("memory:broken")}
	cfg := b.cfg
	cfg.KMS, cfg.PreviousKMS = broken, []crypto.KMS{b.kms}
	moved := assert.Must(crypto.New(b.store, cfg))(t)
	_, err := moved.RewrapKEK(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	_, err = moved.RotateDEK(t.Context(), "data", "")
	assert.ErrorIs(t, err, crypto.ErrKeyringMissing)
	b.kms.Rotate()
	cfg.KMS, cfg.PreviousKMS = brokenKMS{KMS: b.kms, rewrapAs: "memory:other"}, nil
	_, err = assert.Must(crypto.New(b.store, cfg))(t).RewrapKEK(t.Context())
	assert.ErrorIs(t, err, crypto.ErrKMSRefused)
	assert.Equal(t, assert.Must(b.store.ListKeys(t.Context(), crypto.KeyFilter{}))(t), before)
}

func TestRewrapStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, crypto.Config{})
	b.kms.Rotate()
	stop := &failingStore{Fake: b.store, after: 1}
	k := assert.Must(crypto.New(stop, b.cfg))(t)
	report, err := k.RewrapKEK(t.Context())
	assert.ErrorIs(t, err, errStop)
	assert.Equal(t, report, crypto.RewrapReport{Rewrapped: 1})
	report, err = b.RewrapKEK(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, report, crypto.RewrapReport{Rewrapped: 2, Current: 1})
}

var errStop = errors.New("stop")

// failingStore fails changes of wrappings and rows after the first few.
type failingStore struct {
	*cryptotest.Fake
	after int
}

func (s *failingStore) ReplaceWrapping(ctx context.Context, id string, old []byte, w crypto.Wrapped) error {
	if s.after--; s.after < 0 {
		return errStop
	}
	return s.Fake.ReplaceWrapping(ctx, id, old, w)
}

func (s *failingStore) ReplaceSealed(ctx context.Context, c crypto.SealedColumn, id string, old, sealed []byte) error {
	if s.after--; s.after < 0 {
		return errStop
	}
	return s.Fake.ReplaceSealed(ctx, c, id, old, sealed)
}
