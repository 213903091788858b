// Package unlock serves the mailed link that lets new devices sign in again, after
// strangers guessed too often at an account (rule R9).
//
//	handler, err := unlock.NewHandler(users, unlock.HandlerConfig{BaseURL: "https://example.com"})
//
// Package auth counts, locks and mails; this package is the page and the route of
// the link. GET shows what there is to unlock and consumes nothing; POST consumes
// the secret (rule R24). Unlocking signs nobody in, and whoever reads the mailbox
// could only let guesses be counted anew. A [Handler] is safe for concurrent use.
package unlock

import (
	"context"

	"github.com/tenon-go/tenon/auth"
)

// Service is what the package needs of auth.Service.
type Service interface {
	// Unlockable returns the user whose account the secret unlocks, and consumes
	// nothing. Errors: token.ErrInvalid.
	Unlockable(ctx context.Context, raw string) (auth.User, error)
	// UnlockByMail consumes the secret and unlocks. Errors: token.ErrInvalid.
	UnlockByMail(ctx context.Context, raw string) (auth.User, error)
}

var _ Service = (*auth.Service)(nil)
