package sessionbun_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/session/sessiontest"
	"github.com/tenon-go/tenon/token"
)

// bearers is a service with bearer sessions on a real database, and one user
// under version 1.
type bearers struct {
	*session.Service
	db     *bundb.DB
	keys   *crypto.Keyring
	access *stalling
	user   sessiontest.UserState
	reused []session.RefreshReused
}

// stalling makes access tokens, and lets the test stop in between.
type stalling struct {
	*sessiontest.AccessTokens
	mint func() // nil, or runs once before the next one
}

func (s *stalling) Mint(ctx context.Context, c session.AccessClaims) (token.Secret, error) {
	if mint := s.mint; mint != nil {
		s.mint = nil
		mint()
	}
	return s.AccessTokens.Mint(ctx, c)
}

func newBearers(t testing.TB, db *bundb.DB) *bearers {
	t.Helper()
	b := &bearers{db: db, keys: cryptotest.NewKeyring(t), access: &stalling{AccessTokens: sessiontest.NewAccessTokens(db.Now)}}
	b.Service = assert.Must(session.New(newStore(t, db), session.Config{
		Peppers: b.keys, Users: standins{db}, AccessTokens: b.access,
		Hooks: session.Hooks{RefreshReused: func(_ context.Context, e session.RefreshReused) error {
			b.reused = append(b.reused, e)
			return nil
		}},
	}))(t)
	b.user = sessiontest.UserState{User: session.User{ID: uuid.NewString(), CreatedAt: db.Now(), UpdatedAt: db.Now()}, SecurityVersion: 1}
	b.put(t)
	return b
}

func (b *bearers) put(t testing.TB) {
	t.Helper()
	assert.NoError(t, standins{b.db}.PutUser(t.Context(), b.user))
}

func (b *bearers) start(t testing.TB) (id, refresh string) {
	t.Helper()
	grant := assert.Must(b.StartTrusted(t.Context(), session.TrustedStart{
		UserID: b.user.ID, SecurityVersion: b.user.SecurityVersion, Bearer: true,
	}))(t)
	assert.True(t, grant.Token.IsZero(), "a bearer session has no cookie")
	return grant.Session.ID, grant.Pair.Refresh.Reveal()
}

// next refreshes and returns the successor.
func (b *bearers) next(t testing.TB, raw string) string {
	t.Helper()
	return assert.Must(b.Refresh(t.Context(), raw))(t).Refresh.Reveal()
}

func (b *bearers) refuses(t testing.TB, raw string) {
	t.Helper()
	pair, err := b.Refresh(t.Context(), raw)
	assert.ErrorIs(t, err, session.ErrNoRefresh)
	assert.True(t, pair == session.Pair{}, "a refusal has no tokens")
}

func (b *bearers) revoked(t testing.TB, id string) bool {
	t.Helper()
	var n int
	assert.NoError(t, b.db.Statement("SELECT count(*) FROM tenon_sessions WHERE id = ? AND revoked_at IS NOT NULL").
		QueryRow(t.Context(), id).Scan(&n))
	return n == 1
}

func (b *bearers) advance(d time.Duration) { bundbtest.ClockOf(b.db).Advance(d) }

// eachBearers runs fn on each database.
func eachBearers(t *testing.T, fn func(t *testing.T, b *bearers)) {
	t.Helper()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) { fn(t, newBearers(t, db)) })
}

// better-auth#11073: a refresh in flight made a session that had been ended anew.
// Here a rotation stalls before its statement, its owner signs out, it goes on: it
// finds nothing to rotate. SQLite has one writer, which is the rotation already:
// there its successor is refused.
func TestR14_ARotationStalledAcrossASignOut(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		for name, signOut := range map[string]func(id, raw string) error{
			"token/revoke":  func(_, raw string) error { return b.RevokeRefresh(t.Context(), raw) },
			"revoke":        func(id, _ string) error { return b.Revoke(t.Context(), b.user.ID, id) },
			"revoke others": func(string, string) error { _, err := b.RevokeAll(t.Context(), b.user.ID); return err },
		} {
			b.user.SecurityVersion = versionOf(t, b)
			id, raw := b.start(t)
			barrier := bundbtest.FaultsOf(b.db).StallOn("SET generation = generation + 1", 1)
			var (
				pair session.Pair
				err  error
				wg   sync.WaitGroup
			)
			wg.Go(func() { pair, err = b.Refresh(t.Context(), raw) })
			barrier.Wait(t)
			if b.db.Dialect() == bundb.SQLite {
				barrier.Release()
			}
			assert.NoError(t, signOut(id, raw))
			barrier.Release()
			wg.Wait()
			if b.db.Dialect() == bundb.Postgres {
				assert.ErrorIs(t, err, session.ErrNoRefresh)
			}
			b.refuses(t, pair.Refresh.Reveal())
			b.refuses(t, raw)
			assert.True(t, b.revoked(t, id), name)
		}
		assert.Len(t, b.reused, 0) // nobody stole anything
	})
}

func versionOf(t testing.TB, b *bearers) (version int64) {
	t.Helper()
	assert.NoError(t, b.db.Statement("SELECT version FROM standin_users WHERE id = ?").QueryRow(t.Context(), b.user.ID).Scan(&version))
	return version
}

// The rotation has committed and its answer is on the way.
func TestR14_ASignOutBetweenRotationAndAnswer(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		id, raw := b.start(t)
		b.access.mint = func() { assert.NoError(t, b.Revoke(t.Context(), b.user.ID, id)) }
		pair := assert.Must(b.Refresh(t.Context(), raw))(t)
		b.refuses(t, pair.Refresh.Reveal())
		_, err := b.LookupAccess(t.Context(), pair.Access.Reveal())
		assert.ErrorIs(t, err, session.ErrNoSession)
	})
}

// CVE-2026-43983, GHSA-hp74-gm6m-2qm5: a refresh ignored that the user was
// disabled.
func TestR1_ARotationStalledAcrossABanAndAReset(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		for _, change := range []func(){
			func() { b.user.Banned = true },
			func() { b.user.Banned, b.user.SecurityVersion = false, b.user.SecurityVersion+1 },
			func() { b.user.Gone = true },
		} {
			_, raw := b.start(t)
			b.access.mint = func() { change(); b.put(t) }
			pair := assert.Must(b.Refresh(t.Context(), raw))(t) // it was first
			b.refuses(t, pair.Refresh.Reveal())
			b.refuses(t, raw) // the repetition asks for the user's state, too
			_, err := b.LookupAccess(t.Context(), pair.Access.Reveal())
			assert.ErrorIs(t, err, session.ErrNoSession)
			b.user.Banned = false
			b.put(t)
		}
	})
}

func TestR14_SixTabsGetFourEqualAnswersAndTwoAreTold(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		id, raw := b.start(t)
		successors, told := b.race(t, 6, raw)
		assert.Equal(t, len(successors), 1)
		assert.Equal(t, told, 2)
		assert.False(t, b.revoked(t, id), "the family lives")
		for successor, n := range successors {
			assert.Equal(t, n, 4)
			b.next(t, successor)
		}
	})
}

// CVE-2026-53517: concurrent refreshes forked a family.
func TestR14_SixtyFourRacersOfOneParentGetOneSuccessor(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		id, raw := b.start(t)
		for range 3 {
			successors, told := b.race(t, 64, raw)
			assert.Equal(t, len(successors), 1)
			assert.Equal(t, told, 60)
			for raw = range successors {
			}
		}
		assert.False(t, b.revoked(t, id), "the family lives")
		assert.Len(t, b.reused, 0)
	})
}

// race presents raw n times at once, and counts the answers with each successor and
// those that were told to use it.
func (b *bearers) race(t testing.TB, n int, raw string) (successors map[string]int, told int) {
	t.Helper()
	var mu sync.Mutex
	successors = map[string]int{}
	race(t, n, func(int) {
		pair, err := b.Refresh(t.Context(), raw)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			successors[pair.Refresh.Reveal()]++
		case errors.Is(err, session.ErrRefreshRepeated):
			told++
		default:
			t.Errorf("a racer failed: %v", err)
		}
	})
	return successors, told
}

func TestR14_APepperRotatedBetweenCallAndReplay(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		_, raw := b.start(t)
		for range 3 {
			first := b.next(t, raw)
			assert.Must(b.keys.RotateDEK(t.Context(), crypto.PurposeToken, ""))(t)
			assert.Equal(t, b.next(t, raw), first)
			assert.Must(b.keys.RotateDEK(t.Context(), crypto.PurposeToken, ""))(t)
			assert.Equal(t, b.next(t, raw), first)
			raw = first
		}
	})
}

func TestR14_TheGraceIsTenSecondsOfTheParentAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration
		kills bool
	}{
		"at once": {0, false}, "ten seconds": {10 * time.Second, false}, "more": {10*time.Second + time.Microsecond, true},
		"an hour": {time.Hour, true}, "an hour back": {-time.Hour, true}, "a second back": {-time.Second - time.Microsecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachBearers(t, func(t *testing.T, b *bearers) {
				id, raw := b.start(t)
				child := b.next(t, raw)
				b.advance(c.after)
				if c.kills {
					b.refuses(t, raw)
					b.refuses(t, child)
					assert.Equal(t, b.reused, []session.RefreshReused{{UserID: b.user.ID, SessionID: id, Generation: 1}})
				} else {
					assert.Equal(t, b.next(t, raw), child)
					grandchild := b.next(t, child)
					b.refuses(t, raw) // the child was used
					b.refuses(t, grandchild)
				}
				assert.True(t, b.revoked(t, id), "the family is dead")
			})
		})
	}
}

// The trace of a stolen token is committed although the caller gets an error, and a
// failure of its hook takes it back.
func TestR14_TheEndOfAFamilyIsCommittedAndAtomic(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		id, raw := b.start(t)
		child := b.next(t, b.next(t, raw))
		bundbtest.RequireAtomic(t, b.db, func(ctx context.Context) error {
			if _, err := b.Refresh(ctx, raw); !errors.Is(err, session.ErrNoRefresh) {
				return err
			}
			return nil
		})
		assert.True(t, b.revoked(t, id), "the family is dead")
		b.refuses(t, child)
	})
}

func TestR14_RotationsAndReplaysAreAtomic(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		id, raw := b.start(t)
		refresh := func(ctx context.Context) error { _, err := b.Refresh(ctx, raw); return err }
		bundbtest.RequireAtomic(t, b.db, refresh)
		bundbtest.RequireAtomic(t, b.db, refresh)
		assert.False(t, b.revoked(t, id), "the family lives")
		bundbtest.RequireAtomic(t, b.db, func(ctx context.Context) error { return b.RevokeRefresh(ctx, raw) })
		assert.True(t, b.revoked(t, id), "the family is dead")
		bundbtest.RequireAtomic(t, b.db, func(ctx context.Context) error {
			_, err := b.StartTrusted(ctx, session.TrustedStart{UserID: b.user.ID, SecurityVersion: 1, Bearer: true})
			return err
		})
	})
}

// The answer to a rotation that committed gets lost on the way from the database.
func TestR14_ALostAnswerIsRepeated(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		id, raw := b.start(t)
		b.access.SetDown(true)
		_, err := b.Refresh(t.Context(), raw)
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		b.access.SetDown(false)
		if b.db.Dialect() == bundb.SQLite { // a transaction of its own there
			bundbtest.FaultsOf(b.db).LoseCommit()
			_, err = b.Refresh(t.Context(), raw)
			assert.ErrorIs(t, err, problem.ErrUnavailable)
		}
		bundbtest.FaultsOf(b.db).CutAt(1)
		_, err = b.Refresh(t.Context(), raw)
		assert.ErrorIs(t, err, problem.ErrUnavailable)
		child := b.next(t, raw)
		b.next(t, child)
		assert.False(t, b.revoked(t, id), "the family lives")
	})
}

func TestR14_NeverInsideAHostsTransaction(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		_, raw := b.start(t)
		err := b.db.InTx(bundbtest.Flow(t.Context()), func(ctx context.Context) error {
			for _, given := range []string{raw, "junk"} {
				n := bundbtest.FaultsOf(b.db).Count(func() {
					_, err := b.Refresh(ctx, given)
					assert.ErrorIs(t, err, session.ErrInTransaction)
				})
				assert.Equal(t, n, 0)
			}
			return nil
		})
		assert.NoError(t, err)
		b.next(t, raw)
	})
}

func TestR14_ARotationIsOneStatementAndAReplayTwo(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		_, raw := b.start(t)
		count := func() int {
			return bundbtest.FaultsOf(b.db).Count(func() { assert.Must(b.Refresh(t.Context(), raw))(t) })
		}
		assert.Equal(t, count(), 1)
		assert.Equal(t, count(), 2)
	})
}

// CVE-2026-27840: a truncated token was still valid. Cut, lengthened and flipped
// tokens reach no statement, however they are used.
func TestR14_AlteredTokensChangeNothing(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		_, raw := b.start(t)
		b.next(t, raw)
		altered := []string{"", raw + raw, strings.ToUpper(raw), strings.ToLower(raw), strings.Replace(raw, "ref", "ses", 1)}
		for i := range raw {
			flipped := []byte(raw)
			flipped[i] ^= 1 << (i % 7)
			altered = append(altered, raw[:i], raw[i+1:], raw+raw[:i+1], string(flipped))
		}
		assert.True(t, len(altered) >= 256, "there are enough")
		before := bundbtest.Dump(t, b.db)
		n := bundbtest.FaultsOf(b.db).Count(func() {
			for _, a := range altered {
				b.refuses(t, a)
				assert.NoError(t, b.RevokeRefresh(t.Context(), a))
			}
		})
		assert.Equal(t, n, 0)
		assert.True(t, bytes.Equal(bundbtest.Dump(t, b.db), before), "an altered token changed the database")
	})
}

// CVE-2026-55672: a refresh token worked for somebody it was not made for. Whoever
// can write to the table, and has none of the keys, gives the victim's row
// what recognises their own token.
func TestR14_AFamilyDoesNotMoveToAnotherRow(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		own, raw := b.start(t)
		victim, _ := b.start(t)
		_, err := b.db.Statement("UPDATE tenon_sessions SET verifier = (SELECT verifier FROM tenon_sessions WHERE id = ?) WHERE id = ?").
			Exec(t.Context(), own, victim)
		assert.NoError(t, err)
		_, err = b.db.Statement("DELETE FROM tenon_sessions WHERE id = ?").Exec(t.Context(), own)
		assert.NoError(t, err)
		_, err = b.db.Statement("UPDATE tenon_sessions SET selector = ? WHERE id = ?").Exec(t.Context(), raw[8:30], victim)
		assert.NoError(t, err)
		b.refuses(t, raw)
		row := assert.Must(newStore(t, b.db).FindFamily(t.Context(), victim))(t)
		assert.Equal(t, row.Generation, int64(1))
	})
}

func TestPromise3_NoRefreshTokenIsReadableAtRest(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		_, raw := b.start(t)
		child := b.next(t, raw)
		dump := string(bundbtest.Dump(t, b.db))
		assert.Contains(t, dump, raw[8:30]) // the family shows that the row is there
		for _, raw := range []string{raw, child} {
			for _, secret := range []string{raw, raw[47:90], raw[90:112]} {
				assert.NotContains(t, dump, secret)
				assert.NotContains(t, dump, base64.StdEncoding.EncodeToString([]byte(secret)))
				assert.NotContains(t, dump, hex.EncodeToString([]byte(secret)))
			}
		}
	})
}

func TestR28_KIDsNameTheKeyOfTheNewestToken(t *testing.T) {
	t.Parallel()
	eachBearers(t, func(t *testing.T, b *bearers) {
		_, raw := b.start(t)
		kid := assert.Must(b.keys.RotateDEK(t.Context(), crypto.PurposeToken, ""))(t)
		b.next(t, raw)
		counts := assert.Must(sessionbun.KIDs(b.db).Count(t.Context()))(t)
		assert.Equal(t, counts, map[string]int64{kid: 1})
	})
}
