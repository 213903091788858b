package password

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tenon-go/tenon/problem"
)

// Policy decides which passwords may be set. Passwords that are in use already
// are not judged by it: those are verified, whatever they are. Its zero value is
// the default policy. There are no rules of composition (ASVS 6.2.5), and none
// about age (ASVS 6.2.10). It is safe for concurrent use.
type Policy struct {
	// MinLength is the least number of characters, which are Unicode code points
	// after Normalize, of a password that protects its account alone. Defaults to
	// 8 (ASVS 6.2.1); from 8 to 64.
	MinLength int
	// MinLengthSecondFactor is the least where the account has a second factor
	// besides. Defaults to MinLength; from 8 to MinLength.
	MinLengthSecondFactor int
	// Products are names that nobody's password should be made of: of the
	// product, of the company (ASVS 6.2.11). Defaults to none.
	Products []string
	// Breaches knows which passwords were stolen elsewhere (ASVS 6.2.12). It is
	// asked last. Defaults to nobody; see package breach.
	Breaches Breaches
}

// Breaches knows passwords that were found in stolen data. Package breach has one
// that asks a service without telling it the password.
type Breaches interface {
	// Breached reports whether the prepared password is known to be stolen. An
	// error means that it is not known; the password is refused then, with a 503.
	// It must end with ctx and within a few seconds, and must neither keep nor log
	// the password.
	Breached(ctx context.Context, prepared string) (bool, error)
}

// maxMinLength keeps a Policy from refusing what everybody must accept: 64
// characters (ASVS 6.2.9, NIST SP 800-63B-4 §3.1.1.2).
const maxMinLength = 64

// NIST returns the lengths of NIST SP 800-63B-4 §3.1.1.2: 15 characters where the
// password is the only factor, 8 beside a second one.
func NIST() Policy { return Policy{MinLength: 15, MinLengthSecondFactor: MinLength} }

// Candidate is a password that somebody wants to set, with what is known of that
// person. Empty fields are not compared with.
type Candidate struct {
	// Password as it was typed.
	Password string
	// Email and Name are the account's.
	Email, Name string
	// SecondFactor says that the account has a second factor enrolled.
	SecondFactor bool
}

// Validate returns an error that names what is wrong with p.
func (p Policy) Validate() error {
	var errs []error
	if least := p.Least(false); least < MinLength || least > maxMinLength {
		errs = append(errs, fmt.Errorf("need a MinLength from %d to %d", MinLength, maxMinLength))
	}
	if least := p.Least(true); least < MinLength || least > p.Least(false) {
		errs = append(errs, fmt.Errorf("need a MinLengthSecondFactor from %d to MinLength", MinLength))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("password: policy: %w", err)
	}
	return nil
}

// Least returns how many characters a password needs, for hints in forms.
func (p Policy) Least(secondFactor bool) int {
	least := cmp.Or(p.MinLength, MinLength)
	if secondFactor {
		return cmp.Or(p.MinLengthSecondFactor, least)
	}
	return least
}

// Check says whether c may become a password. It looks nothing up but Breaches,
// so its answer tells nothing about who exists. Errors, in this order: ErrNotText,
// ErrTooLong, ErrTooShort, ErrTooCommon, ErrTooSimilar, ErrCompromised,
// problem.ErrUnavailable where Breaches does not know, and the error of Validate.
func (p Policy) Check(ctx context.Context, c Candidate) error {
	_, err := p.Prepare(ctx, c)
	return err
}

// Prepare is Check, and returns the text to hash: Normalize of the password. With
// Breaches it talks to the network, so open no transaction before it.
func (p Policy) Prepare(ctx context.Context, c Candidate) (string, error) {
	if err := p.Validate(); err != nil {
		return "", err
	}
	prepared, err := p.measure(c)
	if err != nil {
		return "", err
	}
	if isCommon(prepared) {
		return "", ErrTooCommon
	}
	if err := p.resembles(prepared, c); err != nil {
		return "", err
	}
	if p.Breaches == nil {
		return prepared, nil
	}
	stolen, err := p.Breaches.Breached(ctx, prepared)
	if err != nil {
		return "", fmt.Errorf("password: ask for breaches: %w", problem.ErrUnavailable.With(err))
	}
	if stolen {
		return "", ErrCompromised
	}
	return prepared, nil
}

// measure prepares the password and judges its length.
func (p Policy) measure(c Candidate) (string, error) {
	prepared, err := "", error(nil)
	if c.Password != "" {
		if prepared, err = Normalize(c.Password); err != nil {
			return "", err
		}
	}
	switch n, least := utf8.RuneCountInString(prepared), p.Least(c.SecondFactor); {
	case n > MaxLength:
		return "", ErrTooLong
	case n >= least:
		return prepared, nil
	case least == MinLength:
		return "", ErrTooShort
	default:
		return "", saying(ErrTooShort, fmt.Sprintf("The password is too short. Use at least %d characters; a few unrelated words work well.", least))
	}
}

// saying returns sentinel with another message of the program.
func saying(sentinel *problem.Error, message string) error {
	e := *sentinel
	e.Message = message
	return &e
}
