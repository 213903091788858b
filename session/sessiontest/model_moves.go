package sessiontest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tenon-go/tenon/crypto"
	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/session"
)

const (
	modelHistories = 6
	modelMoves     = 120
	modelRacers    = 8
)

// TestRefresh drives a session.Service over the stores that open returns through
// random histories of refreshing, stealing, losing answers, racing, revoking,
// banning, and clocks and keys that change, and compares every answer and every
// row with a model of rule R14. Each call of open yields an empty store. A failure
// names the seed; TENON_TEST_SEED runs that history again, up to the order in
// which racers arrive.
func TestRefresh(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	for i := range uint64(modelHistories) {
		seed := seedOf(t) + i
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, open(t), seed)
			t.Logf("TENON_TEST_SEED=%d", seed)
			m.start()
			for n := range modelMoves {
				name, move := m.pick()
				move()
				for _, f := range m.families {
					m.check(f)
				}
				if t.Failed() {
					t.Fatalf("move %d of seed %d: %s", n, seed, name)
				}
			}
		})
	}
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	if given := os.Getenv("TENON_TEST_SEED"); given != "" {
		return assert.Must(strconv.ParseUint(given, 10, 64))(t)
	}
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> 16
}

// pick returns a random move, the usual ones more often.
func (m *model) pick() (string, func()) {
	moves := []struct {
		weight int
		name   string
		move   func()
	}{
		{30, "refresh with the newest token", func() { m.present(0) }},
		{15, "refresh with the token before", func() { m.present(1) }},
		{2, "refresh with an older token", func() { m.present(2 + m.random.IntN(3)) }},
		{8, "lose an answer", m.loseAnswer},
		{6, "race with one token", m.race},
		{2, "race a refresh with a sign-out", m.raceSignOut},
		{2, "race the owner with a thief", m.raceThief},
		{4, "a forged token", m.forge},
		{12, "step the clock forward", func() { m.step(m.oneOf(2*time.Second, 4*time.Second, 10*time.Second, 12*time.Second, 2*time.Minute)) }},
		{2, "a long time passes", func() { m.step(m.oneOf(time.Hour, 20*24*time.Hour)) }},
		{3, "set the clock back", func() { m.step(-m.oneOf(2*time.Second, 6*time.Second, time.Hour)) }},
		{4, "rotate the pepper", m.rotatePepper},
		{3, "ban or unban", func() { m.user.Banned = !m.user.Banned; m.putUser() }},
		{2, "sign out", m.signOut},
		{1, "sign out elsewhere", m.signOutElsewhere},
		{1, "change the password", func() { m.user.SecurityVersion++; m.putUser() }},
		{6, "sign in", m.start},
	}
	total := 0
	for _, c := range moves {
		total += c.weight
	}
	n := m.random.IntN(total)
	for _, c := range moves {
		if n -= c.weight; n < 0 {
			return c.name, c.move
		}
	}
	return "nothing", func() {}
}

// oneOf keeps to even seconds: a clock that is behind by less than one waits.
func (m *model) oneOf(steps ...time.Duration) time.Duration { return steps[m.random.IntN(len(steps))] }

// any returns a family, a young one more often.
func (m *model) any() *modelFamily {
	return m.families[max(m.random.IntN(len(m.families)), m.random.IntN(len(m.families)))]
}

// present refreshes with a token that lies some generations back, or the next
// older one that the client ever had.
func (m *model) present(back int) {
	m.t.Helper()
	f := m.any()
	if g := f.known(f.generation() - back); g > 0 {
		m.refresh(f, g)
	}
}

// known returns the youngest generation up to one whose token reached the client.
func (f *modelFamily) known(generation int) int {
	for generation > 0 && f.tokens[generation-1] == "" {
		generation--
	}
	return generation
}

// loseAnswer lets a rotation commit and its answer get lost.
func (m *model) loseAnswer() {
	m.t.Helper()
	f := m.any()
	g := f.known(f.generation())
	if g != f.generation() || !m.admits(f) || !m.live(f) {
		return
	}
	m.crash.next.Store(true)
	_, err := m.svc.Refresh(m.t.Context(), f.tokens[g-1])
	assert.ErrorIs(m.t, err, problem.ErrUnavailable)
	assert.Equal(m.t, m.expect(f, g), rotated)
}

// race presents one token many times at once. The clock stands still, so that the
// model knows how many get which answer.
func (m *model) race() {
	m.t.Helper()
	f := m.any()
	g := f.known(f.generation() - m.random.IntN(2))
	if g == 0 {
		return
	}
	var (
		wg      sync.WaitGroup
		answers [modelRacers]struct {
			pair session.Pair
			err  error
		}
	)
	for i := range answers {
		wg.Go(func() { answers[i].pair, answers[i].err = m.svc.Refresh(m.t.Context(), f.tokens[g-1]) })
	}
	wg.Wait()
	want, got := map[outcome]int{}, map[outcome]int{}
	successors := map[string]bool{}
	if g < f.generation() && f.tokens[g] != "" {
		successors[f.tokens[g]] = true
	}
	for _, a := range answers {
		want[merged(m.expect(f, g))]++
		got[merged(outcomeOf(a.err, rotated))]++
		if a.err == nil {
			successors[a.pair.Refresh.Reveal()] = true
			f.tokens[f.generation()-1] = a.pair.Refresh.Reveal()
			m.keep(f, a.pair)
		}
	}
	assert.Equal(m.t, got, want)
	assert.True(m.t, len(successors) <= 1, "a parent has two successors")
}

// merged takes the two good answers for one: racers do not know which they got.
func merged(o outcome) outcome {
	if o == repeated {
		return rotated
	}
	return o
}

// raceSignOut refreshes and signs out at once. Whoever is first, nothing works
// afterwards.
func (m *model) raceSignOut() {
	m.t.Helper()
	f := m.any()
	g := f.known(f.generation())
	m.together(f, g, func() error { return m.svc.RevokeRefresh(m.t.Context(), f.tokens[g-1]) })
}

// raceThief refreshes with the newest token and one that is long used at once.
func (m *model) raceThief() {
	m.t.Helper()
	f := m.any()
	old := f.known(f.generation() - 2)
	if g := f.known(f.generation()); old > 0 {
		m.together(f, g, func() error {
			_, err := m.svc.Refresh(m.t.Context(), f.tokens[old-1])
			assert.ErrorIs(m.t, err, session.ErrNoRefresh)
			return nil
		})
	}
}

// together refreshes while the other ends the family.
func (m *model) together(f *modelFamily, g int, other func() error) {
	m.t.Helper()
	var (
		wg   sync.WaitGroup
		pair session.Pair
		err  error
	)
	wg.Go(func() { pair, err = m.svc.Refresh(m.t.Context(), f.tokens[g-1]) })
	wg.Go(func() {
		if err := other(); err != nil {
			m.t.Errorf("the other failed: %v", err)
		}
	})
	wg.Wait()
	f.revoked = true
	if err == nil {
		_, err = m.svc.Refresh(m.t.Context(), pair.Refresh.Reveal())
		assert.ErrorIs(m.t, err, session.ErrNoRefresh)
		_, err = m.svc.LookupAccess(m.t.Context(), pair.Access.Reveal())
		assert.ErrorIs(m.t, err, session.ErrNoSession)
	}
}

// forge presents a token with one character changed.
func (m *model) forge() {
	m.t.Helper()
	f := m.any()
	raw := []byte(f.tokens[f.known(f.generation())-1])
	raw[m.random.IntN(len(raw))] ^= 1 << m.random.IntN(7)
	_, err := m.svc.Refresh(m.t.Context(), string(raw))
	assert.ErrorIs(m.t, err, session.ErrNoRefresh)
	assert.NoError(m.t, m.svc.RevokeRefresh(m.t.Context(), string(raw)))
}

func (m *model) rotatePepper() {
	m.t.Helper()
	_, err := m.keys.RotateDEK(m.t.Context(), crypto.PurposeToken, "")
	assert.NoError(m.t, err)
}

// signOut ends a family by any of its tokens, or by its id.
func (m *model) signOut() {
	m.t.Helper()
	f := m.any()
	if g := f.known(1 + m.random.IntN(f.generation())); m.random.IntN(2) == 0 {
		assert.NoError(m.t, m.svc.RevokeRefresh(m.t.Context(), f.tokens[g-1]))
	} else if err := m.svc.Revoke(m.t.Context(), m.user.ID, f.id); f.revoked {
		assert.ErrorIs(m.t, err, session.ErrSessionNotFound)
	} else {
		assert.NoError(m.t, err)
	}
	f.revoked = true
}

// signOutElsewhere ends all families but one, which moves to the new version
// unless it was dead under an older one.
func (m *model) signOutElsewhere() {
	m.t.Helper()
	kept := m.any()
	_, err := m.svc.RevokeOthers(m.t.Context(), m.user.ID, kept.id)
	assert.NoError(m.t, err)
	for _, f := range m.families {
		if f == kept && !f.revoked && f.version == m.user.SecurityVersion-1 {
			f.version++
		} else {
			f.revoked = true
		}
	}
}
