package tenon

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/authbun"
	"github.com/tenon-go/tenon/auth/invited"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func (a *App) wireTenancy() (err error) {
	cfg := a.cfg.Organizations
	cfg.Users, cfg.People, cfg.Sessions = a.users, people{a.users}, activeOrganizations{a}
	cfg.Hooks = tenancy.JoinHooks(a.forgetRoles(), a.leaveSessions(), a.auditOrganizations(), a.organizationNews(), a.cfg.TenancyHooks)
	cfg.OwnerPolicy = cmp.Or(a.cfg.OwnerPolicy, cfg.OwnerPolicy)
	cfg.Now = a.DB.Now
	if a.Organizations, err = tenancy.New(tenancybun.New(a.DB), cfg); err != nil {
		return err
	}
	a.tenancyHTTP, err = tenancy.NewHandler(a.Organizations, tenancy.HandlerConfig{
		FreshFor: account.DefaultFreshFor,
		// Both are wired after organizations.
		Invitations: func(ctx context.Context, caller *principal.Principal, organizationID string) (any, error) {
			return a.invitationHTTP.Listed(ctx, caller, organizationID)
		},
		Teams: func(ctx context.Context, caller *principal.Principal, organizationID string) (any, error) {
			return a.teamHTTP.Listed(ctx, caller, organizationID)
		},
	})
	return err
}

// people describes users to those who are in an organization with them.
type people struct{ users *authbun.Store }

// Profiles implements tenancy.People.
func (p people) Profiles(ctx context.Context, userIDs []string) (map[string]tenancy.Profile, error) {
	users, err := p.users.Users(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	profiles := make(map[string]tenancy.Profile, len(users))
	for _, u := range users {
		profiles[u.ID] = tenancy.Profile{ID: u.ID, Email: u.Display, Name: u.Name, Image: u.Image}
	}
	return profiles, nil
}

// UserByEmail implements tenancy.People. What is no address is nobody's.
func (p people) UserByEmail(ctx context.Context, email string) (userID string, err error) {
	address, err := auth.ParseAddress(email)
	if err != nil {
		return "", auth.ErrUserNotFound
	}
	user, _, err := p.users.UserByEmail(ctx, address.Key)
	return user.ID, err
}

// Banned implements tenancy.People.
func (p people) Banned(ctx context.Context, userID string) (bool, error) {
	user, err := p.users.Record(ctx, userID)
	return err == nil && user.Banned(p.users.Now()), err
}

// HoldVersion implements tenancy.People.
func (p people) HoldVersion(ctx context.Context, userID string) (int64, error) {
	return p.users.HoldVersion(ctx, userID)
}

// activeOrganizations lets package tenancy choose a session's organization. Sessions are
// wired after organizations.
type activeOrganizations struct{ app *App }

// SetOrganization implements tenancy.Sessions.
func (s activeOrganizations) SetOrganization(ctx context.Context, userID, sessionID, organizationID string) error {
	return s.app.Sessions.SetOrganization(ctx, userID, sessionID, organizationID)
}

// leaveSessions takes organizations out of the sessions of those who are members no
// longer: whoever joins again finds no session that acts there already.
func (a *App) leaveSessions() tenancy.Hooks {
	return tenancy.Hooks{
		MemberLeft: func(ctx context.Context, e tenancy.MemberLeft) error {
			return a.Sessions.LeaveOrganization(ctx, e.Member.OrganizationID, e.Member.UserID)
		},
		OrganizationDeleted: func(ctx context.Context, e tenancy.OrganizationDeleted) error {
			return a.Sessions.LeaveOrganization(ctx, e.Organization.ID, e.UserIDs()...)
		},
	}
}

// leaveTeams takes teams out of the sessions of those who are in them no longer.
func (a *App) leaveTeams() team.Hooks {
	return team.Hooks{
		MemberRemoved: func(ctx context.Context, e team.MemberChanged) error {
			return a.Sessions.LeaveTeam(ctx, e.Team.ID, e.Member.UserID)
		},
		TeamDeleted: func(ctx context.Context, e team.Changed) error {
			return a.Sessions.LeaveTeam(ctx, e.Before.ID, e.UserIDs...)
		},
	}
}

// RequireOrganization is Middleware that lets callers through who act in an organization,
// and answers everybody else with principal.RequireOrganization's error, or with 503 while
// the database can't tell. The organization is the one that the path's wildcard
// {organizationId}, organizationId in the query or the header X-Organization-Id names, and
// otherwise the session's (rule R13). next reads it from principal.FromContext.
func (a *App) RequireOrganization(next http.Handler) http.Handler {
	return a.Middleware(a.auditChecks("", known(principal.RequireOrganization), next))
}

// RequirePermission is RequireOrganization for callers whose role there allows the action
// on the resource, as it is now. Others get principal.ErrNotPermitted:
//
//	mux.Handle("GET /invoices", app.RequirePermission("invoices", "read")(list))
//
// Say in Config.Organizations that there are invoices to read, and which roles may.
func (a *App) RequirePermission(resource, action string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return a.Middleware(a.auditChecks(resource+":"+action, known(principal.RequirePermission(resource, action)), next))
	}
}

// known is check that says so where an outage keeps us from knowing who calls.
func known(check func(context.Context) (*principal.Principal, error)) func(context.Context) (*principal.Principal, error) {
	return func(ctx context.Context) (*principal.Principal, error) {
		if _, ok := principal.FromContext(ctx); !ok {
			if err := session.LookupError(ctx); err != nil {
				return nil, err
			}
		}
		return check(ctx)
	}
}

// createDefaultOrganization gives every new user a company of their own, in the
// transaction that makes the user; whoever was invited may do without.
func (a *App) createDefaultOrganization(ctx context.Context, e auth.UserCreated) error {
	if e.InvitationID != "" && a.cfg.Invitations.SkipDefaultOrganization {
		return nil
	}
	_, err := a.Organizations.CreateDefault(ctx, e.User.ID, tenancy.DefaultName(e.User.Name))
	return err
}

// InvitationPolicy says how people are invited into organizations.
type InvitationPolicy struct {
	// Life is how long an invitation can be accepted, 90 days at most. Defaults to 48
	// hours.
	Life time.Duration
	// Limit is how many invitations of one organization may be open at a time. Defaults to
	// 100.
	Limit int
	// OtherAddresses lets signed-in users accept a mailed invitation with another proven
	// address than the invited one, after a page has shown them both. Whoever gets hold of
	// the mail can join then. Defaults to false.
	OtherAddresses bool
	// SkipDefaultOrganization leaves people who sign up by an invitation without an
	// organization of their own. Defaults to false.
	SkipDefaultOrganization bool
}

// TeamPolicy bounds the teams of organizations.
type TeamPolicy struct {
	// MaxTeams is how many an organization may have, and MaxMembers how many members a
	// team may have. They default to no limit.
	MaxTeams, MaxMembers int
}

func (a *App) wireInvitations() (err error) {
	if a.Teams, err = team.New(tenancybun.NewTeams(a.DB), team.Config{
		Organizations: a.Organizations, MaxTeams: a.cfg.Teams.MaxTeams, MaxMembers: a.cfg.Teams.MaxMembers,
		Hooks: team.JoinHooks(a.leaveTeams(), a.auditTeams(), a.cfg.TeamHooks), Now: a.DB.Now,
	}); err != nil {
		return err
	}
	if a.teamHTTP, err = team.NewHandler(a.Teams, team.HandlerConfig{Active: activeTeam, Activate: a.activateTeam}); err != nil {
		return err
	}
	policy := a.cfg.Invitations
	if a.Invitations, err = invitation.New(tenancybun.NewInvitations(a.DB), invitation.Config{
		Organizations: a.Organizations, People: invitees{a}, Tokens: a.tokens, Post: post{a}, Teams: a.Teams,
		LinkBase: a.cfg.BaseURL + a.cfg.MountPath, Life: policy.Life, Limit: policy.Limit, OtherAddresses: policy.OtherAddresses,
		Hooks: invitation.JoinHooks(a.auditInvitations(), a.cfg.InvitationHooks), Now: a.DB.Now,
	}); err != nil {
		return err
	}
	newcomers, err := a.wireNewcomers()
	if err != nil {
		return err
	}
	a.invitationHTTP, err = invitation.NewHandler(a.Invitations, invitation.HandlerConfig{
		BaseURL: a.cfg.BaseURL, ProductName: a.cfg.ProductName, RedirectTargets: a.cfg.RedirectTargets,
		Newcomers: newcomers, Activate: a.activateOrganization,
	})
	return err
}

// activateOrganization makes an organization that a user has just joined the one that
// their session acts in, and the team, if there is one.
func (a *App) activateOrganization(ctx context.Context, caller *principal.Principal, organizationID, teamID string) error {
	if _, err := a.Organizations.SetActive(ctx, caller, organizationID); err != nil || teamID == "" {
		return err
	}
	_, err := a.Teams.Choose(ctx, caller, organizationID, teamID)
	if errors.Is(err, team.ErrNotFound) { // meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	return a.activateTeam(ctx, caller, organizationID, teamID)
}

// activeTeam returns the active team of the session that r came with.
func activeTeam(r *http.Request) string {
	found, _ := session.FromContext(r.Context())
	return found.Session.TeamID
}

// activateTeam makes a team the active one of the caller's session.
func (a *App) activateTeam(ctx context.Context, caller *principal.Principal, organizationID, teamID string) error {
	return a.Sessions.SetTeam(ctx, caller.UserID, caller.SessionID, organizationID, teamID)
}

// wireNewcomers lets people sign up by invitations.
func (a *App) wireNewcomers() (func(http.ResponseWriter, *http.Request, invitation.Newcomer) error, error) {
	svc, err := invited.New(a.users, invited.Config{
		Users: a.Auth, Invitations: offers{a.Invitations}, SignInURL: a.cfg.BaseURL + "/", Now: a.DB.Now,
	})
	if err != nil {
		return nil, err
	}
	handler, err := invited.NewHandler(svc, a.authHTTP)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request, n invitation.Newcomer) error {
		return handler.Enter(w, r, invited.Entry{
			Secret: n.Secret, ShownID: n.ShownID, Name: n.Name, Password: n.Password, CallbackURL: n.CallbackURL, Page: n.Page,
		})
	}, nil
}

// offers are invitations as package auth/invited knows them.
type offers struct{ invitations *invitation.Service }

// Offer implements invited.Invitations.
func (o offers) Offer(ctx context.Context, secret string) (invited.Offer, error) {
	offer, err := o.invitations.Peek(ctx, secret)
	if err == nil {
		err = o.invitations.Admits(offer.Organization)
	}
	return invited.Offer{
		InvitationID: offer.Invitation.ID, OrganizationID: offer.Organization.ID, Organization: offer.Organization.Name,
		Email: offer.Invitation.Address.Display,
	}, err
}

// Welcome implements invited.Invitations.
func (o offers) Welcome(ctx context.Context, secret, userID string) error {
	_, err := o.invitations.Welcome(ctx, secret, userID)
	return err
}

// invitees are the users as package tenancy/invitation knows them.
type invitees struct{ app *App }

// HoldPerson implements invitation.People.
func (p invitees) HoldPerson(ctx context.Context, userID string) (invitation.Person, error) {
	return person(p.app.users.HoldUser(ctx, userID))
}

// ByID implements invitation.People.
func (p invitees) ByID(ctx context.Context, userID string) (invitation.Person, error) {
	user, err := p.app.users.Record(ctx, userID)
	found, err := person(user.User, err)
	found.Banned = err == nil && user.Banned(p.app.DB.Now())
	return found, err
}

func person(user auth.User, err error) (invitation.Person, error) {
	if err != nil {
		return invitation.Person{}, err
	}
	return invitation.Person{
		ID: user.ID, Address: invitation.Address{Key: user.Email, Display: user.Display}, Name: user.Name, Verified: user.EmailVerified,
	}, nil
}

// ByAddress implements invitation.People. Who has not proven the address is nobody (rule
// R4).
func (p invitees) ByAddress(ctx context.Context, a invitation.Address) (invitation.Person, error) {
	user, _, err := p.app.users.UserByEmail(ctx, a.Key)
	if errors.Is(err, auth.ErrUserNotFound) || err == nil && !user.EmailVerified {
		return invitation.Person{}, nil
	}
	return invitation.Person{ID: user.ID, Address: a, Name: user.Name, Verified: user.EmailVerified}, err
}

// ParseAddress implements invitation.People.
func (invitees) ParseAddress(typed string) (invitation.Address, error) {
	a, err := auth.ParseAddress(typed)
	return invitation.Address{Key: a.Key, Display: a.Display}, err
}

// post mails invitations within the budgets of package auth.
type post struct{ app *App }

// Post implements invitation.Post.
func (p post) Post(ctx context.Context, l invitation.Letter, write func(ctx context.Context) (mail.Data, error)) (bool, error) {
	to, err := auth.ParseAddress(l.To.Display)
	if err != nil {
		return false, err
	}
	info, _ := client.FromContext(ctx)
	return p.app.Auth.Post(ctx, auth.Letter{
		To: to, Kind: l.Kind, Every: l.Every, Client: auth.Client{IP: info.IP, UserAgent: info.UserAgent},
	}, write)
}
