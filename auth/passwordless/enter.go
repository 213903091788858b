package passwordless

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/internal/door"
)

// Result is a sign-in.
type Result struct {
	User    auth.User
	Outcome auth.Outcome
	// New says that the user was made by it.
	New bool
}

// claim is whose mailbox was proven, as it was when the proof was asked for.
type claim struct {
	// userID is empty where the address was nobody's.
	userID  string
	version int64
	// profile is what a new user is made from.
	profile auth.NewUser
}

// errGone means that the proof is of another time: the account changed, is gone,
// or is somebody's meanwhile.
var errGone = errors.New("passwordless: the proof is out of date")

// enter lets whoever proved a mailbox in: it uses the proof up, finds or makes the
// user, and goes through the door, in one transaction (rules R1, R2). It returns
// errGone, and the proof stays, if the user may not come in.
func (s *Service) enter(ctx context.Context, c claim, p auth.AttemptParams, consume func(ctx context.Context) error) (result Result, err error) {
	c.profile.Client = p.Client
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if c.userID != "" {
			// The user before the proof: a deletion locks in that order (rule R3).
			if err := s.store.Hold(ctx, c.userID); err != nil {
				return err
			}
		}
		if err := consume(ctx); err != nil {
			return err
		}
		if result.User, err = s.owner(ctx, c); err != nil {
			return err
		}
		result.New = c.userID == ""
		attempt, err := s.cfg.Users.Attempt(ctx, door.NewProof(door.Proven{
			UserID: result.User.ID, SecurityVersion: result.User.SecurityVersion, Channel: auth.ChannelMailbox, At: s.now(),
		}), p)
		if err != nil {
			return err
		}
		result.Outcome, err = s.cfg.Users.Complete(ctx, attempt)
		return err
	})
	for _, gone := range []error{auth.ErrNotAdmitted, auth.ErrStale, auth.ErrUserNotFound, auth.ErrAddressTaken} {
		if errors.Is(err, gone) {
			return Result{}, errGone
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("passwordless: sign in: %w", err)
	}
	return result, nil
}

// owner finds the user of a claim as somebody with a proven address, or makes one.
func (s *Service) owner(ctx context.Context, c claim) (auth.User, error) {
	if c.userID == "" && s.cfg.Policy.NoSignUp {
		return auth.User{}, errGone
	}
	if c.userID == "" {
		return s.cfg.Users.CreateProven(ctx, c.profile, auth.ProofMail)
	}
	user, err := s.store.UserByID(ctx, c.userID)
	switch {
	case err != nil:
		return auth.User{}, err
	case user.SecurityVersion != c.version:
		return auth.User{}, errGone
	case user.EmailVerified:
		return user, nil
	}
	return s.cfg.Users.ProveUser(ctx, auth.Proving{UserID: user.ID, From: c.version, Proof: auth.ProofMail, Client: c.profile.Client})
}
