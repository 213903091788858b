package audit

import (
	"context"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/principal"
)

// Outcome says how something ended.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
)

// maxName bounds every text of an [Entry] that is stored in clear, in bytes, and
// maxAgent its user agent.
const (
	maxName  = 256
	maxAgent = 512
)

// Entry is one thing that happened, as a package or a host tells it. What it stores
// in clear (all but IP, UserAgent, Before and After) are names of the program's and
// ids, never what somebody typed.
type Entry struct {
	// Action names what was done, in the words of the OWASP Logging Vocabulary:
	// "authn_login_success", "authz_change". Required.
	Action string
	// Event is what happened in the words of the package that tells it, such as the
	// name of its hook: "MemberJoined". Defaults to none.
	Event string
	// OrganizationID is whose trail it belongs to: the owner and the admins read it.
	// Empty for what belongs to no organization.
	OrganizationID string
	// Actor is who did it. Where its UserID and APIKeyID are empty it is the caller of
	// ctx; where it names the caller, the caller's session, key and impersonator are
	// filled in.
	Actor Actor
	// Target is what it was done to.
	Target Target
	// Outcome defaults to Success.
	Outcome Outcome
	// IP and UserAgent say where it came from. They default to those of the request in
	// ctx.
	IP        netip.Addr
	UserAgent string
	// Before and After are the fields that were changed. They are sealed and stored as
	// they are given: whoever writes an entry leaves secrets out. A token.Secret in them
	// is written as "[redacted]".
	Before, After map[string]any
}

// Actor is who did something.
type Actor struct {
	UserID string
	// ImpersonatorID is the superuser who acted as UserID.
	ImpersonatorID string
	APIKeyID       string
	SessionID      string
}

// Target is what something was done to: the kind of a thing, such as "user", and its
// id.
type Target struct{ Type, ID string }

// TargetUser is the Target.Type of users, whose personal data [Service.Erase] finds
// by it.
const TargetUser = "user"

// Record is an entry as it is read back.
type Record struct {
	Entry
	ID string
	// At is when it was recorded: UTC in microseconds.
	At time.Time
	// Seq is its number in the chain of its organization, 0 until it is sealed.
	Seq int64
	// Link is what ties it to the rows before it; nil until it is sealed.
	Link []byte
	// Erased says that it had personal fields, which were erased.
	Erased bool
	// Damaged says that the row is not what was recorded. Ask [Service.Verify].
	Damaged bool
}

// complete fills in what ctx knows.
func (e Entry) complete(ctx context.Context) Entry {
	if e.Outcome == "" {
		e.Outcome = Success
	}
	if p, ok := principal.FromContext(ctx); ok {
		e.Actor = e.Actor.complete(p)
	}
	if info, ok := client.FromContext(ctx); ok && !e.IP.IsValid() && e.UserAgent == "" {
		e.IP, e.UserAgent = info.IP, info.UserAgent
	}
	if len(e.UserAgent) > maxAgent {
		e.UserAgent = e.UserAgent[:maxAgent]
	}
	return e
}

// complete fills in what is known of the caller where a is the caller.
func (a Actor) complete(p *principal.Principal) Actor {
	if a.UserID == "" && a.APIKeyID == "" {
		return Actor{UserID: p.UserID, ImpersonatorID: p.ImpersonatorID, APIKeyID: p.APIKeyID, SessionID: p.SessionID}
	}
	if a.UserID != p.UserID || a.ImpersonatorID != "" {
		return a
	}
	a.ImpersonatorID = p.ImpersonatorID
	if a.SessionID == "" && a.APIKeyID == "" {
		a.SessionID, a.APIKeyID = p.SessionID, p.APIKeyID
	}
	return a
}

// validate holds what is stored in clear to what both databases take.
func (e Entry) validate() error {
	if e.Action == "" || e.Outcome != Success && e.Outcome != Failure {
		return ErrInvalidEntry
	}
	for _, text := range []string{
		e.Action, e.Event, e.OrganizationID, e.Actor.UserID, e.Actor.ImpersonatorID, e.Actor.APIKeyID, e.Actor.SessionID,
		e.Target.Type, e.Target.ID,
	} {
		if len(text) > maxName || !isPlain(text) {
			return ErrInvalidEntry
		}
	}
	return nil
}

// isPlain reports whether text is UTF-8 without control characters.
func isPlain(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}
