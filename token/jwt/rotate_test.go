package jwt_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token/jwt"
)

const day = 24 * time.Hour

// published returns the key ids of the key set.
func published(t testing.TB, s *jwt.Service) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	assert.NoError(t, json.Unmarshal(assert.Must(s.JWKS(t.Context()))(t), &set))
	ids := []string{}
	for _, k := range set.Keys {
		ids = append(ids, k.KeyID)
	}
	return ids
}

// A week of hourly maintenance with a key for two days, seen by somebody who fetches the key set as rarely as its Cache-Control allows and
// verifies nothing but from that copy: every token that lives is good, there and here.
func TestRotationIsNoticedByNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *jwt.Config) { cfg.RotateEvery = 2 * day })
	elsewhere := w.process(t) // never maintains, learns by its cache
	signers, fetched, copied := map[string]bool{}, time.Time{}, []string(nil)
	var live []string // tokens made in the last ten minutes
	for step := range 7 * 24 * 6 {
		if step%6 == 0 {
			assert.NoError(t, w.Maintain(t.Context()))
		}
		raw := mint(t, elsewhere, w.claims())
		live = append(live, raw)[max(0, len(live)-1):]
		if now := w.clock.Now(); now.Sub(fetched) >= 15*time.Minute {
			fetched, copied = now, published(t, elsewhere)
		}
		for _, token := range live {
			assert.True(t, slices.Contains(copied, kidOf(t, token)), "the key is in everybody's copy")
			for _, s := range []*jwt.Service{w.Service, elsewhere} {
				_, err := s.Verify(t.Context(), token)
				assert.NoError(t, err)
			}
		}
		signers[kidOf(t, raw)] = true
		assert.True(t, len(published(t, w.Service)) <= 2, "old keys go")
		w.clock.Advance(10*time.Minute - time.Second)
	}
	assert.Equal(t, len(signers), 4)
}

func kidOf(t testing.TB, raw string) string {
	t.Helper()
	header, _, _ := cut(raw)
	var h struct {
		KeyID string `json:"kid"`
	}
	assert.NoError(t, json.Unmarshal(unb64(t, header), &h))
	return h.KeyID
}

func TestTheStagesOfAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counts := func(want ...int) {
		t.Helper()
		for i, state := range []jwt.State{jwt.StatePublished, jwt.StateSigning, jwt.StateRetired} {
			if got := len(w.keys(t, state)); got != want[i] {
				t.Errorf("%d keys are %s, want %d", got, state, want[i])
			}
		}
	}
	assert.NoError(t, w.Init(t.Context()))
	first := w.signing(t)
	counts(0, 1, 0)
	for _, step := range []struct {
		wait time.Duration
		want [3]int
		what string
	}{
		{29*day - time.Microsecond, [3]int{0, 1, 0}, "too early to publish"},
		{time.Microsecond, [3]int{1, 1, 0}, "published a day ahead"},
		{day - time.Microsecond, [3]int{1, 1, 0}, "too early to sign"},
		{time.Microsecond, [3]int{0, 1, 1}, "the next signs, the first is retired"},
		{time.Hour + 25*time.Minute, [3]int{0, 1, 1}, "its tokens may live, in copies too"},
		{time.Minute, [3]int{0, 1, 0}, "nobody needs it"},
	} {
		w.clock.Advance(step.wait)
		for range 3 {
			assert.NoError(t, w.Maintain(t.Context()))
		}
		t.Log(step.what)
		counts(step.want[:]...)
	}
	assert.NotEqual(t, w.signing(t), first)
}

// A key signs only after it was published for long enough, however late maintenance comes.
func TestLateMaintenanceStillPublishesAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.NoError(t, w.Init(t.Context()))
	first := w.signing(t)
	w.clock.Advance(365 * day)
	assert.NoError(t, w.Maintain(t.Context()))
	assert.Equal(t, w.signing(t), first)
	w.clock.Advance(day - time.Second)
	assert.NoError(t, w.Maintain(t.Context()))
	assert.Equal(t, w.signing(t), first)
	w.clock.Advance(time.Second)
	assert.NoError(t, w.Maintain(t.Context()))
	assert.NotEqual(t, w.signing(t), first)
}

// A retired key stops by the clock, even where nobody deletes its row and its private half leaks later.
func TestARetiredKeyStopsWithoutMaintenance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedKey(t))
	assert.NoError(t, w.Init(t.Context()))
	row := w.keys(t, jwt.StateSigning)[0]
	row.State, row.RetiredAt = jwt.StateRetired, w.clock.Now()
	assert.NoError(t, w.store.Put(t.Context(), row))
	stolen := func() string {
		now := w.clock.Now().Unix()
		return forge(t, goodHeader, payload(t, map[string]any{"iat": now, "exp": now + 60}))
	}
	w.clock.Advance(time.Hour)
	_, err := w.Verify(t.Context(), stolen())
	assert.NoError(t, err)
	w.clock.Advance(time.Hour)
	refused(t, w.Service, "two hours after it retired", stolen())
	assert.Len(t, published(t, w.Service), 0)
}

func TestRevokedKeysAreRefusedWithinTheCacheBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := w.process(t)
	raw := mint(t, w.Service, w.claims())
	_, err := elsewhere.Verify(t.Context(), raw)
	assert.NoError(t, err)
	kid := w.signing(t)
	assert.NoError(t, w.Revoke(t.Context(), kid))
	refused(t, w.Service, "here, at once", raw)
	w.clock.Advance(30 * time.Second)
	refused(t, elsewhere, "elsewhere, within the bound", raw)
	next := mint(t, w.Service, w.claims())
	assert.NotEqual(t, kidOf(t, next), kid)
	for _, s := range []*jwt.Service{w.Service, elsewhere} {
		_, err := s.Verify(t.Context(), next)
		assert.NoError(t, err)
		assert.False(t, slices.Contains(published(t, s), kid), "in the key set")
	}
	assert.ErrorIs(t, w.Revoke(t.Context(), kid), jwt.ErrUnknownKey)
}

// The key that everybody knows already takes the place of the revoked one.
func TestRevokePromotesThePublishedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.NoError(t, w.Init(t.Context()))
	w.clock.Advance(29 * day)
	assert.NoError(t, w.Maintain(t.Context()))
	next := w.keys(t, jwt.StatePublished)[0].ID
	assert.NoError(t, w.Revoke(t.Context(), w.signing(t)))
	assert.Equal(t, w.signing(t), next)
	assert.Len(t, w.keys(t, jwt.StatePublished), 0)
	// And a published key can be revoked before it ever signs.
	w.clock.Advance(29 * day)
	assert.NoError(t, w.Maintain(t.Context()))
	assert.NoError(t, w.Revoke(t.Context(), w.keys(t, jwt.StatePublished)[0].ID))
	assert.Equal(t, w.signing(t), next)
}

func TestRandomKeyIDsCauseOneReadASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := mint(t, w.Service, w.claims())
	for second := range 5 {
		w.clock.Advance(time.Second)
		before := w.store.reads()
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for j := range 50 {
					seed := make([]byte, ed25519.SeedSize)
					seed[0], seed[1], seed[2] = byte(second), byte(i), byte(j)
					kid := b64(string(seed))
					refused(t, w.Service, kid, forge(t, `{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, payload(t, nil)))
				}
			})
		}
		group.Wait()
		assert.Equal(t, w.store.reads()-before, 1)
	}
	before := w.store.reads()
	_, err := w.Verify(t.Context(), good)
	assert.NoError(t, err)
	assert.Equal(t, w.store.reads(), before)
}

// What cannot be a thumbprint is refused without looking for it.
func TestMisshapenKeyIDsCauseNoRead(t *testing.T) {
	t.Parallel()
	w := hostileWorld(t)
	w.clock.Advance(10 * time.Second)
	before := w.store.reads()
	for _, kid := range []string{"x", "1", rfcKID[1:], rfcKID + "A", rfcKID[:42] + "5", rfcKID[:42] + "+"} {
		refused(t, w.Service, kid, forge(t, `{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, payload(t, nil)))
	}
	assert.Equal(t, w.store.reads(), before)
}

// Somebody outside reads the keys and waits for the connection that a transaction holds; the transaction, which needs
// the keys too, must not wait for them.
func TestATransactionDoesNotWaitForAReaderThatWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	s, outside := w.process(t), make(chan error, 1)
	assert.NoError(t, w.store.InTx(t.Context(), func(ctx context.Context) error {
		before := w.store.reads()
		go func() {
			_, err := s.Verify(t.Context(), raw)
			outside <- err
		}()
		for w.store.reads() == before {
			runtime.Gosched()
		}
		_, err := s.Verify(ctx, raw)
		return err
	}))
	assert.NoError(t, <-outside)
}

// A key that does not sign any more is forgotten at once as well.
func TestARevokedRetiredKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.NoError(t, w.Init(t.Context()))
	w.clock.Advance(29 * day)
	assert.NoError(t, w.Maintain(t.Context()))
	w.clock.Advance(day)
	raw := mint(t, w.Service, w.claims())
	assert.NoError(t, w.Maintain(t.Context()))
	_, err := w.Verify(t.Context(), raw)
	assert.NoError(t, err)
	assert.NoError(t, w.Revoke(t.Context(), w.keys(t, jwt.StateRetired)[0].ID))
	refused(t, w.Service, "revoked", raw)
}

// A read that began before a revocation must not bring the key back.
func TestAReadUnderWayDoesNotOutliveARevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	kid := w.signing(t)
	stalled := &stalling{Store: w.store, reached: make(chan struct{}), release: make(chan struct{})}
	s := assert.Must(jwt.New(stalled, w.cfg))(t)
	outcome := make(chan error, 1)
	go func() {
		_, err := s.Verify(t.Context(), raw)
		outcome <- err
	}()
	<-stalled.reached // it has the rows
	assert.NoError(t, s.Revoke(t.Context(), kid))
	close(stalled.release)
	assert.NoError(t, <-outcome) // it came first
	refused(t, s, "after the revocation", raw)
}

// stalling holds the first answer of ListKeys back.
type stalling struct {
	jwt.Store
	stalled          atomic.Bool
	reached, release chan struct{}
}

func (s *stalling) ListKeys(ctx context.Context) ([]jwt.Key, error) {
	keys, err := s.Store.ListKeys(ctx)
	if s.stalled.CompareAndSwap(false, true) {
		close(s.reached)
		<-s.release
	}
	return keys, err
}

// A key that another process made a moment ago is found.
func TestAKeyOfAnotherProcessIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mint(t, w.Service, w.claims())
	elsewhere := w.process(t)
	assert.NoError(t, elsewhere.Revoke(t.Context(), w.signing(t)))
	raw := mint(t, elsewhere, w.claims())
	w.clock.Advance(time.Second)
	_, err := w.Verify(t.Context(), raw)
	assert.NoError(t, err)
}

func TestPromise12_AnOutageIsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	w.store.Fail(problem.ErrUnavailable)
	_, err := w.Verify(t.Context(), raw) // known keys, within the bound
	assert.NoError(t, err)
	w.clock.Advance(30 * time.Second)
	unavailable := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, problem.ErrUnavailable) || errors.Is(err, jwt.ErrInvalid) || problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = w.Verify(t.Context(), raw)
	unavailable("verify", err)
	_, err = w.Mint(t.Context(), w.claims())
	unavailable("mint", err)
	_, err = w.MintFor(t.Context(), "https://api.example.org", "u")
	unavailable("mint for a third party", err)
	_, err = w.JWKS(t.Context())
	unavailable("key set", err)
	unavailable("init", w.Init(t.Context()))
	unavailable("maintain", w.Maintain(t.Context()))
	unavailable("revoke", w.Revoke(t.Context(), "kid"))
	w.store.Fail(nil)
	_, err = w.Verify(t.Context(), raw)
	assert.NoError(t, err)
}

// An unknown key id during an outage might be that of a new key.
func TestPromise12_AnUnknownKeyDuringAnOutageIsNoVerdict(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	mint(t, w.Service, w.claims())
	raw := mint(t, other.Service, other.claims())
	w.clock.Advance(2 * time.Second)
	w.store.Fail(problem.ErrUnavailable)
	before := w.store.reads()
	for range 3 {
		_, err := w.Verify(t.Context(), raw)
		assert.ErrorIs(t, err, problem.ErrUnavailable)
	}
	assert.Equal(t, w.store.reads()-before, 1)
}

// While the keyring cannot be had nothing is decided either, and rows are not taken for damaged.
func TestAKeyringThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	w.cfg.Sealer = failing{crypto.ErrKMSUnavailable}
	_, err := w.process(t).Verify(t.Context(), raw)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	w.cfg.Sealer = failing{crypto.ErrKeyringMissing}
	_, err = w.process(t).Mint(t.Context(), w.claims())
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	assert.Equal(t, len(assert.Must(w.store.Fake.ListKeys(t.Context()))(t)), 1)
}

type failing struct{ err error }

func (f failing) Seal(context.Context, crypto.Field, []byte) ([]byte, error) { return nil, f.err }
func (f failing) Open(context.Context, crypto.Field, []byte) ([]byte, error) { return nil, f.err }

// Who can write to the database still cannot make us believe a key: not one of their own, not one under another id, not
// one of another column.
func TestAnIntrudersRowsVouchForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedKey(t))
	assert.NoError(t, w.Init(t.Context()))
	row := w.keys(t, jwt.StateSigning)[0]
	own := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	stranger := newWorld(t)
	assert.NoError(t, stranger.Init(t.Context()))
	foreign := stranger.keys(t, jwt.StateSigning)[0]
	id := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	elsewhere := assert.Must(w.keyring.Seal(t.Context(), crypto.Column{Purpose: crypto.PurposeData, Table: "t", Column: "c"}.Field(id, ""), own.Seed()))(t)
	misnamed := assert.Must(w.keyring.Seal(t.Context(), jwt.KeyField(id), own.Seed()))(t)
	short := assert.Must(w.keyring.Seal(t.Context(), jwt.KeyField(id), []byte("short")))(t)
	for name, planted := range map[string]jwt.Key{
		"a plain seed": {ID: id, Sealed: own.Seed()}, "nothing": {ID: id}, "our own key under another id": {ID: id, Sealed: row.Sealed},
		"a key of another installation": {ID: foreign.ID, Sealed: foreign.Sealed}, "a value of another column": {ID: id, Sealed: elsewhere},
		"a key that its id does not name": {ID: id, Sealed: misnamed}, "a value that is no key": {ID: id, Sealed: short},
	} {
		planted.State, planted.PublishedAt, planted.RetiredAt = jwt.StateRetired, w.clock.Now(), w.clock.Now()
		assert.NoError(t, w.store.Put(t.Context(), planted))
		s := w.process(t)
		assert.Equal(t, published(t, s), []string{rfcKID})
		header := `{"alg":"EdDSA","kid":"` + planted.ID + `","typ":"at+jwt"}`
		refused(t, s, name, forge(t, header, payload(t, nil)))
		_, err := s.Verify(t.Context(), goldenToken)
		assert.NoError(t, err)
		assert.Must(w.store.DeleteKey(t.Context(), planted.ID))(t)
	}
}

// R28: a signing key that does not open is not replaced in silence; an operator revokes it.
func TestR28_ABrokenSigningKeyIsNotReplacedInSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assert.NoError(t, w.Init(t.Context()))
	row := w.keys(t, jwt.StateSigning)[0]
	row.Sealed[20] ^= 1
	assert.NoError(t, w.store.Put(t.Context(), row))
	s := w.process(t)
	_, err := s.Mint(t.Context(), w.claims())
	assert.ErrorIs(t, err, jwt.ErrNoSigningKey)
	assert.ErrorIs(t, err, problem.ErrUnavailable)
	assert.Len(t, w.keys(t, jwt.StateSigning), 1)
	assert.NoError(t, s.Revoke(t.Context(), row.ID))
	_, err = s.Mint(t.Context(), w.claims())
	assert.NoError(t, err)
}

func TestKeysDoNotChangeInATransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inTx := func(fn func(ctx context.Context) error) error { return w.store.InTx(t.Context(), fn) }
	assert.ErrorIs(t, inTx(w.Init), jwt.ErrInTransaction)
	assert.ErrorIs(t, inTx(w.Maintain), jwt.ErrInTransaction)
	assert.ErrorIs(t, inTx(func(ctx context.Context) error { return w.Revoke(ctx, "x") }), jwt.ErrInTransaction)
	assert.ErrorIs(t, inTx(func(ctx context.Context) error { _, err := w.Mint(ctx, w.claims()); return err }), jwt.ErrNoSigningKey)
	assert.NoError(t, w.Init(t.Context()))
	// With a key, both work there, cold: their read does not wait for anybody outside.
	assert.NoError(t, inTx(func(ctx context.Context) error {
		secret, err := w.process(t).Mint(ctx, w.claims())
		if err == nil {
			_, err = w.process(t).Verify(ctx, secret.Reveal())
		}
		return err
	}))
}

// Who verifies first, all at once, shares one read.
func TestAColdStartReadsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	s, before := w.process(t), w.store.reads()
	var group sync.WaitGroup
	var failed atomic.Int64
	for range 32 {
		group.Go(func() {
			if _, err := s.Verify(t.Context(), raw); err != nil {
				failed.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, failed.Load(), 0)
	assert.Equal(t, w.store.reads()-before, 1)
}

// One caller who gives up does not fail those who wait with them.
func TestACallerWhoGivesUpFailsNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mint(t, w.Service, w.claims())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := w.process(t)
	_, err := s.Verify(ctx, raw)
	assert.NoError(t, err) // its own read went on without it, and was there
	_, err = s.Verify(t.Context(), raw)
	assert.NoError(t, err)
}

// A clock that steps back does not keep old keys alive.
func TestAClockThatStepsBackEndsTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mint(t, w.Service, w.claims())
	before := w.store.reads()
	w.clock.Advance(-time.Hour)
	mint(t, w.Service, w.claims())
	assert.Equal(t, w.store.reads()-before, 1)
}
