package session

import (
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/internal/door"
	"github.com/tenon-go/tenon/principal"
)

// maxChannels and maxChannelLength bound what a pass may name. A passkey's id
// is up to 1023 bytes (WebAuthn §5.8.3); its row's id, which channels name, is
// shorter.
const (
	maxChannels      = 8
	maxChannelLength = 128
)

// validChannels reports whether channels can be stored: some, each of printable
// ASCII without spaces.
func validChannels(channels []string) bool {
	if len(channels) == 0 || len(channels) > maxChannels {
		return false
	}
	for _, c := range channels {
		if c == "" || len(c) > maxChannelLength || strings.ContainsFunc(c, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return false
		}
	}
	return true
}

// addChannel returns channels with one more proven. First factors stay in front,
// and what can be a second factor goes to the end, so that assurance only rises.
func addChannel(channels []string, channel string) []string {
	known := slices.Contains(channels, channel)
	if known && !door.IsSecondFactor(channel) {
		return channels
	}
	all := slices.DeleteFunc(slices.Clone(channels), func(c string) bool { return c == channel })
	if len(all) == maxChannels {
		all = slices.Delete(all, 1, 2)
	}
	return append(all, channel)
}

// maxSkew is how far the clock of another process may be ahead.
const maxSkew = time.Minute

// Fresh reports whether the principal proved who they are within window before
// now, and by what is strong enough: by totp, recovery or a passkey where they
// turned a second factor on, by any channel otherwise (rule R12). A
// trusted device, which skips the question, proves nothing.
//
// An API key, an impersonated session and nobody are never fresh (rule R22).
// Neither is a proof that lies more than a minute in the future: the clock was
// set back, and nobody knows how old it is.
func Fresh(p *principal.Principal, now time.Time, window time.Duration) bool {
	if p == nil || p.UserID == "" || p.SessionID == "" || p.APIKeyID != "" || p.ImpersonatorID != "" {
		return false
	}
	age := now.Sub(p.FreshAt)
	if p.FreshAt.IsZero() || age > window || age < -maxSkew {
		return false
	}
	if p.SecondFactor {
		return slices.ContainsFunc(p.FreshChannels, door.IsSecondFactor)
	}
	return len(p.FreshChannels) > 0
}

// SecondFactorPolicy says who of all users needs a second factor. The zero value
// demands it of nobody.
type SecondFactorPolicy struct {
	// Required demands it of everybody. A session that did not prove one is restricted
	// once the grace period is over: it can enrol, step up and end, and everything else
	// answers 403 SECOND_FACTOR_REQUIRED. Defaults to false.
	Required bool
	// Since is when the policy came into force. For who was a user then, the grace
	// period begins with it; for others with their account. Defaults to always.
	Since time.Time
	// Grace is how long people have to enrol. Defaults to no time at all.
	Grace time.Duration
	// AcceptTrustedDevices lets sessions pass that began on a trusted device, until
	// that trust ends. Without it, they have to step up. Defaults to false: a trusted
	// device proves nothing (rule R11).
	AcceptTrustedDevices bool
	// Superusers demands it of superusers at once: they have no powers without it,
	// whether or not they have enrolled. Defaults to false, because the first superuser
	// of an installation could do nothing before they enrol; those who have enrolled
	// need it anyway (rule R22).
	Superusers bool
}

// of returns the policy as it holds for one user.
func (p SecondFactorPolicy) of(u User) principal.SecondFactorPolicy {
	if !p.Required {
		return principal.SecondFactorPolicy{}
	}
	since := p.Since
	if u.CreatedAt.After(since) {
		since = u.CreatedAt
	}
	return principal.SecondFactorPolicy{From: since.Add(p.Grace).UTC().Truncate(time.Microsecond), AcceptTrustedDevices: p.AcceptTrustedDevices}
}

// Demand is what policies demand of a session at the moment of its lookup.
type Demand struct {
	// Required says that the session is restricted by Config.SecondFactor.
	Required bool
	// DueAt is when the host's policy, or that of the active organization, will close
	// what is open now, unless a second factor is proven first. Zero means that neither
	// will.
	DueAt time.Time
	// OrganizationID is the organization that would be active, if its policy did not
	// keep the session out (rule R13).
	OrganizationID string
	// Superuser says that the user is a superuser without a second factor, which
	// superusers should have (rule R22).
	Superuser bool

	strict bool // superusers have no powers without it
}

// Demanded reports whether anybody demands a second factor that the session has not
// proven, now or soon.
func (d Demand) Demanded() bool {
	return d.Required || d.Superuser || d.OrganizationID != "" || !d.DueAt.IsZero()
}

// HoldsUntil is when the identity is not true any more because a policy begins to
// demand a second factor. Zero means never. Whoever remembers an identity forgets it
// then.
func (i *Identity) HoldsUntil() time.Time { return i.SecondFactor.DueAt }

// judge settles what the policies of the host and of the active organization leave
// open to the session at now (rules R11, R13). actor is the session in which a
// superuser began to act as the user, if one does: what they proved there counts.
func (i *Identity) judge(host SecondFactorPolicy, organization principal.SecondFactorPolicy, actor *Session, now time.Time) {
	e := principal.Evidence{Assurance: i.Session.Assurance(), TrustedUntil: i.Session.TrustedUntil}
	if actor != nil {
		e = principal.Evidence{Assurance: actor.Assurance(), TrustedUntil: actor.TrustedUntil}
	}
	d := Demand{strict: host.Superusers}
	d.Superuser = i.User.Superuser && actor == nil && !i.User.SecondFactor && e.Assurance < 2
	verdict := host.of(i.User).Judge(e, now)
	d.Required, d.DueAt = !verdict.Satisfied, verdict.Due
	if i.Session.OrganizationID != "" {
		if verdict = organization.Judge(e, now); !verdict.Satisfied {
			d.OrganizationID, i.Session.OrganizationID, i.Role = i.Session.OrganizationID, "", ""
		} else if due := verdict.Due; !due.IsZero() && (d.DueAt.IsZero() || due.Before(d.DueAt)) {
			d.DueAt = due
		}
	}
	i.SecondFactor = d
}
