package sessionbun_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/bundb/bundbtest"
	"github.com/tenon-go/tenon/bundb/postgres"
	"github.com/tenon-go/tenon/crypto/cryptotest"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessionbun"
	"github.com/tenon-go/tenon/session/sessioncache"
	"github.com/tenon-go/tenon/session/sessiontest"
	"github.com/tenon-go/tenon/token"
)

const bound = 2 * time.Second

// process is a service with a cache on a pool of its own.
type process struct {
	t     *testing.T
	db    *bundb.DB
	svc   *session.Service
	cache *sessioncache.Cache
}

// mono is the monotonic clock of all processes; it stands still until it is moved.
type mono struct{ atomic.Int64 }

func (m *mono) now() time.Duration { return time.Duration(m.Load()) }

func (m *mono) pass(d time.Duration) { m.Add(int64(d)) }

// minted are access tokens that nobody reads.
type minted struct{ session.AccessTokens }

func (minted) Mint(context.Context, session.AccessClaims) (token.Secret, error) {
	return token.NewSecret("x"), nil
}

// processes are two on one database.
func processes(t *testing.T, db *bundb.DB) (a, b *process, m *mono) {
	t.Helper()
	keys, m := cryptotest.NewKeyring(t), &mono{}
	start := func(db *bundb.DB) *process {
		svc := assert.Must(session.New(newStore(t, db), session.Config{
			Peppers: keys, Users: standins{db}, AccessTokens: minted{},
		}))(t)
		cache := assert.Must(sessioncache.New(svc, sessioncache.Config{Bound: bound, Monotonic: m.now, Hints: sessionbun.NewHints(db)}))(t)
		return &process{t: t, db: db, svc: svc, cache: cache}
	}
	return start(db), start(bundbtest.Reopen(t, db)), m
}

// held is a signed-in client: how it is looked up through a process.
type held struct {
	session session.Session
	ask     func(p *process) (*session.Identity, error)
}

func (p *process) user() string {
	p.t.Helper()
	u := sessiontest.UserState{
		User:            session.User{ID: uuid.Must(uuid.NewV7()).String(), CreatedAt: p.db.Now(), UpdatedAt: p.db.Now()},
		SecurityVersion: 1,
	}
	assert.NoError(p.t, standins{p.db}.PutUser(p.t.Context(), u))
	return u.ID
}

func (p *process) signIn(user string, version int64, bearer bool) held {
	p.t.Helper()
	grant := assert.Must(p.svc.StartTrusted(p.t.Context(), session.TrustedStart{
		UserID: user, SecurityVersion: version, OrganizationID: "o1", Bearer: bearer,
	}))(p.t)
	if bearer {
		return held{grant.Session, func(p *process) (*session.Identity, error) {
			return p.cache.LookupSession(p.t.Context(), grant.Session.ID, version)
		}}
	}
	return held{grant.Session, func(p *process) (*session.Identity, error) {
		return p.cache.Lookup(p.t.Context(), grant.Token.Reveal())
	}}
}

func (p *process) live(h held) *session.Identity {
	p.t.Helper()
	i, err := h.ask(p)
	assert.NoError(p.t, err)
	assert.Equal(p.t, i.Session.ID, h.session.ID)
	return i
}

func (p *process) dead(h held) {
	p.t.Helper()
	_, err := h.ask(p)
	assert.ErrorIs(p.t, err, session.ErrNoSession)
}

// statements returns how many fn sent through the pool of p.
func (p *process) statements(fn func()) int { return bundbtest.FaultsOf(p.db).Count(fn) }

func bothModes(t *testing.T, test func(t *testing.T, a, b *process, m *mono, bearer bool)) {
	t.Helper()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		a, b, m := processes(t, db)
		for _, bearer := range []bool{false, true} {
			test(t, a, b, m, bearer)
		}
	})
}

func TestR17_RevokedHereIsRefusedThereWithTheNextPoll(t *testing.T) {
	t.Parallel()
	bothModes(t, func(t *testing.T, a, b *process, m *mono, bearer bool) {
		for name, revoke := range map[string]func(user string, s session.Session) error{
			"one": func(user string, s session.Session) error { return a.svc.Revoke(t.Context(), user, s.ID) },
			"all": func(user string, _ session.Session) error {
				_, err := a.svc.RevokeAll(t.Context(), user)
				return err
			},
			"role": func(user string, _ session.Session) error {
				return a.db.InTx(t.Context(), func(ctx context.Context) error {
					_, err := standins{a.db}.RaiseVersion(ctx, user)
					return errors.Join(err, a.svc.LogRevocation(ctx, session.Revocation{UserID: user}))
				})
			},
		} {
			t.Log(name, bearer)
			for _, polled := range []bool{true, false} {
				user := a.user()
				h, other := a.signIn(user, 1, bearer), a.signIn(a.user(), 1, bearer)
				assert.Equal(t, b.statements(func() { b.live(h) }), 1)
				a.live(h)
				b.live(other)
				assert.NoError(t, revoke(user, h.session))
				a.dead(h) // at once
				assert.Equal(t, b.statements(func() { b.live(h) }), 0)
				if polled {
					assert.NoError(t, b.cache.Poll(t.Context()))
				} else {
					m.pass(bound)
				}
				b.dead(h)
				b.live(other)
			}
		}
	})
}

func TestR18_ARoleChangedThereActsHereWithTheNextPoll(t *testing.T) {
	t.Parallel()
	bothModes(t, func(t *testing.T, a, b *process, m *mono, bearer bool) {
		user := a.user()
		h := a.signIn(user, 1, bearer)
		for _, role := range []string{"member", "admin", "", "owner"} {
			assert.NoError(t, a.db.InTx(t.Context(), func(ctx context.Context) error {
				return errors.Join(standins{a.db}.PutRole(ctx, "o1", user, role),
					a.svc.LogRevocation(ctx, session.Revocation{UserID: user}))
			}))
			assert.Equal(t, a.live(h).Principal().Role, role)
			assert.NoError(t, b.cache.Poll(t.Context()))
			assert.Equal(t, b.live(h).Principal().Role, role)
		}
		assert.NoError(t, b.svc.SetOrganization(t.Context(), user, h.session.ID, ""))
		assert.Equal(t, b.live(h).Principal().OrganizationID, "")
		assert.NoError(t, a.cache.Poll(t.Context()))
		assert.Equal(t, a.live(h).Principal().OrganizationID, "")
	})
}

// TestR17_ARowThatBecomesVisibleLateIsSeen lets a revocation commit after one with
// a higher id was read.
func TestR17_ARowThatBecomesVisibleLateIsSeen(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	a, b, _ := processes(t, db)
	slow, fast := a.user(), a.user()
	late, early := a.signIn(slow, 1, false), a.signIn(fast, 1, false)
	b.live(late)
	b.live(early)
	ctx := bundbtest.Flow(t.Context())
	assert.NoError(t, a.db.InTx(ctx, func(ctx context.Context) error {
		if err := a.svc.Revoke(ctx, slow, late.session.ID); err != nil {
			return err
		}
		// In the meantime another one takes a higher id and commits.
		done := make(chan error)
		go func() { done <- a.svc.Revoke(bundbtest.Outside(t.Context()), fast, early.session.ID) }()
		assert.NoError(t, <-done)
		bundbtest.ClockOf(db).Advance(59 * time.Second)
		assert.NoError(t, b.cache.Poll(t.Context()))
		b.dead(early)
		b.live(late)
		return nil
	}))
	assert.NoError(t, b.cache.Poll(t.Context()))
	b.dead(late)
}

func TestR17_ACommitWhoseAnswerGotLostIsInTheLog(t *testing.T) {
	t.Parallel()
	bothModes(t, func(t *testing.T, a, _ *process, m *mono, bearer bool) {
		user := a.user()
		h := a.signIn(user, 1, bearer)
		a.live(h)
		bundbtest.FaultsOf(a.db).LoseCommit()
		assert.Error(t, a.svc.Revoke(t.Context(), user, h.session.ID))
		a.live(h) // nobody knows what became of it
		assert.NoError(t, a.cache.Poll(t.Context()))
		a.dead(h)
	})
}

func TestALogThatCannotBeReadIsAnOutage(t *testing.T) {
	t.Parallel()
	bothModes(t, func(t *testing.T, a, b *process, m *mono, bearer bool) {
		user := a.user()
		h := a.signIn(user, 1, bearer)
		b.live(h)
		assert.NoError(t, a.svc.Revoke(t.Context(), user, h.session.ID))
		bundbtest.FaultsOf(b.db).CutAt(1)
		assert.ErrorIs(t, b.cache.Poll(t.Context()), problem.ErrUnavailable)
		b.live(h)
		assert.NoError(t, b.cache.Poll(t.Context()))
		b.dead(h)
	})
}

// model is what is true of one session, and since when.
type model struct {
	held
	user    string
	ended   bool
	endedAt time.Duration
	// knows is which processes must have forgotten it already.
	knows map[*process]bool
}

// TestR17_AHitIsNeverLaterThanTheBound does things in an order that chance
// chooses, and compares each answer with a model.
func TestR17_AHitIsNeverLaterThanTheBound(t *testing.T) {
	t.Parallel()
	bundbtest.Each(t, schemas(), func(t *testing.T, db *bundb.DB) {
		a, b, m := processes(t, db)
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := mathrand.New(mathrand.NewPCG(seed, 1))
		both := []*process{a, b}
		var all []*model
		for step := range 600 {
			p := both[chance.IntN(2)]
			switch op := chance.IntN(20); {
			case len(all) < 4 || op == 0:
				user := p.user()
				for _, bearer := range []bool{false, true} {
					all = append(all, &model{held: p.signIn(user, 1, bearer), user: user, knows: map[*process]bool{}})
				}
			case op == 1:
				end(t, p, m, all, all[chance.IntN(len(all))], chance.IntN(2) == 0)
			case op == 2:
				assert.NoError(t, p.cache.Poll(t.Context()))
				for _, s := range all {
					s.knows[p] = s.knows[p] || s.ended
				}
			case op < 6:
				m.pass(time.Duration(chance.Int64N(int64(bound / 2))))
			default:
				judge(t, p, m, all[max(0, len(all)-8)+chance.IntN(min(8, len(all)))], step)
			}
		}
	})
}

// end ends one session, or all of its user's, in process p.
func end(t *testing.T, p *process, m *mono, all []*model, s *model, every bool) {
	t.Helper()
	var err error
	if every {
		_, err = p.svc.RevokeAll(t.Context(), s.user)
	} else if !s.ended {
		err = p.svc.Revoke(t.Context(), s.user, s.session.ID)
	}
	assert.NoError(t, err)
	for _, other := range all {
		if (other == s || every && other.user == s.user) && !other.ended {
			other.ended, other.endedAt = true, m.now()
			other.knows[p] = true
		}
	}
}

// judge compares an answer with the model.
func judge(t *testing.T, p *process, m *mono, s *model, step int) {
	t.Helper()
	i, err := s.ask(p)
	switch {
	case err != nil && !errors.Is(err, session.ErrNoSession):
		t.Fatalf("step %d: %v", step, err)
	case !s.ended && err != nil:
		t.Fatalf("step %d: a live session is refused", step)
	case s.ended && err == nil && (s.knows[p] || m.now()-s.endedAt >= bound):
		t.Fatalf("step %d: found %v after its end, known here: %v", step, m.now()-s.endedAt, s.knows[p])
	case err == nil && i.Session.ID != s.session.ID:
		t.Fatalf("step %d: another session", step)
	}
}

// TestHintsReachOtherProcesses runs two caches whose polls never come by
// themselves on pools that are not wrapped, and kills what they listen with.
func TestHintsReachOtherProcesses(t *testing.T) {
	t.Parallel()
	db := bundbtest.Postgres(t, schemas()...)
	var schema string
	assert.NoError(t, db.Raw(t.Context()).QueryRowContext(t.Context(), "SELECT current_schema()").Scan(&schema))
	name := "tenon_" + rand.Text()[:12]
	dsn := os.Getenv("TENON_TEST_POSTGRES") + "&"
	if !hasQuery(dsn) {
		dsn = os.Getenv("TENON_TEST_POSTGRES") + "?"
	}
	keys := cryptotest.NewKeyring(t)
	run := func() *process {
		own := assert.Must(postgres.Open(t.Context(), fmt.Sprintf("%ssearch_path=%s&application_name=%s", dsn, schema, name), bundb.Config{}))(t)
		svc := assert.Must(session.New(newStore(t, own), session.Config{Peppers: keys}))(t)
		cache := assert.Must(sessioncache.New(svc, sessioncache.Config{
			Bound: 30 * time.Second, Poll: time.Hour, Hints: sessionbun.NewHints(own),
		}))(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- cache.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			assert.NoError(t, errors.Join(<-ended, own.Close()))
		})
		return &process{t: t, db: own, svc: svc, cache: cache}
	}
	a, b := run(), run()
	for listening := 0; listening < 2; runtime.Gosched() {
		assert.NoError(t, db.Statement("SELECT count(*) FROM pg_stat_activity WHERE application_name = ? AND query LIKE 'LISTEN%'").
			QueryRow(t.Context(), name).Scan(&listening))
	}
	user := a.user()
	h := a.signIn(user, 1, false)
	b.live(h)
	assert.NoError(t, a.svc.Revoke(t.Context(), user, h.session.ID))
	for err := error(nil); !errors.Is(err, session.ErrNoSession); runtime.Gosched() {
		_, err = h.ask(b)
	}
	// Killed, the caches go on without.
	_, err := db.Statement("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ? AND query LIKE 'LISTEN%'").
		Exec(t.Context(), name)
	assert.NoError(t, err)
	h = a.signIn(user, 1, false)
	b.live(h)
	assert.NoError(t, a.svc.Revoke(t.Context(), user, h.session.ID))
	a.dead(h)
	assert.NoError(t, b.cache.Poll(t.Context()))
	b.dead(h)
}

func hasQuery(dsn string) bool {
	for _, c := range dsn {
		if c == '?' {
			return true
		}
	}
	return false
}
