package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
)

const (
	// callers is how many people sign in, or up, at the same time.
	callers = 64
	// signInUsers is enough for no two of the callers to be one user.
	signInUsers = 2 * callers
)

// ceiling is bare argon2id with the library's parameters (19 MiB, two passes,
// one lane) behind slots: no machine signs in faster.
type ceiling chan struct{}

func newCeiling(slots int) ceiling { return make(ceiling, slots) }

// hash does what a hash takes: a salt and a derived key.
func (c ceiling) hash(context.Context, int) error {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	c <- struct{}{}
	defer func() { <-c }()
	argon2.IDKey([]byte(thePassword), salt, 2, 19<<10, 1, 32)
	return nil
}

// signIns compares whole sign-ins of different users with bare hashing, both with
// the same slots and callers. With a slot for each core, sign-ins and the database
// have to take their time from the hashes; with one slot less they need not.
func signIns(ctx context.Context, b *bench) ([]row, error) {
	cores := runtime.GOMAXPROCS(0)
	busy, err := b.signIn(ctx, cores)
	if err != nil || cores == 1 {
		return []row{busy}, err
	}
	spare, err := b.signIn(ctx, cores-1)
	return []row{busy, spare}, err
}

func (b *bench) signIn(ctx context.Context, slots int) (row, error) {
	w, err := b.withSlots(ctx, slots)
	if err != nil {
		return row{}, err
	}
	if err := w.addUsers(ctx, signInUsers); err != nil {
		return row{}, err
	}
	if err := w.analyze(ctx); err != nil {
		return row{}, err
	}
	got, err := contest{rounds: b.rounds, turns: 1, turn: 2 * callers, callers: callers}.run(ctx,
		side{"bare argon2id", newCeiling(slots).hash}, side{"auth.Service.SignIn", w.signIn})
	if err != nil {
		return row{}, err
	}
	r := got.ratio(0, 1) // of rates, so the other way round
	return row{
		figure: fmt.Sprintf("Sign-ins, postgres, %d callers", callers),
		bare:   fmt.Sprintf("%.1f/s: argon2id, slots: %d", got.rate(0), slots),
		tenon:  fmt.Sprintf("%.1f/s", got.rate(1)),
		ratio:  r.String(),
		goal:   judged("≥ 0.95", r.median >= 0.95),
	}, nil
}

// signUps measures the way of a new user: a sign-up with its hash and its mail,
// and the opening of the link in the same browser, which hashes nothing.
func signUps(ctx context.Context, b *bench) ([]row, error) {
	w, err := b.onPostgres(ctx)
	if err != nil {
		return nil, err
	}
	browsers := make([]string, (b.rounds+1)*callers) // one turn is the warm-up
	got, err := contest{rounds: b.rounds, turns: 1, turn: callers, callers: callers}.run(ctx,
		side{"bare argon2id", newCeiling(runtime.GOMAXPROCS(0)).hash},
		side{"auth.Service.SignUp", func(ctx context.Context, i int) (err error) {
			browsers[i], err = w.signUp(ctx, i)
			return err
		}})
	if err != nil {
		return nil, err
	}
	if err := w.app.Drain(ctx); err != nil {
		return nil, err
	}
	verified, err := contest{rounds: b.rounds, turns: 1, turn: callers, callers: callers}.run(ctx,
		side{"auth.Service.VerifyEmail", func(ctx context.Context, i int) error { return w.verify(ctx, i, browsers[i]) }})
	if err != nil {
		return nil, err
	}
	return []row{{
		figure: fmt.Sprintf("Sign-ups, postgres, %d callers", callers),
		bare:   fmt.Sprintf("%.1f/s: argon2id, slots: %d", got.rate(0), runtime.GOMAXPROCS(0)),
		tenon:  fmt.Sprintf("%.1f/s", got.rate(1)),
		ratio:  got.ratio(0, 1).String(),
	}, {
		figure: fmt.Sprintf("Verifications, postgres, %d callers", callers),
		tenon:  fmt.Sprintf("%.0f/s", verified.rate(0)),
	}}, nil
}
