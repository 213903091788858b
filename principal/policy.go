package principal

import "time"

// SecondFactorPolicy demands a second factor, of everybody or of the members of an
// organization. The zero value demands nothing.
type SecondFactorPolicy struct {
	// From is when the demand begins; until then it is only announced. Zero means that
	// there is none.
	From time.Time
	// AcceptTrustedDevices lets a session pass that began on a trusted device, for as
	// long as that trust lasts. A trusted device proves nothing (rule R11), so this is
	// for whoever writes the policy to say.
	AcceptTrustedDevices bool
}

// Evidence is what a session has to show to a [SecondFactorPolicy].
type Evidence struct {
	// Assurance is the session's level (see [Principal]).
	Assurance int
	// TrustedUntil is when the trust in the device ends on which the session began.
	// Zero means that it is none.
	TrustedUntil time.Time
}

// Verdict is what a [SecondFactorPolicy] says of a session at one moment.
type Verdict struct {
	// Satisfied says that the session may be used where the policy holds.
	Satisfied bool
	// Due is when it will not be satisfied any more, unless a second factor is proven
	// first: the end of the grace period, or of the trust. Zero means never, and is
	// what an unsatisfied policy says.
	Due time.Time
}

// Judge says whether a session satisfies the policy at now. It is the one place that
// decides so, for the policy of the host and of every organization (rules R11, R13).
func (p SecondFactorPolicy) Judge(e Evidence, now time.Time) Verdict {
	if p.From.IsZero() || e.Assurance >= 2 {
		return Verdict{Satisfied: true}
	}
	due := p.From
	if p.AcceptTrustedDevices && e.TrustedUntil.After(due) {
		due = e.TrustedUntil
	}
	if now.Before(due) {
		return Verdict{Satisfied: true, Due: due}
	}
	return Verdict{}
}

// Check returns ErrSecondFactorRequired if the caller may not act where the policy
// holds: p is that of the organization that is about to become the scope (rule R13).
// An API key proves no factor.
func (p SecondFactorPolicy) Check(caller *Principal, now time.Time) error {
	if caller != nil && p.Judge(caller.Evidence(), now).Satisfied {
		return nil
	}
	return ErrSecondFactorRequired
}
