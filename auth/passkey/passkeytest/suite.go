package passkeytest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/auth/passkey"
	"github.com/tenon-go/tenon/internal/assert"
)

// Env is a store under test.
type Env struct {
	Store passkey.Store
	// Break makes every later call fail as an unreachable database does.
	Break func()
}

// world is an Env with the moves that clauses share.
type world struct {
	Env
	now time.Time
}

// TestStore holds the stores that open returns to the contract at passkey.Store.
// Each call of open yields an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, w *world){
		"Handle keeps the first one":                                testHandle,
		"concurrent Handles return the same one":                    testHandleRace,
		"Add keeps every field":                                     testAdd,
		"Add refuses a credential that somebody has":                testAddTaken,
		"of concurrent Adds of a credential one succeeds":           testAddRace,
		"Passkeys are the user's, the oldest first":                 testPasskeys,
		"ByCredential finds the passkey and the handle":             testByCredential,
		"Use updates what an assertion says and nothing else":       testUse,
		"Use lets counters only rise":                               testUseCounter,
		"of concurrent Uses with one counter one succeeds":          testUseRace,
		"Rename and Remove find the user's own":                     testOwn,
		"of concurrent Removes one succeeds":                        testRemoveRace,
		"Forget deletes what is kept about a user, and only that":   testForget,
		"ClaimCeremony returns every field, once":                   testClaim,
		"ClaimCeremony wants the owner, the challenge and the time": testClaimWrong,
		"of concurrent claims one succeeds":                         testClaimRace,
		"PruneCeremonies deletes those that expired":                testPrune,
		"a rollback takes everything back":                          testRollback,
		"an outage is an error and not an absence":                  testOutage,
		"a cancelled ctx ends every call":                           testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &world{Env: open(t), now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)})
		})
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// add adds a passkey of a user, whose handle is there.
func (w *world) add(t *testing.T, userID string, change ...func(p *passkey.Passkey)) passkey.Passkey {
	t.Helper()
	id := newID()
	p := passkey.Passkey{
		ID: id, UserID: userID, CredentialID: []byte("credential " + id), PublicKey: []byte{0xa5, 0, 0xff}, Name: "Ada's key",
		AAGUID: uuid.New(), Transports: []string{"internal", "usb"}, SignCount: 7, BackupEligible: true, BackupState: true, UserVerified: true,
		CreatedAt: w.now, LastUsedAt: w.now.Add(time.Second),
	}
	for _, f := range change {
		f(&p)
	}
	_, err := w.Store.Handle(t.Context(), userID, []byte("handle of "+userID))
	assert.NoError(t, err)
	assert.NoError(t, w.Store.Add(t.Context(), p))
	return p
}

func (w *world) list(t *testing.T, userID string) []passkey.Passkey {
	t.Helper()
	all, err := w.Store.Passkeys(t.Context(), userID)
	assert.NoError(t, err)
	return all
}

// race runs call 16 times at once, and returns how many succeeded. The others must
// fail with want.
func race(t *testing.T, want error, call func(ctx context.Context) error) (won int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 16 {
		group.Go(func() {
			<-start
			err := call(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				assert.ErrorIs(t, err, want)
			}
		})
	}
	close(start)
	group.Wait()
	return won
}

var errLost = errors.New("passkeytest: lost")

func lost(ok bool, err error) error {
	if err == nil && !ok {
		return errLost
	}
	return err
}

func testHandle(t *testing.T, w *world) {
	_, err := w.Store.Handle(t.Context(), "ada", nil)
	assert.ErrorIs(t, err, passkey.ErrNotFound)
	for _, fresh := range [][]byte{[]byte("first"), []byte("second"), nil} {
		handle, err := w.Store.Handle(t.Context(), "ada", fresh)
		assert.NoError(t, err)
		assert.Equal(t, string(handle), "first")
	}
	handle, err := w.Store.Handle(t.Context(), "bob", []byte("bob's"))
	assert.NoError(t, err)
	assert.Equal(t, string(handle), "bob's")
}

func testHandleRace(t *testing.T, w *world) {
	var mu sync.Mutex
	seen := map[string]bool{}
	won := race(t, nil, func(ctx context.Context) error {
		handle, err := w.Store.Handle(ctx, "ada", []byte(newID()))
		mu.Lock()
		defer mu.Unlock()
		seen[string(handle)] = true
		return err
	})
	assert.Equal(t, won, 16)
	assert.Equal(t, len(seen), 1)
}

func testAdd(t *testing.T, w *world) {
	full := w.add(t, "ada")
	bare := w.add(t, "ada", func(p *passkey.Passkey) {
		p.AAGUID, p.Transports, p.SignCount, p.LastUsedAt = uuid.Nil, nil, 0, time.Time{}
		p.BackupEligible, p.BackupState, p.UserVerified = false, false, false
	})
	most := w.add(t, "ada", func(p *passkey.Passkey) { p.SignCount = 1<<32 - 1; p.CredentialID = make([]byte, 1023) })
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{full, bare, most})
}

func testAddTaken(t *testing.T, w *world) {
	p := w.add(t, "ada")
	other := p
	other.ID, other.UserID = newID(), "bob"
	assert.NoError(t, w.Store.InTx(t.Context(), func(ctx context.Context) error {
		assert.ErrorIs(t, w.Store.Add(ctx, other), passkey.ErrAlreadyRegistered)
		_, err := w.Store.Handle(ctx, "bob", []byte("the transaction goes on"))
		return err
	}))
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{p})
	assert.Len(t, w.list(t, "bob"), 0)
}

func testAddRace(t *testing.T, w *world) {
	p := w.add(t, "ada")
	p.CredentialID = []byte("raced")
	assert.Equal(t, race(t, passkey.ErrAlreadyRegistered, func(ctx context.Context) error {
		mine := p
		mine.ID = newID()
		return w.Store.Add(ctx, mine)
	}), 1)
}

func testPasskeys(t *testing.T, w *world) {
	late := w.add(t, "ada", func(p *passkey.Passkey) { p.CreatedAt = w.now.Add(time.Minute) })
	early := w.add(t, "ada")
	w.add(t, "bob")
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{early, late})
	assert.Len(t, w.list(t, "nobody"), 0)
}

func testByCredential(t *testing.T, w *world) {
	p, bobs := w.add(t, "ada"), w.add(t, "bob")
	got, handle, err := w.Store.ByCredential(t.Context(), p.CredentialID)
	assert.NoError(t, err)
	assert.Equal(t, got, p)
	assert.Equal(t, string(handle), "handle of ada")
	_, handle, err = w.Store.ByCredential(t.Context(), bobs.CredentialID)
	assert.NoError(t, err)
	assert.Equal(t, string(handle), "handle of bob")
	_, _, err = w.Store.ByCredential(t.Context(), p.CredentialID[1:])
	assert.ErrorIs(t, err, passkey.ErrNotFound)
}

func testUse(t *testing.T, w *world) {
	p, other := w.add(t, "ada"), w.add(t, "ada")
	at := w.now.Add(time.Hour)
	used, err := w.Store.Use(t.Context(), passkey.Use{ID: p.ID, UserID: "ada", SignCount: 9, BackupState: false, At: at})
	assert.NoError(t, err)
	assert.True(t, used, "the counter is above the stored one")
	p.SignCount, p.BackupState, p.LastUsedAt = 9, false, at
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{p, other})
	for name, u := range map[string]passkey.Use{
		"another user's": {ID: p.ID, UserID: "bob", SignCount: 99, At: at}, "gone": {ID: newID(), UserID: "ada", SignCount: 99, At: at},
	} {
		used, err := w.Store.Use(t.Context(), u)
		assert.NoError(t, err)
		assert.False(t, used, name)
	}
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{p, other})
}

func testUseCounter(t *testing.T, w *world) {
	for _, c := range []struct {
		stored, next uint32
		want         bool
	}{
		{0, 0, true},
		{0, 1, true},
		{1, 1, false},
		{1, 0, false},
		{5, 4, false},
		{5, 6, true},
		{5, 500, true},
		{1<<32 - 2, 1<<32 - 1, true},
		{1<<32 - 1, 0, false},
		{1 << 31, 1<<31 - 1, false},
	} {
		p := w.add(t, "ada", func(p *passkey.Passkey) { p.SignCount = c.stored })
		used, err := w.Store.Use(t.Context(), passkey.Use{ID: p.ID, UserID: "ada", SignCount: c.next, At: w.now})
		assert.NoError(t, err)
		if used != c.want {
			t.Errorf("%d after %d: %v", c.next, c.stored, used)
		}
	}
}

func testUseRace(t *testing.T, w *world) {
	p := w.add(t, "ada")
	assert.Equal(t, race(t, errLost, func(ctx context.Context) error {
		return lost(w.Store.Use(ctx, passkey.Use{ID: p.ID, UserID: "ada", SignCount: 8, At: w.now}))
	}), 1)
}

func testOwn(t *testing.T, w *world) {
	p, bobs := w.add(t, "ada"), w.add(t, "bob")
	for name, id := range map[string]string{"the neighbour's": bobs.ID, "unknown": newID(), "no id": "x", "empty": ""} {
		_, err := w.Store.Rename(t.Context(), "ada", id, "mine now")
		assert.ErrorIs(t, err, passkey.ErrNotFound)
		_, err = w.Store.Remove(t.Context(), "ada", id)
		if !errors.Is(err, passkey.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Equal(t, w.list(t, "bob"), []passkey.Passkey{bobs})
	p.Name = "another name"
	renamed, err := w.Store.Rename(t.Context(), "ada", p.ID, p.Name)
	assert.NoError(t, err)
	assert.Equal(t, renamed, p)
	assert.Equal(t, w.list(t, "ada"), []passkey.Passkey{p})
	removed, err := w.Store.Remove(t.Context(), "ada", p.ID)
	assert.NoError(t, err)
	assert.Equal(t, removed, p)
	assert.Len(t, w.list(t, "ada"), 0)
}

func testRemoveRace(t *testing.T, w *world) {
	p := w.add(t, "ada")
	assert.Equal(t, race(t, passkey.ErrNotFound, func(ctx context.Context) error {
		_, err := w.Store.Remove(ctx, "ada", p.ID)
		return err
	}), 1)
}

func testForget(t *testing.T, w *world) {
	p, bobs := w.add(t, "ada"), w.add(t, "bob")
	mine, his := w.begin(t, "ada"), w.begin(t, "bob")
	assert.NoError(t, w.Store.Forget(t.Context(), "ada"))
	assert.Len(t, w.list(t, "ada"), 0)
	assert.Equal(t, w.list(t, "bob"), []passkey.Passkey{bobs})
	_, _, err := w.Store.ByCredential(t.Context(), p.CredentialID)
	assert.ErrorIs(t, err, passkey.ErrNotFound)
	_, err = w.Store.Handle(t.Context(), "ada", nil)
	assert.ErrorIs(t, err, passkey.ErrNotFound)
	_, err = w.claim(t, mine, w.now)
	assert.ErrorIs(t, err, passkey.ErrCeremonyNotFound)
	_, err = w.claim(t, his, w.now)
	assert.NoError(t, err)
}
