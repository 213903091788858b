package recovery

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/token"
)

// MailChoosePassword is the kind of mail that invites somebody whose account was
// made for them to choose a password.
const MailChoosePassword = "choose-password"

// How long such a link works: people who did not ask for a mail read it later. Into
// an account that is in use it is one of recovery, which NIST SP 800-63B-4 bounds to
// a day; an account that nobody has entered yet has nothing in it.
const (
	inviteLife     = 7 * 24 * time.Hour
	inviteBackLife = 24 * time.Hour
)

// ErrMailBudget means that the address was mailed too often of late.
var ErrMailBudget = problem.New(problem.RateLimited, "TOO_MANY_MAILS",
	"Too many mails went to this address. Try again in an hour.")

// Invite mails a user a link with which they choose a password and prove their
// mailbox, for accounts that somebody else made or reset. It works for seven days,
// or for one where the address is proven already. It joins the transaction of ctx.
// Errors: ErrMailBudget.
func (s *Service) Invite(ctx context.Context, user auth.User) error {
	to, err := auth.AddressOf(user)
	if err != nil {
		return fmt.Errorf("recovery: invite: %w", err)
	}
	life := inviteLife
	if user.EmailVerified {
		life = inviteBackLife
	}
	letter := auth.Letter{To: to, Kind: MailChoosePassword, Every: mailEvery}
	sent, err := s.cfg.Users.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		_, secret, err := s.cfg.Tokens.Issue(ctx, token.IssueParams{
			Purpose: PurposeReset, Subject: user.ID, SecurityVersion: user.SecurityVersion, TTL: life,
		})
		return mail.Data{Name: user.Name, Email: to.Display, Link: s.link(secret, ""), ExpiresIn: life}, err
	})
	if err != nil {
		return fmt.Errorf("recovery: invite: %w", err)
	}
	if !sent {
		return ErrMailBudget.WithRetryAfter(time.Hour)
	}
	return nil
}
