package passwordless

import (
	"context"
	"fmt"
	"io"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/token"
)

// SendCodeParams ask for a code.
type SendCodeParams struct {
	Email   string
	Purpose Purpose
	// Flow is the flow of an earlier request of the client, if any.
	Flow   string
	Client auth.Client
}

// SendCode mails a code within the budget of rule R6, and returns the flow that it
// works with (rule R10). The flow's earlier code for the same ends with it, if a
// mail goes. It does the same work and reports nothing whether the address is a
// user's, banned or not, waits to be proven, or is nobody's (rule R7). It joins the
// transaction of ctx. Errors: auth.ErrInvalidEmail, ErrPurpose.
func (s *Service) SendCode(ctx context.Context, p SendCodeParams) (flow token.Secret, err error) {
	if !s.offers(p.Purpose) {
		return token.Secret{}, ErrPurpose
	}
	address, err := auth.ParseAddress(p.Email)
	if err != nil {
		return token.Secret{}, err
	}
	known, err := s.flow(p.Flow)
	if err != nil {
		return token.Secret{}, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		f, err := s.find(ctx, address)
		if err != nil {
			return err
		}
		c, kind := s.aim(f, p.Purpose)
		c.Flow, c.Purpose, c.Email = hashFlow(known), p.Purpose, address.Key
		letter := auth.Letter{To: f.mailbox(), Kind: kind, Every: mailEvery, Client: p.Client}
		if kind == "" {
			letter.Kind, letter.Silent = MailSignInCode, true
		}
		return s.postCode(ctx, c, letter, f.user.Name)
	})
	if err != nil {
		return token.Secret{}, fmt.Errorf("passwordless: send a code: %w", err)
	}
	return known.Secret(), nil
}

// offers reports whether there are codes for that purpose.
func (s *Service) offers(purpose Purpose) bool {
	switch purpose {
	case PurposeSignIn, PurposeVerifyEmail:
		return !s.cfg.Policy.NoCodes
	case PurposeReset:
		return s.cfg.Policy.ResetByCode
	}
	return false
}

// postCode puts the code's row into place and mails the code. A letter that says that
// the address is taken goes without one, and no code fits its row. What is not mailed
// leaves the flow with the code that it had, or with a row that no code fits: rows
// are there whatever the address is, so that guesses are answered alike.
func (s *Service) postCode(ctx context.Context, c Code, letter auth.Letter, name string) error {
	c.AskedAt = s.now()
	c.ExpiresAt = c.AskedAt.Add(Life)
	var err error
	if c.ID, err = s.newID(); err != nil {
		return err
	}
	decoy := c
	if decoy.ID, err = s.newID(); err != nil {
		return err
	}
	code, err := newCode(s.cfg.Rand)
	if err != nil {
		return err
	}
	if c.Verifier, err = s.seal(ctx, c, code); err != nil {
		return err
	}
	decoy.Verifier = token.Verifier{KID: c.Verifier.KID, MAC: make([]byte, len(c.Verifier.MAC))}
	if _, err := io.ReadFull(s.cfg.Rand, decoy.Verifier.MAC); err != nil {
		return fmt.Errorf("make a row that no code fits: %w", err)
	}
	data := mail.Data{Name: name, Email: letter.To.Display, Code: code, ExpiresIn: Life}
	if letter.Kind == auth.MailEmailTaken {
		data, c.Verifier = mail.Data{Email: letter.To.Display}, decoy.Verifier
	}
	_, err = s.cfg.Users.Post(ctx, letter, func(ctx context.Context) (mail.Data, error) {
		return data, s.store.PutCode(ctx, c)
	})
	if err != nil {
		return err
	}
	return s.store.KeepCode(ctx, decoy)
}

// aim says what a code for f acts on, and the kind of mail it goes with, which is
// empty if there is nobody to mail.
func (s *Service) aim(f found, purpose Purpose) (c Code, kind string) {
	if f.known() {
		c.Subject, c.SecurityVersion = f.user.ID, f.user.SecurityVersion
	}
	switch {
	case purpose == PurposeReset && f.known():
		return c, MailResetCode
	case purpose == PurposeVerifyEmail && f.known():
		return c, MailConfirmCode
	case purpose == PurposeVerifyEmail && f.signUp.ID != "":
		// Another kind than the link of the sign-up, which has just gone.
		return Code{Subject: f.signUp.ID}, MailConfirmCode
	case purpose == PurposeSignIn && (f.known() || !s.cfg.Policy.NoSignUp):
		return c, MailSignInCode
	}
	return c, ""
}
