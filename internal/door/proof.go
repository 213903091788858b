package door

import "time"

// Proven is what a proof says: who proved what, and when.
type Proven struct {
	// UserID is the user who proved themselves.
	UserID string
	// SecurityVersion is the user's version under which the proof was given.
	SecurityVersion int64
	// Channel is what was proven: password, mailbox, provider, totp, recovery,
	// passkey:<id> (rule R11).
	Channel string
	// At is when it was proven.
	At time.Time
}

// Proof says that a user proved one thing. It is no pass: what may become of it
// is decided at the door. The zero Proof proves nothing.
type Proof struct {
	proven *Proven
}

// NewProof vouches for proven. Only package auth and its sub-packages may call
// it, right after they have checked the secret.
func NewProof(proven Proven) Proof { return Proof{proven: &proven} }

// Facts returns what was proven, and false for the zero Proof.
func (p Proof) Facts() (Proven, bool) {
	if p.proven == nil || p.proven.UserID == "" || p.proven.Channel == "" {
		return Proven{}, false
	}
	return *p.proven, true
}
