package main

import (
	"fmt"
	"net/http"

	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/tenancy"
)

// question is asked before something is done that nothing brings back. Asking changes
// nothing: what the form leads to judges for itself who may.
type question struct {
	Title, Text, Button string
	Action, ID          string // what the form posts, and where
	Back                string
}

func (s *server) questionRoutes(mux *http.ServeMux) {
	for path, page := range map[string]userPage{
		"/organization/remove": s.askRemove, "/organization/cancel": s.askCancel,
		"/organization/leave": s.askLeave, "/organization/delete": s.askDelete,
		"/projects/delete": s.askDeleteProject,
	} {
		mux.Handle("GET "+path, s.forUser("", page))
	}
}

// ask shows the question, or says in the form called section why there is none to ask.
func (s *server) ask(w http.ResponseWriter, r *http.Request, caller account.Caller, section string, q question, err error) {
	if err != nil {
		s.finishOrganization(w, r, caller, "", organizationPage{ErrorIn: section}, err)
		return
	}
	q.Action, q.Back = r.URL.Path, "/organization"
	s.render(w, r, http.StatusOK, "sure.html", q)
}

func (s *server) askRemove(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	m, err := s.member(r, caller, "delete")
	s.ask(w, r, caller, "members", question{
		Title: fmt.Sprintf("Remove %s from %s?", m.Name, m.Organization), ID: m.ID, Button: "Remove " + m.Name,
		Text: m.Email + " loses sight of everything in it at once. What they made stays. Coming back takes an invitation.",
	}, err)
}

func (s *server) askCancel(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	i, err := s.pending(r, caller, "cancel")
	s.ask(w, r, caller, "invitations", question{
		Title: "Take the invitation back?", ID: i.ID, Button: "Take it back",
		Text: "The links that were mailed to " + i.Address.Display + " stop working. You can send another invitation.",
	}, err)
}

func (s *server) askLeave(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	o, err := s.active(r, caller, "", "")
	if err == nil && o.OwnerID == caller.Principal.UserID {
		err = tenancy.ErrOnlyOwner
	}
	s.ask(w, r, caller, "leave", question{
		Title: "Leave " + o.Name + "?", ID: o.ID, Button: "Leave the organization",
		Text: "You lose sight of everything in it. Coming back takes an invitation.",
	}, err)
}

func (s *server) askDelete(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	o, err := s.active(r, caller, "organization", "delete")
	s.ask(w, r, caller, "leave", question{
		Title: "Delete " + o.Name + "?", ID: o.ID, Button: "Delete it with everything in it",
		Text: "Its projects, teams and invitations go with it, and its members are told. Nothing brings it back.",
	}, err)
}

func (s *server) askDeleteProject(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	o, err := s.active(r, caller, "project", "delete")
	var p project
	if err == nil {
		p, err = s.findProject(r.Context(), caller.Principal, r.FormValue("id"))
	}
	if err != nil {
		s.finishProjects(w, r, caller, "", projectsPage{ErrorIn: "delete"}, err)
		return
	}
	s.render(w, r, http.StatusOK, "sure.html", question{
		Title: "Delete the project " + p.Name + "?", ID: p.ID, Button: "Delete it for good",
		Text: "It is gone for everybody in " + o.Name + ".", Action: r.URL.Path, Back: "/projects",
	})
}

// active returns the organization in which the session acts, if the caller may do that
// there; an empty resource takes nothing but the membership.
func (s *server) active(r *http.Request, caller account.Caller, resource, action string) (o tenancy.Organization, err error) {
	id, err := caller.Principal.Organization()
	switch {
	case err != nil:
	case resource == "":
		o, _, err = s.app.Organizations.Enter(r.Context(), caller.Principal, id)
	default:
		o, _, err = s.app.Organizations.Authorize(r.Context(), caller.Principal, id, resource, action)
	}
	return o, err
}
