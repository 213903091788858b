// Package door holds the pass through which every session is made.
//
// A [Pass] says that one user proved who they are, by which channels and when,
// and that every policy was asked. Its only constructor, [NewPass], may be
// called by package auth alone; internal/arch checks that. Whatever starts
// sessions takes a Pass, so no other code path can obtain one (rule R2).
package door

import (
	"net/netip"
	"slices"
	"time"
)

// Facts are what a pass vouches for.
type Facts struct {
	// UserID is the user who proved themselves.
	UserID string
	// SecurityVersion is the user's version under which the proof was given.
	// A session made from the pass dies with it (rule R1).
	SecurityVersion int64
	// Channels name what was proven: password, mailbox, provider, totp,
	// recovery, passkey:<id> (rule R11).
	Channels []string
	// ProvenAt is when the last of Channels was proven.
	ProvenAt time.Time
	// OrganizationID becomes the session's active organization. Where it is empty,
	// the session starts in the user's default one.
	OrganizationID string
	// TrustedUntil is when the trust in the device ends that made the second factor
	// unasked, zero where it was not. It is no proof (rule R11).
	TrustedUntil time.Time
	// BrowserOnly asks for a session that ends with the browser and lives a day
	// at most ("remember me" was declined).
	BrowserOnly bool
	// Bearer asks for a pair of tokens instead of a cookie, as the request of the
	// first factor did (rule R16).
	Bearer bool
	// ActorID is the superuser who acts as the user, and ActorSessionID the
	// session in which they asked for it; both are empty where users come
	// themselves (rule R22).
	ActorID, ActorSessionID string
	// IP and UserAgent describe the client for the user's list of devices.
	IP        netip.Addr
	UserAgent string
}

// Pass opens the door once. The zero Pass opens nothing.
type Pass struct {
	facts *Facts
}

// NewPass vouches for facts. Only package auth may call it, after every policy
// was asked and inside the transaction that starts the session.
func NewPass(facts Facts) Pass {
	facts.Channels = slices.Clone(facts.Channels)
	return Pass{facts: &facts}
}

// Facts returns what the pass vouches for, and false for the zero Pass.
func (p Pass) Facts() (Facts, bool) {
	if p.facts == nil || p.facts.UserID == "" {
		return Facts{}, false
	}
	return *p.facts, true
}
