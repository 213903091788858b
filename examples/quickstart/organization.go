package main

import (
	"cmp"
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
	Alone        bool
	NextMembers  int // where the next page of them begins, 0 on the last
	MoreMembers  int
	MayUpdate    bool // members
	MayRemove    bool
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

// invitationRow and lineRow are what the page says of each.
type invitationRow struct {
	invitation.Invitation
	Expired bool
	Until   string
}

type lineRow struct{ Event, What, Who, Ago, Note string }

func (s *server) organizationRoutes(mux *http.ServeMux) {
	mux.Handle("GET /organization", s.forUser("", s.organization))
	mux.Handle("GET /organization/role", s.forUser("", s.askRole))
	s.organizationForms(mux)
	s.questionRoutes(mux)
}

func (s *server) organization(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := organizationPage{Notice: notice(r, map[string]string{
		"switched": "You act in this organization now.",
		"created":  "The organization is there. You own it.",
		"left":     "You are not a member of that organization any more.",
		"deleted":  "The organization is deleted, with everything in it.",
		"changed":  "The role is changed. It counts from their next click on.",
		"removed":  "They are not a member any more. What they made stays.",
		"invited":  "The invitation is on its way.",
		"resent":   "The invitation goes out again, if the last mail was not just sent.",
		"canceled": "The invitation is taken back. Its links are dead.",
		"offered":  "The offer is made. It is open for 7 days, and you stay the owner until it is accepted.",
		"withdrew": "If an offer was open, it is taken back.",
		"accepted": "You own the organization now.",
		"again":    "Thank you. Now go on with what you wanted to do.",
	})}
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
	view.MayUpdate, view.MayRemove = who.Can("member", "update"), who.Can("member", "delete")
	names := s.directory(caller)
	if err := s.fillMembers(ctx, names, r.URL.Query().Get("from"), shownMembers, view); err != nil {
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
	view.Roles, err = s.roles(ctx, who, view.Organization.ID)
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
	for _, record := range page.Items {
		line, err := s.line(ctx, names, record)
		if err != nil {
			return err
		}
		view.Lines = append(view.Lines, line)
	}
	return nil
}

// line says in words what was done, to what, and by whom.
func (s *server) line(ctx context.Context, names directory, record audit.Record) (lineRow, error) {
	who, err := names.find(ctx, record.Actor.UserID)
	if err != nil {
		return lineRow{}, err
	}
	if record.Actor.ImpersonatorID != "" {
		who.Name = "the support, as " + who.Name
	}
	what, err := details(ctx, names, record)
	line := lineRow{Event: spaced(record.Event), What: what, Who: who.Name, Ago: ago(s.app.DB.Now(), record.At)}
	if record.After["again"] == true {
		line.Event += " again"
	}
	switch {
	case record.Damaged:
		line.Note = "not what was written"
	case record.Outcome != audit.Success && record.Event != "Refused":
		line.Note = "refused"
	}
	return line, err
}

// details are the fields that people recognize, and whom it was done to.
func details(ctx context.Context, names directory, record audit.Record) (string, error) {
	var words []string
	people := []string{text(record.After, "to"), text(record.After, "ownerId"), text(record.After, "userId")}
	if record.Target.Type == audit.TargetUser && record.Target.ID != record.Actor.UserID {
		people = append(people, record.Target.ID)
	}
	for _, id := range people {
		if id == "" {
			continue
		}
		c, err := names.find(ctx, id)
		if err != nil {
			return "", err
		}
		words = append(words, c.Name)
	}
	for _, field := range []string{"name", "email", "role"} {
		before, after := text(record.Before, field), text(record.After, field)
		switch {
		case before != "" && after != "" && before != after:
			words = append(words, "from "+before+" to "+after)
		case before != "" || after != "":
			words = append(words, cmp.Or(after, before))
		}
	}
	if resource, action, ok := strings.Cut(text(record.After, "permission"), ":"); ok {
		words = append(words, action+" "+resource)
	} else if record.Target.Type == "route" {
		words = append(words, record.Target.ID)
	}
	return strings.Join(words, ", "), nil
}

// text is a field of a trail's line, "" where it has none.
func text(fields map[string]any, name string) string {
	value, _ := fields[name].(string)
	return value
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
