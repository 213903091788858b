package tenon

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/audit/auditbun"
	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/internal/entered"
	"github.com/tenon-go/tenon/internal/feature"
	"github.com/tenon-go/tenon/internal/hook"
	"github.com/tenon-go/tenon/internal/route"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/ratelimit"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
)

// AuditConfig says how the trail of who did what is kept (rule R30).
type AuditConfig struct {
	// Off keeps no trail: no entries, no routes.
	Off bool
	// Retention is how long entries are kept at least, a day or more; older ones are
	// deleted and leave a signed checkpoint. Defaults to for ever.
	Retention time.Duration
	// Anchor is handed the signed heads of chains, and AnchorEvery says how often that
	// of one chain at most: see audit.Config. Default to a line of the log and a minute.
	Anchor      func(ctx context.Context, h audit.Head) error
	AnchorEvery time.Duration
	// KeepPersonal keeps what entries have of deleted users: addresses, user agents, what
	// was changed. Defaults to false: it is erased with the user, and the entries stay.
	KeepPersonal bool
}

// auditFreshFor is how old a superuser's proof may be who reads everybody's trail.
const auditFreshFor = time.Hour

// refusalWithin bounds the record of a refusal.
const refusalWithin = 5 * time.Second

// refusalRule bounds how many refusals of one user are recorded: nobody fills the
// trail by asking again and again.
func refusalRule() ratelimit.Rule { return ratelimit.Rule{{Quota: 20, Window: time.Minute}} }

func (a *App) wireAudit() (err error) {
	var cfg AuditConfig
	if a.cfg.Audit != nil {
		cfg = *a.cfg.Audit
	}
	if cfg.Off {
		return nil
	}
	a.keepPersonal = cfg.KeepPersonal
	a.Audit, err = audit.New(auditbun.New(a.DB), audit.Config{
		Keys: a.Keys, Anchor: cfg.Anchor, AnchorEvery: cfg.AnchorEvery, Retention: cfg.Retention, Logger: a.cfg.Logger, Now: a.DB.Now,
	})
	if err != nil {
		return err
	}
	a.refusals, err = ratelimit.New[string](ratelimit.Config{Rules: []ratelimit.Rule{refusalRule()}, Now: a.DB.Now})
	if err != nil {
		return err
	}
	a.auditHTTP, err = audit.NewHandler(a.Audit, audit.HandlerConfig{
		MayRead: func(ctx context.Context, caller *principal.Principal, organizationID string) error {
			_, _, err := a.Organizations.Authorize(ctx, caller, organizationID, "audit", "read")
			return err
		},
		CheckSuperuser: func(r *http.Request) error {
			if err := session.CheckSuperuser(r); err != nil {
				return err
			}
			return session.CheckFresh(r, auditFreshFor)
		},
		Logger: a.cfg.Logger,
	})
	return err
}

// auditRoutes are none where there is no trail.
func (a *App) auditRoutes() route.Table {
	if a.auditHTTP == nil {
		return nil
	}
	return a.auditHTTP.Routes()
}

// runAudit, drainAudit and maintainAudit return at once where there is no trail.
func (a *App) runAudit(ctx context.Context) error { return ifAny(ctx, a.Audit, (*audit.Service).Run) }

func (a *App) drainAudit(ctx context.Context) error {
	return ifAny(ctx, a.Audit, (*audit.Service).Drain)
}

func (a *App) maintainAudit(ctx context.Context) error {
	return ifAny(ctx, a.Audit, (*audit.Service).Maintain)
}

func ifAny(ctx context.Context, svc *audit.Service, do func(*audit.Service, context.Context) error) error {
	if svc == nil {
		return nil
	}
	return do(svc, ctx)
}

// record writes an entry in the transaction of ctx.
func (a *App) record(ctx context.Context, e audit.Entry) error {
	if a.Audit == nil {
		return nil
	}
	return a.Audit.Record(ctx, e)
}

// line makes a hook that writes the entry of each event.
func line[E any](a *App, entry func(e E) audit.Entry) hook.Func[E] {
	return func(ctx context.Context, e E) error { return a.record(ctx, entry(e)) }
}

// fields are what changed. None of them is secret.
type fields = map[string]any

// aboutUser is an entry about a user; without an actor it is the caller's.
func aboutUser(action, event, userID, actorID string, c auth.Client, after fields) audit.Entry {
	return audit.Entry{
		Action: action, Event: event, Actor: audit.Actor{UserID: actorID}, Target: audit.Target{Type: audit.TargetUser, ID: userID},
		IP: c.IP, UserAgent: c.UserAgent, After: after,
	}
}

// failed marks an entry as one of something that did not succeed.
func failed(e audit.Entry) audit.Entry {
	e.Outcome = audit.Failure
	return e
}

// until is a time as it is written into an entry; never is null.
func until(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return route.NewTime(t)
}

// auditAuth writes what happens to users and their sign-ins.
func (a *App) auditAuth() auth.Hooks { return auth.JoinHooks(a.auditSignIns(), a.auditAccounts()) }

func (a *App) auditSignIns() auth.Hooks {
	return auth.Hooks{
		SignedIn: line(a, func(e auth.SignedIn) audit.Entry {
			entry := aboutUser("authn_login_success", "SignedIn", e.UserID, e.UserID, e.Client, fields{"channels": e.Channels})
			entry.Actor.SessionID = e.SessionID
			return entry
		}),
		ChallengeStarted: line(a, func(e auth.ChallengeStarted) audit.Entry {
			return aboutUser("authn_login_challenge", "ChallengeStarted", e.UserID, e.UserID, e.Client, fields{"channels": e.Channels, "methods": e.Methods})
		}),
		// Who failed is not known; who it was about may be nobody.
		SignInFailed: line(a, func(e auth.SignInFailed) audit.Entry {
			return failed(aboutUser("authn_login_fail", "SignInFailed", e.UserID, "", e.Client, fields{"factor": e.Factor}))
		}),
		SteppedUp: line(a, func(e auth.SteppedUp) audit.Entry {
			entry := aboutUser("authn_login_success", "SteppedUp", e.UserID, e.UserID, e.Client, fields{"channel": e.Channel})
			entry.Actor.SessionID = e.SessionID
			return entry
		}),
		DeviceTrusted: line(a, func(e auth.DeviceTrusted) audit.Entry {
			return aboutUser("authn_token_created", "DeviceTrusted", e.UserID, e.UserID, e.Client, fields{"deviceId": e.DeviceID, "until": until(e.Until)})
		}),
		TrustReplayed: line(a, func(e auth.TrustReplayed) audit.Entry {
			return failed(aboutUser("authn_token_reuse", "TrustReplayed", e.UserID, "", e.Client, fields{"deviceId": e.DeviceID}))
		}),
		TrustRevoked: line(a, func(e auth.TrustRevoked) audit.Entry {
			return aboutUser("authn_token_revoked", "TrustRevoked", e.UserID, e.UserID, auth.Client{}, fields{"deviceId": e.DeviceID})
		}),
		Impersonated: line(a, func(e auth.Impersonated) audit.Entry {
			return aboutUser("authz_admin", "Impersonated", e.UserID, e.ActorID, e.Client, fields{"sessionId": e.SessionID})
		}),
	}
}

func (a *App) auditAccounts() auth.Hooks {
	return auth.Hooks{
		UserCreated: line(a, func(e auth.UserCreated) audit.Entry {
			return aboutUser("user_created", "UserCreated", e.User.ID, "", e.Client, fields{"email": e.User.Display, "name": e.User.Name})
		}),
		SignUpProven: line(a, func(e auth.SignUpProven) audit.Entry {
			return aboutUser("authn_email_verified", "SignUpProven", e.User.ID, "", e.Client, fields{"kept": e.Kept})
		}),
		UserVerified: line(a, func(e auth.UserVerified) audit.Entry {
			return aboutUser("authn_email_verified", "UserVerified", e.User.ID, "", e.Client, nil)
		}),
		UserUpdated: line(a, func(e auth.UserUpdated) audit.Entry {
			return aboutUser("user_updated", "UserUpdated", e.User.ID, e.ActorID, auth.Client{}, fields{"name": e.User.Name, "image": e.User.Image})
		}),
		PasswordChanged: line(a, func(e auth.PasswordChanged) audit.Entry {
			return aboutUser("authn_password_change", "PasswordChanged", e.UserID, e.ActorID, e.Client, nil)
		}),
		EmailChanged: line(a, func(e auth.EmailChanged) audit.Entry {
			entry := aboutUser("user_updated", "EmailChanged", e.UserID, e.ActorID, e.Client, fields{"email": e.New.Display})
			entry.Before = fields{"email": e.Old.Display}
			return entry
		}),
		UserBanned: line(a, func(e auth.UserBanned) audit.Entry {
			return aboutUser("authn_login_lock", "UserBanned", e.UserID, e.ActorID, auth.Client{}, fields{"reason": e.Reason, "until": until(e.Until)})
		}),
		UserUnbanned: line(a, func(e auth.UserUnbanned) audit.Entry {
			return aboutUser("user_updated", "UserUnbanned", e.UserID, e.ActorID, auth.Client{}, nil)
		}),
		UserUnlocked: line(a, func(e auth.UserUnlocked) audit.Entry {
			return aboutUser("authn_login_lock", "UserUnlocked", e.UserID, e.ActorID, auth.Client{}, nil)
		}),
		SuperuserChanged: line(a, func(e auth.SuperuserChanged) audit.Entry {
			return aboutUser("authz_admin", "SuperuserChanged", e.UserID, e.ActorID, auth.Client{}, fields{"superuser": e.Superuser})
		}),
		SecondFactorReset: line(a, func(e auth.SecondFactorReset) audit.Entry {
			return aboutUser("authn_factor_reset", "SecondFactorReset", e.UserID, e.ActorID, e.Client, fields{"passkeys": e.Passkeys})
		}),
		// Changes of second factors have no hook but this one.
		OwnerTold: func(ctx context.Context, e auth.OwnerTold) error {
			if e.Kind == account.MailUserDeleted {
				return nil // UserDeleted says so, and what is personal is erased by now
			}
			return a.record(ctx, aboutUser("user_updated", "OwnerTold", e.User.ID, "", auth.Client{}, fields{"kind": e.Kind}))
		},
		UserDeleted: a.auditDeletion,
	}
}

// eventAccepted is the event of the entry about an accepted invitation.
const eventAccepted = "InvitationAccepted"

// auditSessions writes what happens to sessions.
func (a *App) auditSessions() session.Hooks {
	about := func(action, event, userID, sessionID string, after fields) audit.Entry {
		return audit.Entry{Action: action, Event: event, Actor: audit.Actor{UserID: userID}, Target: audit.Target{Type: "session", ID: sessionID}, After: after}
	}
	return session.Hooks{
		SessionStarted: line(a, func(e session.SessionStarted) audit.Entry {
			return about("session_created", "SessionStarted", e.Session.UserID, e.Session.ID, nil)
		}),
		SessionElevated: line(a, func(e session.SessionElevated) audit.Entry {
			return about("session_renewed", "SessionElevated", e.Session.UserID, e.Session.ID, fields{"channel": e.Channel})
		}),
		// Whoever ended it, which ctx knows, need not be its user.
		SessionRevoked: line(a, func(e session.SessionRevoked) audit.Entry {
			return about("session_expired", "SessionRevoked", "", e.SessionID, fields{"userId": e.UserID})
		}),
		RefreshReused: line(a, func(e session.RefreshReused) audit.Entry {
			return failed(about("authn_token_reuse", "RefreshReused", "", e.SessionID, fields{"userId": e.UserID, "generation": e.Generation}))
		}),
	}
}

// inOrganization is an entry of an organization's own trail.
func inOrganization(action, event, organizationID, actorID string, target audit.Target, before, after fields) audit.Entry {
	return audit.Entry{
		Action: action, Event: event, OrganizationID: organizationID, Actor: audit.Actor{UserID: actorID}, Target: target, Before: before, After: after,
	}
}

func memberTarget(userID string) audit.Target {
	return audit.Target{Type: audit.TargetUser, ID: userID}
}

// auditOrganizations writes what happens to organizations and their members.
func (a *App) auditOrganizations() tenancy.Hooks {
	itself := func(action, event string, o tenancy.Organization, actorID string, before, after fields) audit.Entry {
		return inOrganization(action, event, o.ID, actorID, audit.Target{Type: "organization", ID: o.ID}, before, after)
	}
	return tenancy.Hooks{
		OrganizationCreated: line(a, func(e tenancy.OrganizationCreated) audit.Entry {
			return itself("sensitive_create", "OrganizationCreated", e.Organization, e.ActorID, nil, fields{"name": e.Organization.Name, "slug": e.Organization.Slug})
		}),
		OrganizationUpdated: line(a, func(e tenancy.OrganizationUpdated) audit.Entry {
			of := func(o tenancy.Organization) fields { return fields{"name": o.Name, "slug": o.Slug, "logo": o.Logo} }
			return itself("sensitive_update", "OrganizationUpdated", e.After, e.ActorID, of(e.Before), of(e.After))
		}),
		OwnershipOffered: line(a, func(e tenancy.OwnershipOffered) audit.Entry {
			return itself("authz_change", "OwnershipOffered", e.Organization, e.From, nil, fields{"to": e.To, "endsAt": until(e.EndsAt)})
		}),
		RoleChanged: line(a, func(e tenancy.RoleChanged) audit.Entry {
			of := func(r *tenancy.Role) fields {
				if r == nil {
					return nil
				}
				return fields{"name": r.Name, "permissions": r.Permissions}
			}
			return itself("authz_change", "RoleChanged", e.Organization, e.ActorID, of(e.Before), of(e.After))
		}),
		MemberRoleChanged: line(a, func(e tenancy.MemberRoleChanged) audit.Entry {
			return inOrganization("authz_change", "MemberRoleChanged", e.Organization.ID, e.ActorID, memberTarget(e.After.UserID),
				fields{"role": e.Before.Role}, fields{"role": e.After.Role})
		}),
		MemberJoined: line(a, func(e tenancy.MemberJoined) audit.Entry {
			return inOrganization("authz_change", "MemberJoined", e.Organization.ID, e.ActorID, memberTarget(e.Member.UserID), nil,
				fields{"role": e.Member.Role, "teams": e.Teams, "invitationId": e.InvitationID})
		}),
		MemberLeft: line(a, func(e tenancy.MemberLeft) audit.Entry {
			return inOrganization("authz_change", "MemberLeft", e.Member.OrganizationID, e.ActorID, memberTarget(e.Member.UserID), fields{"role": e.Member.Role}, nil)
		}),
		OwnerChanged: line(a, func(e tenancy.OwnerChanged) audit.Entry {
			return itself("authz_change", "OwnerChanged", e.Organization, e.ActorID, fields{"ownerId": e.From}, fields{"ownerId": e.To})
		}),
		SecondFactorPolicySet: line(a, func(e tenancy.SecondFactorPolicySet) audit.Entry {
			return itself("sensitive_update", "SecondFactorPolicySet", e.Organization, e.UserID, nil,
				fields{"from": until(e.Organization.SecondFactor.From), "acceptTrustedDevices": e.Organization.SecondFactor.AcceptTrustedDevices})
		}),
		OrganizationDeleted: line(a, func(e tenancy.OrganizationDeleted) audit.Entry {
			return itself("sensitive_delete", "OrganizationDeleted", e.Organization, e.ActorID, fields{"name": e.Organization.Name, "slug": e.Organization.Slug}, nil)
		}),
	}
}

// auditInvitations writes what happens to invitations. None has its secret.
func (a *App) auditInvitations() invitation.Hooks {
	about := func(action, event string, i invitation.Invitation, actorID string, after fields) audit.Entry {
		return inOrganization(action, event, i.OrganizationID, actorID, audit.Target{Type: "invitation", ID: i.ID}, nil, after)
	}
	return invitation.Hooks{
		Invited: line(a, func(e invitation.Invited) audit.Entry {
			return about("user_created", "Invited", e.Invitation, e.ActorID, fields{"email": e.Invitation.Address.Display, "role": e.Invitation.Role, "again": e.Again})
		}),
		Accepted: line(a, func(e invitation.Joined) audit.Entry {
			return about("authz_change", eventAccepted, e.Invitation, e.Member.UserID,
				fields{"role": e.Member.Role, "email": e.Address.Display, "otherAddress": e.OtherAddress})
		}),
		Rejected: line(a, func(e invitation.Declined) audit.Entry {
			return about("authz_change", "InvitationRejected", e.Invitation, e.UserID, nil)
		}),
		Canceled: line(a, func(e invitation.Withdrawn) audit.Entry {
			return about("authz_change", "InvitationCanceled", e.Invitation, e.ActorID, nil)
		}),
	}
}

// auditTeams writes what happens to teams.
func (a *App) auditTeams() team.Hooks {
	changed := func(action, event string) hook.Func[team.Changed] {
		return line(a, func(e team.Changed) audit.Entry {
			t, before, after := e.After, fields{"name": e.Before.Name}, fields{"name": e.After.Name}
			if t.ID == "" {
				t, after = e.Before, nil
			}
			if e.Before.ID == "" {
				before = nil
			}
			return inOrganization(action, event, t.OrganizationID, e.ActorID, audit.Target{Type: "team", ID: t.ID}, before, after)
		})
	}
	member := func(event string) hook.Func[team.MemberChanged] {
		return line(a, func(e team.MemberChanged) audit.Entry {
			return inOrganization("authz_change", event, e.Team.OrganizationID, e.ActorID, audit.Target{Type: "team", ID: e.Team.ID}, nil, fields{"userId": e.Member.UserID})
		})
	}
	return team.Hooks{
		TeamCreated: changed("sensitive_create", "TeamCreated"), TeamUpdated: changed("sensitive_update", "TeamUpdated"),
		TeamDeleted: changed("sensitive_delete", "TeamDeleted"),
		MemberAdded: member("TeamMemberAdded"), MemberRemoved: member("TeamMemberRemoved"),
	}
}

// auditFeature writes what a feature that the host chose tells.
func (a *App) auditFeature(ctx context.Context, e feature.Event) error {
	entry := audit.Entry{
		Action: e.Action, Event: e.Name, Actor: audit.Actor{UserID: e.ActorID}, Target: audit.Target{Type: e.TargetType, ID: e.TargetID},
		IP: e.Client.IP, UserAgent: e.Client.UserAgent, After: e.After,
	}
	if e.Failed {
		entry = failed(entry)
	}
	return a.record(ctx, entry)
}

// auditRefusals records who asked for a change that they may not make: 403s of routes
// that change something, for callers who are known. What only lacks a fresh proof, or
// the second factor, is no refusal yet.
func (a *App) auditRefusals(r route.Route, next http.Handler) http.Handler {
	if a.Audit == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		caller, ok := principal.FromContext(req.Context())
		if !ok {
			next.ServeHTTP(w, req)
			return
		}
		seen := &refusal{ResponseWriter: w}
		ctx, last := entered.Watch(req.Context())
		next.ServeHTTP(seen, req.WithContext(ctx))
		if code := seen.code(); code != "" {
			organizationID := cmp.Or(last(), caller.OrganizationID)
			if r.Access == route.Superuser {
				organizationID = ""
			}
			a.refused(ctx, caller, organizationID, r.Pattern(), fields{"code": code})
		}
	})
}

// refused records one refusal.
func (a *App) refused(ctx context.Context, caller *principal.Principal, organizationID, pattern string, after fields) {
	if slices.Contains([]any{problem.CodeOf(session.ErrNotFresh), problem.CodeOf(principal.ErrSecondFactorRequired)}, after["code"]) ||
		!a.refusals.Allow(0, caller.UserID+"/"+caller.APIKeyID).Allowed {
		return
	}
	// Whoever hangs up is recorded all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalWithin)
	defer cancel()
	// The organization is the one that they asked for, and may be none of theirs.
	err := a.Audit.RecordFailure(a.DB.AsSystem(ctx), audit.Entry{
		Action: "authz_fail", Event: "Refused", OrganizationID: organizationID, Target: audit.Target{Type: "route", ID: pattern}, After: after,
	})
	if err != nil {
		a.cfg.Logger.ErrorContext(ctx, "tenon: a refusal was not recorded", "error", err)
	}
}

// auditChecks is auditRefusals for the host's routes that ask for an organization, or for
// a permission in it. The answer stays the host's: only the check is watched.
func (a *App) auditChecks(permission string, check func(context.Context) (*principal.Principal, error), next http.Handler) http.Handler {
	next = a.scoped(next)
	plain := a.tenancyHTTP.Require(check)(next)
	if a.Audit == nil {
		return plain
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			plain.ServeHTTP(w, r)
			return
		}
		pattern := r.Pattern
		if !strings.Contains(pattern, " ") && slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, r.Method) {
			pattern = r.Method + " " + pattern // others are what somebody typed
		}
		watched := func(ctx context.Context) (*principal.Principal, error) {
			p, err := check(ctx)
			if caller, ok := principal.FromContext(ctx); ok && problem.KindOf(err) == problem.PermissionDenied {
				a.refused(ctx, caller, caller.OrganizationID, pattern, fields{"code": problem.CodeOf(err), "permission": permission})
			}
			return p, err
		}
		a.tenancyHTTP.Require(watched)(next).ServeHTTP(w, r)
	})
}

// refusal keeps the text of a 403 while it is written.
type refusal struct {
	http.ResponseWriter
	status int
	text   bytes.Buffer
}

// maxRefusal bounds what is kept: more than any problem has.
const maxRefusal = 4 << 10

// Unwrap returns the writer behind.
func (r *refusal) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader passes the status on.
func (r *refusal) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write passes p on.
func (r *refusal) Write(p []byte) (int, error) {
	if r.status == http.StatusForbidden && r.text.Len()+len(p) <= maxRefusal {
		r.text.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

// code returns that of the problem, "FORBIDDEN" for a page, and "" for no refusal.
func (r *refusal) code() string {
	if r.status != http.StatusForbidden {
		return ""
	}
	var document problem.Document
	if json.Unmarshal(r.text.Bytes(), &document) != nil || strings.TrimSpace(document.Code) == "" {
		return problem.CodeOf(problem.ErrForbidden)
	}
	return document.Code
}
