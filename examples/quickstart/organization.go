package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/team"
)

// shownMembers and shownLines are how much the page shows at once.
const (
	shownMembers = 50
	shownLines   = 20
)

// organizationPage shows the organization in which the session acts, and the others of
// the person.
type organizationPage struct {
	Organization tenancy.Organization // the ID is empty where none is active
	Role         string
	Owner        bool
	Members      []memberRow
	MoreMembers  int
	MayInvite    bool
	MayCancel    bool
	MayTeam      bool
	Roles        []string // to invite with
	Invitations  []invitationRow
	Teams        []team.Team
	MayAudit     bool
	Lines        []lineRow
	Older        string // the cursor of older lines
	Others       []tenancy.Organization
	Email        string // as it was typed, to be corrected
	Name, Slug   string // of a new organization, likewise
	As           string // the role that was chosen
	Notice       string
	Error        string
	ErrorIn      string // the form with the error
	// SecondFactorMissing says that the organization of the session demands one.
	SecondFactorMissing bool
}

// Astray reports whether the error is one of a form that the page does not show.
func (v organizationPage) Astray() bool {
	switch v.ErrorIn {
	case "", "switch", "create":
		return false
	case "invite":
		return !v.MayInvite
	}
	return v.Organization.ID == ""
}

// memberRow, invitationRow and lineRow are what the page says of each.
type memberRow struct {
	tenancy.Member
	Name, Email, Joined string
	Me                  bool
}

type invitationRow struct {
	invitation.Invitation
	Expired bool
	Until   string
}

type lineRow struct{ Event, Action, Who, Ago, Outcome string }

func (s *server) organizationRoutes(mux *http.ServeMux) {
	mux.Handle("GET /organization", s.forUser("", s.organization))
	s.organizationForms(mux)
}

func (s *server) organization(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	var view organizationPage
	for name, notice := range map[string]string{
		"switched": "You act in this organization now.",
		"created":  "The organization is there. You own it.",
		"left":     "You are not a member of that organization any more.",
		"invited":  "The invitation is on its way.",
		"resent":   "The invitation goes out again, if the last mail was not just sent.",
		"canceled": "The invitation is taken back. Its links are dead.",
		"offered":  "The offer is made. It is open for 7 days, and you stay the owner until it is accepted.",
		"withdrew": "If an offer was open, it is taken back.",
		"accepted": "You own the organization now.",
		"again":    "Thank you. Now go on with what you wanted to do.",
	} {
		if r.URL.Query().Has(name) {
			view.Notice = notice
		}
	}
	s.showOrganization(w, r, caller, http.StatusOK, view)
}

func (s *server) showOrganization(w http.ResponseWriter, r *http.Request, caller account.Caller, status int, view organizationPage) {
	list, err := s.app.Organizations.List(r.Context(), caller.Principal.UserID)
	if err == nil {
		err = s.fillOrganization(r, caller, &view)
	}
	switch {
	case errors.Is(err, tenancy.ErrNotFound) || problem.KindOf(err) == problem.Invalid && r.URL.Query().Has("cursor"): // it ended meanwhile, or a link that somebody changed
		http.Redirect(w, r, "/organization", http.StatusSeeOther)
		return
	case err != nil:
		s.fail(w, r, err)
		return
	}
	view.Others = slices.DeleteFunc(list, func(o tenancy.Organization) bool { return o.ID == view.Organization.ID })
	s.render(w, r, status, "organization.html", view)
}

// fillOrganization reads what there is to see of the active organization.
func (s *server) fillOrganization(r *http.Request, caller account.Caller, view *organizationPage) error {
	ctx, who := r.Context(), caller.Principal
	id, err := who.Organization()
	switch {
	case errors.Is(err, principal.ErrSecondFactorRequired):
		view.SecondFactorMissing = true
		return nil
	case err != nil: // none is active
		return nil
	}
	o, m, err := s.app.Organizations.Enter(ctx, who, id)
	if err != nil {
		return err
	}
	view.Organization, view.Role, view.Owner = o, strings.ReplaceAll(m.Role, ",", ", "), o.OwnerID == who.UserID
	view.MayInvite, view.MayCancel, view.MayAudit = who.Can("invitation", "create"), who.Can("invitation", "cancel"), who.Can("audit", "read")
	view.MayTeam = who.Can("team", "create")
	names := directory{s, caller, map[string]contact{}}
	if err := s.fillMembers(ctx, names, view); err != nil {
		return err
	}
	if err := s.fillInvitations(ctx, who, view); err != nil {
		return err
	}
	if view.Teams, err = s.app.Teams.List(ctx, who, id); err != nil {
		return err
	}
	return s.fillTrail(ctx, names, r.URL.Query().Get("cursor"), view)
}

// directory tells the page who somebody is, as far as the person who looks may know.
type directory struct {
	server *server
	caller account.Caller
	known  map[string]contact
}

type contact struct{ Name, Email string }

func (d directory) find(ctx context.Context, userID string) (contact, error) {
	if c, ok := d.known[userID]; ok {
		return c, nil
	}
	user, err := d.server.app.Account.User(ctx, d.caller, userID)
	c := contact{user.Name, user.Display}
	switch {
	case userID == "":
		c, err = contact{Name: "nobody signed in"}, nil
	case errors.Is(err, account.ErrUserNotFound):
		c, err = contact{Name: "somebody who left"}, nil
	}
	d.known[userID] = c
	return c, err
}

func (s *server) fillMembers(ctx context.Context, names directory, view *organizationPage) error {
	who := names.caller.Principal
	query := tenancy.MemberQuery{OrganizationID: view.Organization.ID, Limit: shownMembers}
	members, total, err := s.app.Organizations.Members(ctx, who, query)
	if err != nil {
		return err
	}
	view.MoreMembers = total - len(members)
	now := s.app.DB.Now()
	for _, m := range members {
		c, err := names.find(ctx, m.UserID)
		if err != nil {
			return err
		}
		view.Members = append(view.Members, memberRow{
			Member: m, Name: c.Name, Email: c.Email, Joined: day(now, m.CreatedAt), Me: m.UserID == who.UserID,
		})
	}
	return nil
}

// fillInvitations reads those that wait for an answer, and the roles that there are.
func (s *server) fillInvitations(ctx context.Context, who *principal.Principal, view *organizationPage) error {
	list, err := s.app.Invitations.List(ctx, who, view.Organization.ID)
	if err != nil {
		return err
	}
	now := s.app.DB.Now()
	for _, i := range list {
		if i.Status == invitation.Pending {
			view.Invitations = append(view.Invitations, invitationRow{i, !i.Open(now), i.ExpiresAt.Format("2 January 2006, 15:04 MST")})
		}
	}
	view.Roles = []string{tenancy.RoleMember, tenancy.RoleAdmin}
	if !who.Can("ac", "read") {
		return nil
	}
	own, err := s.app.Organizations.Roles(ctx, who, view.Organization.ID)
	for _, role := range own {
		view.Roles = append(view.Roles, role.Name)
	}
	return err
}

// fillTrail reads the newest lines of the organization's trail, for those who may.
func (s *server) fillTrail(ctx context.Context, names directory, cursor string, view *organizationPage) error {
	if !view.MayAudit {
		return nil
	}
	page, err := s.app.Audit.List(ctx, audit.Query{OrganizationID: view.Organization.ID}, shownLines, cursor)
	if err != nil {
		return err
	}
	view.Older = page.Next
	now := s.app.DB.Now()
	for _, record := range page.Items {
		who, err := names.find(ctx, record.Actor.UserID)
		if err != nil {
			return err
		}
		view.Lines = append(view.Lines, lineRow{
			Event: spaced(record.Event), Action: record.Action, Who: who.Name, Ago: ago(now, record.At),
			Outcome: outcome(record.Outcome),
		})
	}
	return nil
}

func outcome(o audit.Outcome) string {
	if o == audit.Success {
		return ""
	}
	return "refused"
}

// spaced writes "ProjectCreated" as "Project created".
func spaced(event string) string {
	var b strings.Builder
	for i, r := range event {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
