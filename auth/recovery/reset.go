package recovery

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/token"
)

// ResetParams carry the secret of a mailed link and the password it is for.
type ResetParams struct {
	// Token is the secret of the link.
	Token       string
	NewPassword string
	// UserID, if set, is the user who was shown to the person who confirms. A link
	// of another one is refused.
	UserID string
	Client auth.Client
}

// Reset consumes the secret of a mailed link and sets the password, in one
// transaction, which joins that of ctx. The user's other links, all sessions and
// whatever is in flight end with it (rule R1); the owner is told by mail. It signs
// nobody in. A password that is refused leaves the link as it was. Errors:
// token.ErrInvalid for every link that does not or no longer work,
// auth.ErrLinkReplaced, those of auth.Service.NewPassword.
func (s *Service) Reset(ctx context.Context, p ResetParams) error {
	user, link, err := s.peek(ctx, p.Token)
	if err != nil {
		return err
	}
	if p.UserID != "" && p.UserID != user.ID {
		return auth.ErrLinkReplaced
	}
	err = s.cfg.Users.ResetPassword(ctx, auth.Reset{
		UserID: user.ID, From: link.SecurityVersion, NewPassword: p.NewPassword, Client: p.Client,
		Consume: func(ctx context.Context) error {
			_, err := s.cfg.Tokens.Consume(ctx, PurposeReset, p.Token)
			return err
		},
	})
	if errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrUserNotFound) {
		return token.ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("recovery: reset: %w", err)
	}
	return nil
}
