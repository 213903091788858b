package auth

import "context"

// Paces are the paces of guessing, by what is guessed at.
func Paces() map[string]Pace {
	return map[string]Pace{
		"password at the door, strangers together": strangerPace(), "password at the door, one known device": devicePace(),
		"own password when signed in": passwordPace(), "password of one sign-up": signUpProofPace(), "codes mailed to an address": codePace(),
	}
}

// MailAllowances are the budgets that one mail to an address counts against.
func (s *Service) MailAllowances(ctx context.Context, to Address, client Client) ([]Allowance, error) {
	return s.mailAllowances(ctx, Letter{To: to, Kind: MailVerifyEmail, Every: verifyEvery, Client: client})
}

// Steps is the pure function of the second step.
func Steps(channels []string, f Factors) (methods []string, done bool) { return steps(channels, f) }
