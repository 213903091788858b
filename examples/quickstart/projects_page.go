package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// projectsPage shows the projects of the organization in which the session acts.
type projectsPage struct {
	Organization        string
	MayCreate, MayRead  bool
	MayDelete           bool
	Items               []projectRow
	Next                string // the cursor of older ones
	Name                string // as it was typed, to be corrected
	Notice              string
	Error               string
	ErrorIn             string // the form with the error
	NoOrganization      bool   // none is active
	SecondFactorMissing bool   // the organization demands one
}

// projectRow is a project as the page shows it.
type projectRow struct {
	project
	Ago string
}

func (s *server) projectPageRoutes(mux *http.ServeMux) {
	mux.Handle("GET /projects", s.forUser("", s.projects))
	mux.Handle("POST /projects", s.forUser(tenon.RateLimitPublic, s.projectForm))
	mux.Handle("POST /projects/delete", s.forUser(tenon.RateLimitPublic, s.deleteProjectForm))
}

func (s *server) projects(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	view := projectsPage{Notice: notice(r, map[string]string{
		"made": "The project is there. Everybody in the organization sees it.", "deleted": "The project is deleted.",
	})}
	s.showProjects(w, r, caller, http.StatusOK, view)
}

func (s *server) showProjects(w http.ResponseWriter, r *http.Request, caller account.Caller, status int, view projectsPage) {
	who := caller.Principal
	_, err := who.Organization()
	view.NoOrganization, view.SecondFactorMissing = errors.Is(err, principal.ErrNoOrganization), errors.Is(err, principal.ErrSecondFactorRequired)
	view.MayCreate, view.MayRead, view.MayDelete = who.Can("project", "create"), who.Can("project", "read"), who.Can("project", "delete")
	if err == nil {
		err = s.fillProjects(r, who, &view)
	}
	switch {
	case problem.KindOf(err) == problem.Invalid && r.URL.Query().Has("cursor"): // a link that somebody changed
		http.Redirect(w, r, "/projects", http.StatusSeeOther)
	case err != nil && !view.NoOrganization && !view.SecondFactorMissing:
		s.fail(w, r, err)
	default:
		s.render(w, r, status, "projects.html", view)
	}
}

func (s *server) fillProjects(r *http.Request, who *principal.Principal, view *projectsPage) error {
	o, _, err := s.app.Organizations.Membership(r.Context(), who.OrganizationID, who.UserID)
	if errors.Is(err, tenancy.ErrNotFound) { // it ended since the session was read
		view.NoOrganization = true
		return nil
	}
	if err != nil {
		return err
	}
	view.Organization = o.Name
	if !view.MayRead {
		return nil
	}
	page, next, err := s.listProjects(r.Context(), who, 0, r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	now := s.app.DB.Now()
	for _, p := range page {
		view.Items = append(view.Items, projectRow{p, ago(now, p.CreatedAt)})
	}
	view.Next = next
	return nil
}

func (s *server) projectForm(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	name := r.PostFormValue("name")
	_, err := caller.Principal.Organization()
	if err == nil {
		_, err = s.createProject(r.Context(), caller.Principal, name)
	}
	s.finishProjects(w, r, caller, "/projects?made", projectsPage{Name: name, ErrorIn: "create"}, err)
}

func (s *server) deleteProjectForm(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	_, err := caller.Principal.Organization()
	if err == nil {
		err = s.deleteProject(r.Context(), caller.Principal, r.PostFormValue("id"))
	}
	s.finishProjects(w, r, caller, "/projects?deleted", projectsPage{ErrorIn: "delete"}, err)
}

func (s *server) finishProjects(w http.ResponseWriter, r *http.Request, caller account.Caller, next string, view projectsPage, err error) {
	var p *problem.Error
	switch {
	case err == nil:
		http.Redirect(w, r, next, http.StatusSeeOther)
	case !s.settle(w, r, "/projects", err) && errors.As(err, &p):
		view.Error = wordsFor(p)
		s.showProjects(w, r, caller, p.Status(), view)
	}
}

// explain words a problem for the page: where it is about fields, each with what it
// takes.
func explain(p *problem.Error) string {
	sentences := make([]string, 0, len(p.Fields))
	for _, f := range p.Fields {
		sentences = append(sentences, strings.ToUpper(f.Field[:1])+f.Field[1:]+" "+f.Message+".")
	}
	if len(sentences) == 0 {
		return p.Message
	}
	return strings.Join(sentences, " ")
}
